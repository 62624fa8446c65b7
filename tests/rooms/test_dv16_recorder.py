"""DV16 recorders: every command that may be sent and every one that may not, and what a recorder answers."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.errors import BwcdockError, Misbehaved, Misused, NotAllowed, Unplugged
from bwcdock.ports import SetsClock, SwitchesToDisk, Tapes, Unlocks
from bwcdock.testing.dv16_recorder import Dv16Rack, Dv16Recorder
from bwcdock_drivers.dv16 import wire
from bwcdock_drivers.dv16.driver import Dv16Driver
from bwcdock_drivers.dv16.unit import Guarded, Nodes
from bwcdock_drivers.dv16.wire import Command
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 4, 0, 0, 900_000, tzinfo=UTC)
HERE = Sighting(port="usb-1", source="/dev/sdb", properties=(("ID_MODEL", "DEVICE_V1.00"), ("ID_SERIAL", "A1B2C3D")))
TAPES = Path(__file__).with_name("tapes")


@contextmanager
def docked(made):
    rack = Dv16Rack(sdb=made)
    with Dv16Driver(units=rack).open(HERE) as recorder:
        yield recorder
    assert rack.opened == 0


def sent(made):
    return [cdb[5] for cdb, _ in made.heard]


# --- commands ---------------------------------------------------------------------------------------------------------

MAY_READ, MAY_WRITE = {2: 6, 3: 89, 8: 4, 12: 4, 13: 16, 14: 4}, {1: 0, 5: 7, 6: 0}


def block(way, command, length):
    cdb = bytearray(16)
    cdb[0:2], cdb[5], cdb[7] = bytes(way), command, length
    return bytes(cdb)


@pytest.mark.parametrize("command", range(256))
def test_of_all_commands_nine_are_ever_sent(command):
    made = Dv16Recorder()
    unit = Guarded(made)
    reads, writes = block((0xFD, 0x81), command, MAY_READ.get(command, 4)), MAY_WRITE.get(command, 89)
    if command in MAY_READ:
        assert len(unit.take(reads, MAY_READ[command])) == MAY_READ[command]
    else:
        with pytest.raises(NotAllowed):
            unit.take(reads, 4)
    before = len(made.heard)
    if command in MAY_WRITE:
        unit.give(block((0xFB, 0x82), command, writes), bytes(writes))
    else:
        with pytest.raises(NotAllowed):
            unit.give(block((0xFB, 0x82), command, writes), bytes(writes))
        assert len(made.heard) == before
    assert made.overwritten == []


def test_each_of_them_has_one_length():
    every = [(c, n) for c in range(256) for n in range(256)]
    reads = {(c, n) for c, n in every if wire.allows(block((0xFD, 0x81), c, n), wanted=n)}
    writes = {(c, n) for c, n in every if wire.allows(block((0xFB, 0x82), c, n), given=n)}
    assert reads == set(MAY_READ.items())
    assert writes == set(MAY_WRITE.items())


@pytest.mark.parametrize(
    ("cdb", "wanted", "given"),
    [
        (block((0xFD, 0x81), 13, 16), 16, 1),
        (block((0xFB, 0x82), 1, 0), 1, 0),
        (block((0xFD, 0x81), 13, 16), 17, 0),
        (block((0xFD, 0x81), 13, 17), 17, 0),
        (block((0xFD, 0x81), 13, 16), 0, 16),
        (block((0xFD, 0x81), 13, 16), 0, 0),
        (block((0xFB, 0x82), 13, 16), 16, 0),
        (block((0xFB, 0x82), 5, 7), 0, 8),
        (block((0xFB, 0x82), 5, 7), 7, 0),
        (block((0xFB, 0x81), 5, 7), 0, 7),
        (block((0xFB, 0x82), 5, 7) + b"\0", 0, 7),
        (block((0xFD, 0x81), 2, 6)[:6], 6, 0),
        (b"", 0, 0),
        (b"", 6, 0),
        (b"\x12\0\0\0\x24\0", 37, 0),
        (b"\x12\1\0\0\x24\0", 36, 0),  # vital product data
        (b"\x2a" + bytes(9), 0, 0),  # WRITE(10)
        (b"\x04" + bytes(5), 0, 0),  # FORMAT UNIT
        (b"\x1b" + bytes(5), 0, 0),  # START STOP UNIT
        (bytes(6), 0, 0),
    ],
)
def test_a_command_that_is_nearly_one_is_none(cdb, wanted, given):
    assert not wire.allows(cdb, wanted=wanted, given=given)


@given(cdb=st.binary(max_size=20), wanted=st.integers(0, 255), given=st.integers(0, 255))
def test_no_other_bytes_are_a_command(cdb, wanted, given):
    known = {block((0xFD, 0x81), c, n): (n, 0) for c, n in MAY_READ.items()}
    known |= {block((0xFB, 0x82), c, n): (0, n) for c, n in MAY_WRITE.items()} | {wire.INQUIRY: (36, 0)}
    assert wire.allows(cdb, wanted=wanted, given=given) == (known.get(cdb) == (wanted, given))


# --- who it is, and how -----------------------------------------------------------------------------------------------


def test_it_says_who_it_is_and_who_wears_it():
    with docked(made := Dv16Recorder()) as recorder:
        told = recorder.identity()
        condition = recorder.condition(NOW)
    assert (told.serial, told.basis, told.vendor, told.model) == ("A1B2C3D", "device", "Jieli", "DV16A0")
    assert (told.user, told.unit) == ("033021 王建国", "350102000000 鼓楼分局")
    assert (condition.battery, condition.drift, condition.storage_free) == (80, None, None)
    assert sent(made) == [1, 2, 14, 3, 8]
    assert made.overwritten == []


@pytest.mark.parametrize("serial", ["", "0000000", "       ", "FFFFFFF"])
def test_a_number_that_every_recorder_of_the_make_has_is_none(serial):
    with docked(Dv16Recorder(info=(serial, "", "", "", ""))) as recorder:
        told = recorder.identity()
    assert (told.serial, told.basis, told.user, told.unit) == ("DV16", "none", "", "")


def test_a_name_that_is_no_gbk_or_steers_a_screen_is_shown_escaped():
    made = Dv16Recorder()
    raw = bytearray(made.fields())
    raw[13:19] = b"\x1b[2J\xff\xff"
    with docked(Dv16Recorder(says={3: bytes(raw)})) as recorder:
        user = recorder.identity().user
    assert "\x1b" not in user
    assert "xff" in user


@pytest.mark.parametrize(("raw", "percent"), [(-1, None), (101, None), (0, 0), (100, 100), (2**31 - 1, None)])
def test_a_battery_that_is_none_is_not_told(raw, percent):
    with docked(Dv16Recorder(says={8: raw.to_bytes(4, "little", signed=True)})) as recorder:
        assert recorder.condition(NOW).battery == percent


@pytest.mark.parametrize("command", [2, 3, 8, 12, 13, 14])
@pytest.mark.parametrize("answer", [b"", b"\1", b"\1" * 200])
def test_an_answer_of_another_length_is_its_misbehaviour_or_cut(command, answer):
    made = Dv16Recorder(says={command: answer})
    with pytest.raises((Misbehaved, NotAllowed)) as found, docked(made) as recorder:  # noqa: PT012
        recorder.condition(NOW)
        recorder.unlock("246810")
        recorder.switch_to_disk()
        assert len(answer) > 89
        raise Misbehaved("test", "What is too long was cut where it was asked for.", "")
    assert len(answer) > 89 or found.type is Misbehaved


@given(raw=st.binary(max_size=120), command=st.sampled_from(sorted(wire.ANSWERS)))
def test_whatever_it_answers_is_understood_or_refused(raw, command):
    parsers = {
        Command.MODEL: wire.model,
        Command.INFO: wire.info,
        Command.BATTERY: wire.battery,
        Command.CARD: wire.has_card,
        Command.PASSWORD: wire.password,
        Command.RESULT: wire.is_well,
    }
    try:
        parsers[command](raw)
    except wire.Malformed:
        assert len(raw) != wire.ANSWERS[command]


@given(raws=st.lists(st.binary(max_size=100), min_size=6, max_size=6))
def test_a_recorder_that_answers_nonsense_costs_its_docking_and_nothing_else(raws):
    made = Dv16Recorder(says=dict(zip(MAY_READ, raws, strict=True)))
    with pytest.raises(BwcdockError), docked(made) as recorder:  # noqa: PT012  (any of them may be the one)
        assert recorder.identity().serial
        recorder.condition(NOW)
        recorder.unlock("not this one")


def test_what_is_refused_at_the_greeting_is_said():
    with pytest.raises(Misbehaved, match="INIT") as found, docked(Dv16Recorder(refuses={1})):
        pass
    assert found.value.op == "open"
    with pytest.raises(Misbehaved, match="could not do"), docked(Dv16Recorder(is_well=False)):
        pass


# --- its password, its disk, its clock --------------------------------------------------------------------------------


def test_it_is_unlocked_by_its_own_password_and_becomes_a_disk():
    with docked(made := Dv16Recorder()) as recorder:
        assert isinstance(recorder, Unlocks)
        assert isinstance(recorder, SwitchesToDisk)
        recorder.unlock("246810")
        recorder.switch_to_disk()
    assert made.is_disk
    assert sent(made)[-3:] == [13, 12, 6]
    assert Dv16Driver(units=Dv16Rack(sdb=made)).claims(HERE) == 0


@pytest.mark.parametrize("secret", ["", "24681", "2468100", "000000", "888888", "246810\0", "密码"])
def test_another_password_is_refused_and_none_is_guessed(secret):
    with docked(made := Dv16Recorder()) as recorder:
        with pytest.raises(NotAllowed) as found:
            recorder.unlock(secret)
        assert "246810" not in str(found.value)
        assert not secret or secret not in str(found.value)
        for forbidden in (recorder.switch_to_disk, lambda: recorder.set_clock(NOW)):
            with pytest.raises(NotAllowed, match="not unlocked"):
                forbidden()
    assert not made.is_disk
    assert sent(made).count(13) == 1


def test_an_empty_password_opens_nothing():
    with docked(Dv16Recorder(password=b"")) as recorder, pytest.raises(NotAllowed):
        recorder.unlock("")


@pytest.mark.parametrize("leaves", ["at once", "with a broken answer"])
def test_one_that_is_gone_over_it_has_obeyed(leaves):
    with docked(made := Dv16Recorder(leaves=leaves)) as recorder:
        recorder.unlock("246810")
        recorder.switch_to_disk()
        assert not recorder.present()
    assert made.is_disk


def test_one_that_refuses_and_stays_has_not():
    with docked(Dv16Recorder(refuses={6})) as recorder:
        recorder.unlock("246810")
        with pytest.raises(Misbehaved, match="TO_DISK") as found:
            recorder.switch_to_disk()
    assert found.value.op == "switch"


def test_without_a_card_it_stays_as_it_is():
    with docked(made := Dv16Recorder(has_card=False)) as recorder:
        recorder.unlock("246810")
        with pytest.raises(NotAllowed, match="no card"):
            recorder.switch_to_disk()
    assert not made.is_disk


def test_its_clock_is_set_to_local_time_at_the_turn_of_a_second():
    with docked(made := Dv16Recorder()) as recorder:
        assert isinstance(recorder, SetsClock)
        recorder.unlock("246810")
        left = recorder.set_clock(NOW)
        assert made.clock == (2026, 11, 21, 12, 0, 1)
        assert left.uncertainty_ms >= 1000
        made.is_well = False
        with pytest.raises(Misbehaved, match="could not do"):
            recorder.set_clock(NOW)


def test_one_that_is_taken_away_is_unplugged():
    with docked(made := Dv16Recorder()) as recorder:
        made.is_there = False
        assert not recorder.present()
        with pytest.raises(Unplugged):
            recorder.condition(NOW)


# --- where it is found ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vendor", "model", "is_one"),
    [
        ("DV16    ", "DEVICE V1.00    ", True),
        ("dv16 dev", "ice  V1.00", True),
        ("DV16DEVI", "CE_V1.00", True),
        ("DV16    ", "DEVICE V2.00", False),
        ("Generic ", "DV16 DEVICE V1.00", False),
        ("", "", False),
    ],
)
def test_it_is_known_by_its_inquiry_while_it_has_no_medium(tmp_path, vendor, model, is_one):
    (tmp_path / "sdb/device").mkdir(parents=True)
    (tmp_path / "sdb/size").write_text("0\n")
    (tmp_path / "sdb/device/vendor").write_text(f"{vendor}\n")  # as the kernel ends each
    (tmp_path / "sdb/device/model").write_text(f"{model}\n")
    driver = Dv16Driver(units=Nodes(tmp_path))
    assert driver.claims(HERE) == (80 if is_one else 0)
    (tmp_path / "sdb/size").write_text("1000\n")
    assert driver.claims(HERE) == 0


@pytest.mark.parametrize("source", ["/dev/bus/usb/001/004", "/dev/sr0", "sdb", "/dev/../dev/sdb", "", "/dev/sdz", "\0"])
def test_nothing_else_is_one(tmp_path, source):
    assert Dv16Driver(units=Nodes(tmp_path)).claims(Sighting(port="usb-1", source=source)) == 0


def test_a_node_that_is_none_is_refused(tmp_path):
    with pytest.raises(Unplugged):
        Nodes().connect(str(tmp_path / "sdb"))
    (tmp_path / "sdb").write_text("no disk")
    with pytest.raises(NotAllowed, match="no disk"):
        Nodes().connect(str(tmp_path / "sdb"))


# --- tapes ------------------------------------------------------------------------------------------------------------


def conversation(recorder):
    told = (recorder.condition(NOW).battery, recorder.items(), recorder.identity().model, recorder.present())
    return (*told, len(recorder.identity().user))


def taped(made, ask=conversation):
    lines = []
    with Dv16Driver(units=Dv16Rack(sdb=made)).open_taped(HERE, lines.append) as recorder:
        return lines, ask(recorder)


def test_a_tape_answers_as_the_recorder_did_and_holds_no_name_and_no_password():
    def ask(recorder):
        heard = conversation(recorder)
        recorder.unlock("246810")
        return heard

    assert isinstance(Dv16Driver(), Tapes)
    lines, heard = taped(Dv16Recorder(), ask)
    text = "".join(lines)
    for secret in ("246810", "A1B2C3D", "033021", "王建国", "鼓楼分局"):
        assert secret not in text
        assert secret.encode("gbk").hex() not in text
    assert json.loads(lines[0]) == {"tape": 1, "driver": "dv16", "about": {"ID_MODEL": "DEVICE_V1.00"}}
    with Dv16Driver().open_played(lines) as recorder:
        assert conversation(recorder)[:4] == heard[:4]
        assert (recorder.identity().serial, recorder.identity().basis) == ("ABCDEFG", "device")
        with pytest.raises(NotAllowed):
            recorder.unlock("246810")


def test_what_went_wrong_then_goes_wrong_again():
    made = Dv16Recorder()

    def ask(recorder):
        made.refuses.add(8)
        with pytest.raises(Misbehaved):
            recorder.condition(NOW)
        made.is_there = False
        with pytest.raises(Unplugged):
            recorder.condition(NOW)

    lines, _ = taped(made, ask)
    with Dv16Driver().open_played(lines) as recorder:
        with pytest.raises(Misbehaved):
            recorder.condition(NOW)
        with pytest.raises(Unplugged):
            recorder.condition(NOW)
        assert not recorder.present()


def test_the_driver_plays_the_tape_that_is_kept():
    with Dv16Driver().open_played((TAPES / "dv16.jsonl").read_text().splitlines()) as recorder:
        assert conversation(recorder)[:3] == (80, [], "DV16A0")


def made_again():
    """`python -c "import test_dv16_recorder; test_dv16_recorder.made_again()"` writes the tape anew."""
    (TAPES / "dv16.jsonl").write_text("".join(taped(Dv16Recorder())[0]))


@given(st.lists(st.text(max_size=60), max_size=4), st.integers(0, 9))
def test_whatever_is_on_a_tape_is_answered_or_refused(lines, at):
    good = (TAPES / "dv16.jsonl").read_text().splitlines()
    try:
        with Dv16Driver().open_played([*good[:at], *lines, *good[at:]]) as recorder:
            conversation(recorder)
    except (Misused, BwcdockError):
        pass
