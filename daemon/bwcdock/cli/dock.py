"""Commands about the dock itself: slots, and what a recorder plugged in looks like."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bwcdock import durable, slots
from bwcdock.cli.common import WELL, print_json, say, settings_of, table, width
from bwcdock.cli.suggest import stanza
from bwcdock.core.facts import Sighting
from bwcdock.detect.bus import HUB, Docks, Node, Policy, look
from bwcdock.detect.udev import enumerated, plugged
from bwcdock.errors import Misused
from bwcdock.slots import Slot

_EVERYTHING = Policy(slots={}, any_port=True, live_s=0, switch_s=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotView:
    """A slot as it is shown; ``there`` are the nodes in /dev of what is plugged in."""

    number: int
    port: str
    priority: bool
    there: tuple[str, ...]


def show(asked: argparse.Namespace) -> int:
    """`bwcdock slots`."""
    path = settings_of(asked).paths.slots
    there = defaultdict[str, list[str]](list)
    for each in look(enumerated(), Docks(), _EVERYTHING, 0).docked:
        there[each.port].append(each.sighting.source)
    views = [SlotView(there=tuple(there[s.port]), **s.model_dump()) for s in slots.load(path)]
    if asked.json:
        print_json(views, list[SlotView])
    elif not views:
        say(f"No slots in {path}.", "Bind ports to slots with `sudo bwcdock slots learn`.")
    else:
        rows = [("slot", "port", "first", "plugged in")]
        rows += [(str(v.number), v.port, "yes" if v.priority else "", " ".join(v.there)) for v in views]
        say(*table(rows, flexible=1, room=width(), right=(0,)))
    return WELL


def learn(asked: argparse.Namespace) -> int:
    """`bwcdock slots learn`."""
    path = settings_of(asked).paths.slots
    _may_replace(path, slots.load(path), asked)
    coming = plugged()
    learned: list[Slot] = []
    try:
        say("Plug a device into the port of slot 1, then of slot 2, and so on. Ctrl-C ends.")  # from here on, too
        for node in coming:
            if slot := _next(node, learned, asked.priority):
                learned.append(slot)
                say(f"slot {slot.number}: {slot.port}{'  (first)' if slot.priority else ''}")
            if asked.count and len(learned) >= asked.count:
                break
    except KeyboardInterrupt:
        say("")
    if not learned:
        raise Misused("learn the slots", "Nothing was plugged in, so nothing was written.", "Start again.")
    _write(path, learned, asked.rules)
    return WELL


def put(asked: argparse.Namespace) -> int:
    """`bwcdock slots set`."""
    path = settings_of(asked).paths.slots
    try:
        slot = Slot(number=asked.number, port=asked.port, priority=asked.priority)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        what = f"{wrong['loc'][0]} {wrong['input']!r}: {wrong['msg']}."
        hint = f"Slots go from 1 to {slots.MOST}; a port is an ID_PATH such as pci-0000:00:14.0-usb-0:1.2."
        raise Misused("set a slot", what, hint) from error
    chosen = [*(s for s in slots.load(path) if s.number != slot.number), slot]
    if problem := slots.clash(chosen):
        raise Misused("set a slot", problem[1], "Give every slot its own port.")
    _write(path, chosen, asked.rules)
    return WELL


def write(asked: argparse.Namespace) -> int:
    """`bwcdock slots write`."""
    path = settings_of(asked).paths.slots
    _tell_udev(slots.load(path), asked.rules)
    return WELL


def suggest(asked: argparse.Namespace) -> int:  # noqa: ARG001 (every command is given what was typed)
    """`bwcdock suggest`."""
    say(*suggested(each.sighting for each in look(enumerated(), Docks(), _EVERYTHING, 0).docked))
    return WELL


def suggested(sightings: Iterable[Sighting]) -> list[str]:
    """A stanza for each disk, and what is to be said of the rest."""
    lines: list[str] = []
    for sighting in sightings:
        if dict(sighting.properties).get("SUBSYSTEM") == "block":
            told = stanza(sighting)
        else:
            told = [f"# {sighting.source} at {sighting.port} shows no disk; a quirk file describes what lies on one."]
        lines += ["", *told] if lines else told
    return lines or ["# Nothing that may be a recorder is plugged in by USB."]


# ---------------------------------------------------------------------------------------------------------------------


def _may_replace(path: Path, before: Sequence[Slot], asked: argparse.Namespace) -> None:
    if not before or asked.yes:
        return
    if not sys.stdin.isatty():
        what = f"{path} has {len(before)} slots already."
        raise Misused("learn the slots", what, "Say --yes to replace them, or use `bwcdock slots set`.")
    if input(f"Replace the {len(before)} slots of {path}? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise Misused("learn the slots", "The slots stay as they are.", "Nothing was changed.")


def _next(node: Node, learned: Sequence[Slot], priority: Sequence[int]) -> Slot | None:
    """The slot that this device makes of its port; ``None`` for a hub, and for a port that is one already."""
    place = node.place
    if place is None or place.interface or node.has(HUB):
        return None
    for slot in learned:
        if slot.port == place.port:
            say(f"slot {slot.number} is that port already")
            return None
    number = len(learned) + 1
    return Slot(number=number, port=place.port, priority=number in priority)


def _write(path: Path, chosen: Sequence[Slot], rules: Path | None) -> None:
    # The rules follow: if it dies in between, `bwcdock slots write` (or the doctor's advice to) makes them.
    _save(path, slots.render(chosen))
    _tell_udev(chosen, rules)


def _tell_udev(chosen: Sequence[Slot], rules: Path | None) -> None:
    path = rules or slots.RULES_PATH
    _save(path, slots.rules_for(chosen))
    # udev reads changed rules by itself, and applies them to what is plugged in afterwards.
    say(f"{len(chosen)} slots, told to udev in {path}. Plug in again what is plugged in now.")


def _save(path: Path, text: str) -> None:
    try:
        durable.write_small(path, text.encode(), mode=0o644, overwrite=True)
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror}."
        raise Misused("write the slots", what, "Run it with sudo, on the machine of the dock.") from error
    say(f"Written: {path}")
