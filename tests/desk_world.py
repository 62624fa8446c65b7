"""What the stories of the desk share: a station, its people, and a clock in the test's hands."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bwcdock.core.facts import Actor, Drift, Obliged
from bwcdock.core.record import Record
from bwcdock.desk import Done, do
from bwcdock.desk.line import act_of
from bwcdock.errors import Misused
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed

CHINA = ZoneInfo("Asia/Shanghai")
DEVICE = "F1-0001"
ALL_CHECKED = ("clock", "battery", "storage", "works")

OFFICER, OTHER, KEEPER, HEAD, SECOND_HEAD = "002", "003", "001", "008", "009"


def china(text: str) -> datetime:
    """``2026-03-02 09:00`` on the wall in China."""
    return datetime.fromisoformat(text).replace(tzinfo=CHINA).astimezone(UTC)


class World:
    """A station under one pack, with an administrator, two officers and leaders in its register."""

    def __init__(
        self,
        directory: Path,
        rules: str,
        *,
        leaders: tuple[str, ...] = ("unit-head",),
        clock: VirtualClock | None = None,
        **more: Any,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.bed = StationBed(directory, clock=self.clock, rules=rules, **more)
        first = "keeper" if rules.startswith("S3") else "administrator"
        self.custodian = (KEEPER, first)
        with self.bed.bench() as bench:  # one opening for all of it: there is a world in every other test

            def enters(word: str, **said: Any) -> None:
                do(bench, act_of(word, said), Actor(name=KEEPER, role=first))

            enters("enter-person", person=KEEPER, name="王管理", roles=[first])
            enters("enter-team", team="T1", name="一中队", officers=5)
            for person, name, number in ((OFFICER, "李警官", "000002"), (OTHER, "赵警官", "000003")):
                enters("enter-person", person=person, name=name, roles=["officer"], user_numbers=[number])
            for person in (HEAD, SECOND_HEAD):
                enters("enter-person", person=person, name=f"领导{person}", roles=list(leaders))
            enters("register-device", device=DEVICE, team="T1", unit="unit")
        self.officer = (OFFICER, "officer")
        self.head = (HEAD, leaders[0])
        self.card = self.bed.recorder(DEVICE)

    # --- acts ---------------------------------------------------------------------------------------------------------

    def does(self, who: tuple[str, str], word: str, /, **said: Any) -> Done:
        """This person does this, in this role, now."""
        with self.bed.bench() as bench:
            return do(bench, act_of(word, said), Actor(name=who[0], role=who[1]))

    def is_refused(self, who: tuple[str, str], word: str, /, **said: Any) -> str:
        """He is refused in one sentence, and nothing was changed; the sentence."""
        before = len(self.bed.entries())
        with pytest.raises(Misused) as told:
            self.does(who, word, **said)
        assert len(self.bed.entries()) == before
        assert told.value.what
        assert told.value.hint
        return told.value.what

    def issued(self, to: str = OFFICER) -> Done:
        """The recorder is checked by hand and issued."""
        return self.does(self.custodian, "issue", device=DEVICE, to=to, checked=list(ALL_CHECKED))

    # --- recordings ---------------------------------------------------------------------------------------------------

    def records(self, path: str, start: datetime, *, minutes: int = 1) -> None:
        """The recorder records this, with a clock that is right."""
        end = start + timedelta(minutes=minutes)
        self.card.record(path, Random(path).randbytes(5000), start=start, modified=end)

    async def docks(self) -> None:
        """The recorder is docked, its clock measured, everything brought in and carried through, and taken away."""
        now = self.clock.now()
        self.card.drift = Drift(method="protocol", offset_ms=0, uncertainty_ms=0, read_at=now)
        async with self.bed.at_work():
            self.card.plug()
            await self.bed.until_settled(self.card)
            self.card.unplug()

    def record(self, path: str) -> Record:
        """The one record of this path."""
        return self.bed.record(path, DEVICE)

    def judgements(self, record: Record) -> list[str]:
        """The articles of all judgements of a recording, in order; all stay in the ledger."""
        return [fact.obligation.article for fact in self.bed.facts(Obliged, record=record.id)]

    def at(self, text: str) -> None:
        """Let time pass until the wall in China shows this."""
        self.clock.set(china(text))
