"""Reads a TOML file written by people into a typed value, with errors that name file, line and key."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, ValidationError, create_model

from bwcdock.errors import Misused
from bwcdock.toml_lines import Loc, line_of, lines_of

T = TypeVar("T")


def read(path: Path, kind: type[T], op: str) -> T:
    """The file as ``kind``; unknown keys are errors in every part of it. Raises :class:`Misused` from ``op``."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise Misused(op, f"{path} cannot be read: {error.strerror}.", "Check its name and permissions.") from error
    except UnicodeDecodeError as error:
        raise Misused(op, f"{path} is not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise Misused(op, f"{path} is not TOML: {error}.", "Mend the line it names.") from error
    # Parts that are plain dataclasses take over the strictness of the model around them.
    model = create_model("File", __config__=ConfigDict(extra="forbid"), content=(kind, ...))
    try:
        return cast(T, cast(Any, model).model_validate({"content": data}).content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _explained(path, text, first["loc"][1:], first["msg"].removeprefix("Value error, "), op) from error


def _explained(path: Path, text: str, key: Loc, message: str, op: str) -> Misused:
    line = line_of(key, lines_of(text))
    where = str(path) if line is None else f"{path}:{line}"
    named = f"{_dotted(key)}: " if key else ""
    return Misused(op, f"{where}: {named}{message.rstrip('.')}.", "Mend the file; docs/rules.md explains every key.")


def _dotted(key: Loc) -> str:
    """``('retention', 1, 'months')`` as ``retention[2].months``, counted as people count."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")
