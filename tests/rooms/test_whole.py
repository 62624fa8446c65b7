"""A file from elsewhere is taken when it is all its container promises; else it is refused by name."""

import random
import struct
from datetime import UTC, datetime
from functools import cache
from time import process_time
from typing import get_args

import pytest
from bwcdock.core.intake import Flaw, NotWhole
from bwcdock.media import whole
from bwcdock.media.source import MAX_BYTES, MAX_STRUCTURES
from bwcdock.testing import footage
from hypothesis import given, settings
from hypothesis import strategies as st

MADE = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


def judge(data: bytes, name: str = "") -> NotWhole | None:
    return whole.judge(lambda offset, length: data[offset : offset + length], len(data), name)


def flaw(data: bytes, name: str = "") -> str:
    told = judge(data, name)
    if told is not None:
        assert told.what.endswith(".")
        assert told.what.isprintable()
    return told.flaw if told else ""


@cache
def clip(*, fragmented: bool = False) -> bytes:
    return footage.clip(MADE, 2, fragmented=fragmented)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def tops(data: bytes) -> dict[bytes, int]:
    """Where each outermost box begins."""
    found, at = {}, 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        found[kind] = at
        at += size
    return found


def front(data: bytes) -> bytes:
    """The same with the index before the footage, as for the web."""
    at = tops(data)
    order = sorted(at, key=lambda kind: (kind != b"ftyp", kind != b"moov", at[kind]))
    ends = dict(zip(sorted(at, key=at.__getitem__), [*sorted(at.values())[1:], len(data)], strict=True))
    return b"".join(data[at[kind] : ends[kind]] for kind in order)


def avi(*, footage_size: int = 600, index: bool = True) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack("<4sI", kind, len(body)) + body

    body = b"AVI " + chunk(b"LIST", b"hdrl" + chunk(b"avih", struct.pack("<14I", 40000, *[0] * 3, 25, *[0] * 9)))
    body += chunk(b"LIST", b"movi" + chunk(b"00dc", b"x" * footage_size))
    return chunk(b"RIFF", body + (chunk(b"idx1", b"i" * 16) if index else b""))


# --- whole ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fragmented", [False, True])
def test_films_are_whole_and_stop_being_so_at_any_cut(fragmented):
    data = clip(fragmented=fragmented)
    assert flaw(data, "a.mp4") == ""
    assert flaw(data + b"\0" * 4000, "a.MP4") == ""
    chance = random.Random(1)
    for at in [len(data) - 1, len(data) - 7, *(chance.randrange(1, len(data) - 1) for _ in range(200))]:
        assert flaw(data[:at], "a.mp4") in {"cut", "no-index", "no-footage", "malformed", "disguised"} or (
            # At the border of two fragments what is there is a whole film: nothing in it tells of more.
            fragmented and data[at + 4 : at + 8] in (b"moof", b"mfra", b"mdat")
        ), at


def test_other_kinds_are_whole():
    assert flaw(front(clip()), "a.mp4") == ""
    assert flaw(avi(), "a.avi") == ""
    assert flaw(footage.tone(1), "a.wav") == ""
    assert flaw(footage.photo(MADE), "a.jpg") == ""
    assert flaw(footage.sound(MADE, 2), "a.m4a") == ""


def test_what_is_no_known_container_is_not_judged():
    assert flaw(b"DHAV" + bytes(100), "a.dav") == ""
    assert flaw(b"a note", "note.txt") == ""
    assert flaw(b"a note", "a") == ""


# --- not whole --------------------------------------------------------------------------------------------------------


def test_each_flaw_has_its_name():
    data, at = clip(), tops(clip())
    index = data[at[b"moov"] :]
    head = box(b"ftyp", b"isom\0\0\0\0")
    assert flaw(b"", "a.dav") == "empty"
    assert flaw(data[: at[b"moov"]], "a.mp4") == "no-index"
    assert flaw(data[: at[b"mdat"] + 500], "a.mp4") == "cut"
    assert flaw(head + index, "a.mp4") == "no-footage"
    assert flaw(head + struct.pack(">I4s", 0, b"mdat") + b"x" * 99, "a.mp4") == "open-ended"
    assert flaw(data + b"\0" * (whole.PADDING + 1), "a.mp4") == "trailing"
    assert flaw(data + b"\0" * 9 + b"x", "a.mp4") == "trailing"
    assert flaw(head + index + box(b"mdat", b"x" + bytes(whole.UNWRITTEN)), "a.mp4") == "unwritten"
    assert flaw(head + index + box(b"mdat", b"x" * 9999) + box(b"moof"), "a.mp4") == "cut"
    assert flaw(data, "a.avi") == "disguised"
    assert flaw(bytes(5000), "a.mp4") == "disguised"
    assert flaw(b"#!/bin/sh\n" * 9, "a.jpg") == "disguised"
    assert flaw(head + b"\0\0\0\4moov" + bytes(20), "a.mp4") == "malformed"
    assert flaw(avi()[:-9], "a.avi") == "cut"
    assert flaw(avi(index=False), "a.avi") == "no-index"
    assert flaw(avi() + b"more than that", "a.avi") == "trailing"
    assert flaw(avi().replace(avi()[4:8], b"\xff" * 4, 1), "a.avi") == "open-ended"
    assert flaw(footage.tone(1)[:-100], "a.wav") == "cut"
    assert flaw(footage.photo(MADE)[:-200], "a.jpg") == "cut"


def test_an_index_that_points_behind_the_end_is_cut():
    data, at = clip(), tops(clip())
    assert flaw(data[: at[b"mdat"]] + box(b"mdat", b"x" * 50) + data[at[b"moov"] :], "a.mp4") == "cut"


# --- hostile ----------------------------------------------------------------------------------------------------------

SEEDS = st.sampled_from(["film", "pieces", "avi", "wav", "photo", "noise"])


def seed(kind: str) -> bytes:
    made = {
        "film": clip, "pieces": lambda: clip(fragmented=True), "avi": avi, "wav": lambda: footage.tone(1)[:4000],
        "photo": lambda: b"\xff\xd8\xff\xe0" + bytes(200) + b"\xff\xd9", "noise": lambda: bytes(range(256)) * 4,
    }  # fmt: skip
    return made[kind]()


@settings(max_examples=200, deadline=None)
@given(kind=SEEDS, changes=st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=9)), max_size=6))
def test_whatever_a_file_says_the_answer_is_one_of_the_words(kind, changes):
    data = bytearray(seed(kind))
    for place, patch in changes:
        at = place % len(data)
        data[at : at + len(patch)] = patch
    assert flaw(bytes(data), "a.mp4") in {"", *get_args(Flaw)}


@pytest.mark.parametrize(
    "data",
    [box(b"free") * 2_000_000, box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", box(b"trak") * 2_000_000)],
    ids=["boxes", "tracks"],
)
def test_a_hostile_file_takes_little_time_and_few_bytes(data):
    reads = []

    def read(offset: int, length: int) -> bytes:
        reads.append(length)
        return data[offset : offset + length]

    began = process_time()
    told = whole.judge(read, len(data), "a.mp4")
    assert told is not None
    assert sum(reads) <= 2 * (MAX_BYTES + MAX_STRUCTURES)
    assert process_time() - began < 5


def test_a_file_that_ends_while_it_is_looked_at_is_cut():
    told = whole.judge(lambda offset, length: clip()[: 1 << 10][offset : offset + length], len(clip()), "a.mp4")
    assert told is not None
    assert told.flaw == "cut"


def test_a_failing_disk_is_heard():
    def read(offset: int, length: int) -> bytes:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        whole.judge(read, 5000, "a.mp4")
