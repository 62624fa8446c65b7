"""One Merkle tree by RFC 6962 with SHA-256: hashes, proofs in RFC form, and their small independent verifier.

The tree is never held in memory. Leaf number ``i`` completes the perfect subtrees of 1, 2, 4 ... leaves that end at
``i``; their hashes are stored with that leaf (two on average) and never change. A root or a proof is read from
O(log n) of them, whatever the size.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_SIZE = 32
"""Bytes of one SHA-256 hash."""

EMPTY_ROOT = sha256().digest()
"""The root of a tree without leaves (RFC 6962 section 2.1)."""

Fetch = Callable[[int, int], bytes]
"""``fetch(level, last)``: the hash of the perfect subtree of ``2**level`` leaves whose last leaf is number ``last``."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf: the prefix 0x00 keeps a leaf from ever being read as a node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node, prefix 0x01."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its perfect subtrees, widest first, one a 1-bit of the size."""

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)

    @classmethod
    def load(cls, size: int, fetch: Fetch) -> "Frontier":
        """The frontier of the first ``size`` leaves, from stored hashes."""
        return cls(size, (fetch(level, last) for level, last in _perfect(0, size)))

    def copy(self) -> "Frontier":
        """A copy that can grow without this one: what is not committed yet must not be remembered."""
        return Frontier(self.size, self._peaks)

    def push(self, leaf: bytes) -> tuple[bytes, ...]:
        """Add a leaf hash; return the hashes of the subtrees it completes, level 0 (the leaf itself) upwards."""
        done = [leaf]
        for level in range(_trailing_ones(self.size)):
            done.append(node_hash(self._peaks.pop(), done[level]))
        self._peaks.append(done[-1])
        self.size += 1
        return tuple(done)

    def root(self) -> bytes:
        """The tree's root hash."""
        return _joined(self._peaks)


def root(size: int, fetch: Fetch) -> bytes:
    """The root over the first ``size`` leaves."""
    return _range_root(0, size, fetch)


def inclusion(index: int, size: int, fetch: Fetch) -> tuple[bytes, ...]:
    """The audit path of leaf ``index`` (from 0) in the tree of ``size`` leaves, leaf upwards (RFC 6962 section 2.1.1).

    Raises ``ValueError`` where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_root(middle, end, fetch))
            end = middle
        else:
            path.append(_range_root(start, middle, fetch))
            start = middle
    return tuple(reversed(path))


def consistency(old: int, new: int, fetch: Fetch) -> tuple[bytes, ...]:
    """The proof that the tree of ``new`` leaves begins with the tree of ``old`` leaves (RFC 6962 section 2.1.2).

    Empty when both are the same. Raises ``ValueError`` unless ``0 < old <= new``.
    """
    if not 0 < old <= new:
        raise ValueError(f"no proof from {old} to {new} leaves")
    path: list[bytes] = []
    start, end = 0, new
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_root(middle, end, fetch))
            end = middle
        else:
            path.append(_range_root(start, middle, fetch))
            start = middle
    if start:  # the old tree's own right edge; when the old tree is one perfect subtree its root is known anyway
        path.append(_range_root(start, end, fetch))
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves the leaf hash at ``index`` in the tree of ``size`` leaves with this root.

    The algorithm of RFC 9162 section 2.1.3.2, which shares no code with the making of proofs.
    """
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0 or len(p) != HASH_SIZE:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether ``path`` proves that the tree of ``new`` leaves only adds to the tree of ``old`` leaves.

    The algorithm of RFC 9162 section 2.1.4.2.
    """
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes or any(len(p) != HASH_SIZE for p in hashes):
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = hashes[0]
    for c in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root


def _split(width: int) -> int:
    """The largest power of two below ``width`` (RFC 6962's k)."""
    return 1 << ((width - 1).bit_length() - 1)


def _trailing_ones(n: int) -> int:
    return (~n & (n + 1)).bit_length() - 1


def _perfect(start: int, end: int) -> Iterable[tuple[int, int]]:
    """The perfect subtrees that make up leaves ``start`` to ``end``, widest first, as (level, last leaf)."""
    while start < end:
        level = (end - start).bit_length() - 1
        start += 1 << level
        yield level, start - 1


def _range_root(start: int, end: int, fetch: Fetch) -> bytes:
    return _joined([fetch(level, last) for level, last in _perfect(start, end)])


def _joined(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    result = peaks[-1]
    for peak in reversed(peaks[:-1]):
        result = node_hash(peak, result)
    return result
