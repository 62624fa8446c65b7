"""What a person sees on a terminal: bars with bytes, speed and time left, the lamp's word, and lines that fit."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest
from cli_world import BWCDOCK, ENV, SLOW, big_folder, files, folder, run, station, well
from rich.cells import cell_len

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-79]|38;5;\d+|9[0-7])(?:;\d+)*m")
BAR = "━"


def on_terminal(*args: object, columns: int = 80, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit status, and everything that was written to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [BWCDOCK, *map(str, args)],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**ENV, "TERM": "xterm-256color", **(env or {})},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 65536):
            said += chunk
    except OSError:  # EIO: nobody holds the other end any more
        pass
    finally:
        os.close(ours)
    return process.wait(30), said.decode()


def lines(said: str) -> list[str]:
    """What stood on lines, in the order of writing, without colours and movements."""
    return [line.rstrip() for line in re.split(r"[\r\n]+", CONTROL.sub("", said)) if line.strip()]


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> tuple[Path, str]:
    """An ingest of a slow card and a quick one, on a terminal of 80 columns."""
    path = tmp_path_factory.mktemp("screen")
    dock = station(path / "dock", SLOW)
    sources = [big_folder(path / "A recorder with a very long name"), folder(path / "card", files(1))]
    status, said = on_terminal("-C", dock, "ingest", *sources)
    assert status == 0, said
    return dock, said


def test_a_bar_tells_bytes_speed_and_time_left(seen):
    told = [line for line in lines(seen[1]) if "采集中" in line and "left" in line]
    assert told
    for line in told:
        moving = r"^(\S.*\S) +采集中 \d/\d +.*?([\d.]+ [KM]?i?B)/([\d.]+ [KM]iB) ([\d.]+ [KM]iB)/s (\d+:\d\d) left$"
        assert re.match(moving, line), line
        assert BAR in line
    assert all(line.startswith("A recor") for line in told if "32.0 MiB" in line)
    assert len(set(told)) > 1  # it moves


def test_the_lamps_words_follow_each_other(seen):
    lamps = [re.search("读取中|采集中|可取走|已结清", line) for line in lines(seen[1]) if line.startswith("A recor")]
    words = list(dict.fromkeys(found[0] for found in lamps if found))
    order = ["读取中", "采集中", "可取走", "已结清"]
    assert words == [word for word in order if word in words]
    assert "采集中" in words
    assert words[-1] in {"可取走", "已结清"}


def test_nothing_is_wider_than_the_terminal(seen):
    bars = [line for line in lines(seen[1]) if BAR in line]
    assert bars
    assert max(map(cell_len, bars)) <= 80
    wide = [line for line in lines(seen[1]) if cell_len(line) > 80]
    assert [line for line in wide if "总摘要" not in line] == []


def test_the_receipt_stands_below_the_bars(seen):
    said = lines(seen[1])
    last_bar = max(at for at, line in enumerate(said) if BAR in line)
    first_paper = min(at for at, line in enumerate(said) if "移交回执" in line)
    assert last_bar < first_paper
    (heading, *_) = [line for line in said if "文件 " in line and "期限" in line]
    assert "SHA-256" not in heading  # there is no room for it in 80 columns
    table = said[said.index(heading) :][:2]
    assert cell_len(table[0].partition("状态")[0]) == cell_len(table[1].partition("已入库")[0])


def test_without_colour(seen):
    dock, said = seen
    assert COLOUR.search(said)
    status, plain = on_terminal("-C", dock, "ingest", dock.parent / "card", env={"NO_COLOR": "1"})
    assert status == 0
    assert not COLOUR.search(plain)
    assert BAR in plain


def test_a_dumb_terminal_gets_lines(seen):
    dock, _ = seen
    status, said = on_terminal("-C", dock, "ingest", dock.parent / "card", env={"TERM": "dumb"})
    assert status == 0
    assert "\x1b" not in said
    assert BAR not in said
    assert re.search(r"(?m)^card: \S+ [a-z_]+: 0 B of 0 B; 0/0 sealed, 0 owed\r$", said)
    assert "本次没有新文件" in said


@pytest.mark.parametrize("columns", [80, 120])
def test_the_tables_fit(seen, columns):
    dock, _ = seen
    for command in ("records", "status"):
        status, said = on_terminal("-C", dock, command, columns=columns)
        assert status == 0
        found = lines(said)
        assert max(map(cell_len, found)) <= columns, said
        heading = next(line for line in found if line.startswith(("id ", "recorder ", "session ")))
        rows = [line for line in found if re.match(r"[0-9a-f]{8}|card|A rec", line)]
        assert rows
        key = "state" if command == "records" else "lamp"
        at = cell_len(heading.partition(key)[0])
        for row in rows:
            assert re.search("sealed|已取走", row), row
            assert cell_len(re.split("sealed|已取走", row)[0]) == at, said


def test_the_audit_tells_what_it_reads_and_leaves_no_trace(seen):
    dock, _ = seen
    status, said = on_terminal("-C", dock, "audit")
    assert status == 0
    assert lines(said)[-1].endswith("all agree.")
    assert "20260302_08" in said  # one of those that were read, on a line that is wiped out again
    piped = run("-C", dock, "audit")
    assert (piped.err, len(piped.out.splitlines())) == ("", 1)


def test_elsewhere_there_are_plain_lines_as_long_as_they_are(seen):
    dock, _ = seen
    table = well("-C", dock, "records").splitlines()
    assert len(table) == 5
    assert not [line for line in table if "…" in line]
    assert len({cell_len(line.partition("sealed")[0]) for line in table[1:]}) == 1
