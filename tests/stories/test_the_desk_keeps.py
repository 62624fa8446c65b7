"""What recordings are, who may see them, how long they stay: tags, cases, requests, spot checks, holds, the end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from bwcdock.core.desk import checking
from bwcdock.core.desk.access import Access
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.expiring import Expiry
from bwcdock.core.facts import Obliged
from bwcdock.core.statements import Tagged
from bwcdock.desk import asking
from bwcdock.steps.held import held
from desk_world import DEVICE, HEAD, KEEPER, OFFICER, OTHER, SECOND_HEAD, World, china
from test_the_desk_registers import _law


@pytest.fixture
async def world(tmp_path):
    """Two recordings of an issued recorder, in central storage."""
    world = World(tmp_path, "S4-fuzhou")
    world.issued()
    world.at("2026-03-02 12:00")
    world.records("a.mp4", china("2026-03-02 10:00"))
    world.records("b.mp4", china("2026-03-02 11:00"))
    await world.docks()
    return world


# --- tags -------------------------------------------------------------------------------------------------------------


async def test_a_tag_lengthens_the_keeping_and_no_untagging_shortens_it(world):
    """S4 第十九条第（三）项第3目: 发生矛盾纠纷事件的 … 永久保存."""
    record = world.record("a.mp4")
    assert not record.obligation.permanent
    assert "no tag 'funny'" in world.is_refused(world.officer, "tag", records=[record.id], tags=["funny"])
    assert "no recording" in world.is_refused(world.officer, "tag", records=["0" * 32], tags=["dispute"])
    world.does(world.officer, "tag", records=[record.id[:10]], tags=["dispute"], place="五一广场", parties=["某公司"])
    tagged = world.record("a.mp4")
    assert (tagged.obligation.permanent, tagged.obligation.keep_article) == (True, "第十九条第（三）项第3目")
    assert tagged.label.place == "五一广场"
    assert (tagged.digests, tagged.copies) == (record.digests, record.copies)
    assert "labelled so already" in world.is_refused(world.officer, "tag", records=[record.id], tags=["dispute"])
    world.does(world.officer, "tag", records=[record.id], untag=["dispute"])
    untagged = world.record("a.mp4")
    assert untagged.label.tags == frozenset()
    assert untagged.label.place == "五一广场"
    assert untagged.obligation.permanent
    assert len(world.bed.facts(Tagged, record=record.id)) == 2
    assert len(world.bed.facts(Obliged, record=record.id)) == len(world.judgements(record))
    world.bed.must_agree()


async def test_what_is_secret_is_marked(world):
    record = world.record("a.mp4")
    world.does(world.officer, "tag", records=[record.id], sensitive="secret", unrelated=True)
    label = world.record("a.mp4").label
    assert (label.sensitive, label.unrelated) == ("secret", True)


# --- cases ------------------------------------------------------------------------------------------------------------


async def test_a_case_is_filed_within_thirty_days_of_its_end(world):
    """S4 第十九条第（二）项: 执法人员应当在案件终结之日起30日内 … 形成案卷."""
    record, number = world.record("a.mp4"), "榕城罚〔2026〕7号"
    assert "no case" in world.is_refused(world.officer, "tag", records=[record.id], case=number)
    world.does(world.officer, "open-case", case=number, category="行政处罚", handler=OFFICER)
    world.does(world.officer, "tag", records=[record.id], case=number, tags=["case"])
    assert [r.id for r in world.bed.ask(asking.unbound)] == [world.record("b.mp4").id]
    assert "in the future" in world.is_refused(
        world.officer, "step-case", case=number, step="case_closed", moment=china("2026-05-01 10:00")
    )
    world.at("2026-03-10 15:00")
    assert "not possible" in world.is_refused(world.officer, "archive-case", case=number, file="卷7")
    world.does(world.officer, "step-case", case=number, step="case_closed", moment=china("2026-03-10 14:00"))
    ((case, due),) = world.bed.ask(lambda ledger: asking.archive(ledger, _law(world)))
    assert (case.id, due.archive.article, due.counted.due) == (number, "第十九条第（二）项", china("2026-04-10 00:00"))
    (told,) = [w for w in _waiting(world) if w.what == "案卷待归档"]
    assert told.due == china("2026-04-10 00:00")
    world.does(world.officer, "archive-case", case=number, file="卷7")
    assert world.bed.ask(lambda ledger: ledger.matter(Case, number)).files == 1
    assert world.bed.ask(lambda ledger: asking.archive(ledger, _law(world))) == ()


def _waiting(world):
    return world.bed.ask(lambda ledger: asking.waiting(ledger, _law(world), world.clock.now()))


# --- access -----------------------------------------------------------------------------------------------------------


async def test_viewing_is_approved_by_the_head_and_done_by_the_administrator(world):
    """S4 第二十条、第二十一条: 应经执法单位负责人批准 … 应当由管理员统一办理 … 详细登记."""
    record = world.record("a.mp4")
    said = {"access": "copy", "applicant": "赵警官", "records": [record.id]}
    assert "why (事由)" in world.is_refused(world.officer, "request-access", **said, reason=" ")
    request = world.does((OTHER, "officer"), "request-access", **said, reason="案情研判").matter
    used = {"request": request, "how": "copied", "who": "赵警官"}
    assert "not possible" in world.is_refused(world.custodian, "use-access", **used, copies=1)
    assert "next to decide" in world.is_refused(world.custodian, "approve", request=request)
    world.does(world.head, "approve", request=request)
    assert "may not do this" in world.is_refused(world.officer, "use-access", **used, copies=1)
    assert "number of copies" in world.is_refused(world.custodian, "use-access", **used)
    world.does(world.custodian, "use-access", **used, copies=1)
    access = world.bed.ask(lambda ledger: ledger.matter(Access, request))
    # 调阅人、复制人、审批人、时间、事由
    line = access.used[0]
    assert (line.who, line.by, line.copies, line.at) == ("赵警官", KEEPER, 1, world.clock.now())
    assert ([agreed.by for agreed in access.agreed], access.reason) == ([HEAD], "案情研判")
    assert access.article == "第二十条"


async def test_nothing_is_copied_by_a_request_to_view(world):
    said = {"applicant": "赵警官", "records": [world.record("a.mp4").id], "reason": "研判"}
    request = world.does(world.officer, "request-access", access="view_inside", **said).matter
    world.does(world.head, "approve", request=request)
    copied = {"request": request, "how": "copied", "who": "赵警官", "copies": 1}
    assert "granted for viewing" in world.is_refused(world.custodian, "use-access", **copied)
    world.does(world.custodian, "use-access", request=request, how="viewed", who="赵警官")


async def test_nobody_approves_what_he_asked_for(world):
    said = {"access": "copy", "applicant": "x", "records": [world.record("a.mp4").id], "reason": "研判"}
    request = world.does(world.head, "request-access", **said).matter
    assert "another person must decide" in world.is_refused(world.head, "approve", request=request)
    world.does((SECOND_HEAD, "unit-head"), "refuse", request=request, reason="无必要")
    assert "not possible" in world.is_refused((SECOND_HEAD, "unit-head"), "approve", request=request)


async def test_what_nobody_may_approve_stays_shut(world):
    said = {"applicant": "x", "records": [world.record("a.mp4").id], "reason": "宣传"}
    assert "names nobody who may approve publish" in world.is_refused(
        world.officer, "request-access", access="publish", **said
    )


async def test_a_sensitive_recording_needs_the_longer_chain_in_its_order(tmp_path):
    """S0 第十五条: 法制科审核 → 分管负责人审批; 复杂、敏感 … 应由主要负责人批准."""
    roles = ("unit-head", "legal-section", "bureau-deputy", "bureau-head")
    world = World(tmp_path, "S0-siping-tiedong", leaders=roles)
    third = "010"
    world.does(world.custodian, "enter-person", person=third, name="第三人", roles=list(roles))
    world.records("a.mp4", china("2026-03-02 08:10"))
    await world.docks()
    record = world.record("a.mp4")
    said = {"access": "view_outside", "applicant": "当事人", "records": [record.id], "reason": "查阅"}
    plain = world.does(world.officer, "request-access", **said).matter
    world.does(world.officer, "tag", records=[record.id], tags=["sensitive"])
    longer = world.does(world.officer, "request-access", **said).matter
    chains = [world.bed.ask(lambda ledger, r=r: ledger.matter(Access, r)).chain for r in (plain, longer)]
    assert chains == [("legal-section", "bureau-deputy"), ("legal-section", "bureau-deputy", "bureau-head")]
    assert "next to decide" in world.is_refused((HEAD, "bureau-head"), "approve", request=longer)
    world.does((HEAD, "legal-section"), "approve", request=longer)
    assert "another person must decide" in world.is_refused((HEAD, "bureau-deputy"), "approve", request=longer)
    world.does((SECOND_HEAD, "bureau-deputy"), "approve", request=longer)
    assert world.bed.ask(lambda ledger: ledger.matter(Access, longer)).state == "requested"
    world.does((third, "bureau-head"), "approve", request=longer)
    assert world.bed.ask(lambda ledger: ledger.matter(Access, longer)).state == "granted"


# --- spot checks ------------------------------------------------------------------------------------------------------


async def test_a_spot_check_can_be_drawn_again_by_anybody(world):
    """S4 第二十二条: 按一定比例对现场执法全过程视音频资料进行抽查,纳入执法质量考评."""
    office = ("011", "supervision-office")
    world.does(world.custodian, "enter-person", person="011", name="监督处", roles=["supervision-office"])
    said = {"unit": "unit", "since": china("2026-03-01 00:00"), "until": china("2026-03-03 00:00"), "seed": "2026-03"}
    assert "may not do this" in world.is_refused(world.officer, "draw-check", **said)
    assert "ends before" in world.is_refused(office, "draw-check", **said | {"until": said["since"]})
    assert "no sealed recording" in world.is_refused(office, "draw-check", **said | {"unit": "别的单位"})
    check = world.does(office, "draw-check", **said, percent=100).matter
    drawn = world.bed.ask(lambda ledger: ledger.matter(checking.SpotCheck, check))
    ids = [record.id for record in world.bed.records()]
    assert drawn.sample == checking.draw(reversed(ids), 100, "2026-03")
    assert drawn.population_digest == checking.digest(ids)
    first, second = drawn.sample
    assert "no point 9" in world.is_refused(office, "judge-check", check=check, record=first, wrong=[9])
    world.does(office, "judge-check", check=check, record=first, wrong=[3], remark="用语不规范")
    assert "already" in world.is_refused(office, "judge-check", check=check, record=first)
    assert "needs a reason" in world.is_refused(office, "skip-check", check=check, record=second, reason="")
    world.does(office, "skip-check", check=check, record=second, reason="涉密")
    done = world.bed.ask(lambda ledger: ledger.matter(checking.SpotCheck, check))
    assert (done.state, done.score_percent) == ("done", 75)
    assert [point for point, right in done.judged[0].points if not right] == ["执法用语、行为是否规范"]


# --- holds and the end of keeping -------------------------------------------------------------------------------------


async def test_nothing_is_erased_or_expires_under_a_hold(world):
    """S4 第十条: 执法行为被投诉的,应当及时收集、保存相关信息."""
    assert "names what it keeps" in world.is_refused(world.custodian, "hold", reason="投诉")
    assert "need a reason" in world.is_refused(world.custodian, "hold", person=OFFICER, reason="")
    hold = world.does(world.custodian, "hold", person=OFFICER, since=china("2026-03-02 10:30"), reason="投诉").matter
    records = world.bed.records()
    assert world.bed.ask(lambda ledger: held(ledger, records)) == {world.record("b.mp4").id}
    world.does(world.custodian, "lift-hold", hold=hold, reason="已办结")
    assert world.bed.ask(lambda ledger: held(ledger, records)) == frozenset()
    assert "not possible" in world.is_refused(world.custodian, "lift-hold", hold=hold, reason="x")


async def test_what_has_reached_its_end_is_destroyed_by_two_persons_and_not_by_the_program(world):
    """S2 第二十二条: 不得在保存期内销毁; here two years, and only what a person called mere guidance."""
    record, other = world.record("a.mp4"), world.record("b.mp4")
    proposed = {"records": [record.id]}
    assert "It is kept until" in world.is_refused(world.custodian, "propose-expiry", **proposed)
    world.clock.set(record.obligation.keep_until + timedelta(days=1))
    assert "Nobody has said what it shows" in world.is_refused(world.custodian, "propose-expiry", **proposed)
    world.does(world.officer, "tag", records=[record.id, other.id], tags=["guidance-only"])
    hold = world.does(world.custodian, "hold", records=[record.id], reason="诉讼").matter
    assert f"Hold {hold} keeps it" in world.is_refused(world.custodian, "propose-expiry", **proposed)
    world.does(world.custodian, "lift-hold", hold=hold, reason="结案")
    expiry = world.does(world.custodian, "propose-expiry", **proposed).matter
    ended = dict(world.bed.ask(lambda ledger: asking.may_end(ledger, world.clock.now())))
    assert set(ended.values()) == {None}
    assert "may not do this" in world.is_refused(world.officer, "approve-expiry", expiry=expiry)
    world.does(world.head, "approve-expiry", expiry=expiry)
    assert "another person must" in world.is_refused(world.head, "approve-expiry", expiry=expiry)
    # A hold that comes between the two stops it.
    late = world.does(world.custodian, "hold", device=DEVICE, reason="新投诉").matter
    assert "keeps it" in world.is_refused((SECOND_HEAD, "unit-head"), "approve-expiry", expiry=expiry)
    world.does(world.custodian, "lift-hold", hold=late, reason="撤回")
    world.does((SECOND_HEAD, "unit-head"), "approve-expiry", expiry=expiry)
    told = world.bed.ask(lambda ledger: ledger.matter(Expiry, expiry))
    assert (told.state, [agreed.by for agreed in told.agreed]) == ("approved", [HEAD, SECOND_HEAD])
    assert world.bed.central(record.held[0].key).exists()
    assert replace(world.record("a.mp4"), label=record.label, obligation=record.obligation) == record


async def test_every_act_can_be_done_and_has_its_own_word(world):
    """The paper is the last of them; no act is without somebody who does it."""
    from bwcdock.core.desk.papers import Paper
    from bwcdock.desk.acts import ACTS
    from bwcdock.desk.doing import HOW

    assert set(HOW) == set(ACTS.values())
    made = {"paper": "evidence", "subject": world.record("a.mp4").id, "sha256": "a" * 64}
    assert "sha256" in world.is_refused(world.custodian, "issue-paper", **made | {"sha256": "A"})
    done = world.does(world.custodian, "issue-paper", **made, copies=2)
    paper = world.bed.ask(lambda ledger: ledger.matter(Paper, done.matter))
    assert (paper.paper, paper.copies, paper.by) == ("evidence", 2, KEEPER)
