"""The line to a station at work: commands and pages beside the daemon ask whoever has the ledger open.

One JSON object a line each way; where footage is asked for, its descriptor comes with the answer, never its path.
Dying in the middle leaves an act done or not done, and asking again tells. What is here blocks for at most
:data:`PATIENCE_S`, or, while a package is made, as long as there are signs of life: call it on a lane.
"""

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from bwcdock import errors
from bwcdock.core.facts import Actor
from bwcdock.core.names import show
from bwcdock.core.refusal import Refusal, because
from bwcdock.desk.acts import ACTS, Act
from bwcdock.desk.doing import Done
from bwcdock.desk.verbs import (
    VERBS,
    Alive,
    Asked,
    Export,
    Exported,
    Fetch,
    Fetched,
    Hello,
    Opened,
    Progress,
    View,
    Viewed,
)
from bwcdock.errors import BwcdockError, Misused

NAME = "desk.sock"
"""In the run directory."""

WEB = "web"
"""In the run directory, where somebody made it: the pages' own door lies in it."""

MOST = 256 << 10
"""Bytes of one line: far more than the largest act."""

PATIENCE_S = 30.0
"""How long an answer may take: a whole transaction of a busy ledger takes a fraction of it."""

AT_ONCE = 8
"""How many are answered at a door at once. A person types one act at a time, the pages ask on a lane, and whoever got a
descriptor hangs up: only a package in the making keeps a line busy, and there is one at a time."""

OP = "desk"
M = TypeVar("M", bound=BaseModel)

PROGRESS = TypeAdapter(Progress)
_WHY = TypeAdapter(Refusal)
_ANSWERS: dict[str, TypeAdapter[Any]] = {
    "done": TypeAdapter(Done),
    "alive": TypeAdapter(Alive),
    "viewed": TypeAdapter(Viewed),
    "exported": TypeAdapter(Exported),
    "fetched": TypeAdapter(Fetched),
}
_WORDS = {Done: "done", Alive: "alive", Viewed: "viewed", Exported: "exported", Fetched: "fetched"}
_REACH = "Act as its user (sudo -u bwcdock), or stop the station first."


# --- the wire, for both ends ------------------------------------------------------------------------------------------


def doors(run: Path) -> tuple[Path, ...]:
    """Where a station listens, in the order in which they are tried; the last one is always there."""
    web = run / WEB
    return (*([web / NAME] if web.is_dir() else []), run / NAME)


@contextmanager
def short(path: Path) -> Iterator[str]:
    """A name of this socket that always fits an address, which holds 107 bytes; a station may lie deep."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def heard(line: bytes) -> Asked | tuple[Act, Actor]:
    """What a line asks for; ``Misused`` says what is wrong with it."""
    try:
        asked = json.loads(line)
        verb = asked.pop("verb", "act")
    except (ValueError, AttributeError, TypeError) as error:
        raise Misused(OP, f"This asks for nothing: {error}.", "Send one JSON object a line.") from error
    if verb == "act":
        return _act(asked)
    if not isinstance(verb, str) or verb not in VERBS:
        known = ", ".join(("act", *VERBS))
        raise Misused(OP, f"There is no verb {show(str(verb))[:40]!r}.", f"There are: {known}.")
    return _valid(VERBS[verb], verb, asked)


def _act(asked: Mapping[str, Any]) -> tuple[Act, Actor]:
    try:
        word, said, name, role = asked["act"], asked["said"], asked["name"], asked["role"]
        if not all(isinstance(each, str) for each in (word, name, role)):
            raise TypeError("a word that is no text")
    except (KeyError, TypeError) as error:
        raise Misused("desk", f"This is no act: {error}.", "Send act, said, name and role in one JSON line.") from error
    return act_of(word, said), Actor(name=name, role=role)


def act_of(word: str, said: object) -> Act:
    """The act ``word`` with what was said; ``Misused`` names every option that is wrong."""
    model = ACTS.get(word)
    if model is None:
        raise Misused("desk", f"There is no act {show(word)[:40]!r}.", f"There are: {', '.join(ACTS)}.")
    return _valid(model, f"desk {word}", said, f"See `bwcdock desk {word} --help`; nothing was changed.", word)


def _valid(model: type[M], op: str, said: object, hint: str = "Nothing was changed.", act: str = "") -> M:
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise Misused(op, wrong_in(error, act, otherwise=op), hint) from error


def wrong_in(error: ValidationError, act: str, *, otherwise: str) -> Refusal:
    """What is wrong with what was said, field by field; ``otherwise`` is said where it is no field's fault."""
    found = error.errors()[:5]
    told = "; ".join(f"{'.'.join(map(str, e['loc'])) or otherwise}: {e['msg']}" for e in found)
    fields = (f"{next(iter(e['loc']), '')}:{e['type']}" for e in found)
    return because("act.wrong", f"{told}.", act=act, fields=fields)


def written(answer: object) -> dict[str, Any]:
    """An answer as it goes over the line."""
    word = _WORDS[type(answer)]
    return {word: _ANSWERS[word].dump_python(answer, mode="json")}


def problem(error: BwcdockError) -> dict[str, Any]:
    """An error as it goes over the line."""
    why = _WHY.dump_python(error.why, mode="json")
    return {"problem": type(error).__name__, "op": error.op, "what": error.what, "hint": error.hint, **why}


# --- the asker's end --------------------------------------------------------------------------------------------------


def ask(run: Path, act: Act, actor: Actor) -> Done:
    """Hand an act to the station that works here. Raises what it answers, or ``Misused`` where nobody listens."""
    said = {"act": act.word, "said": act.model_dump(mode="json"), "name": actor.name, "role": actor.role}
    with _Call(run, said) as call:
        done: Done = call.answer("done")
        return done


def hello(run: Path) -> Alive:
    """Whether a station is at work here and answers; ``Misused`` where not."""
    with _Call(run, _said(Hello)) as call:
        alive: Alive = call.answer("alive")
        return alive


def view(run: Path, *, request: str, record: str, who: str, actor: Actor) -> Opened:
    """The sealed bytes of a recording (its whole id), open for reading, to be shown to ``who`` under this request.

    The register's line stands in the ledger when this returns: it is one viewing, however often the file is read until
    it is closed. Raises what the station answers.
    """
    said = _said(View, request=request, record=record, who=who, name=actor.name, role=actor.role)
    with _Call(run, said) as call:
        return call.opened("viewed")


def fetch(run: Path, export: int, actor: Actor) -> Opened:
    """The image of a package that was made, open for reading; for whoever made it, or an auditor."""
    with _Call(run, _said(Fetch, export=export, name=actor.name, role=actor.role)) as call:
        return call.opened("fetched")


def export(
    run: Path,
    *,
    request: str,
    records: Sequence[str],
    actor: Actor,
    copies: int = 1,
    fields: Mapping[str, str] | None = None,
    tell: Callable[[Progress], object] = lambda _: None,
) -> Exported:
    """Have a package made of these recordings (whole ids) under this request. ``tell`` hears how far it is.

    It is made to its end also where this fails after the first sign of life; :func:`fetch` then has it, by the number
    that ``tell`` heard.
    """
    of_whom = {"name": actor.name, "role": actor.role}
    said = _said(Export, request=request, records=records, copies=copies, fields=fields or {}, **of_whom)
    with _Call(run, said) as call:
        made: Exported = call.answer("exported", tell)
        return made


def _said(model: type[Asked], **said: object) -> dict[str, Any]:
    """The line for it; what the station would refuse at once is refused here."""
    return {"verb": model.verb, **_valid(model, model.verb, said).model_dump(mode="json")}


class _Call:
    """One question to the station and its answer."""

    def __init__(self, run: Path, said: Mapping[str, Any]) -> None:
        self._rest = b""
        self._files: list[FileIO] = []
        self._until = time.monotonic() + PATIENCE_S
        try:
            self._socket = _connected(run)
        except OSError as error:
            raise _unreachable(error) from error
        try:
            self._socket.sendall(json.dumps(said, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            self._socket.close()
            raise _unreachable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        for file in self._files:
            file.close()

    def opened(self, word: str) -> Opened:
        """The answer of this word with its file."""
        answer = self.answer(word)
        if not self._files:
            raise BwcdockError(OP, "The station sent no file with its answer.", "Is it another version? Restart it.")
        return Opened(answer=answer, file=self._files.pop(0))

    def answer(self, word: str, tell: Callable[[Progress], object] = lambda _: None) -> Any:
        """The answer of this word; raises what the station says instead."""
        while True:
            try:
                told = json.loads(self._line())
                if word in told:
                    return _ANSWERS[word].validate_python(told[word], strict=False)
                if "problem" in told:
                    raise _refused(told)
                progress = PROGRESS.validate_python(told)
            except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
                raise _unreachable(error) from error
            self._until = time.monotonic() + PATIENCE_S
            tell(progress)

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            left_s = self._until - time.monotonic()
            if left_s <= 0 or len(self._rest) > MOST:
                raise TimeoutError("it does not answer" if left_s <= 0 else "its answer has no end")
            self._socket.settimeout(left_s)
            # Not by recv_fds, which drops its flags: a descriptor of footage must not reach a child of the asker.
            room = socket.CMSG_LEN(struct.calcsize("i"))
            more, sent, _, _ = self._socket.recvmsg(65536, room, socket.MSG_CMSG_CLOEXEC)
            self._files += [FileIO(struct.unpack("i", data)[0]) for _, _, data in sent]
            if not more:
                raise EOFError("it hung up")
            self._rest += more
        got, _, self._rest = self._rest.partition(b"\n")
        return got


def _refused(told: Mapping[str, Any]) -> BwcdockError:
    """The error as the station has it."""
    why = _WHY.validate_python({name: told[name] for name in ("code", "what", "evidence")}, strict=False)
    return _KINDS.get(told["problem"], BwcdockError)(told["op"], why, told["hint"])


_KINDS: dict[str, type[BwcdockError]] = {
    kind.__name__: kind for kind in (errors.Misused, errors.NotAllowed, errors.Untrue, errors.Unreachable)
}
"""The errors of the station that are raised as themselves at the other end; every other as their root."""


def _connected(run: Path) -> socket.socket:
    """To the first door that lets us in."""
    problem: OSError = FileNotFoundError("nobody listens")
    for path in doors(run):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(PATIENCE_S)
        try:
            with short(path) as address:
                made.connect(address)
        except OSError as error:
            made.close()
            problem = error
            continue
        return made
    raise problem


def _unreachable(error: Exception) -> Misused:
    what = f"The station at work cannot be reached: {error}."
    return Misused(OP, because("line.unreachable", what), _REACH)
