"""An S3 store on loopback that is strict where servers are lax, and lies by a table.

It verifies signatures, rights and digests, keeps versions, and refuses to shorten or break a lock. What mocks accept
(a wrong checksum, a shorter lock) it refuses; so what passes here was really right.
"""

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import unquote, unquote_plus
from xml.sax.saxutils import escape

from bwcdock.clock import WallClock
from bwcdock.testing.s3_answers import ANSWERS, Answer, Request, actions, operation
from bwcdock.testing.s3_signing import User, signed_by
from bwcdock.testing.s3_vault import Habits, Refused, Vault

How = Literal[
    "drop before", "drop after", "error before", "error after", "hang", "truncate", "turn", "unchecked", "shorten",
    "marker", "stale", "short", "busy", "full", "denied", "unknown key", "skew", "forget", "too large", "lose",
]  # fmt: skip

_CODES: dict[How, tuple[int, str]] = {
    "error before": (500, "InternalError"),
    "error after": (500, "InternalError"),
    "busy": (503, "SlowDown"),
    "full": (507, "XMinioStorageFull"),
    "denied": (403, "AccessDenied"),
    "unknown key": (403, "InvalidAccessKeyId"),
    "skew": (403, "RequestTimeTooSkewed"),
    "too large": (400, "EntityTooLarge"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """At the ``nth`` request for ``op`` about a key with ``about`` in it (from 1; 0: at each of them) this happens.

    Failing: ``drop`` (the connection breaks), ``error``, ``hang`` (until the server ends), ``busy``, ``full``,
    ``denied``, ``unknown key``, ``skew``, ``too large``. Lying: ``truncate`` and ``turn`` keep other bytes and tell the
    digest of the right ones (a GetObject that lies gives other bytes than are kept); ``unchecked`` keeps other bytes
    under their own digest, whatever digest came with them; ``shorten`` keeps a lock for a shorter time; ``marker`` has
    somebody delete the object right afterwards; ``stale`` lists nothing; ``short`` sends less than it says; ``forget``
    drops the unfinished upload; ``lose`` keeps nothing.
    """

    op: str
    how: How
    nth: int = 1
    about: str = ""


class S3Server:
    """One bucket (``evidence``) with one owner and as many other ``users`` as a test wants, by access key.

    ``requests`` has every operation with its key, ``rights`` what was needed and there;
    ``lied`` says how often the table had its say.
    """

    BUCKET = "evidence"
    OWNER = "owner"
    OWNERS_SECRET = "owner's secret"  # noqa: S105  # of a store that lives as long as a test

    def __init__(
        self,
        habits: Habits | None = None,
        *,
        users: Mapping[str, User] | None = None,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.now = now or WallClock().now
        self.vault = Vault(habits or Habits(), self.now)
        self.users = {self.OWNER: User(secret=self.OWNERS_SECRET), **(users or {})}
        self.requests: list[tuple[str, str]] = []
        self.over = threading.Event()
        self.lock = threading.RLock()
        self.lied = 0
        self.rights: set[str] = set()
        self._lies: dict[Lie, int] = {}
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="s3 server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def lie(self, op: str, how: How, nth: int = 1, about: str = "") -> None:
        """Add to the table."""
        with self.lock:
            self._lies[Lie(op=op, how=how, nth=nth, about=about)] = 0

    def honest(self) -> None:
        """Empty the table."""
        with self.lock:
            self._lies.clear()

    def told(self, op: str) -> int:
        """How often this was asked for."""
        return sum(1 for name, _ in self.requests if name == op)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[Answer, How | None]:
        """What is answered, and what else happens to the connection."""
        path, _, raw = target.partition("?")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        query = {name: unquote_plus(value) for name, _, value in (one.partition("=") for one in raw.split("&") if one)}
        op = operation(method, key, query, headers)
        user = signed_by(self.users, self.now(), method, target, headers, body)
        resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
        with self.lock:
            self.requests.append((op, key))
            how = self._lie(op, key + query.get("prefix", ""))
            needed = actions(op, query, headers)
            if not all(user.may(action, resource) for action in needed):
                raise Refused(403, "AccessDenied")
            self.rights.update(needed)
            if bucket != self.BUCKET:
                raise Refused(404, "NoSuchBucket")
            if how in _CODES and how != "error after":
                raise Refused(*_CODES[how])
            if how in {"drop before", "hang"}:
                return Answer(), how
            return self._done(op, Request(key=key, query=query, headers=headers, body=body, came=body), how)

    def _lie(self, op: str, name: str) -> How | None:
        found: How | None = None
        for lie in self._lies:
            if lie.op == op and lie.about in name:
                self._lies[lie] += 1
                found = lie.how if lie.nth in {0, self._lies[lie]} else found
        self.lied += found is not None
        return found

    def _done(self, op: str, asked: Request, how: How | None) -> tuple[Answer, How | None]:
        vault, before = self.vault, None
        if how in {"truncate", "turn", "unchecked"}:
            data = asked.body[: len(asked.body) // 2] if how == "truncate" else _turned(asked.body)
            asked = replace(asked, body=data, unchecked=how == "unchecked")
        if how == "forget":
            vault.uploads.pop(asked.query["uploadId"], None)
        if how == "stale":
            before, vault.objects, vault.uploads = (vault.objects, vault.uploads), {}, {}
        try:
            answer = ANSWERS[op](vault, asked)
        finally:
            if before is not None:
                vault.objects, vault.uploads = before
        if how == "shorten" and asked.key in vault.objects:
            for version in vault.objects[asked.key]:
                version.until = version.until and version.until - timedelta(days=30)
                version.hold = False
        if how == "marker":
            vault.put(asked.key, None)
        if how == "lose":
            del vault.objects[asked.key]
        if how == "turn" and op == "GetObject":
            answer = replace(answer, body=_turned(answer.body))
        if how == "error after":
            raise Refused(*_CODES[how])
        return answer, how


def _turned(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1]) if data else data


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    owner: S3Server

    def handle_error(self, *_: Any) -> None:
        """A client that went away is nobody's fault; what a test needs to see, it sees on the other side."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    server: _Http

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""

    def _serve(self) -> None:
        owner = self.server.owner
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # the client went away in the middle of it
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        how: How | None = None
        try:
            answer, how = owner.answer(self.command, self.path, headers, body)
        except Refused as refused:
            text = f"<Error><Code>{escape(refused.code)}</Code><Message>as a test wants it</Message></Error>"
            answer = Answer(status=refused.status, body=text.encode())
        if how == "hang":
            owner.over.wait(self.timeout)
        if how in {"hang", "drop before", "drop after"}:
            self.close_connection = True
            return
        self._answer(answer, how)

    def _answer(self, answer: Answer, how: How | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if how == "short":
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815  # the base class's names
