"""Reads a TOML file written by people into a typed value, with errors that name file, line and key."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, ValidationError, create_model

from bwcdock.errors import Misused
from bwcdock.toml_lines import Loc, line_of, lines_of

T = TypeVar("T")


def read(path: Path, kind: type[T], op: str) -> T:
    """The file as ``kind``; unknown keys are errors in every part of it.

    Raises :class:`Misused` from ``op``; its cause is the error it rests on.
    """
    found, wrong = examine(path, kind, op)
    if wrong or found is None:
        raise wrong[0]
    return found


def examine(path: Path, kind: type[T], op: str) -> tuple[T | None, list[Misused]]:
    """The file as ``kind``, or everything that is wrong with it, as :func:`read` would say it."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return None, [_because(error, _unread(path, error, op))]
    try:
        return cast(T, _model(cast(Any, kind)).model_validate({"content": data}).content), []
    except ValidationError as error:
        return None, [
            _because(error, _explained(path, text, each["loc"][1:], each["msg"].removeprefix("Value error, "), op))
            for each in error.errors(include_url=False)
        ]


@cache
def _model(kind: Any) -> Any:
    # Parts that are plain dataclasses take over the strictness of the model around them.
    return create_model("File", __config__=ConfigDict(extra="forbid"), content=(kind, ...))


def _because(error: Exception, told: Misused) -> Misused:
    """What ``raise … from`` would have made of both: callers ask whether a file is wrong or not there at all."""
    told.__cause__ = error
    return told


def _unread(path: Path, error: OSError | UnicodeDecodeError | tomllib.TOMLDecodeError, op: str) -> Misused:
    if isinstance(error, OSError):
        return Misused(op, f"{path} cannot be read: {error.strerror}.", "Check its name and permissions.")
    if isinstance(error, UnicodeDecodeError):
        return Misused(op, f"{path} is not UTF-8 at byte {error.start}.", "Save it as UTF-8.")
    named = re.search(r"at line (\d+)", str(error))
    where = f"{path}:{named[1]}" if named else str(path)
    return Misused(op, f"{where} is not TOML: {error}.", "Mend the line it names.")


def _explained(path: Path, text: str, key: Loc, message: str, op: str) -> Misused:
    line = line_of(key, lines_of(text)) or _mentioned(message, text)
    where = str(path) if line is None else f"{path}:{line}"
    named = f"{_dotted(key)}: " if key else ""
    return Misused(op, f"{where}: {named}{message.rstrip('.')}.", "Mend the file; docs/rules.md explains every key.")


def _mentioned(message: str, text: str) -> int | None:
    """The line of the first word the message quotes: what contradicts the file as a whole has no key of its own."""
    word = re.search(r"'([^']+)'", message)
    lines = text.splitlines()
    return next((at for at, line in enumerate(lines, 1) if word and f'"{word[1]}"' in line), None)


def _dotted(key: Loc) -> str:
    """``('retention', 1, 'months')`` as ``retention[2].months``, counted as people count."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")
