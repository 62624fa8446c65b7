"""Who may see footage or take it away: by a request that everybody in the regulation's chain has agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bwcdock.core.desk.access import VIEWING, Access
from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Actor
from bwcdock.core.refusal import Refusal, because
from bwcdock.errors import NotAllowed
from bwcdock.ledger import Reader

HINT = "Have it approved as the regulation asks (`bwcdock desk request-access`); nothing was shown or copied."


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The approved request a package is made under: its id, who carries it out in which role, for whom, what for, and
    who approved it, in the order of the chain.
    """

    request: str
    who: str
    role: str
    applicant: str
    reason: str
    approved_by: tuple[str, ...]

    def __post_init__(self) -> None:
        if not (self.request and self.who and self.applicant and self.reason and self.approved_by):
            raise ValueError(
                "A permit names its request, who carries it out, the applicant, the reason and who approved."
            )


def ask(
    ledger: Reader, records: Sequence[str], request: str, actor: Actor, *, how: Literal["viewed", "exported"]
) -> Permit:
    """The permit for showing or handing over these records (whole ids) under this request, by whoever carries it out.

    The only gate: whatever shows footage or hands it over asks here, and enters the line of the register before its
    first byte. Raises ``NotAllowed`` where there is no such request, where not all of its chain has agreed, where it is
    for looking only and shall be exported, or where it does not name each of the records.
    """
    access = ledger.matter(Access, request)
    why = _why_not(access, records, how)
    if access is None or why is not None:
        raise NotAllowed("view" if how == "viewed" else "export", why or _none(), HINT)
    return Permit(
        request=access.id,
        who=_name(ledger, actor.name),
        role=actor.role,
        applicant=access.applicant,
        reason=access.reason,
        approved_by=tuple(_name(ledger, agreed.by) for agreed in access.agreed),
    )


def _none() -> Refusal:
    return because("permit.none", "No approved request for access (查阅复制申请) covers these recordings.")


def _why_not(access: Access | None, records: Sequence[str], how: str) -> Refusal | None:
    if access is None:
        return _none()
    request = access.id
    if access.state != "granted":
        waits = f"; the next to decide is {access.next_role}" if access.next_role else ""
        what = f"Request {request} is {access.state}, not granted{waits}."
        return because("permit.not-granted", what, request=request, kind="access", state=access.state)
    if how != "viewed" and access.act in VIEWING:
        what = f"Request {request} was granted for viewing (查阅): nothing may be copied by it."
        return because("permit.viewing-only", what, request=request)
    beyond = [record for record in records if record not in access.records]
    if beyond:
        what = f"Request {request} does not name recording {beyond[0]}."
        return because("permit.beyond", what, request=request, record=beyond[0])
    return None


def _name(ledger: Reader, person_id: str) -> str:
    person = ledger.matter(Person, person_id)
    return f"{person.name} ({person.id})" if person else person_id
