"""Put one small new file at the top of a card, by which the recorder sets its clock; nothing else there changes."""

import os
from datetime import timedelta

from bwcdock import durable_tree
from bwcdock.erase_helper.system import Place, Refusal, System, There
from bwcdock.erasing import CLOCK_FRESH_S, ClockFileRequest
from bwcdock.ledger.codec import from_ms

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def put(request: ClockFileRequest, place: Place, system: System) -> None:
    """Look that there is none, write it, and read it from the card itself. Raises ``OSError`` where the card fails.

    If it dies inside, the file may lie there whole or in part, or not at all. One that lies there is never written
    over, so the next request is refused until somebody or the recorder has taken it away.
    """
    name, content = request.name.encode("ascii"), bytes.fromhex(request.content)
    age = system.now() - from_ms(request.asked_ms)
    if not timedelta(0) <= age <= timedelta(seconds=CLOCK_FRESH_S):
        raise Refusal(f"The time in the request is {age.total_seconds():.0f} s old, and would set a wrong one.")
    with system.mounted(place, writable=False) as root:
        _must_not_be_there(root, name)
    with system.mounted(place, writable=True) as root:
        try:
            durable_tree.create_at(root, name, content)
        except FileExistsError as error:
            raise _there(name) from error
    with system.mounted(place, writable=False) as root:
        file = os.open(name, _FILE, dir_fd=root)
        try:
            if os.read(file, len(content) + 1) != content:
                raise OSError("it does not hold what was written")
        finally:
            os.close(file)


def _must_not_be_there(root: int, name: bytes) -> None:
    """Before the card can be written to at all; FAT takes names that differ in case alone for one."""
    if any(os.fsencode(entry).lower() == name.lower() for entry in os.listdir(root)):
        raise _there(name)


def _there(name: bytes) -> There:
    return There(f"There is a file {name.decode('ascii')} on the card; it was left as it is.")
