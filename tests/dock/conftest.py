"""The dock against the machine's own udev and systemd: `make check-dock` runs these, `make test` does not.

They need Debian's packages udev, systemd and strace, and fail where one of them is missing. What only root may do, or
what the machine lets nobody else do, is skipped for everybody else, each with a line at the end that says so; root has
all of them.
"""

import os
import subprocess
from functools import cache

import pytest
from usb_world import ALONE, AS_NOBODY

ROOT_ONLY = "needs root: a real udevd hears the kernel only in the first user namespace (sudo make check-dock)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, and say why, what this user has no means for on this machine."""
    for item in items:
        flags = getattr(getattr(item, "function", None), "flags", None)
        if flags is not None and os.geteuid() and (why := ROOT_ONLY if flags != AS_NOBODY else _no_namespaces()):
            item.add_marker(pytest.mark.skip(reason=why))


@cache
def _no_namespaces() -> str:
    """Why an ordinary user gets no namespaces of its own here; empty where it does. Only trying tells."""
    command = ["unshare", *ALONE, *AS_NOBODY, "mount", "-t", "tmpfs", "probe", "/run"]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if not tried.returncode:
        return ""
    return f"needs user namespaces, which this machine keeps from ordinary users ({tried.stderr.strip()}); or root"
