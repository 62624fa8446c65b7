"""Says whether a file is all that its container promises, for footage that is still being copied here or was cut.

Stricter than :mod:`bwcdock.media`, which tells of what is sealed and refuses nothing: here what cannot be shown to be
whole is refused by name, whoever hands it over. It reads as little: at most the same budget, and the last pages.
"""

from collections.abc import Callable

from bwcdock import media
from bwcdock.core.intake import Flaw, NotWhole
from bwcdock.media import boxes, riff
from bwcdock.media.source import Cut, Draft, Malformed, Source, printable

UNWRITTEN = 4096
"""Zeros at the end of the footage from which it counts as reserved and not written yet: one page. Coded pictures and
sound have no such run."""

PADDING = 1 << 20
"""Zeros behind the last box that are let pass: recorders fill up their last cluster, which has 128 KiB at most on FAT;
a copy that reserved its room before writing has more."""


def judge(read: Callable[[int, int], bytes], size: int, name: str) -> NotWhole | None:
    """Why the file is not whole; ``None`` where it is, and where its container is none that is known here.

    ``read(offset, length)`` returns at most ``length`` bytes, fewer only near the end of the file. Only what ``read``
    raises passes through.
    """
    if not size:
        return _refused("empty", "The file is empty.")
    try:
        return _judge(Source(read, size), name) or _by_its_index(read, size, name)
    except Cut as fault:
        return _refused("cut", str(fault))
    except Malformed as fault:
        return _refused("malformed", str(fault))
    except media.PARSER_FAULTS as fault:
        return _refused("malformed", f"The container could not be followed ({type(fault).__name__}).")


def _judge(source: Source, name: str) -> NotWhole | None:
    found = media.kind(source.at(0, min(16, source.size)))
    promised = media.EXTENSIONS.get(name.rpartition(".")[2].lower() if "." in name else "", "")
    if promised and promised != ("mp4" if found == "mov" else found):
        zeros = "and begins with zeros" if not source.at(0, min(16, source.size)).strip(b"\0") else f"but {found}"
        return _refused("disguised", f"The content is not what the name says, {zeros}.")
    if found in ("mp4", "mov"):
        return _boxes(source)
    if found == "avi":
        return _riffs(source)
    return None


def _boxes(source: Source) -> NotWhole | None:
    """MP4 and QuickTime: every outermost box is there to its end, with an index and footage among them."""
    seen: set[str] = set()
    stop, footage = 0, None
    for box in boxes.boxes(source, 0, source.size):
        kind = printable(box.kind.encode())
        if box.missing:
            return _refused("cut", f"Box {kind} promises {box.missing} bytes more than the file has.")
        if not box.sized:
            return _refused("open-ended", f"Box {kind} states no size: it was never closed.")
        seen.add(box.kind)
        stop = box.end
        footage = box if box.kind == "mdat" else footage
    if "moov" not in seen:
        return _refused("no-index", "The index (moov) was never written.")
    if footage is None:
        return _refused("no-footage", "There is an index but no footage (mdat).")
    if footage.end - footage.body >= UNWRITTEN and not source.at(footage.end - UNWRITTEN, UNWRITTEN).strip(b"\0"):
        return _refused("unwritten", "The footage ends in zeros: room was reserved for it and not filled yet.")
    return _behind(source, stop)


def _behind(source: Source, stop: int) -> NotWhole | None:
    """What lies behind the last box: nothing, or a little padding."""
    rest = source.size - stop
    edges = [source.at(stop, min(rest, UNWRITTEN)), source.at(source.size - min(rest, UNWRITTEN), min(rest, UNWRITTEN))]
    if rest > PADDING or any(edge.strip(b"\0") for edge in edges):
        return _refused("trailing", f"There are {rest} bytes behind the last box that belong to none.")
    return None


def _riffs(source: Source) -> NotWhole | None:
    """AVI: every RIFF is there to its end, and nothing follows."""
    for chunk in riff.chunks(source, 0, source.size):
        if chunk.kind != b"RIFF":
            return _refused("trailing", "There is something behind the end of the container.")
        if chunk.size in riff.UNKNOWN_SIZE:
            return _refused("open-ended", "The container states no size: it was never closed.")
        if chunk.missing:
            return _refused("cut", f"The container promises {chunk.missing} bytes more than the file has.")
    return None


def _by_its_index(read: Callable[[int, int], bytes], size: int, name: str) -> NotWhole | None:
    """What only the index tells: footage it points at that is not there, an index that was never written."""
    draft = Draft()
    media.gather(Source(read, size), name, draft)
    if draft.truncated:
        return _refused("no-index" if draft.container == "avi" else "cut", " ".join(draft.problems[:2]))
    return None


def _refused(flaw: Flaw, what: str) -> NotWhole:
    return NotWhole(flaw=flaw, what=what)
