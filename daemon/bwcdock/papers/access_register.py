"""查阅复制登记簿: who saw or got what, why, who agreed, who let it be done, when."""

from bwcdock.core.desk.access import Access
from bwcdock.core.refusal import because
from bwcdock.core.rulepack import Ruled
from bwcdock.core.words_zh.desk import ACCESS_ZH, HOW_ZH, MATTER_STATE_ZH
from bwcdock.errors import Misused
from bwcdock.papers.model import Paper, Table
from bwcdock.papers.names import person, role
from bwcdock.papers.source import Asked, Source
from bwcdock.papers.words import moment


def build(source: Source, asked: Asked) -> Paper:
    """The whole register, or the lines of the requests that are named."""
    found = [request for request in source.ledger.matters(Access) if not asked.subjects or request.id in asked.subjects]
    if asked.subjects and len(found) < len(set(asked.subjects)):
        why = because("paper.no-request", "There is no such request.")
        raise Misused("paper access-register", why, "`bwcdock desk list access` shows them.")
    found.sort(key=lambda request: (request.since, request.id))
    rules: list[Ruled] = [sheet for sheet in source.pack.sheets if sheet.id == "access_register"]
    rules += [duty for duty in source.pack.duties if duty.id == "access-register"]
    return Paper(
        title="查阅复制登记簿",
        number=f"{source.station}-access-{len(found)}",
        unit=source.unit,
        station=source.station,
        made_at=source.local_now,
        blocks=(_requests(source, found), _uses(source, found)),
        signatures=("管理员",),
        proof=source.proof((seq for request in found for seq in request.entries), source.rules(*rules)),
    )


def _requests(source: Source, found: list[Access]) -> Table:
    rows = tuple(
        (
            request.id,
            request.applicant,
            f"{ACCESS_ZH[request.act]}，{len(request.records)} 个文件",
            request.reason,
            "\n".join(
                f"{person(source, a.by)} {role(source, a.role)} {moment(a.at, source.zone)}" for a in request.agreed
            )
            or request.refusal,
            MATTER_STATE_ZH["access"][request.state],
        )
        for request in found
    )
    return Table(
        title="申请与审批",
        heads=("申请号", "申请人", "事项", "事由", "审批人", "状态"),
        widths=(12, 14, 18, 22, 24, 10),
        rows=rows,
        note="" if rows else "尚无申请。",
    )


def _uses(source: Source, found: list[Access]) -> Table:
    lines = [(request, use) for request in found for use in request.used]
    rows = tuple(
        (
            moment(use.at, source.zone),
            request.id,
            use.who,
            HOW_ZH[use.how],
            str(use.copies or "—"),
            request.reason,
            person(source, use.by),
        )
        for request, use in sorted(lines, key=lambda line: line[1].at)
    )
    return Table(
        title="调阅复制登记",
        heads=("时间", "申请号", "调阅人、复制人", "方式", "份数", "事由", "经办管理员"),
        widths=(18, 11, 17, 9, 8, 20, 17),
        rows=rows,
        note="" if rows else "尚无调阅或复制。",
    )
