"""Commands that prove: audit (a station), verify (central storage), receipt (one paper)."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bwcdock import app, stores
from bwcdock.audit import AuditView, audit
from bwcdock.cli.common import DISAGREES, WELL, cut, print_json, say, settings_of, size, width
from bwcdock.cli.receipts import receipt_lines
from bwcdock.clock import WallClock
from bwcdock.errors import Misused
from bwcdock.ledger import Verifier
from bwcdock.manifest import RECEIPTS, Receipt, open_signed
from bwcdock.papers.receipt import find
from bwcdock.verify_central import Folder, Report, Stored, prove


def audited(asked: argparse.Namespace) -> int:
    """`bwcdock audit`."""
    settings = settings_of(asked)
    sinks = stores.sinks(settings, WallClock())
    with patience() as tell:
        view = audit(settings, sinks, app.public_key(settings), tell=tell)
    if asked.json:
        print_json(view, AuditView)
    else:
        say(
            *map(str, view.disagreements),
            f"audit: {view.leaves} ledger entries, {view.records} records, {view.spool_files} spool files "
            f"({size(view.spool_bytes)}), {view.central_objects} central copies, {view.receipts} receipts: "
            f"{'all agree' if view.agrees else _counted(len(view.disagreements), 'disagreement')}.",
        )
    return WELL if view.agrees else DISAGREES


def receipt(asked: argparse.Namespace) -> int:
    """`bwcdock receipt`."""
    settings = settings_of(asked)
    data = find(settings.paths.ledger / RECEIPTS, asked.session).read_bytes()
    told = open_signed(data, Receipt, Verifier.parse(app.public_key(settings)))
    if asked.json:
        print_json(told, Receipt)
    else:
        say(*receipt_lines(told, settings.station.zone, width()))
    return WELL


def verified(asked: argparse.Namespace) -> int:
    """`bwcdock verify`."""
    keys = "\n".join(map(given_key, asked.key)) if asked.key else _own_key(asked)
    try:
        with patience() as tell:
            told = prove(_place(asked), keys, pace=_megabytes(tell))
    except OSError as error:
        what = f"{error.filename or asked.central} cannot be read: {error.strerror}."
        raise Misused("verify", what, "Name the directory that is central storage.") from error
    if asked.json:
        print_json(told, Report)
    else:
        say(
            *told.disagreements,
            f"verify: {told.objects} objects ({size(told.size)}), {told.receipts} receipts, {told.checkpoints} "
            f"checkpoints: {'all hold' if told.ok else _counted(len(told.disagreements), 'disagreement')}.",
        )
    return WELL if told.ok else DISAGREES


def _place(asked: argparse.Namespace) -> Folder | Stored:
    if (asked.central is None) == (asked.sink is None):
        what = "What is to be proven was not said." if asked.central is None else "Two things were named to be proven."
        raise Misused("verify", what, "Name either a directory that is central storage, or --sink NAME.")
    if asked.central is not None:
        return Folder(asked.central)
    return Stored(stores.named(settings_of(asked), asked.sink, WallClock()))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def given_key(text: str) -> str:
    """A key given as a file's name, or as its own text."""
    hint = "Name keys/station.pub of the station, or a copy of it."
    try:
        return Path(text).read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        if text.count("+") > 1:
            return text
        raise Misused("verify", f"There is no key file {text}.", hint) from error
    except OSError as error:
        raise Misused("verify", f"{text} cannot be read: {error.strerror}.", hint) from error
    except UnicodeDecodeError as error:
        raise Misused("verify", f"{text} holds no key.", hint) from error


def _own_key(asked: argparse.Namespace) -> str:
    try:
        return app.public_key(settings_of(asked))
    except Misused as error:
        what = f"The station's public key is needed, and none was given; {error.what}"
        raise Misused("verify", what, "Name it: --key station.pub.") from error


@contextmanager
def patience() -> Iterator[Callable[[str], None]]:
    """A line on the terminal that says what is being looked at, for people who wait; nothing elsewhere."""
    shown = Console(stderr=True, highlight=False, emoji=False, markup=False)
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with shown.status("") as status:
        yield lambda text: status.update(cut(text, shown.width - 4))


def _megabytes(tell: Callable[[str], None]) -> Callable[[int], None]:
    """A ``pace`` that tells how much has been read."""
    total = 0

    def pace(count: int) -> None:
        nonlocal total
        total += count
        tell(f"{size(total)} read")

    return pace
