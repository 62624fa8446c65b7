"""A file system that passes everything through to a folder and keeps the ordered list of what changed; a process alone.

It is a process of its own because the program under test waits in the kernel for every answer of it. Names of inodes
are numbers of our own: the folder's are given out anew once a file is gone, and then would mean another file.
"""

import errno
import os
import pickle
import sys
from pathlib import Path

import mfusepy
from fuse_names import FAIL, MARK

SHARED = ("-shm", "/station.pid")
"""Endings of files that nobody reads after a cut: SQLite makes its index anew, and a lock belongs to a process."""

_STAT = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
_KEEP_SIZE = 0x01


class Recorder(mfusepy.Operations):
    """Every operation on the folder, and ``told``: the list of those that a power cut can take back or tear."""

    use_ns = True
    flag_nullpath_ok = True  # an open file whose name is gone is still written and closed
    flag_nopath = True

    def __init__(self, folder: str, log: str) -> None:
        self._folder = folder
        self._log = log
        self._names: dict[str, int] = {"/": 0}
        self._open: dict[int, int] = {}
        self._next = 1
        self._syncs_to_failure = 0
        self.told: list[tuple] = []
        for where, folders, files in os.walk(folder):
            here = "/" + os.path.relpath(where, folder) if where != folder else ""
            for name in (*folders, *files):
                self._names[f"{here}/{name}"] = self._number()

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _real(self, path: str) -> str:
        return self._folder + path

    def _tell(self, path: str, *op: object) -> None:
        if not path.endswith(SHARED):
            self.told.append(op)

    def _at(self, path: str) -> tuple[int, str]:
        above, _, name = path.rpartition("/")
        return self._names[above or "/"], name

    # --- looking ------------------------------------------------------------------------------------------------------

    def getattr(self, path, fh=None):
        found = os.fstat(fh) if fh is not None else os.lstat(self._real(path))
        times = {name: getattr(found, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
        return {name: getattr(found, name) for name in _STAT} | times

    def access(self, path, amode):
        if not os.access(self._real(path), amode):
            raise OSError(errno.EACCES, "access")
        return 0

    def opendir(self, path):
        fd = os.open(self._real(path), os.O_RDONLY | os.O_DIRECTORY)
        self._open[fd] = self._names[path]
        return fd

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(fh)]

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def readlink(self, path):
        return os.readlink(self._real(path))

    def statfs(self, path):
        found = os.statvfs(self._real(path))
        return {name: getattr(found, name) for name in dir(found) if name.startswith("f_")}

    def getxattr(self, path, name, position=0):
        return os.getxattr(self._real(path), name)

    def listxattr(self, path):
        return os.listxattr(self._real(path))

    # --- changing -----------------------------------------------------------------------------------------------------

    def open(self, path, flags):
        fd = os.open(self._real(path), flags & ~(os.O_DIRECT | os.O_NOFOLLOW))
        self._open[fd] = -1 if path.endswith(SHARED) else self._names[path]
        return fd

    def create(self, path, mode, flags=os.O_RDWR):
        fd = os.open(self._real(path), os.O_CREAT | os.O_RDWR, mode & 0o7777)
        self._names[path] = number = self._number()
        self._open[fd] = -1 if path.endswith(SHARED) else number
        self._tell(path, "create", *self._at(path), number, os.fstat(fd).st_mode & 0o7777)
        return fd

    def write(self, path, data, offset, fh):
        done = os.pwrite(fh, data, offset)
        if self._open[fh] >= 0:
            self.told.append(("write", self._open[fh], offset, data[:done]))
        return done

    def truncate(self, path, length, fh=None):
        if fh is not None:
            os.ftruncate(fh, length)
            number = self._open[fh]
        else:
            os.truncate(self._real(path), length)
            number = -1 if path.endswith(SHARED) else self._names[path]
        if number >= 0:
            self.told.append(("truncate", number, length))
        return 0

    def fallocate(self, path, mode, offset, size, fh):
        if mode & ~_KEEP_SIZE or not mode:
            raise OSError(errno.EOPNOTSUPP, "only room beyond the end is reserved")
        self.told.append(("reserve", self._open[fh], offset + size))
        return 0

    def chmod(self, path, mode, fh=None):
        os.chmod(self._real(path) if fh is None else fh, mode & 0o7777)
        number = self._open[fh] if fh is not None else -1 if path.endswith(SHARED) else self._names[path]
        if number >= 0:
            self.told.append(("chmod", number, mode & 0o7777))
        return 0

    def setxattr(self, path, name, value, options, position=0):
        if name == MARK:
            self.told.append(("mark", value.decode()))
        elif name == FAIL:
            self._syncs_to_failure = int(value)
        else:
            os.setxattr(self._real(path), name, value)
            self._tell(path, "xattr", self._names[path], name, value)
        return 0

    def utimens(self, path, times=None):
        os.utime(self._real(path), ns=times)
        return 0

    def mkdir(self, path, mode):
        os.mkdir(self._real(path), mode)
        self._names[path] = number = self._number()
        self._tell(path, "mkdir", *self._at(path), number, mode & 0o7777)
        return 0

    def link(self, target, source):
        os.link(self._real(source), self._real(target), follow_symlinks=False)
        self._names[target] = number = self._names[source]
        self._tell(target, "link", *self._at(target), number)
        return 0

    def unlink(self, path):
        os.unlink(self._real(path))
        self._tell(path, "unlink", *self._at(path))
        del self._names[path]
        return 0

    def rmdir(self, path):
        os.rmdir(self._real(path))
        self._tell(path, "unlink", *self._at(path))
        del self._names[path]
        return 0

    def rename(self, old, new):
        os.rename(self._real(old), self._real(new))
        self._tell(new, "rename", *self._at(old), *self._at(new))
        below = [path for path in self._names if path == old or path.startswith(f"{old}/")]
        for path in below:
            self._names[new + path[len(old) :]] = self._names.pop(path)
        return 0

    # --- making it last -----------------------------------------------------------------------------------------------

    def flush(self, path, fh):
        return 0

    def release(self, path, fh):
        del self._open[fh]
        os.close(fh)
        return 0

    releasedir = release

    def fsync(self, path, datasync, fh):
        return self._sync("sync", fh, datasync)

    def fsyncdir(self, path, datasync, fh):
        return self._sync("sync_dir", fh, datasync)

    def _sync(self, op, fh, datasync):
        if self._open[fh] < 0:
            return 0
        self._syncs_to_failure -= 1
        if self._syncs_to_failure == 0:
            self.told.append(("lost", self._open[fh]))
            raise OSError(errno.EIO, "told to fail")
        self.told.append((op, self._open[fh], bool(datasync)))
        return 0

    def destroy(self, path):
        Path(self._log).write_bytes(pickle.dumps(self.told))


class Fuse(mfusepy.FUSE):
    """The binding forgets the open file at two calls of libfuse 3, where a file whose name is gone has no path."""

    def truncate_fuse_3(self, path, length, fip):
        return self.ftruncate(path, length, fip)

    def chmod_fuse_3(self, path, mode, fip):
        name = None if path is None else path.decode(self.encoding, self.errors)
        return self.operations.chmod(name, mode, fip.contents.fh if fip else None)


if __name__ == "__main__":
    Fuse(
        Recorder(sys.argv[1], sys.argv[3]),
        sys.argv[2],
        foreground=True,
        nothreads=True,
        fsname="bwcdock-recorder",
        default_permissions=True,
        # Every name and attribute is asked for anew: hard links are files of their own to the kernel.
        hard_remove=True,
        use_ino=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
        big_writes=mfusepy.fuse_version_major == 2,
    )
