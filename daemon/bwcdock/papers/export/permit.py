"""Who may take footage out of the station: an approved request for access, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

from bwcdock.errors import NotAllowed
from bwcdock.ledger import Reader


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


def ask(ledger: Reader, records: Sequence[str], reason: str) -> Permit:  # noqa: ARG001  (the one gate, for its callers)
    """The permit for handing over these records (whole ids), by the requests the ledger knows.

    The only gate: every command that hands footage over asks here. Raises ``NotAllowed`` where there is none.
    """
    what = "No approved request for access (查阅复制申请) covers these recordings."
    raise NotAllowed("export", what, "Have one approved as the regulation asks; nothing was copied.")
