"""What a recorder said before it became a disk, joined with what its disk says; and the one password for it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from bwcdock.core.facts import Condition, Drift, Identity
from bwcdock.errors import NotAllowed
from bwcdock.settings import Secret, Unlock
from bwcdock.steps.switch import Told, condition_of, identity_of, switch

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SAID = Identity(serial="A1B2C3D", basis="device", vendor="Jieli", model="DV16A0", user="033021 王建国", unit="鼓楼分局")
DISK = Identity(serial="vol-1234", basis="volume-serial", vendor="x", model="y", label="DV", quirk="dv16")
MEASURED = Drift(method="protocol", offset_ms=5000, uncertainty_ms=600, read_at=NOW)
BOUND = Drift(method="newest-file", offset_ms=9, uncertainty_ms=1, read_at=NOW, bound="at_least")


def told(identity=SAID, **condition):
    return Told(identity=identity, condition=Condition(**condition))


def test_the_recorder_says_who_it_is_and_its_disk_how_it_is_called():
    found, doubts = identity_of(told(), DISK)
    assert found == replace(SAID, label="DV", quirk="dv16")
    assert doubts == ()


def test_a_disk_alone_is_as_it_was():
    assert identity_of(None, DISK) == (DISK, ())
    condition = Condition(battery=3, drift=BOUND)
    assert condition_of(None, condition) is condition


def test_a_disk_that_names_the_same_recorder_raises_no_doubt():
    assert identity_of(told(), replace(DISK, serial="A1B2C3D", basis="label"))[1] == ()


@pytest.mark.parametrize("basis", ["label", "name-group", "protocol"])
def test_a_disk_that_names_another_recorder_is_that_ones_and_is_told(basis):
    other = replace(DISK, serial="OTHER01", basis=basis)
    found, (doubt,) = identity_of(told(), other)
    assert found == other
    assert doubt.code == "identity.differs"
    assert dict(doubt.evidence) == {"said": "A1B2C3D", "disk": "OTHER01", "basis": basis}


def test_one_that_told_no_number_of_its_own_is_known_by_its_disk():
    found, doubts = identity_of(told(replace(SAID, serial="DV16", basis="none")), replace(DISK, user="of the disk"))
    assert (found.serial, found.basis, found.user, found.unit) == (
        "vol-1234",
        "volume-serial",
        "of the disk",
        "鼓楼分局",
    )
    assert doubts == ()


@pytest.mark.parametrize(
    ("said", "disk", "battery", "drift"),
    [
        ({"battery": 80, "drift": MEASURED}, {}, 80, MEASURED),
        ({"battery": 80, "drift": MEASURED}, {"drift": BOUND}, 80, MEASURED),
        ({"battery": 80}, {"battery": 10, "drift": BOUND}, 10, BOUND),
        ({"drift": MEASURED}, {"drift": replace(MEASURED, offset_ms=1)}, None, replace(MEASURED, offset_ms=1)),
    ],
)
def test_what_the_disk_cannot_say_the_recorder_said(said, disk, battery, drift):
    found = condition_of(told(**said), Condition(storage_free=7, dirty=True, **disk))
    assert (found.battery, found.drift, found.storage_free, found.dirty) == (battery, drift, 7, True)


class Locked:
    def __init__(self, mine):
        self.mine, self.tried, self.switched = mine, [], False

    def unlock(self, secret):
        self.tried.append(secret)
        if secret != self.mine:
            raise NotAllowed("unlock", "It is another.", "Correct it.")

    def switch_to_disk(self):
        self.switched = True


def unlock(tmp_path, password, driver="dv16", serials=()):
    file = tmp_path / f"password-{password}"
    file.write_text(f"{password}\n")
    file.chmod(0o600)
    return Unlock(driver=driver, serials=serials, password=Secret(file=file))


def test_the_password_that_names_it_goes_before_that_for_all(tmp_path):
    known = [unlock(tmp_path, "all"), unlock(tmp_path, "one", serials=("A1", "B2")), unlock(tmp_path, "zzx", "zzx")]
    switch(known, "dv16", "B2", one := Locked("one"))
    switch(known, "dv16", "C3", other := Locked("all"))
    assert (one.tried, one.switched, other.tried, other.switched) == (["one"], True, ["all"], True)


def test_a_wrong_password_is_the_only_one_that_is_tried(tmp_path):
    known = [unlock(tmp_path, "all"), unlock(tmp_path, "one", serials=("A1",)), unlock(tmp_path, "two")]
    made = Locked("two")
    with pytest.raises(NotAllowed):
        switch(known, "dv16", "A1", made)
    assert (made.tried, made.switched) == (["one"], False)


def test_without_a_password_nothing_is_tried(tmp_path):
    made = Locked("")
    with pytest.raises(NotAllowed, match="none for it"):
        switch([unlock(tmp_path, "x", "zzx"), unlock(tmp_path, "y", serials=("Z",))], "dv16", "A1", made)
    (tmp_path / "password-x").unlink()
    with pytest.raises(NotAllowed, match="cannot be had") as found:
        switch([Unlock(driver="dv16", password=Secret(file=tmp_path / "password-x"))], "dv16", "A1", made)
    assert found.value.op == "unlock"
    assert (made.tried, made.switched) == ([], False)


def test_one_without_a_lock_just_becomes_a_disk():
    class Open:
        switched = False

        def switch_to_disk(self):
            self.switched = True

    made = Open()
    switch([], "dv16", "A1", made)
    assert made.switched
