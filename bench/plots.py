"""``python -m bench.plots FILE…``: draws what the measurements told (lines of JSON) as pictures in docs/plots.

Needs matplotlib alone, in an environment of its own (`make plots`): nothing else of the program is loaded.
"""

import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from bench.told import Told, by_number, read

INTO = Path(__file__).resolve().parents[1] / "docs" / "plots"
PEERS = {
    "cp": "cp + sync + SHA-256",
    "rsync": "rsync + sync + SHA-256",
    "rclone": "rclone + sync + SHA-256",
    "sha256": "SHA-256 alone",
}
RATIOS = (0.25, 0.5, 1, 2, 4, 8, 16)
mpl.rcParams |= {
    "svg.hashsalt": "bwcdock",  # the same figures make the same file
    "figure.figsize": (8, 4),
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def main() -> None:
    told = read(Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
    INTO.mkdir(exist_ok=True)
    against(told, "size", r"size_(\d+)_mib", "size of a file (MiB)")
    against(told, "recorders", r"recorders_(\d+)", "recorders docked at once, 128 MiB each")
    history(told)
    month(told)


def against(told: Told, name: str, pattern: str, across: str) -> None:
    """Our time over each peer's, and our speed."""
    series = by_number(told.figures, pattern)
    if not series:
        return
    made, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
    for peer, label in PEERS.items():
        if points := series.get(f"vs_{peer}"):
            left.plot(*zip(*points, strict=True), marker="o", label=label)
    left.axhline(1, color="black", linewidth=1)
    left.set(xscale="log", yscale="log", xlabel=across, ylabel="our time over theirs (below 1: faster)")
    left.set_yticks(RATIOS, [f"{ratio:g}" for ratio in RATIOS])
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, frameon=False)
    right.plot(*zip(*series["speed"], strict=True), marker="o")
    top = 1.1 * max(speed for _, speed in series["speed"])
    right.set(xscale="log", ylim=(0, top), xlabel=across, ylabel="pulled and sealed, MiB/s")
    for axes in (left, right):
        numbers = [number for number, _ in series["speed"]]
        axes.set_xticks(numbers, [str(number) for number in numbers])
        axes.minorticks_off()
    save(made, name)


def history(told: Told) -> None:
    """What a recording costs more after so many others."""
    found = ((re.fullmatch(r"recording_cost_at_(\d+)", name), figure) for name, figure in told.figures.items())
    points = sorted((int(match[1]), figure["value"]) for match, figure in found if match)
    if not points:
        return
    made, axes = plt.subplots()
    axes.plot(*zip(*points, strict=True), marker="o")
    axes.axhline(1.3, color="tab:red", linewidth=1, linestyle="--", label="goal: at most 1.3")
    axes.set(xscale="log", ylim=0, xlabel="finished recordings", ylabel="cost of a recording over that without any")
    axes.legend()
    save(made, "history")


def month(told: Told) -> None:
    """A dock's month: what is recorded, owed and kept, and the memory."""
    if not (samples := told.samples):
        return
    days = [sample["day"] for sample in samples]
    made, (top, middle, bottom) = plt.subplots(3, 1, figsize=(10, 9), sharex=True)
    for name, label in (("recordings", "recorded"), ("spool", "in the spool")):
        top.plot(days, [sample[name] for sample in samples], label=label)
    for name, label in (("owed", "owed"), ("late", "late, ever")):
        middle.plot(days, [sample[name] for sample in samples], label=label)
    middle.plot(days, [sample["docked"] for sample in samples], label="recorders docked")
    bottom.plot(days, [sample["memory"] / 2**20 for sample in samples], label="memory of the daemon, MiB")
    for axes in (top, middle, bottom):
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left")
    bottom.set_xlabel("days since 2026-09-20")
    save(made, "month")


def save(made: Any, name: str) -> None:
    made.tight_layout()
    made.savefig(INTO / f"{name}.svg", metadata={"Date": None})
    plt.close(made)
    print(INTO / f"{name}.svg")


if __name__ == "__main__":
    main()
