"""What an officer does by touch: he says who he is, and what he says then is in the ledger as his statement."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from bwcdock import overview
from bwcdock.core.desk.explaining import Explanation
from bwcdock.core.desk.times import Activity, Trip
from bwcdock.core.facts import Actor, Entry
from bwcdock.core.statements import Tagged
from bwcdock.desk.line import act_of, ask
from bwcdock.lanes import Lane
from bwcdock.web.wall.saying import BADGE_ONLY
from bwcdock.web.wall.tickets import TICKET_FOR
from desk_world import DEVICE, OFFICER, OTHER, World
from wall_world import PIN, Pins, at_work, until, until_page, with_pins
from web_world import FAR, Desk, house_of, visiting

LATE_HOURS = 30


class Touched:
    """The wall's dialogues, as the screen's script asks for them."""

    def __init__(self, world: World, desk: Desk, pins: Pins) -> None:
        self.world, self.desk, self.pins = world, desk, pins
        self.key, self.at = "", "/wall/slot"

    async def page(self) -> str:
        return (await self.desk.screen().get("/wall")).text

    async def opens(self) -> str:
        """The card of the recorder is there, and touched."""
        text = await until_page(self.page, DEVICE)
        self.key = key_of(text, DEVICE)
        return (await self.desk.screen().get(f"{self.at}/{self.key}")).text

    async def says(self, person: str = OFFICER, pin: str = PIN, *, address: str = "127.0.0.1") -> httpx.Response:
        """He says who he is."""
        return await self.sends("who", address=address, person=person, pin=pin)

    async def sends(self, what: str, *, address: str = "127.0.0.1", **said: object) -> httpx.Response:
        visitor = self.desk.visitor(address=address, base="http://localhost:8380")
        return await visitor.post(f"{self.at}/{self.key}/{what}", **said)

    async def elsewhere(self, word: str, person: str = OFFICER, /, **said: object) -> None:
        """Somebody does this at the desk, beside the wall."""
        lane = Lane("elsewhere")
        actor = Actor(name=person, role="officer")
        run = self.world.bed.settings.paths.run
        await lane.call(ask, run, act_of(word, said), actor, timeout_s=30)
        lane.close()

    async def ticket(self, person: str = OFFICER, pin: str = PIN) -> tuple[str, str]:
        """His ticket, and the page he sees with it."""
        text = (await self.says(person, pin)).text
        found = re.search(r'name="ticket" value="([^"]+)"', text)
        assert found, text
        return found[1], text

    def entries(self, kind: type) -> list[Entry]:
        return [entry for entry in self.world.bed.entries() if isinstance(entry.fact, kind)]


@asynccontextmanager
async def standing(directory: Path, rules: str = "S4-fuzhou", **more: object) -> AsyncIterator[Touched]:
    """An officer's recorder with three late recordings stands in the dock, and the station is at work."""
    world = World(directory, rules, **more)  # type: ignore[arg-type]
    world.issued()
    for at in range(3):
        world.records(f"filename-{at}.mp4", world.clock.now() + timedelta(minutes=at))
    world.clock.advance(timedelta(hours=LATE_HOURS))
    async with visiting(house_of(world)) as desk, at_work(world.bed):
        pins = await with_pins(desk.house, **{OFFICER: PIN, OTHER: "419273", "001": PIN})
        world.card.plug()
        await world.bed.until_settled(world.card)
        touched = Touched(world, desk, pins)
        await touched.opens()
        yield touched
        world.card.unplug()


@pytest.fixture
async def wall(tmp_path: Path) -> AsyncIterator[Touched]:
    async with standing(tmp_path) as made:
        yield made


def key_of(text: str, recorder: str) -> str:
    """The name of the card of this recorder."""
    return next(re.search(r'data-key="(\w+)"', card)[1] for card in text.split("<button")[1:] if recorder in card)


def lines(text: str) -> list[str]:
    return re.findall(r'name="record" value="(\w+)"', text)


# --- who he is ---------------------------------------------------------------------------------------------------


async def test_with_his_pin_he_sees_his_recordings_and_their_article_and_no_file(wall):
    _, text = await wall.ticket()
    records = wall.world.bed.records(DEVICE)
    assert sorted(lines(text)) == sorted(record.id for record in records)
    assert "《福州市城市管理委员会行政执法音像记录设备配备使用管理监督规定》第十七条" in text
    assert "逾期移交" in text
    assert "filename" not in text
    assert "李警官" in text  # he sees that it is he


@pytest.mark.parametrize(("person", "pin"), [(OFFICER, "000000"), ("nobody", PIN), ("", PIN), ("001", PIN)])
async def test_a_wrong_pin_an_unknown_number_and_somebody_who_is_no_officer_read_alike(wall, person, pin):
    asked = wall.pins.asked
    answer = await wall.says(person, pin)
    assert "工号不存在，或 PIN 码不正确。" in answer.text
    assert "ticket" not in answer.text
    assert wall.pins.asked == asked + 1  # it costs the same whoever it is


async def test_what_is_another_officers_is_not_shown_to_him(wall):
    ticket, text = await wall.ticket(OTHER, "419273")
    assert lines(text) == []
    (record, *_) = wall.world.bed.records(DEVICE)
    answer = await wall.sends("say", ticket=ticket, do="tag", record=record.id, important="yes")
    assert "请先选择记录。" in answer.text
    assert wall.entries(Tagged) == []


async def test_after_too_many_tries_both_wait(wall):
    most = wall.desk.house.settings.web.tries
    for _ in range(most):
        await wall.says(OFFICER, "000000")
    asked = wall.pins.asked
    assert "失败次数过多" in (await wall.says()).text
    assert wall.pins.asked == asked
    assert await wall.ticket(OTHER, "419273")  # nobody else waits for it
    wall.world.clock.advance(timedelta(seconds=wall.desk.house.settings.web.tries_within_s + 1))
    run = wall.world.bed.settings
    await until(lambda: overview.published(run).at >= wall.world.clock.now())  # it says again what is docked
    await wall.opens()
    assert await wall.ticket()


async def test_what_worked_is_no_failure(wall):
    for _ in range(wall.desk.house.settings.web.tries + 2):
        await wall.ticket()


async def test_a_pin_does_not_pass_over_the_network_without_encryption(tmp_path):
    async with standing(tmp_path, overrides={"web": {"screens": ["127.0.0.0/8", "203.0.113.0/24"]}}) as wall:
        answer = await wall.says(address=FAR)
        assert "PIN 码不能以未加密方式经过网络" in answer.text
        assert wall.pins.asked == 0
        secure = wall.desk.visitor(address=FAR)
        sent = await secure.post(f"/wall/slot/{wall.key}/who", person=OFFICER, pin=PIN)
        assert 'name="ticket"' in sent.text


async def test_a_ticket_holds_three_minutes_for_one_recorder(wall):
    ticket, text = await wall.ticket()
    wall.world.clock.advance(TICKET_FOR)
    answer = await wall.sends("say", ticket=ticket, do="tag", record=lines(text)[0], important="yes")
    assert "已超时" in answer.text
    assert wall.entries(Tagged) == []
    other = wall.world.bed.recorder("F1-0002")
    other.plug("usb-2", slot=2)
    await until_page(wall.page, "F1-0002")
    ticket, _ = await wall.ticket()
    mine = wall.key
    card = wall.key = key_of(await wall.page(), "F1-0002")
    assert "已超时" in (await wall.sends("say", ticket=ticket, do="trip")).text
    assert mine != card
    other.unplug()


async def test_nothing_is_said_from_another_site(wall):
    ticket, text = await wall.ticket()
    visitor = wall.desk.screen()
    said = {"ticket": ticket, "do": "tag", "record": lines(text)[0], "important": "yes"}
    for headers in ({}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site", "origin": "null"}):
        answer = await visitor.client.post(f"/wall/slot/{wall.key}/say", data=said, headers=headers)
        assert answer.status_code == 403
    assert wall.entries(Tagged) == []


# --- what he says ------------------------------------------------------------------------------------------------


async def test_he_tags_and_the_ledger_has_it_as_his_statement(wall):
    ticket, text = await wall.ticket()
    first, second, _ = lines(text)
    answer = await wall.sends(
        "say", ticket=ticket, do="tag", record=[first, second], tag=["dispute", "no-such-tag"],
        category="占道经营", event="现场处置", important="yes",
    )  # fmt: skip
    assert "已作为您本人的陈述记入台账。" in answer.text
    assert "现场发生纠纷冲突" in answer.text
    told = wall.entries(Tagged)
    assert {entry.fact.record for entry in told} == {first, second}
    assert {(entry.actor.name, entry.actor.role) for entry in told} == {(OFFICER, "officer")}
    label = told[0].fact.label
    assert (label.tags, label.category, label.event, label.important) == ({"dispute"}, "占道经营", "现场处置", True)
    assert label.note == ""


async def test_he_says_why_it_is_late_with_a_reason_of_the_pack(wall):
    ticket, text = await wall.ticket()
    assert text.count("checked") == 3  # what presses is chosen already
    answer = await wall.sends("say", ticket=ticket, do="late", record=lines(text), reason="weather", text="山路封闭")
    assert "记入台账" in answer.text
    (told,) = wall.world.bed.ask(lambda ledger: ledger.matters(Explanation))
    assert (told.what, told.person, told.written_by, told.state) == ("late", OFFICER, OFFICER, "given")
    assert (told.reason, told.text) == ("weather", "天气情况恶劣；山路封闭")
    assert set(told.records) == set(lines(text))
    assert "已提交说明" in answer.text
    assert "checked" not in answer.text


async def test_he_says_why_it_was_interrupted(wall):
    ticket, text = await wall.ticket()
    await wall.sends("say", ticket=ticket, do="interruption", record=lines(text)[0], reason="battery-low")
    (told,) = wall.world.bed.ask(lambda ledger: ledger.matters(Explanation))
    assert (told.what, told.reason, told.text) == ("interruption", "battery-low", "电量不足")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"do": "tag", "important": "yes"}, "请先选择记录。"),
        ({"do": "tag", "record": "all"}, "请先选择标记。"),
        ({"do": "late", "record": "all"}, "请选择原因或填写说明。"),
        ({"do": "late", "record": "all", "reason": "no-such-reason"}, "请选择原因或填写说明。"),
        ({"do": "trip", "trip": "trip-9"}, "没有您的这次外出登记。"),
        ({"do": "activity", "began": "yesterday", "ended": ""}, "时间未填或不正确。"),
        ({"do": "enter-person"}, "未选择要办理的事项。"),
    ],
)
async def test_what_is_missing_is_said_in_a_sentence_and_nothing_is_entered(wall, said, told):
    ticket, text = await wall.ticket()
    before = len(wall.world.bed.entries())
    said = {**said, **({"record": lines(text)} if said.get("record") == "all" else {})}
    answer = await wall.sends("say", ticket=ticket, **said)
    assert told in answer.text
    assert [e for e in wall.world.bed.entries()[before:] if e.actor.name == OFFICER] == []


async def test_he_says_that_his_activity_ended(wall):
    ticket, _ = await wall.ticket()
    zone = wall.desk.house.zone
    began = wall.world.clock.now() - timedelta(hours=LATE_HOURS)
    ended = began + timedelta(hours=2)
    form = {"began": f"{began.astimezone(zone):%Y-%m-%dT%H:%M}", "ended": f"{ended.astimezone(zone):%Y-%m-%dT%H:%M}"}
    answer = await wall.sends("say", ticket=ticket, do="activity", **form)
    assert "记入台账" in answer.text
    (told,) = wall.world.bed.ask(lambda ledger: ledger.matters(Activity))
    assert (told.person, told.device) == (OFFICER, DEVICE)
    assert told.began == began.replace(second=0, microsecond=0)


async def test_he_says_that_his_trip_is_over_and_it_is_judged_again(tmp_path):
    async with standing(tmp_path, "S0-siping-tiedong") as wall:
        world = wall.world
        away = {"person": OFFICER, "device": DEVICE, "out": world.clock.now() - timedelta(hours=LATE_HOURS + 1)}
        ground = wall.desk.house.law.pack.deadline.away.grounds[0].id
        await wall.elsewhere("begin-trip", **away, ground=ground)
        ticket, text = await wall.ticket()
        trip = re.search(r'<option value="(trip-\d+)"', text)[1]
        back = f"{world.clock.now().astimezone(wall.desk.house.zone):%Y-%m-%dT%H:%M}"
        answer = await wall.sends("say", ticket=ticket, do="trip", trip=trip, back=back)
        assert "记入台账" in answer.text
        (told,) = world.bed.ask(lambda ledger: ledger.matters(Trip))
        assert told.state == "back"
        assert "<option" not in answer.text


async def test_without_a_daemon_he_is_told_and_nothing_is_lost(tmp_path):
    async with standing(tmp_path) as wall:
        ticket, text = await wall.ticket()
        sock = wall.world.bed.settings.paths.run / "desk.sock"
        sock.rename(sock.with_name("away"))
        answer = await wall.sends("say", ticket=ticket, do="tag", record=lines(text)[0], important="yes")
        assert 'role="alert"' in answer.text
        assert wall.entries(Tagged) == []
        sock.with_name("away").rename(sock)


# --- the number alone --------------------------------------------------------------------------------------------


async def test_by_his_badge_number_alone_it_stands_with_what_he_says(tmp_path):
    async with standing(tmp_path, overrides={"web": {"identify": "badge"}}) as wall:
        assert 'name="pin"' not in await wall.opens()
        ticket, text = await wall.ticket(pin="")
        assert wall.pins.asked == 0
        first, second, _ = lines(text)
        await wall.sends("say", ticket=ticket, do="tag", record=first, important="yes")
        assert wall.entries(Tagged)[0].fact.label.note == BADGE_ONLY
        await wall.sends("say", ticket=ticket, do="late", record=second, reason="weather")
        (told,) = wall.world.bed.ask(lambda ledger: ledger.matters(Explanation))
        assert told.text == f"天气情况恶劣；{BADGE_ONLY}"
        span = {"began": "2026-03-01T08:00", "ended": "2026-03-01T09:00"}
        answer = await wall.sends("say", ticket=ticket, do="activity", **span)
        assert "仅报工号不能登记" in answer.text
        assert "登记活动结束" not in text


async def test_a_note_of_somebody_else_stays_beside_it(tmp_path):
    async with standing(tmp_path, overrides={"web": {"identify": "badge"}}) as wall:
        ticket, text = await wall.ticket(pin="")
        first, second, _ = lines(text)
        await wall.elsewhere("tag", records=[first], note="见案卷")
        await wall.sends("say", ticket=ticket, do="tag", record=[first, second], important="yes")
        notes = {record.id: record.label.note for record in wall.world.bed.records(DEVICE)}
        assert (notes[first], notes[second]) == (f"见案卷 {BADGE_ONLY}", BADGE_ONLY)


async def test_badge_numbers_are_not_tried_out_for_ever(tmp_path):
    async with standing(tmp_path, overrides={"web": {"identify": "badge", "tries": 2}}) as wall:
        for _ in range(2):
            assert "工号不存在" in (await wall.says("777", "")).text
        assert "失败次数过多" in (await wall.says("777", "")).text
