"""What the C library's allocator and Python's are told in a process that runs for months.

Left alone, glibc learns from the first megabytes that are freed that blocks of that size belong into its heaps, gives
every thread a heap of its own, and never returns what lies below the newest small block: a station whose threads come
and go with its recorders grows by megabytes an hour that nothing uses.
"""

import asyncio
import ctypes
import gc
import sys

HEAPS = 2
"""Heaps for all threads together; beyond two, threads that wait for each other anyway only scatter their blocks."""

MAPPED_FROM = 256 << 10
"""Bytes from which a block is mapped for itself, so that it goes back when it is freed."""

AWAITS = 255
"""Blocks of ended awaits that asyncio keeps for the next ones (``FI_FREELIST_MAXLEN`` of its C module)."""

# The parameters' numbers: malloc.h of glibc; mallopt(3).
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8


def settle() -> None:
    """Tell it, before the first thread begins; where the C library is another one, it is left as it is."""
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        tell(_ARENA_MAX, HEAPS)
        tell(_MMAP_THRESHOLD, MAPPED_FROM)
    _take_awaits()


def _take_awaits() -> None:
    """Have asyncio make the blocks it keeps for awaits, which no collection lets go of, while memory is still young.

    Made one by one in busy hours they lie in whatever memory is newest then, and hold it for good.
    """
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    kept = [iter(future) for _ in range(AWAITS)]
    del kept
    loop.close()


def give_back() -> None:
    """Return free pages that lie between blocks still in use; it takes milliseconds. By itself only the end goes back.

    Python keeps thousands of freed tuples for the next ones, and each holds a page; a whole collection lets go of them.
    And it keeps thousands of names that C code looked up an attribute by, a new copy each time, scattered likewise.
    A day with much to do leaves a tenth of a station's memory so.
    """
    gc.collect()
    sys._clear_type_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
