"""配备情况表: each team's recorders against the ratio the regulation asks for, those out for repair apart."""

from collections import Counter

from bwcdock.core.desk import equipment
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.people import Team
from bwcdock.core.words_zh.desk import MATTER_STATE_ZH
from bwcdock.papers.model import Paper, Table
from bwcdock.papers.source import Asked, Source


def _row(each: equipment.Ratio) -> tuple[str, ...]:
    counts = (each.officers, each.in_service, each.repair, each.needed, each.missing)
    return (each.name, *map(str, counts), each.article)


def build(source: Source, asked: Asked) -> Paper:  # noqa: ARG001  (it is always of all teams)
    """All teams by the rules of the pack, and all recorders by their state."""
    teams, devices = source.ledger.matters(Team), source.ledger.matters(Device)
    ratios = equipment.ratios(source.pack.equipment, teams, devices)
    needs = Table(
        title="按分队",
        heads=("分队", "人数", "在用", "送修", "应配", "缺额", "依据"),
        widths=(22, 10, 10, 10, 10, 10, 28),
        rows=tuple(_row(each) for each in ratios),
        note="" if ratios else "规定没有配备比例，或尚未登记分队。",
    )
    counted = Counter((device.team or "未归队", device.state) for device in devices)
    names = {team.id: team.name for team in teams}
    words = MATTER_STATE_ZH["device"]
    states = Table(
        title="按状态",
        heads=("分队", "状态", "台数"),
        widths=(50, 30, 20),
        rows=tuple(
            (names.get(team, team), words[state], str(number)) for (team, state), number in sorted(counted.items())
        ),
        note="" if counted else "尚未登记执法记录仪。",
    )
    entries = (seq for matter in (*teams, *devices) for seq in matter.entries)
    return Paper(
        title="执法记录仪配备情况表",
        number=f"{source.station}-equipment",
        unit=source.unit,
        station=source.station,
        made_at=source.local_now,
        blocks=(needs, states),
        signatures=("填表人", "单位负责人"),
        proof=source.proof(entries, source.rules(*source.pack.equipment)),
    )
