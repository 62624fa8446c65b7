"""The process that may send vendor commands to a disk: it gets the disk's descriptor and sends what is on the list.

It opens nothing itself and takes a descriptor only of a block device that was opened for reading, and only where the
disk says by INQUIRY that it is such a recorder. What the station could not open it cannot have asked here either. One
process a connection; it ends with it.
"""

import fcntl
import os
import socket
import stat
import sys

from bwcdock.errors import BwcdockError, NotAllowed, Unplugged

from . import frames, wire
from .frames import Standing
from .unit import Guarded, SgUnit, Unit


def main() -> int:
    """Serve the connection that is this process's standard input."""
    with socket.socket(fileno=os.dup(0)) as connection:
        received, fds, _, _ = socket.recv_fds(connection, len(frames.HELLO), 1)
        try:
            if received == frames.HELLO and len(fds) == 1 and is_disk(fds[0]):
                serve(connection, SgUnit(os.dup(fds[0])))
            else:
                connection.sendall(frames.reply(Standing.NOT_ONE))
        finally:
            for fd in fds:
                os.close(fd)
    return 0


def is_disk(fd: int) -> bool:
    """Whether this is a block device, opened for reading alone."""
    only_read = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    return only_read and stat.S_ISBLK(os.fstat(fd).st_mode)


def serve(connection: socket.socket, unit: Unit) -> None:
    """Answer until the connection ends, or asks for what is not on the list; the unit is closed then."""
    guarded = Guarded(unit)
    try:
        if not _is_one(guarded):
            connection.sendall(frames.reply(Standing.NOT_ONE))
            return
        connection.sendall(frames.reply(Standing.WELL))
        while (asked := frames.read_request(connection)) is not None:
            cdb, wanted, data = asked
            if not wire.allows(cdb, wanted=wanted, given=len(data)):
                connection.sendall(frames.reply(Standing.FORBIDDEN))
                return
            connection.sendall(_answer(guarded, cdb, wanted, data))
    except OSError:
        pass  # the station is gone, or said what is none of this
    finally:
        guarded.close()


def _is_one(unit: Unit) -> bool:
    try:
        return wire.is_dv16(unit.take(wire.INQUIRY, wire.INQUIRY_BYTES))
    except BwcdockError:
        return False


def _answer(unit: Unit, cdb: bytes, wanted: int, data: bytes) -> bytes:
    try:
        if wanted:
            return frames.reply(Standing.WELL, unit.take(cdb, wanted))
        unit.give(cdb, data)
    except Unplugged:
        return frames.reply(Standing.GONE)
    except NotAllowed:
        return frames.reply(Standing.NOT_LET)
    except BwcdockError:
        return frames.reply(Standing.FAILED)
    return frames.reply(Standing.WELL)


if __name__ == "__main__":
    sys.exit(main())
