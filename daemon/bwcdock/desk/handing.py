"""Hands footage over: the permit, then the register's line, then the package; the one way, by command line and page."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bwcdock.core.facts import Actor
from bwcdock.desk.acts import Act, UseAccess
from bwcdock.desk.doing import Done
from bwcdock.papers.export import package, permit
from bwcdock.papers.fonts import Font
from bwcdock.papers.source import Source
from bwcdock.ports import Sink


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where a package is made from: ``sources`` opens the ledger for reading, ``spool`` has the sealed files."""

    sources: Callable[[], AbstractContextManager[Source]]
    sinks: Mapping[str, Sink]
    spool: Path
    font: Font | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A package that was made, and the entry of the ledger that is its line in the register."""

    made: package.Made
    entry: int


def hand_over(
    stores: Stores,
    order: package.Order,
    request: str,
    actor: Actor,
    enter: Callable[[Act], Done],
    *,
    named: Callable[[package.Order, int], package.Order] = lambda order, _: order,
    expect: Callable[[int], object] = lambda _: None,
    tell: Callable[[str], object] = lambda _: None,
    pace: Callable[[int], None] = lambda _: None,
) -> Handed:
    """Make the package of ``order`` (whole ids of records) under this request, or nothing at all.

    ``enter`` does an act for ``actor``; ``named`` gives the order its final place by the entry that this made.
    ``expect`` hears how many bytes ``pace`` will hear of. Raises what :func:`bwcdock.papers.export.permit.ask` and
    :func:`bwcdock.papers.export.package.export` raise, and what ``enter`` does.
    """
    with stores.sources() as source:
        allowed = permit.ask(source.ledger, order.records, request, actor, how="exported")
        expect(package.check(source, order))
    # The register's line comes before the first byte: dying after it leaves a line and no package, never the other way.
    note = f"export {order.to}" if order.to else "export"
    line = UseAccess(request=request, how="exported", who=allowed.applicant, copies=order.copies, note=note)
    entry = enter(line).entries[0]
    with stores.sources() as source:
        final = named(order, entry)
        made = package.export(
            source, stores.sinks, stores.spool, final, allowed, font=stores.font, tell=tell, pace=pace
        )
    return Handed(made=made, entry=entry)
