"""One figure as one line of JSON, what else the machine did meanwhile, and what machine it is."""

import json
import os
import platform
import resource
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bwcdock import volumes

CALM = 0.15
"""Share of the machine's processors that others may use when a measurement begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a figure has to reach: at most or at least ``value``."""

    sign: Literal["<=", ">="]
    value: float

    def met_by(self, value: float) -> bool:
        return value <= self.value if self.sign == "<=" else value >= self.value

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"


def tell(
    name: str,
    value: float,
    unit: str,
    *,
    goal: Goal | None = None,
    of: Sequence[float] = (),
    others: float | None = None,
    note: str = "",
) -> None:
    """Print a figure. ``of`` are the values whose median it is; ``others`` the share of the machine others used."""
    line: dict[str, object] = {
        "name": name,
        "value": _short(value),
        "unit": unit,
        "goal": str(goal) if goal else None,
        "met": goal.met_by(value) if goal else None,
    }
    if of:
        line["of"] = [_short(one) for one in of]
    if others is not None:
        line["others"] = round(others, 2)
    if note:
        line["note"] = note
    print(json.dumps(line, ensure_ascii=False), flush=True)


def _short(value: float) -> float:
    """Three significant digits, four below a thousand: more would be noise."""
    return float(f"{value:.4g}") if value < 1000 else round(value)


class Others:
    """The share of the machine's processors that other programs used, over everything measured inside ``watching``.

    Before each measurement it waits at most ``calm_s`` seconds for a quiet machine: a shared one is never quiet.
    """

    def __init__(self, calm_s: float) -> None:
        self._calm_s = calm_s
        self._used = self._all = 0.0

    @property
    def share(self) -> float:
        return max(0.0, self._used / self._all) if self._all else 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Wait a moment for a quiet machine, then count what others use of it."""
        _calm(self._calm_s)
        busy, every = _ticks()
        own = processor_s()
        try:
            yield
        finally:
            now_busy, now_every = _ticks()
            self._all += now_every - every
            self._used += now_busy - busy - (processor_s() - own)


def _calm(most_s: float) -> None:
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        busy, every = _ticks()
        time.sleep(0.25)
        now_busy, now_every = _ticks()
        if now_busy - busy <= CALM * (now_every - every):
            return


def _ticks() -> tuple[float, float]:
    """Seconds all processors were busy, and all there were."""
    told = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    a_second = os.sysconf("SC_CLK_TCK")
    return (sum(told) - told[3] - told[4]) / a_second, sum(told) / a_second


def processor_s() -> float:
    """Processor seconds of this process so far, and of its children that have ended."""
    # getrusage counts in microseconds; times(2) in hundredths, which is nothing at all for a small run.
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def together(works: Sequence[Callable[[], object]]) -> None:
    """Run these at once, a thread each."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def machine(**more: object) -> None:
    """Print what machine this is; once a run."""
    told = {
        "processor": _first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "sha_ni": has_sha(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "load": [round(load, 2) for load in os.getloadavg()],
        **more,
    }
    print(json.dumps({"machine": told}, ensure_ascii=False), flush=True)


def has_sha() -> bool:
    """Whether the processor has instructions for SHA-256."""
    return "sha_ni" in _first("/proc/cpuinfo", "flags").split()


def _first(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""


def file_system(path: Path) -> str:
    """The kind of file system ``path`` lies on."""
    return volumes.file_system_of(path).kind
