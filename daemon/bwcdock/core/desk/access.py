"""Who may see or have footage: requests, approvals in the pack's order, and the register of what was done."""

from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.matter import Kind, Matter, taken
from bwcdock.core.facts import Entry
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.rulepack import Approval, RulePack
from bwcdock.core.statements import AccessAct, AccessApproved, AccessRefused, AccessRequested, AccessUsed, Label

VIEWING = frozenset({"view_inside", "view_outside"})
"""Acts by which nothing leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """One approval: by whom, in which role, when."""

    by: str
    role: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One line of the register (登记簿): 调阅人或复制人、时间、管理员; why and who agreed stand in the request."""

    how: str
    who: str
    by: str
    at: datetime
    copies: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access(Matter):
    """A request: ``requested``, ``granted`` (all of ``chain`` agreed) or ``refused``."""

    act: AccessAct
    applicant: str
    requested_by: str
    reason: str
    records: tuple[str, ...]
    chain: tuple[str, ...]
    article: str
    quote: str
    agreed: tuple[Agreed, ...] = ()
    used: tuple[Used, ...] = ()
    refusal: str = ""

    @property
    def next_role(self) -> str:
        """Who must agree next, as a role id; empty when all did or it is over."""
        open_ = self.state == "requested" and len(self.agreed) < len(self.chain)
        return self.chain[len(self.agreed)] if open_ else ""


def approval_for(pack: RulePack, act: AccessAct, labels: tuple[Label, ...]) -> Approval | None:
    """The pack's rule for this act on these recordings: the one for their sensitivity, else the plain one.

    ``None`` where the regulation names no approval: then nobody can give one, and it stays shut.
    """
    tags = {tag for label in labels for tag in (*label.tags, label.sensitive)}
    rules = [rule for rule in pack.approvals if rule.act == act]
    special = [rule for rule in rules if rule.when and rule.when in tags]
    plain = [rule for rule in rules if not rule.when]
    return max(special, key=lambda rule: len(rule.chain), default=plain[0] if plain else None)


def _after(before: Access | None, state: str, entry: Entry) -> Access:
    fact, who = entry.fact, entry.actor
    match fact:
        case AccessRequested():
            return taken(Access, None, state, entry, requested_by=who.name)
        case AccessApproved():
            assert before is not None
            agreed = (*before.agreed, Agreed(by=who.name, role=who.role, at=entry.at, note=fact.note))
            done = len(agreed) == len(before.chain)
            return taken(Access, before, "granted" if done else state, entry, agreed=agreed)
        case AccessRefused():
            assert before is not None
            return taken(Access, before, state, entry, refusal=fact.reason, reason=before.reason)
        case _:
            assert before is not None
            assert isinstance(fact, AccessUsed)
            line = Used(how=fact.how, who=fact.who, by=who.name, at=entry.at, copies=fact.copies, note=fact.note)
            return taken(Access, before, state, entry, used=(*before.used, line))


def _why_not(access: Access | None, entry: Entry) -> Refusal | None:
    fact, who = entry.fact, entry.actor
    match fact:
        case AccessRequested() if not fact.reason.strip() or not fact.applicant.strip():
            return because("access.incomplete", "A request names who asks and why (事由).")
        case AccessRequested() if not fact.records:
            return because("access.no-recordings", "A request names the recordings.")
        case AccessRequested() if not fact.chain:
            what = "The regulation names nobody who could approve this: it cannot be asked for."
            return because("access.nobody-approves", what)
        case AccessApproved() | AccessRefused() if access is not None and who.role != access.next_role:
            what = f"The next to decide on {access.id} is {access.next_role}, not {who.role}."
            return because("access.not-next", what, id=access.id, role=access.next_role, own=who.role)
        case AccessApproved() | AccessRefused() if access is not None and who.name in _earlier(access):
            what = f"{who.name} has asked for {access.id} or agreed to it already: another person must decide."
            return because("access.same-person", what, person=who.name, id=access.id)
        case AccessUsed() if fact.how != "viewed" and access is not None and access.act in VIEWING:
            what = f"{access.id} was granted for viewing: nothing may be copied by it."
            return because("access.viewing-only", what, id=access.id)
        case AccessUsed() if fact.how != "viewed" and fact.copies < 1:
            return because("access.no-count", "What is copied is counted: name the number of copies.")
        case AccessUsed() if not fact.who.strip():
            return because("access.no-reader", "The register names who saw or got it (调阅人、复制人).")
    return None


def _earlier(access: Access) -> set[str]:
    return {access.requested_by, access.applicant, *(agreed.by for agreed in access.agreed)}


ACCESS = Kind(
    Access,
    {
        None: {AccessRequested: "requested"},
        "requested": {AccessApproved: "requested", AccessRefused: "refused"},
        "granted": {AccessUsed: "granted"},
    },
    _after,
    _why_not,
)
