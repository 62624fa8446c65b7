"""Who may do which act: the one judge of roles at the desk."""

from bwcdock.core.desk.explaining import Explanation, signers
from bwcdock.core.desk.people import AUDITOR, CUSTODIANS, SYSTEM_ADMINISTRATOR, Person, roles_of
from bwcdock.core.rulepack import RulePack
from bwcdock.core.statements import AccessUsed
from bwcdock.desk import acts
from bwcdock.desk.room import Room, refused

HOUSE: dict[str, tuple[type[acts.Act], ...]] = {
    AUDITOR: (acts.RequestAccess, acts.SetSignIn),
    SYSTEM_ADMINISTRATOR: (acts.SetSignIn,),
}
"""All that may be done in a role of the house: an auditor reads, and asks for what he may not see unasked; whoever lets
people sign in decides about nothing they do then."""


def must_be_allowed(act: acts.Act, room: Room) -> None:
    """Refuse the act unless the actor stands in the register, works here in this role, and the role may do it."""
    actor, pack = room.actor, room.bench.pack
    if isinstance(act, acts.EnterPerson) and not room.ledger.matters(Person):
        first = custodians(pack)[0]
        if act.person != actor.name or actor.role != first or first not in act.roles:
            raise refused(
                "register.empty",
                "Nobody is in the register yet.",
                f"The first person enters himself, in the role {first} and with it among his roles.",
                role=first,
            )
        return
    must_work_here(room)
    if not isinstance(act, HOUSE.get(actor.role, acts.Act)):
        words = "、".join(each.word for each in HOUSE[actor.role])
        what = f"{_label(pack, actor.role)} may not do this ({act.word}), but: {words}."
        acts_ = tuple(each.word for each in HOUSE[actor.role])
        raise refused("role.house", what, role=actor.role, act=act.word, acts=acts_)
    may = _roles(act, room)
    if may is not None and actor.role not in may:
        names = "、".join(_label(pack, role) for role in may) or "nobody"
        what = f"{_label(pack, actor.role)} may not do this ({act.word}); {names} may."
        raise refused("role.may-not", what, role=actor.role, act=act.word, roles=may)


def must_work_here(room: Room) -> None:
    """Refuse whoever is not in the register, has left, or has not the role he acts in."""
    actor, pack = room.actor, room.bench.pack
    room.term("role", actor.role, roles_of(pack))
    person = room.person(actor.name)
    if not person.may_act_as(actor.role):
        has = ", ".join(person.roles) or "none"
        what = f"{person.name} ({person.id}) is not {_label(pack, actor.role)}."
        raise refused(
            "role.not-his",
            what,
            f"His roles are: {has}.",
            person=person.id,
            name=person.name,
            role=actor.role,
            roles=person.roles,
        )


def must_have_exported(entry: int, room: Room) -> None:
    """Refuse a package to everybody but whoever made it and an auditor.

    It was judged when it was made, and its line in the register counts its copies: it is not judged a second time.
    """
    must_work_here(room)
    line = next(room.ledger.entries(entry, entry + 1), None)
    if line is None or not isinstance(line.fact, AccessUsed) or line.fact.how != "exported":
        what = f"Entry {entry} of the ledger is no line of the register for a package."
        raise refused("package.none", what, entry=entry)
    if room.actor.role != AUDITOR and room.actor.name != line.actor.name:
        what = f"Package {entry} was made by {line.actor.name}: he fetches it, or an auditor."
        raise refused("package.not-his", what, entry=entry, person=line.actor.name)


def _roles(act: acts.Act, room: Room) -> tuple[str, ...] | None:
    """The role ids that may do it; ``None`` where everybody in the register may."""
    pack = room.bench.pack
    match act.by:
        case "anyone":
            return None
        case "custodian":
            return custodians(pack)
        case "administrator":
            return custodians(pack)[:1]
        case "extender":
            if pack.deadline.extension is None:
                what = f"{pack.name} {pack.deadline.article} knows no extension (延期)."
                raise refused("extension.unknown", what, pack=pack.name, article=pack.deadline.article)
            return pack.deadline.extension.by
        case "signer":
            assert isinstance(act, acts.JudgeExplanation)
            return signers(pack, room.matter(Explanation, act.explanation).what)
        case "approver":
            return None  # the chain of the request says who is next, and is asked where it is carried on
        case "supervisor":
            return pack.spot_check.by if pack.spot_check and pack.spot_check.by else leaders(pack) + custodians(pack)
        case "leader":
            return leaders(pack)


def custodians(pack: RulePack) -> tuple[str, ...]:
    """The roles of the pack that keep footage and devices; the first is whoever the regulation lets handle footage."""
    declared = {term.id for term in pack.roles}
    return tuple(role for role in CUSTODIANS if role in declared)


def leaders(pack: RulePack) -> tuple[str, ...]:
    """Every role that the pack lets approve something."""
    return tuple(dict.fromkeys(role for approval in pack.approvals for role in approval.chain))


def _label(pack: RulePack, role: str) -> str:
    return next((f"{term.label} ({term.id})" for term in roles_of(pack) if term.id == role), role)
