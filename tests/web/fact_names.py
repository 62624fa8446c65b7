"""Every name of a field in the vocabulary, those of the values in facts included."""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints


def names_in(kinds: Iterable[type]) -> set[str]:
    """The names of all fields of these facts, and of the dataclasses in them."""
    found: set[str] = set()
    seen: set[type] = set()

    def look(hint: Any) -> None:
        for part in get_args(hint):
            look(part)
        if isinstance(hint, type) and is_dataclass(hint) and hint not in seen:
            seen.add(hint)
            hints = get_type_hints(hint)
            for field in fields(hint):
                found.add(field.name)
                look(hints[field.name])

    for kind in kinds:
        look(kind)
    return found
