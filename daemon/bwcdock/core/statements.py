"""The vocabulary of the desk: what people state and do, each a fact with the person and his role behind it.

A statement is about a *matter*: a person, a team, a device, a trip, a case … ``matter`` is its id and ``kind`` its
sort; matters are folded in :mod:`bwcdock.core.desk`. Two statements are about a recording itself (:class:`Tagged`,
:class:`Excused`) and are folded with it. Who speaks, and in which role, is the entry's ``Actor``.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from bwcdock.core.facts import Fact, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Fact):
    """The root of the facts about a matter."""

    kind: ClassVar[str] = ""
    matter: str = ""

    @property
    def about(self) -> tuple[str, str]:
        """The matter; a record or recorder is named beside it to say which is meant."""
        return self.kind, self.matter


# --- people and teams ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEntered(Statement):
    """A person stands in the register, or stands there otherwise: the newest entry replaces the one before.

    ``certificate`` is the enforcement certificate (执法证号), ``user_numbers`` what recorders call this person,
    ``roles`` role ids of the rule pack: in which he may act at the desk.
    """

    ev: ClassVar[str] = "person.entered"
    kind: ClassVar[str] = "person"
    name: str
    certificate: str = ""
    unit: str = ""
    team: str = ""
    roles: tuple[str, ...] = ()
    user_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLeft(Statement):
    """A person no longer works here: he can act no more, and what he did stays his."""

    ev: ClassVar[str] = "person.left"
    kind: ClassVar[str] = "person"
    reason: str


SignIn = Literal["code", "password", "totp", "pin", "token", "blocked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSet(Statement):
    """How a person proves who he is was changed: by himself, or by the entry's actor for him. Never a secret itself.

    ``code`` is a code for once, ``token`` one for programs; ``blocked`` shuts every way until there is a new code.
    """

    ev: ClassVar[str] = "person.sign_in_set"
    kind: ClassVar[str] = "person"
    what: SignIn


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamEntered(Statement):
    """A team (执法分队) of ``officers`` enforcement officers; the newest entry replaces the one before."""

    ev: ClassVar[str] = "team.entered"
    kind: ClassVar[str] = "team"
    name: str
    unit: str
    officers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver(Statement):
    """A person hands over to another (人员调动时应做好资料的交接). ``left_open`` is all that was open, a line each."""

    ev: ClassVar[str] = "handover.made"
    kind: ClassVar[str] = "handover"
    giver: str
    taker: str
    devices: tuple[str, ...]
    left_open: tuple[str, ...]


# --- devices ---------------------------------------------------------------------------------------------------------

DeviceState = Literal["in_service", "repair", "lost", "stolen", "retired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRegistered(Statement):
    """A recorder belongs to this unit; the newest entry replaces model, unit and team. ``matter`` is its serial."""

    ev: ClassVar[str] = "device.registered"
    kind: ClassVar[str] = "device"
    model: str = ""
    unit: str = ""
    team: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIssued(Statement):
    """A recorder was issued (领用) to a person, after it was checked. ``findings`` are what the check said of it."""

    ev: ClassVar[str] = "device.issued"
    kind: ClassVar[str] = "device"
    to: str
    expected_back: datetime | None = None
    checked: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReturned(Statement):
    """A recorder was given back (归还) by its holder; ``note`` is how it is."""

    ev: ClassVar[str] = "device.returned"
    kind: ClassVar[str] = "device"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStateSet(Statement):
    """A recorder went out for repair, was lost, stolen or retired, or is in service again.

    ``footage`` are the records last known to be on it and not offloaded (S0 第十八条第(五)项, S4 第二十三条第(七)项).
    """

    ev: ClassVar[str] = "device.state_set"
    kind: ClassVar[str] = "device"
    state: DeviceState
    reason: str
    footage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReported(Statement):
    """A holder reported that a recorder does not work as it should (及时报告管理员)."""

    ev: ClassVar[str] = "device.fault_reported"
    kind: ClassVar[str] = "device"
    what: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Serviced(Statement):
    """A recorder was looked after (保养) or mended; reported faults are settled by it."""

    ev: ClassVar[str] = "device.serviced"
    kind: ClassVar[str] = "device"
    what: str


# --- when and where --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TripBegun(Statement):
    """A person is away with a recorder, on one of the pack's grounds (连续工作、异地执法、偏远交通不便)."""

    ev: ClassVar[str] = "trip.begun"
    kind: ClassVar[str] = "trip"
    person: str
    device: str
    ground: str
    out: datetime
    expected_back: datetime | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TripEnded(Statement):
    """He is back at the unit (返回单位): the away case's clock starts."""

    ev: ClassVar[str] = "trip.ended"
    kind: ClassVar[str] = "trip"
    back: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityEnded(Statement):
    """The day's enforcement activity with a recorder lasted from ``began`` to ``ended`` (当天执法活动结束)."""

    ev: ClassVar[str] = "activity.ended"
    kind: ClassVar[str] = "activity"
    person: str
    device: str
    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionGranted(Statement):
    """More time to offload what ``device`` recorded from ``since`` to ``until`` (经本单位负责人同意)."""

    ev: ClassVar[str] = "extension.granted"
    kind: ClassVar[str] = "extension"
    device: str
    since: datetime
    until: datetime
    reason: str


# --- explanations ----------------------------------------------------------------------------------------------------

Explained = Literal["late", "interruption", "not_recorded", "device_fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationGiven(Statement):
    """A person explains (书面说明): why it is late, why recording broke off, why nothing was recorded, what failed.

    ``reason`` is the id of one of the pack's reasons or grounds; ``spoken_in`` the record in which the reason of
    a break was spoken (语音说明), where it was; ``basis`` the rule that a not-recorded activity rests on; ``facts`` is
    what the station itself knows that bears on it, a line each: it is there unasked, and by itself excuses nothing.
    """

    ev: ClassVar[str] = "explanation.given"
    kind: ClassVar[str] = "explanation"
    what: Explained
    person: str
    device: str = ""
    records: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""
    text: str = ""
    basis: str = ""
    spoken: bool = False
    spoken_in: str = ""
    reported_to: str = ""
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationJudged(Statement):
    """Whoever signs such explanations (签批) accepted or refused it."""

    ev: ClassVar[str] = "explanation.judged"
    kind: ClassVar[str] = "explanation"
    accepted: bool
    note: str = ""


# --- holds and cases -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced(Statement):
    """Nothing that fits all that is named here expires or is erased, from now until it is lifted.

    ``records``, or any of person, place, device and a span of recording time; what is empty is not asked for.
    """

    ev: ClassVar[str] = "hold.placed"
    kind: ClassVar[str] = "hold"
    reason: str
    records: tuple[str, ...] = ()
    person: str = ""
    place: str = ""
    device: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLifted(Statement):
    """The reason for the hold no longer holds."""

    ev: ClassVar[str] = "hold.lifted"
    kind: ClassVar[str] = "hold"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened(Statement):
    """A case: its number is the matter's id. ``category`` is the case class (案件类别)."""

    ev: ClassVar[str] = "case.opened"
    kind: ClassVar[str] = "case"
    category: str = ""
    parties: tuple[str, ...] = ()
    handler: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStep(Statement):
    """A moment from which the case's archive clock counts: the inspection's end, or the closing (结案)."""

    ev: ClassVar[str] = "case.step"
    kind: ClassVar[str] = "case"
    step: Literal["inspection_ended", "case_closed"]
    moment: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseArchived(Statement):
    """Text and footage are together in the case file (形成案卷及时归档): ``files`` footage records are in it."""

    ev: ClassVar[str] = "case.archived"
    kind: ClassVar[str] = "case"
    file: str
    files: int


# --- viewing, copying, giving out ------------------------------------------------------------------------------------

AccessAct = Literal["view_inside", "view_outside", "copy", "provide", "publish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequested(Statement):
    """Somebody asks to see or have footage. ``chain`` are the roles that must agree, in order, by ``article``."""

    ev: ClassVar[str] = "access.requested"
    kind: ClassVar[str] = "access"
    act: AccessAct
    applicant: str
    reason: str
    records: tuple[str, ...]
    chain: tuple[str, ...]
    article: str
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessApproved(Statement):
    """The next of the chain agreed; with the last, it is granted."""

    ev: ClassVar[str] = "access.approved"
    kind: ClassVar[str] = "access"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRefused(Statement):
    """One of the chain refused; that is the end of the request."""

    ev: ClassVar[str] = "access.refused"
    kind: ClassVar[str] = "access"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessUsed(Statement):
    """The administrator lets it be seen or copied: the register's line (调阅人、复制人、审批人、时间、事由).

    In the ledger before the first byte is shown. ``copies`` counts what leaves; ``how`` says where to.
    """

    ev: ClassVar[str] = "access.used"
    kind: ClassVar[str] = "access"
    how: Literal["viewed", "copied", "exported"]
    who: str
    copies: int = 0
    note: str = ""


# --- supervision and the end of keeping ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDrawn(Statement):
    """A spot check (抽查): ``sample`` was drawn from ``population`` records by the published ``seed``.

    ``population_digest`` is SHA-256 over the sorted record ids of the population, a line each: anyone can draw again.
    """

    ev: ClassVar[str] = "check.drawn"
    kind: ClassVar[str] = "check"
    unit: str
    since: datetime
    until: datetime
    percent: int
    seed: str
    population: int
    population_digest: str
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJudged(Statement):
    """One of the sample was looked at: for each of the pack's points whether it is as it should be, and a remark."""

    ev: ClassVar[str] = "check.judged"
    kind: ClassVar[str] = "check"
    of: str
    points: tuple[tuple[str, bool], ...]
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSkipped(Statement):
    """One of the sample was not looked at, and why."""

    ev: ClassVar[str] = "check.skipped"
    kind: ClassVar[str] = "check"
    of: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryProposed(Statement):
    """These records may be destroyed in central storage: their keeping has ended and nothing holds them."""

    ev: ClassVar[str] = "expiry.proposed"
    kind: ClassVar[str] = "expiry"
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryApproved(Statement):
    """One of the two persons who must agree did; the program itself destroys nothing centrally."""

    ev: ClassVar[str] = "expiry.approved"
    kind: ClassVar[str] = "expiry"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperIssued(Statement):
    """A paper was made: which, about what, the SHA-256 of its text, and in how many copies."""

    ev: ClassVar[str] = "paper.issued"
    kind: ClassVar[str] = "paper"
    paper: str
    subject: str
    sha256: str
    copies: int = 1


# --- about a recording -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What people say a recording is; never in the original, always beside it.

    ``tags`` are ids of the pack, which decide how long it is kept and what bars an extension; the rest is the index
    (当事人、发生日期、发生地点、事件类型) and the class of activity. ``sensitive`` is ``secret`` or ``privacy``.
    """

    tags: frozenset[str] = frozenset()
    case: str = ""
    category: str = ""
    parties: tuple[str, ...] = ()
    place: str = ""
    event: str = ""
    activity: str = ""
    important: bool = False
    sensitive: Literal["", "secret", "privacy"] = ""
    unrelated: bool = False
    note: str = ""


NO_LABEL = Label()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged(Fact):
    """A person labelled a recording; the newest label replaces the one before, and both stay in the ledger."""

    ev: ClassVar[str] = "record.tagged"
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Excused(Fact):
    """Whoever may accept it accepted why this recording is late: ``explanation`` is the matter, ``why`` its words."""

    ev: ClassVar[str] = "record.excused"
    explanation: str
    why: str


STATED_OF_RECORDS: tuple[type[Fact], ...] = (Tagged, Excused)
STATEMENTS: tuple[type[Statement], ...] = (
    PersonEntered, PersonLeft, SignInSet, TeamEntered, HandedOver, DeviceRegistered, DeviceIssued, DeviceReturned,
    DeviceStateSet, FaultReported, Serviced, TripBegun, TripEnded, ActivityEnded, ExtensionGranted, ExplanationGiven,
    ExplanationJudged, HoldPlaced, HoldLifted, CaseOpened, CaseStep, CaseArchived, AccessRequested, AccessApproved,
    AccessRefused, AccessUsed, CheckDrawn, CheckJudged, CheckSkipped, ExpiryProposed, ExpiryApproved, PaperIssued,
)  # fmt: skip
