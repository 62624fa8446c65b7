"""Draws the cards and the strip of the wall: from the model to HTML, in one language."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from bwcdock import __version__
from bwcdock.core.view import citation
from bwcdock.core.wall import Card, Shows, Strip, masked
from bwcdock.settings import Settings
from bwcdock.web.render import environment
from bwcdock.web.wall.eyes import Handed
from bwcdock.web.wall.qr import svg_of, text_of
from bwcdock.web.words import N_, Language

WORDS: Final = {
    Shows.EMPTY: N_("Empty"),
    Shows.READING: N_("Reading"),
    Shows.PULLING: N_("Pulling"),
    Shows.SAFE: N_("Safe to take"),
    Shows.SETTLED: N_("Nothing owed"),
    Shows.READY: N_("Ready to issue"),
    Shows.WAIT: N_("Please wait"),
    Shows.ATTENTION: N_("Attention"),
    Shows.ALARM: N_("Alarm"),
    Shows.GONE: N_("Taken away"),
    Shows.UNFINISHED: N_("Unfinished"),
    Shows.UNKNOWN: N_("No answer"),
}
"""The word of each state; in the catalogues by these."""

VERDICTS: Final = {"overdue": N_("overdue"), "late": N_("late"), "at_risk": N_("due soon")}
"""Words of the verdicts that press; in the catalogues by these."""

KINDS: Final = (N_("video"), N_("audio"), N_("photo"), N_("other"))
"""What a recording is, in the words of :class:`~bwcdock.core.facts.Kind`; in the catalogues by these."""

DRIFT_SAID_S: Final = 1.0
"""A clock that is off by less is right, as far as people can set one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What one card is drawn from."""

    card: Card
    handed: Handed | None = None


def todo(card: Card, language: Language) -> str:
    """The one thing to do; Chinese where the view has it in Chinese."""
    if card.session is None:
        return ""
    return card.session.do_zh or card.session.do if language == "zh" else card.session.do


def lacking(card: Card, language: Language) -> tuple[str, ...]:
    """What it lacks to be issued again, in words."""
    if card.session is None:
        return ()
    return card.session.lacks_zh if language == "zh" else card.session.lacks


class Pencil:
    """Draws for one station."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def card(self, drawn: Drawn, language: Language) -> str:
        """One card."""
        card = drawn.card
        return self._draw(
            "wall/card.html",
            language,
            card=card,
            word=WORDS[card.shows],
            do=todo(card, language),
            lacks=lacking(card, language),
            holder=self.name(card),
            verdicts=VERDICTS,
            drift_said=DRIFT_SAID_S,
            qr=self.qr(drawn.handed) if drawn.handed and card.shows is Shows.SETTLED else "",
        )

    def strip(self, strip: Strip, language: Language) -> str:
        """The station's own condition."""
        return self._draw("wall/strip.html", language, strip=strip)

    def qr(self, handed: Handed) -> str:
        """The receipt as a QR code."""
        station = self._settings.station
        return svg_of(text_of(handed, station.name, station.zone))

    def name(self, card: Card) -> str:
        """Whose recorder it is, as the wall may say it."""
        if card.custody is None:
            return ""
        return masked(card.custody.name) if self._settings.web.mask_names else card.custody.name

    def time(self, now: datetime) -> str:
        """The time on the station's wall."""
        return f"{now.astimezone(self._zone):%H:%M:%S}"

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self._settings.station.zone)

    def _draw(self, template: str, language: Language, **more: object) -> str:
        made = environment(language, self._settings.station.zone).get_template(template)
        return made.render(cite=citation, language=language, **more)


@cache
def edition() -> str:
    """Which edition of the wall this is: a screen that shows another one loads itself anew."""
    digest = hashlib.sha256()
    for path in _parts(("templates", "wall"), ("static",), ("locale", "zh")):
        digest.update(path)
    return f"{__version__}-{digest.hexdigest()[:12]}"


def _parts(*folders: tuple[str, ...]) -> Iterable[bytes]:
    for folder in folders:
        for path in sorted(files("bwcdock.web").joinpath(*folder).iterdir(), key=lambda path: path.name):
            if path.name.startswith(("wall", "card", "strip", "slot", "base", "icons")):
                yield path.read_bytes()
