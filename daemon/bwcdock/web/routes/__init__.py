"""The rooms of the pages: each makes its routes for a house."""

from collections.abc import Callable

from bwcdock.web.house import House
from bwcdock.web.pages import Pages
from bwcdock.web.routes import acts, desk, door, footage, wall

ROOMS: tuple[Callable[[House], Pages], ...] = (
    door.routes,
    wall.routes,
    desk.routes,
    acts.routes,
    footage.routes,
)
