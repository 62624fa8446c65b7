"""Names from strangers become text that is printable, exact and harmless, and keys that never meet or climb."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from string import ascii_letters, digits, punctuation
from zoneinfo import available_timezones

import pytest
from bwcdock.core.names import (
    FIELDS,
    LAYOUT,
    escape,
    layout_problem,
    record_id,
    safe,
    session_id,
    show,
    sink_key,
    unescape,
)
from hypothesis import assume, example, given
from hypothesis import strategies as st
from lives import NOON, item

# What strangers write: raw bytes, and text that has a meaning to a shell, a terminal, a page or a normaliser.
TRICKY = [
    b"", b".", b"..", b"...", b" ", b"a ", b" a", b"a.", b"/", b"a/b", b"\\", b"\\0", b"\\x41", b"\\u{41}", b"\x00",
    b"\n", b"\x1b[2J", b"\xff\xfe", b"\xed\xa0\x80", "\u202egpj.exe".encode(), "a\u200bb".encode(), "\ufeff".encode(),
    "e\u0301".encode(), "\u00e9".encode(), "\u212b".encode(), "\u1112\u1161\u11ab".encode(), "\ud55c".encode(),
    "\u3000".encode(), "\u2028".encode(), "执法记录仪".encode(), "\U000e0041".encode(), "\u0344".encode(), b"con", b"~",
    "x\u0334".encode(), "\u0e31".encode(), "\u0903".encode(), "\u20dd".encode(),
]  # fmt: skip
PIECES = st.one_of(
    st.binary(max_size=6), st.sampled_from(TRICKY), st.text(max_size=4).map(lambda t: t.encode("utf-8", "replace"))
)
RAW = st.lists(PIECES, max_size=6).map(b"".join)
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"}


def is_harmless(text: str) -> bool:
    return (
        text not in {"", ".", ".."}
        and "/" not in text
        and text.isprintable()
        and not text.startswith(" ")
        and not text.endswith((" ", "."))
        and not any(unicodedata.category(c)[0] in "CM" or unicodedata.bidirectional(c) in BIDI for c in text)
        and unicodedata.normalize("NFC", text) == text
        and text.encode("utf-8").decode("utf-8") == text
    )


@pytest.mark.parametrize("raw", TRICKY, ids=lambda raw: f"0x{raw.hex()}")
def test_escape_of_each_trick_is_harmless_and_exact(raw):
    assert is_harmless(escape(raw))
    assert unescape(escape(raw)) == raw


@given(raw=RAW)
def test_escape_is_total_harmless_and_undone(raw):
    told = escape(raw)
    assert is_harmless(told)
    assert unescape(told) == raw


@given(first=RAW, second=RAW)
@example(first="e\u0301".encode(), second="\u00e9".encode())
@example(first="\u212b".encode(), second="\u00c5".encode())
@example(first=b"", second=b"\\0")
def test_two_names_stay_two_names(first, second):
    """Also under every normalisation that keeps canonical meaning: no file system or reader can make them one."""
    assume(first != second)
    assert escape(first) != escape(second)
    assert unicodedata.normalize("NFC", escape(first)) != unicodedata.normalize("NFC", escape(second))


def test_every_single_byte_and_every_pair_of_signs():
    ones = [bytes([n]) for n in range(256)]
    told = [escape(raw) for raw in ones]
    assert len(set(told)) == 256
    assert all(map(is_harmless, told))
    signs = [c.encode() for c in ".\\ /0x{}u41"]
    pairs = [a + b for a in signs for b in signs]
    assert all(unescape(escape(raw)) == raw and is_harmless(escape(raw)) for raw in pairs)


def test_an_ordinary_name_is_shown_as_it_is():
    for name in ("MOVI0001.MP4", "20240501_执法.mp4", "a b.jpg", ".hidden"):
        assert escape(name.encode()) == name
    for sign in set(ascii_letters + digits + punctuation) - set("\\/."):
        assert escape(f"{sign}-{sign}".encode()) == f"{sign}-{sign}"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", r"\0"),
        (b"..", r"\u{2e}\u{2e}"),
        (b"a.", r"a\u{2e}"),
        (b"a\\b", r"a\\b"),
        (b"a\nb", r"a\u{a}b"),
        (b"\xd6\xb4\xb7\xa8.mp4", r"\u{5b4}\xb7\xa8.mp4"),  # GB 18030
        ("执\u212b".encode(), r"执\u{212b}"),
        ("执e\u0301".encode(), r"执e\u{301}"),
        ("\u1112\u1161".encode(), r"\u{1112}\u{1161}"),
    ],
)
def test_how_it_is_spelt_never_changes(raw, told):
    """Records are known again by an id made from this spelling."""
    assert escape(raw) == told


def test_half_a_sign_is_read_back_as_its_bytes_too():
    """No name is spelt so here; what is written in a ledger must be read, whoever wrote it."""
    assert unescape(r"a\u{d83d}b") == b"a\xed\xa0\xbdb"


# --- ids -------------------------------------------------------------------------------------------------------------


def test_a_record_finds_itself_again_and_nothing_else():
    one = item()
    same = record_id("A001", item())
    others = {
        record_id("A002", one),
        record_id("A001", item(path="DCIM/b.MP4")),
        record_id("A001", item(size=1001)),
        record_id("A001", item(modified_text="2024-05-01 12:01:00")),
        record_id("A001", one, variant="00ff"),
    }
    assert same == record_id("A001", one)
    assert len(others | {same}) == 6
    assert record_id("A001", item(officer="other", markers=("important",), kind=one.kind.OTHER)) == same


def test_how_ids_are_made_never_changes():
    """Ledgers and central storages hold them: another way of making them would not know its own recordings again."""
    one = item(modified_text="m")
    assert record_id("A001", one) == "507f3fd9813368a03fb24df2697c7f59"
    assert record_id("A001", one, variant="v") == "7e7169a20608013d1dfdd27d4cb76afd"
    silent = replace(one, claim=replace(one.claim, text=""))
    assert record_id("A001", silent) == "dc3aa26a7636908baedccae1f13749e4"
    assert session_id("usb-1", NOON, "1") == "05121e675ef1ff8ae0df02db"


@pytest.mark.parametrize(("width", "told"), [(6, "abcdef"), (5, "ab…ef"), (4, "a…ef"), (3, "a…f")])
def test_a_long_path_loses_its_middle_on_a_screen(width, told):
    assert show("abcdef", width) == told
    assert [len(show("x" * length)) for length in (79, 80, 81, 999)] == [79, 80, 80, 80]


@given(
    first=st.lists(st.text(max_size=3), min_size=3, max_size=3),
    second=st.lists(st.text(max_size=3), min_size=3, max_size=3),
)
@example(first=["A", "BC", ""], second=["AB", "C", ""])
@example(first=["A", "B", "1"], second=["A", "B1", ""])
def test_no_two_sets_of_parts_read_as_one(first, second):
    """The parts are told apart by their lengths, so that no sign inside one can move its border."""
    assume(first != second)
    ids = {record_id(serial, item(path=path, modified_text=modified)) for serial, path, modified in (first, second)}
    assert len(ids) == 2


def test_every_docking_has_its_own_session():
    told = {session_id("usb-1", NOON, "1"), session_id("usb-1", NOON, "2"), session_id("usb-2", NOON, "1")}
    assert len(told) == 3
    assert all(len(one) == 24 and int(one, 16) >= 0 for one in told)


# --- keys ------------------------------------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(["", ".", "..", "../../etc", "/root", "a\x00b", "x" * 400, "界" * 200, "\u202e"]),
)
ITEMS = st.builds(
    lambda names, officer, markers: item(path="/".join(map(escape, names)), officer=officer, markers=markers),
    names=st.lists(RAW, min_size=1, max_size=3),
    officer=HOSTILE,
    markers=st.sampled_from([(), ("important",)]),
)
SIGNS = ["{" + field + "}" for field in FIELDS]
LAYOUTS = st.lists(
    st.lists(st.sampled_from([*SIGNS, "-", ".", "_", "a"]), min_size=1, max_size=4).map("".join),
    min_size=1,
    max_size=4,
).map("/".join).filter(lambda layout: layout_problem(layout) is None)  # fmt: skip
MOMENTS = st.datetimes(timezones=st.just(UTC))
IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)


def assert_safe_key(key: str) -> None:
    assert not key.startswith("/")
    for part in key.split("/"):
        assert part not in {"", ".", ".."}
        assert part.isprintable()
        assert "\\" not in part
        assert len(part.encode()) <= 200


@given(
    unit=HOSTILE,
    serial=HOSTILE,
    one=ITEMS,
    start=MOMENTS,
    rid=IDS,
    zone=st.sampled_from(sorted(available_timezones())[::20]),
)
def test_the_usual_key_is_relative_and_safe_for_hostile_items(unit, serial, one, start, rid, zone):
    key = sink_key(LAYOUT, unit=unit, serial=serial, record=rid, item=one, start=start, zone=zone)
    assert_safe_key(key)
    assert key.count("/") == LAYOUT.count("/")
    assert rid[:12] in key.rpartition("/")[2]


@given(layout=LAYOUTS, unit=HOSTILE, serial=HOSTILE, one=ITEMS, start=MOMENTS, rid=IDS)
@example(layout="{id}{ext}", unit="", serial="", one=item(path="a"), start=NOON, rid="0" * 32)
@example(layout="{unit}/{id}", unit="..", serial="", one=item(path="a"), start=NOON, rid="0" * 32)
def test_every_layout_that_is_let_through_makes_safe_keys(layout, unit, serial, one, start, rid):
    key = sink_key(layout, unit=unit, serial=serial, record=rid, item=one, start=start, zone="Asia/Shanghai")
    assert_safe_key(key)
    assert key.count("/") == layout.count("/")


@given(unit=HOSTILE, serial=HOSTILE, one=ITEMS, start=MOMENTS, first=IDS, second=IDS)
def test_two_records_never_have_one_key(unit, serial, one, start, first, second):
    assume(first[:12] != second[:12])
    same = {"unit": unit, "serial": serial, "item": one, "start": start, "zone": "Asia/Shanghai"}
    assert sink_key(LAYOUT, record=first, **same) != sink_key(LAYOUT, record=second, **same)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("start", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_recorder_whose_clock_stands_at_an_end_of_the_calendar_has_a_key_too(start, zone):
    assert_safe_key(sink_key(LAYOUT, unit="", serial="", record="0" * 32, item=item(), start=start, zone=zone))


def test_a_long_name_loses_its_middle_and_keeps_its_id_and_suffix():
    one = item(path="DCIM/" + "n" * 90 + ".MP4", officer="官" * 90)
    key = sink_key(LAYOUT, unit="u", serial="s", record="0123456789ab" * 2, item=one, start=NOON, zone="Asia/Shanghai")
    name = key.rpartition("/")[2]
    assert name.startswith("120000_官")
    assert name.endswith("n_0123456789ab.mp4")
    assert 190 <= len(name.encode()) <= 200


def test_the_usual_key_says_what_it_shows():
    one = item(path="DCIM/100/MOVI0001.MP4", officer="060213", markers=("important",))
    key = sink_key(
        LAYOUT, unit="福州市", serial="A001", record="0123456789abcdef" * 2, item=one, start=NOON, zone="Asia/Shanghai"
    )
    assert key == "福州市/2024-05-01/A001/120000_060213_video-important_MOVI0001_0123456789ab.mp4"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/B.C.MP4", "B.C.mp4"), ("a/.hidden", "hidden"), ("b.ABCDEFGH", "b.abcdefgh"), ("b.ABCDEFGHI", "b.ABCDEFGHI"),
        ("a/b", "b"), ("a/b.", "b"), ("n" * 70 + ".x", "n" * 60 + ".x"), ("a/b c?.M P4", "b_c.m_p4"),
    ],
)  # fmt: skip
def test_what_a_file_is_called_in_central_storage(path, name):
    told = {"unit": "", "serial": "", "record": "0123456789abcdef", "start": NOON, "zone": "America/New_York"}
    assert sink_key("{id}-{name}{ext}", item=item(path=path), **told) == f"0123456789ab-{name}"
    key = sink_key("{date}/{unit}/{recorder}/{officer}/{time}/{kind}/{id}", item=item(path=path), **told)
    assert key == "2024-05-01/_/_/unknown/000000/video/0123456789ab"


def test_a_component_is_cut_to_its_bytes_between_signs():
    assert (safe("x" * 201), safe("界" * 67)) == ("x" * 200, "界" * 66)
    assert safe("x" * 199 + ".y") == "x" * 199  # what the cut leaves at the end is no dot
    assert safe("._" + "x" * 201 + "X") == "x" * 200  # what is left out at the beginning takes no room
    assert safe("XaX") == "XaX"
    assert [safe(text) for text in ("._ a b..c ._", "\u1112\u1161", "+=@-")] == ["a_b..c", "하", "+=@-"]
    assert (safe("..", "other"), safe("")) == ("other", "_")
    told = {"unit": "", "record": "0" * 32, "item": item(), "start": NOON, "zone": "Asia/Shanghai"}
    assert sink_key("{recorder}/{id}", serial="x" * 200, **told) == "x" * 200 + "/" + "0" * 12
    assert sink_key("{recorder}{id}", serial="x" * 200, **told) == "x" * 100 + "_" + "x" * 87 + "0" * 12


@pytest.mark.parametrize("layout", ["{id}y", "y{id}", "{name}/{id}{ext}", "{ext}{id}", "{name}{id}/x", "a/{id}/b"])
def test_a_layout_that_keeps_the_id_whole_is_let_through(layout):
    assert layout_problem(layout) is None


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ("{unit}-{id}-{name}", "must begin or end"),
        ("x{id}y", "must begin or end"),
        ("{unit}/{name}", "lacks {id}"),
        ("{id}/{colour}", "{colour}; it may name unit, date, recorder, time, officer, kind, name, id, ext."),
        ("{id}{}", "{}"),
        ("/{id}", "relative"),
        ("a//{id}", "relative"),
        ("{id}/", "relative"),
        ("../{id}", "relative"),
        ("a/./{id}", "relative"),
        ("{ext}/{id}", "relative"),  # a file without a suffix would leave nothing there
        ("{id}/{ext}", "relative"),
        (".{ext}/{id}", "relative"),
        ("{ext}..{ext}/{id}", "relative"),
    ],
)
def test_a_layout_that_could_go_wrong_is_refused(layout, said):
    assert said in (layout_problem(layout) or "")


def test_the_usual_layout_is_not_refused():
    assert layout_problem(LAYOUT) is None
    assert layout_problem("{id}{ext}") is None


@given(text=HOSTILE)
def test_a_safe_component_is_short_printable_and_never_empty(text):
    assert_safe_key(safe(text))
    assert not safe(text).startswith(".")
