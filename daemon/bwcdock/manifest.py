"""The signed papers in central storage: the manifest of a recording, the receipt (移交回执) of a session, statements.

A signed document is canonical JSON (RFC 8785), so it is one and the same bytes for everybody::

    {"payload": {...}, "signature": {"alg": "ed25519", "key": "origin+hex key id", "sig": base64}}

The signature (Ed25519, RFC 8032) is over the RFC 8785 bytes of the payload alone. Those never contain a line break and
a checkpoint's text always does, so the one key that signs both can never have one taken for the other.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bwcdock.core.facts import Claim, Corrected, Drift, Finding, Identity, MediaFacts, Obligation
from bwcdock.errors import Untrue
from bwcdock.ledger.checkpoint import Verifier

MANIFEST = ".manifest.json"
"""What a recording's key is followed by in the key of its manifest."""

RECEIPTS = "receipts"
"""The folder of the receipts, here beside the ledger and in central storage."""

STATEMENTS = "statements"
"""The folder, in central storage, of what is known of its recordings since their manifests were written."""

CHECKS = "checks"
"""The folder, in central storage, of what it was tried with: no recordings, and nothing that anybody vouches for."""

MAX_DOCUMENT = 16 << 20
"""Bytes of a signed document that are looked at: a receipt of 30,000 recordings has 12 MiB, a manifest 10 KiB."""

_HEAD, _BETWEEN = b'{"payload":', b',"signature":'

M = TypeVar("M", bound=BaseModel)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Blake3 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0)]


class DocumentSigner(Protocol):
    """The station's key, as far as a document needs it."""

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        ...

    def sign_document(self, data: bytes) -> bytes:
        """The Ed25519 signature (64 bytes) over ``data``."""
        ...


class _Paper(BaseModel):
    # Without the library's cache of 16,384 strings: no two papers say the same, and what is cached there at a busy hour
    # keeps the memory of that hour.
    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")


class Position(_Paper):
    """Where the record's sealed fact stands in the ledger, with the proof; verified as RFC 6962 section 2.1.1 says.

    ``leaf`` is the leaf itself, ``path`` the inclusion proof of leaf ``seq`` (each 32 bytes), both base64;
    ``checkpoint`` the signed note whose tree the proof leads to.
    """

    origin: str
    seq: Size
    leaf: str
    path: tuple[str, ...]
    checkpoint: str


class Manifest(_Paper):
    """All that central storage must know of one recording without any database.

    ``path`` is the escaped path on the recorder and ``name_hex`` the raw bytes of its last component in hex where the
    escaped text is not that name itself (else empty). ``claim`` is what the recorder's clock said, ``corrected`` what
    the station makes of it with ``drift``; ``station_clock`` is the kernel's word on the station's own clock.
    ``officer``, ``unit`` are whose it is by the issue register, not what the recorder says. ``verdict`` is how the
    obligation stood when this was written (``at``). Sizes in bytes, times UTC. ``key`` is the object's place in central
    storage, so that a recording moved to another officer's folder with its manifest is found; empty where not told.
    """

    schema_id: Literal["bwcdock.manifest"] = "bwcdock.manifest"
    version: Literal[1] = 1
    key: str = ""
    record: str
    recorder: Identity
    driver: str
    path: str
    name_hex: str = ""
    size: Size
    sha256: Sha256
    blake3: Blake3
    claim: Claim
    corrected: Corrected
    drift: Drift | None = None
    station_clock: str
    media: MediaFacts
    officer: str = ""
    unit: str = ""
    markers: tuple[str, ...] = ()
    obligation: Obligation
    verdict: str
    sessions: tuple[str, ...]
    position: Position
    station_version: str
    at: AwareDatetime


class ReceiptLine(_Paper):
    """One recording on a receipt. ``sha256`` is empty, and no article speaks, where nothing could be proven."""

    record: str
    path: str
    size: Size
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    state: str
    due: AwareDatetime | None = None
    article: str = ""
    verdict: str = ""


class Citation(_Paper):
    """An article that lines of a receipt name: ``article`` as it stands there, the regulation's title, its words."""

    article: str
    regulation: str = ""
    quote: str


class Receipt(_Paper):
    """移交回执: what was handed over in these sessions, for the officer to keep.

    ``citations`` says once what each article named in the lines is.
    ``digest`` is :func:`hash_of_hashes` of the lines, ``count`` and ``size`` their number and bytes: a receipt that
    does not add up is not read.
    """

    schema_id: Literal["bwcdock.receipt"] = "bwcdock.receipt"
    version: Literal[1] = 1
    station: str
    origin: str
    sessions: tuple[str, ...]
    recorder: Identity
    officer: str = ""
    count: Size
    size: Size
    lines: tuple[ReceiptLine, ...]
    digest: Sha256
    findings: tuple[Finding, ...] = ()
    citations: tuple[Citation, ...] = ()
    at: AwareDatetime
    station_version: str

    @model_validator(mode="after")
    def _adds_up(self) -> "Receipt":
        told = (self.count, self.size, self.digest)
        if told != (len(self.lines), sum(line.size for line in self.lines), hash_of_hashes(self.lines)):
            raise ValueError("count, size or digest is not that of the lines")
        return self


class Judged(_Paper):
    """How a recording stood against its deadline: ``kind`` is a word of :class:`~bwcdock.core.rules.Standing`.

    ``excuse`` is why it is late, where somebody who may has accepted that; empty where nobody has.
    """

    kind: str
    article: str
    due: AwareDatetime
    met_at: AwareDatetime | None = None
    excuse: str = ""


class Kept(_Paper):
    """Until when a recording is kept, by which article; ``permanent`` is without end. It never becomes shorter."""

    article: str
    until: AwareDatetime | None = None
    permanent: bool = False


class Holding(_Paper):
    """A hold that fits the recording: ``placed`` it keeps it, ``lifted`` it did."""

    id: str
    state: Literal["placed", "lifted"]
    reason: str
    by: str
    since: AwareDatetime
    until: AwareDatetime | None = None


class Officer(_Paper):
    """Somebody the recording may be by: as the register knows him, or in the recorder's own words (``name`` empty)."""

    id: str
    name: str = ""
    unit: str = ""
    team: str = ""


class CaseNote(_Paper):
    """The case a recording is bound to, as it is: ``state`` is ``open``, ``closed`` or ``archived``."""

    number: str
    category: str = ""
    parties: tuple[str, ...] = ()
    handler: str = ""
    state: str = ""


class Annotation(_Paper):
    """All that people said of one recording and the rules concluded, as it was then: it replaces every earlier one.

    By it central storage alone answers for party, place, kind of event, case and officer (S4 第十八条: 当事人、
    发生地点、事件类型). ``manifest`` is the key of the manifest it belongs to. What is ``sensitive`` is shown to
    whoever may see such recordings alone. Certificate numbers are not told.
    """

    record: str
    manifest: str
    recorder: str
    officers: tuple[Officer, ...] = ()
    case: CaseNote | None = None
    parties: tuple[str, ...] = ()
    place: str = ""
    event: str = ""
    category: str = ""
    activity: str = ""
    tags: tuple[str, ...] = ()
    important: bool = False
    sensitive: Literal["", "secret", "privacy"] = ""
    unrelated: bool = False
    note: str = ""
    holds: tuple[Holding, ...] = ()
    judged: Judged | None = None
    kept: Kept | None = None
    sessions: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether a hold keeps it."""
        return any(hold.state == "placed" for hold in self.holds)


class DayCount(_Paper):
    """Of what the station sealed on one of its local days: how many were received, stored here, read here again whole.

    All three are equal once the second look at the last of them agreed; it replaces every earlier count of that day.
    """

    day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    received: Size
    stored: Size
    readable: Size


class Statement(_Paper):
    """What is known of recordings in one place of central storage, beyond their manifests, up to a leaf of the ledger.

    ``seq`` is that leaf, ``at`` its time; ``after`` the leaf up to which the statement before spoke (-1: there was
    none). Whatever was said between the two is in it. Where it is long it comes in parts: those before the last
    lie under ``<seq>-<part>``, the last under ``<seq>``, and only with the last is that position reached. A later
    statement has the last word on a recording or a day; one without its last part is true as far as it goes. ``sink``
    is the station's name for the place.
    """

    schema_id: Literal["bwcdock.statement"] = "bwcdock.statement"
    version: Literal[1] = 1
    station: str
    origin: str
    sink: str
    after: Annotated[int, Field(ge=-1)]
    seq: Size
    part: Annotated[int, Field(ge=1)] = 1
    last: bool = True
    annotations: tuple[Annotation, ...] = ()
    days: tuple[DayCount, ...] = ()
    at: AwareDatetime
    station_version: str

    @property
    def key(self) -> str:
        """Its place in central storage: names sort as the statements follow each other."""
        part = "" if self.last else f"-{self.part:06d}"
        return f"{STATEMENTS}/{self.station}/{self.seq:020d}{part}.json"


class Heard(NamedTuple):
    """Of one statement what shows whether all of them are there."""

    key: str
    after: int
    seq: int
    part: int
    last: bool


def heard(statement: Statement) -> Heard:
    """What is kept of a statement while they are all looked through."""
    return Heard(statement.key, statement.after, statement.seq, statement.part, statement.last)


def missing(told: Iterable[Heard], *, behind: int | None = -1) -> Iterator[tuple[str, str]]:
    """Key, and what is missing before it, of each that does not continue those before; ``told`` are of one ledger.

    ``behind`` is the leaf the first must continue; ``None`` where those before it were not looked at. One whose last
    part never came is none to continue.
    """
    parts: list[Heard] = []
    for each in sorted(told, key=lambda each: (each.seq, each.part)):
        parts = [*(part for part in parts if part.seq == each.seq), each]
        if not each.last:
            continue
        if behind is not None and len(parts) != each.part:
            yield each.key, f"it is part {each.part} of a statement, and {each.part - len(parts)} before it are missing"
        if behind is not None and each.after != behind:
            yield each.key, f"it continues the statement up to leaf {each.after}, and the one before ends with {behind}"
        behind = each.seq


def receipt(
    lines: Sequence[ReceiptLine],
    *,
    station: str,
    origin: str,
    sessions: Sequence[str],
    recorder: Identity,
    officer: str,
    findings: Sequence[Finding],
    at: datetime,
    station_version: str,
    citations: Sequence[Citation] = (),
) -> Receipt:
    """A receipt over ``lines``, in the order of their record ids, with the sums made here."""
    ordered = tuple(sorted(lines, key=lambda line: line.record))
    return Receipt(
        station=station,
        origin=origin,
        sessions=tuple(sessions),
        recorder=recorder,
        officer=officer,
        count=len(ordered),
        size=sum(line.size for line in ordered),
        lines=ordered,
        digest=hash_of_hashes(ordered),
        findings=tuple(findings),
        citations=tuple(citations),
        at=at,
        station_version=station_version,
    )


def hash_of_hashes(lines: Sequence[ReceiptLine]) -> str:
    """SHA-256, lower-case hex, over one text line ``record size sha256`` for each, in the order given.

    So that an officer's one short number stands for every byte he handed over; ``-`` where there is no digest.
    """
    told = "".join(f"{line.record} {line.size} {line.sha256 or '-'}\n" for line in lines)
    return hashlib.sha256(told.encode()).hexdigest()


def sign(document: BaseModel, signer: DocumentSigner) -> bytes:
    """``document`` as a signed document."""
    payload = document.model_dump(mode="json")
    signature = signer.sign_document(rfc8785.dumps(payload))
    text = base64.b64encode(signature).decode()
    key = key_of(signer.verifier)
    return rfc8785.dumps({"payload": payload, "signature": {"alg": "ed25519", "key": key, "sig": text}})


def open_signed(data: bytes, model: type[M], verifier: Verifier) -> M:
    """The ``model`` in ``data``, signed by exactly this key; else :class:`~bwcdock.errors.Untrue`."""
    return open_by_any(data, model, {key_of(verifier): verifier})[0]


def open_by_any(data: bytes, model: type[M], keys: Mapping[str, Verifier]) -> tuple[M, Verifier]:
    """The ``model`` in ``data``, and which of ``keys`` (by their names, as :func:`key_of` tells them) signed it.

    Else :class:`~bwcdock.errors.Untrue`.
    """
    try:
        payload, signature = _parted(data)
        if signature.keys() != {"alg", "key", "sig"}:
            raise ValueError("it is no signed document")
        verifier = keys.get(signature["key"])
        if signature["alg"] != "ed25519" or verifier is None:
            known = next(iter(keys)) if len(keys) == 1 else "a key that was given"
            raise ValueError(f"it is signed by {signature['key']!r}, not by {known}")
        _public(verifier).verify(base64.b64decode(signature["sig"], validate=True), payload)
        return model.model_validate_json(payload), verifier
    except InvalidSignature as error:
        raise _untrue(model, "the signature is wrong") from error
    except ValidationError as error:
        raise _untrue(model, f"it does not say what it should ({error.errors()[0]['msg']})") from error
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError) as error:
        raise _untrue(model, str(error) or "it is no signed document") from error


def key_of(verifier: Verifier) -> str:
    """The name of a key in a document: the first two parts of its C2SP text, ``origin+hex key id``."""
    return "+".join(verifier.vkey.split("+", 2)[:2])


def _parted(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """The very bytes that were signed, and the signature beside them.

    The signature is over these bytes, so another spelling of the same JSON in them does not hold. Around them there is
    one spelling and no other: what is not exactly it is refused, and one document stays one.
    """
    if len(data) > MAX_DOCUMENT:
        raise ValueError(f"it has {len(data)} bytes")
    head, payload_end = len(_HEAD), data.rfind(_BETWEEN)
    if not data.startswith(_HEAD) or payload_end < head:
        raise ValueError("it is no signed document in canonical JSON")
    signature = json.loads(data[payload_end + len(_BETWEEN) : -1].decode())
    # Of text alone this is what RFC 8785 writes, and quicker.
    spelt = json.dumps(signature, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if not isinstance(signature, dict) or _BETWEEN + spelt + b"}" != data[payload_end:]:
        raise ValueError("it is no canonical JSON")
    return data[head:payload_end], signature


def _public(verifier: Verifier) -> Ed25519PublicKey:
    """The key in the C2SP text: after the second '+', base64 of one type byte and 32 bytes (base64 may hold '+')."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(verifier.vkey.split("+", 2)[2])[1:])


def _untrue(model: type[BaseModel], why: str) -> Untrue:
    what = f"A {model.__name__.lower()} does not hold: {why}."
    return Untrue("check document", what, "Compare it with the station's ledger; it may have been changed.")
