"""What things are called: escaped names, record ids, spool names, sink keys; total and safe for any input."""

import hashlib
import re
import unicodedata
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bwcdock.core.facts import Item

# ---------------------------------------------------------------------------------------------------------------------
# Names from a recorder are bytes from a stranger. escape() makes of one component a printable text that can be read
# back exactly, that no terminal, log or web page can be steered with, and that is stable under Unicode normalisation
# (a leaf is hashed: two spellings of one name must stay two names, and must not become one by somebody's NFC).
# ---------------------------------------------------------------------------------------------------------------------

# Control, format (bidi marks, zero-width), surrogate, private use, unassigned, line and paragraph separators, and
# combining marks, which could attach to what stands before them on a screen.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Mc", "Me"}
_ESCAPED = re.compile(r"\\(?:\\|(0)|x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\})")


# Letters and signs that show as nothing: fillers of Hangul, the empty braille cell.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"


def _plain(char: str) -> bool:
    if char in "\\/" or char in _BLANK or (char.isspace() and char != " "):
        return False
    return unicodedata.category(char) not in _HIDDEN and unicodedata.normalize("NFC", char) == char


def escape(raw: bytes) -> str:
    r"""One path component as printable text: what is not plain becomes ``\u{hex}``, what is not UTF-8 ``\xhh``.

    The components ``.`` and ``..``, an empty one, and blanks or dots at the end (which some systems drop) are escaped
    as well. Total, injective, and undone by :func:`unescape`.
    """
    if not raw:
        return "\\0"
    text = raw.decode(errors="surrogateescape")
    out = []
    last = len(text) - 1
    dots_only = set(text) <= {"."}
    for at, char in enumerate(text):
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif char == "\\":
            out.append("\\\\")
        elif (
            not _plain(char)
            or (char in " ." and at == last)
            or (dots_only and char == ".")
            or (char == " " and at == 0)
        ):
            out.append(f"\\u{{{code:x}}}")
        else:
            out.append(char)
    joined = "".join(out)
    if unicodedata.normalize("NFC", joined) != joined:
        # Plain characters that compose with each other (Hangul jamo): spell the whole component out.
        joined = "".join(c if c.isascii() else f"\\u{{{ord(c):x}}}" for c in joined)
    return joined


def unescape(text: str) -> bytes:
    """The raw bytes of a component made by :func:`escape`."""
    out = bytearray()
    at = 0
    for found in _ESCAPED.finditer(text):
        out += text[at : found.start()].encode()
        if found[2]:
            out.append(int(found[2], 16))
        elif found[3]:
            out += chr(int(found[3], 16)).encode(errors="surrogatepass")
        elif not found[1]:
            out += b"\\"
        at = found.end()
    return bytes(out + text[at:].encode())


def show(text: str, width: int = 80) -> str:
    """An escaped path cut to ``width`` characters in the middle, for one line on a screen."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[-(width - 1 - head) :]}"


# ---------------------------------------------------------------------------------------------------------------------
# Identity of a recording
# ---------------------------------------------------------------------------------------------------------------------


def record_id(serial: str, item: Item, variant: str = "") -> str:
    """The id of a recording: 32 hex digits from recorder serial, path, size and recorded-at.

    Listing twice is harmless, and a recording finds itself again at another port or station. ``recorded-at`` is the
    claim as the recorder wrote it, so that a better clock never makes a second record of the same file. ``variant`` is
    the content's edge digest where a file with all these equal turned out to hold other bytes.
    """
    recorded = item.claim.text or item.modified_text
    parts = (serial, item.path, str(item.size), recorded, item.modified_text, variant)
    told = b"".join(len(p.encode()).to_bytes(4) + p.encode() for p in parts)
    return hashlib.sha256(b"bwcdock record v1\n" + told).hexdigest()[:32]


def session_id(serial_or_port: str, arrived_at: datetime, nonce: str) -> str:
    """The id of a dock session: 24 hex digits, new at every docking."""
    told = f"{serial_or_port}\n{arrived_at.isoformat()}\n{nonce}"
    return hashlib.sha256(b"bwcdock session v1\n" + told.encode()).hexdigest()[:24]


# ---------------------------------------------------------------------------------------------------------------------
# Names in central storage
# ---------------------------------------------------------------------------------------------------------------------

LAYOUT = "{unit}/{date}/{recorder}/{time}_{officer}_{kind}_{name}_{id}{ext}"
"""The default key: unit, day, recorder, then a name that says what the file shows (S1 第二十一条)."""

FIELDS = ("unit", "date", "recorder", "time", "officer", "kind", "name", "id", "ext")
"""What a layout may name. A layout without ``id`` would let two recordings meet under one key, so it is refused."""

# Letters and digits of any script, and a few signs that no file system, share or URL gives a meaning to.
_UNSAFE = re.compile(r"[^\w.+=@-]+", re.UNICODE)
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)  # in every zone within the calendar
_COMPONENT_BYTES = 200  # 255 is the limit of the common file systems; the rest is for ".manifest.json" and temporaries.


def safe(text: str, otherwise: str = "_") -> str:
    """``text`` as one component of a key: no separators, no leading dot, at most 200 bytes, never empty."""
    flat = unicodedata.normalize("NFC", _UNSAFE.sub("_", text)).strip("._")
    cut = flat.encode()[:_COMPONENT_BYTES].decode(errors="ignore").strip("._")
    return cut or otherwise


def layout_problem(layout: str) -> str | None:
    """What is wrong with a layout, in one sentence; ``None`` when it can be used."""
    named = re.findall(r"{([^{}]*)}", layout)
    unknown = [n for n in named if n not in FIELDS]
    if unknown:
        return f"the layout names {{{unknown[0]}}}; it may name {', '.join(FIELDS)}."
    if "id" not in named:
        return "the layout lacks {id}, so two recordings could meet under one key."
    if not any(re.fullmatch(r"{id}.*|.*{id}(?:{ext})?", part) for part in layout.split("/")):
        return "{id} must begin or end a part of the layout: a part that grows too long is cut in its middle."
    if any(part in {"", ".", ".."} for part in layout.replace("{ext}", "").split("/")):  # a file may lack a suffix
        return "the layout must be relative, without empty, '.' or '..' parts."
    return None


def sink_key(layout: str, *, unit: str, serial: str, record: str, item: Item, start: datetime, zone: str) -> str:
    """The key of a record in central storage: always relative, always safe, and never two records under one key.

    ``start`` is the corrected start in UTC, shown in ``zone`` (an IANA name).
    """
    local = max(_FIRST, min(start, _LAST)).astimezone(ZoneInfo(zone))
    stem, _, ext = item.path.rpartition("/")[2].rpartition(".")
    if not stem or len(ext) > 8:
        stem, ext = item.path.rpartition("/")[2], ""
    values = {
        "unit": safe(unit),
        "date": f"{local:%Y-%m-%d}",
        "recorder": safe(serial),
        "time": f"{local:%H%M%S}",
        "officer": safe(item.officer, "unknown"),
        "kind": item.kind.value + ("-important" if "important" in item.markers else ""),
        "name": safe(stem)[:60],
        "id": record[:12],
        "ext": f".{safe(ext).lower()}" if ext else "",
    }
    parts = (re.sub(r"{(\w+)}", lambda m: values[m[1]], part) for part in layout.split("/"))
    return "/".join(_bounded(part) for part in parts)


def _bounded(component: str) -> str:
    """A filled component of at most 200 bytes that keeps its end, where the id and the suffix stand."""
    raw = component.encode()
    if len(raw) <= _COMPONENT_BYTES:
        return component
    half = _COMPONENT_BYTES // 2
    head = raw[:half].decode(errors="ignore")
    tail = raw[-half + 1 :].decode(errors="ignore")
    return f"{head}_{tail}"
