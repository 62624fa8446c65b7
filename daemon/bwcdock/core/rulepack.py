"""The form of a rule pack: what one regulation asks for, as data, each value with its article and exact words.

One form holds every bureau's regulation; what a regulation does not say is left empty. Periods are judged by
:mod:`bwcdock.core.rules`, the papers and the coverage page read the rest.
"""

from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A word of the regulation: ``id`` is stable across packs (``dispute``), ``label`` is what officers read."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """Anything a regulation says: ``article`` is where (``第十七条``), ``quote`` the exact words it rests on."""

    article: str
    quote: str

    def __post_init__(self) -> None:
        if not self.article or not self.quote:
            raise ValueError("A rule needs its article and its quote.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How long, and how it is counted (see :mod:`bwcdock.core.calendar`).

    ``close`` is when business ends on the last day, on the station's wall; ``None`` means 24:00. Hours have no last
    day, and ``same_day`` has no count.
    """

    unit: Literal["hours", "days", "working_days", "same_day"]
    count: int = 0
    close: time | None = None

    def __post_init__(self) -> None:
        if (self.unit == "same_day") != (self.count == 0) or self.count < 0:
            raise ValueError("A period counts at least one hour, day or working day; same_day counts none.")
        if self.unit == "hours" and self.close is not None:
            raise ValueError("A period of hours ends at its exact moment, not at a close of business.")

    def __str__(self) -> str:
        words = self.unit if self.unit == "same_day" else f"{self.count} {self.unit}"
        return words if self.close is None else f"{words}, close {self.close:%H:%M}"


# --- the offload deadline ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Away(Ruled):
    """The case of officers who could not hand over: ``span`` counts from the return to the unit."""

    grounds: tuple[Term, ...]
    span: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Extending(Ruled):
    """Who may allow more time, up to what span, and which tags forbid it. ``by`` are role ids."""

    by: tuple[str, ...]
    span: Period
    barred_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline(Ruled):
    """By when footage must be stored.

    ``met_by`` says which fact stores it: ``sealed`` where the dock itself is the store meant (专用电脑、专用存储设备),
    ``confirmed`` where only the central store will do (专用服务器). ``stores`` are the regulation's words for it.
    """

    basis: Literal["recording_end", "activity_end"]
    span: Period
    met_by: Literal["sealed", "confirmed"]
    stores: tuple[str, ...]
    away: Away | None = None
    extension: Extending | None = None


# --- keeping -------------------------------------------------------------------------------------------------------


class Keep(StrEnum):
    """How long a class is kept, from shortest to longest. Only ``months`` has an end a machine may compute."""

    MONTHS = "months"
    CASE_FILE = "case_file"
    """As long as the case file it belongs to (随案卷)."""
    LONG_TERM = "long_term"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention(Ruled):
    """One retention class. A record falls in it by any of ``tags``; the class without tags is the floor for all.

    ``only`` on the floor names the tag that settles it (仅实施引导、劝导): until a person gives that tag, or one of
    another class, the record is kept like the floor and counts as unclassified. ``may_come_later`` marks a class that
    a later event opens (complaint, review, suit): the pack then speaks again.
    """

    id: str
    keep: Keep
    months: int = 0
    tags: tuple[str, ...] = ()
    only: str = ""
    may_come_later: bool = False

    def __post_init__(self) -> None:
        # Slots rebuild the class, so a bare super() here would look for the class before it.
        Ruled.__post_init__(self)
        if (self.keep is Keep.MONTHS) != (self.months > 0):
            raise ValueError("A retention class keeps for at least one month, or names no months at all.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(Ruled):
    """The clock of a case: footage joins the file within ``span`` of any of ``basis``, whichever the case has."""

    basis: tuple[Literal["case_closed", "inspection_ended"], ...]
    span: Period


# --- everything the regulation asks of people ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Ruled):
    """What must be looked at before use. ``works`` is the recorder as a whole (无故障、设备性能)."""

    what: tuple[Literal["clock", "battery", "storage", "works"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption(Ruled):
    """What a break in a recording asks for: the closed list of reasons, whom to tell, what to write or use instead."""

    reasons: tuple[Term, ...]
    spoken: bool
    written: bool
    report_to: str = ""
    backup: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecorded(Ruled):
    """When an activity need not be recorded, and who signs the note that says why (empty: no note is asked for)."""

    grounds: tuple[Term, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(Ruled):
    """Who must agree before footage is seen or leaves, in order. ``when`` is a tag that calls for this chain."""

    act: Literal["view_inside", "view_outside", "copy", "provide", "publish"]
    chain: tuple[str, ...]
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet(Ruled):
    """A paper and its fields, in the regulation's words. ``signed_by`` are those who sign it."""

    id: Literal["evidence", "own_footage", "sound", "copies", "access_register"]
    fields: tuple[str, ...]
    signed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment(Ruled):
    """How many recorders: one for each ``officers`` officers, and at least ``least`` in a team (0: not said)."""

    officers: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheck(Ruled):
    """What supervision looks at, and who looks. No regulation gives the share; the bureau sets it."""

    by: tuple[str, ...]
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty(Ruled):
    """Anything else a person reads on the coverage page: index fields, naming, original carriers, handover."""

    id: str
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePack:
    """One regulation. Tags and roles are declared once; every other mention is by their id.

    ``digest`` is the SHA-256 of the file it was read from and ``tightened`` what a bureau made stricter, each in words:
    both go into every obligation, so that it can be computed again.
    """

    name: str
    title: str
    issuer: str
    tags: tuple[Term, ...]
    roles: tuple[Term, ...]
    deadline: Deadline
    retention: tuple[Retention, ...]
    published: str = ""
    archive: tuple[Archive, ...] = ()
    checks: tuple[Check, ...] = ()
    interruption: Interruption | None = None
    unrecorded: Unrecorded | None = None
    approvals: tuple[Approval, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    equipment: tuple[Equipment, ...] = ()
    spot_check: SpotCheck | None = None
    duties: tuple[Duty, ...] = ()
    digest: str = ""
    tightened: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if [rule.tags for rule in self.retention].count(()) != 1 or self.floor.keep is not Keep.MONTHS:
            raise ValueError("A pack needs exactly one retention class without tags, in months: the floor for all.")
        _declared("tag", self.tags, self._tags_used())
        _declared("role", self.roles, self._roles_used())

    @property
    def floor(self) -> Retention:
        """The retention class of a record that falls in no other."""
        return next(rule for rule in self.retention if not rule.tags)

    def _tags_used(self) -> tuple[str, ...]:
        barred = self.deadline.extension.barred_by if self.deadline.extension else ()
        kept = tuple(tag for rule in self.retention for tag in (*rule.tags, rule.only) if tag)
        asked = tuple(rule.when for rule in self.approvals if rule.when)
        return (*barred, *kept, *asked, *(tag for duty in self.duties for tag in duty.tags))

    def _roles_used(self) -> tuple[str, ...]:
        extend = self.deadline.extension.by if self.deadline.extension else ()
        told = (self.interruption.report_to,) if self.interruption and self.interruption.report_to else ()
        signs = (self.unrecorded.signed_by,) if self.unrecorded and self.unrecorded.signed_by else ()
        chains = tuple(role for rule in self.approvals for role in rule.chain)
        sheets = tuple(role for sheet in self.sheets for role in sheet.signed_by)
        return (*extend, *told, *signs, *chains, *sheets, *(self.spot_check.by if self.spot_check else ()))


def _declared(what: str, known: tuple[Term, ...], used: tuple[str, ...]) -> None:
    ids = [term.id for term in known]
    if len(ids) != len(set(ids)):
        raise ValueError(f"A {what} is declared twice.")
    for name in used:
        if name not in ids:
            raise ValueError(f"The {what} {name!r} is used but not declared.")
