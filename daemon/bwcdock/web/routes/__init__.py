"""The rooms of the pages: each makes its routes for a house."""

from collections.abc import Callable

from bwcdock.web.house import House
from bwcdock.web.pages import Pages
from bwcdock.web.routes import (
    access,
    acts,
    api,
    api_acts,
    cases,
    checks,
    coverage,
    desk,
    door,
    figures,
    footage,
    joining,
    ledger,
    me,
    owes,
    papers,
    people,
    recorders,
    records,
    sign_in,
    sign_ins,
    station,
    wall,
)

ROOMS: tuple[Callable[[House], Pages], ...] = (
    door.routes,
    figures.routes,
    wall.routes,
    sign_in.routes,
    joining.routes,
    me.routes,
    sign_ins.routes,
    desk.routes,
    acts.routes,
    owes.routes,
    recorders.routes,
    records.routes,
    people.routes,
    cases.routes,
    access.routes,
    footage.routes,
    api.routes,
    api_acts.routes,
    checks.routes,
    papers.routes,
    ledger.routes,
    station.routes,
    coverage.routes,
)
