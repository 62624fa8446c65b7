"""`bwcdock record-tape` keeps a conversation with a recorder, for whoever mends its driver."""

import json

from bwcdock.testing.mtp_ip import IpResponder
from bwcdock.testing.mtp_responder import Fault, MtpDevice
from bwcdock_drivers.mtp.driver import MtpDriver
from cli_world import Told, is_one_sentence, run, station, well


def device() -> MtpDevice:
    made = MtpDevice(serial="BWC-0042", props=(0x5001,))
    made.record("DCIM/a.mp4", b"footage" * 1000)
    return made


def refused(told: Told, what: str) -> None:
    assert told.status == 2
    assert is_one_sentence(told.err)
    assert what in told.err


def test_a_conversation_is_kept_and_the_driver_hears_it_again(tmp_path):
    dock, tape = station(tmp_path / "dock"), tmp_path / "a.tape"
    with IpResponder(device()) as responder:
        assert "by the driver mtp" in well("-C", dock, "record-tape", responder.source, tape)
        # What is there is not written over.
        refused(run("-C", dock, "record-tape", responder.source, tape), "exists")
    assert "BWC-0042" not in tape.read_text()
    with MtpDriver().open_played(tape.read_text().splitlines()) as recorder:
        assert [(each.path, each.size) for each in recorder.items()] == [("DCIM/a.mp4", 7000)]


def test_a_recorder_that_fails_is_kept_all_the_same(tmp_path):
    dock, tape = station(tmp_path / "dock"), tmp_path / "a.tape"
    made = device()
    made.faults.append(Fault(0x1007, "data", "garbage", times=99))
    with IpResponder(made) as responder:
        told = run("-C", dock, "record-tape", responder.source, tape)
    assert told.status == 1
    assert "It ended with: list: " in told.out
    assert any("broke" in json.loads(line) for line in tape.read_text().splitlines())


def test_what_has_no_tape_is_said(tmp_path):
    dock, tape = station(tmp_path / "dock"), tmp_path / "a.tape"
    refused(run("-C", dock, "record-tape", "/dev/bus/usb/250/250", tape), "No driver knows")
    refused(run("-C", dock, "record-tape", tmp_path, tape), "keeps no tapes")
    assert not tape.exists()
