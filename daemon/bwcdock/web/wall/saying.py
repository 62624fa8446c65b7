"""What an officer says at the wall: from the form to acts of the desk, and over the line to the daemon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bwcdock.core.facts import Actor
from bwcdock.core.rulepack import RulePack
from bwcdock.desk.acts import Act
from bwcdock.desk.line import act_of, ask
from bwcdock.errors import Misused
from bwcdock.web.house import House
from bwcdock.web.render import moment_of
from bwcdock.web.wall.business import Business, Line, terms_for
from bwcdock.web.wall.tickets import OFFICER, Ticket
from bwcdock.web.words import N_

BADGE_ONLY = "仅报工号（by badge number only）"
"""What stands with a statement for which nobody showed who he is."""

MOST_WORDS = 500
"""Characters somebody types standing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What was sent: every field's values, in order."""

    fields: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str:
        """The only value of a field; empty where there is none."""
        return next(iter(self.fields.get(name, ())), "").strip()

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field."""
        return tuple(dict.fromkeys(self.fields.get(name, ())))


def acts_of(form: Form, ticket: Ticket, of: Business, pack: RulePack, zone: ZoneInfo) -> list[Act]:
    """What is asked for, in acts of the desk; ``Misused`` says in a sentence what is missing.

    Only what is his business is acted upon, whatever the form names.
    """
    chosen = [line for line in of.lines if line.id in set(form.all("record"))]
    match form.one("do"):
        case "tag":
            return _tags(form, ticket, _some(chosen), pack)
        case "late" | "interruption" as what:
            return [_explanation(form, ticket, _some(chosen), pack, what)]
        case "trip":
            _must_be_proven(ticket)
            trip = next((trip for trip in of.trips if trip.id == form.one("trip")), None)
            if trip is None:
                raise Misused("wall", N_("There is no such trip of yours."), N_("Open the slot again."))
            return [act_of("end-trip", {"trip": trip.id, "back": _moment(form, "back", zone)})]
        case "activity":
            _must_be_proven(ticket)
            said = {"began": _moment(form, "began", zone), "ended": _moment(form, "ended", zone)}
            return [act_of("end-activity", {"person": ticket.person, "device": ticket.recorder, **said})]
    raise Misused("wall", N_("Nothing was asked for."), N_("Touch one of the buttons."))


def _some(chosen: list[Line]) -> list[Line]:
    if not chosen:
        raise Misused("wall", N_("No recording is chosen."), N_("Touch those it is about."))
    return chosen


def _tags(form: Form, ticket: Ticket, chosen: list[Line], pack: RulePack) -> list[Act]:
    known = {term.id for term in pack.tags}
    said = {
        "tags": [tag for tag in form.all("tag") if tag in known],
        "category": form.one("category"),
        "event": form.one("event"),
        "important": True if form.one("important") else None,
    }
    if not any(said.values()):
        raise Misused("wall", N_("Nothing is said of them yet."), N_("Choose what they are."))
    # What somebody noted before stays: a note replaces the one before, so each goes with its own.
    notes: dict[str, list[str]] = {}
    for line in chosen:
        notes.setdefault(_noted(line.label.note, ticket), []).append(line.id)
    return [act_of("tag", {"records": ids, "note": note, **said}) for note, ids in notes.items()]


def _noted(before: str, ticket: Ticket) -> str:
    if ticket.proven or BADGE_ONLY in before:
        return ""
    return f"{before} {BADGE_ONLY}".strip()


def _explanation(form: Form, ticket: Ticket, chosen: list[Line], pack: RulePack, what: str) -> Act:
    terms = {term.id: term.label for term in terms_for(pack, what)}
    reason = form.one("reason") if form.one("reason") in terms else ""
    words = form.one("text")[:MOST_WORDS]
    if not reason and not words:
        raise Misused("wall", N_("An explanation needs a reason or words."), N_("Choose a reason."))
    told = [terms.get(reason, ""), words, "" if ticket.proven else BADGE_ONLY]
    said = {
        "what": what,
        "person": ticket.person,
        "device": ticket.recorder,
        "records": [line.id for line in chosen],
        "reason": reason,
        "text": "；".join(filter(None, told)),
    }
    return act_of("explain", said)


def _must_be_proven(ticket: Ticket) -> None:
    if not ticket.proven:  # it moves deadlines, and has no place for a note that nobody showed who he is
        what = N_("Who gives his badge number alone cannot end a trip or an activity here.")
        raise Misused("wall", what, N_("Have the custodian enter it at the desk."))


def _moment(form: Form, name: str, zone: ZoneInfo) -> datetime:
    try:
        return moment_of(form.one(name), zone)
    except ValueError as error:
        raise Misused("wall", N_("A time is missing or is none."), N_("Enter date and time.")) from error


async def say(house: House, acts: Sequence[Act], ticket: Ticket) -> None:
    """Hand these acts to the daemon. Raises ``Misused`` with what it answers, or where none works here."""
    actor = Actor(name=ticket.person, role=OFFICER)
    for act in acts:
        await house.hands.do(ask, house.settings.paths.run, act, actor)
