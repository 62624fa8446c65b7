"""What the desk is asked for list by list, a page at a time: cases, holds, requests and the register of their use."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from bwcdock.core.desk import cases, expiring
from bwcdock.core.desk.access import Access, Used
from bwcdock.core.desk.attribution import Own
from bwcdock.core.desk.cases import ArchiveDue, Case
from bwcdock.core.desk.checking import SpotCheck
from bwcdock.core.desk.expiring import Expiry
from bwcdock.core.desk.holds import Hold
from bwcdock.core.facts import Entry
from bwcdock.core.record import Record
from bwcdock.core.refusal import Refusal
from bwcdock.core.statements import AccessUsed
from bwcdock.desk.asking import Law
from bwcdock.desk.register import Register
from bwcdock.ledger import Reader

PAGE = 50
"""Lines of one page: a screen and a half, which people still look through."""

CHOSEN = 100
"""Recordings of one page from which some are chosen: their ids fit into the address of the form they go to."""

LOOKS = 20
"""Pages of recordings that are looked through for those that nothing keeps: half a second's work."""

PRINTED = 500
"""Lines of the register on one page, which is printed: more than a month of a busy bureau."""

FITTING = 500
"""Recordings that one hold is shown to keep: what it keeps is decided for each alone, this is to look at."""

READ = 500
"""Entries read at a time where lines are picked from them."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list; ``next`` is the line after which the following one begins, empty where this is the last."""

    rows: tuple[T, ...]
    next: str = ""


def page(found: Iterable[T], limit: int, name: Callable[[T], str]) -> Page[T]:
    """The first ``limit`` of what was found; that there is more is known where one more was asked for."""
    rows = tuple(found)
    return Page(rows=rows[:limit], next=name(rows[limit - 1]) if len(rows) > limit else "")


def names(register: Register) -> dict[str, str]:
    """What everybody who was ever in the register is called, by id."""
    return {person.id: person.name for person in register.people.values()}


# --- cases ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """A case, its archive deadline where its clock runs, and how many recordings are bound to it."""

    case: Case
    due: ArchiveDue | None
    footage: int


def is_of(case: Case, person: str) -> bool:
    """Whether this is a case of this person's: he handles it, or wrote last in it."""
    return person in {case.handler, case.by}


def running(ledger: Reader, law: Law, *, person: str = "") -> tuple[CaseLine, ...]:
    """The cases (of this person) whose archive clock runs, earliest due first."""
    lines = [_line(ledger, law, c) for c in ledger.matters(Case, "closed") if not person or is_of(c, person)]
    timed = [(line.due.counted.due, line) for line in lines if line.due]
    return tuple(line for _, line in sorted(timed, key=lambda pair: pair[0]))


def case_page(ledger: Reader, law: Law, *, state: str = "", after: str = "", person: str = "") -> Page[CaseLine]:
    """Cases (in this state, of this person), newest first."""
    limit = -1 if person else PAGE + 1
    found = [c for c in ledger.newest(Case, state=state, after=after, limit=limit) if not person or is_of(c, person)]
    shown = page(found, PAGE, lambda case: case.id)
    return Page(rows=tuple(_line(ledger, law, case) for case in shown.rows), next=shown.next)


def _line(ledger: Reader, law: Law, case: Case) -> CaseLine:
    return CaseLine(case=case, due=cases.due(case, law.pack, law.calendar), footage=ledger.how_many_of(case.id))


def loose_page(ledger: Reader, *, after: str = "", own: Own | None = None) -> Page[Record]:
    """Recordings bound to no case, newest first; with ``own`` somebody's own alone."""
    return page(ledger.loose(after=after, limit=CHOSEN + 1, own=own), CHOSEN, lambda record: record.id)


# --- holds ------------------------------------------------------------------------------------------------------------


def kept_by(ledger: Reader, register: Register, hold: Hold) -> Page[Record]:
    """The recordings that fit a hold as it is, or as it was before it was lifted; the first of very many."""
    found: list[Record] = []
    for record in _may_fit(ledger, register, hold):
        if hold.fits(record, register.officers(record)):
            found.append(record)
        if len(found) > FITTING:
            break
    return page(found, FITTING, lambda record: record.id)


def _may_fit(ledger: Reader, register: Register, hold: Hold) -> Iterable[Record]:
    if hold.records:
        return [record for name in hold.records if (record := ledger.record(name)) is not None]
    return ledger.recorded(
        recorder=hold.device,
        own=register.own(hold.person) if hold.person else None,
        place=hold.place,
        since=hold.since_recorded,
        until=hold.until_recorded,
        limit=10 * FITTING,
    )


# --- requests and their register --------------------------------------------------------------------------------------


def request_page(ledger: Reader, *, state: str = "", after: str = "", person: str = "") -> Page[Access]:
    """Requests (in this state, of this person), newest first."""
    found = ledger.newest(Access, state=state, after=after, limit=-1 if person else PAGE + 1)
    return page([a for a in found if not person or person in asking_for(a)], PAGE, lambda access: access.id)


def asking_for(access: Access) -> frozenset[str]:
    """Whose request it is."""
    return frozenset({access.requested_by, access.applicant})


def may_decide(access: Access, person: str, role: str) -> bool:
    """Whether this person in this role is the next of the chain, and has no part in the request yet."""
    taken = {access.requested_by, access.applicant, *(agreed.by for agreed in access.agreed)}
    return role == access.next_role and person not in taken


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterLine:
    """One line of the register (登记簿): what was done by leave of which request, and the entry that says so."""

    used: Used
    access: Access
    seq: int


def register_page(
    ledger: Reader,
    register: Register,
    *,
    since: datetime | None,
    until: datetime | None,
    person: str = "",
    below: int | None = None,
) -> Page[RegisterLine]:
    """The register between two moments, newest first, of whoever has ``person`` in his id or name."""
    found: list[RegisterLine] = []
    for entry in _backwards(ledger, AccessUsed.ev, below, since):
        line = _register_line(ledger, entry)
        if (until is None or entry.at < until) and (not person or _concerns(line, person, register)):
            found.append(line)
        if len(found) > PRINTED:
            break
    return page(found, PRINTED, lambda line: str(line.seq))


def _backwards(ledger: Reader, ev: str, below: int | None, since: datetime | None) -> Iterator[Entry]:
    while some := ledger.entries_back(ev=ev, below=below, limit=READ):
        for entry in some:
            if since is not None and entry.at < since:
                return
            yield entry
        below = some[-1].seq


def _register_line(ledger: Reader, entry: Entry) -> RegisterLine:
    fact = entry.fact
    assert isinstance(fact, AccessUsed)
    access = ledger.matter(Access, fact.matter)
    assert access is not None  # the fold has it, or the entry would not be there
    used = Used(how=fact.how, who=fact.who, by=entry.actor.name, at=entry.at, copies=fact.copies, note=fact.note)
    return RegisterLine(used=used, access=access, seq=entry.seq)


def _concerns(line: RegisterLine, text: str, register: Register) -> bool:
    access, used = line.access, line.used
    ids = (used.who, used.by, access.applicant, access.requested_by, *(agreed.by for agreed in access.agreed))
    return any(text in word for each in ids for word in (each, register.name(each)))


# --- the end of keeping -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLine:
    """A recording whose keeping has ended, what still keeps it, and the proposal that names it already."""

    record: Record
    kept: Refusal | None
    proposal: str = ""

    @property
    def is_free(self) -> bool:
        """Whether it may be proposed now."""
        return not self.kept and not self.proposal


def end_page(
    ledger: Reader, register: Register, now: datetime, *, after: str = "", free: bool = False
) -> Page[EndLine]:
    """What has come to the end of its keeping, the longest ago first; with ``free`` what nothing keeps any more.

    A page looks through so many at most that it is quick, and says where the next one begins.
    """
    holds, requests = ledger.matters(Hold, "placed"), [*_open(ledger.matters(Access))]
    proposed = {name: expiry.id for expiry in ledger.matters(Expiry) for name in expiry.records}
    lines: list[EndLine] = []
    for _ in range(LOOKS if free else 1):
        some = page(ledger.ended(now, after=after, limit=CHOSEN + 1), CHOSEN, lambda record: record.id)
        for record in some.rows:
            kept = expiring.why_kept(record, register.officers(record), now, holds, requests)
            line = EndLine(record=record, kept=kept, proposal=proposed.get(record.id, ""))
            if not free or line.is_free:
                lines.append(line)
        after = some.next
        if not after or len(lines) >= CHOSEN:
            break
    return Page(rows=tuple(lines), next=after)


def _open(requests: Sequence[Access]) -> Iterator[Access]:
    """Those that may keep something still; most are history."""
    return (request for request in requests if request.state in {"requested", "granted"} and not request.used)


# --- spot checks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitResult:
    """What all spot checks of one unit come to, point by point: how many recordings were as they should be."""

    unit: str
    checks: int
    judged: int
    skipped: int
    right: int
    points: tuple[tuple[str, int, int], ...]


def results(checks: Iterable[SpotCheck]) -> tuple[UnitResult, ...]:
    """The results by unit; each point with the number that were right, and of how many."""
    by_unit: dict[str, list[SpotCheck]] = {}
    for check in checks:
        by_unit.setdefault(check.unit, []).append(check)
    return tuple(_result(unit, by_unit[unit]) for unit in sorted(by_unit))


def _result(unit: str, checks: list[SpotCheck]) -> UnitResult:
    judged = [each for check in checks for each in check.judged]
    points: dict[str, list[bool]] = {}
    for each in judged:
        for point, right in each.points:
            points.setdefault(point, []).append(right)
    return UnitResult(
        unit=unit,
        checks=len(checks),
        judged=len(judged),
        skipped=sum(len(check.skipped) for check in checks),
        right=sum(all(right for _, right in each.points) for each in judged),
        points=tuple((point, sum(said), len(said)) for point, said in points.items()),
    )
