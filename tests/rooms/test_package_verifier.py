"""The verifier in a package: its Ed25519 against RFC 8032 and another implementation, and that it runs alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from bwcdock.ledger.tree import Frontier, inclusion, leaf_hash
from bwcdock.papers.export import verifier
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

# RFC 8032 section 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
        "655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
        "b00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
        "c027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc(key, message, signature):
    key, message, signature = map(bytes.fromhex, (key, message, signature))
    assert verifier.ed25519(key, message, signature)
    assert not verifier.ed25519(key, message + b"x", signature)
    for at in range(0, 64, 7):
        bad = bytearray(signature)
        bad[at] ^= 1
        assert not verifier.ed25519(key, message, bytes(bad))


@settings(max_examples=40)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 511))
def test_it_agrees_with_another_implementation(seed, message, bit):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verifier.ed25519(key, message, signature)
    bad = bytearray(signature)
    bad[bit // 8] ^= 1 << bit % 8
    assert not verifier.ed25519(key, message, bytes(bad))


def other(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@settings(max_examples=60)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=9), st.binary(min_size=64, max_size=64))
@example(bytes(32), b"", bytes(64))
@example(b"\xff" * 32, b"", b"\xff" * 64)
def test_it_believes_nothing_the_other_does_not(key, message, signature):
    assert not verifier.ed25519(key, message, signature) or other(key, message, signature)


def test_a_signature_moved_by_the_order_of_the_group_is_none():
    """S and S + L are the same point: a second signature for the same message must not exist (section 5.1.7)."""
    key, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    moved = int.from_bytes(signature[32:], "little") + verifier.L
    assert not verifier.ed25519(key, message, signature[:32] + moved.to_bytes(32, "little"))
    assert not verifier.ed25519(key[:31], message, signature)
    assert not verifier.ed25519(key, message, signature[:63])


@given(st.integers(1, 40), st.data())
def test_inclusion_proofs_of_the_ledger(size, data):
    leaves = [bytes([at]) for at in range(size)]
    nodes: dict[tuple[int, int], bytes] = {}
    tree = Frontier()
    for at, leaf in enumerate(leaves):
        nodes.update({(level, at): node for level, node in enumerate(tree.push(leaf_hash(leaf)))})
    index = data.draw(st.integers(0, size - 1))
    path = list(inclusion(index, size, lambda level, last: nodes[level, last]))
    assert verifier.included(leaves[index], index, size, path, tree.root())
    assert not verifier.included(b"x", index, size, path, tree.root())
    assert not verifier.included(leaves[index], (index + 1) % size, size, path, tree.root()) or size == 1
    assert not verifier.included(leaves[index], index, size, [*path, bytes(32)], tree.root())


def test_it_is_python_3_8_and_needs_nothing_else():
    source = Path(verifier.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    names = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert names == {"__future__", "argparse", "base64", "hashlib", "json", "os", "re", "sys", "typing"}
    # What came after 3.8 and is easily written without thinking of it.
    assert not any(
        word in source for word in ("removeprefix", "removesuffix", "is_relative_to", "public_bytes_raw", "match ")
    )


def test_it_writes_nothing_and_tells_nonsense(tmp_path):
    for name, content in (("empty", None), ("junk", b"\xff\x00" * 99)):
        folder = tmp_path / name
        folder.mkdir()
        if content:
            for file in ("bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "data"):
                (folder / file).write_bytes(content)
        before = sorted(folder.iterdir())
        told = subprocess.run(
            [sys.executable, "-I", "-S", "-B", verifier.__file__, folder], capture_output=True, text=True, check=False
        )
        assert told.returncode == 1, told
        assert "NOT VERIFIED" in told.stdout
        assert "Traceback" not in told.stderr
        assert sorted(folder.iterdir()) == before
