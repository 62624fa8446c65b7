"""Keeps a conversation with a recorder as text: for reports, and for tests without hardware.

A tape is JSON, one object a line. The first says what it is; every other is one exchange: what was asked, and what
came. Two things never get onto it: the recorder's own number, in whose place a pseudonym of the same length stands
everywhere, and footage, of which length and SHA-256 are kept. Names of files are kept, as they are what reports are
about.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bwcdock.errors import Misused

VERSION: Final = 1

LINE_MAX: Final = 4 << 20
"""Characters of a line that is read: a dataset of a mebibyte as hex digits, and what stands around it."""

LINES_MAX: Final = 1_000_000

KEPT_MAX: Final = 1 << 20
"""Bytes of one answer that are kept as they are, where they are no footage."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes on a tape: as they were, or only how many, where ``raw`` is ``None``."""

    length: int
    raw: bytes | None


def kept(raw: bytes, most: int = KEPT_MAX) -> dict[str, Any]:
    """How bytes are written: in hex, or as length and digest."""
    if len(raw) <= most:
        return {"hex": raw.hex()}
    return {"length": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def told(exchange: Mapping[str, Any]) -> Kept | None:
    """The bytes of an exchange; ``None`` where it has none."""
    if isinstance(exchange.get("hex"), str):
        try:
            raw = bytes.fromhex(exchange["hex"])
        except ValueError as error:
            raise _broken("bytes that are no hex digits") from error
        return Kept(len(raw), raw)
    length = exchange.get("length")
    return Kept(length, None) if isinstance(length, int) and length >= 0 else None


class Pseudonyms:
    """Puts others of the same length in the place of numbers that tell one recorder from another."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._instead: dict[str, str] = {}

    def learn(self, secret: str) -> None:
        """From now on this stands on no tape. One of less than four characters is no number."""
        if len(secret) >= 4:
            digest = hashlib.sha256(self._salt + secret.encode("utf-8", "surrogatepass")).hexdigest().upper()
            self._instead[secret] = ("X" + digest * (len(secret) // 64 + 1))[: len(secret)]

    def hide(self, raw: bytes) -> bytes:
        """The same bytes with pseudonyms, whether a number is written in ASCII or UTF-16."""
        for secret, instead in self._instead.items():
            for form in ("utf-8", "utf-16-le"):
                raw = raw.replace(secret.encode(form, "surrogatepass"), instead.encode(form))
        return raw


class Writing:
    """Writes a tape; ``write`` takes one line at a time."""

    def __init__(self, write: Callable[[str], object], driver: str, about: Mapping[str, str]) -> None:
        self._write = write
        self.exchange(tape=VERSION, driver=driver, about=dict(about))

    def exchange(self, **what: Any) -> None:
        """One exchange."""
        self._write(json.dumps(what, ensure_ascii=True, separators=(",", ":")) + "\n")


def exchanges(lines: Iterable[str], driver: str) -> list[dict[str, Any]]:
    """Everything on a tape of this driver, without its first line. Raises :class:`~bwcdock.errors.Misused`."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if len(line) > LINE_MAX or len(found) > LINES_MAX:
            raise _broken("more on it than a tape holds")
        try:
            each = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _broken(f"no JSON in line {len(found) + 1}") from error
        if not isinstance(each, dict):
            raise _broken(f"no object in line {len(found) + 1}")
        found.append(each)
    if not found or found[0].get("tape") != VERSION or found[0].get("driver") != driver:
        raise _broken(f"no beginning of a tape of the driver {driver}")
    return found[1:]


def _broken(what: str) -> Misused:
    return Misused("play a tape", f"This is no tape: {what}.", "Record one with `bwcdock record-tape`.")
