"""A connection that does not wait for ever: a head must come soon, and one address does not take all there are."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 10.0
"""From the first byte (or the connection) to the end of a request's head. A browser sends it in one piece; whoever
sends a byte now and then wants to hold the place (slow loris)."""

OF_ONE: Final = 40
"""Connections of one address that is no screen of the station: a browser opens six, a duty room shares one address."""


def patient(near: Callable[[str], bool]) -> type[H11Protocol]:
    """The protocol for connections, of which those ``near`` are not counted: thirty screens may be one machine's."""

    class Patient(H11Protocol):
        """HTTP/1.1 as uvicorn speaks it."""

        _head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(cast(asyncio.Transport, transport))
            address = self.client[0] if self.client else ""
            mine = sum(1 for each in self.connections if _address(each) == address)
            if mine > OF_ONE and not near(address):
                self.transport.abort()
                return
            self._begin()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
                self._begin()
            elif self.conn.their_state is not h11.IDLE:
                self._stop()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _begin(self) -> None:
            """Counted from the first byte: further ones give no more time."""
            if self._head is None:
                self._head = self.loop.call_later(HEAD_S, self._late)

        def _stop(self) -> None:
            if self._head is not None:
                self._head.cancel()
                self._head = None

        def _late(self) -> None:
            self._head = None
            if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
                self.transport.abort()

    return Patient


def _address(connection: Any) -> str:
    client = connection.client
    return client[0] if client else ""
