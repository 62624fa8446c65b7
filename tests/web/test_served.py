"""The pages over real connections: who is heard, in which words, for how long, and how it ends."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bwcdock.clock import WallClock
from bwcdock.web import connection, safety, server
from served_world import Served, closed, served, served_world

GET = b"GET /static/base.css HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    # A certificate is good by the clock of whoever looks at it, and that is this machine's.
    world = served_world(tmp_path)
    world.clock.set(max(WallClock().now(), world.clock.now()))
    async with served(world) as made:
        yield made


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


async def test_both_are_served_and_the_own_authority_vouches_for_it(station: Served) -> None:
    assert status(await station.said(GET)) == 200
    assert status(await station.said(GET, tls=False)) == 200
    _, writer = await station.opened()
    told = writer.get_extra_info("ssl_object")
    assert told.version() == "TLSv1.3"
    assert ("DNS", "localhost") in told.getpeercert()["subjectAltName"]
    await closed(writer)
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", station.tls, ssl=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", station.tls, ssl=station.trusting, server_hostname="evil.example")


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
async def test_old_tls_is_not_spoken(station: Served, version: str) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        old.minimum_version = ssl.TLSVersion[version]
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        old.maximum_version = ssl.TLSVersion[version]
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", station.tls, ssl=old)


async def test_of_tls_1_2_only_what_has_forward_secrecy(station: Served) -> None:
    station.trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    _, writer = await station.opened()
    name, version, _ = writer.get_extra_info("cipher")
    assert version == "TLSv1.2"
    assert name.startswith("ECDHE")
    await closed(writer)
    station.trusting.set_ciphers("AES128-GCM-SHA256")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await station.opened()


async def test_without_tls_nobody_is_asked_who_he_is(station: Served) -> None:
    answer = await station.said(GET.replace(b"/static/base.css", b"/desk"), tls=False)
    assert status(answer) == 307
    assert f"location: https://localhost:{station.tls}/desk".encode() in answer


# --- odd requests -----------------------------------------------------------------------------------------------------

POST = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)


async def test_a_chunked_body_that_is_too_long_is_answered(station: Served) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    answer = await station.said(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 12 + b"0\r\n\r\n")
    assert status(answer) == 413
    assert b"connection: close" in answer


async def test_a_long_body_that_is_told_of_is_answered_and_not_read_as_a_request(station: Served) -> None:
    answer = await station.said(POST + b"Content-Length: 99999999\r\n\r\n" + GET)
    assert status(answer) == 413
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_short_body_in_pieces_is_read(station: Served) -> None:
    answer = await station.said(POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\na=b\r\n0\r\n\r\n")
    assert status(answer) == 405


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "BREW", "CONNECT", "DELETE"])
async def test_nothing_but_get_and_post_is_understood(station: Served, method: str) -> None:
    lines = f"{method} / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\nConnection: close\r\n\r\n"
    assert status(await station.said(lines.encode())) in {405, 404}


@pytest.mark.parametrize(
    "line",
    ["Host: localhost", "Origin: https://evil.example", "Cookie: a=b", "Authorization: Bearer x",
     "Sec-Fetch-Site: same-origin", "Content-Type: text/plain"],
)  # fmt: skip
async def test_a_header_that_decides_is_there_once(station: Served, line: str) -> None:
    twice = f"{line}\r\n" * (1 if line.startswith("Host") else 2)
    answer = await station.said(GET.replace(b"Connection", twice.encode() + b"Connection"))
    assert status(answer) == 400


@pytest.mark.parametrize(
    "path",
    ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/..%2fsettings.py", "/static//etc/passwd",
     "/static/%2fetc/passwd", "/static/..%5c..%5csettings.py", "/static/%00", "/static/"],
)  # fmt: skip
async def test_static_files_are_those_and_no_others(station: Served, path: str) -> None:
    answer = await station.said(GET.replace(b"/static/base.css", path.encode()))
    assert status(answer) in {404, 400, 405}
    assert b"class Settings" not in answer
    assert b"root:" not in answer


async def test_a_page_says_nothing_back_that_a_browser_would_run(station: Served) -> None:
    for path in (
        b"/%3Cscript%3Ealert(1)%3C/script%3E",
        b"/desk?lang=%22%3E%3Cscript%3E",
        b"/?next=javascript:alert(1)",
    ):
        answer = await station.said(GET.replace(b"/static/base.css", path))
        assert b"<script>" not in answer.partition(b"\r\n\r\n")[2]
        assert b"content-security-policy: default-src 'none'" in answer
    assert status(await station.said(b"GET / HTTP/1.1\r\nHost: <script>\r\nConnection: close\r\n\r\n")) == 421
    assert status(await station.said(b"GET / HTTP/1.1\r\nHost: [::\r\nConnection: close\r\n\r\n")) in {400, 421}


async def test_a_head_has_an_end(station: Served) -> None:
    answer = await station.said(b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * (1 << 20) + b"\r\n\r\n")
    assert status(answer) in {400, 0}, "answered, or already shut while it was being sent"


# --- slow and many ----------------------------------------------------------------------------------------------------


async def test_a_head_that_never_ends_ends_the_connection(station: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.3)
    reader, writer = await station.opened(tls=False)
    writer.write(b"GET /static/base.css HTTP/1.1\r\n")
    trickling = asyncio.ensure_future(_trickle(writer))
    assert await asyncio.wait_for(_rest(reader), 30) == b""
    trickling.cancel()
    await asyncio.gather(trickling, return_exceptions=True)
    await closed(writer)


async def test_so_does_a_second_one_on_the_same_connection(station: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.3)
    reader, writer = await station.opened(tls=False)
    writer.write(GET.replace(b"Connection: close\r\n", b""))
    first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    assert status(first) == 200
    trickling = asyncio.ensure_future(_trickle(writer))
    assert b"HTTP/1.1" not in await asyncio.wait_for(_rest(reader), 30)
    trickling.cancel()
    await asyncio.gather(trickling, return_exceptions=True)
    await closed(writer)


async def test_a_body_that_never_ends_is_answered(station: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "BODY_S", 0.3)
    answer = await station.said(POST + b"Content-Length: 10\r\n\r\na=")
    assert status(answer) == 408


async def test_one_address_does_not_take_every_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OF_ONE", 3)
    async with served(served_world(tmp_path, screens=["192.0.2.0/24"])) as station:
        held = [await station.opened(tls=False) for _ in range(3)]
        assert await station.said(GET, tls=False) == b""
        await closed(held.pop()[1])
        answer = b""
        while not answer:  # until the server has seen that one has gone
            answer = await station.said(GET, tls=False)
        assert status(answer) == 200
        for _, writer in held:
            await closed(writer)


async def _trickle(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"A: b\r\n")
        await asyncio.sleep(0.05)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_a_screen_that_follows_the_wall_is_let_go_at_once_when_the_pages_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would follow for ever: waiting for it made every orderly stop long, and an error in the journal."""
    monkeypatch.setattr(server, "END_S", 60)
    world = served_world(tmp_path)
    world.clock.set(max(WallClock().now(), world.clock.now()))
    async with served(world) as station:
        reader, writer = await station.opened(tls=False)
        writer.write(b"GET /wall/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"event: beat"), 60)
        station.stop.set()
        rest = await asyncio.wait_for(reader.read(), 30)
        assert rest.endswith(b"0\r\n\r\n"), "the stream was broken off, and not ended"
        await closed(writer)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
