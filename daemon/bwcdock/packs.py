"""Loads rule packs, and a bureau's own settings over them, from files."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

from bwcdock import resources, tomlfile
from bwcdock.core.coverage import Means
from bwcdock.core.local import Local
from bwcdock.core.rulepack import RulePack
from bwcdock.errors import Misused

OP = "load the rule pack"
LOCAL_OP = "load the bureau's own settings"


def available(dirs: Sequence[Path]) -> tuple[str, ...]:
    """The names of all packs in these directories, sorted. A directory that is not there holds none."""
    return tuple(sorted({path.stem for folder in dirs for path in folder.glob("*.toml")}))


def load(name: str, dirs: Sequence[Path]) -> RulePack:
    """The pack ``name`` from the first directory that has it; :class:`Misused` says what is wrong, and where."""
    path = next((folder / f"{name}.toml" for folder in dirs if name in available([folder])), None)
    if path is None:
        known = ", ".join(available(dirs)) or "none"
        raise Misused(OP, f"There is no rule pack {name!r}.", f"Choose one of: {known}.")
    return load_file(path)


def load_file(path: Path) -> RulePack:
    """The pack in this file; :class:`Misused` says what is wrong, and where."""
    pack, wrong = examine(path)
    if wrong or pack is None:
        raise wrong[0]
    return pack


def examine(path: Path) -> tuple[RulePack | None, list[Misused]]:
    """The pack in this file, or everything that is wrong with it."""
    pack, wrong = tomlfile.examine(path, RulePack, OP)
    if pack is None:
        return None, wrong
    if pack.name != path.stem:
        what = f"{path} calls itself {pack.name!r}; papers and ledger name a pack by its file."
        return None, [Misused(OP, what, "Make name and file name agree.")]
    if pack.digest or pack.tightened:
        what = f"{path} sets digest or tightened."
        return None, [Misused(OP, what, "Remove both; the station fills them in.")]
    return replace(pack, digest=sha256(path.read_bytes()).hexdigest()), []


def load_local(path: Path) -> Local:
    """A bureau's ``local.toml``, for :func:`bwcdock.core.local.tighten`."""
    return tomlfile.read(path, Local, LOCAL_OP)


def examine_local(path: Path) -> tuple[Local | None, list[Misused]]:
    """A bureau's ``local.toml``, or everything that is wrong with it."""
    return tomlfile.examine(path, Local, LOCAL_OP)


def is_local(path: Path) -> bool:
    """Whether this file is a bureau's own settings rather than a pack: by its name, else by what is in it."""
    if path.name == "local.toml":
        return True
    try:
        keys = set(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):  # what is wrong with it is said by who reads it
        return False
    return bool(keys) and keys <= {each.name for each in fields(Local)}


def means() -> Mapping[str, Means]:
    """How the program meets what a regulation asks for, by part of a pack and id of a duty; as shipped."""
    return tomlfile.read(resources.config_dir() / "coverage.toml", dict[str, Means], "load the coverage")
