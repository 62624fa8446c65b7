"""Signed tree heads: C2SP checkpoints (signed notes, Ed25519), and the store that lets none be signed backwards.

A checkpoint is the text ``origin``, ``size``, base64 root, one a line, then an empty line and a signature line. What
anyone needs to check one is the public key in its C2SP form ``origin+hex key id+base64``.
"""

import base64
import binascii
import sqlite3
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bwcdock.durable import write_small
from bwcdock.errors import LedgerBroken, Misused
from bwcdock.ledger import schema
from bwcdock.ledger.codec import from_ms
from bwcdock.ledger.tree import HASH_SIZE

ED25519 = b"\x01"
"""The signature type of C2SP signed-note for Ed25519."""

KEY_ID_SIZE = 4
MAX_NOTE = 16 * 1024
"""Bytes of a checkpoint: ours are about 250, and a hundred witnesses' lines still fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed head: the log's name, its size in leaves, its root (32 bytes), and the signed note to pass on."""

    origin: str
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A checkpoint with its time, ms of UTC: that of its last leaf, because that is the time the root proves."""

    t: int
    checkpoint: Checkpoint

    @property
    def at(self) -> datetime:
        """Its time."""
        return from_ms(self.t)


class Signer:
    """The station's private key, under the name of its log."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        _check_origin(origin)
        self.origin = origin
        self._key = key
        self.verifier = Verifier(origin, key.public_key())

    @classmethod
    def generate(cls, path: Path, origin: str) -> "Signer":
        """A new key, kept at ``path`` as PEM (PKCS 8), mode 0600, and never over another key."""
        signer = cls(origin, Ed25519PrivateKey.generate())
        try:
            write_small(path, signer._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        except OSError as error:
            hint = "Name a file that does not exist yet, in a directory that does."
            raise Misused("make key", f"{path} cannot be written: {error.strerror}.", hint) from error
        return signer

    @classmethod
    def load(cls, path: Path, origin: str) -> "Signer":
        """The key at ``path``; ``Misused`` if it is missing, readable by others, or not an Ed25519 key."""
        hint = "Name the file with the station's signing key in the settings, owned by the daemon's user, mode 0600."
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Misused("load key", f"{path} can be read by others.", hint)
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise Misused("load key", f"{path} cannot be read: {error.strerror}.", hint) from error
        except (ValueError, TypeError) as error:  # TypeError: it wants a password
            raise Misused("load key", f"{path} is not a private key in PEM, without a password.", hint) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Misused("load key", f"{path} is not an Ed25519 key.", hint)
        return cls(origin, key)

    def sign(self, size: int, root: bytes) -> Checkpoint:
        """The checkpoint of this head. Whoever calls has proven that it goes forward: see :class:`Heads`."""
        text = f"{self.origin}\n{size}\n{_base64(root)}\n"
        signature = _base64(self.verifier.key_id + self._key.sign(text.encode()))
        note = f"{text}\n— {self.origin} {signature}\n"
        return Checkpoint(origin=self.origin, size=size, root=root, note=note)

    def sign_document(self, data: bytes) -> bytes:
        """The Ed25519 signature (64 bytes, RFC 8032) over a document that is no checkpoint: see ``manifest``."""
        return self._key.sign(data)


class Verifier:
    """The public half, ``vkey`` in its C2SP text form: all that is needed to check a checkpoint."""

    def __init__(self, origin: str, key: Ed25519PublicKey) -> None:
        raw = ED25519 + key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.origin = origin
        self.key_id = sha256(origin.encode() + b"\n" + raw).digest()[:KEY_ID_SIZE]
        self.vkey = f"{origin}+{self.key_id.hex()}+{_base64(raw)}"
        self._key = key

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """From ``origin+hex key id+base64``; ``Misused`` where it is not one."""
        try:
            parts = vkey.strip().split("+", 2)
            if len(parts) != 3:
                raise ValueError("it has not three parts")
            origin, key_id, encoded = parts
            _check_origin(origin)
            raw = _unbase64(encoded)
            if raw[:1] != ED25519:
                raise ValueError("not an Ed25519 key")
            verifier = cls(origin, Ed25519PublicKey.from_public_bytes(raw[1:]))
            if verifier.key_id.hex() != key_id:
                raise ValueError("the key id is of another name or key")
        except ValueError as error:
            what = f"This is no public key of a ledger: {error}."
            raise Misused(
                "read key", what, "It is one line: the station's name, a key id and the key, joined by '+'."
            ) from error
        return verifier

    def open(self, note: str) -> Checkpoint:
        """The checkpoint in a signed note, when this key signed it; otherwise ``LedgerBroken``.

        Lines of other signers (witnesses) may follow and are not looked at. A bad signature under our own name and
        key id is not passed over in favour of a good one.
        """
        try:
            return self._open(note)
        except (ValueError, InvalidSignature) as error:
            what = f"A checkpoint of {self.origin} does not hold: {str(error) or 'the signature is wrong'}."
            raise LedgerBroken("check checkpoint", what, "Compare with the copies in central storage.") from error

    def _open(self, note: str) -> Checkpoint:
        if len(note) > MAX_NOTE or any(ord(c) < 0x20 and c != "\n" for c in note):
            raise ValueError("not a signed note")
        text, gap, lines = note.rpartition("\n\n")
        text += "\n"
        if not gap or not lines.endswith("\n"):
            raise ValueError("not a signed note")
        signatures = [_signature(line) for line in lines[:-1].split("\n")]
        mine = [s for name, s in signatures if name == self.origin and s[:KEY_ID_SIZE] == self.key_id]
        if len(mine) != 1:
            raise ValueError("it is not signed by this key")
        self._key.verify(mine[0][KEY_ID_SIZE:], text.encode())
        origin, *head = text[:-1].split("\n")
        if origin != self.origin or len(head) != 2:
            raise ValueError("it is a note, but no checkpoint of this log")
        size, root = head
        if not (size.isascii() and size.isdigit() and str(int(size)) == size and len(_unbase64(root)) == HASH_SIZE):
            raise ValueError("it names no size and root")
        return Checkpoint(origin=origin, size=int(size), root=_unbase64(root), note=note)


class Heads:
    """``heads.db``: every head ever signed, in order, swapped in one at a time.

    A head is committed here before its signature leaves the process. If it dies before the commit, nobody has seen
    the signature; if it dies after, the next start finds the head and goes on from it.
    """

    def __init__(self, db: sqlite3.Connection, verifier: Verifier) -> None:
        self._db = db
        self._verifier = verifier

    def last(self) -> Checkpoint | None:
        """The newest head, its signature checked again."""
        row = self._db.execute("SELECT size, root, note FROM head ORDER BY size DESC LIMIT 1").fetchone()
        return None if row is None else self._checked(*row)

    def after(self, size: int) -> Iterator[Checkpoint]:
        """Every head over more than ``size`` leaves, oldest first, each checked again."""
        for row in self._db.execute("SELECT size, root, note FROM head WHERE size > ? ORDER BY size", (size,)):
            yield self._checked(*row)

    def newest(self, limit: int) -> Iterator[Checkpoint]:
        """The newest heads, newest first, each checked again."""
        for row in self._db.execute("SELECT size, root, note FROM head ORDER BY size DESC LIMIT ?", (limit,)):
            yield self._checked(*row)

    def swap(self, old: Checkpoint | None, new: Checkpoint) -> None:
        """Put ``new`` on top if ``old`` still is the newest; ``LedgerBroken`` if another was signed meanwhile."""
        with schema.transaction(self._db):
            if self.last() != old:
                what = "Another program signed a head of this ledger meanwhile."
                raise LedgerBroken("sign", what, "Run one daemon for one ledger.")
            self._db.execute("INSERT INTO head VALUES (?, ?, ?)", (new.size, new.root, new.note))

    def _checked(self, size: int, root: bytes, note: str) -> Checkpoint:
        checkpoint = self._verifier.open(note)
        if (checkpoint.size, checkpoint.root) != (size, root):
            what = f"The signed head at {size} leaves does not say what its row says."
            raise LedgerBroken("check checkpoint", what, "Compare with the copies in central storage.")
        return checkpoint


def _signature(line: str) -> tuple[str, bytes]:
    """Name and bytes (key id and signature) of a signature line."""
    dash, name, encoded = line.split(" ")
    if dash != "—" or not name:
        raise ValueError("not a signature line")
    return name, _unbase64(encoded)


def _check_origin(origin: str) -> None:
    """A key name of C2SP signed-note: not empty, no space or control character, no plus."""
    if not origin or any(c == "+" or c.isspace() or unicodedata.category(c) in {"Cc", "Cs"} for c in origin):
        hint = "Name it <agency>/<dock>, without spaces and without '+'."
        raise Misused("name the ledger", f"{origin!r} cannot be the name of a log.", hint)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    """Decode, refusing every other spelling of the same bytes: loose bits at the end would go unnoticed."""
    data = base64.b64decode(text, validate=True)
    if _base64(data) != text:
        raise binascii.Error("not plain base64")
    return data
