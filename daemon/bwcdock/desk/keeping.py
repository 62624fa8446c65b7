"""Acts about what recordings are and how long they stay: tags, holds, cases, access, spot checks, expiry."""

from dataclasses import replace

from bwcdock.core.desk import attribution, checking, expiring
from bwcdock.core.desk.access import Access, approval_for
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.expiring import Expiry
from bwcdock.core.desk.holds import Hold
from bwcdock.core.desk.papers import Paper
from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Fact
from bwcdock.core.names import show
from bwcdock.core.record import Record
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.rulepack import RulePack
from bwcdock.core.statements import (
    AccessApproved,
    AccessRefused,
    AccessRequested,
    AccessUsed,
    CaseArchived,
    CaseOpened,
    CaseStep,
    CheckDrawn,
    CheckJudged,
    CheckSkipped,
    ExpiryApproved,
    ExpiryProposed,
    HoldLifted,
    HoldPlaced,
    Label,
    PaperIssued,
    Tagged,
)
from bwcdock.desk import acts
from bwcdock.desk.room import Room, refused, refused_for


def tag(act: acts.Tag, room: Room) -> list[Fact]:
    """What is named replaces what was there, the rest stays; the original never changes."""
    pack = room.bench.pack
    for word in (*act.tags, *act.untag):
        room.term("tag", word, pack.tags)
    if act.case:
        room.matter(Case, act.case)
    facts: list[Fact] = []
    for record in room.records(act.records):
        label = _labelled(record.label, act)
        if label != record.label:
            facts.append(Tagged(record=record.id, recorder=record.recorder, label=label))
    if not facts:
        raise refused("tag.same", "They are labelled so already.")
    return facts


def _labelled(label: Label, act: acts.Tag) -> Label:
    said = {
        name: value
        for name in ("case", "category", "parties", "place", "event", "activity", "sensitive", "note")
        if (value := getattr(act, name))
    }
    flags = {name: value for name in ("important", "unrelated") if (value := getattr(act, name)) is not None}
    return replace(label, tags=(label.tags | set(act.tags)) - set(act.untag), **said, **flags)


def hold(act: acts.Hold, room: Room) -> list[Fact]:
    """A hold may name what is not known yet: footage that comes later is kept by it too."""
    records = tuple(record.id for record in room.records(act.records))
    said = act.model_dump(exclude={"records"})
    return [HoldPlaced(matter=room.new_id(Hold), records=records, **said)]


def lift_hold(act: acts.LiftHold, room: Room) -> list[Fact]:
    """With its reason."""
    return [HoldLifted(matter=room.matter(Hold, act.hold).id, reason=act.reason)]


# --- cases ------------------------------------------------------------------------------------------------------------


def open_case(act: acts.OpenCase, room: Room) -> list[Fact]:
    """By its number."""
    if act.handler:
        room.person(act.handler)
    return [CaseOpened(matter=act.case, **act.model_dump(exclude={"case"}))]


def step_case(act: acts.StepCase, room: Room) -> list[Fact]:
    """The archive clock starts."""
    return [CaseStep(matter=room.matter(Case, act.case).id, step=act.step, moment=act.moment)]


def archive_case(act: acts.ArchiveCase, room: Room) -> list[Fact]:
    """Only with its footage in central storage: a case file that points to nothing is none."""
    case = room.matter(Case, act.case)
    bound = room.ledger.of_case(case.id)
    waiting = [record for record in bound if not record.finished]
    if waiting:
        first = show(waiting[0].item.path)
        what = f"{len(waiting)} recordings of case {case.id} are not in central storage yet, first of them {first}."
        hint = "Wait until they are; nothing was changed."
        raise refused("case.unfinished", what, hint, count=len(waiting), case=case.id, path=first)
    return [CaseArchived(matter=case.id, file=act.file, files=len(bound))]


# --- access -----------------------------------------------------------------------------------------------------------


def request_access(act: acts.RequestAccess, room: Room) -> list[Fact]:
    """The chain is the pack's, by what is asked for and by how sensitive the recordings are."""
    pack, records = room.bench.pack, room.records(act.records)
    rule = approval_for(pack, act.access, tuple(record.label for record in records))
    if rule is None:
        what = f"{pack.name} names nobody who may approve {act.access}: it stays shut."
        raise refused("access.shut", what, pack=pack.name, access=act.access)
    said = AccessRequested(
        matter=room.new_id(Access),
        act=act.access,
        applicant=act.applicant,
        reason=act.reason,
        records=tuple(record.id for record in records),
        chain=rule.chain,
        article=rule.article,
        quote=rule.quote,
    )
    return [said]


def approve(act: acts.Approve, room: Room) -> list[Fact]:
    """As the next of the chain."""
    return [AccessApproved(matter=room.matter(Access, act.request).id, note=act.note)]


def refuse(act: acts.Refuse, room: Room) -> list[Fact]:
    """As the next of the chain."""
    return [AccessRefused(matter=room.matter(Access, act.request).id, reason=act.reason)]


def use_access(act: acts.UseAccess, room: Room) -> list[Fact]:
    """By the administrator only, and only what was granted."""
    access = room.matter(Access, act.request)
    return [AccessUsed(matter=access.id, how=act.how, who=act.who, copies=act.copies, note=act.note)]


# --- spot checks ------------------------------------------------------------------------------------------------------


def draw_check(act: acts.DrawCheck, room: Room) -> list[Fact]:
    """From everything the unit recorded in the span that is sealed."""
    if act.until <= act.since:
        raise refused("check.span", "The span of the spot check ends before it begins.")
    population = [record.id for record in _recorded(act, room)]
    if not population:
        raise refused("check.nothing", f"Unit {act.unit!r} has no sealed recording in this span.", unit=act.unit)
    percent = act.percent or room.bench.settings.law.spot_check_percent
    sample = checking.draw(population, percent, act.seed)
    if len(sample) > acts.MOST_RECORDS:
        what, hint = f"The sample would have {len(sample)} recordings.", "Take a shorter span or a smaller share."
        raise refused("check.too-many", what, hint, count=len(sample))
    drawn = CheckDrawn(
        matter=room.new_id(checking.SpotCheck),
        unit=act.unit,
        since=act.since,
        until=act.until,
        percent=percent,
        seed=act.seed,
        population=len(population),
        population_digest=checking.digest(population),
        sample=sample,
    )
    return [drawn]


def _recorded(act: acts.DrawCheck, room: Room) -> list[Record]:
    devices = {device.id for device in room.ledger.matters(Device) if device.unit == act.unit}
    if act.unit == room.bench.settings.station.unit:
        known = {device.id for device in room.ledger.matters(Device)}
        devices |= set(room.ledger.recorders()) - known  # recorders nobody registered are the station's own unit's
    found = [record for serial in sorted(devices) for record in room.ledger.records(recorder=serial)]
    return [r for r in found if r.sealed_at and act.since <= (r.corrected.start or r.listed_at) < act.until]


def judge_check(act: acts.JudgeCheck, room: Room) -> list[Fact]:
    """By the pack's points, numbered from 1."""
    points = points_of(room.bench.pack)
    for number in act.wrong:
        if not 1 <= number <= len(points):
            what = f"There is no point {number}; there are {len(points)}."
            raise refused("check.no-point", what, number=number, count=len(points))
    judged = tuple((point, number not in act.wrong) for number, point in enumerate(points, 1))
    return [CheckJudged(matter=act.check, of=room.record(act.record).id, points=judged, remark=act.remark)]


GENERAL_POINTS = ("是否按照规定记录", "是否全程不间断", "移交、管理和使用情况")
"""Where the regulation has no points of its own: what every one of the five asks for."""


def points_of(pack: RulePack) -> tuple[str, ...]:
    """What a spot check looks at, in each recording."""
    return pack.spot_check.points if pack.spot_check else GENERAL_POINTS


def skip_check(act: acts.SkipCheck, room: Room) -> list[Fact]:
    """With the reason."""
    return [CheckSkipped(matter=act.check, of=room.record(act.record).id, reason=act.reason)]


# --- the end of keeping -----------------------------------------------------------------------------------------------


def propose_expiry(act: acts.ProposeExpiry, room: Room) -> list[Fact]:
    """Only what nothing keeps."""
    ledger = room.ledger
    holds, requests = ledger.matters(Hold, "placed"), ledger.matters(Access)
    devices = {device.id: device for device in ledger.matters(Device)}
    people = ledger.matters(Person)
    records = room.records(act.records)
    for record in records:
        officers = attribution.officers_of(record, devices, people)
        if why := expiring.why_kept(record, officers, room.at, holds, requests):
            raise refused_for(_not_destroyed(show(record.item.path), why))
    return [ExpiryProposed(matter=room.new_id(Expiry), records=tuple(record.id for record in records))]


def _not_destroyed(path: str, why: Refusal) -> Refusal:
    """Which recording it is that something keeps; the values of the reason stand beside its code."""
    told = because("expiry.kept", f"{path} may not be destroyed. {why.what}", path=path, why=why.code)
    return replace(told, evidence=told.evidence + why.evidence)


def issue_paper(act: acts.IssuePaper, room: Room) -> list[Fact]:
    """Which paper, about what, how many: what was signed can be told from what was printed later."""
    return [PaperIssued(matter=room.new_id(Paper), **act.model_dump())]


def approve_expiry(act: acts.ApproveExpiry, room: Room) -> list[Fact]:
    """Judged again at each approval: a hold may have come meanwhile."""
    expiry = room.matter(Expiry, act.expiry)
    propose_expiry(acts.ProposeExpiry(records=expiry.records), room)
    return [ExpiryApproved(matter=expiry.id, note=act.note)]
