"""How much memory four recorders at once take, and how late the event loop gets meanwhile."""

import os
import threading
from pathlib import Path

from bench import cards, stations
from bench.figures import Goal, Others, tell
from bench.scale import Scale

MIB = 1 << 20
SAMPLE_S = 0.1


def memory(scale: Scale) -> None:
    """Four recorders with a file each (2 GiB): resident memory of this process and of the readers it starts."""
    docked = [
        cards.hollow(scale.work / f"hollow{n}.exfat", f"HOLLOW{n}", files=1, size_each=scale.card_size)
        for n in range(scale.recorders)
    ]
    watched, others = Resident(), Others(scale.calm_s)
    before = watched.now()
    try:
        with stations.alone(scale.work / "station") as settings, others.watching(), watched:
            worked = stations.drain(settings, docked)
    finally:
        for card in docked:
            card.unlink()
    size = f"{scale.recorders} recorders, {worked.size / MIB:.0f} MiB in {worked.seconds:.1f} s"
    tell(
        "memory_four_recorders",
        watched.most / MIB,
        "MiB",
        goal=Goal(sign="<=", value=200),
        others=others.share,
        note=f"{size}; {before / MIB:.0f} MiB before the first was docked; readers counted",
    )
    tell("loop_lag_p99", worked.lag_p99_s * 1000, "ms", goal=Goal(sign="<=", value=50), others=others.share, note=size)


class Resident:
    """Looks every tenth of a second at the resident memory of this process and its children, and keeps the most."""

    def __init__(self, *, children: bool = True) -> None:
        self.most = 0
        self._children = children
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def now(self) -> int:
        """Bytes; pages that a child shares with us are counted twice."""
        return sum(map(_resident, [os.getpid(), *(_children() if self._children else ())]))

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self.most = max(self.most, self.now())

    def __enter__(self) -> None:
        self.most = self.now()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:  # it has just ended
        return 0


def _children() -> list[int]:
    found: list[int] = []
    for thread in Path("/proc/self/task").iterdir():
        try:
            found += map(int, (thread / "children").read_text().split())
        except FileNotFoundError:
            continue
    return found
