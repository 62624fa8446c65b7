"""A quirk file made of what udev tells must be one that the quirk loader takes, and must match that very recorder."""

import pytest
from bwcdock.cli.suggest import stanza
from bwcdock.core.facts import Sighting
from bwcdock.core.names import escape
from bwcdock_drivers import quirks
from bwcdock_drivers.linting import lint
from bwcdock_drivers.matching import Looks
from hypothesis import given
from hypothesis import strategies as st


def sighting(**told):
    return Sighting(port="pci-0000:00:14.0-usb-0:1", source="/dev/sdb", slot=1, properties=tuple(sorted(told.items())))


def chosen(tmp_path, told, *, label):
    lines = stanza(sighting(**told))
    (tmp_path / "suggested.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lint([tmp_path / "suggested.toml"]) == [], lines
    inquiry = "".join(c for c in (told.get("ID_VENDOR", "") + told.get("ID_MODEL", "")).lower() if c not in " _")
    return quirks.Quirks([tmp_path]).choose(Looks(label=label, filesystem="fat32", inquiry=inquiry, paths=[]))


DV16 = {
    "ID_VENDOR": "DV16", "ID_MODEL": "BWC_(v2)'s", "ID_FS_LABEL": "ZF00123", "ID_FS_TYPE": "vfat",
    "ID_FS_VERSION": "FAT32", "ID_VENDOR_ID": "1209", "ID_MODEL_ID": "0001",
}  # fmt: skip


def test_the_recorder_it_was_made_of_gets_it(tmp_path):
    quirk = chosen(tmp_path, DV16, label="ZF00123")
    assert (quirk.name, quirk.identity.vendor, quirk.identity.model) == ("suggested", "DV16", "BWC (v2)'s")
    assert quirk.identity.label.search("ZF99999")["device"] == "ZF99999"
    assert not quirk.identity.label.search("ZF999")


def test_its_sister_with_another_label_gets_it_too(tmp_path):
    assert chosen(tmp_path, DV16, label="KEYBOARD").name == "suggested"


def test_another_make_does_not(tmp_path):
    lines = stanza(sighting(**DV16))
    (tmp_path / "suggested.toml").write_text("\n".join(lines))
    other = Looks(label="ZF00123", filesystem="fat32", inquiry="sonycam", paths=[])
    assert quirks.Quirks([tmp_path]).choose(other).name == "default"


def test_where_the_chip_is_nameless_the_label_decides(tmp_path):
    told = {"ID_VENDOR": "Generic", "ID_FS_LABEL": "BWC-0042"}
    assert chosen(tmp_path, told, label="BWC-0077").name == "suggested"
    lines = stanza(sighting(**told))
    assert "label = '^BWC\\-[0-9]{4}$'" in lines


@pytest.mark.parametrize("told", [{}, {"ID_VENDOR": "Generic", "ID_MODEL": "Mass_Storage"}, {"ID_MODEL": "USB_DISK"}])
def test_where_nothing_sets_it_apart_that_is_said(told):
    (line,) = stanza(sighting(**told))
    assert line.startswith("# ")
    assert "nothing udev tells sets it apart" in line


TEXT = st.text(max_size=300)


@given(vendor=TEXT, model=TEXT, label=TEXT, kind=st.sampled_from(["", "vfat", "exfat", "ext4"]))
def test_whatever_a_recorder_calls_itself_the_file_is_valid(tmp_path_factory, vendor, model, label, kind):
    told = {"ID_VENDOR": vendor, "ID_MODEL": model, "ID_FS_LABEL": label, "ID_FS_TYPE": kind}
    told = {k: escape(v.encode("utf-8", "surrogatepass")[:200]) for k, v in told.items() if v}
    lines = stanza(sighting(**told))
    if not any(line == "[match]" for line in lines):
        return
    path = tmp_path_factory.mktemp("quirks") / "suggested.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lint([path]) == [], lines
