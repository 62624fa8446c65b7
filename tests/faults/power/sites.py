"""Where the program syncs: each place by the functions that lead to it, so that one of them can be left out."""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from bwcdock.calls import System

from power.stories import Story, record
from power.work import Work

_DEPTH = 3
_PASSED_OVER = ("_sync_names", "fsync_dir", "Filesystem")


def here(fd: int) -> str:
    """What is synced, and the functions of the program that led there, nearest first."""
    names: list[str] = []
    frame = sys._getframe(1)
    while frame is not None and len(names) < _DEPTH:
        code = frame.f_code
        if (
            "/bwcdock/" in code.co_filename
            and code.co_qualname not in _PASSED_OVER
            and "<lambda>" not in code.co_qualname
        ):
            names.append(code.co_qualname)
        frame = frame.f_back  # type: ignore[assignment]
    what = "names" if stat.S_ISDIR(os.fstat(fd).st_mode) else "bytes"
    return f"{what}: {' < '.join(names)}"


@contextmanager
def syncing(found: set[str], without: str = "") -> Iterator[None]:
    """Every place that syncs is added to ``found``; the one named ``without`` does not sync."""

    def fsync(fd: int) -> None:
        found.add(site := here(fd))
        if site != without:
            os.fsync(fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(System, "fsync", staticmethod(fsync))
        yield


def places(stories: Sequence[Story], directory: Path) -> dict[str, list[Story]]:
    """Every place that syncs in the part of a story that is cut, and the stories it syncs in."""
    where: dict[str, list[Story]] = {}
    for number, story in enumerate(stories):
        found: set[str] = set()
        with syncing(found):
            record(replace(story, run=_forgetting(story, found)), directory / f"{number}")
        for site in found:
            where.setdefault(site, []).append(story)
    return where


def _forgetting(story: Story, found: set[str]) -> Callable[[Work], None]:
    def run(work: Work) -> None:
        if not story.is_founding:
            found.clear()
        story.run(work)

    return run
