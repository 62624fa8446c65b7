"""Commands that make papers and packages: paper, export."""

import argparse
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bwcdock import app, durable
from bwcdock.cli import desk
from bwcdock.cli.common import WELL, say, settings_of, size
from bwcdock.cli.progress import Copying
from bwcdock.clock import WallClock
from bwcdock.core.facts import Actor
from bwcdock.desk.acts import Act
from bwcdock.desk.doing import Done
from bwcdock.desk.handing import Stores, hand_over
from bwcdock.desk.line import act_of
from bwcdock.errors import Misused
from bwcdock.ledger import open_read_only
from bwcdock.papers import fonts, html, pdf, registry
from bwcdock.papers.export import package
from bwcdock.papers.model import Paper
from bwcdock.papers.source import Asked, Source
from bwcdock.settings import Settings
from bwcdock.stores import sinks


def paper(asked: argparse.Namespace) -> int:
    """`bwcdock paper`."""
    settings = settings_of(asked)
    with open_read_only(settings.paths.ledger) as ledger:
        source = app.paper_source(settings, ledger, WallClock().now())
        made = registry.build(asked.kind, source, Asked(subjects=tuple(asked.subjects), fields=dict(asked.field)))
    data = _rendered(made, asked.out, settings)
    _write(asked.out, data)
    say(f"{made.title} {made.number}: {asked.out}")
    if asked.as_person:
        _enter(settings, asked, data)
    return WELL


def _enter(settings: Settings, asked: argparse.Namespace, data: bytes) -> None:
    """Which paper was issued by whom: what was signed can be told from what was printed later."""
    said = {"paper": asked.kind, "subject": " ".join(asked.subjects), "copies": asked.copies}
    chosen = act_of("issue-paper", {**said, "sha256": hashlib.sha256(data).hexdigest()})
    done = desk.perform(settings, chosen, Actor(name=asked.as_person, role=asked.role or ""))
    say(f"已登记 / entered: {done.matter}")


def _rendered(made: Paper, out: Path, settings: Settings) -> bytes:
    match out.suffix.lower():
        case ".html":
            return html.render(made)
        case ".pdf":
            return pdf.render(made, fonts.find(settings.papers.font))
    raise Misused("paper", f"{out} says no form of paper.", "Name a file that ends in .html or .pdf.")


def _write(out: Path, data: bytes) -> None:
    try:
        durable.write_small(out, data, mode=0o640)
    except FileExistsError as error:
        raise Misused("paper", f"{out} is there already.", "Name another file; nothing was changed.") from error
    except OSError as error:
        raise Misused(
            "paper", f"{out} cannot be written: {error.strerror}.", "Name a directory that is there."
        ) from error


def export(asked: argparse.Namespace) -> int:
    """`bwcdock export`."""
    settings = settings_of(asked)
    clock, actor = WallClock(), Actor(name=asked.as_person, role=asked.role)

    @contextmanager
    def sources() -> Iterator[Source]:
        with open_read_only(settings.paths.ledger) as ledger:
            yield app.paper_source(settings, ledger, clock.now())

    def enter(act: Act) -> Done:
        done = desk.perform(settings, act, actor)
        say(f"已登记 / entered: {done.matter}, entry {done.entries[0]}")
        return done

    with sources() as source:
        records = tuple(source.record(named).id for named in asked.records)
    order = package.Order(records=records, to=asked.to, iso=asked.iso, copies=asked.copies, fields=dict(asked.field))
    stores = Stores(
        sources=sources,
        sinks=sinks(settings, clock),
        spool=settings.paths.spool / "whole",
        font=fonts.if_any(settings.papers.font),
    )
    with Copying(asked.to.name) as shown:
        made = hand_over(stores, order, asked.request, actor, enter, expect=shown.expect, pace=shown.pace).made
    say(f"{made.to}: {made.files} files, {size(made.size)}, {made.digest}")
    if made.iso:
        say(f"{made.iso}: {made.disc} × {asked.copies}")
    say(*(f"{zh} / {en}" for zh, en in made.notes))
    return WELL
