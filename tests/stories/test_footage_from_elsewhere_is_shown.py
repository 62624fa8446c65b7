"""What only a central storage elsewhere has is brought here to be looked at: whole, compared, and without a name."""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bwcdock import app, config, desk
from bwcdock.cli.serve import stores
from bwcdock.core.facts import Digests
from bwcdock.desk import fetching
from bwcdock.desk.answers import Answers
from bwcdock.desk.fetching import VIEWING
from bwcdock.desk.verbs import View
from bwcdock.errors import Misused, Unreachable, Untrue
from bwcdock.ports import Held, Sink
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.steps.bench import Bench
from bwcdock.testing.troubled import SmallSpool
from line_world import CONTENT, Made, copied, made, records, used

NAME = "DCIM/20260302_080000.MP4"


class Elsewhere:
    """The folder, as if it were far away: nothing of it can be opened here. ``gate`` lets bytes through."""

    def __init__(self, inner: FilesystemSink) -> None:
        self.name, self._inner = inner.name, inner
        self.gate = threading.Event()
        self.gate.set()
        self.turned = False
        self.given = 0

    def stat(self, key: str) -> Held | None:
        return self._inner.stat(key)

    def put(self, key: str, source: Path, digests: Digests, keep_until: datetime | None) -> None:
        self._inner.put(key, source, digests, keep_until)

    def note(self, key: str, data: bytes) -> None:
        self._inner.note(key, data)

    def recall(self, key: str) -> bytes | None:
        return self._inner.recall(key)

    def newest(self, prefix: str, suffix: str, most: int) -> list[str]:
        return self._inner.newest(prefix, suffix, most)

    def give(self, key: str) -> Generator[memoryview]:
        self.given += 1
        for chunk in self._inner.give(key):
            yield chunk[:1000]
            self.gate.wait()
            yield memoryview(bytes(len(chunk) - 1000)) if self.turned else chunk[1000:]


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("elsewhere") / "dock")


@asynccontextmanager
async def at_work(station: Made, folder: Path, **web: Any) -> AsyncIterator[tuple[Made, Answers, Elsewhere, Bench]]:
    """A copy of the station whose spool has lost everything, and whose central storage is elsewhere."""
    mine = copied(station, folder / "dock")
    settings = config.load(mine.home / "bwcdock.toml")
    settings = settings.model_copy(update={"web": settings.web.model_copy(update=web)})
    with app.opened(settings) as opened:
        inner = opened.sinks["central"]
        assert isinstance(inner, FilesystemSink)
        sink: Sink = Elsewhere(inner)
        bench = replace(opened, sinks={"central": sink})
        for record in records(mine.home):
            (settings.paths.spool / "whole" / record.id).unlink()

        async def asking(fn: Any, *args: object) -> Any:
            return fn(*args)

        async def doing(act: Any, actor: Any) -> Any:
            return desk.do(bench, act, actor)

        answers = Answers(bench, asking, doing, lambda: stores(bench))
        try:
            yield mine, answers, sink, bench
        finally:
            sink.gate.set()
            answers.close()


def asked(mine: Made) -> View:
    return View(request=mine.view, record=records(mine.home)[0].id, who="当事人", name="001", role="administrator")


def here(mine: Made) -> list[Path]:
    return list((mine.home / "spool" / VIEWING).iterdir())


async def test_it_is_brought_once_compared_and_has_no_name(station: Made, tmp_path: Path) -> None:
    async with at_work(station, tmp_path) as (mine, answers, sink, _):
        before = len(used(mine.home, mine.view))
        one, two = await answers.view(asked(mine)), await answers.view(asked(mine))
        assert one.answer.place == "central"
        with one.file, two.file:
            assert one.file.read() == CONTENT[NAME]
            assert two.file.read() == CONTENT[NAME]  # each has its own place in it
        assert sink.given == 1
        assert here(mine) == []
        assert len(used(mine.home, mine.view)) == before + 2


async def test_while_it_is_coming_nothing_is_entered(
    station: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "WAIT_S", 0.2)
    async with at_work(station, tmp_path) as (mine, answers, sink, _):
        before = len(used(mine.home, mine.view))
        sink.gate.clear()
        with pytest.raises(Unreachable, match="1000 of 150000 bytes") as told:
            await answers.view(asked(mine))
        assert dict(told.value.why.evidence)["percent"] == "0"
        assert len(used(mine.home, mine.view)) == before
        sink.gate.set()
        await asyncio.sleep(1)  # it gets here while nobody asks
        while True:
            try:
                opened = await answers.view(asked(mine))
                break
            except Unreachable:
                await asyncio.sleep(0.05)
        with opened.file:
            assert opened.file.read() == CONTENT[NAME]
        assert sink.given == 1


async def test_other_bytes_are_not_shown_and_the_next_one_asks_anew(station: Made, tmp_path: Path) -> None:
    async with at_work(station, tmp_path) as (mine, answers, sink, _):
        before = len(used(mine.home, mine.view))
        sink.turned = True
        with pytest.raises(Untrue, match="other bytes than were sealed"):
            await answers.view(asked(mine))
        assert here(mine) == []
        assert len(used(mine.home, mine.view)) == before
        sink.turned = False
        (await answers.view(asked(mine))).file.close()


async def test_what_is_too_large_is_not_brought(station: Made, tmp_path: Path) -> None:
    async with at_work(station, tmp_path, viewing_fetch=100_000) as (mine, answers, sink, _):
        with pytest.raises(Misused, match="too large"):
            await answers.view(asked(mine))
        assert sink.given == 0


async def test_the_reserve_of_the_spool_is_not_touched(station: Made, tmp_path: Path) -> None:
    async with at_work(station, tmp_path) as (mine, _, sink, bench):
        tight = fetching.Fetching(replace(bench, spool=SmallSpool(bench.spool.root, size=100_000)))
        with pytest.raises(Unreachable, match="no room"):
            await tight.open(records(mine.home)[0])
        assert sink.given == 0
        tight.close()


async def test_there_is_an_end_to_how_much_is_here(station: Made, tmp_path: Path) -> None:
    async with at_work(station, tmp_path, viewings_at_once=1) as (mine, _, sink, bench):
        brought = fetching.Fetching(bench)
        first, second = records(mine.home)[:2]
        (await brought.open(first))[0].close()
        (await brought.open(first))[0].close()
        assert sink.given == 1
        (await brought.open(second))[0].close()  # the first makes room
        (await brought.open(first))[0].close()
        assert sink.given == 3
        brought.close()


async def test_what_a_power_cut_left_goes_at_the_start(station: Made, tmp_path: Path) -> None:
    async with at_work(station, tmp_path) as (mine, _, _, bench):
        (mine.home / "spool" / VIEWING).mkdir()
        (mine.home / "spool" / VIEWING / "left").write_bytes(b"x")
        fetching.Fetching(bench).close()
        assert here(mine) == []
