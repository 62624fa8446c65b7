"""The tree against the published vectors, a naive reading of RFC 6962, and another implementation."""

from functools import cache
from hashlib import sha256

import pymerkle
import pytest
from bwcdock.ledger import tree
from hypothesis import given
from hypothesis import strategies as st

# The inputs and roots of the RFC 6962 test data of certificate-transparency.
INPUTS = [
    bytes.fromhex(x)
    for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"

SIZE = 64
LEAVES = [bytes([i]) * (i % 7) for i in range(SIZE)]


class Stored:
    """Leaves with the hashes that stand beside them, as the ledger keeps them; counts what a proof reads."""

    def __init__(self, leaves):
        self.frontier, self.nodes, self.read = tree.Frontier(), [], 0
        for leaf in leaves:
            self.nodes.append(self.frontier.push(tree.leaf_hash(leaf)))

    def fetch(self, level, last):
        self.read += 1
        return self.nodes[last][level]


STORED = Stored(LEAVES)


@cache
def naive_root(start, end):
    """MTH of RFC 6962 section 2.1, word for word."""
    n = end - start
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return sha256(b"\x00" + LEAVES[start]).digest()
    k = 1
    while k * 2 < n:
        k *= 2
    return sha256(b"\x01" + naive_root(start, start + k) + naive_root(start + k, end)).digest()


def naive_path(m, start, end):
    n = end - start
    if n == 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if m < k:
        return [*naive_path(m, start, start + k), naive_root(start + k, end)]
    return [*naive_path(m - k, start + k, end), naive_root(start, start + k)]


def naive_subproof(m, start, end, whole):
    n = end - start
    if m == n:
        return [] if whole else [naive_root(start, end)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*naive_subproof(m, start, start + k, whole), naive_root(start + k, end)]
    return [*naive_subproof(m - k, start + k, end, False), naive_root(start, start + k)]


def test_roots_of_the_published_vectors():
    stored = Stored(INPUTS)
    assert [tree.root(n, stored.fetch).hex() for n in range(9)] == ROOTS
    assert stored.frontier.root().hex() == ROOTS[8]
    assert tree.EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize(
    ("index", "size", "path"), [(0, 1, []), (0, 8, [A, B, C]), (5, 8, [D, E, ROOTS[4]]), (2, 3, [ROOTS[2]])]
)
def test_inclusion_of_the_published_vectors(index, size, path):
    assert [p.hex() for p in tree.inclusion(index, size, Stored(INPUTS).fetch)] == path


@pytest.mark.parametrize(
    ("old", "new", "path"), [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[4]]), (2, 5, [B, D])]
)
def test_consistency_of_the_published_vectors(old, new, path):
    assert [p.hex() for p in tree.consistency(old, new, Stored(INPUTS).fetch)] == path


def test_every_proof_is_the_naive_one_and_verifies():
    for n in range(1, SIZE + 1):
        root = naive_root(0, n)
        assert tree.root(n, STORED.fetch) == root
        assert tree.Frontier.load(n, STORED.fetch).root() == root
        for m in range(n):
            path = tree.inclusion(m, n, STORED.fetch)
            assert list(path) == naive_path(m, 0, n)
            assert tree.verify_inclusion(tree.leaf_hash(LEAVES[m]), m, n, path, root)
        for m in range(1, n + 1):
            path = tree.consistency(m, n, STORED.fetch)
            assert list(path) == naive_subproof(m, 0, n, True)
            assert tree.verify_consistency(m, n, path, naive_root(0, m), root)


def test_a_frontier_taken_up_anywhere_grows_into_the_same_tree():
    for n in range(SIZE):
        frontier = tree.Frontier.load(n, STORED.fetch)
        nodes = [frontier.push(tree.leaf_hash(leaf)) for leaf in LEAVES[n:]]
        assert nodes == STORED.nodes[n:]
        assert frontier.root() == naive_root(0, SIZE)


def test_a_copy_grows_alone():
    frontier = tree.Frontier.load(3, STORED.fetch)
    frontier.copy().push(tree.leaf_hash(b"x"))
    assert (frontier.size, frontier.root()) == (3, naive_root(0, 3))


@given(st.data())
def test_a_damaged_inclusion_proof_proves_nothing(data):
    n = data.draw(st.integers(1, SIZE))
    m = data.draw(st.integers(0, n - 1))
    path, root, leaf = tree.inclusion(m, n, STORED.fetch), naive_root(0, n), tree.leaf_hash(LEAVES[m])
    for bad in _damaged(path, data):
        assert not tree.verify_inclusion(leaf, m, n, bad, root)
    other = data.draw(st.integers(-1, SIZE).filter(lambda i: i != m))
    assert not tree.verify_inclusion(leaf, other, n, path, root)
    assert not tree.verify_inclusion(leaf, m, 2 * SIZE + n, path, root)
    assert not tree.verify_inclusion(_flipped(leaf, 3), m, n, path, root)
    assert not tree.verify_inclusion(leaf, m, n, path, _flipped(root, 3))


@given(st.data())
def test_a_damaged_consistency_proof_proves_nothing(data):
    n = data.draw(st.integers(2, SIZE))
    m = data.draw(st.integers(1, n))
    path, old, new = tree.consistency(m, n, STORED.fetch), naive_root(0, m), naive_root(0, n)
    for bad in _damaged(path, data):
        assert not tree.verify_consistency(m, n, bad, old, new)
    assert not tree.verify_consistency(m, n, path, _flipped(old, 9), new)
    assert not tree.verify_consistency(m, n, path, old, _flipped(new, 9))
    assert not tree.verify_consistency(m, 2 * SIZE + n, path, old, new)
    assert not tree.verify_consistency(0, n, path, old, new)
    assert not tree.verify_consistency(n + 1, n, path, old, new)


@given(st.data())
def test_an_inclusion_proof_with_the_border_between_two_hashes_moved_proves_nothing(data):
    n = data.draw(st.integers(2, SIZE))
    path, root, leaf = tree.inclusion(0, n, STORED.fetch), naive_root(0, n), tree.leaf_hash(LEAVES[0])
    assert tree.verify_inclusion(leaf, 0, n, path, root)
    assert not tree.verify_inclusion(leaf[:-1], 0, n, [leaf[-1:] + path[0], *path[1:]], root)


def _damaged(path, data):
    path = list(path)
    yield [*path, naive_root(0, 1)]
    yield [naive_root(0, 2), *path]
    for i in range(len(path)):
        yield path[:i] + path[i + 1 :]
        yield [*path[:i], _flipped(path[i], data.draw(st.integers(0, 255))), *path[i + 1 :]]
        yield [*path[:i], path[i][:-1], *path[i + 1 :]]


def _flipped(value, bit):
    return (int.from_bytes(value, "big") ^ (1 << bit)).to_bytes(len(value), "big")


def test_a_proof_nobody_can_make_is_refused():
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no leaf"):
            tree.inclusion(index, size, STORED.fetch)
    for old, new in ((0, 5), (6, 5)):
        with pytest.raises(ValueError, match="no proof"):
            tree.consistency(old, new, STORED.fetch)


def test_a_proof_reads_few_hashes():
    """A proof in a tree of n leaves needs at most about log2(n) hashes for each step of its path: never the leaves."""
    stored = Stored([b""] * 4095)
    tree.inclusion(1234, 4095, stored.fetch)
    assert stored.read <= 12 * 12
    stored.read = 0
    tree.root(4095, stored.fetch)
    assert stored.read == 12


def test_another_implementation_agrees():
    other = pymerkle.InmemoryTree(algorithm="sha256")
    for n, leaf in enumerate(LEAVES, 1):
        other.append_entry(leaf)
        assert other.get_root() == tree.root(n, STORED.fetch)
        m = n * 5 // 7
        assert tuple(other.prove_inclusion(m + 1).path[1:]) == tree.inclusion(m, n, STORED.fetch)
