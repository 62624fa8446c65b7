"""One sealed file read by seeking, with every byte and every structure counted against a budget."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bwcdock.core.facts import MediaFacts

MAX_BYTES = 4 * 1024 * 1024
"""Most bytes read of one file, whatever it says of itself: about 20 ms from the page cache."""

MAX_STRUCTURES = 20_000
"""Most boxes, chunks or segments looked at: 2.7 hours of one-second fragments; 0.15 s for a hostile file."""

WINDOW = 160
"""Least bytes fetched at once: the header, mvhd (v1: 120 bytes) or moof that follows comes with it, so an ordinary file
takes some twenty small reads; ``MAX_STRUCTURES`` windows stay below ``MAX_BYTES``, so structures run out first."""

MAX_TEXT = 64
"""Longest text taken from a file, in characters, after escaping."""

MAX_PROBLEMS = 8
"""Most sentences kept of one file: the first tells what is wrong, the hundredth is noise."""

MAX_DURATION_MS = 31 * 86_400_000
"""A month: no recorder writes a longer file, so a longer duration is a lie (and must not overflow a date)."""


class Malformed(Exception):
    """A structure that cannot be followed; the argument is the sentence for ``problems``. Never leaves this package."""


class Cut(Malformed):
    """A structure points at bytes that the file does not have."""


class Source:
    """A file as its readers see it: exact reads at an offset, all within the budget."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self.size = max(size, 0)
        self._read = read
        self._bytes_left = MAX_BYTES
        self._structures_left = MAX_STRUCTURES
        self._window = b""
        self._window_at = 0

    def at(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``; :class:`Cut` where the file has no such bytes."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Cut("A structure points outside the file.")
        inside = offset - self._window_at
        if not 0 <= inside <= len(self._window) - length:
            self._fetch(offset, max(length, min(WINDOW, self.size - offset)))
            inside = 0
        data = self._window[inside : inside + length]
        if len(data) < length:
            raise Cut("The file ends before its stated size.")
        return data

    def structure(self) -> None:
        """Count one more box, chunk or segment."""
        self._structures_left -= 1
        if self._structures_left < 0:
            raise Malformed(f"More than {MAX_STRUCTURES} structures; the rest was not looked at.")

    def _fetch(self, offset: int, length: int) -> None:
        self._bytes_left -= length
        if self._bytes_left < 0:
            raise Malformed(f"More than {MAX_BYTES} bytes of structure; the rest was not looked at.")
        parts: list[bytes] = []
        got = 0
        while got < length:
            part = self._read(offset + got, length - got)
            if not part:
                break
            parts.append(part)
            got += len(part)
        self._window, self._window_at = b"".join(parts), offset


@dataclass(slots=True, kw_only=True)
class Draft:
    """The facts while they are being gathered: what was learnt before a structure broke is kept."""

    container: str = "other"
    started: datetime | None = None
    duration_ms: int | None = None
    truncated: bool = False
    fragmented: bool = False
    encoder: str = ""
    gps_time: datetime | None = None
    problems: list[str] = field(default_factory=list)

    def problem(self, sentence: str) -> None:
        """Keep a sentence on what was refused, once, and not too many."""
        if sentence not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(sentence)

    def lasts(self, ticks: int, ticks_per_second: int) -> None:
        """Set the duration; a rate of zero, a negative or an absurd duration is a problem and sets nothing."""
        if ticks_per_second <= 0:
            self.problem("The container counts time in zero ticks per second.")
            return
        ms = ticks * 1000 // ticks_per_second
        if 0 <= ms <= MAX_DURATION_MS:
            self.duration_ms = ms
        else:
            self.problem("The container states a duration that cannot be true.")

    def facts(self) -> MediaFacts:
        """The facts as a value."""
        return MediaFacts(
            container=self.container,
            started=self.started,
            duration_ms=self.duration_ms,
            truncated=self.truncated,
            fragmented=self.fragmented,
            encoder=self.encoder,
            gps_time=self.gps_time,
            problems=tuple(self.problems),
        )


def printable(raw: bytes) -> str:
    r"""Text of a file as harmless text: at most 64 printable characters, all else escaped (``\x1b``, ``\u202e``).

    A text ends at its first NUL; bytes that are not UTF-8 are escaped one by one.
    """
    text = raw[: 4 * MAX_TEXT].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    escaped = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escaped[:MAX_TEXT].strip()
