"""The manual of quirks names everything a quirk may say."""

import re
import typing
from collections.abc import Iterator
from pathlib import Path

from bwcdock_drivers.quirks import GROUPS, Quirk
from pydantic import BaseModel

MANUAL = (Path(__file__).resolve().parents[2] / "DRIVERS.md").read_text(encoding="utf-8")


def keys(model: type[BaseModel], table: str) -> Iterator[tuple[str, str]]:
    """Every key of a quirk file with the table it stands in: ``("[match]", "label")``."""
    for name, field in model.model_fields.items():
        inner = [kind for kind in (field.annotation, *typing.get_args(field.annotation)) if isinstance(kind, type)]
        models = [kind for kind in inner if issubclass(kind, BaseModel)]
        if models:
            head = f"[{name}]" if field.annotation in models else f"[{name}.<name>]"
            head = f"[[{name}]]" if typing.get_origin(field.annotation) is tuple else head
            yield from keys(models[0], head)
        elif typing.get_origin(field.annotation) is dict and not table:
            yield f"[{name}]", ""
        elif (table, name) != ("", "name"):  # it is the name of the file
            yield table, name


def test_every_key_of_a_quirk_stands_in_the_manual() -> None:
    found = set(keys(Quirk, ""))
    assert {("", "about"), ("[match]", "inquiry"), ("[markers.<name>]", "flags"), ("[kinds]", "")} <= found
    rows = [row for row in MANUAL.splitlines() if row.startswith("|")]
    for table, key in sorted(found):
        (row,) = [row for row in rows if row.startswith(f"| `{table or key}`")]
        assert not table or not key or f"`{key}`" in row, (table, key)


def test_every_group_of_a_naming_pattern_stands_in_the_manual() -> None:
    (row,) = [row for row in MANUAL.splitlines() if row.startswith("| `[naming]`")]
    assert set(re.findall(r"\w+", row)) >= GROUPS
