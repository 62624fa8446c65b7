"""Footage from elsewhere is let in when somebody answers for it, nobody writes to it any more, and it is whole."""

import asyncio
import os
import shutil
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bwcdock.core.intake import NOTE_NAME, heard
from bwcdock.core.words_zh import said
from bwcdock.detect.exports import AT_ONCE, ExportsDoor
from bwcdock.detect.folders import Answer, DropFolder, FolderWatch
from bwcdock.detect.named import Intake, Named
from bwcdock.media import whole
from watchdog.events import FileClosedNoWriteEvent, FileDeletedEvent, FileModifiedEvent, FileOpenedEvent

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
NOTE = """source = "citizen"
holder = "王小明"
chain = "Filmed with his phone on the spot, handed over on a stick at the reception."
"""


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


FILM = box(b"ftyp", b"isom\0\0\0\0") + box(b"mdat", b"x" * 900) + box(b"moov", box(b"mvhd", bytes(100)))


class Bench:
    """A folder for exports, its watch, and a time that a test moves."""

    def __init__(self, path: Path, *, entries: int = 200, writing_s: float = 300) -> None:
        self.drop = path / "exports"
        self.drop.mkdir()
        self.now = START
        self.looked: list[str] = []
        self.door = ExportsDoor(self.judge, entries=entries, writing_s=writing_s)
        drops = [DropFolder(path=self.drop, stable_s=5, door=self.door)]
        self.watch = FolderWatch(drops, rescan_s=30, children=50, entries=1000)

    def judge(self, read, size, name):
        self.looked.append(name)
        return whole.judge(read, size, name)

    def export(self, name: str = "wang", note: str = NOTE, **files: bytes) -> Path:
        path = self.drop / name
        path.mkdir(exist_ok=True)
        if note:
            (path / NOTE_NAME).write_text(note, encoding="utf-8")
        for file, data in (files or {"a.mp4": FILM}).items():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_bytes(data)
        return path

    def ports(self, after: float = 0.0) -> list[str]:
        self.now += timedelta(seconds=after)
        return [s.port for s in self.watch.current(self.now)]

    def settled(self) -> list[str]:
        return self.ports() + self.ports(31) + self.ports(5)

    @property
    def codes(self) -> list[str]:
        return [f.code for f in self.watch.findings]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within half a minute")


def test_a_whole_export_with_its_note_is_let_in_and_says_where_it_is_from(bench):
    bench.export(note=f'{NOTE}system = "a\\u202e phone"\n')
    assert bench.ports() == bench.ports(4.9) == []
    assert bench.ports(0.1) == ["drop:1:wang"]
    (sighting,) = bench.watch.current(bench.now)
    assert (sighting.source, sighting.live, bench.codes) == (str(bench.drop / "wang"), False, [])
    assert heard(sighting.properties) == {
        "source": "citizen",
        "holder": "王小明",
        "chain": "Filmed with his phone on the spot, handed over on a stick at the reception.",
        "system": "a\\u{202e} phone",
    }


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("", f"there is no {NOTE_NAME} in it"),
        ("", "移交说明（intake.toml）缺少或有误的项：来源、移交人、流转经过；"),
        ('holder = "王小明"\n', "does not say its source and its chain."),
        ('holder = "王小明"\n', "缺少或有误的项：来源、流转经过；"),
        (NOTE.replace("王小明", ""), "缺少或有误的项：移交人；"),
        (NOTE + "colour = 1\n", "缺少或有误的项：colour；"),
        (NOTE.replace("holder", "# holder"), "does not say its holder"),
        (NOTE.replace("chain", "# chain"), "does not say its chain"),
        (NOTE.replace("source", "# source"), "does not say its source"),
        (
            NOTE.replace("citizen", "neighbour"),
            "none of body-camera, camera, city-monitoring, other-monitoring, citizen",
        ),
        (NOTE.replace("王小明", ""), "the holder in intake.toml is no text that tells enough"),
        (NOTE.replace("Filmed with his phone on the spot, handed over on a stick at the reception.", "x"), "the chain"),
        (NOTE + "as_is = 1\n", "the as_is"),
        (NOTE + "colour = 1\n", "says colour, which nobody asks for"),
        ("no toml", "is no TOML text"),
        (NOTE + "#" * (64 << 10), "is longer than"),
    ],
)
def test_what_nobody_answers_for_is_not_taken(bench, note, told):
    bench.export(note=note)
    assert bench.settled() == []
    (finding,) = bench.watch.findings
    words = finding.what + said(finding).what
    assert (finding.code, told in words, NOTE_NAME in finding.remedy) == ("intake.note", True, True), finding
    bench.export()
    assert bench.settled()[-1:] == ["drop:1:wang"]
    assert bench.codes == []


def test_a_named_folder_with_a_note_is_let_in_as_one_in_a_drop_folder(bench):
    path = bench.export()
    named = Named([path], live=True, intake=Intake(door=bench.door, stable_s=5, entries=1000))

    def after(seconds: float) -> list[str]:
        bench.now += timedelta(seconds=seconds)
        return [heard(sighting.properties)["holder"] for sighting in named.current(bench.now) if not sighting.live]

    assert after(0) + after(4) == []
    (path / "b.mp4").write_bytes(FILM[:500])  # it is still being copied into
    assert after(2) == []
    assert named.refused == {}
    assert after(5) == []
    assert [finding.code for finding in named.refused.values()] == ["intake.unfinished"]
    (path / "b.mp4").write_bytes(FILM)
    assert after(1) == []
    assert named.refused == {}
    assert after(5) == ["王小明"]
    (path / "c.mp4").write_bytes(b"")  # its pulls are under way
    assert after(1) == ["王小明"]
    shutil.rmtree(path)
    assert after(1) == []


def test_a_note_that_is_a_link_or_a_pipe_is_none(bench, tmp_path):
    for make in (lambda path: path.symlink_to(tmp_path / "note"), os.mkfifo):
        (tmp_path / "note").write_text(NOTE, encoding="utf-8")
        path = bench.export(note="") / NOTE_NAME
        make(path)
        bench.settled()
        assert bench.codes == ["intake.note"]
        path.unlink()


def test_a_cut_file_keeps_its_export_out_until_it_is_whole_or_said_to_be_so(bench):
    path = bench.export(**{"a.mp4": FILM, "b.mp4": FILM[:500], "c/d.mp4.part": FILM, "e.dav": b"", "f.dav": b"DHAV"})
    assert bench.settled() == []
    (finding,) = bench.watch.findings
    assert (finding.code, dict(finding.evidence)["path"]) == ("intake.unfinished", "wang")
    assert [name for name, _ in finding.evidence[1:]] == ["b.mp4", "e.dav", "c/d.mp4.part"]
    assert dict(finding.evidence)["b.mp4"].startswith("cut: ")
    (path / "b.mp4").write_bytes(FILM)
    (path / "e.dav").unlink()
    assert bench.settled() == []
    assert [name for name, _ in bench.watch.findings[0].evidence[1:]] == ["c/d.mp4.part"]
    (path / NOTE_NAME).write_text(f'{NOTE}as_is = ["c/d.mp4.part"]\n', encoding="utf-8")
    assert bench.settled()[-1:] == ["drop:1:wang"]


def test_what_was_looked_at_is_not_read_again_and_a_large_export_takes_turns(bench):
    count = AT_ONCE * 2 + 3
    bench.export(**{f"{n}.mp4": FILM for n in range(count)}, **{"z.mp4": FILM[:500]})
    bench.ports()
    bench.ports(5)
    assert len(bench.looked) == AT_ONCE
    assert bench.watch.due == bench.now  # at the next turn, not at the next rescan
    while bench.codes != ["intake.unfinished"]:
        bench.ports()
    bench.ports(31)
    assert len(bench.looked) == len(set(bench.looked)) == count + 2


def test_only_folders_with_footage_are_taken(bench, tmp_path):
    shutil.copy(__file__, bench.drop / "loose.img")
    bench.export("bare", x=b"").joinpath("x").unlink()
    assert bench.settled() == []
    assert sorted(bench.codes) == ["intake.empty", "intake.loose"]
    small = Bench(tmp_path / "exports", entries=3)
    path = small.export(**{"1.mp4": FILM, "2.mp4": FILM})
    assert (small.settled()[-1:], small.codes) == (["drop:1:wang"], [])
    (path / "empty").mkdir()
    small.settled()
    assert (small.ports(), small.codes) == ([], ["intake.crowded"])


# --- who writes -------------------------------------------------------------------------------------------------------


async def test_a_file_that_is_held_open_keeps_its_export_out_until_it_is_closed(bench):
    path = bench.export()
    bench.watch.start()
    try:
        bench.ports()  # which begins to listen
        with (path / "b.mp4").open("ab") as file:
            file.write(FILM)
            file.flush()
            await until(lambda: bench.door.ask(path, 10) == Answer())
            assert bench.settled() == []
            assert bench.codes == []
            assert bench.door.ask(path, 300).properties is not None  # notices get lost: at last standing still must do
        await until(lambda: bench.door.ask(path, 10).properties is not None)
        assert bench.settled()[-1:] == ["drop:1:wang"]
    finally:
        bench.watch.close()


async def test_times_that_are_set_after_the_closing_and_a_new_name_do_not_count_as_writing(bench):
    path = bench.export()
    bench.watch.start()
    try:
        bench.ports()
        (path / ".b.mp4.x").write_bytes(FILM)
        os.utime(path / ".b.mp4.x", (1, 1))
        (path / ".b.mp4.x").rename(path / "b.mp4")
        with (path / "c.mp4").open("ab") as file:
            file.write(FILM)
            file.flush()
            await until(lambda: bench.door.ask(path, 10) == Answer())
            (path / "c.mp4").rename(path / "d.mp4")
            (path / "last").mkdir()
            await asyncio.sleep(0.3)
            assert bench.door.ask(path, 10) == Answer()
        (path / "last").rmdir()
        await until(lambda: bench.door.ask(path, 10).properties is not None)
    finally:
        bench.watch.close()


def test_a_change_of_a_file_that_nobody_holds_open_is_no_writing(bench):
    path = bench.export()
    file = str(path / "a.mp4")
    for event in (
        FileModifiedEvent(file),
        FileOpenedEvent(file),
        FileClosedNoWriteEvent(file),
        FileModifiedEvent(file),
    ):
        bench.door.heard(event)
        assert bench.door.ask(path, 10).properties is not None
    for event in (FileOpenedEvent(file), FileOpenedEvent(file), FileClosedNoWriteEvent(file), FileModifiedEvent(file)):
        bench.door.heard(event)
    assert bench.door.ask(path, 10) == Answer()
    for event in (FileDeletedEvent(file), FileModifiedEvent(file)):  # who held it open held another
        bench.door.heard(event)
        assert bench.door.ask(path, 10).properties is not None


async def test_a_copy_that_grows_deep_inside_causes_no_look_at_every_write(bench):
    path = bench.export(**{"x/a.mp4": FILM})
    bench.watch.start()
    try:
        bench.ports()
        await asyncio.sleep(0.3)
        bench.watch.hint.clear()
        with (path / "x/a.mp4").open("ab") as file:
            for _ in range(20):
                file.write(b"more")
                file.flush()
            await until(lambda: bench.door.ask(path, 10) == Answer())
            assert not bench.watch.hint.is_set()
        await asyncio.wait_for(bench.watch.hint.wait(), 30)
    finally:
        bench.watch.close()
