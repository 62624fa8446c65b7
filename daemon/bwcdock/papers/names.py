"""How people, roles and recorders are called on papers of the desk."""

from bwcdock.core.desk.people import Person
from bwcdock.papers.source import Source


def person(source: Source, person_id: str) -> str:
    """``李警官 (002)``; the id alone where nobody of the register has it."""
    found = source.ledger.matter(Person, person_id) if person_id else None
    return f"{found.name} ({found.id})" if found else person_id


def role(source: Source, role_id: str) -> str:
    """The regulation's word for a role."""
    return source.roles([role_id])[0] if role_id else ""
