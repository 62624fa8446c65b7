"""Cards whose folders lead back, whose chains never end or lead away, and whose files share their places."""

from collections.abc import Callable
from pathlib import Path

from bwcdock.testing.exfat_records import DIRECTORY, entry_set
from card_makers import HONEST, WALL, Exfat, Fat, fat, folder_of, node, with_sets
from hostile_case import GOOD, GOOD_DATA, Files, Kind, Make

LOOP = ("directory.loop",)
UNREAD = ("directory.unreadable",)
BROKEN = ("file.chain_broken",)
FILM = bytes(range(256)) * 64
CHAINS = Kind(name="loops and chains")


def exfat_folder(lead: Callable[[Exfat], tuple[int, int]], more: Files | None = None) -> Make:
    """An exFAT card with a folder ``d`` that holds a folder ``loop`` of the cluster and size ``lead`` answers."""

    def make(path: Path) -> Files:
        card = with_sets(path, node("x"))
        first, size = lead(card)
        card.put(_cluster_of(card, "d"), entry_set(node("loop", attributes=DIRECTORY, runs=[(first, 1)], size=size)))
        return {**HONEST, **(more or {})}

    return make


def _first(card: Exfat, name: str) -> int:
    return int.from_bytes(card.get(card.entry(name) + 32 + 20, 4), "little")


def _cluster_of(card: Exfat, name: str) -> int:
    return card.at(_first(card, name))


def exfat_file(size: int = 3 * 4096, flags: int = 3, files: Files | None = None, **chain: int) -> Make:
    """An exFAT card with a film of three clusters of which these are changed: ``first``, or links by their place."""

    def make(path: Path) -> Files:
        card = folder_of(path, b"", data=[("film.mp4", FILM[: 3 * 4096])])
        first = _first(card, "film.mp4")
        for place, to in chain.items():
            if place != "first":
                card.link(first + int(place[1:]), to if to >= 0 else first - 1 - to)
        card.change("film.mp4", 33, bytes([flags]))
        told = chain.get("first", first).to_bytes(4, "little")
        card.change("film.mp4", 40, size.to_bytes(8, "little") + bytes(4) + told + size.to_bytes(8, "little"))
        return {**HONEST, **(files or {})}

    return make


def fat_film(change: Callable[[Fat, int], object], *, bits: int = 16, files: Files | None = None) -> Make:
    """A FAT card with a film of many clusters, and what ``change`` does to its tables, given its first cluster."""

    def make(path: Path) -> Files:
        fat(path, lambda volume: volume.add("FILM.MP4", FILM, modified=WALL), bits=bits)
        card = Fat(path)
        change(card, card.first("FILM    MP4"))
        return {**HONEST, **(files or {})}

    return make


# --- exFAT ------------------------------------------------------------------------------------------------------------

# The Sleuth Kit has another number for the root than for an entry that leads there: it is walked once more, not twice.
again = {"d/loop/good.mp4": GOOD_DATA}
CHAINS.add("a folder that leads to the root", exfat_folder(lambda c: (c.root, 4096), again), codes=LOOP)
CHAINS.add("a folder that leads to itself", exfat_folder(lambda c: (_first(c, "d"), 4096)), codes=LOOP)
CHAINS.add("a folder of cluster 0", exfat_folder(lambda c: (0, 4096)), codes=UNREAD)
CHAINS.add("a folder of cluster 1", exfat_folder(lambda c: (1, 4096)), codes=UNREAD)
CHAINS.add("a folder behind the end", exfat_folder(lambda c: (c.clusters + 2, 4096)), codes=UNREAD)
CHAINS.add("a folder larger than the card", exfat_folder(lambda c: (_first(c, GOOD), 1 << 40)), codes=UNREAD)


def root_in_circles(path: Path) -> Files:
    """The root's own chain leads back to its first cluster."""
    card = folder_of(path, b"")
    card.link(card.root, card.root)
    return HONEST


def two_in_circles(path: Path) -> Files:
    """Two folders that hold each other."""
    card = folder_of(path, b"", data=[("e", bytes(4096))])
    card.change("e", 4, bytes([DIRECTORY]))
    for one, other in (("d", "e"), ("e", "d")):
        entry = node(f"to {other}", attributes=DIRECTORY, runs=[(_first(card, other), 1)], size=4096)
        card.put(_cluster_of(card, one), entry_set(entry))
    return HONEST


CHAINS.add("the root in circles", root_in_circles)
CHAINS.add("two folders that hold each other", two_in_circles, codes=LOOP)
CHAINS.add("a chain to itself", exfat_file(flags=1, c0=-1), codes=BROKEN, aside=("film.mp4",))
CHAINS.add("a chain past the end", exfat_file(flags=1, c0=1 << 20), codes=BROKEN, aside=("film.mp4",))
CHAINS.add("a chain to cluster 0", exfat_file(flags=1, c0=0), codes=BROKEN, aside=("film.mp4",))
CHAINS.add(
    "a chain to the mark of a bad cluster", exfat_file(flags=1, c0=0xFFFFFFF7), codes=BROKEN, aside=("film.mp4",)
)
CHAINS.add("a chain that ends too early", exfat_file(flags=1, c0=0xFFFFFFFF), codes=BROKEN, aside=("film.mp4",))
CHAINS.add("a film that begins at cluster 0", exfat_file(first=0), codes=UNREAD)
CHAINS.add("a film that begins behind the end", exfat_file(first=1 << 24), codes=UNREAD)
CHAINS.add("a film that runs past the end", exfat_file(size=1 << 21), codes=UNREAD)


def over_the_bitmap(path: Path) -> Files:
    """A film whose place is the allocation bitmap's: what lies there is what it holds."""
    exfat_file(first=2, size=64)(path)
    card = Exfat(path)
    return {**HONEST, "film.mp4": card.get(card.at(2), 64)}


CHAINS.add("a film over the allocation bitmap", over_the_bitmap)


def many_of_one_place(path: Path) -> Files:
    """Forty films of the clusters of the honest one."""
    card = with_sets(path, node("x"))
    size, first = len(GOOD_DATA), _first(card, GOOD)
    sets = (node(f"{n}.mp4", runs=[(first, 1)], size=size, valid=size) for n in range(40))
    card.put(_cluster_of(card, "d"), b"".join(map(entry_set, sets)))
    return {**HONEST, **{f"d/{n}.mp4": GOOD_DATA for n in range(40)}}


def more_than_the_card(path: Path) -> Files:
    """Films of one place that claim more together than the card has."""
    large = bytes(range(256)) * 4096
    card = folder_of(path, entry_set(node("x")), size=4 << 20, data=[("film.mp4", large)])
    runs, size = [(_first(card, "film.mp4"), 256)], len(large)
    sets = (node(f"{n}.mp4", runs=runs, size=size, valid=size) for n in range(5))
    card.put(_cluster_of(card, "d"), b"".join(map(entry_set, sets)))
    return {**HONEST, "film.mp4": large, **{f"d/{n}.mp4": large for n in range(5)}}


CHAINS.add("many films of one place", many_of_one_place)
CHAINS.add("films of one place that are more than the card", more_than_the_card, codes=("files.crosslinked",))

# --- FAT --------------------------------------------------------------------------------------------------------------

LEFT = ("FILM.MP4",)
CHAINS.add("a FAT chain to itself", fat_film(lambda c, f: c.link(f + 1, f)), codes=BROKEN, aside=LEFT)
CHAINS.add("a FAT chain past the end", fat_film(lambda c, f: c.link(f + 1, 0xFFE0)), codes=BROKEN, aside=LEFT)
CHAINS.add("a FAT chain to a free cluster", fat_film(lambda c, f: c.link(f + 1, 0)), codes=BROKEN, aside=LEFT)
CHAINS.add("a FAT chain to cluster 1", fat_film(lambda c, f: c.link(f + 1, 1)), codes=BROKEN, aside=LEFT)


def crossed(path: Path) -> Files:
    """Two films whose chains join."""
    other = FILM[::-1]
    fat(path, lambda v: [v.add(f"{n}.MP4", d, modified=WALL) for n, d in (("A", FILM), ("B", other))])
    card = Fat(path)
    card.link(card.first("A       MP4"), card.first("B       MP4") + 1)
    return {**HONEST, "A.MP4": FILM[: card.cluster] + other[card.cluster :], "B.MP4": other}


def root_of_fat32_in_circles(path: Path) -> Files:
    """The root of FAT32 is a chain; here it leads to itself."""
    fat(path, bits=32)
    card = Fat(path)
    card.link(2, 2)
    return HONEST


CHAINS.add("two FAT chains that join", crossed)
CHAINS.add("the root of FAT32 in circles", root_of_fat32_in_circles)

KINDS = (CHAINS,)
