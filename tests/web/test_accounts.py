"""How people sign in, by itself: what is kept of it, what is taken, and when somebody has to wait."""

import asyncio
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher, extract_parameters
from bwcdock.errors import Misused, NotAllowed
from bwcdock.settings import Web
from bwcdock.web.accounts import PIN_ENDS, Accounts
from bwcdock.web.accounts.codes import CODE_S, FIRST
from bwcdock.web.accounts.generators import new_secret, step_of
from bwcdock.web.accounts.hashing import MEMORY_KIB, PASSES
from bwcdock.web.accounts.sessions import AT_ONCE
from bwcdock.web.accounts.tries import ADDRESS_TIMES, EVERYWHERE_TIMES, SLOW_S, SLOW_TIMES

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
GOOD = "correct horse battery staple"
PIN = "480217"
HERE, THERE = "192.0.2.1", "192.0.2.2"
WEB = Web()


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    made = Accounts(tmp_path / "web", WEB)
    yield made
    made.close()


async def has(accounts: Accounts, person: str, password: str) -> None:
    accounts.set_password(person, await accounts.hashed(password), NOW)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def kept(accounts: Accounts) -> bytes:
    """Every byte the file and its log hold."""
    folder = Path(accounts.store.rows("PRAGMA database_list")[0][2]).parent
    return b"".join(path.read_bytes() for path in folder.iterdir())


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_nobody_else_may_look_into_the_file(accounts: Accounts, tmp_path: Path) -> None:
    accounts.begin("001", "officer", NOW, second=False)
    folder = tmp_path / "web"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_file_that_others_could_read_is_shut(tmp_path: Path) -> None:
    Accounts(tmp_path / "web", WEB).close()
    path = tmp_path / "web" / "accounts.db"
    path.chmod(0o644)
    Accounts(tmp_path / "web", WEB).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_no_secret_lies_in_it(accounts: Accounts) -> None:
    await has(accounts, "001", GOOD)
    await accounts.set_pin("001", PIN)
    cookie = accounts.begin("001", "officer", NOW, second=False)
    code = accounts.codes.make("001", NOW)
    token, _ = accounts.tokens.make("t", "001", "officer", ["read:records"], NOW, days=1)
    told = kept(accounts)
    for secret in (GOOD, PIN, cookie, code, code.replace("-", ""), token):
        assert secret.encode() not in told


async def test_a_password_is_hashed_as_owasp_asks(accounts: Accounts) -> None:
    made = extract_parameters(await accounts.hashed(GOOD))
    assert (made.type.name, made.memory_cost, made.time_cost) == ("ID", MEMORY_KIB, PASSES)
    assert MEMORY_KIB >= 46 * 1024


async def test_a_hash_of_other_parameters_is_made_anew(accounts: Accounts) -> None:
    accounts.set_password("001", PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD), NOW)
    assert await accounts.verify_password("001", GOOD, NOW, address=HERE)
    (made,) = accounts.store.rows("SELECT password FROM account")
    assert extract_parameters(made[0]).memory_cost == MEMORY_KIB
    assert await accounts.verify_password("001", GOOD, NOW, address=HERE)


async def test_hashes_are_computed_off_the_loop_one_after_the_other(accounts: Accounts) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.ensure_future(count())
    await asyncio.gather(*(accounts.hashed(f"{GOOD} {n}") for n in range(3)))
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)
    assert turns > 3, "the loop stood still"
    assert len(accounts.hashing._lanes) == 1


# --- passwords and PINs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    ["short enough", "x" * 129, "password1234567", "PASSWORD password", "123456789012", "aaaaaaaaaaaaaaa",
     "chengguan2026!", "my name is 王管理 ok", "badge 00117 for me"],
)  # fmt: skip
async def test_a_password_that_others_try_first_is_refused(accounts: Accounts, password: str) -> None:
    given = password[:-1] if password == "short enough" else password
    with pytest.raises(Misused):
        await accounts.hashed(given, "00117", "王管理")


@pytest.mark.parametrize("password", ["x" * 12 + "abcdef", GOOD, "今天天气很好我们去公园散步吧", "a b c d e f g h i"])
async def test_there_are_no_rules_of_composition(accounts: Accounts, password: str) -> None:
    assert await accounts.hashed(password, "00117", "王管理")


@pytest.mark.parametrize("pin", ["12345", "1234567890123", "123456", "987654", "111111", "112211", "abcdef", "٤٨٠٢١٧"])
async def test_a_pin_that_others_try_first_is_refused(accounts: Accounts, pin: str) -> None:
    with pytest.raises(Misused):
        await accounts.set_pin("001", pin)


async def test_nobody_has_his_badge_number_as_pin(accounts: Accounts) -> None:
    with pytest.raises(Misused):
        await accounts.set_pin(PIN, PIN)
    await accounts.set_pin("001", PIN)
    assert await accounts.verify_pin("001", PIN, NOW)


async def test_whoever_nobody_knows_costs_a_hash_too(accounts: Accounts) -> None:
    await has(accounts, "001", GOOD)
    await accounts.set_pin("001", PIN)
    accounts.block("001")
    for person in ("001", "099"):
        for verify, secret in ((accounts.verify_password, GOOD), (accounts.verify_pin, PIN)):
            before = accounts.hashing.computed
            assert not await verify(person, secret, NOW, address=HERE)
            assert accounts.hashing.computed == before + 1


async def test_five_tries_and_then_one_waits_without_shutting_out_the_owner(accounts: Accounts) -> None:
    await has(accounts, "001", GOOD)
    for n in range(WEB.tries):
        assert not await accounts.verify_password("001", "wrong", after(n), address=HERE)
    before = accounts.hashing.computed
    with pytest.raises(NotAllowed):
        await accounts.verify_password("001", GOOD, after(10), address=HERE)
    assert accounts.hashing.computed == before
    assert await accounts.verify_password("001", GOOD, after(10), address=THERE), "elsewhere he may"
    assert await accounts.verify_password("001", GOOD, after(WEB.tries_within_s + 6), address=HERE)


async def test_tries_at_the_same_moment_are_no_more_than_one_after_the_other(accounts: Accounts) -> None:
    await has(accounts, "001", GOOD)
    tries = [accounts.verify_password("001", f"wrong {n}", NOW, address=HERE) for n in range(WEB.tries * 3)]
    told = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, NotAllowed) for each in told) == WEB.tries * 2


async def test_what_worked_gives_the_tries_back(accounts: Accounts) -> None:
    await has(accounts, "001", GOOD)
    for n in range(4 * WEB.tries):
        assert await accounts.verify_password("001", GOOD, after(n), address=HERE)
        assert n % 2 or not await accounts.verify_password("001", "wrong", after(n), address=HERE)


def test_one_address_cannot_try_everybody(accounts: Accounts) -> None:
    for n in range(WEB.tries * ADDRESS_TIMES):
        accounts.tries.spend("password", f"p{n}", HERE, NOW)
    with pytest.raises(NotAllowed):
        accounts.tries.spend("password", "another", HERE, NOW)
    accounts.tries.spend("password", "another", THERE, NOW)


@pytest.mark.parametrize("what", ["second", "pin"])
def test_a_second_factor_cannot_be_tried_from_everywhere(accounts: Accounts, what: str) -> None:
    for n in range(WEB.tries * EVERYWHERE_TIMES):
        accounts.tries.spend(what, "001", f"192.0.2.{n}", NOW)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        accounts.tries.spend(what, "001", "198.51.100.1", NOW)  # type: ignore[arg-type]
    accounts.tries.spend(what, "002", "198.51.100.1", NOW)  # type: ignore[arg-type]


def test_a_password_can_be_tried_in_a_persons_name_without_shutting_him_out(accounts: Accounts) -> None:
    for n in range(200):
        accounts.tries.spend("password", "001", f"192.0.{n % 7}.{n}", NOW)
    accounts.tries.spend("password", "001", "198.51.100.1", NOW)


def test_one_ipv6_host_is_one_address(accounts: Accounts) -> None:
    for n in range(WEB.tries):
        accounts.tries.spend("password", "001", f"2001:db8::{n:x}", NOW)
    with pytest.raises(NotAllowed):
        accounts.tries.spend("password", "001", "2001:db8::ffff", NOW)
    accounts.tries.spend("password", "001", "2001:db8:0:1::1", NOW)


def test_many_failures_make_whoever_is_far_away_wait(accounts: Accounts) -> None:
    for n in range(WEB.tries * SLOW_TIMES):
        assert accounts.tries.delay_s(NOW) == 0
        accounts.tries.spend("password", f"p{n}", f"10.{n % 250}.0.1", NOW)
    assert accounts.tries.delay_s(NOW) == SLOW_S
    assert accounts.tries.delay_s(after(WEB.tries_within_s + 1)) == 0


async def test_a_pin_ends_after_fifty_wrong_ones(accounts: Accounts) -> None:
    await accounts.set_pin("001", PIN)
    accounts.store.rows("UPDATE account SET pin_wrong = ?", PIN_ENDS - 2)
    assert not await accounts.verify_pin("001", "480218", NOW)
    assert await accounts.verify_pin("001", PIN, NOW), "and one that is right begins the count anew"
    accounts.store.rows("UPDATE account SET pin_wrong = ?", PIN_ENDS - 1)
    assert not await accounts.verify_pin("001", "480218", NOW)
    assert not await accounts.verify_pin("001", PIN, NOW)


# --- codes ------------------------------------------------------------------------------------------------------------


async def test_a_code_is_good_once_for_one_person_and_for_a_day(accounts: Accounts) -> None:
    code, hashed = accounts.codes.make("001", NOW), await accounts.hashed(GOOD)
    assert accounts.codes.fits("001", f" {code.lower().replace('-', '')} ", NOW)
    assert not accounts.codes.fits("002", code, NOW)
    assert not accounts.redeem("002", code, hashed, NOW)
    assert not accounts.redeem("001", code, hashed, after(CODE_S + 1))
    assert accounts.redeem("001", code, hashed, after(CODE_S))
    assert not accounts.redeem("001", code, hashed, NOW)
    assert await accounts.verify_password("001", GOOD, NOW, address=HERE)


def test_a_new_code_takes_the_place_of_the_old_one(accounts: Accounts) -> None:
    old, new = accounts.codes.make("001", NOW), accounts.codes.make("001", NOW)
    assert not accounts.codes.fits("001", old, NOW)
    assert accounts.codes.fits("001", new, NOW)


async def test_a_code_ends_what_somebody_else_may_have(accounts: Accounts) -> None:
    await has(accounts, "001", GOOD)
    accounts.generators.set("001", new_secret(), 1)
    cookie = accounts.begin("001", "officer", NOW, second=True)
    code = accounts.codes.make("001", NOW)
    assert accounts.session(cookie, NOW), "the code alone ends nothing"
    assert accounts.redeem("001", code, await accounts.hashed(f"{GOOD} again"), NOW)
    assert accounts.session(cookie, NOW) is None
    assert not accounts.generators.has("001")


async def test_the_first_code_makes_anybody_who_has_it_the_first(accounts: Accounts) -> None:
    code, hashed = accounts.codes.make(FIRST, NOW), await accounts.hashed(GOOD)
    assert not accounts.anybody()
    assert not accounts.redeem("001", code, hashed, NOW), "it is nobody's own"
    assert accounts.redeem("001", code, hashed, NOW, first=True)
    assert not accounts.redeem("002", code, hashed, NOW, first=True)
    assert accounts.anybody()


async def test_whoever_is_blocked_is_out_by_every_way(accounts: Accounts) -> None:
    await has(accounts, "001", GOOD)
    await accounts.set_pin("001", PIN)
    cookie = accounts.begin("001", "officer", NOW, second=False)
    token, _ = accounts.tokens.make("t", "001", "officer", [], NOW, days=1)
    code = accounts.codes.make("001", NOW)
    accounts.block("001")
    assert accounts.session(cookie, NOW) is None
    assert accounts.tokens.find(token, NOW) is None
    assert not accounts.codes.fits("001", code, NOW)
    assert not await accounts.verify_password("001", GOOD, NOW, address=HERE)
    assert not await accounts.verify_pin("001", PIN, NOW)
    assert accounts.redeem("001", accounts.codes.make("001", NOW), await accounts.hashed(GOOD), NOW)
    assert await accounts.verify_password("001", GOOD, NOW, address=HERE)


# --- code generators --------------------------------------------------------------------------------------------------


def test_a_code_of_a_generator_is_taken_once_and_a_step_around(accounts: Accounts) -> None:
    secret = new_secret()
    totp = pyotp.TOTP(secret)
    accounts.generators.set("001", secret, 0)
    for shift, is_taken in ((-2, False), (2, False), (-1, True), (-1, False), (0, True), (0, False), (1, True)):
        code = totp.at(NOW + timedelta(seconds=30 * shift))
        assert accounts.generators.take("001", code, NOW) is is_taken, shift
    assert not accounts.generators.take("001", totp.at(NOW), NOW), "an older one than the last is late"


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "٤٨٠٢١٧", "-12345"])
def test_what_is_no_code_is_of_no_step(code: str) -> None:
    assert step_of(new_secret(), code, NOW) == 0


def test_without_a_generator_no_code_is_right(accounts: Accounts) -> None:
    assert not accounts.take_second("001", "000000", NOW, address=HERE)


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_session_ends_when_idle_and_after_a_day_of_work(accounts: Accounts) -> None:
    idle, absolute = WEB.idle_s, WEB.absolute_s
    cookie = accounts.begin("001", "officer", NOW, second=False)
    assert accounts.session(cookie, after(idle))
    assert accounts.session(cookie, after(2 * idle))
    assert accounts.session(cookie, after(3 * idle + 1)) is None
    assert accounts.session(cookie, after(2 * idle)) is None, "what has ended stays so"
    busy, at = accounts.begin("001", "officer", NOW, second=False), 0.0
    while at + idle / 2 <= absolute:
        at += idle / 2
        assert accounts.session(busy, after(at))
    assert accounts.session(busy, after(absolute + 1)) is None


def test_another_cookie_for_whatever_one_may_do_from_now_on(accounts: Accounts) -> None:
    old = accounts.begin("001", "officer", NOW, second=False, half=True)
    before = accounts.session(old, NOW)
    accounts.sessions.set_pending(old, "secret")
    new = accounts.sessions.renew(old, NOW, role="unit-head", second=True)
    found = accounts.session(new, NOW)
    assert accounts.session(old, NOW) is None
    assert before is not None
    assert found is not None
    assert (found.role, found.second, found.half, found.pending) == ("unit-head", True, False, "")
    assert found.csrf != before.csrf
    assert accounts.sessions.renew(old, NOW) == "", "nothing comes of a cookie that is none"
    assert accounts.session(new, after(WEB.absolute_s + 1)) is None


def test_only_so_many_sessions_a_person(accounts: Accounts) -> None:
    cookies = [accounts.begin("001", "officer", after(n), second=False) for n in range(AT_ONCE + 3)]
    other = accounts.begin("002", "officer", NOW, second=False)
    alive = [cookie for cookie in cookies if accounts.session(cookie, after(20))]
    assert alive == cookies[3:]
    assert accounts.session(other, NOW)


def test_one_ends_his_own_sessions_and_no_others(accounts: Accounts) -> None:
    own, second, third = (accounts.begin("001", "officer", after(n), second=False, address=HERE) for n in range(3))
    other = accounts.begin("002", "officer", NOW, second=False)
    seen = accounts.sessions.of("001", own)
    assert [each.own for each in seen] == [False, False, True]
    assert not accounts.sessions.end_one("002", seen[0].id)
    assert not accounts.sessions.end_one("001", "")
    assert accounts.sessions.end_one("001", seen[0].id)
    assert accounts.session(third, NOW) is None
    assert accounts.sessions.end_all("001", but=own) == 1
    assert accounts.session(second, NOW) is None
    assert accounts.session(own, NOW)
    assert accounts.session(other, NOW)


def test_what_has_ended_is_forgotten(accounts: Accounts) -> None:
    accounts.begin("001", "officer", NOW, second=False)
    accounts.tokens.make("t", "001", "officer", [], NOW, days=1)
    accounts.prune(after(2 * 86400))
    assert accounts.store.rows("SELECT count(*) FROM session") == [(0,)]
    assert accounts.tokens.all() == []


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_good_until_its_day_or_until_it_is_taken_back(accounts: Accounts) -> None:
    token, short = accounts.tokens.make("central", "001", "officer", ["read:records", "act:tag"], NOW, days=2)
    found = accounts.tokens.find(token, NOW)
    assert token.startswith("bwcdock_")
    assert found is not None
    assert (found.person, found.role, found.scopes) == ("001", "officer", {"read:records", "act:tag"})
    assert accounts.tokens.all()[0].used == NOW
    assert accounts.tokens.find(token, after(2 * 86400 + 1)) is None
    assert accounts.tokens.find(token[8:], NOW) is None
    assert accounts.tokens.revoke(short)
    assert not accounts.tokens.revoke(short)
    assert accounts.tokens.find(token, NOW) is None


def test_two_processes_use_the_file(accounts: Accounts, tmp_path: Path) -> None:
    other = Accounts(tmp_path / "web", WEB)
    code = other.codes.make("001", NOW)
    other.close()
    assert accounts.codes.fits("001", code, NOW)


def test_a_whole_is_done_or_not_done(accounts: Accounts) -> None:

    def half() -> None:
        with accounts.store.whole():
            accounts.codes.make("001", NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert accounts.codes.until(NOW) == {}


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "accounts.db").write_bytes(b"this is something else, and long enough to be looked at" * 40)
    with pytest.raises(NotAllowed, match="not a database"):
        Accounts(tmp_path, WEB)
    closed = Accounts(tmp_path / "other", WEB)
    closed.close()
    with pytest.raises(sqlite3.ProgrammingError):
        closed.anybody()
