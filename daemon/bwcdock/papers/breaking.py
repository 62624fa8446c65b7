"""Lines of a given width: between Chinese characters and between words, inside a word only where it must be."""

import re
from collections.abc import Callable, Iterator

_NOT_FIRST = frozenset("、。，．,.!?;:！？；：）)】》〉」』”’%％…·~～—–")
"""Never at the beginning of a line (避头)."""

_NOT_LAST = frozenset("（(【《〈「『“‘")
"""Never at the end of one (避尾)."""

# A word: letters, digits and signs without a break; anything else (Chinese above all) is a word of one character.
_WORD = re.compile(r" +|[!-~\u00a1-\u024f]+|.", re.DOTALL)


def lines(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """``text`` on lines of at most ``width``, as ``measure`` has it; at least one line, and one for every line end.

    One character alone may be wider than ``width``: it is then a line.
    """
    return [line for part in text.split("\n") for line in _broken(part, width, measure)]


def _broken(text: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    line, used = "", 0.0
    for word in _words(text):
        wide = measure(word)
        if used + wide > width and line:
            if line.strip():  # blanks alone are no line
                yield line.rstrip()
            line, used = "", 0.0
            if not word.strip():
                continue
        if wide <= width:
            line, used = line + word, used + wide
            continue
        for char in word:  # a word without end is broken where the line ends
            one = measure(char)
            if used + one > width and line:
                yield line
                line, used = "", 0.0
            line, used = line + char, used + one
    yield line.rstrip()


def _words(text: str) -> Iterator[str]:
    """Words with the signs that may not be parted from them."""
    held = ""
    for word in _WORD.findall(text):
        if held and not (word[0] in _NOT_FIRST or held[-1] in _NOT_LAST):
            yield held
            held = ""
        held += word
    if held:
        yield held
