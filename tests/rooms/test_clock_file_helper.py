"""The helper puts exactly one new small file at the top of a card, as it was asked for, and changes nothing else."""

import errno
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from bwcdock.calls import SYSTEM
from bwcdock.durable_tree import create_at
from bwcdock.erase_helper import clock_file as putting
from bwcdock.erasing import Asked, ClockFileRequest, Request
from bwcdock.ledger import Signer
from bwcdock.manifest import sign
from erase_world import DEVICE, NOW, Machine, ask, asked, clock_file, request, target
from pydantic import ValidationError

FOOTAGE = b"footage" * 1000
TEXT = b"2026-11-21 20:00:00"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.generate(tmp_path / "signing.key", "bwcdock/test")


@pytest.fixture
def machine(tmp_path: Path, signer: Signer) -> Machine:
    card = tmp_path / "card"
    (card / "DCIM").mkdir(parents=True)
    (card / "DCIM" / "a.mp4").write_bytes(FOOTAGE)
    (card / "SETTINGS.INI").write_bytes(b"volume=3")
    return Machine(card=card, key=signer.verifier.vkey)


def held(machine: Machine) -> dict[str, object]:
    """Everything on the card: what is read of files, where links lead."""
    return {
        path.relative_to(machine.card).as_posix(): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in machine.card.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def ms(moment: timedelta) -> int:
    return int((NOW + moment).timestamp() * 1000)


def test_exactly_this_file_is_new(machine: Machine, signer: Signer) -> None:
    before = held(machine)
    told, end, notes = asked(machine, signer, clock_file())
    assert (told, end.end, end.what) == ([], "done", "")
    assert held(machine) == before | {"TIMESET.TXT": TEXT}
    # Looked for while nothing could be written, written, and read from the card itself.
    assert machine.mounts == [False, True, False]
    assert [json.loads(note)["content"] for note in notes] == [TEXT.decode()]


@pytest.mark.parametrize("name", ["TIMESET.TXT", "timeset.txt", "TimeSet.Txt"])
def test_one_that_is_there_is_left_as_it_is(name: str, machine: Machine, signer: Signer) -> None:
    (machine.card / name).write_bytes(b"2011-01-01 00:00:00")
    before = held(machine)
    _, end, _ = asked(machine, signer, clock_file())
    assert (end.end, end.reason) == ("refused", "there")
    assert held(machine) == before
    assert machine.mounts == [False]  # it was never open to being written to


def test_one_that_comes_meanwhile_is_left_as_it_is(machine: Machine, signer: Signer) -> None:
    def meanwhile() -> None:
        if machine.mounts == [False, True]:
            (machine.card / "TIMESET.TXT").write_bytes(b"another")

    machine.meanwhile = meanwhile
    _, end, _ = asked(machine, signer, clock_file())
    assert (end.end, end.reason) == ("refused", "there")
    assert held(machine)["TIMESET.TXT"] == b"another"


@pytest.mark.parametrize("leads", ["outside", "SETTINGS.INI", "nowhere"])
def test_no_link_is_followed(leads: str, machine: Machine, signer: Signer, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")

    def meanwhile() -> None:  # after it was looked for: else it is simply there
        if machine.mounts == [False, True]:
            (machine.card / "TIMESET.TXT").symlink_to(outside if leads == "outside" else leads)

    machine.meanwhile = meanwhile
    before = held(machine)
    _, end, _ = asked(machine, signer, clock_file())
    assert end.end == "refused"
    assert {k: v for k, v in held(machine).items() if k != "TIMESET.TXT"} == before
    assert outside.read_bytes() == b"mine"
    assert not (machine.card / "nowhere").exists()


@pytest.mark.parametrize("age", [timedelta(seconds=61), timedelta(days=1), timedelta(seconds=-1)])
def test_a_time_that_is_not_right_any_more_is_not_written(age: timedelta, machine: Machine, signer: Signer) -> None:
    before = held(machine)
    _, end, _ = asked(machine, signer, clock_file(asked_ms=ms(-age)))
    assert (end.end, end.reason, "would set a wrong one" in end.what) == ("refused", "", True)
    assert (held(machine), machine.mounts) == (before, [])
    assert asked(machine, signer, clock_file(asked_ms=ms(timedelta(seconds=-60))))[1].end == "done"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "."},
        {"name": ".."},
        {"name": "../TIME.TXT"},
        {"name": "DCIM/TIME.TXT"},
        {"name": "DCIM\\TIME.TXT"},
        {"name": "/TIME.TXT"},
        {"name": "TIMESETTING.TXT"},
        {"name": "TIME.TEXT"},
        {"name": "TIME.TXT "},
        {"name": "TIME.TXT\n"},
        {"name": "TIME\0"},
        {"name": "时间.TXT"},
        {"name": "A B.TXT"},
        {"name": "TIME..TXT"},
        {"name": ".TXT"},
        {"content": ""},
        {"content": b"short".hex()},
        {"content": (b"x" * 65).hex()},
        {"content": b"2026-11-21 20:00\0".hex()},
        {"content": b"2026-11-21 20:00\x1b".hex()},
        {"content": "时间二〇二六".encode().hex()},
        {"content": "2026-11-21 20:00"},
        {"asked_ms": -1},
        {"asked_ms": 2**43},
        {"asked_ms": "0"},
        {"device": "/dev/../etc/passwd"},
        {"device": "/dev/mapper/x"},
        {"slot": 0},
        {"diskseq": True},
        {"v": 2},
        {"files": ()},
        {"more": 1},
        {"reformat": ("张三", "李四")},
    ],
)
def test_a_request_is_strict(changes: dict[str, object]) -> None:
    plain = clock_file().model_dump()
    ClockFileRequest.model_validate(plain)
    with pytest.raises(ValidationError):
        ClockFileRequest.model_validate(plain | changes)
    with pytest.raises(ValidationError):
        Asked.model_validate(plain | changes)


def test_no_request_is_both() -> None:
    files = request(target("DCIM/a.mp4", FOOTAGE))
    assert type(Asked.model_validate_json(files.model_dump_json()).root) is Request
    assert type(Asked.model_validate_json(clock_file().model_dump_json()).root) is ClockFileRequest
    with pytest.raises(ValidationError):
        Asked.model_validate(files.model_dump() | clock_file().model_dump())


# --- who is heard -----------------------------------------------------------------------------------------------------


def untouched(machine: Machine, line: bytes) -> str:
    before = held(machine)
    told, end, notes = ask(machine, line)
    assert (told, end.end) == ([], "refused")
    assert (held(machine), machine.mounts) == (before, [])
    return notes[0]


def test_strangers_are_not_heard(machine: Machine, signer: Signer, tmp_path: Path) -> None:
    other = Signer.generate(tmp_path / "other.key", "bwcdock/test")
    assert "signed by" in untouched(machine, sign(clock_file(), other) + b"\n")
    line = sign(clock_file(), signer) + b"\n"
    for old, new in ((b"TIMESET.TXT", b"TIMESET.TXS"), (b'"slot":3', b'"slot":4'), (TEXT.hex().encode(), b"41" * 19)):
        assert old in line
        assert "signature is wrong" in untouched(machine, line.replace(old, new))
    machine.uid = os.getuid() + 1
    assert "is not the station" in untouched(machine, line)


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
    _, end, _ = asked(machine, signer, clock_file(**changes))
    assert (end.end, why in end.what, machine.mounts) == ("refused", True, [])


def test_only_a_disk_with_one_file_system(machine: Machine, signer: Signer) -> None:
    machine.places = machine.places * 2
    assert "There are 2 FAT" in asked(machine, signer, clock_file())[1].what
    assert DEVICE in asked(machine, signer, clock_file())[1].what


# --- a card that fails ------------------------------------------------------------------------------------------------


def test_a_card_that_fails_at_the_end_is_told_as_broken(machine: Machine, signer: Signer) -> None:
    machine.breaks = OSError(errno.EIO, "Input/output error")
    assert asked(machine, signer, clock_file())[1].end == "broken"


def test_a_card_that_holds_something_else_is_told_as_broken(machine: Machine, signer: Signer) -> None:
    def meanwhile() -> None:
        if machine.mounts == [False, True, False]:
            (machine.card / "TIMESET.TXT").write_bytes(TEXT + b"!")

    machine.meanwhile = meanwhile
    assert asked(machine, signer, clock_file())[1].end == "broken"


def test_what_cannot_be_written_leaves_nothing(
    machine: Machine, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(machine)

    def full(directory: int, name: bytes, data: bytes) -> None:
        create_at(directory, name, data, system=Full())

    monkeypatch.setattr(putting.durable_tree, "create_at", full)
    assert asked(machine, signer, clock_file())[1].end == "broken"
    assert held(machine) == before


class Full(type(SYSTEM)):  # type: ignore[misc]
    """A card on which half of what is written has room."""

    @staticmethod
    def write(file: int, data: bytes) -> int:
        return os.write(file, data[: len(data) // 2])
