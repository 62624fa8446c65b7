"""What is said of footage from elsewhere travels as properties, and comes back as it was said."""

from bwcdock.core.inquiry import inquiry
from bwcdock.core.intake import Note, heard, said
from bwcdock.core.refusal import Refusal, because
from lives import NOON

NOTE = Note(source="citizen", holder="王某", chain="手机拍摄", system="微信")


def test_a_note_comes_back_as_it_was_said():
    told = said(NOTE)
    assert told == (
        ("INTAKE_CHAIN", "手机拍摄"), ("INTAKE_HOLDER", "王某"), ("INTAKE_SOURCE", "citizen"),
        ("INTAKE_SYSTEM", "微信"),
    )  # fmt: skip
    assert heard((("PORT", "1"), *told)) == {
        "source": "citizen",
        "holder": "王某",
        "chain": "手机拍摄",
        "system": "微信",
    }
    assert heard((("PORT", "1"),)) == {}


def test_what_is_not_said_is_not_told():
    assert dict(said(Note(source="other-monitoring", holder="张某", chain="监控"))).keys() == {
        "INTAKE_CHAIN", "INTAKE_HOLDER", "INTAKE_SOURCE",
    }  # fmt: skip


def test_a_device_is_called_by_its_vendor_and_product_without_their_blanks():
    told = (("ID_VENDOR", "Generic "), ("DEVNAME", "/dev/sdb"), ("ID_MODEL", "Mass_Storage"))
    assert inquiry(told) == "genericmassstorage"
    assert (inquiry(told[:1]), inquiry(told[2:]), inquiry(())) == ("generic", "massstorage", "")


def test_a_refusal_carries_the_values_of_its_sentence_as_text():
    why = because("a.b", "It is so.", name="x", count=3, at=NOON, of=("a", "b"))
    told = (("name", "x"), ("count", "3"), ("at", "2024-05-01T04:00:00+00:00"), ("of", "a, b"))
    assert why == Refusal(code="a.b", what="It is so.", evidence=told)
    assert because("a.b", "It is so.").evidence == ()
