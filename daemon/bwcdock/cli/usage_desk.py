"""What may be typed after `bwcdock desk`: an option for each field of each act, and the questions."""

import argparse
from typing import Any, Literal, get_args, get_origin

from bwcdock.cli.commands import command, json_option
from bwcdock.core.desk import KINDS
from bwcdock.desk.acts import ACTS, Act

QUESTIONS = (
    ("waiting", "desk.waiting", "what waits for whom"),
    ("may-owe", "desk.may_owe", "issued recorders that no dock has emptied since"),
    ("equipment", "desk.ratios", "each team's recorders against the ratio asked for"),
    ("archive", "desk_lists.archive", "the cases whose archive clock runs"),
    ("unbound", "desk_lists.unbound", "recordings that belong to no case"),
    ("may-end", "desk_lists.may_end", "recordings whose keeping has ended, and what still keeps them"),
)


def fill(desk: argparse.ArgumentParser) -> None:
    """Add them all to ``desk``."""
    inner = desk.add_subparsers(required=True, metavar="ACT", title="acts and questions")
    for name, work, help_ in QUESTIONS:
        json_option(command(inner, name, help_, f"Show {help_}.", work))
    listing = command(inner, "list", "what is registered", "Show everything of one kind.", "desk.show_matters")
    listing.add_argument("kind", choices=KINDS, metavar="KIND", help=f"one of: {', '.join(KINDS)}")
    listing.add_argument("id", nargs="?", default="", metavar="ID", help="only this one")
    listing.add_argument("--state", default="", help="only what is in this state")
    json_option(listing)
    for act in ACTS.values():
        words = " ".join((act.__doc__ or "").split())
        made = command(inner, act.word, words.partition(".")[0], words, "desk.act")
        _options(made, act)
        json_option(made)


def _options(made: argparse.ArgumentParser, act: type[Act]) -> None:
    made.set_defaults(act_model=act)
    made.add_argument("--as", dest="as_person", required=True, metavar="PERSON", help="who acts, by his id")
    made.add_argument("--role", required=True, help="in which role of the rule pack")
    for name, field in act.model_fields.items():
        kind = field.annotation
        more: dict[str, Any] = {"metavar": name.rpartition("_")[2].upper()}
        if get_origin(kind) is tuple:
            more = {"metavar": "WORD", "action": "append"}
        elif kind == (bool | None):
            more = {"action": argparse.BooleanOptionalAction}
        elif get_origin(kind) is Literal:
            more = {"choices": [value for value in get_args(kind) if value]}
        option = f"--{name.replace('_', '-')}"
        made.add_argument(option, dest=name, required=field.is_required(), help=field.description, **more)
