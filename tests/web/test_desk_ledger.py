"""The ledger on the desk: found by what is asked, read in words and as it was signed, each entry proven or not."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bwcdock.core.facts import Fact, Finding, Found, Sealed, Severity
from bwcdock.core.statements import AccessRequested
from bwcdock.core.vocabulary import ALL_FACTS
from bwcdock.desk.entries_zh import ENTRY_ZH, FIELD_ZH
from bwcdock.ledger import open_read_only, tree
from bwcdock.ledger.schema import LEDGER_FILE
from bwcdock.steps import housekeeping
from desk_world import DEVICE, HEAD, KEEPER, OFFICER, World, china
from fact_names import names_in
from markupsafe import escape
from web_world import Desk, Visitor, house_of, visiting, world_in


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """A recording with all its entries, a request with hostile words, everything under a signed head."""
    world = world_in(tmp_path)
    world.issued()
    world.at("2026-03-02 12:00")
    world.records("a.mp4", china("2026-03-02 10:00"))
    await world.docks()
    said = {"access": "copy", "applicant": "<s>某人</s>\u202e", "records": [world.record("a.mp4").id]}
    world.does(world.officer, "request-access", **said, reason="<s>研判</s>")
    with world.bed.bench() as bench:
        housekeeping.sign_head(bench)
    return world


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


def keeper(desk: Desk) -> Visitor:
    return desk.signed_in(KEEPER, "administrator")


async def seen(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status_code == 200, path
    assert "<s>" not in answer.text
    assert "\u202e" not in answer.text
    return answer.text


def rows(page: str) -> list[str]:
    """The kinds of the entries listed, in order."""
    lines = page.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]
    return [line.split("<td")[2].partition(">")[2].partition("<")[0] for line in lines]


def test_every_kind_of_entry_and_every_field_has_its_word() -> None:
    assert ENTRY_ZH.keys() == {fact.ev for fact in ALL_FACTS}
    assert FIELD_ZH.keys() == names_in(ALL_FACTS)


async def test_entries_are_found_by_what_is_asked(world: World, desk: Desk) -> None:
    visitor, record = keeper(desk), world.record("a.mp4").id
    assert rows(await seen(visitor, "/desk/ledger"))[0] == "申请调阅"
    assert rows(await seen(visitor, "/desk/ledger?ev=record.sealed")) == ["封存文件"]
    of_record = rows(await seen(visitor, f"/desk/ledger?record={record}"))
    assert of_record[-1] == "登记文件"
    assert rows(await seen(visitor, f"/desk/ledger?record={record[:10]}")) == of_record
    assert "领用" in rows(await seen(visitor, f"/desk/ledger?recorder={DEVICE}"))
    assert rows(await seen(visitor, f"/desk/ledger?person={OFFICER}")) == ["申请调阅"]
    assert 'class="nothing"' in await seen(visitor, "/desk/ledger?person=nobody")
    assert "&lt;s&gt;研判" in await seen(visitor, f"/desk/ledger?person={OFFICER}")


async def test_a_page_goes_on_where_the_one_before_ended(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bwcdock.desk.lists.PAGE", 7)
    with open_read_only(world.bed.settings.paths.ledger) as ledger:
        size = ledger.size
    path, found = "/desk/ledger", 0
    while path:
        page = await seen(keeper(desk), path)
        found += len(rows(page))
        found_after = re.search(r'\?after=([^"&]*)"', page)  # not that of the other language, which keeps it too
        after = found_after[1] if found_after else ""
        path = f"/desk/ledger?after={after}" if after else ""
    assert found == size


async def test_an_entry_is_proven_under_the_signed_head(world: World, desk: Desk) -> None:
    with open_read_only(world.bed.settings.paths.ledger) as ledger:
        last, head = ledger.size - 1, ledger.last_head()
        body = ledger.leaf(last)
        assert head is not None
        path = ledger.inclusion(last, head.checkpoint.size)
    page = await seen(keeper(desk), f"/desk/ledger/{last}")
    assert "已证明" in page
    assert tree.leaf_hash(body).hex() in page
    assert path
    assert all(each.hex() in page for each in path)
    assert str(escape(head.checkpoint.note)) in page
    assert "&lt;s&gt;某人" in page
    assert json.loads(body)["subject"]["matter"] in page
    assert f'href="/desk/ledger/{last - 1}"' in page


async def test_chosen_words_are_told_in_the_language_of_the_page(world: World, desk: Desk) -> None:
    visitor = keeper(desk)
    requested = newest(world, AccessRequested)
    page = await seen(visitor, f"/desk/ledger/{requested}")
    shown = page.partition('<h2 id="proof"')[0]
    assert "<dd>复制</dd>" in shown
    assert "单位负责人" in shown
    assert "copy" not in shown
    english = (await seen(visitor, f"/desk/ledger/{requested}?lang=en")).partition('<h2 id="proof"')[0]
    assert "<dd>copy</dd>" in english
    assert "复制 · " in await seen(visitor, "/desk/ledger?ev=access.requested&lang=zh")
    sealed = newest(world, Sealed)
    assert "回读校验" in await seen(visitor, f"/desk/ledger/{sealed}?lang=zh")


async def test_a_finding_is_told_by_its_code(world: World, desk: Desk) -> None:
    finding = Finding(severity=Severity.WARN, code="clock.unknown", what="The clock is odd.", remedy="Look at it.")
    with world.bed.bench() as bench:
        bench.book.record([Found(recorder=DEVICE, finding=finding)])
    found = newest(world, Found)
    shown = (await seen(keeper(desk), f"/desk/ledger/{found}")).partition('<h2 id="proof"')[0]
    assert "无法得知记录仪的时钟是否准确。" in shown
    assert "<dd>警告</dd>" in shown
    assert "The clock is odd." not in shown
    assert "The clock is odd." in await seen(keeper(desk), f"/desk/ledger/{found}?lang=en")


def newest(world: World, kind: type[Fact]) -> int:
    """The number of the newest entry of this kind."""
    entry = world.bed.ask(lambda ledger: ledger.last(kind.ev))
    assert entry is not None
    return entry.seq


async def test_what_no_head_covers_yet_is_not_called_proven(world: World, desk: Desk) -> None:
    world.does(world.officer, "open-case", case="A1")
    with open_read_only(world.bed.settings.paths.ledger) as ledger:
        last = ledger.size - 1
    page = await seen(keeper(desk), f"/desk/ledger/{last}")
    assert "尚未签名" in page
    assert "已证明" not in page


async def test_an_entry_that_was_changed_is_called_that(world: World, desk: Desk) -> None:
    with open_read_only(world.bed.settings.paths.ledger) as ledger:
        seq = next(entry.seq for entry in ledger.history(ev="access.requested"))
        body = ledger.leaf(seq)
    changed = body.replace("研判".encode(), "偷看".encode())
    with sqlite3.connect(world.bed.settings.paths.ledger / LEDGER_FILE) as db:
        db.execute("DROP TRIGGER leaf_stands")
        db.execute("UPDATE leaf SET body = ? WHERE seq = ?", (changed, seq))
    db.close()
    page = await seen(keeper(desk), f"/desk/ledger/{seq}")
    assert "与已签名的树根不符" in page
    assert "已证明" not in page
    checked = await seen(keeper(desk), "/desk/ledger/check")
    assert "发现不符" in checked
    assert "head.root" in checked


async def test_the_newest_entries_are_checked_again_on_asking(world: World, desk: Desk) -> None:
    page = await seen(keeper(desk), "/desk/ledger/check")
    with open_read_only(world.bed.settings.paths.ledger) as ledger:
        assert f"最新 {ledger.size} 条全部相符" in page


async def test_the_heads_the_key_and_the_witnesses_are_shown(world: World, desk: Desk) -> None:
    with open_read_only(world.bed.settings.paths.ledger) as ledger:
        head, key = ledger.last_head(), ledger.founded.public_key
    page = await seen(desk.signed_in(HEAD, "unit-head"), "/desk/ledger")
    assert head is not None
    assert str(escape(head.checkpoint.note)) in page
    assert str(escape(key)) in page
    assert "目前未知" in page  # nobody works here who could say what central storage has seen


@pytest.mark.parametrize("number", ["99999", "-1", "x", "1e3", "٣", "9" * 40])
async def test_what_is_no_number_of_an_entry_is_not_found(desk: Desk, number: str) -> None:
    assert (await keeper(desk).get(f"/desk/ledger/{number}")).status_code == 404
    assert (await desk.signed_in(OFFICER, "officer").get(f"/desk/ledger/{number}")).status_code == 403
