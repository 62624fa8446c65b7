"""Who works here, which recorder is whose, and who holds it now (领用、归还、交接)."""

from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.people import Handover, Person
from bwcdock.desk import asking
from desk_world import ALL_CHECKED, DEVICE, HEAD, KEEPER, OFFICER, OTHER, World, china


def test_the_first_person_enters_himself_and_everybody_else_is_entered(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    assert "may not do this" in world.is_refused(
        world.officer, "enter-person", person="099", name="冒名", roles=["unit-head"]
    )
    assert "is not" in world.is_refused((OFFICER, "administrator"), "leave-person", person=HEAD, reason="x")
    assert "no person '077'" in world.is_refused(("077", "officer"), "report-fault", device=DEVICE, what="x")
    assert "no role 'boss'" in world.is_refused(
        world.custodian, "enter-person", person="099", name="甲", roles=["boss"]
    )
    assert "no role 'boss'" in world.is_refused((OFFICER, "boss"), "report-fault", device=DEVICE, what="x")


def test_nobody_gives_himself_a_role(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    again = {"person": KEEPER, "name": "王管理", "roles": ["administrator", "unit-head"]}
    assert "Nobody gives himself a role" in world.is_refused(world.custodian, "enter-person", **again)


def test_a_user_number_names_one_person(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    said = {"person": "050", "name": "钱警官", "roles": ["officer"], "user_numbers": ["000002"]}
    assert "is that of 李警官" in world.is_refused(world.custodian, "enter-person", **said)


def test_before_an_activity_a_recorder_is_drawn_and_checked(tmp_path):
    """S0 第十二条: 应当在开展执法活动前领取现场执法记录设备,并对…进行检查."""
    world = World(tmp_path, "S0-siping-tiedong", leaders=("unit-head",))
    why = world.is_refused(world.custodian, "issue", device=DEVICE, to=OFFICER)
    assert why.startswith("第十二条")
    assert "nobody has checked" in why
    assert "no check 'lens'" in world.is_refused(world.custodian, "issue", device=DEVICE, to=OFFICER, checked=["lens"])
    world.issued()
    device = world.bed.ask(lambda ledger: ledger.matter(Device, DEVICE))
    assert (device.holder, device.out.by, set(device.out.checked)) == (OFFICER, KEEPER, set(ALL_CHECKED))


def test_what_is_issued_is_not_issued_again_and_comes_back_once(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    assert "a return without an issue" in world.is_refused(world.custodian, "return", device=DEVICE)
    world.issued()
    assert "is issued to 002" in world.is_refused(
        world.custodian, "issue", device=DEVICE, to=OTHER, checked=list(ALL_CHECKED)
    )
    assert "may not do this" in world.is_refused(world.officer, "return", device=DEVICE)
    world.does(world.custodian, "return", device=DEVICE, note="完好")
    device = world.bed.ask(lambda ledger: ledger.matter(Device, DEVICE))
    assert device.holder == ""
    assert [(issue.to, issue.returned_to, issue.note) for issue in device.issues] == [(OFFICER, KEEPER, "完好")]
    assert "a return without an issue" in world.is_refused(world.custodian, "return", device=DEVICE)


async def test_what_the_dock_has_checked_need_not_be_checked_by_hand(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    world.records("a.mp4", china("2026-03-02 08:00"))
    async with world.bed.at_work():
        world.card.drift = None
        world.card.plug()
        await world.bed.until_settled(world.card)
    # The docking ended with the station: what it showed is no check of now any more.
    assert "battery, storage, clock" in world.is_refused(world.custodian, "issue", device=DEVICE, to=OFFICER)


def test_a_fault_is_reported_to_whoever_keeps_the_devices_and_mended(tmp_path):
    """S1 第十九条: 发现故障损坏的,应当及时报告维修."""
    world = World(tmp_path, "S4-fuzhou")
    world.does(world.officer, "report-fault", device=DEVICE, what="镜头松动")
    law = _law(world)
    (told,) = [
        w
        for w in world.bed.ask(lambda ledger: asking.waiting(ledger, law, world.clock.now()))
        if w.what == "设备故障待处理"
    ]
    assert (told.subject, told.act) == (DEVICE, "service")
    assert "in the future" in world.is_refused(
        world.officer, "report-fault", device=DEVICE, what="x", since="2030-01-01T00:00:00Z"
    )
    world.does(world.custodian, "service", device=DEVICE, what="更换镜头")
    device = world.bed.ask(lambda ledger: ledger.matter(Device, DEVICE))
    assert device.faults == ()
    assert [what for _, what in device.service] == ["更换镜头"]


def test_a_recorder_out_for_repair_is_not_issued(tmp_path):
    world = World(tmp_path, "S4-fuzhou")
    world.does(world.custodian, "set-device", device=DEVICE, state="repair", reason="主板")
    assert "is repair" in world.is_refused(
        world.custodian, "issue", device=DEVICE, to=OFFICER, checked=list(ALL_CHECKED)
    )
    assert "is repair already" in world.is_refused(
        world.custodian, "set-device", device=DEVICE, state="repair", reason="x"
    )
    world.does(world.custodian, "set-device", device=DEVICE, state="in_service", reason="修好")
    world.issued()


def test_a_team_is_short_of_recorders_also_while_one_is_repaired(tmp_path):
    """S4 第五条第（二）项: 按照每2名执法人员配备1台的标准实施."""
    world = World(tmp_path, "S4-fuzhou")
    ratio = world.bed.ask(lambda ledger: asking.ratios(ledger, _law(world)))[0]
    assert (ratio.officers, ratio.in_service, ratio.needed, ratio.missing) == (5, 1, 3, 2)
    assert ratio.article == "第五条第（二）项"
    world.does(world.custodian, "set-device", device=DEVICE, state="repair", reason="主板")
    ratio = world.bed.ask(lambda ledger: asking.ratios(ledger, _law(world)))[0]
    assert (ratio.in_service, ratio.repair, ratio.missing) == (0, 1, 3)


def test_who_transfers_hands_over_what_is_open(tmp_path):
    """S4 第十八条: 人员调动时应做好资料的交接."""
    world = World(tmp_path, "S4-fuzhou")
    world.issued()
    world.does(world.officer, "open-case", case="榕城罚〔2026〕7号", handler=OFFICER)
    assert "still holds F1-0001" in world.is_refused(world.custodian, "leave-person", person=OFFICER, reason="调动")
    assert "to himself" in world.is_refused(world.custodian, "hand-over", giver=OFFICER, taker=OFFICER)
    done = world.does(world.custodian, "hand-over", giver=OFFICER, taker=OTHER)
    handover = world.bed.ask(lambda ledger: ledger.matter(Handover, done.matter))
    assert handover.devices == (DEVICE,)
    assert handover.left_open == ("recorder F1-0001", "case 榕城罚〔2026〕7号")
    world.does(world.custodian, "return", device=DEVICE)
    world.does(world.custodian, "leave-person", person=OFFICER, reason="调动")
    assert world.bed.ask(lambda ledger: ledger.matter(Person, OFFICER)).state == "left"
    assert "does not work here" in world.is_refused(world.officer, "report-fault", device=DEVICE, what="x")


async def test_a_recorder_that_was_lent_is_told(tmp_path):
    """S4 第二十三条第（二）项: 擅自借给其他人员使用的."""
    world = World(tmp_path, "S4-fuzhou")
    world.issued(to=OTHER)
    world.card.user = "000002"
    world.records("a.mp4", china("2026-03-02 08:00"))
    await world.docks()
    (session,) = world.bed.sessions()
    (lent,) = [f for f in session.findings if f.code == "device.lent"]
    assert lent.what == "F1-0001 is issued to 003 and was used by 002."
    assert dict(lent.evidence)["article"] == "第二十三条第（二）项"


def _law(world):
    from bwcdock.app import law_of

    return law_of(world.bed.settings)
