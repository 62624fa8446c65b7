"""Carry out one request: look at every permitted file again on the card itself, and only then let it go."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from blake3 import blake3

from bwcdock import durable
from bwcdock.erase_helper import clock_file
from bwcdock.erase_helper.system import Place, Refusal, System, There
from bwcdock.erasing import ClockFileRequest, End, FileTold, Request, Target

PIECE = 1 << 20
"""Bytes of one read: after each, it is asked whether to go on."""

DEPTH, ENTRIES = 64, 200_000
"""Directories in each other, and names on a whole card, that are looked at before it is formatted."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Stop(Exception):
    """No more: time is up, or nobody listens any longer."""


class _Kept(Exception):
    """The file stays; ``reason`` is a stable word."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(reason, what)
        self.reason = reason
        self.what = what


Say = Callable[[FileTold | End], None]
GoOn = Callable[[], None]
"""Raises :class:`Stop`."""


def carry(request: Request | ClockFileRequest, system: System, say: Say, go_on: GoOn) -> None:
    """Do what is asked and say what became of it, file by file; the last word is said here, once.

    If it dies here the card may have lost any of the permitted files and no other; the station's next listing of the
    recorder tells which. Where one was to be put there, the recorder's clock tells at its next docking.
    """
    try:
        place = _place(request, system)
        if isinstance(request, ClockFileRequest):
            go_on()
            clock_file.put(request, place, system)
            end = End(end="done")
        elif request.reformat:
            end = _reformat(request, place, system, say, go_on)
        else:
            end = _erase(request, place, system, say, go_on)
    except Refusal as refusal:
        end = End(end="refused", reason="there" if isinstance(refusal, There) else "", what=str(refusal))
    except Stop as stop:
        end = End(end="stopped", what=str(stop))
    except OSError as error:
        end = End(end="broken", what=f"The card failed: {error.strerror or error}.")
    say(end)


def _place(request: Request | ClockFileRequest, system: System) -> Place:
    disk = system.disk(request.device)
    if (disk.slot, disk.diskseq) != (request.slot, request.diskseq):
        raise Refusal(f"{request.device} is not the disk in slot {request.slot} that was asked for.")
    if len(disk.places) != 1:
        raise Refusal(f"There are {len(disk.places)} FAT or exFAT file systems on {request.device}, not one.")
    return disk.places[0]


def _erase(request: Request, place: Place, system: System, say: Say, go_on: GoOn) -> End:
    with system.mounted(place, writable=True) as root:
        for n, target in enumerate(request.files):
            go_on()
            try:
                with _looked_at(root, target, go_on) as directory:
                    # From here on an error is one of the card: nobody knows whether the name would come back.
                    durable.unlink_at(directory, target.names[-1])
            except _Kept as kept:
                say(FileTold(n=n, outcome="kept", reason=kept.reason, what=kept.what))
            else:
                say(FileTold(n=n, outcome="erased"))
    return End(end="done")


def _reformat(request: Request, place: Place, system: System, say: Say, go_on: GoOn) -> End:
    """Every file there is must be permitted and be what it was, or the card stays exactly as it is."""
    if not place.holds.label.isascii() or {"?", "\ufffd"} & set(place.holds.label):
        raise Refusal("The card's label cannot be written again as it is.")
    permitted = {target.names: target for target in request.files}
    try:
        with system.mounted(place, writable=False) as root:
            strangers = sum(1 for names in _files(root, go_on) if names not in permitted)
            if strangers:
                raise Refusal(f"{strangers} files on the card may not be erased, so it is not formatted.")
            for target in request.files:
                go_on()
                with _looked_at(root, target, go_on):
                    pass
    except _Kept as kept:
        raise Refusal(f"A file may not be erased, so the card is not formatted: {kept.what}") from kept
    system.format(place)
    for n in range(len(request.files)):
        say(FileTold(n=n, outcome="erased"))
    return End(end="done", kind=place.holds.kind)


# --- looking at a file -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """What tells one file from another, and from itself once it was written to."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


def _seen(status: os.stat_result) -> _Seen:
    return _Seen(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@contextmanager
def _looked_at(root: int, target: Target, go_on: GoOn) -> Iterator[int]:
    """The open directory of a file that is, at this moment, exactly what was sealed; else :class:`_Kept`.

    Every part of the path is opened below the one before and never through a link, so no name leads off the card.
    """
    opened: list[int] = []
    try:
        directory = _reached(root, target, opened)
        try:
            file = os.open(target.names[-1], _FILE, dir_fd=directory)
        except OSError as error:
            raise _kept(error) from error
        opened.append(file)
        before = os.fstat(file)
        if not stat.S_ISREG(before.st_mode) or before.st_dev != os.fstat(root).st_dev:
            raise _Kept("odd", "It is no plain file of this card.")
        if before.st_nlink != 1:
            raise _Kept("odd", "It has another name on the card as well.")
        if before.st_size != target.size:
            raise _Kept("differs", f"It has {before.st_size} bytes; {target.size} were sealed.")
        _compare(file, target, go_on)
        try:
            after = os.stat(target.names[-1], dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            raise _kept(error) from error
        if not _seen(before) == _seen(os.fstat(file)) == _seen(after):
            raise _Kept("changed", "It changed while it was looked at.")
        yield directory
    finally:
        for descriptor in reversed(opened):
            os.close(descriptor)


def _reached(root: int, target: Target, opened: list[int]) -> int:
    directory = root
    for name in target.names[:-1]:
        try:
            directory = os.open(name, _DIRECTORY, dir_fd=directory)
        except OSError as error:
            raise _kept(error) from error
        opened.append(directory)
    return directory


def _kept(error: OSError) -> _Kept:
    if isinstance(error, FileNotFoundError):
        return _Kept("missing", "It is not there by this name.")
    return _Kept("unreadable", f"It cannot be opened: {error.strerror}.")


def _compare(file: int, target: Target, go_on: GoOn) -> None:
    sha256, working, length = hashlib.sha256(), blake3(), 0
    while True:
        go_on()
        try:
            piece = os.read(file, PIECE)
        except OSError as error:
            raise _Kept("unreadable", f"It cannot be read: {error.strerror}.") from error
        if not piece:
            break
        length += len(piece)
        if length > target.size:
            break
        sha256.update(piece)
        working.update(piece)
    if (length, sha256.hexdigest(), working.hexdigest()) != (target.size, target.sha256, target.blake3):
        raise _Kept("differs", "It no longer holds the bytes that were sealed.")


# --- everything on a card ---------------------------------------------------------------------------------------------


def _files(root: int, go_on: GoOn) -> Iterator[tuple[bytes, ...]]:
    """Every name that is no directory, as its path; what cannot be listed whole is a :class:`Refusal`."""
    count = 0
    waiting: list[tuple[bytes, ...]] = [()]
    while waiting:
        go_on()
        path = waiting.pop()
        with _opened(root, path) as directory:
            for entry in os.listdir(directory):
                count += 1
                name = os.fsencode(entry)
                if count > ENTRIES or len(path) >= DEPTH:
                    raise Refusal("There is more on the card than can be looked at, so it is not formatted.")
                mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    waiting.append((*path, name))
                else:
                    yield (*path, name)


@contextmanager
def _opened(root: int, path: tuple[bytes, ...]) -> Iterator[int]:
    descriptors = [os.open(".", _DIRECTORY, dir_fd=root)]
    try:
        for name in path:
            descriptors.append(os.open(name, _DIRECTORY, dir_fd=descriptors[-1]))
        yield descriptors[-1]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
