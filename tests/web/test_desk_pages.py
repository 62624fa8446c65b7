"""The pages of the desk, each for everybody who may see it: well made, escaped, each officer with his own alone."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from busy_world import HOSTILE, SERIALS, tell_of_weeks
from bwcdock.core.record import Record
from bwcdock.desk import owes, register
from bwcdock.ledger import Reader
from desk_world import HEAD, KEEPER, OFFICER, OTHER, World
from page_reading import Reading, must_be_well_made
from web_world import Desk, Visitor, attended, house_of, visiting, world_in

DAYS = 9
PAGES = (
    "/desk", "/desk/owes", "/desk/waiting", "/desk/recorders", "/desk/recorders/DSJ-0004", "/desk/issue",
    "/desk/records", "/desk/people", "/desk/equipment",
)  # fmt: skip
NOT_FOR_OFFICERS = ("/desk/recorders", "/desk/recorders/DSJ-0004", "/desk/issue", "/desk/people", "/desk/equipment")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A station after some days, with hostile words in it; nobody in this file changes it."""
    made = world_in(tmp_path_factory.mktemp("pages"))
    tell_of_weeks(made, days=DAYS)
    return made


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


def keeper(desk: Desk) -> Visitor:
    return desk.signed_in(KEEPER, "administrator")


def officer(desk: Desk, person: str = OFFICER) -> Visitor:
    return desk.signed_in(person, "officer")


def ask(world: World, question):
    return world.bed.ask(question)


def records_of(world: World, person: str) -> list[Record]:
    def his(ledger: Reader) -> list[Record]:
        known = register.read(ledger)
        return [record for record in ledger.records() if person in known.officers(record)]

    return ask(world, his)


def shown_ids(text: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r'name="records" value="([0-9a-f]{32})"', text)))


async def walked(visitor: Visitor, path: str) -> list[str]:
    """The ids on this page of a list and on all that follow it."""
    found: list[str] = []
    while True:
        answer = await visitor.get(path)
        assert answer.status_code == 200
        found += shown_ids(answer.text)
        later = [href for href in Reading(answer.text).links if "after=" in href]
        if not later:
            return found
        path = later[-1]


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", PAGES)
async def test_each_page_is_well_made(desk: Desk, path: str, language: str) -> None:
    for visitor in (keeper(desk), desk.signed_in(HEAD, "unit-head")):
        answer = await visitor.get(path, params={"lang": language})
        assert answer.status_code == 200
        must_be_well_made(answer.text)
        assert "<script>alert" not in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_an_officer_sees_what_is_for_him(desk: Desk, path: str) -> None:
    answer = await officer(desk).get(path)
    assert answer.status_code == (403 if path in NOT_FOR_OFFICERS else 200)
    must_be_well_made(answer.text)


@pytest.mark.parametrize("path", PAGES)
async def test_an_empty_station_has_its_pages_too(tmp_path: Path, path: str) -> None:
    async with visiting(house_of(world_in(tmp_path))) as desk:
        for visitor in (keeper(desk), officer(desk)):
            answer = await visitor.get(path)
            assert answer.status_code in {200, 403, 404}
            must_be_well_made(answer.text)


async def test_nobody_sees_any_of_it_without_signing_in(desk: Desk, world: World) -> None:
    rid = ask(world, lambda ledger: ledger.records(limit=1))[0].id
    for path in (*PAGES, f"/desk/records/{rid}"):
        assert (await desk.visitor().get(path)).status_code == 303
        assert (await desk.screen().get(path)).status_code in {307, 401}


# --- the beginning ----------------------------------------------------------------------------------------------------


async def test_the_figures_are_those_of_the_ledger(desk: Desk, world: World) -> None:
    now, counts = world.clock.now(), ask(world, lambda ledger: ledger.counts(world.clock.now()))
    stands = ask(world, lambda ledger: ledger.standing(now, 0.25))
    overdue = sum(each.count for each in stands if each.kind == "overdue")
    assert overdue
    tiles = dict(re.findall(r'<a href="([^"]+)"><b>([^<]+)</b>', (await keeper(desk).get("/desk")).text))
    assert tiles["/desk/owes"] == str(counts.owed)
    assert tiles["/desk/owes?standing=overdue"] == str(overdue)
    assert tiles["/desk/recorders?state=docked"] == "3"


async def test_an_officer_begins_with_his_own(desk: Desk) -> None:
    text = Reading((await officer(desk).get("/desk")).text).text
    assert SERIALS[0] in text
    assert "explanation-1" in text
    assert "access-1" in text
    other = Reading((await officer(desk, OTHER).get("/desk")).text).text
    assert SERIALS[1] in other
    assert "explanation-1" not in other
    assert "access-1" not in other


async def test_what_waits_for_an_officer_is_about_him(desk: Desk) -> None:
    everything = (await keeper(desk).get("/desk/waiting")).text
    own = (await officer(desk).get("/desk/waiting")).text
    assert 0 < own.count("<tr>") < everything.count("<tr>")
    assert "explanation-1" in everything
    assert "explanation-1" in own
    assert "explanation-1" not in (await officer(desk, OTHER).get("/desk/waiting")).text


async def test_what_waits_opens_its_form_filled_in(desk: Desk) -> None:
    links = Reading((await officer(desk).get("/desk/waiting")).text).links
    (form, *_) = [href for href in links if href.startswith("/desk/act/explain") and "records=" in href]
    answer = await officer(desk).get(form)
    rid = re.search(r"records=([0-9a-f]{32})", form)
    assert rid
    assert f">{rid[1]}</textarea>" in answer.text


# --- who owes what ----------------------------------------------------------------------------------------------------


async def test_everything_owed_stands_there_by_its_deadline_with_its_article(desk: Desk, world: World) -> None:
    answer = await keeper(desk).get("/desk/owes")
    told = re.findall(r'<td class="tight"><time datetime="([^"]+)">', answer.text)
    owed = ask(world, lambda ledger: ledger.owed())
    assert len(told) == len(owed) + 3  # and three recorders that are out
    assert told == sorted(told)
    assert answer.text.count('<details class="law"><summary>第十七条</summary><q>') == len(told)
    for record in owed:
        assert f"/desk/records/{record.id}" in answer.text


async def test_what_is_owed_is_cut_down(desk: Desk, world: World) -> None:
    async def lines(visitor: Visitor, query: str) -> int:
        return (await visitor.get(f"/desk/owes?{query}")).text.count('<td class="tight"><time')

    visitor = keeper(desk)
    all_, overdue = await lines(visitor, ""), await lines(visitor, "standing=overdue")
    assert 0 < overdue < all_
    assert await lines(visitor, "team=T1") + await lines(visitor, "team=T2") == all_
    assert await lines(visitor, "docked=yes") + await lines(visitor, "docked=no") == all_
    assert await lines(visitor, "unit=nowhere") == 0
    his = len([r for r in records_of(world, OFFICER) if r.due and not r.met_at])
    assert await lines(visitor, f"officer={OFFICER}") == his + 1
    assert await lines(officer(desk), "") == his + 1
    assert await lines(officer(desk), f"officer={OTHER}") == his + 1  # his own, whatever he asks for


async def test_the_list_of_what_is_owed_goes_on_page_by_page(world: World) -> None:
    def all_pages(ledger: Reader, limit: int) -> list[tuple[int, str]]:
        house, known, after, found = house_of(world), register.read(ledger), "", []
        try:
            while True:
                page = owes.owed(ledger, house.law, known, world.clock.now(), owes.Asked(), after=after, limit=limit)
                found += [line.place for line in page.lines]
                if not page.next:
                    return found
                after = page.next
        finally:
            house.close()

    whole = ask(world, lambda ledger: all_pages(ledger, 500))
    assert len(whole) == len(set(whole)) > 6
    assert whole == sorted(whole)
    for limit in (1, 2, 3):
        assert ask(world, lambda ledger, n=limit: all_pages(ledger, n)) == whole


# --- recorders --------------------------------------------------------------------------------------------------------


async def test_a_recorder_has_its_history_drawn_and_as_a_table(desk: Desk) -> None:
    text = (await keeper(desk).get("/desk/recorders/DSJ-0004")).text
    assert text.count('<svg class="chart"') == 4
    assert text.count('role="img"') == 4
    table = text[text.index("以表格显示读数") :]
    assert table.count("<tr>") > DAYS // 3
    assert "外壳有划痕" in text


async def test_the_recorders_are_cut_down_by_state(desk: Desk) -> None:
    def serials(text: str) -> set[str]:
        return set(re.findall(r'<th scope="row"><a class="mono" href="/desk/recorders/([^"]+)"', text))

    visitor = keeper(desk)
    assert serials((await visitor.get("/desk/recorders?state=docked")).text) == set(SERIALS[3:6])
    assert serials((await visitor.get("/desk/recorders?state=out")).text) == set(SERIALS[:3])
    assert serials((await visitor.get("/desk/recorders?state=ready")).text) == {SERIALS[3], SERIALS[5]}
    assert serials((await visitor.get("/desk/recorders?state=repair")).text) == {SERIALS[9]}
    assert set(SERIALS) < serials((await visitor.get("/desk/recorders")).text)


async def test_a_recorder_nobody_heard_of_is_not_there(desk: Desk) -> None:
    assert (await keeper(desk).get("/desk/recorders/nothing")).status_code == 404


async def test_the_docked_and_ready_ones_are_handed_out_first(desk: Desk) -> None:
    text = (await keeper(desk).get("/desk/issue")).text
    order = re.findall(r'name="device" id="d-\d+" value="([^"]+)"', text)
    assert 'name="next" value="/desk/issue"' in text
    assert order[:3] == [SERIALS[3], SERIALS[5], SERIALS[4]]
    assert SERIALS[0] not in order
    assert SERIALS[9] not in order


async def test_a_leader_looks_at_the_counter_and_hands_out_nothing(desk: Desk) -> None:
    text = (await desk.signed_in(HEAD, "unit-head").get("/desk/issue")).text
    assert 'action="/desk/act/' not in text


async def test_recorders_are_handed_out_and_taken_back_at_the_counter(tmp_path: Path) -> None:
    world = world_in(tmp_path)
    async with attended(world), visiting(house_of(world)) as desk:
        visitor = keeper(desk)
        said = {
            "device": "F1-0001",
            "to": OFFICER,
            "checked": ["clock", "battery", "storage", "works"],
            "next": "/desk/issue",
        }
        answer = await visitor.post("/desk/act/issue", **said, expected_back="")
        assert answer.headers["location"].startswith("/desk/issue?done=")
        out = await visitor.get("/desk/issue")
        assert out.text.count('name="next" value="/desk/issue"') == 1  # of what is out; nothing is here to be issued
        assert '<input type="hidden" name="device" value="F1-0001">' in out.text
        await visitor.post("/desk/act/return", device="F1-0001", next="/desk/issue")
        assert 'value="F1-0001"' in (await visitor.get("/desk/issue")).text
        assert '<input type="hidden" name="device"' not in (await visitor.get("/desk/issue")).text


# --- recordings -------------------------------------------------------------------------------------------------------


async def test_every_recording_is_found_once_by_whoever_may_see_all(desk: Desk, world: World) -> None:
    found = await walked(keeper(desk), "/desk/records")
    assert len(found) == len(set(found))
    assert set(found) == {record.id for record in ask(world, lambda ledger: ledger.records())}


@pytest.mark.parametrize("person", [OFFICER, OTHER, "006"])
async def test_an_officer_finds_his_own_alone(desk: Desk, world: World, person: str) -> None:
    his = {record.id for record in records_of(world, person)}
    assert his
    for query in ("", "?officer=005", f"?officer={KEEPER}", "?q=dcim"):
        assert set(await walked(officer(desk, person), f"/desk/records{query}")) == his


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("party=张三", lambda r: "张三" in r.label.parties),
        ("party=赵六", lambda r: r.label.case),
        ("case=榕城罚[2026]0001号", lambda r: r.label.case),
        ("place=五一路", lambda r: "五一路" in r.label.place),
        ("event=渣土", lambda r: "渣土" in r.label.event),
        ("tag=guidance-only", lambda r: "guidance-only" in r.label.tags),
        ("recorder=DSJ-0002", lambda r: r.recorder == "DSJ-0002"),
        ("state=listed", lambda r: r.state == "listed"),
        ("q=东街口 dsj-0002", lambda r: "东街口" in r.label.place and r.recorder == "DSJ-0002"),
        ("since=2026-03-04&until=2026-03-05", lambda r: "2026-03-03T16" <= r.recorded_at.isoformat() < "2026-03-05T16"),
        ("since=someday&state=nothing", lambda r: True),
        ("q=nowhere", lambda r: False),
    ],
)
async def test_recordings_are_found_by_what_people_know_of_them(desk: Desk, world: World, query: str, fits) -> None:
    expected = {record.id for record in ask(world, lambda ledger: ledger.records()) if fits(record)}
    assert set(await walked(keeper(desk), f"/desk/records?{query}")) == expected
    assert bool(expected) == ("nowhere" not in query)


async def test_what_is_no_date_is_told_and_left_out(desk: Desk) -> None:
    for said in ("someday", "9999-12-31", "0001-01-01", "2026-02-30"):
        answer = await keeper(desk).get("/desk/records", params={"since": said, "until": said})
        assert answer.status_code == 200
        assert 'role="alert"' in answer.text


async def test_what_is_no_end_of_a_page_is_refused(desk: Desk) -> None:
    for path in ("/desk/records?after=x", "/desk/owes?after=1"):
        assert (await keeper(desk).get(path)).status_code == 422


async def test_those_chosen_go_to_the_form_of_an_act(desk: Desk, world: World) -> None:
    one, two = (record.id for record in ask(world, lambda ledger: ledger.records(limit=2)))
    text = (await keeper(desk).get("/desk/records")).text
    assert 'formaction="/desk/act/tag"' in text
    form = await keeper(desk).get(f"/desk/act/tag?next=/desk/records&records={one}&records={two}")
    assert f">{one}\n{two}</textarea>" in form.text
    assert 'name="next" value="/desk/records"' in form.text


async def test_all_about_a_recording_stands_on_its_page(desk: Desk, world: World) -> None:
    record = next(r for r in ask(world, lambda ledger: ledger.records()) if r.label.note)
    answer = await keeper(desk).get(f"/desk/records/{record.id}")
    read = must_be_well_made(answer.text)
    assert record.digests is not None
    for told in (record.id, record.digests.sha256, record.digests.blake3, "第十七条", "central", "hold-1", "access-1"):
        assert told in read.text
    assert HOSTILE[:28] in read.text
    assert HOSTILE[:28] not in answer.text
    assert "已在签名的台账头之下" in read.text
    for entry in ask(world, lambda ledger: ledger.history(record=record.id)):
        assert f"/desk/ledger/{entry.seq}" in read.links


async def test_both_judgements_stay_to_be_seen(desk: Desk, world: World) -> None:
    record = next(r for r in ask(world, lambda ledger: ledger.records()) if r.label.sensitive)
    told = ask(world, lambda ledger: ledger.history(record=record.id, ev="record.obliged"))
    assert len(told) == 2
    text = Reading((await keeper(desk).get(f"/desk/records/{record.id}")).text).text
    assert "共判定 2 次" in text


async def test_a_recording_is_shown_to_whose_it_is_and_to_who_may_read_all(desk: Desk, world: World) -> None:
    mine = {record.id for record in records_of(world, OFFICER)}
    everything = [record.id for record in ask(world, lambda ledger: ledger.records())]
    assert 0 < len(mine) < len(everything)
    for rid in everything:
        expected = 200 if rid in mine else 404
        assert (await officer(desk).get(f"/desk/records/{rid}")).status_code == expected
    assert (await keeper(desk).get(f"/desk/records/{everything[0]}")).status_code == 200
    assert (await keeper(desk).get(f"/desk/records/{everything[0][:12]}")).status_code == 200
    for nothing in ("nothing", "0" * 32, "%2e%2e", "' OR 1"):
        assert (await keeper(desk).get(f"/desk/records/{nothing}")).status_code == 404


# --- people and equipment ---------------------------------------------------------------------------------------------


async def test_people_are_listed_with_what_they_hold_and_handed_over(desk: Desk) -> None:
    answer = await keeper(desk).get("/desk/people")
    text = Reading(answer.text).text
    for told in ("李警官", "闽A000004", "一中队", "二中队", "/desk/act/hand-over"):
        assert told in text or told in answer.text
    narrowed = Reading((await keeper(desk).get("/desk/people?team=T2")).text).text
    assert "周警官" in narrowed
    assert "2 / 8 人" not in narrowed
    assert "3 / 8 人" in narrowed


async def test_a_change_of_a_person_begins_from_what_stands_there(desk: Desk) -> None:
    links = Reading((await keeper(desk).get("/desk/people")).text).links
    form = await keeper(desk).get(next(href for href in links if "person=004" in href and "enter-person" in href))
    for told in ('value="周警官"', 'value="闽A000004"', 'value="officer" checked', ">000004</textarea>"):
        assert told in form.text


async def test_the_equipment_is_held_against_the_article(desk: Desk) -> None:
    text = Reading((await keeper(desk).get("/desk/equipment")).text).text
    assert "屏幕损坏，送厂家维修" in text
    assert SERIALS[9] in text


async def test_an_officer_is_told_by_name_not_by_the_number_his_recorder_knows(desk: Desk, world: World) -> None:
    record = next(r for r in ask(world, lambda ledger: ledger.records()) if r.item.officer == "000002")
    text = (await keeper(desk).get(f"/desk/records/{record.id}")).text
    assert "<dt>执法人员</dt><dd>李警官 <small" in text
