"""Commands about rule packs that need no station: rules list, rules show, rules check."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bwcdock import packs, resources
from bwcdock.cli.common import WELL, WRONG, broken, fold, say, table, width
from bwcdock.core.local import Local, tighten
from bwcdock.core.rulepack import Period, Retention, Ruled, RulePack
from bwcdock.errors import Misused
from bwcdock.toml_lines import line_of, lines_of

Told = tuple[str, Ruled]
"""What a rule comes to, and the rule."""


def pack_of(named: str) -> RulePack:
    """The shipped pack of this name, or the one in the file of this path."""
    if named.endswith(".toml") or "/" in named:
        return packs.load_file(Path(named))
    return packs.load(named, [resources.config_dir() / "rules"])


# --- list -------------------------------------------------------------------------------------------------------------


def listed(asked: argparse.Namespace) -> int:
    """`bwcdock rules list`."""
    del asked  # it takes nothing
    shipped = [resources.config_dir() / "rules"]
    rows: list[tuple[str, ...]] = [("pack", "issuer", "stored within", "kept at least", "article")]
    for pack in (packs.load(name, shipped) for name in packs.available(shipped)):
        rule = pack.deadline
        rows.append((pack.name, pack.issuer, _span(rule.span), f"{pack.floor.months} months", rule.article))
    say(*table(rows, flexible=1, room=width()))
    return WELL


def _span(span: Period) -> str:
    return str(span).replace("_", " ")


# --- show -------------------------------------------------------------------------------------------------------------


def shown(asked: argparse.Namespace) -> int:
    """`bwcdock rules show`."""
    pack, room = pack_of(asked.pack), width()
    say(*fold(f"{pack.name} · {pack.title}", room), *fold(f"{pack.issuer} {pack.published}".rstrip(), room))
    say(f"sha256 {pack.digest}")
    for title, rules in _sections(pack):
        if rules:
            say("", title)
        for words, rule in rules:
            say(*fold(f"  {rule.article} · {words}", room, "    "), *broken(f"“{rule.quote}”", room, "    "))
    return WELL


def _sections(pack: RulePack) -> Iterator[tuple[str, list[Told]]]:
    yield "移交期限 deadline", list(_deadline(pack))
    yield "保存期限 keeping", [(_kept(pack, rule), rule) for rule in pack.retention]
    spans = [(f"{_span(rule.span)} from {' or '.join(rule.basis)}", rule) for rule in pack.archive]
    yield "归档 case file", [*spans]
    yield "使用 use", list(_use(pack))
    yield (
        "审批 approvals",
        [(f"{rule.act}: {_roles(pack, rule.chain, ' → ')}{_when(pack, rule.when)}", rule) for rule in pack.approvals],
    )
    yield (
        "文书 papers",
        [(f"{rule.id}: {' / '.join(rule.fields)}{_signed(pack, rule.signed_by)}", rule) for rule in pack.sheets],
    )
    yield "其他 other duties", [(_with(rule.id, rule.words), rule) for rule in pack.duties]


def _deadline(pack: RulePack) -> Iterator[Told]:
    rule = pack.deadline
    yield f"{_span(rule.span)} from {rule.basis}; met when {rule.met_by} ({' / '.join(rule.stores)})", rule
    if rule.away is not None:
        grounds = " / ".join(f"{term.id} {term.label}" for term in rule.away.grounds)
        yield f"away: {_span(rule.away.span)} from the return; {grounds}", rule.away
    if rule.extension is not None:
        barred = " / ".join(_labels(pack, rule.extension.barred_by)) or "nothing"
        by = _roles(pack, rule.extension.by, " / ")
        yield f"extension: {_span(rule.extension.span)} by {by}; barred by {barred}", rule.extension


def _use(pack: RulePack) -> Iterator[Told]:
    for check in pack.checks:
        yield f"checked before use: {', '.join(check.what)}", check
    if (broke := pack.interruption) is not None:
        asked = [
            *(["spoken reason"] if broke.spoken else []),
            *(["written explanation"] if broke.written else []),
            *([f"report to {_roles(pack, (broke.report_to,), '')}"] if broke.report_to else []),
            *(["a backup recorder"] if broke.backup else []),
        ]
        yield f"interruption: {', '.join(asked)}; {' / '.join(term.label for term in broke.reasons)}", broke
    if (none := pack.unrecorded) is not None:
        grounds = " / ".join(term.label for term in none.grounds)
        yield f"not recorded: {grounds}{_signed(pack, (none.signed_by,) if none.signed_by else ())}", none
    for each in pack.equipment:
        yield (
            "; ".join(
                [
                    *([f"one recorder for {each.officers} officers"] if each.officers else []),
                    *([f"at least {each.least} in a team"] if each.least else []),
                ]
            ),
            each,
        )
    if pack.spot_check is not None:
        by = _roles(pack, pack.spot_check.by, " / ")
        yield f"spot check by {by}: {' / '.join(pack.spot_check.points)}", pack.spot_check


def _kept(pack: RulePack, rule: Retention) -> str:
    how = f"{rule.months} months" if rule.months else rule.keep.value.replace("_", " ")
    tags = " / ".join(f"{tag} {label}" for tag, label in zip(rule.tags, _labels(pack, rule.tags), strict=True))
    return f"{rule.id}: {how}; {tags or 'all else'}{' (may come later)' if rule.may_come_later else ''}"


def _labels(pack: RulePack, tags: tuple[str, ...]) -> list[str]:
    named = {term.id: term.label for term in pack.tags}
    return [named[tag] for tag in tags]


def _roles(pack: RulePack, roles: tuple[str, ...], between: str) -> str:
    named = {term.id: term.label for term in pack.roles}
    return between.join(named[role] for role in roles)


def _when(pack: RulePack, tag: str) -> str:
    return f"; for {_labels(pack, (tag,))[0]}" if tag else ""


def _signed(pack: RulePack, roles: tuple[str, ...]) -> str:
    return f"; signed by {_roles(pack, roles, ' / ')}" if roles else ""


def _with(name: str, words: tuple[str, ...]) -> str:
    return f"{name}: {' / '.join(words)}" if words else name


# --- check ------------------------------------------------------------------------------------------------------------


def checked(asked: argparse.Namespace) -> int:
    """`bwcdock rules check`."""
    file: Path = asked.file
    pack = None if asked.pack is None else pack_of(asked.pack)
    local = pack is not None or packs.is_local(file)
    wrong = list(_of_local(file, pack) if local else _said(packs.examine(file)[1]))
    say(*wrong if wrong else (f"{file}: well.",))
    return WRONG if wrong else WELL


def _said(wrong: list[Misused]) -> Iterator[str]:
    return (f"{error.what} {error.hint}" for error in wrong)


def _of_local(file: Path, pack: RulePack | None) -> Iterator[str]:
    """What is wrong with a bureau's own settings, and what of them is looser than its pack."""
    local, wrong = packs.examine_local(file)
    yield from _said(wrong)
    if local is not None and pack is not None:
        yield from _loosened(file, pack, local)


def _loosened(file: Path, pack: RulePack, local: Local) -> Iterator[str]:
    lines = lines_of(file.read_text(encoding="utf-8"))
    for finding in tighten(pack, local)[1]:
        line = line_of((dict(finding.evidence)["setting"],), lines)
        yield f"{file}:{line}: {finding.what} {finding.remedy}"
