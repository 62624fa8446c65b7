"""Says what a recording's container states of itself, reading little and decoding nothing."""

import struct
from collections.abc import Callable

from bwcdock.core.facts import MediaFacts
from bwcdock.media import boxes, exif, riff
from bwcdock.media.source import Draft, Malformed, Source

EXTENSIONS = {
    "mp4": "mp4", "m4v": "mp4", "m4a": "mp4", "3gp": "mp4", "lrv": "mp4", "mov": "mp4", "qt": "mp4",
    "avi": "avi", "wav": "wav", "jpg": "jpeg", "jpeg": "jpeg", "thm": "jpeg",
}  # fmt: skip
"""What a name promises. MP4 and QuickTime are one family: recorders put either brand under either name."""

STILL_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"})
"""Brands of pictures in boxes (ISO/IEC 23008-12): they have no moov and are not looked at further."""

OLD_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""First boxes of a QuickTime file from before ftyp; after a power cut mdat may be the first and the only one."""

SEGMENT = frozenset({b"styp", b"moof", b"sidx"})
"""First boxes of a piece of a fragmented file."""

PARSER_FAULTS = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError, struct.error)
"""What a mistake in these readers could raise on bytes nobody thought of. An ``OSError`` of ``read`` is not among them:
a failing disk must be heard."""


def look(read: Callable[[int, int], bytes], size: int, name: str) -> MediaFacts:
    """What the container of one sealed file says of itself.

    ``read(offset, length)`` returns at most ``length`` bytes of the file, fewer only near its end; ``size`` is its
    size in bytes; ``name`` is used for nothing but to say that content and name disagree. At most
    :data:`~bwcdock.media.source.MAX_BYTES` are read. No content makes this raise: what cannot be followed is told in
    ``problems``. Only what ``read`` itself raises passes through.
    """
    draft = Draft()
    try:
        gather(Source(read, size), name, draft)
    except PARSER_FAULTS as fault:
        # The bytes are sealed and stay so; a reader's mistake must not keep a recording from central storage.
        draft.problem(f"The container could not be read ({type(fault).__name__}).")
    return draft.facts()


def gather(source: Source, name: str, draft: Draft) -> None:
    """Find the reader by the content, let it fill ``draft``, and compare with the name."""
    try:
        head = source.at(0, min(16, source.size))
        draft.container = kind(head)
        if draft.container in ("mp4", "mov"):
            boxes.look(source, draft)
        elif draft.container == "avi":
            riff.avi(source, draft)
        elif draft.container == "wav":
            riff.wav(source, draft)
        elif draft.container == "jpeg":
            exif.jpeg(source, draft)
        _compare(name, head, draft)
    except Malformed as fault:
        draft.problem(str(fault))


def kind(head: bytes) -> str:
    """The container by the first 16 bytes: ``mp4``, ``mov``, ``avi``, ``wav``, ``jpeg`` or ``other``."""
    tag, brand = head[4:8], head[8:12]
    if tag == b"ftyp":
        return "mov" if brand == b"qt  " else "other" if brand in STILL_BRANDS else "mp4"
    if tag in OLD_QUICKTIME:
        return "mov"
    if tag in SEGMENT:
        return "mp4"
    if head[:4] == b"RIFF" and brand == b"AVI ":
        return "avi"
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and brand == b"WAVE":
        return "wav"
    return "jpeg" if head[:3] == b"\xff\xd8\xff" else "other"


def _compare(name: str, head: bytes, draft: Draft) -> None:
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    promised = EXTENSIONS.get(extension)
    found = "mp4" if draft.container == "mov" else draft.container
    if not head:
        draft.problem("The file is empty.")
    elif promised and found == "other":
        zeros = " It begins with zeros." if not head.strip(b"\0") else ""
        draft.problem(f"The name says .{extension}, the content is no such container.{zeros}")
    elif promised and found != promised:
        draft.problem(f"The name says .{extension}, the content is {draft.container}.")
