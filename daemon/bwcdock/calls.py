"""The system calls that change or prove something, in one object that a test can replace one call of."""

import ctypes
import errno
import os

_FALLOC_FL_KEEP_SIZE = 0x01
_RENAME_NOREPLACE = 0x01
_AT_FDCWD = -100

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(name: str, *arguments: object) -> None:
    """Call a function of the C library that answers 0 or sets errno. Raises ``OSError``, ENOSYS where it has none."""
    call = getattr(_libc, name, None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _reserve(fd: int, size: int) -> None:
    """fallocate(2), keeping the length: Python's posix_fallocate would move the end, and the end is the progress."""
    # The 64-bit name is glibc's; musl has one name, which is 64-bit.
    name = "fallocate64" if hasattr(_libc, "fallocate64") else "fallocate"
    _checked(name, ctypes.c_int(fd), ctypes.c_int(_FALLOC_FL_KEEP_SIZE), ctypes.c_int64(0), ctypes.c_int64(size))


def _rename_noreplace(source: str, target: str) -> None:
    """renameat2(2) with RENAME_NOREPLACE."""
    here, flag = ctypes.c_int(_AT_FDCWD), ctypes.c_uint(_RENAME_NOREPLACE)
    _checked("renameat2", here, os.fsencode(source), here, os.fsencode(target), flag)


class System:
    """The system calls that change something or prove something; tests derive from it to make single calls fail."""

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    write = staticmethod(os.write)
    pwrite = staticmethod(os.pwrite)
    preadv = staticmethod(os.preadv)
    ftruncate = staticmethod(os.ftruncate)
    reserve = staticmethod(_reserve)
    fsync = staticmethod(os.fsync)
    fchmod = staticmethod(os.fchmod)
    setxattr = staticmethod(os.setxattr)
    link = staticmethod(os.link)
    rename = staticmethod(os.rename)
    rename_noreplace = staticmethod(_rename_noreplace)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)


SYSTEM = System()
