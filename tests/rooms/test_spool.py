"""What the spool promises, with the power cut and the process killed at every system call of a recording's way."""

import errno
import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Literal

import pytest
from bwcdock.calls import System
from bwcdock.core import retention
from bwcdock.core.facts import SPOOL
from bwcdock.core.retention import Permit
from bwcdock.errors import Misused, SpoolBroken, SpoolFull, Untrue
from bwcdock.reading import Buffers
from bwcdock.spool import Spool
from bwcdock.testing.calls import Cut, Died, Fault, FaultySystem, PowerCut
from bwcdock.testing.sinks import digests_of

ID = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
BUFFERS = Buffers(count=1, size=1 << 16)
DATA = bytes(range(256)) * 100 + b"tail"
DIGESTS = digests_of(DATA)


def write(
    spool: Spool, record: str = ID, data: bytes = DATA, *, hold_at: int = 0, told: set[str] | None = None
) -> None:
    """What a pull does: go on where the partial file ends, hold once, sync at the end."""
    told = set() if told is None else told
    with BUFFERS.lend() as buffer, spool.open_part(record) as part:
        part.preallocate(len(data))
        part.truncate(part.length // 4096 * 4096)
        for offset in range(part.length, len(data), 8192):
            piece = data[offset : offset + 8192]
            buffer[: len(piece)] = piece
            part.write_at(buffer[: len(piece)], offset)
            if offset == hold_at and hold_at:
                part.hold()
                told.add("held")
        part.sync()
        told.add("pulled")


def permit(record: str = ID, place: str = SPOOL) -> Permit:
    return Permit(record, place, "test", retention._MADE_HERE)


def test_a_recordings_way(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.part_length(ID) == 0
    assert spool.whole(ID) is None
    write(spool)
    assert spool.part_length(ID) == len(DATA)
    assert spool.seal(ID, DIGESTS, len(DATA)) == "direct"
    whole = spool.whole(ID)
    assert whole is not None
    assert whole.read_bytes() == DATA
    assert whole.stat().st_mode & 0o777 == 0o400
    assert spool.part_length(ID) == 0
    paced: list[int] = []
    assert spool.verify(ID, DIGESTS, pace=paced.append) == "direct"
    assert sum(paced) == len(DATA)
    assert spool.seal(ID, DIGESTS, len(DATA)) == "direct"  # again: nothing changes
    spool.drop(ID, permit())
    spool.drop(ID, permit())
    assert spool.whole(ID) is None
    assert (tmp_path / "part").stat().st_mode & 0o777 == 0o700


def test_an_empty_recording(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    write(spool, data=b"")
    spool.seal(ID, digests_of(b""), 0)
    assert spool.verify(ID, digests_of(b"")) == "direct"


@pytest.mark.parametrize(
    ("data", "size"),
    [(DATA[:-1], len(DATA)), (DATA + b"x", len(DATA)), (b"y" + DATA[1:], len(DATA)), (DATA, len(DATA) - 1)],
)
def test_seal_refuses_other_bytes(tmp_path: Path, data: bytes, size: int) -> None:
    spool = Spool(tmp_path)
    write(spool, data=data)
    with pytest.raises(Untrue) as told:
        spool.seal(ID, DIGESTS, size)
    assert told.value.hint
    assert spool.whole(ID) is None
    assert spool.part_length(ID) == len(data)
    spool.discard_part(ID)
    spool.discard_part(ID)
    with pytest.raises(Untrue):
        spool.seal(ID, DIGESTS, len(DATA))


def test_seal_never_overwrites_what_rotted_before_its_fact_but_sets_it_aside(tmp_path: Path) -> None:
    """Left in its place it would be in the way of every later seal, and a good recording would be given up."""
    spool = Spool(tmp_path)
    (tmp_path / "whole" / ID).write_bytes(b"rotten")
    with pytest.raises(Untrue):
        spool.seal(ID, DIGESTS, len(DATA))  # nothing to put there instead: it is pulled again
    assert (tmp_path / "quarantine" / ID).read_bytes() == b"rotten"
    (tmp_path / "whole" / ID).write_bytes(b"rotten too")
    write(spool)
    spool.seal(ID, DIGESTS, len(DATA))
    assert (tmp_path / "quarantine" / f"{ID}.1").read_bytes() == b"rotten too"
    assert (tmp_path / "whole" / ID).read_bytes() == DATA


def test_what_rotted_under_both_its_names_is_pulled_again(tmp_path: Path) -> None:
    """The publishing failed after the new name was there, and the old one was still there too."""
    spool = Spool(tmp_path)
    write(spool)
    os.link(tmp_path / "part" / f"{ID}.part", tmp_path / "whole" / ID)
    with (tmp_path / "whole" / ID).open("r+b") as file:
        file.write(b"rotten")
    with pytest.raises(Untrue, match="pulled again"):
        spool.seal(ID, DIGESTS, len(DATA))
    assert (tmp_path / "quarantine" / ID).read_bytes().startswith(b"rotten")
    write(spool)
    spool.seal(ID, DIGESTS, len(DATA))
    assert (tmp_path / "whole" / ID).read_bytes() == DATA


def test_verify(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(Untrue, match="gone"):
        spool.verify(ID, DIGESTS)
    write(spool)
    spool.seal(ID, DIGESTS, len(DATA))
    path = tmp_path / "whole" / ID
    path.chmod(0o600)
    path.write_bytes(DATA[:100] + b"?" + DATA[101:])
    with pytest.raises(Untrue):
        spool.verify(ID, DIGESTS)
    broken = Spool(tmp_path, system=FaultySystem(refused={"preadv": errno.EIO}))
    with pytest.raises(SpoolBroken):
        broken.verify(ID, DIGESTS)


class Beaten(System):
    """Somebody else has set the file aside before ours is linked, or between the refused link and the look at it."""

    def __init__(self, when: str) -> None:
        self._is_late = when == "before"

    def link(self, source: Path, target: Path, **how: bool) -> None:  # type: ignore[override]
        if self._is_late:
            os.rename(source, target)
        else:
            os.link(source, target)
        try:
            os.link(source, target, **how)
        except FileExistsError:
            os.unlink(source)
            raise


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_who_comes_late_to_set_a_bad_file_aside_finds_it_done(tmp_path: Path, when: str) -> None:
    whole = tmp_path / "whole" / ID
    spool = Spool(tmp_path, system=Beaten(when))
    whole.write_bytes(b"rotten")
    assert spool.quarantine_whole(ID) == 0
    assert not whole.exists()
    assert (tmp_path / "quarantine" / ID).read_bytes() == b"rotten"


def test_a_file_that_cannot_be_set_aside_is_the_disks_fault(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (tmp_path / "whole" / ID).write_bytes(b"rotten")
    (tmp_path / "quarantine").rmdir()
    with pytest.raises(SpoolBroken):
        spool.quarantine_whole(ID)
    assert (tmp_path / "whole" / ID).exists()


def test_drop_wants_its_own_permit(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    write(spool)
    spool.seal(ID, DIGESTS, len(DATA))
    for wrong in (permit(OTHER), permit(place="nas"), None, "permit", object()):
        with pytest.raises(PermissionError):
            spool.drop(ID, wrong)  # type: ignore[arg-type]
    assert spool.verify(ID, DIGESTS)


def test_only_our_own_ids_are_names(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for bad in ("", "..", "../../etc/passwd", "a/b", "ABCDEF0123", "0" * 65, "0123456", ID + "\n", ID + ".part"):
        for use in (spool.open_part, spool.part_length, spool.discard_part, spool.whole, spool.quarantine_part):
            with pytest.raises(ValueError, match="record id"):
                use(bad)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["part", "quarantine", "spool", "whole"]


def test_quarantine_keeps_every_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.quarantine_part(ID) == 0
    for number in range(3):
        write(spool, data=DATA[: 5000 + number])
        assert spool.quarantine_part(ID) == 5000 + number
        assert spool.part_length(ID) == 0
    kept = sorted((tmp_path / "quarantine").iterdir())
    assert [p.stat().st_size for p in kept] == [5000, 5001, 5002]


# --- room -------------------------------------------------------------------------------------------------------------


def test_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    room = spool.room()
    assert 0 < room.free <= room.total
    assert room.reserve == int(room.total * 0.05)


def test_refuses_a_network_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bwcdock import spool as module
    from bwcdock.volumes import FileSystem

    def volume(_: Path, *, allow: object) -> FileSystem:
        return FileSystem(kind="cifs", mount_point="/", ok="cifs" in str(allow), durable=True)

    monkeypatch.setattr(module, "file_system_of", volume)
    with pytest.raises(Misused, match="cifs"):
        Spool(tmp_path)
    assert list(tmp_path.iterdir()) == []
    Spool(tmp_path, allow={"cifs"})


def test_in_memory_is_told() -> None:
    folder = Path("/dev/shm") / f"bwcdock-test-{os.getpid()}"
    folder.mkdir()
    try:
        assert not Spool(folder).volume.durable
    finally:
        for name in ("part", "whole", "quarantine"):
            (folder / name).rmdir()
        folder.rmdir()


# --- strays -----------------------------------------------------------------------------------------------------------


def test_strays(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    write(spool)
    write(spool, OTHER)
    spool.seal(OTHER, DIGESTS, len(DATA))
    assert spool.strays(parts={ID}, wholes={OTHER}) == []
    os.link(tmp_path / "whole" / OTHER, tmp_path / "part" / f"{OTHER}.part")  # died before the unlink
    (tmp_path / "part" / ".x.0011.tmp").touch()
    (tmp_path / "whole" / "notes.txt").write_bytes(b"??")
    (tmp_path / "whole" / "folder").mkdir()
    (tmp_path / "part" / f"{'a' * 32}.part").symlink_to("/etc/passwd")
    found = {(s.kind, s.path.name) for s in spool.strays(parts=set(), wholes=set())}
    assert found == {
        ("part", f"{ID}.part"),
        ("spare", f"{OTHER}.part"),
        ("temporary", ".x.0011.tmp"),
        ("whole", OTHER),
        ("foreign", "notes.txt"),
        ("foreign", "folder"),
        ("foreign", f"{'a' * 32}.part"),
    }
    for stray in spool.strays(parts=set(), wholes=set()):
        spool.put_right(stray)
    assert {s.kind for s in spool.strays(parts=set(), wholes=set())} == {"foreign"}
    assert sorted(p.name for p in (tmp_path / "quarantine").iterdir()) == sorted([ID, OTHER])
    assert (tmp_path / "quarantine" / ID).read_bytes() == DATA


def test_a_spare_name_is_not_written_to(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    write(spool)
    spool.seal(ID, DIGESTS, len(DATA))
    os.link(tmp_path / "whole" / ID, tmp_path / "part" / f"{ID}.part")
    with spool.open_part(ID) as part:
        assert part.length == 0
        part.write_at(memoryview(b"other"), 0)
    assert (tmp_path / "whole" / ID).read_bytes() == DATA


# --- campaigns --------------------------------------------------------------------------------------------------------


def recover(root: Path, told: set[str], boot: str) -> None:
    """What the station does at its next start; every promise made before the end must still hold."""
    spool = Spool(root, boot=boot)
    if "sealed" in told:
        whole = spool.whole(ID)
        assert whole is not None, "a sealed recording is gone"
        assert whole.read_bytes() == DATA, "a sealed recording holds other bytes"
    elif "pulled" not in told:
        if "held" in told:
            with spool.open_part(ID) as part:
                assert part.length >= 8192, "held bytes are gone"
        with spool.open_part(ID) as part:
            assert (root / "part" / f"{ID}.part").read_bytes()[: part.length] == DATA[: part.length], "false progress"
        write(spool)
    spool.seal(ID, DIGESTS, len(DATA))
    assert spool.verify(ID, DIGESTS)
    assert spool.part_length(ID) == 0
    assert spool.strays(parts=set(), wholes={ID}) == []


def life(root: Path, system: System, told: set[str]) -> None:
    spool = Spool(root, boot="one", system=system)
    write(spool, hold_at=8192, told=told)
    spool.seal(ID, DIGESTS, len(DATA))
    told.add("sealed")


def campaign(folder: Path, mode: Cut, forgets: str = "") -> int:
    """Cut the power before every changing call in turn; how many states were looked at."""
    for nth in count(1):
        work, left, told = folder / f"w{nth}", folder / f"l{nth}", set[str]()
        work.mkdir(parents=True)
        Spool(work)  # the folders are there, and safe
        system = PowerCut(work, Fault(nth=nth, how="die_before"), frozenset({forgets}))
        with suppress(Died):
            life(work, system, told)
        system.leave(left, mode)
        recover(left, told, "two")
        if nth > len(system.told):
            return nth
    raise AssertionError


@pytest.mark.parametrize("mode", ["strict", "zeros", "torn"])
def test_a_power_cut_anywhere(tmp_path: Path, mode: Cut) -> None:
    assert campaign(tmp_path, mode) > 35


@pytest.mark.parametrize(("forgets", "mode"), [("file", "strict"), ("folder", "strict"), ("file", "zeros")])
def test_the_campaign_notices(tmp_path: Path, forgets: str, mode: Cut) -> None:
    """The same campaign without fsync of files, or of folders, finds promises broken."""
    with pytest.raises((AssertionError, Untrue)):
        campaign(tmp_path, mode, forgets)


def test_a_kill_anywhere(tmp_path: Path) -> None:
    """The process dies, the power stays: the next start finds the real tree, in the same boot."""
    for nth in count(1):
        root, told = tmp_path / f"{nth}", set[str]()
        system = FaultySystem(Fault(nth=nth, how="die_before"))
        with suppress(Died):
            life(root, system, told)
        recover(root, told, "one")
        if nth > len(system.told):
            return


def test_a_kill_then_a_power_cut(tmp_path: Path) -> None:
    """The process dies anywhere, the next one finishes the seal, and only then the power goes: what it said holds."""
    for nth in count(1):
        work, left = tmp_path / f"w{nth}", tmp_path / f"l{nth}"
        work.mkdir()
        system = PowerCut(work, Fault(nth=nth, how="die_before"))
        told = set[str]()
        try:
            life(work, system, told)
        except Died:
            pass
        else:
            return
        spool = Spool(work, boot="one", system=system)
        if "pulled" not in told:
            write(spool)
        spool.seal(ID, DIGESTS, len(DATA))
        system.leave(left, "strict")
        assert (left / "whole" / ID).read_bytes() == DATA


@pytest.mark.parametrize(("how", "code"), [("before", errno.EIO), ("after", errno.EIO), ("before", errno.ENOSPC)])
def test_an_error_anywhere(tmp_path: Path, how: Literal["before", "after"], code: int) -> None:
    """Every failing call is told as the spool's fault, and the next start goes on from whatever is there."""
    for nth in count(1):
        root, told = tmp_path / f"{nth}", set[str]()
        system = FaultySystem(Fault(nth=nth, how=how, code=code))
        try:
            life(root, system, told)
        except SpoolBroken:
            told &= {"sealed"}  # what a failing disk had taken goes, and is said to be gone
        except SpoolFull:
            assert code == errno.ENOSPC
        recover(root, told, "one")
        if nth > len(system.told):
            return


def test_dropping_is_durable(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    life(work, System(), set())
    system = PowerCut(work)
    Spool(work, system=system).drop(ID, permit())
    system.leave(tmp_path / "left", "strict")
    assert Spool(tmp_path / "left").whole(ID) is None
