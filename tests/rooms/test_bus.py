"""What udev tells, folded: whatever order, doubles and losses there were, the table is what is there."""

from dataclasses import replace

import pytest
from bwcdock.detect.bus import Bus, Docks, Node, Policy, look
from hypothesis import given
from hypothesis import strategies as st

HOST = "pci-0000:00:14.0-usb-0:"
POLICY = Policy(slots={f"{HOST}1.{n}": n for n in range(1, 5)}, live_s=600, switch_s=15)
OPEN = replace(POLICY, any_port=True)


def usb(chain="1.1", number=7, interfaces=":080650:", **more):
    properties = {"ID_PATH": f"{HOST}{chain}", "ID_USB_INTERFACES": interfaces, "ID_VENDOR_ID": "1209", **more}
    source = f"/dev/bus/usb/001/{number:03}"
    path = f"/devices/pci0000:00/0000:00:14.0/usb1/1-{chain}"
    return Node(path=path, subsystem="usb", source=source, properties={**properties, "DEVNAME": source})


def disk(chain="1.1", seq=1, name="sdb", blocks=1000, readonly=True, lun=0, interface="1.0", **more):
    at = f"{HOST}{chain}:{interface}-scsi-0:0:0:{lun}"
    properties = {"ID_PATH": at, "DISKSEQ": str(seq), "ID_VENDOR": "DV16", "USEC_INITIALIZED": "1000000", **more}
    path = f"/devices/pci0000:00/0000:00:14.0/usb1/1-{chain}/1-{chain}:{interface}/host0/0:0:0:{lun}/block/{name}"
    return Node(
        path=path, subsystem="block", source=f"/dev/{name}", blocks=blocks, readonly=readonly, properties=properties
    )


def sighted(*nodes, before=None, policy=POLICY, at=2.0):
    return look(nodes, before or Docks(), policy, at)


def ports(docks, at=2.0):
    return [(s.port.removeprefix(HOST), s.source) for s in docks.sightings(at)]


def codes(docks):
    return [f.code for f in docks.findings]


# --- what is docked ---------------------------------------------------------------------------------------------------


def test_a_disk_at_a_slot_is_sighted():
    docks = sighted(usb(), disk(ID_MODEL="DEVICE", ID_EMPTY="", DEVNAME="/dev/sdb"))
    (sighting,) = docks.sightings(2.0)
    assert (sighting.port, sighting.source, sighting.slot, sighting.live) == (f"{HOST}1.1", "/dev/sdb", 1, True)
    assert sighting.properties == (
        ("@ID_VENDOR_ID", "1209"),
        ("DISKSEQ", "1"), ("ID_MODEL", "DEVICE"), ("ID_PATH", f"{HOST}1.1:1.0-scsi-0:0:0:0"), ("ID_VENDOR", "DV16"),
        ("SUBSYSTEM", "block"),
    )  # fmt: skip
    assert docks.findings == ()


def test_a_sighting_keeps_what_the_device_hangs_on():
    hub = usb(chain="1", ID_VENDOR="Cradlemaker", ID_MODEL="x" * 300, ID_SERIAL_SHORT="", ID_BUS="usb")
    other = usb(chain="2", ID_VENDOR="Other")
    hub = replace(hub, path=hub.path.removesuffix("/1-1"))  # the kernel's path of a disk goes through it
    (sighting,) = sighted(hub, other, usb(ID_VENDOR="DV16"), disk()).sightings(2.0)
    above = [(name, value) for name, value in sighting.properties if name.startswith("@")]
    assert above == [
        ("@ID_MODEL", "x" * 200), ("@ID_VENDOR", "Cradlemaker"), ("@ID_VENDOR", "DV16"), ("@ID_VENDOR_ID", "1209"),
    ]  # fmt: skip


def test_what_is_in_a_priority_slot_is_sighted_as_such():
    policy = replace(OPEN, first=frozenset({2}))
    docks = sighted(disk(), disk(chain="1.2", name="sdc"), disk(chain="2", name="sdd"), policy=policy)
    assert [(s.slot, s.priority) for s in docks.sightings(2.0)] == [(1, False), (2, True), (None, False)]


def test_what_was_plugged_in_long_ago_is_not_live():
    assert sighted(disk(), at=601.0).docked[0].sighting.live
    assert not sighted(disk(), at=601.1).docked[0].sighting.live


def test_a_sighting_stays_as_it_was_made():
    first = sighted(disk(ID_FS_LABEL="A"), at=2.0)
    later = sighted(disk(ID_FS_LABEL="B"), before=first, at=5000.0)
    assert later.docked == first.docked
    assert sighted(disk(seq=2, ID_FS_LABEL="B"), before=first, at=5000.0).docked != first.docked


def test_an_empty_reader_is_nothing_until_a_card_is_in_it():
    reader = usb(), disk(blocks=0)
    assert ports(sighted(*reader)) == []
    with_card = sighted(usb(), disk(seq=2))
    assert ports(with_card) == [("1.1", "/dev/sdb")]
    assert ports(sighted(*reader, before=with_card)) == []


def test_each_unit_of_a_reader_is_its_own_port():
    docks = sighted(usb(), disk(), disk(name="sdc", lun=1), disk(name="sdd", lun=2, blocks=0))
    assert ports(docks) == [("1.1", "/dev/sdb"), ("1.1:lun1", "/dev/sdc")]
    assert [s.slot for s in docks.sightings(2.0)] == [1, 1]


def test_two_storage_interfaces_of_one_device_do_not_hide_one_another():
    one, two = disk(), disk(name="sdc", interface="1.1")
    both = sighted(one, two)
    assert ports(both) == [("1.1", "/dev/sdb"), ("1.1:1.1", "/dev/sdc")]
    late = sighted(one, two, before=sighted(two))
    assert ports(late) == [("1.1", "/dev/sdc"), ("1.1:1.0", "/dev/sdb")]  # what was there first keeps its name


@pytest.mark.parametrize(
    ("interfaces", "is_one"),
    [(":060101:", True), (":ff4201:", True), (":030101:ff0000:", True), (":030101:", False), (":030101:030000:", False),
     (":090000:", False), (":090001:090002:", False), (":080650:", False), (":080650:ff0000:", False), ("", True)],
)  # fmt: skip
def test_a_control_interface_is_sighted_and_hubs_and_keyboards_are_not(interfaces, is_one):
    docks = sighted(usb(interfaces=interfaces))
    assert ports(docks) == ([("1.1", "/dev/bus/usb/001/007")] if is_one else [])


def test_what_has_a_disk_is_no_control_interface():
    assert ports(sighted(usb(interfaces=":ff0000:"), disk(blocks=0))) == []


def test_a_hub_at_a_slot_does_not_lend_its_slot_to_what_is_behind_it():
    assert ports(sighted(disk(chain="1.1.3"), usb(chain="1.12", interfaces=":ff0000:"))) == []


def test_other_ports_count_only_where_that_is_set():
    nodes = (disk(chain="2"), usb(chain="3", interfaces=":060101:"))
    assert ports(sighted(*nodes)) == []
    assert ports(sighted(*nodes, policy=OPEN)) == [("2", "/dev/sdb"), ("3", "/dev/bus/usb/001/007")]
    assert [s.slot for s in sighted(*nodes, policy=OPEN).sightings(2.0)] == [None, None]


def test_disks_that_are_not_on_usb_are_left_alone():
    inner = disk()
    sata = replace(inner, properties={**inner.properties, "ID_PATH": "pci-0000:00:17.0-ata-1"}, readonly=False)
    assert sighted(sata, policy=OPEN) == Docks()


def test_a_hostile_property_is_kept_short_and_printable():
    (sighting,) = sighted(disk(ID_MODEL="x" * 5000, ID_FS_LABEL="a\u202eb\x1b[2J")).sightings(2.0)
    told = dict(sighting.properties)
    assert len(told["ID_MODEL"]) == 200
    assert told["ID_FS_LABEL"] == r"a\u{202e}b\u{1b}[2J"


# --- a control interface that becomes a disk --------------------------------------------------------------------------


def test_between_control_interface_and_disk_the_port_stays_occupied():
    control = sighted(usb(interfaces=":ff0000:"), at=10.0)
    gone = sighted(before=control, at=11.0)
    assert ports(gone, 25.9) == [("1.1", "/dev/bus/usb/001/007")]
    assert (control.awaited, gone.awaited) == (set(), {gone.docked[0].sighting.port})
    assert ports(gone, 26.0) == []
    coming = sighted(usb(number=8), before=gone, at=12.0)  # the disk's device, before its disk
    assert ports(coming, 25.9) == ports(control)
    assert ports(coming, 26.0) == []  # from when it went, not from the last look
    there = sighted(usb(number=8), disk(), before=coming, at=14.0)
    assert (ports(there, 14.0), there.awaited) == ([("1.1", "/dev/sdb")], set())


def test_something_else_at_the_port_ends_the_wait():
    gone = sighted(before=sighted(usb(interfaces=":ff0000:"), at=10.0), at=11.0)
    assert ports(sighted(usb(number=8, interfaces=":030101:"), before=gone, at=12.0), 12.0) == []
    assert ports(sighted(usb(number=8, interfaces=":ff0000:"), before=gone, at=12.0), 12.0) == [
        ("1.1", "/dev/bus/usb/001/008")
    ]
    assert ports(sighted(usb(number=8), disk(lun=1), before=gone, at=12.0), 12.0) == [("1.1:lun1", "/dev/sdb")]


def test_the_same_interface_that_comes_back_is_there_again_for_good():
    gone = sighted(before=sighted(usb(interfaces=":ff0000:"), at=10.0), at=11.0)
    assert ports(sighted(usb(interfaces=":ff0000:"), before=gone, at=12.0), 99.0) == [("1.1", "/dev/bus/usb/001/007")]


def test_a_disk_that_was_pulled_is_gone_at_once():
    assert ports(sighted(usb(), before=sighted(usb(), disk()), at=2.0)) == []


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_a_disk_that_can_be_written_to_is_told():
    docks = sighted(disk(readonly=False), disk(chain="7", name="sda", readonly=False))
    assert codes(docks) == ["disk.writable", "usb.no_slot"]
    assert "slot 1" in docks.findings[0].what
    assert dict(docks.findings[0].evidence)["source"] == "/dev/sdb"


def test_a_recorder_at_a_port_that_is_no_slot_is_told():
    assert codes(sighted(disk(chain="2"))) == ["usb.no_slot"]
    assert codes(sighted(usb(chain="2", interfaces=":060101:"))) == ["usb.no_slot"]
    assert codes(sighted(usb(chain="2", interfaces=":e00101:"), disk(chain="3", blocks=0))) == []
    assert codes(sighted(disk(chain="2"), policy=OPEN)) == []


def test_a_keyboard_and_disk_in_one_is_told_and_still_sighted():
    docks = sighted(usb(interfaces=":030101:080650:"), disk())
    assert codes(docks) == ["usb.composite"]
    assert ports(docks) == [("1.1", "/dev/sdb")]


def test_what_the_rules_kept_off_is_told_and_is_no_recorder():
    for chain in ("1.1", "2"):
        docks = sighted(usb(chain=chain, interfaces=":ff0000:", BWCDOCK_DENIED="1"))
        assert codes(docks) == ["usb.denied"]
        assert ports(docks) == []


# --- the table --------------------------------------------------------------------------------------------------------


class World:
    """What is really plugged in, and every event it makes, in order for each device."""

    def __init__(self):
        self.there = {}
        self.events = {}
        self.seq = 0

    def act(self, name, what):
        self.seq += 1
        lane = self.events.setdefault(name, [])
        if name in self.there and what == "plug":
            self.act(name, "pull")
        if what == "plug":
            new = disk(seq=self.seq, name=name) if name.startswith("sd") else usb(chain=name, number=self.seq % 128)
            self.there[name] = new
            lane.append(("seen", new))
        elif name in self.there and what == "pull":
            old = self.there.pop(name)
            # Some removes carry everything, some nothing but the path.
            lane.append(("gone", old, dict(old.properties) if self.seq % 2 else {}))
        elif name in self.there and what == "card" and name.startswith("sd"):
            old = self.there[name]
            self.there[name] = disk(seq=self.seq, name=name, blocks=0 if old.blocks else 500)
            lane.append(("seen", self.there[name]))

    def nodes(self):
        return tuple(sorted(self.there.values(), key=lambda n: n.path))


def tell(bus, event):
    if event[0] == "seen":
        bus.seen(event[1])
    else:
        bus.gone(event[1].path, event[2])


NAMES = st.sampled_from(["sda", "sdb", "sdc", "1.1", "1.2"])
DEEDS = st.lists(st.tuples(NAMES, st.sampled_from(["plug", "plug", "pull", "card"])), max_size=30)


@given(deeds=DEEDS, looked_up=st.integers(0, 30), data=st.data())
def test_events_in_any_interleaving_with_doubles_and_an_enumeration_end_in_what_is_there(deeds, looked_up, data):
    """The start: the monitor first, then everything is looked up, then the events that were waiting are taken."""
    world, snapshot = World(), ()
    for at, deed in enumerate(deeds):
        if at == looked_up:
            snapshot = world.nodes()
        world.act(*deed)
    bus = Bus()
    bus.whole(snapshot)
    lanes = [list(lane) for lane in world.events.values()]
    while any(lanes):
        lane = data.draw(st.sampled_from([lane for lane in lanes if lane]))
        event = lane.pop(0)
        for _ in range(data.draw(st.integers(1, 2))):
            tell(bus, event)
    assert bus.nodes == world.nodes()


@given(deeds=DEEDS, data=st.data())
def test_after_losses_and_disorder_looking_everything_up_mends_it(deeds, data):
    world = World()
    for deed in deeds:
        world.act(*deed)
    events = [event for lane in world.events.values() for event in lane]
    bus = Bus()
    for event in data.draw(st.lists(st.sampled_from(events), max_size=40)) if events else ():
        tell(bus, event)
    wrong = bus.whole(world.nodes())
    assert bus.nodes == world.nodes()
    assert bus.whole(world.nodes()) == 0
    assert wrong <= len(events)


@given(deeds=DEEDS)
def test_what_is_sighted_depends_on_what_is_there_and_not_on_the_way_to_it(deeds):
    world, bus, docks = World(), Bus(), Docks()
    policy = replace(POLICY, slots={f"{HOST}1.1": 1}, any_port=True)
    told = 0
    for name, what in deeds:
        world.act(name, what)
        for lane in world.events.values():
            while lane:
                tell(bus, lane.pop(0))
                docks = look(bus.nodes, docks, policy, 5.0)
                told += 1
    straight = look(world.nodes(), Docks(), policy, 5.0)
    assert {s.source for s in straight.sightings(99.0)} == {s.source for s in docks.sightings(99.0)}
    assert docks.findings == straight.findings


def test_a_remove_of_the_disk_that_was_there_before_does_not_take_the_new_one():
    bus = Bus()
    bus.seen(disk(seq=7))
    bus.seen(disk(seq=5))
    bus.gone(disk().path, {"DISKSEQ": "5"})
    assert bus.nodes == (disk(seq=7),)
    bus.gone(disk().path, {})
    assert bus.nodes == ()


def test_a_remove_of_the_device_that_was_there_before_does_not_take_the_new_one():
    bus = Bus()
    bus.seen(usb(number=8))
    bus.gone(usb().path, {"DEVNAME": "/dev/bus/usb/001/007"})
    assert bus.nodes == (usb(number=8),)
    bus.gone(usb().path, {"DEVNAME": "/dev/bus/usb/001/008"})
    assert bus.nodes == ()


# --- disks that only speak as yet -------------------------------------------------------------------------------------


def speaking(**more):
    return disk(blocks=0, readonly=False, BWCDOCK_CONTROL="1", **more)


def test_a_disk_that_only_speaks_is_a_control_interface():
    docks = sighted(usb(), speaking())
    assert ports(docks) == [("1.1", "/dev/sdb")]
    assert docks.sightings(2.0)[0].subsystem == "usb"
    assert codes(docks) == []  # there is nothing on it that could be written to


@pytest.mark.parametrize("seq", [1, 2])
def test_its_medium_makes_it_another_sighting_of_the_same_port(seq):
    control = sighted(usb(), speaking())
    as_disk = sighted(usb(), disk(seq=seq, BWCDOCK_CONTROL="1"), before=control)
    assert ports(as_disk) == [("1.1", "/dev/sdb")]
    assert as_disk.sightings(2.0)[0].subsystem == "block"
    assert as_disk.docked != control.docked
    assert sighted(usb(), speaking(), before=as_disk).docked == control.docked


def test_it_may_go_and_come_back_as_a_disk():
    control = sighted(usb(), speaking())
    between = sighted(before=control, at=3.0)
    assert ports(between, at=17.0) == [("1.1", "/dev/sdb")]
    assert ports(between, at=18.1) == []
    back = sighted(usb(number=8), disk(name="sdc", seq=3), before=between, at=9.0)
    assert ports(back, at=9.0) == [("1.1", "/dev/sdc")]


def test_the_table_knows_it_by_what_it_is():
    bus = Bus()
    bus.seen(speaking())
    assert bus.whole([disk(BWCDOCK_CONTROL="1")]) == 1
