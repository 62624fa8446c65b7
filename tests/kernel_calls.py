"""A process whose calls to the kernel are seen by another, which lets each through, fails it, or does half of it.

The kernel itself stops the caller (seccomp's notifications, Linux 5.19): calls that are not asked for cost nothing, no
tracer runs beside it, no rights are needed. What was tried before, `strace -p`, stops at every call, counts in each
thread by itself, and cost more than what it watched. Numbers are those of x86-64 and of 64-bit ARM.
"""

import ctypes
import errno
import mmap
import os
import platform
import select
import signal
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fcntl import ioctl

X86 = {"read": 0, "write": 1, "pread64": 17, "pwrite64": 18, "flock": 73, "fsync": 74, "fdatasync": 75, "ftruncate": 77}
X86 |= {"rename": 82, "mkdir": 83, "unlink": 87, "chmod": 90, "fchmod": 91, "fchown": 93, "statfs": 137}
X86 |= {"fsetxattr": 190, "fgetxattr": 193, "getdents64": 217, "openat": 257, "mkdirat": 258, "newfstatat": 262}
X86 |= {"unlinkat": 263, "renameat": 264, "linkat": 265, "fchmodat": 268, "fallocate": 285, "preadv": 295}
X86 |= {"preadv2": 327, "seccomp": 317}
ARM = {"fsetxattr": 7, "fgetxattr": 10, "flock": 32, "mkdirat": 34, "unlinkat": 35, "linkat": 37, "renameat": 38}
ARM |= {"statfs": 43, "ftruncate": 46, "fallocate": 47, "fchmod": 52, "fchmodat": 53, "fchown": 55, "openat": 56}
ARM |= {"getdents64": 61, "read": 63, "write": 64, "pread64": 67, "pwrite64": 68, "preadv": 69, "newfstatat": 79}
ARM |= {"fsync": 82, "fdatasync": 83, "seccomp": 277, "preadv2": 286}
NUMBERS = {"x86_64": X86, "aarch64": ARM}[platform.machine()]
"""Of each call that can be watched, its number here: what this machine does not have is done by another call."""

PIDFD_GETFD = 438

BY_PATH: dict[str, tuple[int | None, int]] = {"renameat": (2, 3), "linkat": (2, 3), "rename": (None, 1)}
BY_PATH |= dict.fromkeys(("openat", "mkdirat", "unlinkat", "fchmodat", "newfstatat"), (0, 1))
BY_PATH |= dict.fromkeys(("mkdir", "unlink", "chmod", "statfs"), (None, 0))
"""Which arguments are the folder's descriptor and the path; all others have a descriptor first."""

NEW_LISTENER, WAIT_KILLABLE = 1 << 3, 1 << 5
NOTIFY, ALLOW = 0x7FC00000, 0x7FFF0000
ASKED, ANSWER = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
RECEIVE, SEND = (0xC0000000 | form.size << 16 | ord("!") << 8 | number for number, form in enumerate((ASKED, ANSWER)))
GO_ON = 1

LONGEST_PATH = 4096
OWN_FD = "/proc/self/fd/"


def be_watched(calls: Iterable[str], told: socket.socket) -> None:
    """In the process that is to be watched: from here on these calls of it wait for who has the other end."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = [NUMBERS[call] for call in calls if call in NUMBERS]
    ask = [struct.pack("=HBBI", 0x20, 0, 0, 0)]  # the number of the call
    ask += [struct.pack("=HBBI", 0x15, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    ask += [struct.pack("=HBBI", 0x06, 0, 0, answer) for answer in (ALLOW, NOTIFY)]
    filter_ = ctypes.create_string_buffer(b"".join(ask))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(ask), ctypes.addressof(filter_)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    listener = libc.syscall(NUMBERS["seccomp"], 1, NEW_LISTENER | WAIT_KILLABLE, program)
    assert listener >= 0, os.strerror(ctypes.get_errno())
    socket.send_fds(told, [b"."], [listener])
    os.close(listener)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that waits; ``task`` is the thread that made it."""

    name: str
    task: int
    arguments: tuple[int, ...]

    def path(self) -> str:
        """Of what it is a call: an absolute path, or what the system says of a descriptor."""
        folder, at = BY_PATH.get(self.name, (0, None))
        if at is None:
            return self._opened(self.arguments[0])
        path = self._text(self.arguments[at])
        if path.startswith(OWN_FD):
            number, _, rest = path.removeprefix(OWN_FD).partition("/")
            return os.path.join(self._opened(int(number)), rest).rstrip("/")
        if path.startswith("/"):
            return path
        fd = -1 if folder is None else ctypes.c_int(self.arguments[folder]).value
        return os.path.join(self._led_to("cwd") if fd < 0 else self._opened(fd), path).rstrip("/")

    def _opened(self, fd: int) -> str:
        return self._led_to(f"fd/{fd & 0xFFFFFFFF}").removesuffix(" (deleted)")

    def _led_to(self, link: str) -> str:
        try:
            return os.readlink(f"/proc/{self.task}/{link}")
        except FileNotFoundError:  # no such descriptor, or no caller any more
            return "nothing"

    def _text(self, address: int) -> str:
        """What is written there, to its end: the page after it may be nobody's."""
        told = b""
        while b"\0" not in told and len(told) < LONGEST_PATH:
            here = address + len(told)
            told += self._memory(here, mmap.PAGESIZE - here % mmap.PAGESIZE)
        return told.partition(b"\0")[0].decode(errors="replace")

    def _memory(self, address: int, size: int) -> bytes:
        with open(f"/proc/{self.task}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            if len(told := memory.read(size)) < size:
                raise ProcessLookupError
            return told

    def half(self) -> int | None:
        """Do half of a reading or writing for the caller, as a system may; None where it cannot be halved."""
        _, address, size, position = self.arguments[:4]
        if self.name.startswith("preadv"):
            address, size = struct.unpack("@PN", self._memory(address, struct.calcsize("@PN")))
        size = size // 2 if size < 2 * mmap.PAGESIZE else size // 2 // mmap.PAGESIZE * mmap.PAGESIZE
        if not size:
            return None
        with ExitStack() as stack:
            fd = self._borrowed()
            stack.callback(os.close, fd)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            # Memory of its own, because direct input and output needs whole pages.
            buffer = stack.enter_context(mmap.mmap(-1, size))
            try:
                return self._moved(fd, buffer, address, position)
            except OSError as why:
                if why.errno == errno.EINVAL:  # less than a block of this disk
                    return None
                raise

    def _moved(self, fd: int, buffer: mmap.mmap, address: int, position: int) -> int:
        if self.name in {"write", "pwrite64"}:
            buffer[:] = self._memory(address, len(buffer))
            return os.writev(fd, [buffer]) if self.name == "write" else os.pwritev(fd, [buffer], position)
        count = os.readv(fd, [buffer]) if self.name == "read" else os.preadv(fd, [buffer], position)
        with open(f"/proc/{self.task}/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(buffer[:count])
        return count

    def _borrowed(self) -> int:
        """The caller's own descriptor, with the position it shares."""
        with open(f"/proc/{self.task}/status", encoding="ascii") as told:
            process = next(int(line.split()[1]) for line in told if line.startswith("Tgid:"))
        pidfd = os.pidfd_open(process)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            fd = libc.syscall(PIDFD_GETFD, pidfd, ctypes.c_int(self.arguments[0]), 0)
        finally:
            os.close(pidfd)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        return fd


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Which calls are seen, and who says what becomes of each.

    That is the name of an error, ``nothing`` (it moved no byte), ``half`` (of the bytes), ``SIGKILL``, or, to let it
    through, nothing at all.
    """

    calls: Sequence[str]
    judge: Callable[[Call], str | None]

    @contextmanager
    def at_work(self) -> Iterator[socket.socket]:
        """Watch the process that gives the socket to :func:`be_watched`, until it is gone."""
        ours, its = socket.socketpair()
        watcher = _Watcher(ours, self.judge)
        watcher.start()
        try:
            with its:
                yield its
        finally:
            watcher.join()
        if watcher.trouble:
            raise watcher.trouble


class _Watcher(threading.Thread):
    """Answers each call; ``trouble`` is what went wrong here."""

    def __init__(self, told: socket.socket, judge: Callable[[Call], str | None]) -> None:
        super().__init__(name="watcher")
        self.trouble: Exception | None = None
        self._told = told
        self._judge = judge
        self._listener = -1
        self._names = {number: name for name, number in NUMBERS.items()}

    def run(self) -> None:
        with self._told:
            _, listeners, _, _ = socket.recv_fds(self._told, 1, 1)
        for self._listener in listeners:  # none where it died before
            waiting = select.poll()
            waiting.register(self._listener, select.POLLIN)
            try:
                while not waiting.poll()[0][1] & select.POLLHUP:
                    self._one()
            except Exception as why:  # what waits for an answer then fails
                self.trouble = why
            finally:
                os.close(self._listener)

    def _one(self) -> None:
        asked = bytearray(ASKED.size)
        try:
            ioctl(self._listener, RECEIVE, asked)
        except OSError as why:
            if why.errno in {errno.ENOENT, errno.EINTR}:  # it was killed meanwhile
                return
            raise
        id_, task, _, number, _, _, *arguments = ASKED.unpack(asked)
        call = Call(name=self._names[number], task=task, arguments=tuple(arguments))
        try:
            how = self._judge(call)
            if how == "SIGKILL":
                os.kill(task, signal.SIGKILL)
                return  # without an answer: it could still be done
            answer = _answer(call, how)
        except (FileNotFoundError, ProcessLookupError):  # it was killed meanwhile
            return
        try:
            ioctl(self._listener, SEND, ANSWER.pack(id_, *answer))
        except OSError as why:
            if why.errno != errno.ENOENT:
                raise


def _answer(call: Call, how: str | None) -> tuple[int, int, int]:
    """What it returns, its error, and whether it is done after all."""
    if how == "half" and (moved := call.half()) is not None:
        return moved, 0, 0
    if how == "nothing":
        return 0, 0, 0
    if how in {None, "half"}:
        return 0, 0, GO_ON
    return 0, -getattr(errno, how), 0
