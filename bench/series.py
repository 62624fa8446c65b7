"""The same work again and again with one thing made larger: the size of a file, the number of recorders, the history.

Each point is one station and its peers in turn, in one run: ratios are what counts. ``bench.plots`` draws them.
"""

import shutil
from dataclasses import replace

from bench import cards, peers
from bench.cards import MIB
from bench.figures import Others, median, tell, timed
from bench.history import history
from bench.scale import Scale
from bench.throughput import drained, plain_files

PAIRS = 3


def sizes(scale: Scale) -> None:
    """One card with files of one size each, from many small ones to a few large ones, against every copying program."""
    for each in scale.sizes:
        count = max(1, min(scale.most_files, scale.card_size // each))
        _point(scale, f"size_{each // MIB}_mib", 1, count, each)


def recorders(scale: Scale) -> None:
    """So many cards docked at once, against the programs copying all of their files."""
    for count in scale.docked:
        _point(scale, f"recorders_{count}", count, 4, scale.card_size // 64)


def histories(scale: Scale) -> None:
    """As ``history``, with a million finished recordings."""
    history(replace(scale, histories=scale.long_histories))


def _point(scale: Scale, name: str, count: int, files: int, each: int) -> None:
    docked = [cards.full(scale.cards, f"{name}_{n}", files=files, size_each=each) for n in range(1, count + 1)]
    plain = plain_files(scale, *docked, name=name)
    size, others = count * files * each / MIB, Others(scale.calm_s)
    took: dict[str, list[float]] = {"ours": [], "sha256": []} | {peer: [] for peer in peers.COPIES}
    try:
        for _ in range(min(PAIRS, scale.pairs)):
            with others.watching():
                took["ours"].append(drained(scale, docked).seconds)
                for peer in peers.COPIES:
                    took[peer].append(peers.copied(peer, plain, scale.work / "copy"))
                took["sha256"].append(timed(lambda: peers.hashed(plain)))
    finally:
        shutil.rmtree(plain)
        for card in docked:
            card.unlink()
    note = f"{count} recorders, {files} files of {each / MIB:g} MiB each"
    speeds = [size / seconds for seconds in took["ours"]]
    tell(f"{name}_speed", median(speeds), "MiB/s", of=speeds, others=others.share, note=note)
    for peer in (*peers.COPIES, "sha256"):
        ratios = [mine / other for mine, other in zip(took["ours"], took[peer], strict=True)]
        tell(f"{name}_vs_{peer}", median(ratios), "ratio", of=ratios, others=others.share)
