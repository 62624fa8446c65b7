"""What an act at the desk may look at while it is turned into statements: the ledger as it is, and who acts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from bwcdock.core import desk
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.matter import Matter
from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Actor
from bwcdock.core.record import Record
from bwcdock.core.refusal import Refusal, Value, because
from bwcdock.core.rulepack import Term
from bwcdock.errors import Misused
from bwcdock.ledger import Reader
from bwcdock.steps.bench import Bench

M = TypeVar("M", bound=Matter)

OP = "desk"
NOTHING_CHANGED = "Nothing was changed."
LOOK_HINT = "`bwcdock desk list` shows what there is; nothing was changed."
RECORDS_HINT = "`bwcdock records` shows their ids; nothing was changed."


def refused(code: str, what: str, hint: str = NOTHING_CHANGED, /, **values: Value) -> Misused:
    """The refusal of an act: its code, a sentence, what to do, and the values in the sentence."""
    return Misused(OP, because(code, what, **values), hint)


def refused_for(why: Refusal) -> Misused:
    """The refusal of an act for a reason that is judged elsewhere."""
    return Misused(OP, why, NOTHING_CHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One act's view of the world, at the moment its statements will carry."""

    bench: Bench
    ledger: Reader
    at: datetime
    actor: Actor

    def matter(self, shape: type[M], matter_id: str) -> M:
        """The matter with this id; refused where there is none."""
        found = self.ledger.matter(shape, matter_id)
        if found is None:
            kind = desk.SHAPES[shape]
            raise refused("matter.none", f"There is no {kind} {matter_id!r}.", LOOK_HINT, kind=kind, id=matter_id)
        return found

    def person(self, person_id: str) -> Person:
        """A person who works here."""
        person = self.matter(Person, person_id)
        if person.state != "active":
            what = f"{person.name} ({person.id}) does not work here any more."
            raise refused("person.left", what, person=person.id, name=person.name)
        return person

    def device(self, serial: str) -> Device:
        """A recorder of the register."""
        return self.matter(Device, serial)

    def record(self, record_id: str) -> Record:
        """A recording by its id, or by the beginning of it where only one begins so."""
        found = self.ledger.record(record_id)
        if found is not None:
            return found
        alike = self.ledger.beginning(record_id) if len(record_id) >= 8 else []
        if not alike:
            raise refused("record.none", f"There is no recording {record_id!r}.", RECORDS_HINT, id=record_id)
        if len(alike) > 1:
            raise refused("record.several", f"Several recordings begin {record_id!r}.", RECORDS_HINT, id=record_id)
        return alike[0]

    def records(self, ids: Iterable[str]) -> list[Record]:
        """These recordings, each once."""
        found = [self.record(each) for each in ids]
        return list({record.id: record for record in found}.values())

    def term(self, what: str, given: str, known: Iterable[Term]) -> str:
        """``given`` if it is one of the pack's words for this; refused with all of them where not."""
        known = tuple(known)
        if given not in {term.id for term in known}:
            words = ", ".join(f"{term.id} ({term.label})" for term in known) or "none"
            raise refused(
                "term.unknown",
                f"{self.bench.pack.name} knows no {what} {given!r}.",
                f"It has: {words}. Nothing was changed.",
                pack=self.bench.pack.name,
                term=what,
                given=given,
                known="、".join(term.label for term in known),
            )
        return given

    def new_id(self, shape: type[Matter]) -> str:
        """The id of the next matter of a sort that has no name of its own."""
        return f"{desk.SHAPES[shape]}-{self.ledger.how_many(shape) + 1}"
