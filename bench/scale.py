"""How large a run is, and where it may put things."""

from dataclasses import dataclass, replace
from pathlib import Path

from bench.cards import MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """``work`` is on the disk that is measured, ``cards`` where the recorders' cards lie. ``mode`` names the processor:
    ``plain`` without SHA instructions, ``sha_ni`` with them.
    """

    work: Path
    cards: Path
    mode: str
    calm_s: float = 2.0
    pairs: int = 3
    files: int = 20
    size_each: int = 1024 * MIB // 10
    """20 files of 102.4 MiB are 2 GiB."""
    recorders: int = 4
    card_size: int = 2048 * MIB
    plan_records: int = 10_000
    histories: tuple[int, ...] = (0, 10_000, 200_000)
    long_histories: tuple[int, ...] = (0, 1_000, 10_000, 100_000, 1_000_000)
    sizes: tuple[int, ...] = (MIB, 16 * MIB, 128 * MIB, 1024 * MIB, 4096 * MIB)
    most_files: int = 128
    docked: tuple[int, ...] = (1, 2, 4, 8, 20)
    docked_files: int = 50
    listed_files: int = 10_000
    piece: int = 1024 * MIB
    appends: int = 300
    catalogue_recordings: int = 1_000_000
    catalogue_manifests: int = 20_000


def full(work: Path, cards: Path, mode: str) -> Scale:
    """As the goals say; more pairs where a verdict hangs on them."""
    return Scale(work=work, cards=cards, mode=mode, pairs=5 if mode == "plain" else 3)


def quick(work: Path, cards: Path, mode: str) -> Scale:
    """Everything once and small: its figures mean nothing, it shows that every measurement still runs."""
    return replace(
        full(work, cards, mode),
        calm_s=0.0,
        pairs=1,
        files=4,
        size_each=4 * MIB,
        card_size=16 * MIB,
        plan_records=500,
        histories=(0, 100, 400),
        long_histories=(0, 100),
        sizes=(MIB, 4 * MIB),
        most_files=4,
        docked=(1, 3),
        docked_files=5,
        listed_files=200,
        piece=16 * MIB,
        appends=20,
        catalogue_recordings=4_000,
        catalogue_manifests=200,
    )
