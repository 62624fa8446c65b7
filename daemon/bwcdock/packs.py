"""Loads rule packs, and a bureau's own settings over them, from files."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from bwcdock import tomlfile
from bwcdock.core.local import Local
from bwcdock.core.rulepack import RulePack
from bwcdock.errors import Misused

OP = "load the rule pack"


def available(dirs: Sequence[Path]) -> tuple[str, ...]:
    """The names of all packs in these directories, sorted. A directory that is not there holds none."""
    return tuple(sorted({path.stem for folder in dirs for path in folder.glob("*.toml")}))


def load(name: str, dirs: Sequence[Path]) -> RulePack:
    """The pack ``name`` from the first directory that has it; :class:`Misused` says what is wrong, and where."""
    path = next((folder / f"{name}.toml" for folder in dirs if name in available([folder])), None)
    if path is None:
        known = ", ".join(available(dirs)) or "none"
        raise Misused(OP, f"There is no rule pack {name!r}.", f"Choose one of: {known}.")
    pack = tomlfile.read(path, RulePack, OP)
    if pack.name != name:
        what = f"{path} calls itself {pack.name!r}; papers and ledger name a pack by its file."
        raise Misused(OP, what, "Make name and file name agree.")
    if pack.digest or pack.tightened:
        raise Misused(OP, f"{path} sets digest or tightened.", "Remove both; the station fills them in.")
    return replace(pack, digest=sha256(path.read_bytes()).hexdigest())


def load_local(path: Path) -> Local:
    """A bureau's ``local.toml``, for :func:`bwcdock.core.local.tighten`."""
    return tomlfile.read(path, Local, "load the bureau's own settings")
