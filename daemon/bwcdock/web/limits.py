"""How often one address may ask: a bucket of tokens for each, in a table that does not grow."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from bwcdock.web.accounts.tries import network

MOST: Final = 4096
"""Addresses remembered: a whole network of /20. The one that asked longest ago is forgotten, with a full bucket."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """One bucket an address, filled with ``rate`` tokens a second up to ``burst``."""

    def __init__(self, *, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._known: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, address: str, now: float) -> float:
        """Take one token: 0.0, or how many seconds must pass before there is one. ``now`` is monotonic."""
        name = network(address)
        bucket = self._known.pop(name, None) or _Bucket(self._burst, now)
        self._known[name] = bucket
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate
        bucket.tokens -= 1
        return 0.0

    def __len__(self) -> int:
        return len(self._known)
