"""Signing in as people do it: password, second factor, codes, the first of all, one's own page, who lets people in."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from bwcdock.core.desk.people import Person
from bwcdock.web import signing
from bwcdock.web.accounts.codes import FIRST
from bwcdock.web.accounts.tries import SLOW_TIMES
from bwcdock.web.callers import COOKIE
from bwcdock.web.house import House
from desk_world import OTHER, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sign_in_world import (
    AUDIT,
    GOOD,
    HEAD,
    KEEPER,
    OFFICER,
    OTHER_GOOD,
    SYSTEM,
    Browser,
    code_now,
    empty_world,
    enters,
    has_generator,
    has_password,
    secret_on,
    sign_ins_of,
)
from structlog.testing import capture_logs
from web_world import FAR, Desk, attended, house_of, visiting, world_in

Opened = Callable[..., Browser]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = world_in(tmp_path, overrides={"web": {"language": "en", "sign_ins_per_minute": 500}})
    enters(made)
    return made


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


@pytest.fixture
async def opened(desk: Desk) -> AsyncIterator[Opened]:
    browsers: list[Browser] = []

    def new(**more: str) -> Browser:
        browsers.append(Browser(desk.app, **more))
        return browsers[-1]

    yield new
    for browser in browsers:
        await browser.close()


@pytest.fixture
def house(desk: Desk) -> House:
    return desk.house


def alert(text: str) -> str:
    found = re.search(r'role="alert">(?:<span[^>]*>.</span>)?\s*([^<]*)<', text)
    return found[1].strip() if found else ""


# --- password ---------------------------------------------------------------------------------------------------------


async def test_an_officer_signs_in_with_his_password(opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    browser = opened()
    answer = await browser.post("/login", person=f" {OFFICER} ", password=GOOD, next="/desk/records")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/records")
    name, *attributes = [part.strip() for part in browser.told.split(";")]
    assert name.startswith(f"{COOKIE}=")
    assert {part.lower() for part in attributes} == {"secure", "httponly", "samesite=strict", "path=/"}
    assert (await browser.get("/desk")).status_code == 200


@pytest.mark.parametrize("person", [OFFICER, OTHER, "099", "", "'; --", "\x00", "x" * 5000])
async def test_whoever_is_wrong_is_told_the_same(opened: Opened, house: House, person: str) -> None:
    await has_password(house, OFFICER)
    browser = opened()
    before = house.accounts.hashing.computed
    answer = await browser.signs_in(person, OTHER_GOOD)
    assert (answer.status_code, alert(answer.text)) == (422, "Number or password is wrong, or nobody may sign in so.")
    assert house.accounts.hashing.computed == before + 1
    assert browser.told == ""


async def test_whoever_left_does_not_come_in(world: World, opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    browser = opened()
    await browser.signs_in(OFFICER)
    assert (await browser.get("/desk")).status_code == 200
    world.does(world.custodian, "leave-person", person=OFFICER, reason="调动")
    answer = await browser.get("/desk")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/desk")
    again = await opened().signs_in(OFFICER)
    assert alert(again.text) == "Number or password is wrong, or nobody may sign in so."


async def test_whoever_lost_his_role_is_out_of_it_at_once(world: World, opened: Opened, house: House) -> None:
    await has_password(house, HEAD)
    browser = opened()
    await browser.signs_in(HEAD)
    await browser.sends(
        "/login/second", "/login/second", code=pyotp.TOTP("A" * 32).at(0)
    )  # a wrong one: he stays half in
    world.does(world.custodian, "enter-person", person=HEAD, name="领导", roles=["officer"])
    assert (await browser.get("/login/second")).headers["location"] == "/login"


async def test_after_five_failures_one_waits_and_is_told_so(opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    browser = opened()
    for _ in range(house.settings.web.tries):
        await browser.signs_in(OFFICER, OTHER_GOOD)
    answer = await browser.signs_in(OFFICER)
    assert (answer.status_code, browser.told) == (429, "")
    assert alert(answer.text).startswith("There were too many failed attempts.")
    assert (await opened(address="198.51.100.7").signs_in(OFFICER)).status_code == 303


async def test_from_afar_one_waits_once_there_are_many_failures(
    opened: Opened, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(signing.asyncio, "sleep", sleep)
    await has_password(house, OFFICER)
    for n in range(house.settings.web.tries * SLOW_TIMES):
        house.accounts.tries.spend("password", f"p{n}", f"10.0.{n}.1", house.clock.now())
    assert (await opened().signs_in(OFFICER)).status_code == 303
    assert max(waited) > 0
    waited.clear()
    assert (await opened(address="127.0.0.1").signs_in(OFFICER)).status_code == 303
    assert max(waited, default=0) == 0


@pytest.mark.parametrize(
    "given", ["https://evil.example", "//evil.example", "/\\evil", "javascript:alert(1)", "/desk\r\nX: y", "", "desk"]
)
async def test_one_comes_to_a_page_of_ours(opened: Opened, house: House, given: str) -> None:
    await has_password(house, OFFICER)
    answer = await opened().post("/login", person=OFFICER, password=GOOD, next=given)
    assert answer.headers["location"] == "/desk"


async def test_signing_in_takes_no_cookie_that_somebody_else_chose(opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    browser, chosen = opened(), "x" * 43
    browser.cookie = chosen
    await browser.signs_in(OFFICER)
    assert browser.cookie != chosen
    assert house.accounts.session(chosen, house.clock.now()) is None
    first = browser.cookie
    await browser.signs_in(OFFICER)
    assert house.accounts.session(first, house.clock.now()) is None, "and the one before it has ended"


async def test_signing_out_ends_it_here_and_there(opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    browser = opened()
    await browser.signs_in(OFFICER)
    kept = browser.cookie
    answer = await browser.sends("/me", "/logout")
    assert answer.headers["location"] == "/login"
    assert "max-age=0" in browser.told.lower()
    assert house.accounts.session(kept, house.clock.now()) is None


async def test_the_journal_says_who_and_from_where_and_no_secret(opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    browser = opened()
    with capture_logs() as lines:
        await browser.signs_in("x" * 5000, OTHER_GOOD)
        await browser.signs_in(OFFICER, OTHER_GOOD)
        await browser.signs_in(OFFICER)
        await browser.sends("/me", "/logout")
    told = [(line["event"], line["person"][:5], line["address"]) for line in lines if "person" in line]
    assert told == [
        ("sign_in.failed", "xxxxx", FAR),
        ("sign_in.failed", OFFICER, FAR),
        ("sign_in.password", OFFICER, FAR),
        ("sign_out", OFFICER, FAR),
    ]
    written = str(lines)
    assert max(len(line.get("person", "")) for line in lines) == signing.SHOWN
    for secret in (GOOD, OTHER_GOOD, browser.cookie or "none"):
        assert secret not in written


async def test_a_form_needs_the_token_of_this_very_session(opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    await has_password(house, OTHER)
    one, two = opened(), opened()
    await one.signs_in(OFFICER)
    await two.signs_in(OTHER)
    found = house.accounts.session(two.cookie, house.clock.now())
    assert found is not None
    for token in (found.csrf, "", "ü", None):
        said = {} if token is None else {"csrf": token}
        assert (await one.post("/logout", **said)).status_code == 403
    assert house.accounts.session(one.cookie, house.clock.now())


# --- the second factor ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", [KEEPER, HEAD, SYSTEM, AUDIT])
async def test_a_role_with_power_shows_a_second_factor(world: World, opened: Opened, house: House, person: str) -> None:
    await has_password(house, person)
    totp = has_generator(house, person)
    browser = opened()
    answer = await browser.post("/login", person=person, password=GOOD, next="/me")
    assert answer.headers["location"] == "/login/second?next=/me"
    half = browser.cookie
    assert (await browser.get("/me")).headers["location"] == "/login/second?next=/me"
    assert (await browser.sends("/login/second", "/me/role", role="officer")).status_code == 403
    wrong = await browser.sends("/login/second", "/login/second", code="000000")
    assert (wrong.status_code, browser.cookie) == (422, half)
    done = await browser.sends("/login/second", "/login/second", code=code_now(totp, world), next="/me")
    assert (done.status_code, done.headers["location"]) == (303, "/me")
    assert browser.cookie != half
    assert house.accounts.session(half, house.clock.now()) is None
    assert (await browser.get("/me")).status_code == 200


async def test_a_code_that_was_seen_is_of_no_use_to_another(world: World, opened: Opened, house: House) -> None:
    await has_password(house, HEAD)
    totp = has_generator(house, HEAD)
    one, two = opened(), opened()
    for browser in (one, two):
        await browser.signs_in(HEAD)
    code = code_now(totp, world)
    assert (await one.sends("/login/second", "/login/second", code=code)).status_code == 303
    assert (await two.sends("/login/second", "/login/second", code=code)).status_code == 422


async def test_five_wrong_codes_end_the_session(world: World, opened: Opened, house: House) -> None:
    await has_password(house, HEAD)
    totp = has_generator(house, HEAD)
    browser = opened()
    await browser.signs_in(HEAD)
    kept = browser.cookie
    for n in range(house.settings.web.tries):
        answer = await browser.sends("/login/second", "/login/second", code=f"00000{n}")
        assert answer.status_code == 422
    answer = await browser.sends("/login/second", "/login/second", code=code_now(totp, world))
    assert answer.headers["location"] == "/login"
    assert house.accounts.session(kept, house.clock.now()) is None


async def test_the_first_time_he_sets_it_up_and_the_ledger_knows(world: World, opened: Opened, house: House) -> None:
    await has_password(house, HEAD)
    browser = opened()
    await browser.signs_in(HEAD)
    shown = await browser.get("/login/second?next=/me")
    assert "<svg" in shown.text
    secret = secret_on(shown.text)
    assert secret_on((await browser.get("/login/second")).text) == secret, "the same until it is used"
    totp = pyotp.TOTP(secret)
    assert (await browser.sends("/login/second", "/login/second", code=code_now(totp, world))).status_code == 422
    assert not house.accounts.generators.has(HEAD), "without the station nothing is entered, and nothing changes"
    async with attended(world):
        done = await browser.sends("/login/second", "/login/second", code=code_now(totp, world), next="/me")
    assert (done.status_code, done.headers["location"]) == (303, "/me")
    assert sign_ins_of(world, HEAD) == [("totp", HEAD)]
    again = opened()
    await again.signs_in(HEAD)
    replayed = await again.sends("/login/second", "/login/second", code=code_now(totp, world))
    assert replayed.status_code == 422, "the code that proved it is used up"


async def test_after_all_of_it_one_is_where_one_wanted_to_go(world: World, opened: Opened, house: House) -> None:
    await has_password(house, HEAD)
    totp = has_generator(house, HEAD)
    browser, wanted = opened(), "/desk/owes?standing=overdue&docked=yes"
    door = (await browser.get(wanted)).headers["location"]
    after = parse_qs(urlsplit(door).query)["next"][0]
    assert after == wanted
    on = (await browser.post("/login", person=HEAD, password=GOOD, next=after)).headers["location"]
    assert parse_qs(urlsplit(on).query)["next"] == [wanted]
    said = {"code": code_now(totp, world), "next": wanted}
    assert (await browser.sends("/login/second", "/login/second", **said)).headers["location"] == wanted
    for elsewhere in ("//elsewhere.example/", "/desk?a=//b", "https://elsewhere.example", "/desk?x#y", "/desk\\x"):
        again = opened()
        on = (await again.post("/login", person=HEAD, password=GOOD, next=elsewhere)).headers["location"]
        assert on == "/login/second?next=/desk", elsewhere


async def test_an_officer_who_has_one_shows_it_too(world: World, opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    totp = has_generator(house, OFFICER)
    browser = opened()
    assert (await browser.signs_in(OFFICER)).headers["location"].startswith("/login/second")
    assert (await browser.get("/desk")).headers["location"] == "/login/second?next=/desk"
    await browser.sends("/login/second", "/login/second", code=code_now(totp, world))
    assert (await browser.get("/desk")).status_code == 200


# --- codes ------------------------------------------------------------------------------------------------------------


async def test_a_code_becomes_a_password_once(world: World, opened: Opened, house: House) -> None:
    code = house.accounts.codes.make(OFFICER, house.clock.now())
    said = {"person": OFFICER, "code": code.lower(), "password": GOOD, "again": GOOD}
    browser = opened()
    assert (await browser.post("/join", **said)).status_code == 422, "the station is not there to enter it"
    assert house.accounts.codes.fits(OFFICER, code, house.clock.now())
    async with attended(world):
        answer = await browser.post("/join", **said)
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
        assert sign_ins_of(world, OFFICER) == [("password", OFFICER)]
        again = await opened().post("/join", **said)
        assert alert(again.text).startswith("Number or code is wrong")
    assert (await opened().signs_in(OFFICER)).status_code == 303


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"again": OTHER_GOOD}, "The two passwords differ."),
        ({"password": "short", "again": "short"}, "A password has 12 to 128 characters."),
        ({"password": "password 1234", "again": "password 1234"}, "This password is among the first"),
        ({"code": "AAAA-BBBB-CCCC-DDDD"}, "Number or code is wrong"),
        ({"person": OTHER}, "Number or code is wrong"),
        ({"person": FIRST}, "Number or code is wrong"),
        ({"person": "099"}, "Number or code is wrong"),
        ({"code": ""}, "Number or code is wrong"),
    ],
)
async def test_what_is_wrong_with_a_code_or_a_password_is_said(
    world: World, opened: Opened, house: House, said: dict[str, str], told: str
) -> None:
    house.accounts.codes.make(FIRST, house.clock.now())
    code = house.accounts.codes.make(OFFICER, house.clock.now())
    form = {"person": OFFICER, "code": code, "password": GOOD, "again": GOOD, **said}
    async with attended(world):
        answer = await opened().post("/join", **form)
    assert answer.status_code == 422
    assert alert(answer.text).startswith(told)
    assert house.accounts.codes.fits(OFFICER, code, house.clock.now()), "and the code is as good as before"
    assert sign_ins_of(world, OFFICER) == []


async def test_codes_cannot_be_tried_out(world: World, opened: Opened, house: House) -> None:
    code = house.accounts.codes.make(OFFICER, house.clock.now())
    form = {"person": OFFICER, "password": GOOD, "again": GOOD}
    async with attended(world):
        for n in range(house.settings.web.tries):
            await opened().post("/join", code=f"AAAA-BBBB-CCCC-DDD{n}", **form)
        assert (await opened().post("/join", code=code, **form)).status_code == 429


# --- the first of all -------------------------------------------------------------------------------------------------


async def test_the_first_person_enters_himself_and_lets_the_others_in(tmp_path: Path) -> None:
    world = empty_world(tmp_path)
    async with visiting(house_of(world)) as desk, attended(world):
        code = desk.house.accounts.codes.make(FIRST, desk.house.clock.now())
        browser = Browser(desk.app)
        assert (await browser.get("/login")).headers["location"] == "/first"
        assert "as system administrator" in (await browser.get("/first")).text
        said = {"person": "001", "name": "王管理", "code": code, "password": GOOD, "again": GOOD}
        for wrong in ({"code": "AAAA-BBBB-CCCC-DDDD"}, {"name": ""}, {"password": "short", "again": "short"}):
            assert (await browser.post("/first", **{**said, **wrong})).status_code == 422
            assert world.bed.ask(lambda ledger: ledger.how_many(Person)) == 0
        answer = await browser.post("/first", **said)
        assert answer.headers["location"] == "/login/second?next=/desk"
        person = world.bed.ask(lambda ledger: ledger.matter(Person, "001"))
        assert person is not None
        assert person.roles == ("administrator", "system-administrator")
        assert sign_ins_of(world, "001") == [("password", "001")]
        assert (await browser.get("/first")).headers["location"] == "/login"
        assert (await browser.post("/first", **{**said, "person": "002"})).headers["location"] == "/login"
        await browser.close()


async def test_where_the_register_has_persons_one_of_them_is_first(world: World, opened: Opened, house: House) -> None:
    code = house.accounts.codes.make(FIRST, house.clock.now())
    said = {"code": code, "name": "Nobody", "password": GOOD, "again": GOOD}
    async with attended(world):
        browser = opened()
        assert 'name="name"' not in (await browser.get("/first")).text
        assert (await browser.post("/first", person="099", **said)).status_code == 422
        answer = await browser.post("/first", person=KEEPER, **said)
        assert answer.headers["location"] == "/login/second?next=/desk"
        assert world.bed.ask(lambda ledger: ledger.matter(Person, "099")) is None


# --- one's own page ---------------------------------------------------------------------------------------------------


async def test_one_changes_his_password_and_is_out_everywhere_else(world: World, opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    here, there = opened(), opened()
    for browser in (here, there):
        await browser.signs_in(OFFICER)
    old = here.cookie
    said = {"new": OTHER_GOOD, "again": OTHER_GOOD}
    async with attended(world):
        wrong = await here.sends("/me", "/me/password", password="not this one", **said)
        assert alert(wrong.text) == "Your present password is not this one."
        unlike = await here.sends("/me", "/me/password", password=GOOD, new=OTHER_GOOD, again=GOOD)
        assert alert(unlike.text) == "The two differ."
        assert (await here.sends("/me", "/me/password", password=GOOD, **said)).status_code == 303
    assert here.cookie != old
    assert (await here.get("/me")).status_code == 200
    assert (await there.get("/me")).status_code == 303
    assert sign_ins_of(world, OFFICER) == [("password", OFFICER)]
    assert (await opened().signs_in(OFFICER)).status_code == 422
    assert (await opened().signs_in(OFFICER, OTHER_GOOD)).status_code == 303


async def test_one_sets_a_pin_for_the_wall(world: World, opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    browser = opened()
    await browser.signs_in(OFFICER)
    async with attended(world):
        easy = await browser.sends("/me", "/me/pin", password=GOOD, new="123456", again="123456")
        assert alert(easy.text) == "This PIN is among the first that anybody would try."
        await browser.sends("/me", "/me/pin", password="not this one", new="480217", again="480217")
        assert not await house.accounts.verify_pin(OFFICER, "480217", house.clock.now())
        assert (await browser.sends("/me", "/me/pin", password=GOOD, new="480217", again="480217")).status_code == 303
    assert await house.accounts.verify_pin(OFFICER, "480217", house.clock.now())
    assert sign_ins_of(world, OFFICER) == [("pin", OFFICER)]


async def test_another_role_is_another_cookie_and_asks_for_what_it_needs(
    world: World, opened: Opened, house: House
) -> None:
    world.does(world.custodian, "enter-person", person=OFFICER, name="李警官", roles=["officer", "unit-head"])
    await has_password(house, OFFICER)
    browser = opened()
    await browser.signs_in(OFFICER)
    old = browser.cookie
    assert (await browser.sends("/me", "/me/role", role="administrator")).status_code == 403
    answer = await browser.sends("/me", "/me/role", role="unit-head")
    assert answer.headers["location"] == "/login/second?next=/desk"
    assert browser.cookie != old
    assert (await browser.get("/desk")).headers["location"] == "/login/second?next=/desk"
    shown = await browser.get("/login/second")
    async with attended(world):
        code = code_now(pyotp.TOTP(secret_on(shown.text)), world)
        await browser.sends("/login/second", "/login/second", code=code)
    assert "本单位负责人" in (await browser.get("/desk")).text
    assert (await browser.sends("/me", "/me/role", role="officer")).headers["location"] == "/desk"
    assert (await browser.sends("/me", "/me/role", role="unit-head")).headers["location"] == "/desk", "shown once"


async def test_another_generator_begins_as_the_first_one_did(world: World, opened: Opened, house: House) -> None:
    await has_password(house, HEAD)
    totp = has_generator(house, HEAD)
    browser = opened()
    await browser.signs_in(HEAD)
    await browser.sends("/login/second", "/login/second", code=code_now(totp, world))
    assert alert((await browser.sends("/me", "/me/generator", password="not this")).text)
    assert house.accounts.generators.has(HEAD)
    answer = await browser.sends("/me", "/me/generator", password=GOOD)
    assert answer.headers["location"] == "/login/second?next=/me"
    assert (await browser.get("/me")).status_code == 303
    assert "<svg" in (await browser.get("/login/second")).text


async def test_one_sees_where_he_is_signed_in_and_ends_it(opened: Opened, house: House) -> None:
    await has_password(house, OFFICER)
    here, there, third = opened(), opened(address="198.51.100.9"), opened()
    for browser in (here, there, third):
        await browser.signs_in(OFFICER)
    seen = (await here.get("/me")).text
    assert "198.51.100.9" in seen
    short = next(each.id for each in house.accounts.sessions.of(OFFICER, "") if each.address == "198.51.100.9")
    assert (await here.sends("/me", "/me/end", id=short)).headers["location"] == "/me?done=end"
    assert (await there.get("/me")).status_code == 303
    await here.sends("/me", "/me/end")
    assert (await third.get("/me")).status_code == 303
    assert (await here.get("/me")).status_code == 200
    own = house.accounts.sessions.of(OFFICER, "")[0].id
    assert (await here.sends("/me", "/me/end", id=own)).headers["location"] == "/login"


# --- who lets people in -----------------------------------------------------------------------------------------------


async def system(world: World, opened: Opened, house: House) -> Browser:
    await has_password(house, SYSTEM)
    totp = has_generator(house, SYSTEM)
    browser = opened()
    await browser.signs_in(SYSTEM)
    await browser.sends("/login/second", "/login/second", code=code_now(totp, world))
    return browser


async def test_a_code_is_given_as_a_fact_and_used(world: World, opened: Opened, house: House) -> None:
    browser = await system(world, opened, house)
    assert "李警官" in (await browser.get("/sign-ins")).text
    assert (await browser.sends("/sign-ins", "/sign-ins/code", person=OFFICER)).status_code == 422
    assert house.accounts.codes.until(house.clock.now()) == {}, "without its entry there is no code"
    async with attended(world):
        shown = await browser.sends("/sign-ins", "/sign-ins/code", person=OFFICER)
        code = re.search(r'class="once mono">([2-9A-Z-]+)<', shown.text)
        assert code is not None
        assert sign_ins_of(world, OFFICER) == [("code", SYSTEM)]
        joined = await opened().post("/join", person=OFFICER, code=code[1], password=GOOD, again=GOOD)
        assert joined.headers["location"] == "/desk"
        for person in (SYSTEM, "099", ""):
            assert (await browser.sends("/sign-ins", "/sign-ins/code", person=person)).status_code == 422


async def test_whoever_is_blocked_is_out(world: World, opened: Opened, house: House) -> None:
    browser = await system(world, opened, house)
    await has_password(house, OFFICER)
    officer = opened()
    await officer.signs_in(OFFICER)
    async with attended(world):
        assert (await browser.sends("/sign-ins", "/sign-ins/block", person=OFFICER)).status_code == 303
        assert (await browser.sends("/sign-ins", "/sign-ins/block", person=SYSTEM)).status_code == 422
    assert (await officer.get("/desk")).status_code == 303
    assert (await opened().signs_in(OFFICER)).status_code == 422
    assert sign_ins_of(world, OFFICER) == [("blocked", SYSTEM)]


async def test_a_token_can_be_for_no_more_than_its_role(world: World, opened: Opened, house: House) -> None:
    browser = await system(world, opened, house)
    page = f"/sign-ins/token?person={OFFICER}"
    form = {"person": OFFICER, "role": "officer", "name": "central", "days": "30"}
    async with attended(world):
        for scopes in (
            [],
            ["read:ledger"],
            ["read:records", "act:enter-person"],
            ["read:sign-ins"],
            ["act:set-sign-in"],
        ):
            assert (await browser.sends(page, "/sign-ins/token", scopes=scopes, **form)).status_code == 422
        wrong = {**form, "role": "unit-head", "scopes": ["read:ledger"]}
        assert (await browser.sends(page, "/sign-ins/token", **wrong)).status_code == 422
        assert house.accounts.tokens.all() == []
        shown = await browser.sends(page, "/sign-ins/token", scopes=["read:records", "act:tag"], **form)
    token = re.search(r'class="once mono">(bwcdock_[\w-]+)<', shown.text)
    assert token is not None
    found = house.accounts.tokens.find(token[1], house.clock.now())
    assert found is not None
    assert (found.person, found.role, found.scopes) == (OFFICER, "officer", {"read:records", "act:tag"})
    assert sign_ins_of(world, OFFICER) == [("token", SYSTEM)]
    assert "central" in (await browser.get("/sign-ins")).text
    assert token[1] not in (await browser.get("/sign-ins")).text
    assert (await browser.sends("/sign-ins", "/sign-ins/revoke", id=found.id)).status_code == 303
    assert (await browser.sends("/sign-ins", "/sign-ins/revoke", id=found.id)).status_code == 404
    assert house.accounts.tokens.all() == []


# --- hostile ----------------------------------------------------------------------------------------------------------


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.dictionaries(
        st.sampled_from(["person", "password", "next", "code", "again", "name", "csrf"]),
        st.text(max_size=60),
        max_size=7,
    ),
    path=st.sampled_from(["/login", "/join", "/first", "/login/second", "/logout"]),
    header=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
async def test_whatever_is_typed_is_answered(
    opened: Opened, house: House, form: dict[str, str], path: str, header: str
) -> None:
    house.accounts.store.rows("DELETE FROM try")
    browser = opened()
    browser.cookie = re.sub(r"[^!-~]|[;,\"\\]", "", header)
    answer = await browser.post(path, **form)
    assert answer.status_code in {303, 403, 422, 429}
    assert answer.headers["content-security-policy"]
    for text in form.values():
        if "<" in text and len(text) > 1:
            assert text not in answer.text


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["authorization", "cookie", "origin", "sec-fetch-site", "content-type", "host", "user-agent"]),
    value=st.binary(max_size=60).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")),
)
async def test_whatever_a_header_holds_is_answered(desk: Desk, name: str, value: bytes) -> None:
    visitor = desk.visitor()
    answer = await visitor.client.get("/desk", headers={name.encode(): value})
    assert answer.status_code in {303, 400, 401, 413, 421}
