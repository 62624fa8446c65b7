"""What has to be said of footage that comes from elsewhere: where it is from, who handed it over, and how it came here.

A regulation names the sources (S1 第九条). Footage without these words is not taken: what nobody answers for is no
evidence. What is said travels with the sighting, as properties, so it stands in the ledger before the first byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Origin = Literal["body-camera", "camera", "city-monitoring", "other-monitoring", "citizen"]
"""S1 第九条: (一) 执法记录仪 (二) 摄录设备 (三) 智慧城管监控及公安交警共享探头 (四) 其他监控设备 (五) 市民实名举报."""

ORIGINS: tuple[str, ...] = get_args(Origin)

NOTE_NAME = "intake.toml"
"""The file beside the footage that says it; it is brought in with the footage, as it was written."""

Flaw = Literal[
    "empty", "cut", "open-ended", "no-index", "no-footage", "unwritten", "trailing", "disguised", "malformed"
]
"""Why a file is not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotWhole:
    """A file that is not what its container promises: a word for programs, a sentence for people."""

    flaw: Flaw
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is said of one folder of footage.

    ``holder`` is who had it and hands it over, a citizen by his real name (实名); ``chain`` how it was made, copied and
    carried until here; ``system`` the program or device it was exported from. ``as_is`` are the files that are known
    not to be whole and are evidence all the same, by their paths in the folder.
    """

    source: Origin
    holder: str
    chain: str
    system: str = ""
    as_is: tuple[str, ...] = field(default=())


_SAID = {"INTAKE_CHAIN": "chain", "INTAKE_HOLDER": "holder", "INTAKE_SOURCE": "source", "INTAKE_SYSTEM": "system"}


def said(note: Note) -> tuple[tuple[str, str], ...]:
    """The note as properties of a sighting."""
    return tuple((name, text) for name, part in _SAID.items() if (text := getattr(note, part)))


def heard(properties: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """What a sighting says of where its footage is from, by the note's own words; empty for what is docked itself."""
    return {_SAID[name]: text for name, text in properties if name in _SAID}
