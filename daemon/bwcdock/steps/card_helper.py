"""Ask the one program that writes to a card: which dockings it can be asked about, the connection, its answers."""

import socket

from pydantic import ValidationError

from bwcdock.core.session import Session
from bwcdock.erasing import ANSWER, ANSWER_MAX, SOCKET_NAME, End, FileTold
from bwcdock.errors import Unreachable
from bwcdock.steps.bench import Bench


def is_card(session: Session) -> bool:
    """Whether it is docked as a disk in a numbered slot: what the helper can be asked about."""
    sighting = session.sighting
    return sighting.subsystem == "block" and sighting.slot is not None and bool(diskseq(session))


def diskseq(session: Session) -> int:
    """The kernel's own number of the disk, by which the helper knows that it is still the one that was seen; else 0."""
    text = dict(session.sighting.properties).get("DISKSEQ", "")
    return int(text) if text.isascii() and text.isdecimal() else 0


def connected(bench: Bench) -> socket.socket:
    """Before the first intent: where there is no helper, nothing was intended."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(bench.settings.erase.timeout_s)
        connection.connect(str(bench.settings.paths.run / SOCKET_NAME))
    except OSError as error:
        connection.close()
        what = f"The erasing helper does not answer: {error.strerror or error}."
        raise Unreachable("erase", what, "Run: systemctl enable --now bwcdock-erase.socket") from error
    return connection


def answered(connection: socket.socket, line: bytes, files: int, told: dict[int, FileTold]) -> End:
    """Ask, and gather what is ``told``. What is no proper answer counts as the card having failed."""
    try:
        connection.sendall(line)
        with connection.makefile("rb") as answers:
            while True:
                answer = ANSWER.validate_json(answers.readline(ANSWER_MAX))
                if isinstance(answer, End):
                    if answer.end == "done" and len(told) < files:
                        return End(end="broken", what="The helper ended without a word on some files.")
                    return answer
                if answer.n >= files or answer.n in told:
                    return End(end="broken", what="The helper told of a file that it was not asked about.")
                told[answer.n] = answer
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it ended in the middle"
        return End(end="broken", what=f"The erasing helper was lost: {why}.")
