"""Locks a process in before it looks at a stranger's file system: what it has open is all it will ever have.

Limits that hold on any kernel come first (no new privileges, no core, no new descriptors, no processes, no files grown,
bounded memory and processor time); a system-call filter comes last where kernel and machine support it.
"""

import ctypes
import os
import platform
import resource
import signal
import struct

MEMORY_ROOM = 224 << 20
"""Address space beyond what the interpreter had when it was locked in: 200,000 names in one directory take 205 MiB,
and with the 25 MiB it starts with a reader stays below 256 MiB in all."""

CPU_S = 9
"""Processor seconds in all: a listing of 200,000 names takes 4 s; no bad card may cost more than 10 s."""

SOURCE_FD = 3
"""Where the source's descriptor stands: behind requests (0), replies (1) and /dev/null (2), and nothing after it."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2

# The calls an interpreter needs to read descriptors and allocate: read write close lseek mmap mprotect munmap brk
# rt_sigaction rt_sigprocmask rt_sigreturn pread64 mremap madvise getpid exit futex restart_syscall clock_gettime
# exit_group tgkill getrandom. No open, socket, clone, exec, ioctl, prctl, kill. Per audit architecture.
_ALLOWED = {
    "x86_64": (
        0xC000003E,
        (0, 1, 3, 8, 9, 10, 11, 12, 13, 14, 15, 17, 25, 28, 39, 60, 202, 219, 228, 231, 234, 318),
    ),
    "aarch64": (
        0xC00000B7,
        (63, 64, 57, 62, 222, 226, 215, 214, 134, 135, 139, 67, 216, 233, 172, 93, 98, 128, 113, 94, 131, 278),
    ),
}


def _prctl(libc: ctypes.CDLL, option: int, *args: int) -> int:
    return int(libc.prctl(option, *(ctypes.c_ulong(a) for a in (*args, 0, 0, 0, 0)[:4])))


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def confine(parent: int | None) -> bool:
    """Lock this process in; say whether the system-call filter holds as well.

    ``parent`` is who started it, with whom it ends; ``None`` for one that ends with its connection.

    Raises ``OSError`` when a limit cannot be set: then nothing must be parsed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if parent is not None and (_prctl(libc, _PR_SET_PDEATHSIG, signal.SIGKILL) or os.getppid() != parent):
        raise OSError("the process that started this one is gone")
    if _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1) or _prctl(libc, _PR_SET_DUMPABLE, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    os.closerange(SOURCE_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    _limit(resource.RLIMIT_AS, _address_space() + MEMORY_ROOM)
    _limit(resource.RLIMIT_CPU, CPU_S)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NPROC, 0)  # nothing more may be started (root is exempt from this one; the filter is not)
    _limit(resource.RLIMIT_NOFILE, SOURCE_FD + 1)
    return _filter(libc)


def _filter(libc: ctypes.CDLL) -> bool:
    """A seccomp filter (classic BPF over struct seccomp_data): another architecture or call is refused with EPERM."""
    if platform.machine() not in _ALLOWED or struct.calcsize("P") != 8:
        return False
    arch, calls = _ALLOWED[platform.machine()]
    load, equal, answer = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    allow, refuse = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM
    code = [(load, 0, 0, 4), (equal, 0, len(calls) + 1, arch), (load, 0, 0, 0)]
    code += [(equal, len(calls) - n, 0, call) for n, call in enumerate(calls)]
    code += [(answer, 0, 0, refuse), (answer, 0, 0, allow)]
    program = b"".join(struct.pack("=HBBI", *line) for line in code)
    held = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(held)))
    done = _prctl(libc, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header))
    return done == 0
