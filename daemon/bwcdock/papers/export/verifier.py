#!/usr/bin/env python3
"""本文件用于验证交付包 (verifies the package it lies in).

只需 Python 3.8 或更高版本，不需联网，不写任何文件。

    python3 verify.py [--key 公钥文件或公钥文本] [交付包目录]

This file verifies the package it lies in (BagIt, RFC 8493) with nothing but Python 3.8: every file against the lists,
every original against the leaf that sealed it in the station's ledger (RFC 6962), the signed head over that ledger
(C2SP checkpoint, Ed25519 by RFC 8032), and the signed manifests and receipts. It writes nothing and needs no network.

Without --key the key in the package is used: that proves that the package agrees with itself, not whose it is. Compare
the key that is shown with the one the bureau publishes, or name that one with --key. Exit status: 0 all holds; 1 not.
"""

# Given to people who have no bwcdock: it may import nothing but the standard library of Python 3.8.
from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import sys
from typing import Any, Dict, Tuple

Document = Dict[str, Any]

CHUNK = 1 << 20
MOST = 16 << 20
"""Bytes of a document that are read; everything larger is read in chunks."""

ORIGINALS, PROOFS, MANIFESTS, RECEIPTS = "data/originals/", "data/proofs/", "data/manifests/", "data/receipts/"
HEAD, KEY = "data/proofs/head.note", "data/proofs/station.pub"
LISTS = ("manifest-sha256.txt", "tagmanifest-sha256.txt")


class Wrong(Exception):
    """Something does not hold: in Chinese and in English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.zh, self.en = zh, en


# --- Ed25519, RFC 8032 section 5.1, verification only -----------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)

Point = Tuple[int, int, int, int]  # x, y, z, t in extended homogeneous coordinates


def _add(a: Point, b: Point) -> Point:
    """Section 5.1.4."""
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _decoded(data: bytes) -> Point | None:
    """Section 5.1.3: the point in 32 bytes, ``None`` where they are none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return int(y | (x & 1) << 255).to_bytes(32, "little")


def _base() -> Point:
    point = _decoded(bytes([0x58]) + bytes([0x66]) * 31)
    assert point is not None
    return point


BASE = _base()


def ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is that of ``key`` over ``message`` (section 5.1.7)."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, s = _decoded(key), int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus: Point = (P - a[0], a[1], a[2], P - a[3])
    return _encoded(_add(_times(s, BASE), _times(k, minus))) == signature[:32]


# --- the key, the signed head, the tree -------------------------------------------------------------------------------


class PublicKey:
    """``origin+key id+base64``: one type byte (1, Ed25519) and the 32 bytes of the key."""

    def __init__(self, text: str) -> None:
        try:
            self.origin, self.id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise Wrong("公钥不是一行“名称+编号+公钥”", "the key is not one line of name+id+key") from None
        told = hashlib.sha256(self.origin.encode() + b"\n" + raw).hexdigest()[:8]
        if len(raw) != 33 or raw[0] != 1 or told != self.id:
            raise Wrong("公钥不是 Ed25519 公钥或编号不符", "the key is no Ed25519 key or its id is not its own")
        self.raw, self.text = raw[1:], text.strip()


def opened_head(note: bytes, key: PublicKey) -> tuple[int, bytes]:
    """Size and root of the ledger, signed by this key."""
    text, gap, lines = note.decode("utf-8").rpartition("\n\n")
    text += "\n"
    for line in lines.splitlines() if gap else ():
        words = line.split(" ")
        if len(words) != 3 or words[:2] != ["\u2014", key.origin]:
            continue
        signature = base64.b64decode(words[2], validate=True)
        if signature[:4].hex() == key.id and ed25519(key.raw, text.encode(), signature[4:]):
            origin, size, root = text[:-1].split("\n")
            if origin == key.origin and len(base64.b64decode(root, validate=True)) == 32:
                return int(size), base64.b64decode(root)
    raise Wrong("台账树首的签名不是此公钥所签", "the head of the ledger is not signed by this key")


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """RFC 9162 section 2.1.3.2: whether ``leaf`` is number ``index`` of the tree of ``size`` with this root."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    for p in path:
        if sn == 0 or len(p) != 32:
            return False
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\1" + p + r).digest()
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\1" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def canonical(value: object) -> bytes:
    """RFC 8785, for the values in our documents: text, whole numbers, and names in ASCII."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


# --- the package ------------------------------------------------------------------------------------------------------


class Package:
    """A directory, and everything found wrong with it."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.faults: list[tuple[str, str, str]] = []
        self.digests: dict[str, tuple[str, int]] = {}

    def wrong(self, where: str, zh: str, en: str) -> None:
        """Note a fault."""
        self.faults.append((where, zh, en))

    def read(self, name: str) -> bytes:
        """A small file."""
        try:
            with open(os.path.join(self.top, *name.split("/")), "rb") as stream:
                data = stream.read(MOST + 1)
        except OSError as error:
            raise Wrong(f"无法读取（{error.strerror}）", f"cannot be read ({error.strerror})") from None
        if len(data) > MOST:
            raise Wrong("文件过大", "it is too large")
        return data

    def names(self) -> list[str]:
        """Every file below the directory."""
        found = []
        for where, folders, files in os.walk(self.top):
            for name in sorted(folders + files):
                path = os.path.join(where, name)
                told = os.path.relpath(path, self.top).replace(os.sep, "/")
                if os.path.islink(path) or not (os.path.isfile(path) or os.path.isdir(path)):
                    self.wrong(told, "不是普通文件", "is no plain file")
                elif os.path.isfile(path):
                    found.append(told)
        return sorted(found)

    def digest(self, name: str) -> tuple[str, int]:
        """SHA-256 and size of a file, read once."""
        if name not in self.digests:
            told, size = hashlib.sha256(), 0
            with open(os.path.join(self.top, *name.split("/")), "rb") as stream:
                for chunk in iter(lambda: stream.read(CHUNK), b""):
                    told.update(chunk)
                    size += len(chunk)
            self.digests[name] = told.hexdigest(), size
        return self.digests[name]

    def listed(self, name: str) -> dict[str, str]:
        """What a list of the package names, with its digest."""
        lines = {}
        for line in self.read(name).decode("utf-8").splitlines():
            digest, _, path = line.strip().partition(" ")
            path = path.strip().replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
            if not re.fullmatch("[0-9a-f]{64}", digest) or not path or path in lines:
                raise Wrong("清单有误", "it is no list of digests")
            lines[path] = digest
        return lines


def check_bag(package: Package) -> None:
    """Every file is in a list, every listed file is there, and each has the digest it should have."""
    if not package.read("bagit.txt").startswith(b"BagIt-Version: "):
        package.wrong("bagit.txt", "不是 BagIt 声明", "is no BagIt declaration")
    listed: dict[str, str] = {}
    for name in LISTS:
        listed.update(package.listed(name))
    there = package.names()
    for name in there:
        if name not in listed and name != LISTS[1]:
            package.wrong(name, "不在清单中（后来加入的文件）", "is in no list: it was added")
    for name in sorted(listed):
        if name not in there:
            package.wrong(name, "缺失", "is missing")
            continue
        try:
            if package.digest(name)[0] != listed[name]:
                package.wrong(name, "内容已被改动（SHA-256 不符）", "was changed (SHA-256 differs)")
        except OSError as error:
            package.wrong(name, f"无法读取（{error.strerror}）", f"cannot be read ({error.strerror})")
    if LISTS[0] not in package.listed(LISTS[1]):
        package.wrong(LISTS[0], "清单本身未列入", "is in no list itself")


def check_originals(package: Package, key: PublicKey) -> int:
    """Every original is what the ledger says was sealed; how many there are."""
    size, root = opened_head(package.read(HEAD), key)
    there = package.names()
    proofs = [name for name in there if name.startswith(PROOFS) and name.endswith(".proof.json")]
    originals = {name for name in there if name.startswith(ORIGINALS)}
    manifests = {name for name in there if name.startswith(MANIFESTS)}
    count = 0
    for name in proofs:
        try:
            proof = json.loads(package.read(name).decode("utf-8"))
            count += check_proof(package, key, proof, size, root)
            for kind, mine in ((originals, proof["original"]), (manifests, proof["manifest"])):
                if mine and mine not in kind:
                    package.wrong(mine, "缺失，或有两份证明", "is missing, or two proofs name it")
                kind.discard(mine)
        except Wrong as wrong:
            package.wrong(name, wrong.zh, wrong.en)
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
            package.wrong(name, f"无法理解（{error}）", f"cannot be understood ({error})")
    for name in sorted(originals | manifests):
        package.wrong(name, "没有台账证明", "has no proof of the ledger")
    if not proofs:
        package.wrong(PROOFS, "没有任何台账证明", "holds no proof at all")
    return count


def check_proof(package: Package, key: PublicKey, proof: Document, size: int, root: bytes) -> int:
    """One recording: its entries are in the signed tree, and the sealing one says of it what the file is."""
    sealed = None
    for entry in proof["entries"]:
        data = base64.b64decode(entry["leaf"], validate=True)
        path = [base64.b64decode(one, validate=True) for one in entry["path"]]
        leaf = json.loads(data.decode("utf-8"))
        if not included(data, entry["seq"], size, path, root) or leaf["seq"] != entry["seq"]:
            raise Wrong(f"台账第 {entry['seq']} 条不在已签名的树中", f"entry {entry['seq']} is not in the signed tree")
        about = leaf["subject"].get("record", "")
        if leaf["origin"] != key.origin or about not in {"", proof["record"]}:
            raise Wrong("台账条目说的是另一份录像", "an entry is about another recording")
        if leaf["ev"] == "record.sealed" and about:
            sealed = leaf["data"], entry["leaf"]
    if sealed is None:
        raise Wrong("没有封存条目", "there is no entry of its seal")
    fact, leaf64 = sealed
    if package.digest(proof["original"]) != (fact["digests"]["sha256"], fact["size"]):
        zh, en = "与台账封存的内容不符", "is not what was sealed in the ledger"
        package.wrong(proof["original"], zh, en)
    if proof["manifest"]:
        check_manifest(signed(package.read(proof["manifest"]), key), proof["record"], fact, leaf64)
    return 1


def check_manifest(told: Document, record: str, fact: Document, leaf64: str) -> None:
    """The signed manifest says of the recording what its sealing leaf says."""
    digests = fact["digests"]
    says = (told["record"], told["size"], told["sha256"], told["blake3"], told["position"]["leaf"])
    if says != (record, fact["size"], digests["sha256"], digests["blake3"], leaf64):
        raise Wrong("清单所载与台账条目不符", "the manifest says something else than the ledger")


def signed(data: bytes, key: PublicKey) -> Document:
    """The payload of a signed document."""
    document = json.loads(data.decode("utf-8"))
    if canonical(document) != data or set(document) != {"payload", "signature"}:
        raise Wrong("签名文件的写法不规范", "a signed document is not in its one form")
    signature = document["signature"]
    sig = base64.b64decode(signature["sig"], validate=True)
    if signature["key"] != f"{key.origin}+{key.id}" or not ed25519(key.raw, canonical(document["payload"]), sig):
        raise Wrong("签名文件不是此公钥所签", "a signed document is not signed by this key")
    payload: Document = document["payload"]
    return payload


def check_receipts(package: Package, key: PublicKey) -> int:
    """Every signed receipt is signed by this key, and names the originals as they are."""
    count = 0
    proofs = [name for name in package.names() if name.startswith(PROOFS) and name.endswith(".proof.json")]
    try:
        told = [json.loads(package.read(name).decode("utf-8")) for name in proofs]
        mine = {proof["record"]: package.digest(proof["original"])[0] for proof in told}
    except (Wrong, ValueError, KeyError, TypeError, OSError):
        mine = {}  # told of already
    for name in package.names():
        if not name.startswith(RECEIPTS):
            continue
        try:
            receipt = signed(package.read(name), key)
            for line in receipt["lines"]:
                if line["sha256"] and mine.get(line["record"], line["sha256"]) != line["sha256"]:
                    raise Wrong("回执所载摘要与原件不符", "the receipt names another digest than the original has")
            count += 1
        except Wrong as wrong:
            package.wrong(name, wrong.zh, wrong.en)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            package.wrong(name, f"无法理解（{error}）", f"cannot be understood ({error})")
    return count


# --- saying -----------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    """One line; what is not printable is written out, for names come from anyone."""
    print("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def key_given(text: str) -> str:
    """The key named with --key: a file, or its own text."""
    if os.path.isfile(text):
        with open(text, encoding="utf-8") as stream:
            return stream.readline()
    return text


def main(arguments: list[str] | None = None) -> int:
    """Verify; 0 only if everything holds."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--key", help="公钥文件或公钥文本 the station's public key, a file or its text")
    parser.add_argument("package", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    asked = parser.parse_args(arguments)
    package = Package(asked.package)
    originals = receipts = 0
    try:
        check_bag(package)
        inside = package.read(KEY).decode("utf-8")
        key = PublicKey(key_given(asked.key) if asked.key else inside)
        if key.text != inside.strip():
            package.wrong(KEY, "包内公钥不是所给的公钥", "the key in the package is not the key given")
        own = (
            ""
            if asked.key
            else "（取自包内，请与单位公布的公钥核对 from the package: compare it with the published one）"
        )
        say(f"公钥 key: {key.text}{own}")
        originals = check_originals(package, key)
        receipts = check_receipts(package, key)
    except Wrong as wrong:
        package.wrong(asked.package, wrong.zh, wrong.en)
    except (ValueError, OSError) as error:
        package.wrong(asked.package, f"无法验证（{error}）", f"cannot be verified ({error})")
    for where, zh, en in package.faults:
        say(f"不符 FAULT: {where}: {zh}; {en}")
    if package.faults:
        say(f"验证未通过：{len(package.faults)} 处不符。NOT VERIFIED: {len(package.faults)} fault(s).")
        return 1
    say(f"验证通过：{originals} 件原件、{receipts} 份回执与台账及签名一致。")
    say(f"VERIFIED: {originals} original(s), {receipts} receipt(s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
