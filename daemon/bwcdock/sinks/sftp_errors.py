"""What an SFTP server says, in the words of the contract."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncssh

from bwcdock.errors import Ailment, Unreachable
from bwcdock.settings import SftpSink
from bwcdock.sinks.remote import ShortRead, SyncFailed
from bwcdock.sinks.ssh_line import NotTrusted, Silent

LINE_ERRORS = (asyncssh.Error, OSError, NotTrusted, ShortRead, Silent, SyncFailed)
"""Everything that a call over the line can end with."""

ROOM = "Make room in central storage; the recordings wait in the spool."
_RIGHTS = "Give the station's account the right to create files and folders there."
_SERVER = "Check the server of central storage and the network to it."
_DISKS = "Check the server's disks; it is tried again."


@contextmanager
def told(sink: SftpSink, op: str, key: str, is_full: Callable[[], bool]) -> Iterator[None]:
    """Errors of the line as ``Unreachable``. ``is_full`` is asked where the server fails without saying why."""
    try:
        yield
    except LINE_ERRORS as error:
        ailment, what, hint = _judged(sink, key, error, is_full)
        raise Unreachable(op, what, hint, sink.name, ailment=ailment) from error


def _judged(sink: SftpSink, key: str, error: BaseException, is_full: Callable[[], bool]) -> tuple[Ailment, str, str]:
    match error:
        case NotTrusted():
            return "credentials", str(error), error.hint
        case asyncssh.SFTPPermissionDenied() | asyncssh.SFTPWriteProtect():
            return "credentials", f"{sink.host} does not let {sink.user} do it: {error.reason}.", _RIGHTS
        case asyncssh.SFTPNoSpaceOnFilesystem() | asyncssh.SFTPQuotaExceeded():
            return "full", f"{sink.name} is full.", ROOM
        case asyncssh.SFTPFailure() | SyncFailed():
            # Version 3 has one word for every failure.
            if is_full():
                return "full", f"{sink.name} is full.", ROOM
            return "away", f"{sink.name} failed{f' at {key}' if key else ''}: {_reason(error)}.", _DISKS
        case FileNotFoundError() | asyncssh.SFTPNoSuchFile():
            return "away", f"{sink.name} has no {key}." if key else f"{sink.place} is not there.", _SERVER
        case _:
            return "away", f"{sink.host} cannot be used: {_reason(error)}.", _SERVER


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no connection could be made in time"
    return str(getattr(error, "reason", "") or getattr(error, "strerror", "") or error or type(error).__name__)
