"""In the guest, in the place of the kiosk's compositor and browser: what it finds, as one JSON object."""

import ctypes
import json
import os

import screen

CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
PLACES = ("/var/lib/bwcdock", "/var/lib/bwcdock-web", "/etc/bwcdock", "/run/bwcdock")


def found() -> dict[str, object]:
    """The wall's status; whether the compositor has room for its socket, the browser for its profile, and its sandbox a
    namespace; and what became of looking where the kiosk has no business.
    """
    room, home = os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("HOME", "")
    return {
        "groups": [group for group in os.getgroups() if group != os.getgid()],
        "wall": screen.get("/wall")["status"],
        **{name: next(iter(screen.tried({"make": [at]}).values())) for name, at in (("room", room), ("home", home))},
        "namespace": _namespace(),
        **screen.tried({"list": list(PLACES), "make": ["/etc", "/opt", "/var/lib"]}),
    }


def _namespace() -> str:
    """As the browser does before it shows anything of anybody: without this it does not start."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWPID):
        return os.strerror(ctypes.get_errno())
    return "done"


if __name__ == "__main__":
    print(json.dumps(found()))
