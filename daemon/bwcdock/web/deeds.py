"""Which acts a page offers to whom. The daemon judges every act again (desk/who.py); this only spares a refusal."""

from bwcdock.core.rulepack import RulePack
from bwcdock.desk.acts import ACTS, Act
from bwcdock.desk.who import custodians, leaders
from bwcdock.web.policy import AUDITOR, SYSTEM, Caller, group_of

OF_AUDITORS = frozenset({"request-access"})


def offered(caller: Caller, pack: RulePack) -> frozenset[str]:
    """The words of the acts that are offered to this caller."""
    if caller.kind != "person":
        return frozenset()
    return frozenset(word for word, act in ACTS.items() if _may(caller, act, pack))


def _may(caller: Caller, act: type[Act], pack: RulePack) -> bool:
    group = group_of(caller.role, pack)
    if group == SYSTEM:
        return False
    if group == AUDITOR:
        return act.word in OF_AUDITORS
    match act.by:
        case "anyone":
            return True
        case "custodian":
            return caller.role in custodians(pack)
        case "administrator":
            return caller.role in custodians(pack)[:1]
        case "extender":
            extension = pack.deadline.extension
            return extension is not None and caller.role in extension.by
        case "signer":
            return caller.role in {*custodians(pack), *leaders(pack)}
        case "approver" | "leader":
            return caller.role in leaders(pack)
        case "supervisor":
            return caller.role in (pack.spot_check.by if pack.spot_check and pack.spot_check.by else ()) or (
                not (pack.spot_check and pack.spot_check.by) and caller.role in {*leaders(pack), *custodians(pack)}
            )
