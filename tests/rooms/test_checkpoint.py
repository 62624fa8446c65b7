"""Checkpoints by the C2SP specifications, keys, and the store of signed heads."""

import sqlite3
import stat
from base64 import b64decode, b64encode
from contextlib import ExitStack, closing
from hashlib import sha256

import pytest
from bwcdock.errors import LedgerBroken, Misused
from bwcdock.ledger import Signer, Verifier, schema
from bwcdock.ledger.checkpoint import Heads
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from ledger_world import ORIGIN, new_ledger, signer_of

# The example of the signed-note package of the Go checksum database, whose format C2SP signed-note is.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
ROOT = sha256(b"root").digest()


@pytest.fixture
def signer():
    return Signer(ORIGIN, KEY)


def test_the_text_is_the_one_of_the_specification(signer):
    lines = signer.sign(20852163, ROOT).note.split("\n")
    assert lines[:2] == [ORIGIN, "20852163"]
    assert (b64decode(lines[2]), lines[3], lines[5:]) == (ROOT, "", [""])
    dash, name, encoded = lines[4].split(" ")
    assert (dash, name) == ("\u2014", ORIGIN)
    public = KEY.public_key().public_bytes_raw()
    key_id, signature = b64decode(encoded)[:4], b64decode(encoded)[4:]
    assert key_id == sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]
    KEY.public_key().verify(signature, "\n".join([*lines[:3], ""]).encode())
    assert signer.verifier.vkey == f"{ORIGIN}+{key_id.hex()}+{b64encode(bytes([1]) + public).decode()}"


def test_what_was_signed_opens_with_the_public_text_alone(signer):
    checkpoint = signer.sign(7, ROOT)
    assert Verifier.parse(signer.verifier.vkey).open(checkpoint.note) == checkpoint
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 7, ROOT)


def test_a_key_and_signature_of_another_implementation():
    verifier = Verifier.parse(GO_VKEY)
    assert verifier.vkey == GO_VKEY
    # The signature holds: it is a note, but no checkpoint.
    with pytest.raises(LedgerBroken, match="no checkpoint of this log"):
        verifier.open(GO_NOTE)
    with pytest.raises(LedgerBroken, match="signature is wrong"):
        verifier.open(GO_NOTE.replace("answer", "Answer"))


def test_every_flipped_bit_and_every_cut_is_refused(signer):
    note = signer.sign(7, ROOT).note
    data = note.encode()
    bad = [data[:n] for n in range(len(data))]
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        bad.append(bytes(changed))
    for some in bad:
        with pytest.raises((LedgerBroken, UnicodeDecodeError)):
            signer.verifier.open(some.decode())


def test_another_spelling_of_the_same_signature_is_refused(signer):
    """The last letter before the '=' has two bits that decode to nothing."""
    note = signer.sign(7, ROOT).note
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = letters.index(note[-3])
    for loose in (1, 2, 3):
        spelt = f"{note[:-3]}{letters[last + loose]}=\n"
        assert b64decode(spelt.rsplit(" ", maxsplit=1)[-1]) == b64decode(note.split(" ")[-1])
        with pytest.raises(LedgerBroken):
            signer.verifier.open(spelt)


def test_lines_of_witnesses_are_passed_over(signer):
    note = signer.sign(7, ROOT).note
    witness = Signer("witness.example/w1", Ed25519PrivateKey.generate()).sign(7, ROOT).note.split("\n")[-2]
    assert signer.verifier.open(f"{note}{witness}\n").size == 7
    ours = note.split("\n")[-2]
    for lines in (f"{witness}\n", f"{ours}\n{ours}\n", f"{ours}\nnot a line\n", f"{ours}\n\n"):
        with pytest.raises(LedgerBroken):
            signer.verifier.open(note[: note.index("\n\n") + 2] + lines)


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n07\n{{root}}\n",
        f"{ORIGIN}\n-7\n{{root}}\n",
        f"{ORIGIN}\n٧\n{{root}}\n",
        f"{ORIGIN}\n\n{{root}}\n",
        f"{ORIGIN}\n7\n{{root}}\nmore\n",
        f"{ORIGIN}\n7\nAAAA\n",
        f"{ORIGIN}\n7\n",
        "other/dock\n7\n{root}\n",
    ],
)
def test_a_signature_over_another_text_makes_no_checkpoint(signer, text):
    text = text.format(root=b64encode(ROOT).decode())
    line = f"— {ORIGIN} {b64encode(signer.verifier.key_id + KEY.sign(text.encode())).decode()}\n"
    with pytest.raises(LedgerBroken):
        signer.verifier.open(f"{text}\n{line}")


def test_another_key_under_the_same_name_is_not_believed(signer):
    forger = Signer(ORIGIN, Ed25519PrivateKey.generate())
    with pytest.raises(LedgerBroken):
        signer.verifier.open(forger.sign(7, ROOT).note)
    # Even when the forger writes our key id over his signature.
    text, line = forger.sign(7, ROOT).note.split("\n\n")
    dash, name, encoded = line[:-1].split(" ")
    line = f"{dash} {name} {b64encode(signer.verifier.key_id + b64decode(encoded)[4:]).decode()}\n"
    with pytest.raises(LedgerBroken):
        signer.verifier.open(f"{text}\n\n{line}")


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\u3000b", "a\nb", "a\x7f", "a\ud800"])
def test_a_name_that_cannot_stand_in_a_note_is_refused(origin):
    with pytest.raises(Misused):
        Signer(origin, KEY)


def test_a_chinese_name_can_stand_in_a_note():
    signer = Signer("某市公安局/采集站-1", KEY)
    assert Verifier.parse(signer.verifier.vkey).open(signer.sign(1, ROOT).note).origin == "某市公安局/采集站-1"


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v[1:],
        lambda v: v.replace("+", "-"),
        lambda v: v.replace(ORIGIN, "other"),
        lambda v: v[:-4],
        lambda v: v.replace("+A", "+B"),
        lambda v: "",
    ],
)
def test_a_spoilt_public_key_is_refused(signer, change):
    with pytest.raises(Misused):
        Verifier.parse(change(signer.verifier.vkey))


def test_a_key_file_is_private_and_never_overwritten(tmp_path):
    path = tmp_path / "key.pem"
    made = Signer.generate(path, ORIGIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Signer.load(path, ORIGIN).verifier.vkey == made.verifier.vkey
    with pytest.raises(Misused):
        Signer.generate(path, ORIGIN)
    assert Signer.load(path, ORIGIN).verifier.vkey == made.verifier.vkey
    path.chmod(0o640)
    with pytest.raises(Misused, match="read by others"):
        Signer.load(path, ORIGIN)


def test_a_file_that_is_no_signing_key_is_refused(tmp_path):
    path = tmp_path / "key.pem"
    with pytest.raises(Misused):
        Signer.load(path, ORIGIN)
    for content in (
        b"nonsense",
        X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(Misused):
            Signer.load(path, ORIGIN)


# --- the store -------------------------------------------------------------------------------------------------------


@pytest.fixture
def heads_of():
    """Opens the store of a directory, as often as asked."""
    with ExitStack() as stack:

        def opened(directory) -> Heads:
            db = stack.enter_context(closing(schema.connect(directory / schema.HEADS_FILE)))
            return Heads(db, signer_of(directory).verifier)

        yield opened


def test_heads_are_swapped_and_only_from_the_newest(tmp_path, heads_of):
    new_ledger(tmp_path).close()
    heads, signer = heads_of(tmp_path), signer_of(tmp_path)
    first = heads.last()
    two, three = (signer.sign(n, ROOT) for n in (2, 3))
    heads.swap(first, two)
    assert heads.last() == two
    for stale in (first, None):
        with pytest.raises(LedgerBroken, match="meanwhile"):
            heads.swap(stale, three)
    assert list(heads.after(0)) == [first, two]


def test_a_row_that_does_not_say_what_was_signed_is_refused(tmp_path, heads_of):
    new_ledger(tmp_path).close()
    db = schema.connect(tmp_path / schema.HEADS_FILE)
    db.execute("DROP TRIGGER head_stands")
    heads = heads_of(tmp_path)
    for change in ("size = 2", "size = 1, root = x'00'", "root = zeroblob(32), note = 'nonsense'"):
        db.execute(f"UPDATE head SET {change}")
        for look in (heads.last, lambda: list(heads.after(0))):
            with pytest.raises(LedgerBroken):
                look()
    db.close()


def test_two_programs_cannot_both_swap(tmp_path, heads_of):
    new_ledger(tmp_path).close()
    ours, theirs, signer = heads_of(tmp_path), heads_of(tmp_path), signer_of(tmp_path)
    seen = ours.last(), theirs.last()
    theirs.swap(seen[1], signer.sign(2, ROOT))
    with pytest.raises(LedgerBroken, match="meanwhile"):
        ours.swap(seen[0], signer.sign(3, ROOT))


def test_the_store_itself_refuses_to_go_back(tmp_path):
    new_ledger(tmp_path).close()
    db = schema.connect(tmp_path / schema.HEADS_FILE)
    for size in (1, 0):
        for verb in ("INSERT", "INSERT OR REPLACE"):
            with pytest.raises(sqlite3.IntegrityError, match="backwards"):
                db.execute(f"{verb} INTO head VALUES (?, x'00', '')", (size,))
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        db.execute("UPDATE head SET root = x'00'")
    with pytest.raises(sqlite3.IntegrityError, match="never removed"):
        db.execute("DELETE FROM head")
    db.close()
