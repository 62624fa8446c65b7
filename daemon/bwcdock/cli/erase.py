"""The command that tells what may be erased from recorders, and leaves the daemon an order to format a card."""

import argparse
from collections import Counter
from dataclasses import dataclass

from pydantic import ValidationError

from bwcdock import app, durable, stores
from bwcdock.cli.common import WELL, print_json, say, settings_of, size, table, width
from bwcdock.clock import WallClock
from bwcdock.core.names import show
from bwcdock.core.retention import Erasing, why_kept
from bwcdock.erasing import ORDER_NAME, ORDER_S, Order
from bwcdock.errors import Misused
from bwcdock.ledger import Reader, Verifier, open_read_only
from bwcdock.overview import running
from bwcdock.settings import Settings
from bwcdock.steps.bench import locking_of
from bwcdock.steps.held import held
from bwcdock.steps.witness import seen

DAY_S = 86400
PATH = 60
"""Columns of a path; `--json` has all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasable:
    """One recording that its recorder still has, as far as the ledger knows. ``reason`` is empty where it may go."""

    record: str
    recorder: str
    path: str
    size: int
    may_go: bool
    reason: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseView:
    """All of them. ``enabled`` is the setting; ``erased`` counts those that went before."""

    enabled: bool
    after_days: int
    erased: int
    files: tuple[Erasable, ...]


def erase(asked: argparse.Namespace) -> int:
    """`bwcdock erase`."""
    settings = settings_of(asked)
    if asked.format:
        return _ordered(settings, asked)
    with open_read_only(settings.paths.ledger) as ledger:
        view = _view(settings, ledger, _recorder(ledger, asked))
    if asked.json:
        print_json(view, EraseView)
    else:
        say(*_lines(view))
    return WELL


def _recorder(ledger: Reader, asked: argparse.Namespace) -> str:
    """The serial that is meant; empty for all."""
    if asked.slot is None:
        return str(asked.recorder)
    docked = [s for s in ledger.open_sessions() if s.sighting.slot == asked.slot and s.recorder]
    if not docked:
        raise Misused("erase", f"No known recorder is in slot {asked.slot}.", "Look at `bwcdock status`.")
    return docked[-1].recorder


def _view(settings: Settings, ledger: Reader, recorder: str) -> EraseView:
    """As if erasing were switched on: what would go is what is asked."""
    clock, chosen = WallClock(), settings.erase
    verifier = Verifier.parse(app.public_key(settings))
    sinks = stores.sinks(settings, clock)
    witnessed = seen(sinks.values(), settings.station.name, verifier)
    now, records = clock.now(), ledger.records(recorder=recorder)
    terms = Erasing(
        after_s=chosen.after_days * DAY_S,
        witnessed=witnessed,
        held=held(ledger, records),
        locking=locking_of(settings, sinks),
    )
    erased, files = 0, []
    for record in records:
        if record.erased_at:
            erased += 1
            continue
        why = why_kept(record, now, terms)
        files.append(
            Erasable(
                record=record.id,
                recorder=record.recorder,
                path=record.item.path,
                size=record.item.size,
                may_go=why is None,
                reason=why.reason if why else "",
                what=why.what if why else "",
            )
        )
    return EraseView(enabled=chosen.enabled, after_days=chosen.after_days, erased=erased, files=tuple(files))


def _lines(view: EraseView) -> list[str]:
    go = [file for file in view.files if file.may_go]
    told = Counter(file.reason for file in view.files if not file.may_go)
    rows = [("recorder", "path", "size", "may go", "why not")]
    rows += [(f.recorder, show(f.path, PATH), size(f.size), "yes" if f.may_go else "no", f.what) for f in view.files]
    state = f"on, {view.after_days} days after" if view.enabled else "off ([erase] enabled = false)"
    stay = ", ".join(f"{count} {reason}" for reason, count in sorted(told.items())) or "none"
    return [
        *(table(rows, flexible=1, room=width(), right=(2,)) if view.files else ()),
        f"erasing is {state}; may go: {len(go)} ({size(sum(f.size for f in go))}); stay: {stay}; "
        f"erased before: {view.erased}. Each file is compared on the card once more before it goes.",
    ]


def _ordered(settings: Settings, asked: argparse.Namespace) -> int:
    """Leave the order where the daemon looks for it; only who may write to the run directory can."""
    chosen = settings.erase
    if not (chosen.enabled and chosen.reformat):
        raise Misused("erase", "Formatting is not allowed here.", "Set enabled and reformat in [erase] to true.")
    if asked.slot is None and not asked.recorder:
        raise Misused("erase", "It was not said which card.", "Add --slot N or --recorder SERIAL.")
    if len(asked.by) < chosen.persons:
        raise Misused("erase", f"{chosen.persons} persons must order it.", "Name each with --by NAME.")
    at = WallClock().now()
    try:
        order = Order(slot=asked.slot, recorder=asked.recorder, by=tuple(asked.by), asked_ms=int(at.timestamp() * 1000))
    except ValidationError as error:
        problem = error.errors()[0]
        why = str(problem["msg"]).removeprefix("Value error, ")
        what = f"This order cannot be given: {problem['loc'][0]}: {why}."
        raise Misused("erase", what, "Name different persons, and a slot from 1.") from error
    durable.write_small(settings.paths.run / ORDER_NAME, order.model_dump_json().encode(), mode=0o644)
    daemon = "" if running(settings) else " The daemon is not running."
    say(
        f"Ordered by {' and '.join(order.by)}. The card is formatted when it is docked and drained, every file on it "
        f"may go, and no more than {ORDER_S // 60} minutes have passed.{daemon}"
    )
    return WELL
