"""领用归还登记: who drew which recorder when, what was checked before, when and how it came back."""

from bwcdock.core.desk.devices import Device, Issue
from bwcdock.core.refusal import because
from bwcdock.core.words_zh import title
from bwcdock.core.words_zh.desk import CHECK_ZH
from bwcdock.errors import Misused
from bwcdock.papers.model import Paper, Table
from bwcdock.papers.names import person
from bwcdock.papers.source import Asked, Source
from bwcdock.papers.words import moment


def build(source: Source, asked: Asked) -> Paper:
    """The register of all recorders, or of those that are named."""
    devices = [each for each in source.ledger.matters(Device) if not asked.subjects or each.id in asked.subjects]
    if asked.subjects and len(devices) < len(set(asked.subjects)):
        why = because("paper.no-recorder", "There is no such recorder.")
        raise Misused("paper issues", why, "`bwcdock desk list device` shows them.")
    lines = sorted(
        ((device, issue) for device in devices for issue in device.issues), key=lambda line: (line[1].at, line[0].id)
    )
    rules = [*source.pack.checks, *(duty for duty in source.pack.duties if duty.id == "draw-before-duty")]
    table = Table(
        title="领用与归还",
        heads=("记录仪", "领用人", "领用时间", "使用前检查", "预计归还", "归还时间", "归还情况", "经办"),
        widths=(13, 13, 14, 16, 13, 14, 13, 13),
        rows=tuple(_row(source, device, issue) for device, issue in lines),
        note="" if lines else "尚无领用。",
    )
    return Paper(
        title="领用归还登记",
        number=f"{source.station}-issues-{len(lines)}",
        unit=source.unit,
        station=source.station,
        made_at=source.local_now,
        blocks=(table,),
        signatures=("设备保管人",),
        proof=source.proof((seq for device in devices for seq in device.entries), source.rules(*rules)),
    )


def _row(source: Source, device: Device, issue: Issue) -> tuple[str, ...]:
    checked = "、".join(CHECK_ZH.get(each, each) for each in issue.checked)
    lacking = "、".join(title(finding.code) for finding in issue.findings)
    return (
        f"{device.id} {device.model}".rstrip(),
        person(source, issue.to),
        moment(issue.at, source.zone),
        f"{checked}；{lacking}" if lacking else checked,
        moment(issue.expected_back, source.zone) or "—",
        moment(issue.returned_at, source.zone) or "未归还",
        issue.note or "—",
        person(source, issue.by),
    )
