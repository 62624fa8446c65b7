"""Trips, activities, extensions and explanations move a deadline as the regulation says, and no further."""

import re

import pytest
from bwcdock.core.desk.explaining import Explanation
from bwcdock.core.facts import Finding, Found, Severity
from bwcdock.core.rules import Standing
from bwcdock.core.view import judge
from bwcdock.desk import asking
from bwcdock.desk import register as registers
from desk_world import DEVICE, HEAD, OFFICER, SECOND_HEAD, World, china
from test_the_desk_registers import _law

DAY = "2026-03-02"


async def test_away_from_the_unit_it_counts_from_the_return(tmp_path):
    """S0 第十三条: 确实无法及时移交资料的,应当在返回单位后二十四小时内移交."""
    world = World(tmp_path, "S0-siping-tiedong")
    trip = world.does(
        world.officer, "begin-trip", person=OFFICER, device=DEVICE, ground="remote", out=china("2026-03-02 08:00")
    ).matter
    world.records("a.mp4", china("2026-03-02 10:00"))
    world.at("2026-03-04 12:00")
    assert "before the departure" in world.is_refused(
        world.officer, "end-trip", trip=trip, back=china("2026-03-01 08:00")
    )
    assert "in the future" in world.is_refused(world.officer, "end-trip", trip=trip, back=china("2026-03-05 08:00"))
    await world.docks()
    record = world.record("a.mp4")
    assert judge(record, world.clock.now(), 0.25).kind is Standing.LATE
    # The return is entered after docking: the pack speaks again, and both judgements stay.
    done = world.does(world.officer, "end-trip", trip=trip, back=china("2026-03-04 09:00"))
    assert done.judged_again == (record.id,)
    record = world.record("a.mp4")
    assert record.due == china("2026-03-05 09:00")
    assert judge(record, world.clock.now(), 0.25).kind is Standing.MET
    assert len(world.judgements(record)) == 2
    assert "not possible any more" in world.is_refused(
        world.officer, "end-trip", trip=trip, back=china("2026-03-04 09:00")
    )
    world.bed.must_agree()


async def test_a_trip_known_before_docking_is_judged_at_once(tmp_path):
    world = World(tmp_path, "S0-siping-tiedong")
    out, back = china("2026-03-02 08:00"), china("2026-03-04 09:00")
    trip = world.does(world.officer, "begin-trip", person=OFFICER, device=DEVICE, ground="away", out=out).matter
    assert "is out on" in world.is_refused(
        world.officer, "begin-trip", person=OFFICER, device=DEVICE, ground="away", out=out
    )
    assert "no ground 'holiday'" in world.is_refused(
        world.officer, "begin-trip", person=OFFICER, device=DEVICE, ground="holiday", out=out
    )
    world.records("a.mp4", china("2026-03-02 10:00"))
    world.at("2026-03-04 10:00")
    world.does(world.officer, "end-trip", trip=trip, back=back)
    await world.docks()
    record = world.record("a.mp4")
    assert record.due == china("2026-03-05 09:00")
    assert len(world.judgements(record)) == 1


def test_a_regulation_without_an_away_case_knows_no_trip(tmp_path):
    """S1 第二十一条: 应当在24小时内; nothing else is said."""
    world = World(tmp_path, "S1-dalian-jinpu", leaders=("bureau-deputy",))
    said = {"person": OFFICER, "device": DEVICE, "ground": "away", "out": china("2026-03-02 08:00")}
    assert "第二十一条 knows no case" in world.is_refused(world.officer, "begin-trip", **said)


async def test_the_days_activity_ends_when_the_officer_says(tmp_path):
    """S3 第十三条: 当天执法活动结束后,须在第一时间导出保存."""
    world = World(tmp_path, "S3-twelfth-division", leaders=("department-head",))
    world.records("a.mp4", china("2026-03-02 08:10"))
    await world.docks()
    record = world.record("a.mp4")
    world.at("2026-03-02 18:00")
    said = {"person": OFFICER, "device": DEVICE}
    assert "before it began" in world.is_refused(
        world.officer, "end-activity", **said, began=china("2026-03-02 09:00"), ended=china("2026-03-02 08:00")
    )
    world.does(world.officer, "end-activity", **said, began=china("2026-03-02 08:00"), ended=china("2026-03-02 17:00"))
    assert world.record("a.mp4").obligation.basis == "activity_end"
    assert world.record("a.mp4").due == record.due  # the same day all the same


async def test_the_head_of_the_unit_extends_and_a_dispute_ends_it(tmp_path):
    """S4 第十七条: 特殊情况经本单位负责人同意可以在2个工作日内导出（现场发生纠纷冲突或突发事件的除外）."""
    world = World(tmp_path, "S4-fuzhou")
    world.records("a.mp4", china("2026-03-02 08:00"))
    span = {"device": DEVICE, "since": china("2026-03-02 07:00"), "until": china("2026-03-02 12:00")}
    assert "本单位负责人 (unit-head) may" in world.is_refused(world.officer, "extend", **span, reason="路远")
    assert "special reason" in world.is_refused(world.head, "extend", **span, reason="  ")
    world.does(world.head, "extend", **span, reason="路远")
    world.at("2026-03-03 12:00")
    await world.docks()
    record = world.record("a.mp4")
    assert record.due == china("2026-03-05 00:00")
    assert judge(record, world.clock.now(), 0.25).kind is Standing.MET
    # Days later somebody says what it shows. The extension falls; what was said before stays in the ledger.
    world.does(world.officer, "tag", records=[record.id], tags=["dispute"])
    record = world.record("a.mp4")
    assert china("2026-03-03 08:00") < record.due <= china("2026-03-03 08:01")
    assert judge(record, world.clock.now(), 0.25).kind is Standing.LATE
    assert len(world.judgements(record)) == 2
    (told,) = world.bed.findings("deadline.extension-refused")
    assert "现场发生纠纷冲突" in told.what
    world.bed.must_agree()


def test_no_extension_where_the_regulation_knows_none(tmp_path):
    world = World(tmp_path, "S1-dalian-jinpu", leaders=("bureau-deputy",))
    span = {"device": DEVICE, "since": china("2026-03-02 07:00"), "until": china("2026-03-02 12:00")}
    assert "knows no extension" in world.is_refused(world.head, "extend", **span, reason="路远")


@pytest.fixture
async def late(tmp_path):
    """A recording that came two days late."""
    world = World(tmp_path, "S4-fuzhou")
    world.records("a.mp4", china("2026-03-02 08:00"))
    world.at("2026-03-04 12:00")
    world.records("b.mp4", china("2026-03-04 11:00"))
    await world.docks()
    return world


async def test_who_is_late_explains_and_the_head_accepts(late):
    record, fresh = late.record("a.mp4"), late.record("b.mp4")
    (told,) = late.bed.ask(lambda ledger: asking.waiting(ledger, _law(late), late.clock.now()))
    assert (told.what, told.act, dict(told.fill)["records"]) == ("逾期未说明", "explain", record.id)
    said = {"what": "late", "person": OFFICER, "text": "山路塌方"}
    assert "is not late" in late.is_refused(late.officer, "explain", **said, records=[fresh.id])
    assert "names the recordings" in late.is_refused(late.officer, "explain", **said)
    assert "no recording" in late.is_refused(late.officer, "explain", **said, records=["deadbeef" * 4])
    done = late.does(late.officer, "explain", **said, records=[record.id])
    judged = {"explanation": done.matter, "verdict": "accept"}
    assert "may not do this" in late.is_refused(late.officer, "judge-explanation", **judged)
    late.does(late.head, "judge-explanation", **judged, note="属实")
    verdict = judge(late.record("a.mp4"), late.clock.now(), 0.25)
    assert (verdict.kind, verdict.excuse) == (Standing.EXCUSED, "山路塌方")
    explanation = late.bed.ask(lambda ledger: ledger.matter(Explanation, done.matter))
    assert (explanation.written_by, explanation.judged_by, explanation.judged_as) == (OFFICER, HEAD, "unit-head")
    assert "not possible any more" in late.is_refused(late.head, "judge-explanation", **judged)
    late.bed.must_agree()


async def test_nobody_signs_off_his_own_explanation(late):
    record = late.record("a.mp4")
    done = late.does(late.head, "explain", what="late", person=HEAD, text="开会", records=[record.id])
    judged = {"explanation": done.matter, "verdict": "accept"}
    assert "his own" in late.is_refused(late.head, "judge-explanation", **judged)
    late.does((SECOND_HEAD, "unit-head"), "judge-explanation", **judged)


async def test_a_refused_explanation_excuses_nothing(late):
    record = late.record("a.mp4")
    done = late.does(late.officer, "explain", what="late", person=OFFICER, text="忘了", records=[record.id])
    late.does(late.head, "judge-explanation", explanation=done.matter, verdict="refuse", note="不成立")
    assert judge(late.record("a.mp4"), late.clock.now(), 0.25).kind is Standing.LATE


async def test_what_failed_at_the_station_speaks_for_the_officer_unasked(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    world.records("a.mp4", china("2026-03-02 08:00"))
    world.at("2026-03-03 06:00")
    down = Finding(severity=Severity.WARN, code="sink.down.central", what="Central storage is gone.", remedy="Wait.")
    with world.bed.bench() as bench:
        bench.book.record([Found(finding=down)])
    world.at("2026-03-04 12:00")
    await world.docks()
    done = world.does(
        world.officer, "explain", what="late", person=OFFICER, text="储存故障", records=[world.record("a.mp4").id]
    )
    explanation = world.bed.ask(lambda ledger: ledger.matter(Explanation, done.matter))
    assert explanation.facts == ("2026-03-02 22:00 UTC Central storage is gone.",)


async def test_a_break_is_explained_with_the_regulations_own_reasons(late):
    """S4 第十五条: 重新开始记录时应当对中断原因进行语音说明 … 及时书面说明情况、并备查."""
    record = late.record("a.mp4")
    said = {"what": "interruption", "person": OFFICER, "records": [record.id]}
    assert "no reason 'tired'" in late.is_refused(late.officer, "explain", **said, reason="tired")
    assert "names one of the pack's reasons" in late.is_refused(late.officer, "explain", **said, text="没电")
    done = late.does(late.officer, "explain", **said, reason="battery-low", spoken_in=late.record("b.mp4").id)
    explanation = late.bed.ask(lambda ledger: ledger.matter(Explanation, done.matter))
    assert (explanation.reason, explanation.spoken, explanation.spoken_in) == (
        "battery-low", True, late.record("b.mp4").id,
    )  # fmt: skip


async def test_a_break_that_was_found_waits_for_its_explanation_with_the_reason_the_evidence_suggests(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    gap = Finding(severity=Severity.WARN, code="time.gap", what="Nine minutes are missing.", remedy="Ask.")
    world.card.notes, world.card.battery = (gap,), 3
    at = china("2026-03-02 08:00")
    # A container that ends inside its first box but one: not closed when the recorder lost power.
    open_box = b"\0\0\0\x14ftypisom\0\0\2\0isom\0\x10\0\0mdat" + bytes(5000)
    world.card.record("cut.mp4", open_box, start=at, modified=at)
    await world.docks()

    def breaks():
        told = world.bed.ask(lambda ledger: asking.waiting(ledger, _law(world), world.clock.now()))
        return {dict(each.fill).get("records", ""): each for each in told if each.what == "中断未说明"}

    record = world.record("cut.mp4")
    found = breaks()
    assert set(found) == {record.id, ""}
    assert found[""].subject == f"{DEVICE} 一次执法活动的录像中途间断。"  # for officers, by its code
    for each in found.values():
        assert (each.act, each.article, dict(each.fill)["reason"]) == ("explain", "第十五条", "battery-low")
    said = {"what": "interruption", "person": OFFICER, "reason": "battery-low"}
    done = world.does(world.officer, "explain", **said, records=[record.id])
    assert breaks() == {}
    world.does(world.head, "judge-explanation", explanation=done.matter, verdict="refuse", note="不成立")
    assert set(breaks()) == {record.id, ""}
    world.does(world.officer, "explain", **said, device=DEVICE)
    assert set(breaks()) == {record.id}


def test_what_was_not_recorded_needs_reason_and_basis_and_a_signature(tmp_path):
    """S3 第七条: 及时制作工作记录,写明无法使用的原因和依据,报局主管领导."""
    world = World(tmp_path, "S3-twelfth-division", leaders=("bureau-leader",))
    said = {"what": "not_recorded", "person": OFFICER, "since": china("2026-03-02 08:00"), "text": "涉及商业秘密"}
    ground = _law(world).pack.unrecorded.grounds[0].id
    assert "依据" in world.is_refused(world.officer, "explain", **said, reason=ground)
    done = world.does(world.officer, "explain", **said, reason=ground, basis="第七条")
    world.does(world.head, "judge-explanation", explanation=done.matter, verdict="accept")
    assert world.bed.ask(lambda ledger: ledger.matter(Explanation, done.matter)).state == "accepted"


def test_an_issued_recorder_that_does_not_come_back_may_owe(tmp_path):
    """The deadline runs for what is not docked, too."""
    world = World(tmp_path, "S4-fuzhou")
    world.issued()

    def owes():
        return world.bed.ask(lambda ledger: asking.may_owe(ledger, _law(world), world.clock.now()))

    (told,) = owes()
    assert (told.holder, told.verdict.kind, told.obligation.due) == (
        OFFICER, Standing.NOT_DUE, china("2026-03-03 09:00"),
    )  # fmt: skip
    world.at("2026-03-03 04:00")
    assert owes()[0].verdict.kind is Standing.AT_RISK
    world.at("2026-03-03 09:00")
    assert owes()[0].verdict.kind is Standing.OVERDUE
    assert owes()[0].obligation.article == "第十七条"
    world.does(world.custodian, "return", device=DEVICE)
    assert owes() == ()


def test_whoever_keeps_the_register_does_not_read_it_again(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    world.issued()
    world.does(world.officer, "report-fault", device=DEVICE, what="镜头模糊")
    law, now, said = _law(world), world.clock.now(), []

    def asked(ledger):
        kept = registers.read(ledger)
        anew = (asking.may_owe(ledger, law, now), asking.waiting(ledger, law, now))
        ledger._connections[0].set_trace_callback(said.append)
        try:
            return anew, (asking.may_owe(ledger, law, now, kept), asking.waiting(ledger, law, now, kept))
        finally:
            ledger._connections[0].set_trace_callback(None)

    anew, kept = world.bed.ask(asked)
    assert all(kept)
    assert kept == anew
    kinds = {kind for sql in said for kind in re.findall(r"FROM matter WHERE kind = '(\w+)'", sql)}
    assert "explanation" in kinds
    assert kinds & {"person", "device", "activity", "extension"} == set()


async def test_what_was_docked_since_the_issue_owes_from_then_on(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    world.issued()
    world.records("a.mp4", china("2026-03-02 08:00"))
    world.at("2026-03-02 20:00")
    await world.docks()
    (told,) = world.bed.ask(lambda ledger: asking.may_owe(ledger, _law(world), world.clock.now()))
    assert told.since == china("2026-03-02 20:00")
