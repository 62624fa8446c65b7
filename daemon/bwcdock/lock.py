"""One daemon per station."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from bwcdock.errors import Misused

LOCK_NAME = "bwcdock.lock"


class StationLock:
    """Held from construction until :meth:`close` (or the end of the process, however it ends).

    ``run`` is the station's run directory, which must exist. Raises :class:`~bwcdock.errors.Misused` naming the other
    daemon's pid when there is one. The file stays behind on purpose: removing it would let two daemons each lock a
    file of that name. Children started by exec do not inherit the lock.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / LOCK_NAME
        self._fd = open_lock(self.path)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Dying between these two lines leaves an old pid in a file nobody holds: only the lock counts.
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            pid = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            self.close()
            raise Misused(
                "start the station",
                f"Another bwcdock already runs on this station (pid {pid}).",
                "Stop it first, or give this one another directory with -C.",
            ) from None
        except OSError as error:
            self.close()
            raise _cannot(self.path, error) from error

    def close(self) -> None:
        """Let go; harmless twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "StationLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_lock(path: Path) -> int:
    """A descriptor on the lock file, made where it is missing.

    Not made through the durable helpers: those replace a file whole, and a lock belongs to the inode. Nothing here
    has to survive a power cut.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _cannot(path, error) from error


def _cannot(path: Path, error: OSError) -> Misused:
    return Misused(
        "start the station",
        f"The lock file {path} cannot be used: {error.strerror}.",
        "Make the run directory exist and belong to the user the station runs as ([paths] run).",
    )
