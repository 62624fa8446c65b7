"""Cards whose labels, names, folders and containers carry what would steer a log, a terminal or a page."""

import struct
from pathlib import Path

from bwcdock.core.facts import MediaFacts
from card_makers import exfat, ext, fat
from hostile_case import Files, Kind, Make, path_of
from media_cards import FTYP, MDAT, avi, box, chunk, film, jpeg, mvhd

TOLD = Kind(name="what would be told")
HOSTILE = ("name.hostile",)
LINE = '\n{"event": "session.drained", "level": "info"}'
STEERS = {
    "colours": "\x1b[31mred\x1b[0m",
    "a line feed": "a\nb",
    "a carriage return": "a\rb",
    "writing turned round": "\u202eDEB",
    "markup": "<b>x</b>",
}


def labelled(label: str) -> Make:
    """An exFAT card with this label."""
    return lambda path: exfat(path, label=label[:11])


for what, text in STEERS.items():
    TOLD.add(f"a label with {what}", labelled(text))
for what, text in STEERS.items():
    make = lambda path, t=text: {**exfat(path, ((t, "a.mp4"), b"x")), path_of(t, "a.mp4"): b"x"}  # noqa: E731
    TOLD.add(f"a folder with {what}", make, codes=HOSTILE)
name = f"forged{LINE}.mp4"
TOLD.add(
    "a name that is a line of the log",
    lambda path: {**exfat(path, ((name,), b"x")), path_of(name): b"x"},
    codes=HOSTILE,
)
TOLD.add("a label of FAT with colours", lambda path: fat(path, label="\x1b[31mred"))
TOLD.add("a label of ext with colours", lambda path: ext(path, options=("-L", "\x1b[31mred")))


def officer(text: str) -> Make:
    """A film whose name says who wore the recorder."""

    def make(path: Path) -> Files:
        parts = ("Media", f"DCAM_D{path.stem}_{text}_20261121_080000.mp4")
        return {**exfat(path, (parts, b"x")), path_of(*parts): b"x"}

    return make


def tool(text: bytes) -> bytes:
    """A film whose maker is this text."""
    body = struct.pack(">HH", len(text), 0) + text
    return FTYP + box(b"moov", mvhd() + box(b"udta", box(b"\xa9too", body))) + MDAT


def exif(text: bytes) -> bytes:
    """A picture whose software is this text."""
    return jpeg(b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x0131, 2, len(text) + 1, 26, 0) + text + b"\0")


def by_avi(text: bytes) -> bytes:
    """A film of which this text says who made it, as AVI has it."""
    return avi(chunk(b"LIST", b"INFO" + chunk(b"ISFT", text)), chunk(b"LIST", b"movi"), chunk(b"idx1"))


def told_clean(facts: MediaFacts) -> bool:
    """The maker is told, and nothing of it steers."""
    return bool(facts.encoder) and facts.encoder.isprintable()


for what, text in (("colours", "\x1b[31mred"), ("a line feed", "a\nb"), ("writing turned round", "\u202eDEB")):
    raw = text.encode()
    TOLD.add(f"an officer with {what}", officer(text), codes=HOSTILE)
    TOLD.add(f"a maker in MP4 with {what}", film("a.mp4", tool(raw)), film="a.mp4", check=told_clean)
    TOLD.add(f"a maker in AVI with {what}", film("a.avi", by_avi(raw)), film="a.avi", check=told_clean)
    TOLD.add(f"software in Exif with {what}", film("a.jpg", exif(raw)), film="a.jpg", check=told_clean)

KINDS = (TOLD,)
