"""One connection: who asks, what is asked, and the answers, line by line."""

import json
import select
import socket
import struct
from collections.abc import Callable

from bwcdock.core.names import escape
from bwcdock.erase_helper.carry import Stop, carry
from bwcdock.erase_helper.system import Refusal, System
from bwcdock.erasing import REQUEST_MAX, Asked, ClockFileRequest, End, FileTold, Request
from bwcdock.errors import BwcdockError
from bwcdock.ledger.checkpoint import Verifier
from bwcdock.manifest import open_signed

ASK_S = 30.0
"""Seconds in which the next piece of the request must come, or the next answer must be taken."""

LIMIT_S = 3.9 * 3600
"""Seconds for one request, a little less than systemd allows: the card is let go of by us and not by a signal."""

_POLLRDHUP = 0x2000  # not among Python's names on every build


def serve(
    connection: socket.socket, system: System, *, monotonic: Callable[[], float], note: Callable[[str], object]
) -> None:
    """Hear one request and carry it out. ``note`` gets a line for the journal on everything that was said."""
    end_at = monotonic() + LIMIT_S
    watch = select.poll()
    watch.register(connection, _POLLRDHUP)
    try:
        request = _heard(connection, system)
    except (Refusal, BwcdockError, OSError) as error:
        # Nothing was touched. An error that tells of a key or of a stranger's bytes goes to the journal alone.
        note(f"refused: {error}")
        _say(connection, End(end="refused", what="The request was not heard; the journal says why."))
        return

    def say(told: FileTold | End) -> None:
        note(_noted(request, told))
        try:
            _say(connection, told)
        except OSError as error:
            if isinstance(told, FileTold):
                raise Stop("nobody listens any more") from error

    def go_on() -> None:
        if monotonic() > end_at:
            raise Stop("The time for one request is up; the rest is erased another time.")
        if watch.poll(0):
            raise Stop("nobody listens any more")

    carry(request, system, say, go_on)


def _heard(connection: socket.socket, system: System) -> Request | ClockFileRequest:
    """The request, if it is from the station's user and signed with the station's key."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid != system.station_uid():
        raise Refusal(f"user {uid} is not the station")
    connection.settimeout(ASK_S)
    text = b""
    while not text.endswith(b"\n"):
        piece = connection.recv(1 << 16)
        text += piece
        if not piece or len(text) > REQUEST_MAX:
            raise Refusal(f"no request in {len(text)} bytes")
    return open_signed(text[:-1], Asked, Verifier.parse(system.station_key())).root


def _say(connection: socket.socket, told: FileTold | End) -> None:
    connection.sendall(told.model_dump_json().encode() + b"\n")


def _noted(request: Request | ClockFileRequest, told: FileTold | End) -> str:
    about: dict[str, object] = {"session": request.session, "device": request.device}
    if isinstance(request, ClockFileRequest):
        about |= {"name": request.name, "content": bytes.fromhex(request.content).decode("ascii")}
        return json.dumps(about | told.model_dump())
    if isinstance(told, FileTold):
        target = request.files[told.n]
        about |= {"record": target.record, "path": "/".join(map(escape, target.names)), "ground": target.ground}
    if request.reformat:
        about["by"] = request.reformat
    return json.dumps(about | told.model_dump())
