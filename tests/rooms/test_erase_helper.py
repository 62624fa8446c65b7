"""The helper erases exactly the permitted files that still are what was sealed, and nothing else can make it."""

import errno
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from bwcdock.erase_helper import carry as carrying
from bwcdock.erase_helper.card import FileSystem, probe
from bwcdock.erase_helper.carry import Stop, carry
from bwcdock.erase_helper.kernel import Kernel, format_commands
from bwcdock.erase_helper.serve import serve
from bwcdock.erase_helper.system import Place, Refusal
from bwcdock.erasing import ANSWER, REQUEST_MAX, Request, Target
from bwcdock.ledger import Signer
from bwcdock.manifest import sign
from bwcdock.testing.exfat import ExfatImage
from bwcdock.testing.fat import FatImage
from erase_world import DEVICE, FAT32, Machine, ask, asked, outcomes, request, target
from pydantic import ValidationError

DATA, OTHER = b"footage" * 1000, b"another" * 1000


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.generate(tmp_path / "signing.key", "bwcdock/test")


@pytest.fixture
def machine(tmp_path: Path, signer: Signer) -> Machine:
    card = tmp_path / "card"
    (card / "DCIM").mkdir(parents=True)
    (card / "DCIM" / "a.mp4").write_bytes(DATA)
    (card / "DCIM" / "b.mp4").write_bytes(OTHER)
    return Machine(card=card, key=signer.verifier.vkey)


def left(machine: Machine) -> list[str]:
    return sorted(p.relative_to(machine.card).as_posix() for p in machine.card.rglob("*") if not p.is_dir())


# --- erasing ----------------------------------------------------------------------------------------------------------


def test_exactly_the_permitted_file_goes(machine: Machine, signer: Signer) -> None:
    told, end, notes = asked(machine, signer, request(target("DCIM/a.mp4", DATA)))
    assert (outcomes(told), end.end) == (["erased"], "done")
    assert left(machine) == ["DCIM/b.mp4"]
    assert machine.mounts == [True]
    assert json.loads(notes[0])["path"] == "DCIM/a.mp4"


@pytest.mark.parametrize(
    ("because", "wanted"),
    [
        ("differs", target("DCIM/a.mp4", OTHER)),  # other bytes of the same length
        ("differs", target("DCIM/a.mp4", DATA[:-1])),
        ("differs", target("DCIM/a.mp4", DATA, sha256="0" * 64)),
        ("differs", target("DCIM/a.mp4", DATA, blake3="0" * 64)),
        ("missing", target("DCIM/A.MP4", DATA)),
        ("missing", target("a.mp4", DATA)),
        ("odd", target("DCIM", b"")),
        ("unreadable", target("DCIM/a.mp4/x", DATA)),
    ],
)
def test_what_is_not_that_file_stays(because: str, wanted: object, machine: Machine, signer: Signer) -> None:
    told, end, _ = asked(machine, signer, request(wanted, target("DCIM/b.mp4", OTHER)))  # type: ignore[arg-type]
    assert (outcomes(told), end.end) == ([because, "erased"], "done")
    assert left(machine) == ["DCIM/a.mp4"]


def test_no_link_is_followed(machine: Machine, signer: Signer, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.mp4").write_bytes(DATA)
    (machine.card / "link.mp4").symlink_to(outside / "a.mp4")
    (machine.card / "inner.mp4").symlink_to("DCIM/a.mp4")
    (machine.card / "folder").symlink_to(outside)
    (machine.card / "self").symlink_to("DCIM")
    wanted = ["link.mp4", "inner.mp4", "folder/a.mp4", "self/a.mp4"]
    told, _, _ = asked(machine, signer, request(*(target(path, DATA) for path in wanted)))
    assert outcomes(told) == ["unreadable"] * 4
    assert (outside / "a.mp4").read_bytes() == DATA
    assert len(left(machine)) == 4
    assert {p.name for p in machine.card.iterdir() if p.is_symlink()} == {"link.mp4", "inner.mp4", "folder", "self"}


def test_a_file_with_a_second_name_stays(machine: Machine, signer: Signer) -> None:
    os.link(machine.card / "DCIM/a.mp4", machine.card / "twin.mp4")
    told, _, _ = asked(machine, signer, request(target("DCIM/a.mp4", DATA), target("twin.mp4", DATA)))
    assert outcomes(told) == ["odd", "odd"]


def test_a_pipe_does_not_hang_it(machine: Machine, signer: Signer) -> None:
    os.mkfifo(machine.card / "pipe.mp4")
    told, _, _ = asked(machine, signer, request(target("pipe.mp4", b"")))
    assert outcomes(told) == ["odd"]


def test_names_are_bytes(machine: Machine, signer: Signer) -> None:
    names = [b"\xff\xfe\n.mp4", "执法 记录\u202e.mp4".encode(), b"-rf", b"..."]
    for name in names:
        Path(os.fsdecode(os.fsencode(machine.card) + b"/" + name)).write_bytes(DATA)
    told, _, notes = asked(machine, signer, request(*(target(name, DATA) for name in names)))
    assert outcomes(told) == ["erased"] * 4
    assert left(machine) == ["DCIM/a.mp4", "DCIM/b.mp4"]
    assert not any("\n" in note or "\u202e" in note for note in notes)


def test_what_changed_since_it_was_listed_stays(machine: Machine, signer: Signer) -> None:
    machine.meanwhile = lambda: (machine.card / "DCIM/a.mp4").write_bytes(OTHER)
    told, _, _ = asked(machine, signer, request(target("DCIM/a.mp4", DATA)))
    assert outcomes(told) == ["differs"]


def test_what_is_exchanged_while_it_is_read_stays(machine: Machine, signer: Signer) -> None:
    """The name is of another file by the time its bytes are known to be right."""
    fresh = machine.card / "fresh"
    fresh.write_bytes(DATA)
    calls = iter(range(100))

    def go_on() -> None:
        if next(calls) == 2:
            os.replace(fresh, machine.card / "DCIM/a.mp4")

    told: list[object] = []
    carry(request(target("DCIM/a.mp4", DATA)), machine, told.append, go_on)
    assert [getattr(one, "reason", "") for one in told] == ["changed", ""]
    assert (machine.card / "DCIM/a.mp4").read_bytes() == DATA


def test_a_card_that_fails_at_the_end_is_told_as_broken(machine: Machine, signer: Signer) -> None:
    machine.breaks = OSError(errno.EIO, "Input/output error")
    told, end, _ = asked(machine, signer, request(target("DCIM/a.mp4", DATA)))
    assert (outcomes(told), end.end) == (["erased"], "broken")


def test_a_name_that_cannot_be_removed_is_told_as_broken(
    machine: Machine, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(directory: int, name: bytes) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(carrying.durable, "unlink_at", fails)
    told, end, _ = asked(machine, signer, request(target("DCIM/a.mp4", DATA), target("DCIM/b.mp4", OTHER)))
    assert (told, end.end) == ([], "broken")
    assert len(left(machine)) == 2


def test_it_stops_between_two_files_when_time_is_up(machine: Machine) -> None:
    calls = iter(range(100))

    def go_on() -> None:
        if next(calls) > 4:
            raise Stop("The time for one request is up.")

    told: list[object] = []
    carry(request(target("DCIM/a.mp4", DATA), target("DCIM/b.mp4", OTHER)), machine, told.append, go_on)
    assert [one.model_dump()["outcome"] if "n" in one.model_dump() else one.end for one in told] == [  # type: ignore[attr-defined]
        "erased",
        "stopped",
    ]
    assert left(machine) == ["DCIM/b.mp4"]


def test_it_stops_when_nobody_listens(machine: Machine, signer: Signer) -> None:
    ours, theirs = socket.socketpair()
    helper = threading.Thread(target=serve, args=(theirs, machine), kwargs={"monotonic": monotonic, "note": str})
    machine.meanwhile = ours.close
    helper.start()
    ours.sendall(sign(request(target("DCIM/a.mp4", DATA)), signer) + b"\n")
    helper.join()
    theirs.close()
    assert len(left(machine)) == 2


# --- who is heard -----------------------------------------------------------------------------------------------------


def refused(machine: Machine, line: bytes) -> str:
    told, end, notes = ask(machine, line)
    assert (told, end.end) == ([], "refused")
    assert len(left(machine)) == 2
    assert machine.mounts == []
    return notes[0]


def test_another_user_is_not_heard(machine: Machine, signer: Signer) -> None:
    machine.uid = os.getuid() + 1
    assert "is not the station" in refused(machine, sign(request(target("DCIM/a.mp4", DATA)), signer) + b"\n")


def test_another_key_is_not_heard(machine: Machine, tmp_path: Path) -> None:
    stranger = Signer.generate(tmp_path / "other.key", "bwcdock/test")
    assert "signed by" in refused(machine, sign(request(target("DCIM/a.mp4", DATA)), stranger) + b"\n")


def test_a_request_that_was_changed_is_not_heard(machine: Machine, signer: Signer) -> None:
    line = sign(request(target("DCIM/a.mp4", DATA)), signer) + b"\n"
    assert "signature is wrong" in refused(machine, line.replace(b'"slot":3', b'"slot":4'))


@pytest.mark.parametrize("line", [b"", b"\n", b"{}\n", b"[]\n", b"\xff\n", b"{" * 5000 + b"\n", b"no end of the line"])
def test_what_is_no_request_is_not_heard(line: bytes, machine: Machine) -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(line)
    ours.shutdown(socket.SHUT_WR)
    notes: list[str] = []
    serve(theirs, machine, monotonic=monotonic, note=notes.append)
    with ours, theirs:
        assert ANSWER.validate_json(ours.recv(4096)).end == "refused"  # type: ignore[union-attr]
    assert len(left(machine)) == 2
    assert notes


def test_a_request_without_end_is_not_heard(machine: Machine) -> None:
    notes: list[str] = []
    ours, theirs = socket.socketpair()
    flood = threading.Thread(target=_flooded, args=(ours,))
    with ours:
        flood.start()
        with theirs:
            serve(theirs, machine, monotonic=monotonic, note=notes.append)
        flood.join()
    assert "no request" in notes[0]
    assert len(left(machine)) == 2


def _flooded(connection: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection.sendall(b"x" * (REQUEST_MAX // 4))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"slot": 4}, "not the disk in slot 4"),
        ({"diskseq": 18}, "not the disk in slot 3"),
        ({"device": "/dev/sda"}, "in no slot"),
    ],
)
def test_only_the_very_disk_that_was_seen(
    changes: dict[str, object], why: str, machine: Machine, signer: Signer
) -> None:
    _, end, _ = asked(machine, signer, request(target("DCIM/a.mp4", DATA), **changes))
    assert end.end == "refused"
    assert why in end.what
    assert len(left(machine)) == 2


@pytest.mark.parametrize("count", [0, 2])
def test_only_a_disk_with_one_file_system(count: int, machine: Machine, signer: Signer) -> None:
    machine.places = machine.places * count
    _, end, _ = asked(machine, signer, request(target("DCIM/a.mp4", DATA)))
    assert f"There are {count} FAT" in end.what


@pytest.mark.parametrize(
    "path",
    [(), ("",), ("2e",), ("2e2e",), ("2f",), ("612f62",), ("00",), ("6100",), ("zz",), ("6",), ("6A",), ("61",) * 65],
)
def test_no_path_leads_up_or_away(path: tuple[str, ...]) -> None:
    plain = target("a", DATA).model_dump()
    Target.model_validate(plain)
    with pytest.raises(ValidationError):
        Target.model_validate(plain | {"path": path})


@pytest.mark.parametrize(
    "changes",
    [
        {"device": "/dev/../etc/passwd"},
        {"device": "/dev/mapper/x"},
        {"device": "sdb"},
        {"slot": 0},
        {"slot": "3"},
        {"diskseq": True},
        {"files": ()},
        {"more": 1},
        {"v": 2},
        {"reformat": ("张三",)},
        {"reformat": ("张三", "张三")},
        {"reformat": ("Li Si", " li  si ")},
        {"reformat": ("张三", "  ")},
    ],
)
def test_a_request_is_strict(changes: dict[str, object]) -> None:
    plain = request(target("a", DATA)).model_dump()
    Request.model_validate(plain)
    with pytest.raises(ValidationError):
        Request.model_validate(plain | changes)


# --- formatting -------------------------------------------------------------------------------------------------------

BY = ("张三", "李四")


def test_a_card_of_which_every_file_may_go_is_formatted(machine: Machine, signer: Signer) -> None:
    wanted = request(target("DCIM/a.mp4", DATA), target("DCIM/b.mp4", OTHER), reformat=BY)
    told, end, notes = asked(machine, signer, wanted)
    assert (outcomes(told), end.end, end.kind) == (["erased", "erased"], "done", "fat32")
    assert (machine.formatted, machine.mounts) == (1, [False])
    assert json.loads(notes[0])["by"] == list(BY)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ((target("DCIM/a.mp4", DATA),), "1 files on the card may not"),
        ((target("DCIM/a.mp4", DATA), target("DCIM/b.mp4", DATA)), "no longer holds"),
        ((target("DCIM/a.mp4", DATA), target("DCIM/B.MP4", OTHER)), "1 files on the card may not"),
        ((target("DCIM/a.mp4", DATA), target("DCIM/b.mp4", OTHER), target("c.mp4", DATA)), "not there"),
    ],
)
def test_else_it_stays_exactly_as_it_is(files: tuple[object, ...], why: str, machine: Machine, signer: Signer) -> None:
    told, end, _ = asked(machine, signer, request(*files, reformat=BY))  # type: ignore[arg-type]
    assert (told, end.end) == ([], "refused")
    assert why in end.what
    assert machine.formatted == 0
    assert True not in machine.mounts
    assert len(left(machine)) == 2


def test_a_link_or_an_empty_file_counts_as_a_file(machine: Machine, signer: Signer) -> None:
    (machine.card / "x" / "y").mkdir(parents=True)
    (machine.card / "x" / "y" / "link").symlink_to("nowhere")
    wanted = request(target("DCIM/a.mp4", DATA), target("DCIM/b.mp4", OTHER), reformat=BY)
    assert asked(machine, signer, wanted)[1].end == "refused"
    (machine.card / "x" / "y" / "link").unlink()
    assert asked(machine, signer, wanted)[1].end == "done"  # empty directories are no files


def test_a_card_with_more_than_can_be_looked_at_is_not_formatted(
    machine: Machine, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = request(target("DCIM/a.mp4", DATA), target("DCIM/b.mp4", OTHER), reformat=BY)
    monkeypatch.setattr(carrying, "ENTRIES", 2)
    assert "more on the card" in asked(machine, signer, wanted)[1].what
    monkeypatch.setattr(carrying, "ENTRIES", 3)
    assert asked(machine, signer, wanted)[1].end == "done"


def test_a_label_that_cannot_be_written_again_is_not_lost(machine: Machine, signer: Signer) -> None:
    holds = FileSystem(kind="exfat", sector=512, cluster=32768, serial=1, label="??")
    machine.places = (Place(node="/dev/sdb1", disk=DEVICE, holds=holds),)
    wanted = request(target("DCIM/a.mp4", DATA), target("DCIM/b.mp4", OTHER), reformat=BY)
    assert "label" in asked(machine, signer, wanted)[1].what
    assert machine.formatted == 0


# --- the card and the machine -----------------------------------------------------------------------------------------


def probed(path: Path, at: int = 0) -> FileSystem | None:
    with path.open("rb") as file:
        return probe(lambda offset, length: os.pread(file.fileno(), length, at + offset))


@pytest.mark.parametrize(("bits", "size"), [(12, 1 << 20), (16, 8 << 20), (32, 64 << 20)])
def test_it_knows_fat(bits: int, size: int, tmp_path: Path) -> None:
    FatImage(tmp_path / "card", size, bits=bits, label="DOCK 7", serial=0xCAFE0001).close()
    found = probed(tmp_path / "card")
    assert found is not None
    assert (found.kind, found.serial, found.label, found.driver) == (f"fat{bits}", 0xCAFE0001, "DOCK 7", "vfat")


def test_it_knows_exfat_and_a_label_it_cannot_write(tmp_path: Path) -> None:
    ExfatImage(tmp_path / "card", 64 << 20, label="CARD", serial=0xBEEF).close()
    found = probed(tmp_path / "card")
    assert found is not None
    assert (found.kind, found.serial, found.label, found.driver) == ("exfat", 0xBEEF, "CARD", "exfat")
    ExfatImage(tmp_path / "other", 64 << 20, label="记录仪", serial=1).close()
    found = probed(tmp_path / "other")
    assert found is not None
    assert found.label == "???"


@pytest.mark.parametrize("head", [b"", b"\0" * 512, b"\xff" * 512, b"\0" * 510 + b"\x55\xaa", b"NTFS    " * 64])
def test_anything_else_is_no_file_system(head: bytes) -> None:
    assert probe(lambda offset, length: head[offset : offset + length]) is None


@pytest.mark.parametrize(("bits", "size"), [(12, 1 << 20), (16, 8 << 20), (32, 64 << 20)])
def test_a_card_formatted_anew_is_the_same_kind_of_card(bits: int, size: int, tmp_path: Path) -> None:
    """With the real programs, on a file: they are told everything that the card was."""
    card = tmp_path / "card"
    FatImage(card, size, bits=bits, label="DOCK7", serial=0xCAFE0001).close()
    before = probed(card)
    assert before is not None
    card.write_bytes(b"\0" * size)
    run(Place(node=str(card), disk=str(card), holds=before))
    assert probed(card) == before


def test_an_exfat_card_formatted_anew_is_the_same_kind_of_card(tmp_path: Path) -> None:
    card = tmp_path / "card"
    ExfatImage(card, 64 << 20, label="CARD", serial=0xBEEF).close()
    before = probed(card)
    assert before is not None
    card.write_bytes(b"\0" * (64 << 20))
    run(Place(node=str(card), disk=str(card), holds=before))
    assert probed(card) == before


def run(place: Place) -> None:
    from bwcdock.erase_helper import kernel

    for command in format_commands(place):
        kernel._run(command)


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"\0" * 512)
    with pytest.raises(OSError, match=r"mkfs\.vfat failed"):
        run(Place(node=str(tmp_path / "small"), disk=str(tmp_path / "small"), holds=FAT32))


def test_only_udevs_own_word_makes_a_slot(tmp_path: Path) -> None:
    kernel = Kernel(root=tmp_path)
    data = tmp_path / "run/udev/data"
    data.mkdir(parents=True)
    number = os.makedev(8, 16)
    assert kernel.slot(number) is None
    for text, slot in [
        ("E:BWCDOCK_SLOT=3\nE:ID_BUS=usb\n", 3),
        ("E:BWCDOCK_SLOT=\n", None),
        ("E:BWCDOCK_SLOT=3x\n", None),
        ("E:BWCDOCK_SLOT=3\nE:BWCDOCK_SLOT=4\n", None),
        ("E:ID_SERIAL=a E:BWCDOCK_SLOT=3\n", None),
        ("G:bwcdock\n", None),
    ]:
        (data / "b8:16").write_text(text)
        assert kernel.slot(number) == slot, text


def test_partitions_are_those_the_kernel_names(tmp_path: Path) -> None:
    for name in ("sdb2", "sdb1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "partition").write_text("1")
    (tmp_path / "queue").mkdir()
    assert Kernel().partitions(tmp_path) == ["sdb1", "sdb2"]


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Refusal, match="no block device"):
        Kernel().disk(str(tmp_path / "file"))
    with pytest.raises(Refusal, match="no block device"):
        Kernel().disk("/dev/null")


def test_without_its_unit_it_mounts_nothing_and_hears_nobody() -> None:
    with pytest.raises(Refusal, match="from its unit"):
        Kernel().station_key()
    place = Place(node="/dev/sdb1", disk=DEVICE, holds=FAT32)
    if os.stat("/mnt").st_dev == os.stat("/").st_dev:
        with pytest.raises(Refusal, match="from its unit"), Kernel().mounted(place, writable=True):
            raise AssertionError


def test_the_peer_is_asked_of_the_kernel() -> None:
    """A socket pair is of one process: its credentials are ours, whatever the other end says."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        raw = theirs.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    assert struct.unpack("3i", raw)[:2] == (os.getpid(), os.getuid())


def test_as_a_program_it_hears_nobody_outside_its_unit() -> None:
    command = [sys.executable, "-I", "-m", "bwcdock.erase_helper"]
    alone = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert (alone.returncode, "from its unit" in alone.stderr) == (1, True)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"{}\n")
        told = subprocess.run(command, check=False, stdin=theirs, capture_output=True, text=True, timeout=30)
        answer = ANSWER.validate_json(ours.recv(4096))
    assert (told.returncode, answer.end) == (0, "refused")  # type: ignore[union-attr]
    assert told.stderr.startswith("refused: ")
