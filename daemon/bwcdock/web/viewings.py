"""Viewings that were begun: each an open recording, for one person, for a while; every byte of it is under one line."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bwcdock.core.refusal import because
from bwcdock.desk.verbs import Opened, Viewed
from bwcdock.errors import Misused
from bwcdock.lanes import Lane

PLAYED = {
    "mp4": "video/mp4", "m4v": "video/mp4", "mov": "video/mp4", "webm": "video/webm", "mp3": "audio/mpeg",
    "m4a": "audio/mp4", "aac": "audio/aac", "wav": "audio/wav", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "png": "image/png",
}  # fmt: skip
"""What a browser plays, by the end of the name; of anything else it is said that it cannot be played here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """One viewing. ``until`` is in monotonic seconds; ``lane`` reads from the file and closes it at the end."""

    token: str
    person: str
    request: str
    told: Viewed
    descriptor: int
    lane: Lane
    until: float

    @property
    def media_type(self) -> str:
        """What a browser is told it is; empty where it cannot play it."""
        return PLAYED.get(self.told.extension, "")


class Viewings:
    """All that are open now, in memory alone: after a restart they are begun, and entered in the register, again."""

    def __init__(self, *, most: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._monotonic = monotonic
        self._open: dict[str, Viewing] = {}

    def must_have_room(self, person: str) -> None:
        """Refuse, before anything is entered in the register, where too many are open; one's own oldest gives way."""
        self._sweep()
        if len(self._open) < self._most:
            return
        own = [viewing for viewing in self._open.values() if viewing.person == person]
        if not own:
            what = f"{self._most} recordings are being played already."
            why = because("view.busy", what, count=self._most)
            raise Misused("view", why, "Wait until one of them is closed; nothing was entered.")
        self.end(own[0].token)

    def begin(self, opened: Opened, person: str, request: str) -> Viewing:
        """Keep this open for the person."""
        assert isinstance(opened.answer, Viewed)
        token = secrets.token_urlsafe(16)
        viewing = Viewing(
            token=token,
            person=person,
            request=request,
            told=opened.answer,
            descriptor=opened.file.fileno(),
            lane=Lane(f"viewing {opened.answer.entry}", last=opened.file.close),
            until=self._monotonic() + self._seconds,
        )
        self._open[token] = viewing
        return viewing

    def of(self, token: str, person: str) -> Viewing | None:
        """The viewing with this token, if it is this person's and not over."""
        self._sweep()
        viewing = self._open.get(token)
        return viewing if viewing is not None and viewing.person == person else None

    def end(self, token: str) -> None:
        """Close it: what is being read of it is read, and no more."""
        if (viewing := self._open.pop(token, None)) is not None:
            viewing.lane.close()

    def close(self) -> None:
        """Close all."""
        for token in list(self._open):
            self.end(token)

    def _sweep(self) -> None:
        now = self._monotonic()
        for token in [token for token, viewing in self._open.items() if viewing.until <= now]:
            self.end(token)
