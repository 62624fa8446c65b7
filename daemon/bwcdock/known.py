"""The dockings a station has at hand: those that are here, and what somebody waits for. The ledger has them all."""

from collections.abc import Collection, Sequence

from bwcdock.core.session import Session
from bwcdock.core.session import State as Stands

ENDS = frozenset({Stands.UNCLAIMED, Stands.REFUSED, Stands.FAULTED, Stands.DEPARTED})
"""States of a session after which nothing more comes of it while it is docked."""


class Known:
    """Dockings by their id. What departed is forgotten: a dock that is never switched off has thousands a month.

    ``waited_for`` are the ports whose last docking stays after it departed, for whoever asks what came of it.
    """

    def __init__(self, waited_for: Collection[str] = ()) -> None:
        self._waited_for = frozenset(waited_for)
        self._sessions: dict[str, Session] = {}

    def take(self, session: Session) -> None:
        """Have this docking as it stands now."""
        self._sessions[session.id] = session
        last = self._last()
        for name, one in list(self._sessions.items()):
            port = one.sighting.port
            if one.departed_at is not None and (port not in self._waited_for or last[port].id != name):
                self._sessions.pop(name)

    def get(self, session: str) -> Session | None:
        """The docking of this id; ``None`` where it was forgotten, or never taken."""
        return self._sessions.get(session)

    def all(self) -> tuple[Session, ...]:
        """Every docking, the oldest first."""
        return tuple(self._sessions.values())

    def has_ended(self, ports: Sequence[str]) -> bool:
        """Whether each of these ports was docked and nothing more will come of its last docking by itself."""
        last = self._last()
        return all(port in last and bool(last[port].receipt or last[port].state in ENDS) for port in ports)

    def _last(self) -> dict[str, Session]:
        return {session.sighting.port: session for session in self._sessions.values()}
