"""Makes of what udev tells about a disk the quirk file that would match it."""

import json
import re
from collections.abc import Iterator, Mapping

from bwcdock.core.facts import Sighting
from bwcdock.core.inquiry import NAMELESS, inquiry

_FILE_SYSTEMS = {"exfat": "exfat", "ntfs": "ntfs", "ext2": "ext", "ext3": "ext", "ext4": "ext"}
_SERIAL_DIGITS = 4
"""A label with so many digits is probably the number of the recorder."""

_WORD_MAX = 60
"""Characters of vendor or product that are matched: INQUIRY has 8 and 16, USB strings at most 126."""


def stanza(sighting: Sighting) -> list[str]:
    """A quirk file in lines; where nothing tells this make from others, lines of comment that say so."""
    told = dict(sighting.properties)
    vendor, model, label = (told.get(name, "")[:_WORD_MAX] for name in ("ID_VENDOR", "ID_MODEL", "ID_FS_LABEL"))
    where = f"{sighting.source} at {sighting.port}"
    conditions = list(_conditions(vendor, model, label, told))
    if all(line.startswith("#") for line in conditions):
        return [f"# {where}: nothing udev tells sets it apart. Use `paths`, a pattern of its files' names: DRIVERS.md."]
    about = f"{vendor} {model}".replace("_", " ").strip() or label
    lines = [
        f"# {where}, USB {told.get('ID_VENDOR_ID', '?')}:{told.get('ID_MODEL_ID', '?')}",
        f"about = {_text(f'Suggested for {about}: say here where what follows is known from.')}",
        "",
        "[match]",
        *conditions,
    ]
    identity = list(_identity(vendor, model, label))
    return [*lines, "", "[identity]", *identity] if identity else lines


def _conditions(vendor: str, model: str, label: str, told: Mapping[str, str]) -> Iterator[str]:
    says = inquiry([("ID_VENDOR", vendor), ("ID_MODEL", model)])
    file_system = _FILE_SYSTEMS.get(told.get("ID_FS_TYPE", ""), told.get("ID_FS_VERSION", "").lower())
    known = file_system in {*_FILE_SYSTEMS.values(), "fat12", "fat16", "fat32"}
    spoken = not any(name.startswith(says) for name in NAMELESS)
    if spoken:
        yield f"inquiry = {_text(f'^{re.escape(says)}')}"
    if label:
        # One recorder's label is no ground to shut out its sisters: with a better condition it is only offered.
        off = "# " if spoken else ""
        yield f"{off}label = {_text(f'^{_alike(label)}$')}"
    if known:
        yield f"# filesystem = [{_text(file_system)}]"


def _identity(vendor: str, model: str, label: str) -> Iterator[str]:
    if sum(c.isdigit() for c in label) >= _SERIAL_DIGITS:
        yield 'serial = ["name-group", "label", "volume-serial"]'
        yield f"label = {_text(f'^(?P<device>{_alike(label)})$')}"
    if vendor:
        yield f"vendor = {_text(vendor.replace('_', ' ').strip())}"
    if model:
        yield f"model = {_text(model.replace('_', ' ').strip())}"


def _alike(label: str) -> str:
    """A pattern for labels of the same build: as many digits in the same places."""
    return "".join(
        f"[0-9]{{{len(part)}}}" if part.isdecimal() and part.isascii() else re.escape(part)
        for part in re.split(r"([0-9]+)", label)
    )


def _text(text: str) -> str:
    """A TOML string, without escapes where that is possible: a pattern is hard enough to read."""
    return (
        f"'{text}'"
        if "'" not in text and text.isprintable()
        else json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    )
