"""What every kind of sink asks of a key and of a small document."""

import re

from bwcdock.errors import Misused

MAX_KEY = 1024
"""Bytes of a key, as in S3, so that every key fits every kind of sink."""

MAX_NOTE = 16 << 20
"""Bytes of a small document: a receipt of 30,000 recordings has 12 MiB."""

MAX_COMPONENT = 255
"""Bytes of one component: what the common file systems allow."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_key(key: str) -> tuple[str, ...]:
    """The components of a key; ``Misused`` where it could mean another place or a file of the sink's own.

    A key is relative and '/'-separated. No component is empty, ``.`` or ``..``, has a control character or more than
    255 bytes, or begins with a dot: dotted names are the sink's own.
    """
    parts = tuple(key.split("/"))
    problem = ""
    try:
        if len(key.encode()) > MAX_KEY or any(len(p.encode()) > MAX_COMPONENT for p in parts):
            problem = "is too long"
    except UnicodeEncodeError:
        problem = "is no text"
    if any(not p or p.startswith(".") for p in parts):
        problem = "has an empty or dotted component"
    if _CONTROL.search(key):
        problem = "has a control character"
    if problem:
        raise Misused("check key", f"The key {key!r} {problem}.", "Correct the sink's layout in the settings.")
    return parts
