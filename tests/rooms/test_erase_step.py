"""From permits to outcomes: the ledger says what became of each file, also when the helper dies, lies or stops."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from bwcdock.core.facts import (
    Confirmed,
    CopyBad,
    Erased,
    EraseIntended,
    EraseKept,
    LookedAgain,
    Reformatted,
    Released,
)
from bwcdock.core.record import Record
from bwcdock.core.session import Session
from bwcdock.erase_helper.serve import serve
from bwcdock.erasing import ORDER_NAME, SOCKET_NAME, Order
from bwcdock.ledger import Signer
from bwcdock.reading import Buffers
from bwcdock.steps import erase as step
from bwcdock.steps.bench import Bench
from bwcdock.steps.card_helper import is_card
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed
from erase_world import DEVICE, Machine

SERIAL = "F1-0001"
PATHS = ("DCIM/a.mp4", "DCIM/b.mp4", "DCIM/c.mp4")
ON = {"erase": {"enabled": True, "after_days": 30, "reformat": True, "timeout_s": 10}}
BY = ("张三", "李四")


def content(path: str) -> bytes:
    return Random(path).randbytes(20_000)


class World:
    """A station that brought in three recordings a while ago, the recorder docked again, and a helper beside it.

    ``helper`` answers each connection; unless changed it is the real one on the card's directory.
    """

    def __init__(self, directory: Path, overrides: dict[str, dict[str, object]]) -> None:
        self.clock = VirtualClock()
        self.bed = StationBed(directory, overrides, clock=self.clock)
        self.recorder = self.bed.recorder(SERIAL)
        keys = self.bed.settings.paths.keys
        self.machine = Machine(card=directory / "card", key=(keys / "station.pub").read_text().strip())
        self.helper: Callable[[socket.socket], object] = self.honest
        self.session: Session
        for path in PATHS:
            self.recorder.record(path, content(path))
            place = self.machine.card / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content(path))

    async def brought(self) -> None:
        """Everything is in central storage, was looked at again, and has been there for long enough."""
        async with self.bed.at_work():
            self.recorder.plug()
            await self.bed.until_settled(self.recorder)
            self.clock.advance(timedelta(days=2))
            await self.bed.until(lambda: self.clock.advance(60) or len(self.bed.facts(LookedAgain)) == 3)
        self.clock.advance(timedelta(days=31))
        await self.docked()

    async def docked(self) -> None:
        """Dock the recorder, whose files are those of the card now."""
        for path in list(self.recorder.files):
            place = self.machine.card / path
            if not place.exists():
                self.recorder.delete(path)
            elif place.read_bytes() != bytes(self.recorder.files[path].data):
                self.recorder.replace(path, place.read_bytes())
        self.clock.advance(1)  # a docking's name is made of its moment
        before = len(self.bed.sessions())
        async with self.bed.at_work():
            self.recorder.plug()
            await self.bed.until(lambda: (s := self.bed.sessions()) and len(s) > before and s[0].was_drained)
        sighting = replace(
            self.bed.sessions()[0].sighting,
            source=DEVICE,
            slot=3,
            properties=(("DISKSEQ", "17"), ("SUBSYSTEM", "block")),
        )
        self.session = replace(self.bed.sessions()[0], sighting=sighting)

    def honest(self, connection: socket.socket) -> None:
        serve(connection, self.machine, monotonic=monotonic, note=lambda _: None)

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        """What the station works with, once its rounds have carried the heads to central storage."""
        with self.bed.bench() as bench:
            for witness in bench.witnesses.values():
                witness.bring()
            yield bench

    def run(self) -> tuple[str, ...]:
        """What the station does with a docking that is drained."""
        with self.bench() as bench, self._listening(bench.settings.paths.run / SOCKET_NAME):
            doubtful = [record.id for record in self.bed.records() if record.erasing]
            with self.bed.driver.open(self.recorder.sighting()) as opened:  # type: ignore[arg-type]
                looked = step.look(bench, self.session, opened, Buffers(1), doubtful)
            return step.erase(bench, self.session, looked, step.order(bench, self.session))

    def _listening(self, path: Path):
        @contextmanager
        def listening() -> Iterator[None]:
            server = socket.socket(socket.AF_UNIX)
            server.bind(str(path))
            server.listen()

            def work() -> None:
                with suppress(OSError):
                    while True:
                        connection, _ = server.accept()
                        with connection, suppress(BrokenPipeError):
                            self.helper(connection)

            thread = threading.Thread(target=work)
            thread.start()
            try:
                yield
            finally:
                server.shutdown(socket.SHUT_RDWR)
                server.close()
                thread.join()
                path.unlink()

        return listening()

    def order(self, *by: str, **changes: object) -> None:
        at = int(self.clock.now().timestamp() * 1000)
        given = Order.model_validate({"slot": 3, "by": by, "asked_ms": at} | changes)
        (self.bed.settings.paths.run / ORDER_NAME).write_text(given.model_dump_json())

    @property
    def left(self) -> list[str]:
        return sorted(p.relative_to(self.machine.card).as_posix() for p in self.machine.card.rglob("*") if p.is_file())

    def kept(self) -> list[str]:
        return [fact.reason for fact in self.bed.facts(EraseKept)]

    def how(self) -> list[str]:
        return [fact.how for fact in self.bed.facts(Erased)]

    def open(self) -> list[Record]:
        return [record for record in self.bed.records() if record.erasing]


@pytest.fixture
async def world(tmp_path: Path) -> World:
    made = World(tmp_path, ON)
    await made.brought()
    return made


# --- as it should go --------------------------------------------------------------------------------------------------


async def test_what_has_a_permit_goes_and_every_step_is_in_the_ledger(world: World) -> None:
    touched = world.run()
    assert world.left == []
    assert len(touched) == 3
    told = [e.fact for e in world.bed.entries() if isinstance(e.fact, EraseIntended | Erased)]
    assert [type(fact) for fact in told] == [EraseIntended] * 3 + [Erased] * 3
    assert "central" in told[0].ground  # type: ignore[union-attr]
    assert world.how() == ["reported"] * 3
    for record in world.bed.records():
        assert record.copies >= {"central"}
        assert record.erased_at is not None
    assert world.bed.findings("erase.kept") == []
    world.bed.must_agree()
    await world.docked()
    assert world.run() == ()  # nothing is left to be done
    world.bed.must_agree()


async def test_nothing_is_asked_for_where_it_is_off(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    await world.brought()
    assert world.run() == ()
    assert len(world.left) == 3
    assert not world.bed.facts(EraseIntended)


async def test_what_is_too_young_stays(tmp_path: Path) -> None:
    world = World(tmp_path, {"erase": {**ON["erase"], "after_days": 365}})
    await world.brought()
    assert world.run() == ()
    assert not world.bed.facts(EraseIntended)


async def test_nothing_is_asked_for_before_central_storage_is_known_to_have_seen_the_confirmations(
    world: World,
) -> None:
    with world.bed.bench() as bench, world._listening(bench.settings.paths.run / SOCKET_NAME):
        with world.bed.driver.open(world.recorder.sighting()) as opened:  # type: ignore[arg-type]
            looked = step.look(bench, world.session, opened, Buffers(1), ())
        assert step.erase(bench, world.session, looked) == ()  # since the start, nobody has asked central storage
        for witness in bench.witnesses.values():
            witness.bring()
        assert len(step.erase(bench, world.session, looked)) == 3


async def test_a_batch_is_asked_for_with_permits_of_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two requests a central copy was found bad: that recording stays."""
    monkeypatch.setattr(step, "BATCH", 1)
    victim = world.bed.record(PATHS[2]).id

    def helper(connection: socket.socket) -> None:
        world.honest(connection)

    with world.bench() as bench, world._listening(bench.settings.paths.run / SOCKET_NAME):
        with world.bed.driver.open(world.recorder.sighting()) as opened:  # type: ignore[arg-type]
            looked = step.look(bench, world.session, opened, Buffers(1), ())
        assert looked.records[2] == victim

        def doubts(connection: socket.socket) -> None:
            bench.book.record([CopyBad(record=victim, place="central", what="It holds other bytes.")])
            world.helper = helper
            helper(connection)

        world.helper = doubts
        step.erase(bench, world.session, looked)
    assert world.left == [PATHS[2]]
    assert len(world.bed.facts(EraseIntended)) == 2


async def test_more_than_fits_one_request_is_several(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "REQUEST_MAX", 1000)
    world.run()
    assert world.left == []
    ids = [(type(e.fact), e.fact.record) for e in world.bed.entries() if isinstance(e.fact, EraseIntended | Erased)]
    assert [kind for kind, _ in ids] == [EraseIntended, Erased] * 3


# --- the card is otherwise --------------------------------------------------------------------------------------------


async def test_a_card_that_changed_in_between_keeps_what_changed(world: World) -> None:
    """Between the listing and the mount: same name, same size, other bytes; and one that is gone."""

    def meanwhile() -> None:
        (world.machine.card / PATHS[0]).write_bytes(content("other"))
        (world.machine.card / PATHS[1]).unlink()

    world.machine.meanwhile = meanwhile
    world.run()
    assert world.left == [PATHS[0]]
    assert sorted(world.kept()) == ["differs", "missing"]
    (finding,) = world.bed.findings("erase.kept")
    assert {path for path, _ in finding.evidence} == set(PATHS[:2])
    assert world.open() == []
    world.bed.must_agree()


async def test_the_same_name_with_other_content_is_another_recording(world: World) -> None:
    """Recorded after the docking before: it is brought in anew, is too young, and stays."""
    (world.machine.card / PATHS[0]).write_bytes(content("other"))
    await world.docked()
    world.run()
    assert world.left == [PATHS[0]]
    assert len(world.bed.records()) == 4
    assert len(world.bed.facts(EraseIntended)) == len(world.bed.facts(Erased)) == 2
    world.bed.must_agree()


async def test_what_cannot_be_compared_is_not_asked_for(world: World) -> None:
    from bwcdock.core.facts import Span

    world.recorder.spoil(PATHS[0], Span(offset=0, length=100))
    world.run()
    assert world.left == [PATHS[0]]


# --- the helper fails -------------------------------------------------------------------------------------------------


async def test_without_a_helper_nothing_is_intended(world: World) -> None:
    with world.bench() as bench, world.bed.driver.open(world.recorder.sighting()) as opened:  # type: ignore[arg-type]
        looked = step.look(bench, world.session, opened, Buffers(1), ())
        assert step.erase(bench, world.session, looked) == ()
    assert not world.bed.facts(EraseIntended)
    (finding,) = world.bed.findings("erase.kept")
    assert "bwcdock-erase.socket" in finding.evidence[0][1]


async def test_dead_before_the_act_is_undone_at_the_next_docking(world: World) -> None:
    world.helper = lambda connection: connection.recv(10)
    world.run()
    assert len(world.open()) == 3
    assert world.left == list(PATHS)
    world.bed.must_agree()
    await world.docked()
    world.helper = world.honest
    world.run()
    assert world.kept() == ["interrupted"] * 3
    assert world.how() == ["reported"] * 3
    assert world.left == []
    world.bed.must_agree()


async def test_dead_after_the_act_is_finished_at_the_next_docking(world: World) -> None:
    def dies(connection: socket.socket) -> None:
        connection.recv(10)
        for path in PATHS[:2]:
            (world.machine.card / path).unlink()
        connection.sendall(b'{"n":0,"outcome":"erased"}\n')

    world.helper = dies
    world.run()
    assert len(world.open()) == 3
    assert world.how() == []
    await world.docked()
    world.helper = world.honest
    world.run()
    assert world.how() == ["gone", "gone", "reported"]
    assert world.kept() == ["interrupted"]
    assert world.open() == []
    world.bed.must_agree()


async def test_a_station_that_died_after_its_intents_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Death(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Death

    monkeypatch.setattr(step, "answered", dies)
    with pytest.raises(Death):
        world.run()
    monkeypatch.undo()
    assert len(world.open()) == 3
    world.bed.must_agree()
    await world.docked()
    world.run()
    assert (world.left, world.open()) == ([], [])
    world.bed.must_agree()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}\n",
        b"\xff\n",
        b"x" * 10_000,
        b'{"n":3,"outcome":"erased"}\n{"end":"done"}\n',
        b'{"n":-1,"outcome":"erased"}\n{"end":"done"}\n',
        b'{"n":0,"outcome":"erased"}\n{"n":0,"outcome":"erased"}\n{"end":"done"}\n',
        b'{"n":0,"outcome":"erased"}\n' * 2
        + b'{"n":1,"outcome":"erased"}\n{"n":2,"outcome":"erased"}\n{"end":"done"}\n',
        b'{"n":0,"outcome":"erased"}\n{"end":"done"}\n',
        b'{"n":0,"outcome":"gone"}\n{"end":"done"}\n',
        b'{"n":0,"outcome":"erased"}\n{"end":"broken","what":"The card failed."}\n',
    ],
)
async def test_what_is_no_proper_answer_proves_nothing(world: World, answer: bytes) -> None:
    def odd(connection: socket.socket) -> None:
        while not connection.recv(1 << 16).endswith(b"\n"):
            pass
        connection.sendall(answer)

    world.helper = odd
    world.run()
    assert (world.how(), world.kept()) == ([], [])
    assert len(world.open()) == 3
    assert world.bed.findings("erase.kept")
    world.bed.must_agree()


def answers(*lines: dict[str, object]) -> Callable[[socket.socket], object]:
    def helper(connection: socket.socket) -> None:
        while not connection.recv(1 << 16).endswith(b"\n"):
            pass
        connection.sendall(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    return helper


async def test_a_helper_that_stopped_in_time_is_believed(world: World) -> None:
    world.helper = answers({"n": 0, "outcome": "erased"}, {"end": "stopped", "what": "Time is up."})
    world.run()
    assert (world.how(), world.kept()) == (["reported"], ["not-reached"] * 2)
    assert world.open() == []


async def test_a_helper_that_refused_is_believed(world: World) -> None:
    world.machine.diskseq = 99
    world.run()
    assert (world.how(), world.kept()) == ([], ["refused"] * 3)
    assert world.left == list(PATHS)


async def test_a_lie_is_found_out_at_the_next_docking(world: World) -> None:
    world.helper = answers(*({"n": n, "outcome": "erased"} for n in range(3)), {"end": "done"})
    world.run()
    assert world.how() == ["reported"] * 3
    assert world.bed.findings("erase.untrue") == []
    await world.docked()
    world.helper = world.honest
    world.run()
    (finding,) = world.bed.findings("erase.untrue")
    assert len(finding.evidence) == 3
    assert world.left == []
    world.bed.must_agree()


async def test_a_helper_that_is_silent_is_left(tmp_path: Path) -> None:
    world = World(tmp_path, {"erase": {**ON["erase"], "timeout_s": 0.2}})
    await world.brought()
    done = threading.Event()
    world.helper = lambda connection: done.wait(5)
    with world.bench() as bench, world._listening(bench.settings.paths.run / SOCKET_NAME):
        with world.bed.driver.open(world.recorder.sighting()) as opened:  # type: ignore[arg-type]
            looked = step.look(bench, world.session, opened, Buffers(1), ())
        start = monotonic()
        step.erase(bench, world.session, looked)
        assert monotonic() - start < 4
        done.set()
    assert len(world.open()) == 3


async def test_a_release_in_between_is_no_hindrance(world: World) -> None:
    """The spool's copy goes by its own rule, while the recorder's file is in doubt."""
    world.helper = lambda connection: connection.recv(10)
    world.run()
    async with world.bed.at_work():
        # Only under a head that central storage has seen.
        clock = world.clock
        await world.bed.until(lambda: clock.advance(60) or len(world.bed.facts(Released)) == 3)
    assert len(world.open()) == 3
    world.bed.must_agree()


# --- formatting -------------------------------------------------------------------------------------------------------


async def test_an_order_of_two_persons_formats_the_card(world: World) -> None:
    world.order(*BY)
    world.run()
    assert (world.machine.formatted, world.left) == (1, [])
    (fact,) = world.bed.facts(Reformatted)
    assert (fact.by, fact.kind, fact.files, fact.recorder) == (BY, "fat32", 3, SERIAL)
    assert all("张三 and 李四" in intent.ground for intent in world.bed.facts(EraseIntended))
    assert world.how() == ["reported"] * 3
    assert not (world.bed.settings.paths.run / ORDER_NAME).exists()
    world.bed.must_agree()


@pytest.mark.parametrize(
    ("changes", "followed"),
    [({"slot": 4}, False), ({"slot": None, "recorder": "OTHER"}, False), ({"slot": None, "recorder": SERIAL}, True)],
)
async def test_an_order_is_for_one_card(world: World, changes: dict[str, object], followed: bool) -> None:
    world.order(*BY, **changes)
    world.run()
    assert world.machine.formatted == followed
    assert (world.bed.settings.paths.run / ORDER_NAME).exists() != followed


async def test_an_old_order_is_dropped(world: World) -> None:
    world.order(*BY)
    world.clock.advance(3601)
    world.run()
    assert world.machine.formatted == 0
    assert not (world.bed.settings.paths.run / ORDER_NAME).exists()


async def test_what_is_no_order_is_dropped(world: World) -> None:
    (world.bed.settings.paths.run / ORDER_NAME).write_text('{"slot":3,"by":["张三"],"asked_ms":0}')
    world.run()
    assert world.machine.formatted == 0
    assert not (world.bed.settings.paths.run / ORDER_NAME).exists()


@pytest.mark.parametrize("change", [{"reformat": False}, {"persons": 3}, {"after_days": 365}])
async def test_no_card_is_formatted_that_may_not_be(tmp_path: Path, change: dict[str, object]) -> None:
    world = World(tmp_path, {"erase": {**ON["erase"], **change}})
    await world.brought()
    world.order(*BY)
    world.run()
    assert world.machine.formatted == 0
    assert world.left == list(PATHS)
    assert not world.bed.facts(EraseIntended)
    assert world.bed.findings("erase.kept")


async def test_a_file_that_nobody_knows_keeps_the_card(world: World) -> None:
    world.recorder.record("new.mp4", b"not brought in yet")
    world.order(*BY)
    world.run()
    assert world.machine.formatted == 0
    assert not world.bed.facts(EraseIntended)


async def test_a_file_only_the_card_has_keeps_the_card(world: World) -> None:
    """Not listed as a recording, so nobody proved it: the helper finds it."""
    (world.machine.card / "settings.ini").write_bytes(b"x")
    world.order(*BY)
    world.run()
    assert world.machine.formatted == 0
    assert world.kept() == ["refused"] * 3
    assert not world.bed.facts(Reformatted)
    world.bed.must_agree()


# --- the audit --------------------------------------------------------------------------------------------------------


async def test_the_audit_tells_an_erasing_without_ground(tmp_path: Path) -> None:
    """Confirmed, and not looked at a second time: a permit that this program never gives."""
    world = World(tmp_path, ON)
    async with world.bed.at_work():
        world.recorder.plug()
        await world.bed.until_settled(world.recorder)
    record = world.bed.record(PATHS[0])
    assert record.digests is not None
    subject = {"record": record.id, "recorder": SERIAL}
    intent = EraseIntended(**subject, ground="because", size=record.item.size, digests=record.digests)
    world.bed.must_agree()
    with world.bench() as bench:
        bench.book.record([intent, Erased(**subject, how="reported")])
    assert [told.code for told in world.bed.audit().disagreements] == ["erase.unfounded"]


async def test_the_audit_tells_an_erasing_whose_confirmation_nobody_had_seen(world: World) -> None:
    """Confirmed anew and looked at, and let go of before any head was signed over that."""
    record = world.bed.record(PATHS[0])
    assert record.digests is not None
    again = [world.bed.facts(kind, record=record.id)[0] for kind in (Confirmed, LookedAgain)]
    subject = {"record": record.id, "recorder": SERIAL}
    intent = EraseIntended(**subject, ground="because", size=record.item.size, digests=record.digests)
    with world.bench() as bench:
        bench.book.record([*again, intent, Erased(**subject, how="reported")])
    assert [told.code for told in world.bed.audit().disagreements] == ["erase.unfounded"]


async def test_the_audit_tells_a_card_formatted_by_one_person(world: World) -> None:
    with world.bench() as bench:
        bench.book.record([Reformatted(recorder=SERIAL, by=("Li Si", "li si"), kind="fat32", files=1)])
    assert [told.code for told in world.bed.audit().disagreements] == ["erase.alone"]


async def test_only_a_disk_in_a_slot_is_erased(world: World) -> None:
    assert is_card(world.session)
    for changes in ({"slot": None}, {"properties": (("SUBSYSTEM", "block"),)}, {"properties": (("DISKSEQ", "17"),)}):
        other = replace(world.session, sighting=replace(world.session.sighting, **changes))
        assert not is_card(other)


async def test_a_request_is_signed_by_the_station(world: World, tmp_path: Path) -> None:
    world.machine.key = Signer.generate(tmp_path / "other.key", "bwcdock/test-dock").verifier.vkey
    world.run()
    assert world.kept() == ["refused"] * 3
    assert world.left == list(PATHS)
