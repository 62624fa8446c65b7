"""The form of what is said in Chinese of one code."""

from typing import NamedTuple


class Words(NamedTuple):
    """What an officer is told of a finding with this code.

    ``what`` is true of every finding with the code; ``told`` says the same with the values of the evidence, each named
    in braces, and is taken where the finding has them all. ``do`` is the one thing a person should do.
    """

    title: str
    what: str
    do: str
    told: str = ""


LONGEST_TITLE = 10
"""Characters: what fits on a slot's tile and into the narrow column of a receipt."""
