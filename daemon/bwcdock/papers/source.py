"""What the builder of a paper may ask: the ledger, the rule pack, and how this station is called."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bwcdock.core.desk.people import roles_of
from bwcdock.core.facts import Beat, Entry, Started
from bwcdock.core.record import Record
from bwcdock.core.refusal import because
from bwcdock.core.rulepack import Ruled, RulePack, Sheet
from bwcdock.errors import Misused
from bwcdock.ledger import Checkpoint, Reader
from bwcdock.papers.model import Field, Fields, Proof, Rule

PAGE = 200
"""Entries looked through at a time for the word on the station's clock: there is one in every ten quiet minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asked for: ``subjects`` after the kind, ``fields`` filled in by hand, by the paper's own labels.

    Where ``only`` is not empty the paper tells of no other recordings than these: what is handed to an outsider names
    nobody else's. ``handed`` says of the package a paper lies in to whom it goes, and by whose leave.
    """

    subjects: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    only: frozenset[str] = frozenset()
    handed: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Everything a paper is made from. ``now`` is when it is made, ``receipts`` where the signed receipts lie.

    ``head`` is the signed head that footnotes name; without it the newest there is.
    """

    ledger: Reader
    pack: RulePack
    station: str
    unit: str
    zone: str
    now: datetime
    receipts: Path
    head: Checkpoint | None = None

    @property
    def local_now(self) -> datetime:
        """The moment of making in the station's zone."""
        return self.now.astimezone(ZoneInfo(self.zone))

    def record(self, named: str) -> Record:
        """The one record whose id begins so."""
        found = self.ledger.beginning(named) if named else []
        if len(found) == 1:
            return found[0]
        hint = "`bwcdock records` shows them."
        if found:
            why = because("record.several", f"Several recordings begin with {named}.", id=named)
            raise Misused("paper", why, f"Say more of it; {hint}")
        if not named:
            raise Misused("paper", because("paper.no-recording", "No recording is named."), hint)
        raise Misused("paper", because("record.none", f"There is no recording {named}.", id=named), hint)

    def rules(self, *ruled: Ruled) -> tuple[Rule, ...]:
        """Rules of the pack, as a paper cites them."""
        return tuple(dict.fromkeys(_rule(self.pack.title, each) for each in ruled))

    def proof(self, entries: Iterable[int], rules: Iterable[Rule]) -> Proof:
        """The footnote: these entries under the newest signed head, serving these rules."""
        newest = self.ledger.last_head()
        head = self.head or (newest.checkpoint if newest else None)
        return Proof(
            origin=self.ledger.origin,
            entries=tuple(sorted(set(entries))),
            head_size=head.size if head else 0,
            head_root=head.root.hex() if head else "",
            rules=tuple(dict.fromkeys(rules)),
        )

    def roles(self, ids: Iterable[str]) -> tuple[str, ...]:
        """The words of the regulation, and of the house, for these roles."""
        labels = {term.id: term.label for term in roles_of(self.pack)}
        return tuple(labels.get(role, role) for role in ids)

    def sheets(self, *ids: str) -> tuple[Sheet, ...]:
        """The sheets of the pack with these ids, in the pack's order."""
        return tuple(sheet for sheet in self.pack.sheets if sheet.id in ids)

    def station_clock(self, seq: int) -> tuple[str, int | None]:
        """The last word on the station's clock up to entry ``seq``, and the entry it stands in."""
        end = seq + 1
        while end > 0:
            page = list(self.ledger.entries(max(0, end - PAGE), end))
            for entry in reversed(page):
                if isinstance(entry.fact, Started | Beat):
                    return entry.fact.clock, entry.seq
            end -= PAGE
        return "", None


def _rule(title: str, ruled: Ruled) -> Rule:
    return Rule(regulation=title, article=ruled.article, quote=ruled.quote)


def given(labels: Iterable[str], asked: Asked) -> dict[str, str]:
    """What was filled in by hand; ``Misused`` where a field is none of this paper's."""
    known = list(dict.fromkeys(labels))
    for label in asked.fields:
        if label not in known:
            why = because("paper.no-field", f"This paper has no field {label}.", label=label)
            raise Misused("paper", why, f"It has: {'、'.join(known)}.")
    return dict(asked.fields)


def filled(label: str, values: Mapping[str, str], known: Field | None = None) -> Field:
    """A field by what was given for it by hand, else by what the ledger knows, else empty."""
    if label in values:
        return Field(label=label, value=values[label])
    return known or Field(label=label)


def handed_over(asked: Asked) -> tuple[Fields, ...]:
    """The block that says of a package to whom it goes; none where the paper lies in no package."""
    return (Fields(title="交付情况", rows=asked.handed),) if asked.handed else ()


def seqs(history: Iterable[Entry], *evs: str) -> list[int]:
    """The numbers of the entries of these kinds."""
    return [entry.seq for entry in history if entry.fact.ev in evs]
