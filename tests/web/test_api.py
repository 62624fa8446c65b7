"""The API: what it says is what it described, whatever is sent; and a token sees and does what its person may."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from bwcdock.desk.acts import ACTS
from bwcdock.web.application import build
from bwcdock.web.routes.api import PLACES
from bwcdock.web.scopes import NEVER, scopes_of
from desk_world import DEVICE, HEAD, KEEPER, OFFICER, OTHER, World, china
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import ignored_auth, positive_data_acceptance
from sign_in_world import SYSTEM, enters
from web_world import TLS, Desk, attended, house_of, visiting, world_in

ELSEWHERE = [ignored_auth, positive_data_acceptance]
"""Checks that are made here by hand: without a token nothing is told; and an act that fits its model may be refused."""

MANY = {"web": {"requests_per_s": 100_000, "calls_per_s": 100_000}}
UNTOLD = {401, 404}
"""404: there is no such address at all, which is seen before anybody is asked who he is."""

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
VIDEO = "DCIM/100/A.MP4"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = world_in(tmp_path, overrides=MANY)
    enters(made)
    return made


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


def token_for(desk: Desk, person: str, role: str, *scopes: str) -> dict[str, str]:
    """The header of a program that acts for this person; for all its role may where nothing is named."""
    every = scopes or scopes_of(role, desk.house.law.pack)
    token, _ = desk.house.accounts.tokens.make("test", person, role, every, desk.house.clock.now(), days=1)
    return {"authorization": f"Bearer {token}"}


async def asked(desk: Desk, path: str, headers: dict[str, str]) -> httpx.Response:
    return await desk.visitor().get(f"/api/v1/{path}", headers=headers)


async def did(desk: Desk, word: str, headers: dict[str, str], **said: object) -> httpx.Response:
    return await desk.visitor().client.post(f"/api/v1/acts/{word}", headers=headers, json=said)


# --- what it describes ------------------------------------------------------------------------------------------------


@cache
def described() -> dict[str, Any]:
    """The description, as any station gives it."""
    with TemporaryDirectory() as directory:
        house = house_of(world_in(Path(directory)))
        app = build(house)._app  # type: ignore[attr-defined]
        from bwcdock.web.routes.api import description

        made = description(app)
        house.close()
    return made


async def test_it_describes_calls_alone_and_an_act_each(desk: Desk) -> None:
    answer = await asked(desk, "openapi.json", {})
    assert answer.status_code == 200
    told = answer.json()
    assert told == described()
    assert all(path.startswith("/api/v1/") for path in told["paths"])
    assert {path.rpartition("/")[2] for path in told["paths"] if "/acts/" in path} == set(ACTS) - NEVER
    assert {path.rpartition("/")[2] for path in told["paths"] if "/matters/" in path} == set(PLACES)
    body = told["paths"]["/api/v1/acts/issue"]["post"]["requestBody"]
    fields = body["content"]["application/json"]["schema"]["properties"]
    assert set(fields) == set(ACTS["issue"].model_fields)


# Who asks is tried by hand below, so that a case without a token is not taken for one that should have been refused.
OPEN = {name: told for name, told in described().items() if name != "security"}
OPERATIONS = {
    f"{each.method} {each.path}": each
    for each in (found.ok() for found in schemathesis.openapi.from_dict(OPEN).get_all_operations())
}


async def sent(desk: Desk, case: Case, headers: dict[str, str]) -> httpx.Response:
    """The case, as a program sends it."""
    told = requests.Request(**case.as_transport_kwargs(base_url=TLS)).prepare()
    plain = {k: v for k, v in told.headers.items() if k.lower() not in {"content-length", "authorization"}}
    client = desk.visitor().client
    body = told.body.encode() if isinstance(told.body, str) else told.body
    return await client.request(str(told.method), str(told.url), headers={**plain, **headers}, content=body)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A station with its daemon's end of the line, and a loop that goes on between the examples."""

    runner: asyncio.Runner
    desk: Desk
    headers: dict[str, str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    made = world_in(tmp_path_factory.mktemp("whole"), overrides=MANY)
    with asyncio.Runner() as runner:
        desk, line = Desk(house_of(made)), attended(made)
        runner.run(entered(line))
        yield Whole(runner=runner, desk=desk, headers=token_for(desk, KEEPER, "administrator"))
        runner.run(left(line, desk))


async def entered(line: AbstractAsyncContextManager[None]) -> None:
    await line.__aenter__()


async def left(line: AbstractAsyncContextManager[None], desk: Desk) -> None:
    await line.__aexit__(None, None, None)
    await desk.close()


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_it_answers_is_as_it_said_whatever_is_sent(whole: Whole, name: str) -> None:
    cases = st.one_of(*(OPERATIONS[name].as_strategy(generation_mode=mode) for mode in MODES))

    def answer(case: Case, headers: dict[str, str]) -> httpx.Response:
        return whole.runner.run(sent(whole.desk, case, headers))

    @settings(max_examples=5, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def holds(case: Case) -> None:
        case.validate_response(answer(case, whole.headers), excluded_checks=ELSEWHERE)
        for nobody in ({}, {"authorization": "Bearer bwcdock_x"}):
            assert answer(case, nobody).status_code in UNTOLD, "whoever shows no token is told nothing"

    holds()


# --- whose it is ------------------------------------------------------------------------------------------------------


async def with_footage(world: World) -> str:
    """One recording of the officer's; its id."""
    world.issued()
    world.at("2026-03-02 11:00")
    world.records(VIDEO, china("2026-03-02 10:00"))
    await world.docks()
    return world.record(VIDEO).id


async def test_an_officers_token_sees_his_own(world: World, desk: Desk) -> None:
    record = await with_footage(world)
    his, others = token_for(desk, OFFICER, "officer"), token_for(desk, OTHER, "officer")
    keeper = token_for(desk, KEEPER, "administrator")
    for headers, number in ((his, 1), (others, 0), (keeper, 1)):
        told = (await asked(desk, "records", headers)).json()
        assert (len(told["records"]), told["next"]) == (number, "")
        assert (await asked(desk, f"records/{record}", headers)).status_code == (200 if number else 404)
    assert (await asked(desk, "sessions", his)).status_code == 403
    assert (await asked(desk, "sessions", keeper)).json()[0]["recorder"] == DEVICE


async def test_pages_of_recordings_follow_one_another(world: World, desk: Desk) -> None:
    world.issued()
    for n in range(5):
        world.records(f"DCIM/100/{n}.MP4", china(f"2026-03-02 08:0{n}"))
    await world.docks()
    headers = token_for(desk, KEEPER, "administrator")
    found, after = [], ""
    for _ in range(3):
        told = (await asked(desk, f"records?limit=2&after={after}", headers)).json()
        found += [each["path"] for each in told["records"]]
        after = told["next"]
    assert (found, after) == ([f"DCIM/100/{n}.MP4" for n in reversed(range(5))], "")
    assert (await asked(desk, "records?text=3.mp4", headers)).json()["records"][0]["path"] == "DCIM/100/3.MP4"
    for wrong in ("after=x", "limit=0", "limit=501", "state=nowhere", "standing=x", "text=%00"):
        answer = await asked(desk, f"records?{wrong}", headers)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_a_receipt_and_the_ledger_can_be_had(world: World, desk: Desk) -> None:
    await with_footage(world)
    headers = token_for(desk, KEEPER, "administrator")
    session = world.bed.sessions(DEVICE)[0].id
    receipt = await asked(desk, f"receipts/{session}", headers)
    assert receipt.json()["lines"][0]["path"] == VIDEO
    assert (await asked(desk, f"receipts/{'0' * 32}", headers)).status_code == 404
    head = (await asked(desk, "ledger/head", headers)).json()
    assert head["size"] == len(world.bed.entries())
    proof = (await asked(desk, "ledger/proof/0", headers)).json()
    assert (proof["holds"], proof["head_size"]) == (True, head["signed_size"])
    assert (await asked(desk, f"ledger/proof/{head['size']}", headers)).status_code == 404


async def test_an_officers_token_is_told_of_what_he_stated(world: World, desk: Desk) -> None:
    async with attended(world):
        for person in (OFFICER, OTHER):
            headers = token_for(desk, person, "officer", "act:open-case")
            assert (await did(desk, "open-case", headers, case=f"A-{person}")).status_code == 200
    told = (await asked(desk, "matters/case", token_for(desk, OFFICER, "officer"))).json()
    assert [each["id"] for each in told] == [f"A-{OFFICER}"]
    assert len((await asked(desk, "matters/case", token_for(desk, HEAD, "unit-head"))).json()) == 2


# --- what is done -----------------------------------------------------------------------------------------------------


async def test_an_act_by_token_is_an_entry_in_its_persons_name(world: World, desk: Desk) -> None:
    headers = token_for(desk, KEEPER, "administrator", "act:issue")
    said = {"device": DEVICE, "to": OFFICER, "checked": ["clock", "battery", "storage", "works"]}
    async with attended(world):
        refused = await did(desk, "issue", headers, device=DEVICE, to=OFFICER)
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert "asks for a check before use" in refused.json()["detail"]
        done = await did(desk, "issue", headers, **said)
        assert (done.status_code, done.json()["kind"], done.json()["matter"]) == (200, "device", DEVICE)
        assert (await did(desk, "return", headers, device=DEVICE)).status_code == 403, "it is not for that"
    last = world.bed.entries()[-1]
    assert (last.actor.name, last.actor.role) == (KEEPER, "administrator")


async def test_a_token_does_no_more_than_its_person_may(world: World, desk: Desk) -> None:
    headers = token_for(desk, OFFICER, "officer", "act:enter-person", "act:set-sign-in")
    before = len(world.bed.entries())
    async with attended(world):
        answer = await did(desk, "enter-person", headers, person="099", name="冒名", roles=["administrator"])
        assert (answer.status_code, "may not do this" in answer.json()["detail"]) == (422, True)
        system = token_for(desk, SYSTEM, "system-administrator", "act:set-sign-in")
        assert (await did(desk, "set-sign-in", system, person=OFFICER, what="code")).status_code == 404
    assert len(world.bed.entries()) == before


async def test_without_the_daemon_it_is_to_be_tried_again(desk: Desk) -> None:
    headers = token_for(desk, OFFICER, "officer", "act:open-case")
    answer = await did(desk, "open-case", headers, case="A1")
    assert (answer.status_code, answer.json()["hint"]) == (503, "Nothing was changed; try again when it is.")


async def test_what_was_sent_is_not_sent_back(desk: Desk) -> None:
    headers = token_for(desk, OFFICER, "officer", "act:open-case")
    answer = await did(desk, "open-case", headers, case="A1", **{"secret-word": "secret-value"})
    assert answer.status_code == 422
    assert "secret-value" not in answer.text


async def test_calls_of_one_address_are_counted(world: World, tmp_path: Path) -> None:
    few = world_in(tmp_path / "few", overrides={"web": {"calls_per_s": 1}})
    async with visiting(house_of(few)) as desk:
        visitor = desk.visitor()
        told = [(await visitor.get("/api/v1/openapi.json")).status_code for _ in range(5)]
        answer = await visitor.get("/api/v1/openapi.json")
        assert (told, answer.status_code) == ([200] * 5, 429)
        assert (answer.headers["content-type"], answer.headers["retry-after"]) == ("application/problem+json", "1")
        assert (await visitor.get("/static/base.css")).status_code == 200
        assert (await desk.visitor(address="198.51.100.1").get("/api/v1/openapi.json")).status_code == 200
        few.clock.advance(1)
        assert (await visitor.get("/api/v1/openapi.json")).status_code == 200
