"""Papers on the desk: chosen, made, looked at in a document of their own, entered as exactly what they are."""

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from bwcdock.core.desk.papers import Paper
from bwcdock.papers.registry import KINDS
from bwcdock.web.made import MOST, File, Made
from bwcdock.web.safety import CSP
from desk_world import DEVICE, HEAD, KEEPER, OFFICER, OTHER, World, china
from web_world import Desk, Visitor, attended, house_of, visiting, world_in


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """One matter for each paper."""
    world = world_in(tmp_path)
    world.issued()
    world.at("2026-03-05 12:00")
    world.records("<s>a</s>.mp4", china("2026-03-02 10:00"))
    await world.docks()
    record = world.record("<s>a</s>.mp4").id
    said = {"person": OFFICER, "records": [record], "text": "<s>说明</s>"}
    world.does(world.officer, "explain", what="late", **said)
    world.does(world.officer, "explain", what="interruption", reason="battery-low", **said)
    world.does(world.officer, "explain", what="not_recorded", person=OFFICER, reason="urgent", basis="第八条")
    world.does(world.custodian, "hand-over", giver=OFFICER, taker=OTHER)
    world.does(world.custodian, "enter-person", person="020", name="督察", roles=["supervision-office"])
    span = {"since": china("2026-03-01 00:00"), "until": china("2026-03-06 00:00")}
    world.does(("020", "supervision-office"), "draw-check", unit="unit", percent=100, seed="7", **span)
    return world


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    async with visiting(house_of(world)) as made:
        yield made


def keeper(desk: Desk) -> Visitor:
    return desk.signed_in(KEEPER, "administrator")


def subjects(world: World) -> dict[str, str]:
    record = world.record("<s>a</s>.mp4")
    return {
        "receipt": record.session, "evidence": record.id, "access-register": "", "interruption": "explanation-2",
        "unrecorded": "explanation-3", "late": "explanation-1", "issues": DEVICE, "handover": "handover-1",
        "equipment": "", "spot-check": "check-1",
    }  # fmt: skip


async def test_every_paper_is_there_and_can_be_made(world: World, desk: Desk) -> None:
    visitor, about = keeper(desk), subjects(world)
    page = (await visitor.get("/desk/papers")).text
    assert about.keys() == {kind.id for kind in KINDS}
    for kind in KINDS:
        assert f'href="/desk/papers/{kind.id}"' in page
        form = await visitor.get(f"/desk/papers/{kind.id}")
        assert form.status_code == 200
        if about[kind.id] and "…" not in kind.subjects:
            assert f'<option value="{about[kind.id]}"' in form.text, kind.id
        made = await visitor.post(f"/desk/papers/{kind.id}/made", subject=about[kind.id])
        assert made.status_code == 200, (kind.id, made.text)
        assert len(re.findall(r'href="/desk/papers/file/[0-9a-f]{64}"', made.text)) == 2, kind.id


async def made_files(visitor: Visitor, kind: str, **said: str) -> list[str]:
    answer = await visitor.post(f"/desk/papers/{kind}/made", **said)
    assert answer.status_code == 200, answer.text
    return re.findall(r'href="/desk/papers/file/([0-9a-f]{64})"', answer.text)


async def test_a_paper_is_a_document_of_its_own_that_can_do_nothing(world: World, desk: Desk) -> None:
    visitor = keeper(desk)
    page, printed = await made_files(visitor, "late", subject="explanation-1")
    answer = await visitor.get(f"/desk/papers/file/{page}")
    assert hashlib.sha256(answer.content).hexdigest() == page
    assert "<s>" not in answer.text
    assert "&lt;s&gt;说明" in answer.text
    assert answer.headers["content-disposition"].startswith("inline; filename*=UTF-8''")
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy != CSP.split("; ")
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'none'", "style-src 'unsafe-inline'"} <= set(policy)
    assert not any(each.startswith(("script-src", "sandbox allow")) for each in policy)
    assert answer.headers["cache-control"] == "no-store"
    pdf = await visitor.get(f"/desk/papers/file/{printed}")
    assert pdf.content.startswith(b"%PDF-")
    assert pdf.headers["content-disposition"].startswith("attachment; ")
    assert hashlib.sha256(pdf.content).hexdigest() == printed
    assert (await visitor.get("/desk/papers")).headers["content-security-policy"] == CSP


async def test_exactly_what_was_given_out_is_entered_as_issued(world: World, desk: Desk) -> None:
    visitor = keeper(desk)
    made = await visitor.post("/desk/papers/issues/made", subject=DEVICE)
    page, printed = re.findall(r'href="/desk/papers/file/([0-9a-f]{64})"', made.text)
    assert f"&amp;sha256={printed}&amp;copies=1" in made.text
    assert f"&amp;paper=issues&amp;subject={DEVICE}&amp;sha256={page}" in made.text
    world.at("2026-03-05 12:10")
    given = await visitor.get(f"/desk/papers/file/{printed}")  # minutes later they are the same bytes
    digest = hashlib.sha256(given.content).hexdigest()
    async with attended(world):
        said = {"paper": "issues", "subject": DEVICE, "sha256": digest, "copies": "2", "next": "/desk/papers"}
        assert (await visitor.post("/desk/act/issue-paper", **said)).status_code == 303
    (issued,) = world.bed.ask(lambda ledger: ledger.matters(Paper))
    assert (issued.sha256, issued.copies, issued.by) == (printed, 2, KEEPER)
    text = (await visitor.get("/desk/papers")).text
    assert printed in text
    assert "领用归还登记" in text


async def test_the_fields_of_a_sheet_are_those_the_regulation_asks_for(world: World, desk: Desk) -> None:
    visitor, record = keeper(desk), world.record("<s>a</s>.mp4").id
    assert 'name="field.' not in (await visitor.get("/desk/papers/evidence")).text
    form = (await visitor.get(f"/desk/papers/evidence?subject={record}")).text
    names = re.findall(r'name="field\.([^"]+)"', form)
    assert names
    filled = {"subject": record, f"field.{names[0]}": "<s>某人</s>"}
    page, _ = await made_files(visitor, "evidence", **filled)
    assert "&lt;s&gt;某人&lt;/s&gt;" in (await visitor.get(f"/desk/papers/file/{page}")).text


async def test_what_is_filled_in_is_sent_and_stands_in_no_address(world: World, desk: Desk) -> None:
    visitor, record = keeper(desk), world.record("<s>a</s>.mp4").id
    form = (await visitor.get(f"/desk/papers/evidence?subject={record}")).text
    name = re.findall(r'name="(field\.[^"]+)"', form)[0]
    assert re.findall(r'<form method="(\w+)" action="/desk/papers', form) == ["post"]
    made = await visitor.post("/desk/papers/evidence/made", **{"subject": record, name: "某当事人"})
    links = re.findall(r'(?:href|action)="([^"]*)"', made.text)
    assert links
    assert not any("某当事人" in unquote(link) or "field." in link for link in links)
    again = await visitor.post("/desk/papers/evidence", **hidden(made.text, "/desk/papers/evidence"))
    assert f'name="{name}" maxlength="200" value="某当事人"' in again.text
    assert record in again.text
    # What somebody puts into an address all the same is not taken from there.
    assert "某当事人" not in (await visitor.get(f"/desk/papers/evidence?subject={record}&{name}=某当事人")).text
    gone = await visitor.get("/desk/papers/evidence/made?lang=en")
    assert (gone.status_code, gone.headers["location"]) == (303, "/desk/papers/evidence")


async def test_a_paper_is_made_from_a_form_of_this_session_alone(world: World, desk: Desk) -> None:
    visitor = keeper(desk)
    for path in ("late/made", "late"):
        answer = await visitor.post(f"/desk/papers/{path}", subject="explanation-1", csrf="x" * 43)
        assert answer.status_code == 403, path
        assert "此表单属于另一次登录" in answer.text
    base = str(visitor.client.base_url)
    said = {"subject": "explanation-1", "csrf": visitor.csrf}
    foreign = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site"}
    assert (await visitor.client.post(f"{base}/desk/papers/late/made", data=said, headers=foreign)).status_code == 403


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes there."""
    (form,) = re.findall(rf'<form method="post" action="{action}">(.*?)</form>', page, re.DOTALL)
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))


@pytest.mark.parametrize(
    "asked",
    [
        ("evidence", ""), ("evidence", "<s>"), ("late", "explanation-2"), ("receipt", ".."), ("issues", "nobody"),
        ("spot-check", "check-1\ncheck-2"),
    ],
)  # fmt: skip
async def test_what_cannot_be_made_is_said_beside_the_form(world: World, desk: Desk, asked: tuple[str, str]) -> None:
    kind, subject = asked
    answer = await keeper(desk).post(f"/desk/papers/{kind}/made", subject=subject)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "<s>" not in answer.text


async def test_without_a_font_the_page_is_there_and_the_pdf_says_why_not(tmp_path: Path) -> None:
    world = world_in(tmp_path, overrides={"papers": {"font": str(tmp_path / "none.ttf")}})
    async with visiting(house_of(world)) as desk:
        answer = await keeper(desk).post("/desk/papers/equipment/made")
        assert answer.status_code == 200
        assert len(re.findall(r'href="/desk/papers/file/[0-9a-f]{64}"', answer.text)) == 1
        assert "none.ttf不能用于打印中文" in answer.text


async def test_papers_are_for_those_who_may_make_them(world: World, desk: Desk) -> None:
    page, _ = await made_files(keeper(desk), "equipment")
    officer = desk.signed_in(OFFICER, "officer")
    for path in ("", "/equipment", "/equipment/made", f"/file/{page}"):
        assert (await officer.get(f"/desk/papers{path}")).status_code == 403, path
    assert (await officer.post("/desk/papers/equipment/made")).status_code == 403
    assert (await desk.signed_in(HEAD, "unit-head").get(f"/desk/papers/file/{page}")).status_code == 200
    for path in ("nothing", "nothing/made", f"file/{'0' * 64}"):
        assert (await keeper(desk).get(f"/desk/papers/{path}")).status_code == 404, path


def test_only_so_many_papers_are_kept() -> None:
    made = Made()
    kept = [made.put(File(data=str(n).encode(), media="text/html", name="x")) for n in range(MOST + 3)]
    assert [made.get(digest) is not None for digest in kept[:4]] == [False, False, False, True]
    assert made.get(kept[-1]) is not None
    made.put(File(data=b"3", media="text/html", name="x"))  # made again, it is the newest
    made.put(File(data=b"one more", media="text/html", name="x"))
    assert [made.get(digest) is not None for digest in kept[3:5]] == [True, False]


def test_only_so_many_bytes_of_papers_are_kept() -> None:
    made = Made()
    first = made.put(File(data=b"1", media="text/html", name="x"))
    large = File(data=bytes(70 << 20), media="application/pdf", name="x")
    assert made.get(made.put(large)) is large
    assert made.get(first) is None
    small = [made.put(File(data=data, media="text/html", name="x")) for data in (b"2", b"3")]
    assert made.get(large.sha256) is None
    assert all(made.get(digest) for digest in small)
