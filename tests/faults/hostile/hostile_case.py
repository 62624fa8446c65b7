"""What a hostile case is: a name that says what it is, how its card is made, and what is right to come of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bwcdock.core.facts import MediaFacts
from bwcdock.core.names import escape

Files = Mapping[str, bytes]
"""What must come to lie in central storage: content by escaped path."""

Make = Callable[[Path], Files | None]
"""Makes the card, and answers what is to come of it where it is let in."""

GOOD = "good.mp4"
GOOD_DATA = b"what an honest recorder wrote " * 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One card. Where ``refused`` has words, it is refused with them, and nothing of it is sealed.

    Otherwise it is let in with exactly the findings ``codes`` (beyond those of an ordinary card), exactly the files its
    maker answers are sealed and lie in central storage, and exactly ``aside`` are set apart. ``problem`` are words of
    what the media judge says of the file ``film``; ``flaw`` is what an intake of the same file is refused for.
    """

    name: str
    make: Make
    refused: str = ""
    codes: frozenset[str] = frozenset()
    aside: frozenset[str] = frozenset()
    film: str = ""
    problem: str = ""
    flaw: str = ""
    check: Callable[[MediaFacts], bool] | None = None

    @property
    def verdict(self) -> str:
        """``refused``, ``found`` or ``right``."""
        if self.refused:
            return "refused"
        return "found" if self.codes or self.aside or self.problem else "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A class of cases."""

    name: str
    cases: list[Case] = field(default_factory=list)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def add(
        self,
        name: str,
        make: Make,
        *,
        codes: Sequence[str] = (),
        aside: Sequence[str] = (),
        **more: object,
    ) -> None:
        """One case more."""
        told = {"codes": frozenset(codes), "aside": frozenset(aside), **more}
        self.cases.append(Case(name=name, make=make, **told))  # type: ignore[arg-type]


def path_of(*parts: str | bytes) -> str:
    """The escaped path of these names."""
    raw = (part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass") for part in parts)
    return "/".join(map(escape, raw))
