"""Where the files that ship beside the code are: the settings template, the rule packs, units and udev rules."""

import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from bwcdock.errors import Misused

TEMPLATE = "bwcdock.toml"
"""The shipped settings; its presence is what makes a directory the shipped one."""

_CHECKOUT = Path(__file__).resolve().parents[2]


def config_dir() -> Path:
    """The directory that holds ``bwcdock.toml`` and ``rules/``: ``config/`` of a checkout, or ``share/bwcdock``.

    The checkout comes first: an editable install may have left an older copy under the prefix. Raises
    :class:`~bwcdock.errors.Misused` where neither exists.
    """
    return find(_CHECKOUT, _prefixes())


def machine_dir(part: str) -> Path:
    """The directory of the files that ``bwcdock install`` puts on a machine: ``part`` is ``systemd`` or ``udev``."""
    shipped = config_dir()
    return shipped.parent / part if shipped == _CHECKOUT / "config" else shipped / part


def _prefixes() -> tuple[Path, ...]:
    # Where the installer put shared data: on Debian outside a virtual environment that is not ``sys.prefix``.
    return Path(sysconfig.get_path("data")), Path(sys.prefix)


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
