"""Pull and seal against copying and hashing, and two recorders against one."""

import hashlib
import os
import shutil
from pathlib import Path

from bench import cards, figures, peers, stations
from bench.cards import MIB
from bench.figures import Goal, Others, median, processor_s, tell, timed
from bench.scale import Scale


def pull(scale: Scale) -> None:
    """A B A B: the station with one card, then ``cp`` + ``sync`` + one SHA-256 pass; and the bare SHA-256 pass."""
    card = cards.full(scale.cards, "BENCH1", files=scale.files, size_each=scale.size_each)
    files = plain_files(scale, card)
    ours, copied, bare, used, others = [], [], [], [], Others(scale.calm_s)
    for _ in range(scale.pairs):
        with others.watching():
            worked = drained(scale, [card])
            ours.append(worked.seconds)
            copied.append(peers.copied("cp", files, scale.work / "copy"))
            before = processor_s()
            bare.append(timed(lambda: peers.hashed(files)))
            used.append(worked.processor_s / max(processor_s() - before, 1e-6))
    size = scale.files * scale.size_each / MIB
    by_copy = [a / b for a, b in zip(ours, copied, strict=True)]
    by_hash = [a / b for a, b in zip(ours, bare, strict=True)]
    verdict = scale.mode == "plain"
    tell(
        f"pull_seal_vs_copy_hash_{scale.mode}",
        median(by_copy),
        "ratio",
        goal=Goal(sign="<=", value=0.9) if verdict else None,
        of=by_copy,
        others=others.share,
        note=f"{size:.0f} MiB; cp + sync + sha256 of the copy took {median(copied):.2f} s",
    )
    tell(
        f"pull_seal_vs_hash_{scale.mode}",
        median(by_hash),
        "ratio",
        goal=Goal(sign="<=", value=1.15) if verdict else None,
        of=by_hash,
        others=others.share,
        note="" if verdict else "with SHA instructions hashing is cheaper than writing and reading back once each",
    )
    note = "processor seconds over those of the bare SHA-256 pass: less disturbed by what else runs than time is"
    tell(f"pull_seal_processor_{scale.mode}", median(used), "ratio", of=used, note=note)
    tell(f"pull_seal_speed_{scale.mode}", size / median(ours), "MiB/s", of=[size / s for s in ours])
    tell(f"hash_speed_{scale.mode}", size / median(bare), "MiB/s", of=[size / s for s in bare])
    if not verdict:  # without SHA instructions the disk is not what it waits for
        _same_disk(scale, card, files)


def _same_disk(scale: Scale, card: Path, files: Path) -> None:
    """Once more with the card on the spool's own disk and forgotten by the kernel, as the worst place for it."""
    others = Others(scale.calm_s)
    mine = scale.work / card.name
    shutil.copyfile(card, mine)
    copies = scale.work / "there"
    shutil.copytree(files, copies)
    os.sync()
    try:
        with others.watching():
            cards.forget(mine)
            ours = drained(scale, [mine]).seconds
            for file in copies.iterdir():
                cards.forget(file)
            copied = peers.copied("cp", copies, scale.work / "copy")
    finally:
        mine.unlink()
        shutil.rmtree(copies)
    note = "the card lies on the spool's disk, not in its cache: one disk is read, written and read back at once"
    tell(f"pull_seal_vs_copy_hash_same_disk_{scale.mode}", ours / copied, "ratio", others=others.share, note=note)


def two(scale: Scale) -> None:
    """A B A B: one recorder, then two at once; bytes a second of the two over those of the one."""
    both = [
        cards.full(scale.cards, device, files=scale.files, size_each=scale.size_each) for device in ("BENCH1", "BENCH2")
    ]
    found, ceilings, hashers, others = [], [], [], Others(scale.calm_s)
    for _ in range(scale.pairs):
        with others.watching():
            one, more = drained(scale, both[:1]), drained(scale, both)
            found.append(more.size / more.seconds / (one.size / one.seconds))
            ceilings.append((os.cpu_count() or 1) * one.seconds / one.processor_s)
            hashers.append(_two_hashers(both[0]))
    tell(
        f"two_recorders_{scale.mode}",
        median(found),
        "times one",
        goal=Goal(sign=">=", value=1.7) if scale.mode == "plain" else None,
        of=found,
        others=others.share,
        note=f"one keeps {(os.cpu_count() or 1) / median(ceilings):.2f} cores busy, so two cannot reach more than "
        f"{median(ceilings):.2f} times one; two bare SHA-256 threads reach {median(hashers):.2f} times one",
    )


def drained(scale: Scale, docked: list[Path]) -> stations.Worked:
    with stations.alone(scale.work / "station") as settings:
        worked = stations.drain(settings, docked)
    os.sync()  # the disk is done with what was removed before the next one is measured
    return worked


def plain_files(scale: Scale, *docked: Path, name: str = "files") -> Path:
    """The same bytes as plain files beside the cards: what a copying program would be given."""
    directory = scale.cards / name
    if not directory.exists():
        with stations.alone(scale.work / "station") as settings:
            stations.drain(settings, docked)
            made = scale.cards / f"{name}.part"
            shutil.copytree(settings.paths.spool / "whole", made, copy_function=shutil.copyfile)
            made.rename(directory)
    return directory


def _two_hashers(card: Path) -> float:
    """Two threads over one, each hashing the same bytes in memory: what the cores themselves give."""
    with card.open("rb") as file:
        data = file.read(64 * MIB)
    one = timed(lambda: hashlib.sha256(data))
    return 2 * one / timed(lambda: figures.together([lambda: hashlib.sha256(data)] * 2))
