"""What a card may claim: figures, listings and findings within what the ledger can hold, and a word on the rest."""

from collections.abc import Sequence
from dataclasses import replace

from bwcdock.core.facts import Condition, Finding, Item, Severity
from bwcdock.core.names import show

FINDINGS_BYTES = 40_000
"""Characters of findings told with one fact: a leaf holds 60 KiB, and a hostile card can make findings at will."""

EVIDENCE_BYTES = 8_000
"""Characters of evidence kept of one finding: about a hundred deleted files with name, size and time."""

PATH_LENGTH = 8_000
"""Characters of a path, escaped: FAT and exFAT end at 260 plain ones, and Linux itself at 4096 bytes."""

LARGEST = 2**53 - 1
"""Bytes of a file, and of all that a card lists: the largest whole number that JSON carries exactly (RFC 8785)."""

TEXT_LENGTH = 12_000
"""Characters of all that a listing says of one file: with four bytes each it still fits into a leaf of 60 KiB."""

SIDECARS = 100
"""Names of files beside one recording; real ones have three. What is left out is listed as files all the same."""


def credible(condition: Condition) -> Condition:
    """The condition without figures that no recorder can have and no leaf can hold; its notes tell of each."""
    figures = {name: getattr(condition, name) for name in ("battery", "storage_free", "storage_total")}
    wild = {name: figure for name, figure in figures.items() if figure is not None and not 0 <= figure <= LARGEST}
    if not wild:
        return condition
    told = Finding(
        severity=Severity.WARN,
        code="condition.implausible",
        what=f"What the recorder says of itself cannot be: {', '.join(wild)}.",
        remedy="Keep the card and look at it by hand: its file system is broken, or was made to mislead.",
        evidence=tuple((name, str(figure)) for name, figure in wild.items()),
    )
    return replace(condition, **dict.fromkeys(wild), notes=(*condition.notes, told))


def plausible(items: Sequence[Item]) -> tuple[list[Item], list[Finding]]:
    """The items that the ledger can hold, one by one and all together, in their order; and a finding for each other.

    Of a card that claims more than all the cards there are, the smaller files stay: they are the likelier ones.
    """
    kept: set[int] = set()
    room = LARGEST
    found: list[Finding] = []
    for place, item in sorted(enumerate(items), key=lambda placed: placed[1].size):
        if len(item.path) <= PATH_LENGTH and _text_length(item) <= TEXT_LENGTH and 0 <= item.size <= room:
            room -= item.size
            kept.add(place)
            continue
        found.append(
            Finding(
                severity=Severity.WARN,
                code="listing.implausible",
                what=f"{show(item.path)} has a path of {len(item.path)} characters and a size of {item.size} bytes.",
                remedy="It was not pulled: no recorder writes such a file. Keep the card and look at it by hand.",
            )
        )
    return [_with_few_sidecars(item, found) for place, item in enumerate(items) if place in kept], found


def _with_few_sidecars(item: Item, found: list[Finding]) -> Item:
    few: list[str] = []
    room = TEXT_LENGTH - _text_length(item)
    for path in item.sidecars[:SIDECARS]:
        room -= len(path)
        if room < 0:
            break
        few.append(path)
    if len(few) == len(item.sidecars):
        return item
    found.append(
        Finding(
            severity=Severity.NOTE,
            code="listing.sidecars",
            what=f"{show(item.path)} has {len(item.sidecars)} files beside it; {len(few)} are named with it.",
            remedy="Nothing to do: each of them is brought as a file of its own.",
        )
    )
    return replace(item, sidecars=tuple(few))


def _text_length(item: Item) -> int:
    told = (item.path, item.modified_text, item.claim.text, item.claim.zone, item.officer, item.series, item.activity)
    return sum(map(len, (*told, *item.markers)))


def bounded(findings: Sequence[Finding], most: int) -> tuple[Finding, ...]:
    """As many as ``most`` and a leaf allow, with a last finding that says how many more there were."""
    kept: list[Finding] = []
    room = FINDINGS_BYTES
    for finding in findings[:most]:
        short = _shortened(finding)
        room -= _length(short)
        if room < 0:
            break
        kept.append(short)
    if len(kept) < len(findings):
        rest = Finding(
            severity=Severity.WARN,
            code="findings.more",
            what=f"There are {len(findings) - len(kept)} more findings on this recorder.",
            remedy="Look at the recorder itself: so many at once point to one cause.",
        )
        kept.append(rest)
    return tuple(kept)


def _shortened(finding: Finding) -> Finding:
    pairs: list[tuple[str, str]] = []
    room = EVIDENCE_BYTES
    for key, value in finding.evidence:
        pair = (show(key, 100), show(value, 400))
        room -= len(pair[0]) + len(pair[1])
        if room < 0:
            pairs.append(("more", str(len(finding.evidence) - len(pairs))))
            break
        pairs.append(pair)
    return replace(finding, what=show(finding.what, 1000), remedy=show(finding.remedy, 1000), evidence=tuple(pairs))


def _length(finding: Finding) -> int:
    # Four characters a Chinese one, at most, once it is UTF-8; the rest is the form around it.
    return 4 * (len(finding.what) + len(finding.remedy)) + sum(4 * len(k + v) + 8 for k, v in finding.evidence) + 100
