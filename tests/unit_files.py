"""The unit files of the repository as values, for the tests about them."""

from collections import defaultdict
from pathlib import Path

UNITS = Path(__file__).resolve().parents[1] / "systemd"
NAMES = sorted(path.name for path in UNITS.iterdir() if path.is_file() and path.suffix != ".example")


def text(name: str) -> str:
    return (UNITS / name).read_text(encoding="utf-8")


def told(name: str) -> dict[str, list[str]]:
    """Every ``[Section] Key=`` of a unit with its values in order. An empty value stands; it takes back what was."""
    section, found = "", defaultdict(list)
    for line in text(name).splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[f"{section} {key}"].append(value)
    return dict(found)


def one(name: str, key: str) -> str:
    """The one value of a key."""
    (value,) = told(name)[key]
    return value


def seconds(name: str, key: str) -> float:
    """A time span of one unit of time, or a bare number of seconds."""
    value = one(name, key)
    number = value.rstrip("minh")
    return float(number) * {"": 1, "min": 60, "h": 3600}[value[len(number) :]]


def size(name: str, key: str) -> int:
    value = one(name, key)
    return int(value[:-1]) * {"M": 1 << 20, "G": 1 << 30}[value[-1]]
