"""Where the files that ship beside the code are: the settings template, the rule packs."""

import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from bwcdock.errors import Misused

TEMPLATE = "bwcdock.toml"
"""The shipped settings; its presence is what makes a directory the shipped one."""


def config_dir() -> Path:
    """The directory that holds ``bwcdock.toml`` and ``rules/``: ``config/`` of a checkout, or ``share/bwcdock``.

    The checkout comes first: an editable install may have left an older copy under the prefix. Raises
    :class:`~bwcdock.errors.Misused` where neither exists.
    """
    checkout = Path(__file__).resolve().parents[2]
    # Where the installer put shared data: on Debian outside a virtual environment that is not ``sys.prefix``.
    return find(checkout, (Path(sysconfig.get_path("data")), Path(sys.prefix)))


def find(checkout: Path, prefixes: Iterable[Path]) -> Path:
    """The first of ``<checkout>/config`` and each ``<prefix>/share/bwcdock`` that holds the template."""
    candidates = [checkout / "config", *(prefix / "share" / "bwcdock" for prefix in prefixes)]
    for candidate in candidates:
        if (candidate / TEMPLATE).is_file():
            return candidate
    looked = ", ".join(dict.fromkeys(str(c) for c in candidates))
    raise Misused(
        "find the shipped files",
        f"No {TEMPLATE} in {looked}.",
        "Install bwcdock again from its wheel, which carries these files.",
    )
