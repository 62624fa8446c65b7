"""The tool, told to leave the wording of sentences alone: that there is one is for a test to notice, not how it reads.

What is of one word is changed as ever: it is a code, a key or a name. A sentence in Chinese has stops and no blanks.
"""

import re
from collections.abc import Iterable

import libcst
from mutmut.__main__ import cli
from mutmut.mutation import mutators

SENTENCE = re.compile(r"\w[,;:.]? \w|\w[，：。；]")


def word(node: libcst.BaseString) -> Iterable[libcst.BaseString]:
    if not (isinstance(node, libcst.SimpleString) and SENTENCE.search(node.value)):
        yield from mutators.operator_string(node)


if __name__ == "__main__":
    mutators.mutation_operators[:] = [
        (kind, word if operator is mutators.operator_string else operator)
        for kind, operator in mutators.mutation_operators
    ]
    cli()
