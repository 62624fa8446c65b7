"""Who asks for a call to fail is obeyed: that call and no other, with what was asked for, and told by its path."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel_calls import NUMBERS, Call, Watch

WATCHED = """
import os, socket, sys
sys.path.append(sys.argv[1])
import kernel_calls
os.chdir(sys.argv[3])
with socket.socket(fileno=int(sys.argv[2])) as told:
    kernel_calls.be_watched(sys.argv[4].split(","), told)
folder = os.open(".", os.O_RDONLY)
def said(do):
    try:
        print(do(), flush=True)
    except OSError as why:
        print(os.strerror(why.errno), flush=True)
"""

OPEN = """
fd = os.open("content", os.O_RDWR)
"""


def seen(directory: Path, script: str, judge: Callable[[Call], str | None], *calls: str) -> tuple[int, list[str]]:
    """How a process that does this, with these of its calls judged so, ends, and what it says."""
    (directory / "content").write_bytes(b"0123456789")
    with Watch(calls=calls, judge=judge).at_work() as its:
        command = [sys.executable, "-c", WATCHED + script, str(Path(__file__).parents[1]), str(its.fileno())]
        process = subprocess.Popen(
            [*command, str(directory), ",".join(calls)], pass_fds=[its.fileno()], stdout=subprocess.PIPE, text=True
        )
        its.close()
        out, _ = process.communicate(timeout=60)
    return process.returncode, out.splitlines()


@pytest.mark.parametrize(
    ("call", "do", "half", "whole"),
    [
        ("read", "os.read(fd, 10)", "b'01234'", "b'56789'"),
        ("pread64", "os.pread(fd, 8, 2)", "b'2345'", "b'23456789'"),
        (
            "preadv2",
            "os.preadv(fd, [memoryview(into)[4:]], 0, os.RWF_HIPRI), into",
            "(3, bytearray(b'    012   '))",
            None,
        ),
        ("write", "os.write(fd, b'abcdef')", "3", "6"),
        ("pwrite64", "os.pwrite(fd, b'abcdef', 4)", "3", "6"),
    ],
)
def test_half_of_a_call_is_done_and_the_next_goes_on(
    tmp_path: Path, call: str, do: str, half: str, whole: str | None
) -> None:
    count = 0

    def judge(told: Call) -> str | None:
        nonlocal count
        count += told.path() == str(tmp_path / "content")
        return "half" if count == 1 else None

    script = f"{OPEN}into = bytearray(b' ' * 10)\nsaid(lambda: ({do}))\n"
    status, out = seen(tmp_path, script + ("" if whole is None else f"said(lambda: ({do}))\n"), judge, call)
    assert (status, out) == (0, [half] if whole is None else [half, whole])
    if call == "write":
        assert (tmp_path / "content").read_bytes() == b"abcabcdef9"
    if call == "pwrite64":
        assert (tmp_path / "content").read_bytes() == b"0123abcdef"


@pytest.mark.parametrize(("how", "told"), [("EDQUOT", "Disk quota exceeded"), ("nothing", "b''"), (None, "b'0123'")])
def test_a_call_fails_as_asked(tmp_path: Path, how: str | None, told: str) -> None:
    answer = {str(tmp_path / "content"): how}
    script = f"{OPEN}said(lambda: os.read(fd, 4))\n"
    assert seen(tmp_path, script, lambda call: answer.get(call.path()), "read") == (0, [told])


def test_it_is_killed_before_the_call_is_done(tmp_path: Path) -> None:
    script = "said(lambda: 1)\nos.mkdir('made')\nsaid(lambda: 2)\n"
    assert seen(tmp_path, script, lambda _: "SIGKILL", "mkdir", "mkdirat") == (-signal.SIGKILL, ["1"])
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("do", "path"),
    [
        ("os.open('content', os.O_RDONLY)", "content"),
        ("os.open('content', os.O_RDONLY, dir_fd=folder)", "content"),
        ("os.open(f'/proc/self/fd/{folder}/content', os.O_RDONLY)", "content"),
        ("os.mkdir('made')", "made"),
        ("os.rename('content', 'other', src_dir_fd=folder, dst_dir_fd=folder)", "other"),
        ("os.link('content', 'other', follow_symlinks=False)", "other"),
        ("os.stat('content')", "content"),
        ("os.fstat(folder)", ""),
        ("os.chmod('content', 0o600)", "content"),
        ("os.listdir('.')", ""),
        ("os.statvfs('content')", "content"),
        ("os.unlink('content', dir_fd=folder)", "content"),
        ("os.fsync(folder)", ""),
        ("os.ftruncate(os.open('content', os.O_RDWR), 0)", "content"),
        ("try: os.read(99, 1)\nexcept OSError: pass", "nothing"),
    ],
)
def test_a_call_is_told_by_what_it_is_about(tmp_path: Path, do: str, path: str) -> None:
    paths: list[str] = []
    seen(tmp_path, f"{do}\nos._exit(0)\n", lambda call: paths.append(call.path()), *NUMBERS.keys() - {"seccomp"})
    assert paths[-1] == (path if path == "nothing" else str(tmp_path / path))
