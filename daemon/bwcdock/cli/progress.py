"""Progress of dockings and packages: bars on a terminal, plain lines elsewhere, both from the same view."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from bwcdock.cli import plain, unseen
from bwcdock.cli.common import cut, fold, pad, say, size
from bwcdock.core.live import Pace
from bwcdock.core.view import LAMP_ZH, SessionView, session_view
from bwcdock.station import Station

EVERY = 0.10
"""Plain lines tell of progress in steps of a tenth, so that a log stays readable."""

NAME, NUMBERS = 16, 36
"""Columns of a recorder's name and of its numbers: a line of 80 then has room for a bar, and the bars stand still."""


class _Terminal(Console):
    """A terminal whose end does not end the work."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        unseen()


class _Bars:
    """Bars on a terminal while it is a context, and nothing to see elsewhere; ``_live`` says which."""

    def __init__(self, *columns: ProgressColumn, transient: bool) -> None:
        console = _Terminal(highlight=False, emoji=False, markup=False)
        self._live = console.is_terminal and not console.is_dumb_terminal
        self._bars = Progress(*columns, console=console, expand=True, transient=transient)

    def __enter__(self) -> Self:
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bars.stop()


class Screen(_Bars):
    """Shows every session of ``station`` while it is a context; ``refresh`` at any pace."""

    def __init__(self, station: Station, monotonic: Callable[[], float]) -> None:
        super().__init__(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[told]}", table_column=Column(no_wrap=True, min_width=NUMBERS)),
            transient=False,
        )
        self._station = station
        self._monotonic = monotonic
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, tuple[object, ...]] = {}
        self._findings: dict[str, int] = {}
        self._paces: dict[str, Pace] = {}

    def refresh(self) -> None:
        """Show what changed."""
        at = self._monotonic()
        for session in self._station.seen:
            view = session_view(session, self._station.records, self._station.partial)
            pace = self._paces.setdefault(view.session, Pace())
            pace.take(at, view.moved)
            self._say_findings(view)
            tell = self._bar if self._live else self._line
            tell(view, _told(pace, view.bytes - view.moved))

    def _bar(self, view: SessionView, pace: str) -> None:
        if view.session not in self._tasks:
            self._tasks[view.session] = self._bars.add_task("", total=None, told="")
        text = f"{pad(cut(_name(view), NAME), NAME)} {LAMP_ZH[view.lamp]} {view.sealed}/{view.files}"
        if view.owed and view.moved >= view.bytes:
            pace = f"待入库 {view.owed}"
        told = f"{size(view.moved)}/{size(view.bytes)} {pace}".rstrip()
        total = view.bytes or None  # not known yet: the bar moves to and fro
        self._bars.update(self._tasks[view.session], description=text, told=told, total=total, completed=view.moved)

    def _line(self, view: SessionView, pace: str) -> None:
        tenth = int(view.moved / view.bytes / EVERY) if view.bytes else 0
        mark = (view.lamp, view.owed == 0, tenth)
        if self._told.get(view.session) == mark:
            return
        self._told[view.session] = mark
        moved = f"{size(view.moved)} of {size(view.bytes)}{', ' if pace else ''}{pace}"
        say(
            f"{cut(_name(view), 40)}: {LAMP_ZH[view.lamp]} {view.lamp}: {moved}; "
            f"{view.sealed}/{view.files} sealed, {view.owed} owed"
        )

    def _say_findings(self, view: SessionView) -> None:
        said = self._findings.get(view.session, 0)
        for finding in view.findings[said:]:
            line = plain(f"  {finding.severity} {finding.code}: {finding.what}")
            if self._live:
                # Above the bars, and through the console that draws them.
                self._bars.console.print("\n".join(fold(line, self._bars.console.width, "    ")), soft_wrap=True)
            else:
                say(line)
        self._findings[view.session] = len(view.findings)


class Copying(_Bars):
    """How far a package is: a bar on a terminal, a line every tenth elsewhere. A context; ``pace`` hears of bytes."""

    def __init__(self, name: str) -> None:
        columns = (BarColumn(bar_width=None), TaskProgressColumn(), TimeRemainingColumn())
        super().__init__(TextColumn("{task.description}"), *columns, transient=True)
        self._name = name
        self._done = self._of = self._tenth = 0
        self._task = self._bars.add_task(pad(cut(plain(name), NAME), NAME), total=None)

    def expect(self, size: int) -> None:
        """So many bytes will be read and written."""
        self._of = size
        self._bars.update(self._task, total=size)

    def pace(self, size: int) -> None:
        """So many of them were."""
        self._done = min(self._done + size, self._of)
        self._bars.update(self._task, completed=self._done)
        tenth = self._done * 10 // self._of if self._of else 0
        if tenth > self._tenth and not self._live:
            say(f"{self._name}: {tenth * 10} %")
        self._tenth = tenth


def _name(view: SessionView) -> str:
    return plain(view.recorder or view.port.rpartition("/")[2])


def _told(pace: Pace, left: int) -> str:
    """Speed and the time that ``left`` bytes will take; empty when none are left, or nothing is known yet."""
    speed, seconds = pace.speed(), pace.seconds_left(left)
    if left <= 0 or speed is None:
        return ""
    return "0 B/s" if seconds is None else f"{size(speed)}/s {seconds // 60}:{seconds % 60:02d} left"
