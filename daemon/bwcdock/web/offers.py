"""What may be chosen in the fields of an act: from the registers and the rule pack, never invented."""

from collections.abc import Callable, Iterable
from typing import Final

from bwcdock.core.desk.access import Access
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.checking import SpotCheck
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.expiring import Expiry
from bwcdock.core.desk.explaining import Explanation
from bwcdock.core.desk.holds import Hold
from bwcdock.core.desk.matter import Matter
from bwcdock.core.desk.people import Person, Team, roles_of
from bwcdock.core.desk.times import Trip
from bwcdock.core.rulepack import RulePack, Term
from bwcdock.core.words_zh.desk import CHECK_ZH
from bwcdock.desk.acts import Act
from bwcdock.desk.keeping import points_of
from bwcdock.ledger import Reader
from bwcdock.web.forms import Choices

Offer = Callable[[Reader, RulePack], Choices]

NEW: Final = frozenset({
    ("enter-person", "person"), ("enter-team", "team"), ("register-device", "device"), ("open-case", "case"),
})  # fmt: skip
"""Fields in which something new is named: what is there already is no help."""


def offers(act: type[Act], ledger: Reader, pack: RulePack) -> dict[str, Choices]:
    """What may be chosen, by field; a field that is not there is free."""
    made: dict[str, Choices] = {}
    for name in act.model_fields:
        offer = OFFERS.get((act.word, name)) or OFFERS.get(("", name))
        if offer is not None and (act.word, name) not in NEW:
            made[name] = offer(ledger, pack)
    return made


def _people(ledger: Reader, _: RulePack) -> Choices:
    return tuple((person.id, f"{person.name} ({person.id})") for person in ledger.matters(Person, "active"))


def _devices(ledger: Reader, _: RulePack) -> Choices:
    return tuple((device.id, f"{device.id} {device.model}".strip()) for device in ledger.matters(Device))


def _out(ledger: Reader, _: RulePack) -> Choices:
    out = [device for device in ledger.matters(Device) if device.holder]
    return tuple((device.id, f"{device.id} ({device.holder})") for device in out)


def _in(ledger: Reader, _: RulePack) -> Choices:
    ready = [device for device in ledger.matters(Device, "in_service") if not device.holder]
    return tuple((device.id, f"{device.id} {device.model}".strip()) for device in ready)


def _teams(ledger: Reader, _: RulePack) -> Choices:
    return tuple((team.id, f"{team.name} ({team.id})") for team in ledger.matters(Team))


def _ids(shape: type[Matter], state: str, told: Callable[[Matter], str]) -> Offer:
    def offer(ledger: Reader, _: RulePack) -> Choices:
        return tuple((matter.id, f"{matter.id} {told(matter)}".strip()) for matter in ledger.matters(shape, state))

    return offer


def _open_cases(ledger: Reader, _: RulePack) -> Choices:
    cases = [case for case in ledger.matters(Case) if case.state != "archived"]
    return tuple((case.id, f"{case.id} {case.category}".strip()) for case in cases)


def _terms(of: Callable[[RulePack], Iterable[Term]]) -> Offer:
    return lambda _, pack: tuple((term.id, term.label) for term in of(pack))


def _reasons(_: Reader, pack: RulePack) -> Choices:
    interrupted = pack.interruption.reasons if pack.interruption else ()
    unrecorded = pack.unrecorded.grounds if pack.unrecorded else ()
    return tuple({term.id: (term.id, term.label) for term in (*interrupted, *unrecorded)}.values())


def _grounds(_: Reader, pack: RulePack) -> Choices:
    away = pack.deadline.away
    return tuple((term.id, term.label) for term in away.grounds) if away else ()


def _points(_: Reader, pack: RulePack) -> Choices:
    return tuple((str(number), point) for number, point in enumerate(points_of(pack), 1))


CHECKED: Final = tuple((word, word) for word in CHECK_ZH)
"""By themselves: what each is called says the page in its language."""

OFFERS: Final[dict[tuple[str, str], Offer]] = {
    ("", "person"): _people,
    ("", "to"): _people,
    ("", "giver"): _people,
    ("", "taker"): _people,
    ("", "handler"): _people,
    ("", "applicant"): _people,
    ("", "who"): _people,
    ("", "device"): _devices,
    ("issue", "device"): _in,
    ("return", "device"): _out,
    ("", "team"): _teams,
    ("", "trip"): _ids(Trip, "out", lambda m: f"{m.person} {m.device}" if isinstance(m, Trip) else ""),
    ("", "explanation"): _ids(Explanation, "given", lambda m: m.person if isinstance(m, Explanation) else ""),
    ("", "hold"): _ids(Hold, "placed", lambda m: m.reason if isinstance(m, Hold) else ""),
    ("", "case"): _open_cases,
    ("", "request"): _ids(Access, "requested", lambda m: m.applicant if isinstance(m, Access) else ""),
    ("use-access", "request"): _ids(Access, "granted", lambda m: m.applicant if isinstance(m, Access) else ""),
    ("", "check"): _ids(SpotCheck, "", lambda m: m.unit if isinstance(m, SpotCheck) else ""),
    ("judge-check", "wrong"): _points,
    ("", "expiry"): _ids(Expiry, "", lambda m: m.state),
    ("", "roles"): _terms(roles_of),
    ("", "tags"): _terms(lambda pack: pack.tags),
    ("", "untag"): _terms(lambda pack: pack.tags),
    ("explain", "reason"): _reasons,
    ("", "ground"): _grounds,
    ("", "checked"): lambda _, __: CHECKED,
}
"""By act and field; an empty act is any."""
