"""A station at work for weeks, told to its ledger fact by fact: what the pages of the desk are looked at with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bwcdock.core.checks import Limits, assess
from bwcdock.core.facts import (
    Actor,
    Arrived,
    Checked,
    Claim,
    Condition,
    Confirmed,
    Corrected,
    Departed,
    Digests,
    Drained,
    Drift,
    Fact,
    Finding,
    Found,
    Identified,
    Identity,
    Inventoried,
    Item,
    Kind,
    Listed,
    MediaFacts,
    Obliged,
    Pulled,
    Quarantined,
    Sealed,
    Severity,
    Sighting,
)
from bwcdock.core.names import record_id
from bwcdock.desk import do
from bwcdock.desk.line import act_of
from bwcdock.steps.bench import Bench
from bwcdock.steps.law import obligation_of, stated
from desk_world import ALL_CHECKED, HEAD, KEEPER, OFFICER, OTHER, World, china

GIB = 1 << 30
SERIALS = tuple(f"DSJ-{number:04d}" for number in range(1, 11))
KEEPER_IN, HEAD_IN = (KEEPER, "administrator"), (HEAD, "unit-head")
HOSTILE = '<script>alert("x")</script>&"\'' + "长" * 460


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One recording to be told of: when, and how far it came (``listed``, ``sealed``, ``confirmed``, ``apart``)."""

    start: datetime
    minutes: int = 12
    far: str = "confirmed"
    user: str = ""
    late_s: float = 0.0


class Teller:
    """Tells the ledger of an open bench what a docking would have told."""

    def __init__(self, world: World, bench: Bench) -> None:
        self.world = world
        self.bench = bench
        self.chance = Random(7)
        self.docked = 0

    def does(self, who: tuple[str, str], word: str, /, **said: Any) -> None:
        """This person does this now."""
        do(self.bench, act_of(word, said), Actor(name=who[0], role=who[1]))

    def at(self, moment: datetime) -> None:
        """Let time pass until then."""
        self.world.clock.set(max(moment, self.world.clock.now()))

    def tell(self, *facts: Fact) -> None:
        """The station proves this now."""
        self.bench.book.record(facts)

    def docks(
        self, serial: str, made: list[Made], *, condition: Condition, slot: int = 1, leaves: bool = True
    ) -> list[str]:
        """A docking with these recordings; the ids of them."""
        self.docked += 1
        session = f"{self.docked:024x}"
        clock, about = self.world.clock, {"session": f"{self.docked:024x}", "recorder": serial}
        identity = Identity(serial=serial, basis="protocol", vendor="示例", model="DSJ-A1")
        self.tell(
            Arrived(session=session, sighting=Sighting(port=f"usb-{slot}", source="/dev/null", slot=slot)),
            Identified(**about, driver="folder", identity=identity),
            Checked(**about, condition=condition, findings=assess(identity, condition, Limits(), clock.now())),
        )
        told = [self._listed(serial, session, each) for each in made]
        ids = tuple(facts[0].record for facts in told)
        size = sum(facts[0].item.size for facts in told if isinstance(facts[0], Listed))
        self.tell(
            *(fact for facts in told for fact in facts[:2]),
            Inventoried(**about, records=ids, new=len(ids), known=0, size=size, findings=()),
        )
        clock.advance(60)
        for each, facts in zip(made, told, strict=True):
            clock.advance(each.late_s)
            self.tell(*facts[2:])
        if all(each.far in {"sealed", "confirmed"} for each in made):
            self.tell(Drained(**about, sealed=len(ids), quarantined=0))
        if leaves:
            clock.advance(300)
            self.tell(Departed(**about, reason="taken"))
        return list(ids)

    def _listed(self, serial: str, session: str, each: Made) -> list[Fact]:
        end = each.start + timedelta(minutes=each.minutes)
        item = Item(
            path=f"DCIM/100MEDIA/{serial}_{each.user or '000000'}_{each.start:%Y%m%d%H%M%S}_0001.MP4",
            size=each.minutes * 41_000_000,
            modified=end,
            claim=Claim(start=each.start, end=end, source="name", zone="+08:00", text=f"{each.start:%Y%m%d%H%M%S}"),
            kind=Kind.VIDEO,
            officer=each.user,
        )
        about = {"record": record_id(serial, item), "session": session, "recorder": serial}
        corrected = Corrected(start=each.start, end=end, method="protocol", offset_ms=1400, uncertainty_ms=600)
        now = self.world.clock.now()
        owed, _ = obligation_of(
            self.bench, serial, corrected, now, told=stated(self.bench.book.ask(lambda x: x), serial)
        )
        digest = Digests(sha256=self.chance.randbytes(32).hex(), blake3=self.chance.randbytes(32).hex())
        media = MediaFacts(container="mp4", duration_ms=each.minutes * 60_000, encoder="DSJ-A1")
        facts: list[Fact] = [
            Listed(**about, item=item, corrected=corrected, drift=drift(1.4, 0.6, now)),
            Obliged(record=about["record"], recorder=serial, obligation=owed),
        ]
        if each.far == "apart":
            what, hint = "Bytes in the middle cannot be read.", "Keep the recorder and call the custodian."
            return [*facts, Quarantined(**about, reason="unreadable", what=what, hint=hint)]
        if each.far in {"sealed", "confirmed"}:
            facts += [
                Pulled(**about, size=item.size, digests=digest, edges="0" * 64),
                Sealed(**about, size=item.size, digests=digest, readback="direct", media=media, corrected=corrected),
            ]
        if each.far == "confirmed":
            key = f"unit/{each.start:%Y%m%d}/{serial}/{about['record'][:8]}.mp4"
            facts.append(
                Confirmed(
                    **about, sink="central", key=key, version="", digests=digest, readback="direct", manifest="0" * 64
                )
            )
        return facts


def drift(offset_s: float, uncertainty_s: float, at: datetime, *, bound: str = "exact") -> Drift:
    """A reading of a recorder's clock."""
    return Drift(
        method="protocol", offset_ms=int(offset_s * 1000), uncertainty_ms=int(uncertainty_s * 1000), read_at=at,
        bound=bound,  # type: ignore[arg-type]
    )  # fmt: skip


def condition(teller: Teller, day: int, number: int) -> Condition:
    """How recorder ``number`` is on that day: its clock runs off until it is set, its battery wears."""
    chance, now = teller.chance, teller.world.clock.now()
    offset = (day % 20) * (0.15 + 0.5 * (number % 4 == 3)) * (4 if number == 3 else 1) + chance.random()
    known = chance.random() > 0.07
    return Condition(
        battery=None if number == 5 else max(9, 92 - day // 3 * (1 + (number == 2) * 2) - chance.randrange(12)),
        storage_free=int((52 - chance.randrange(14)) * GIB),
        storage_total=64 * GIB,
        drift=drift(offset, 0.4 + chance.random(), now) if known else None,
        dirty=False,
    )


def tell_of_weeks(world: World, *, days: int = 45) -> list[str]:
    """Weeks of ten recorders: people, issues and returns, dockings, what is late, apart, labelled, asked for, held."""
    start = china("2026-03-02 09:05")
    everything: list[str] = []
    with telling(world) as teller:
        _register(teller)
        for day in range(days):
            everything += _day(teller, start + timedelta(days=day), day)
        _today(teller, start + timedelta(days=days), everything)
    return everything


@contextmanager
def telling(world: World) -> Iterator[Teller]:
    """A teller for this world's ledger, with a signed head at the end."""
    with world.bed.bench() as bench:
        yield Teller(world, bench)
        bench.book.ask(lambda ledger: ledger.checkpoint())


def _register(teller: Teller) -> None:
    teller.does(KEEPER_IN, "enter-team", team="T2", name="二中队", officers=9, unit="unit")
    for number, name in enumerate(("周警官", "吴警官", "郑警官"), 4):
        said = {"person": f"{number:03d}", "name": name, "roles": ["officer"], "team": "T2", "unit": "unit"}
        teller.does(KEEPER_IN, "enter-person", **said, certificate=f"闽A{number:06d}", user_numbers=[f"{number:06d}"])
    for number, serial in enumerate(SERIALS):
        team = f"T{number % 2 + 1}"
        teller.does(KEEPER_IN, "register-device", device=serial, team=team, unit="unit", model="DSJ-A1")


def _day(teller: Teller, morning: datetime, day: int) -> list[str]:
    ids: list[str] = []
    teller.at(morning)
    out = [serial for number, serial in enumerate(SERIALS[:6]) if (day + number) % 3 == 0]
    people = (OFFICER, OTHER, "004", "005", "006")
    for number, serial in enumerate(out):
        to = people[(day + number) % len(people)]
        teller.does(KEEPER_IN, "issue", device=serial, to=to, checked=list(ALL_CHECKED))
    for number, serial in enumerate(out):
        teller.at(morning + timedelta(hours=8, minutes=12 * number))
        made = [
            Made(start=morning + timedelta(hours=1 + 2 * n, minutes=7 * number), minutes=5 + (day + n) % 20)
            for n in range(2)
        ]
        late = day % 11 == 5 and number == 0
        if late:
            made = [Made(start=each.start - timedelta(days=3), minutes=each.minutes) for each in made]
        ids += teller.docks(serial, made, condition=condition(teller, day, SERIALS.index(serial)), slot=number + 1)
        teller.does(KEEPER_IN, "return", device=serial, note="" if day % 5 else "外壳有划痕")
    return ids


def _today(teller: Teller, morning: datetime, known: list[str]) -> None:
    """What is open on the day the pages are looked at."""
    teller.at(morning)
    for serial, to in zip(SERIALS[:3], (OFFICER, OTHER, "004"), strict=True):
        back = morning + timedelta(hours=9)
        teller.does(KEEPER_IN, "issue", device=serial, to=to, checked=list(ALL_CHECKED), expected_back=back)
    teller.does((OFFICER, "officer"), "report-fault", device=SERIALS[0], what="按键失灵，录像时有时无")
    teller.does(KEEPER_IN, "set-device", device=SERIALS[9], state="repair", reason="屏幕损坏，送厂家维修")
    _labels(teller, known)
    fine = Condition(battery=96, storage_free=58 * GIB, storage_total=64 * GIB, drift=drift(0.4, 0.5, morning))
    weak = Condition(battery=12, storage_free=4 * GIB, storage_total=64 * GIB, drift=drift(95, 1, morning))
    teller.at(morning + timedelta(minutes=30))
    yesterday = morning - timedelta(hours=20)
    teller.docks(SERIALS[3], [Made(start=yesterday, user="000002")], condition=fine, slot=1, leaves=False)
    teller.docks(SERIALS[4], [Made(start=yesterday, far="sealed")], condition=weak, slot=2, leaves=False)
    teller.docks(SERIALS[5], [], condition=fine, slot=3, leaves=False)
    owed = [
        Made(start=morning - timedelta(hours=hours), far="listed", user="000002", minutes=9) for hours in (2, 7, 19, 23)
    ]
    apart = [
        Made(start=morning - timedelta(hours=30), far="apart"),
        Made(start=morning - timedelta(hours=40), far="listed"),
    ]
    teller.docks(SERIALS[6], owed, condition=fine, slot=4)
    broken, *_ = teller.docks(SERIALS[7], apart, condition=weak, slot=5)
    finding = Finding(
        severity=Severity.WARN, code="media.truncated", what="The recording was not closed.",
        remedy="Ask the officer why it broke off.",
    )  # fmt: skip
    teller.tell(Found(record=broken, recorder=SERIALS[7], finding=finding))
    teller.at(morning + timedelta(hours=2))


def _labels(teller: Teller, known: list[str]) -> None:
    labels = (
        {"place": "五一路与古田路口", "event": "占道经营", "parties": ["张三"], "tags": ["guidance-only"]},
        {"place": "东街口天桥", "event": "违法建设", "parties": ["李四", "王五"], "case": "榕城罚[2026]0001号"},
        {"place": "仓山区渣土场", "event": "渣土运输", "category": "行政处罚", "sensitive": "privacy"},
    )
    teller.does(
        (OFFICER, "officer"),
        "open-case",
        case="榕城罚[2026]0001号",
        category="行政处罚",
        parties=["赵六"],
        handler=OFFICER,
    )
    for number, rid in enumerate(known[::2]):
        teller.does((OTHER, "officer"), "tag", records=[rid], **labels[number % 3])
    teller.does((OFFICER, "officer"), "tag", records=[known[-1]], note=HOSTILE, place="<b>" + "地" * 90)
    teller.does(
        (OFFICER, "officer"),
        "request-access",
        access="view_inside",
        applicant="法制科 陈某",
        reason="复议案件需要",
        records=known[-3:],
    )
    teller.does(KEEPER_IN, "hold", reason="投诉处理中", records=known[-2:])
    late, *_ = teller.bench.book.ask(lambda ledger: ledger.late_unexcused(teller.world.clock.now(), 1))
    why = "当日连续执勤至次日，返回后即移交。"
    teller.does((OFFICER, "officer"), "explain", what="late", person=OFFICER, records=[late.id], text=why)
    teller.does(KEEPER_IN, "hand-over", giver=OTHER, taker="004")
