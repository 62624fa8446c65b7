"""Slots: which port is which, read strictly, written so that it reads back, and told to udev exactly."""

import tomllib

import pytest
from bwcdock import slots
from bwcdock.errors import Misused
from bwcdock.slots import Place, Slot
from hypothesis import given
from hypothesis import strategies as st

HOST = "pci-0000:00:14.0-usb-0:"
CONTROLLERS = st.sampled_from([HOST, "platform-dummy_hcd.0-usb-0:", "platform-fd500000.pcie-pci-0000:01:00.0-usb-0:"])
PORTS = st.builds(
    lambda at, chain: at + ".".join(map(str, chain)), CONTROLLERS, st.lists(st.integers(1, 31), min_size=1, max_size=6)
)
SLOTS = st.lists(
    st.builds(lambda n, p, first: Slot(number=n, port=p, priority=first), st.integers(1, 999), PORTS, st.booleans()),
    max_size=24,
    unique_by=(lambda s: s.number, lambda s: s.port),
)


@pytest.mark.parametrize(
    ("id_path", "place"),
    [
        (f"{HOST}1", Place(port=f"{HOST}1")),
        (f"{HOST}1.4.2:1.0", Place(port=f"{HOST}1.4.2", interface="1.0")),
        (f"{HOST}1.2:1.0-scsi-0:0:0:3", Place(port=f"{HOST}1.2", interface="1.0", lun=3)),
        ("platform-dummy_hcd.0-usb-0:1:1.0-scsi-0:0:0:0", Place(port="platform-dummy_hcd.0-usb-0:1", interface="1.0")),
        ("pci-0000:00:14.0-usbv3-0:2:1.1-scsi-0:0:0:0", Place(port="pci-0000:00:14.0-usbv3-0:2", interface="1.1")),
        (f"{HOST}3:1.2-ata-1", Place(port=f"{HOST}3", interface="1.2")),
        ("pci-0000:00:17.0-ata-1", None),
        ("pci-0000:00:14.0", None),
        ("", None),
        (f"{HOST}1;rm", None),
        (f'{HOST}1", RUN+="/bin/sh', None),
    ],
)
def test_the_port_of_a_path(id_path, place):
    assert slots.place_of(id_path) == place


@given(SLOTS)
def test_what_is_written_reads_back(tmp_path_factory, chosen):
    path = tmp_path_factory.mktemp("dock") / "slots.toml"
    path.write_text(slots.render(chosen))
    assert slots.load(path) == tuple(sorted(chosen, key=lambda s: s.number))
    assert slots.render(chosen[::-1]) == slots.render(chosen)


def test_no_file_means_no_slots(tmp_path):
    assert slots.load(tmp_path / "slots.toml") == ()


ONE = f'[[slot]]\nnumber = 1\nport = "{HOST}1"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'{ONE}[[slot]]\nnumber = 1\nport = "{HOST}2"\n', ":5: slot 1 is named twice"),
        (f'{ONE}[[slot]]\nnumber = 2\n\nport = "{HOST}1"\n', ":7: slot 2 has the port of slot 1"),
        (f"{ONE}speed = 3\n", ":4: slot[1].speed: Extra inputs are not permitted"),
        ("[[slots]]\nnumber = 1\n", ":1: slots: Extra"),
        (f'[[slot]]\nport = "{HOST}1"\n', ":1: slot[1].number: Field required"),
        (f'[[slot]]\nnumber = 0\nport = "{HOST}1"\n', ":2: slot[1].number: Input should be greater"),
        (f'[[slot]]\nnumber = 1000\nport = "{HOST}1"\n', ":2: slot[1].number: Input should be less"),
        (f'[[slot]]\nnumber = "1"\nport = "{HOST}1"\n', ":2: slot[1].number: Input should be a valid integer"),
        ('[[slot]]\nnumber = 1\nport = "sdb"\n', ":3: slot[1].port: String should match pattern"),
        (f'[[slot]]\nnumber = 1\nport = "{HOST}1:1.0"\n', ":3: slot[1].port: String should match"),
        (f"[[slot]]\nnumber = 1\nport = '{HOST}1\", RUN+=\"x'\n", ":3: slot[1].port: String should match"),
        (f'[[slot]]\nnumber = 1\nport = "{HOST}1*"\n', ":3: slot[1].port: String should match"),
        (f'[[slot]]\nnumber = 1\nport = "{HOST}1\\n"\n', ":3: slot[1].port: String should match"),
        ("[[slot]\n", "is not TOML"),
        ("# \udcff", "is not UTF-8"),
    ],
)
def test_a_wrong_file_is_refused_by_file_and_line(tmp_path, text, told):
    path = tmp_path / "slots.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Misused) as refused:
        slots.load(path)
    assert f"{path}{told}" in refused.value.what or told in refused.value.what
    assert str(path) in refused.value.what
    assert "docs/slots.md" in refused.value.hint


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(Misused, match="cannot be read: Is a directory"):
        slots.load(tmp_path)


def test_the_slots_that_go_first_are_known_by_number():
    chosen = [Slot(number=7, port=f"{HOST}1.7", priority=True), Slot(number=1, port=f"{HOST}1.1")]
    assert (slots.first(chosen), slots.first([])) == (frozenset({7}), frozenset())


# --- rules ------------------------------------------------------------------------------------------------------------


def test_the_rules_name_each_port_and_what_hangs_directly_on_it():
    rules = slots.rules_for([Slot(number=2, port=f"{HOST}1.2"), Slot(number=1, port=f"{HOST}1.1", priority=True)])
    lines = [line for line in rules.splitlines() if "BWCDOCK_SLOT" in line and "ID_PATH" in line]
    assert lines == [
        f'ENV{{ID_PATH}}=="{HOST}1.1|{HOST}1.1:*", ENV{{BWCDOCK_SLOT}}="1"',
        f'ENV{{ID_PATH}}=="{HOST}1.2|{HOST}1.2:*", ENV{{BWCDOCK_SLOT}}="2"',
    ]


@given(SLOTS)
def test_no_slot_can_say_anything_else_in_the_rules(chosen):
    lines = [line for line in slots.rules_for(chosen).splitlines() if "ID_PATH}==" in line and "SLOT" in line]
    assert len(lines) == len(chosen)
    for line, slot in zip(lines, sorted(chosen, key=lambda s: s.number), strict=True):
        assert line.count('"') == 4
        assert not set(slot.port) & set("*?[]|$%\\\"'`{} \n")


@given(SLOTS)
def test_slots_render_to_plain_toml(chosen):
    assert len(tomllib.loads(slots.render(chosen)).get("slot", [])) == len(chosen)
