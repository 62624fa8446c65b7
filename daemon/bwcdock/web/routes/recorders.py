"""The recorders: all of them, one with its history, and the counter where they are handed out and taken back."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import islice
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bwcdock.core.desk.devices import Device
from bwcdock.desk import fleet
from bwcdock.desk.fleet import History, Reading
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader
from bwcdock.settings import Checks
from bwcdock.web.charts import Chart, Limit, Point, draw
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Place
from bwcdock.web.render import language_of, page
from bwcdock.web.words import N_, translations

FEW = 60
"""Readings in the table beside the pictures, the newest."""

GIB = 1 << 30
SILENCE = timedelta(days=14)
"""A recorder that nobody docked for so long: what was between is not known, and no line is drawn."""


def routes(_: House) -> Pages:
    """The routes `/desk/recorders`, of one recorder, and `/desk/issue`."""
    pages = Pages()

    @pages.get("/desk/recorders", Place.RECORDERS)
    async def all_recorders(request: Request, house: TheHouse, state: str = "", team: str = "") -> Response:
        def ask(ledger: Reader) -> dict[str, Any]:
            register = house.register.as_of(ledger)
            known = fleet.fleet(ledger, house.law, register, house.clock.now())
            return {
                "recorders": [each for each in known if _fits(each, state, team)],
                "counts": {name: sum(fits(each) for each in known) for name, fits in STATES.items()},
                "all": len(known),
                "register": register,
            }

        return page(request, "desk/recorders.html", state=state, team=team, **await house.asker.ask(ask))

    @pages.get("/desk/recorders/{serial:path}", Place.RECORDERS)
    async def one(request: Request, house: TheHouse, serial: str) -> Response:
        def ask(ledger: Reader) -> tuple[Register, History | None]:
            register = house.register.as_of(ledger)
            return register, fleet.history(ledger, house.law, register, house.clock.now(), serial)

        register, found = await house.asker.ask(ask)
        if found is None:
            raise HTTPException(404)
        say = translations(language_of(request)).gettext
        drawn = [(chart, draw(chart, house.zone)) for chart in charts_of(found, house.settings.checks, say)]
        device = found.recorder.device
        return page(
            request,
            "desk/recorder.html",
            history=found,
            charts=[(chart, picture) for chart, picture in drawn if picture],
            readings=list(islice(reversed(found.readings), FEW)),
            issues=list(islice(reversed(device.issues), FEW)) if device else [],
            register=register,
        )

    @pages.get("/desk/issue", Place.RECORDERS)
    async def issue(request: Request, house: TheHouse, caller: Who) -> Response:  # noqa: ARG001
        def ask(ledger: Reader) -> dict[str, Any]:
            register, now = house.register.as_of(ledger), house.clock.now()
            known = fleet.fleet(ledger, house.law, register, now)
            docked = {session.recorder: session for session in ledger.open_sessions()}
            return {
                "ready": fleet.to_hand_out(known, house.law, docked),
                "out": sorted((each for each in known if each.holder), key=lambda each: _due(each.device)),
                "people": sorted(
                    (each for each in register.people.values() if each.state == "active"), key=lambda each: each.id
                ),
                "checks": house.law.pack.checks,
                "register": register,
            }

        return page(request, "desk/issue.html", **await house.asker.ask(ask))

    return pages


STATES: dict[str, Callable[[fleet.Recorder], bool]] = {
    "docked": lambda each: each.is_docked,
    "ready": lambda each: each.can_go_out and bool(each.seen and each.seen.ready),
    "out": lambda each: bool(each.holder),
    "warned": lambda each: each.findings > 0,
    "repair": lambda each: each.state == "repair",
    "unregistered": lambda each: each.state == "unregistered",
}
"""By what the list is cut down."""


def _fits(each: fleet.Recorder, state: str, team: str) -> bool:
    fits = STATES.get(state)
    return (fits is None or fits(each)) and (not team or (each.device is not None and each.device.team == team))


def _due(device: Device | None) -> tuple[bool, str, str]:
    """Who should be back first, and then who is out longest."""
    issue = device.out if device else None
    if issue is None:
        return True, "", ""
    return issue.expected_back is None, (issue.expected_back or issue.at).isoformat(), issue.at.isoformat()


def charts_of(history: History, checks: Checks, say: Callable[[str], str]) -> Iterable[Chart]:
    """Drift, battery, free room and warnings over time."""
    readings = history.readings
    yield _chart(
        "drift", say(N_("Clock error")), say(N_("s")), _drift(readings), say,
        limits=(
            *(Limit(value=sign * checks.drift_warn_s, label=say(N_("warning"))) for sign in (1, -1)),
            *(Limit(value=sign * checks.drift_note_s, label=say(N_("note")), level="note") for sign in (1, -1)),
        ),
    )  # fmt: skip
    battery = [Point(at=r.at, value=r.condition.battery) for r in readings]
    low = Limit(value=checks.battery_low_percent, label=say(N_("low")))
    yield _chart("battery", say(N_("Battery when docked")), "%", battery, say, limits=(low,), low=0, high=100)
    total = max((r.condition.storage_total or 0 for r in readings), default=0) / GIB
    room = [Point(at=r.at, value=_gib(r.condition.storage_free)) for r in readings]
    little = Limit(value=total * checks.storage_free_low_ratio, label=say(N_("low")))
    yield _chart("room", say(N_("Free room when docked")), "GiB", room, say, limits=(little,) if total else (), low=0)
    warned = [Point(at=r.at, value=sum(f.severity != "note" for f in r.findings)) for r in readings]
    yield _chart("faults", say(N_("Warnings at docking")), "", warned, say, low=0, high=3)


def _drift(readings: Iterable[Reading]) -> list[Point]:
    """Exact readings alone: one that says *at least* is no figure."""
    points = []
    for reading in readings:
        drift = reading.condition.drift
        known = drift is not None and drift.bound == "exact"
        points.append(
            Point(
                at=reading.at,
                value=drift.offset_ms / 1000 if drift and known else None,
                spread=drift.uncertainty_ms / 1000 if drift and known else 0.0,
            )
        )
    return points


def _gib(count: int | None) -> float | None:
    return None if count is None else count / GIB


def _chart(name: str, title: str, unit: str, points: list[Point], say: Callable[[str], str], **more: Any) -> Chart:
    values = [point.value for point in points if point.value is not None]
    words = ""
    if values:
        words = say(N_("%(count)s readings; lowest %(low)s, highest %(high)s, last %(last)s %(unit)s.")) % {
            "count": len(values), "low": round(min(values), 2), "high": round(max(values), 2),
            "last": round(values[-1], 2), "unit": unit,
        }  # fmt: skip
    return Chart(name=name, title=title, words=words, unit=unit, points=points, gap=SILENCE, **more)
