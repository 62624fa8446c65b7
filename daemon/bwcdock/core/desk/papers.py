"""Which papers were made."""

from dataclasses import dataclass

from bwcdock.core.desk.matter import Kind, Matter, nothing_against, plain
from bwcdock.core.statements import PaperIssued


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper(Matter):
    """A paper that was made, with the SHA-256 of its text and the number of copies."""

    paper: str
    subject: str
    sha256: str
    copies: int


PAPER = Kind(Paper, {None: {PaperIssued: "issued"}}, plain(Paper), nothing_against)
