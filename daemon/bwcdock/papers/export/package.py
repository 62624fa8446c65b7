"""A package to hand over: originals, signed papers, proofs, printed papers, and a program that verifies all of it."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import bagit

from bwcdock import __version__, durable
from bwcdock.core.names import safe
from bwcdock.core.record import Record, State
from bwcdock.core.refusal import because
from bwcdock.durable_tree import appear, created, growing, hidden
from bwcdock.errors import BwcdockError, Misused, Unreachable, Untrue
from bwcdock.ledger import Checkpoint
from bwcdock.manifest import MANIFEST, Manifest, Receipt, open_signed
from bwcdock.papers import evidence, html, pdf, receipt
from bwcdock.papers.export import copying, image, readme, room, verifier
from bwcdock.papers.export.permit import Permit
from bwcdock.papers.fonts import Font
from bwcdock.papers.model import Field, Paper
from bwcdock.papers.source import Asked, Source
from bwcdock.papers.text import one_line
from bwcdock.ports import Sink

OP = "export"

LISTS = ("manifest-sha256.txt", "tagmanifest-sha256.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to make: whole ids of records, where to, an image beside it, and for how many discs it is meant.

    Without ``to`` the image is all that is left of it.
    """

    records: tuple[str, ...]
    to: Path | None = None
    iso: Path | None = None
    copies: int = 1
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """Where it is made."""
        place = self.to or self.iso
        if place is None:
            raise ValueError("An order names a folder, an image, or both.")
        return place


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was made. ``digest`` (SHA-256 of the list of lists) stands for every byte of the package; ``notes`` are
    things somebody should know, in Chinese and in English. ``disc`` is what an image of it fits on.
    """

    to: Path | None
    iso: Path | None
    files: int
    size: int
    digest: str
    disc: str
    notes: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Work:
    """A package while it grows: ``digests`` of every file in it so far, by its name in the package."""

    source: Source
    head: Checkpoint
    sinks: Mapping[str, Sink]
    spool: Path
    order: Order
    permit: Permit
    font: Font | None
    folder: Path
    tell: Callable[[str], object]
    pace: Callable[[int], None]
    digests: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def put(self, name: str, data: bytes) -> None:
        """A small file of the package."""
        with created(self.folder.joinpath(*name.split("/"))) as stream:
            stream.write(data)
        self.digests[name], self.sizes[name] = hashlib.sha256(data).hexdigest(), len(data)


def check(source: Source, order: Order) -> int:
    """Refuse at once, as :func:`export` would, what cannot be handed over or has no room where it shall go.

    Returns how many bytes ``pace`` will hear of, as far as that can be known: originals are read and read back, and
    with an image written and read back once more.
    """
    records = _sealed(source, order)
    _head(source, records)
    size = sum(record.item.size for record in records)
    with room.told(order.place):
        room.check(order.place, order.iso, size)
    return size * (4 if order.iso else 2)


def export(
    source: Source,
    sinks: Mapping[str, Sink],
    spool: Path,
    order: Order,
    permit: Permit,
    *,
    font: Font | None = None,
    tell: Callable[[str], object] = lambda _: None,
    pace: Callable[[int], None] = lambda _: None,
) -> Made:
    """Make the package (and the image), or nothing at all. ``spool`` is the folder of the station's sealed files.

    Without ``font`` there are no PDFs. ``tell`` hears what is being done, ``pace`` the size of every chunk read. Raises
    ``Misused`` for what cannot be handed over or a place that is taken, ``Unreachable`` and ``Untrue`` where the sealed
    bytes cannot be had, ``BwcdockError`` where the target fails.
    """
    records = _sealed(source, order)
    head = _head(source, records)
    source = replace(source, head=head)
    with room.told(order.place), ExitStack() as stack:
        room.check(order.place, order.iso, sum(record.item.size for record in records))
        folder = stack.enter_context(growing(order.place))
        work = _Work(source, head, sinks, spool, order, permit, font, folder, tell, pace)
        _fill(work, records)
        iso = None
        if order.iso:
            iso = hidden(order.iso)
            stack.callback(durable.discard, iso)
            with room.told(order.iso):
                tell(f"image {order.iso.name}")
                image.make(folder, work.digests, iso, _label(source), pace)
        _publish(folder, order, iso)
    size = sum(work.sizes.values())
    return Made(
        to=order.to,
        iso=order.iso,
        files=len(work.digests),
        size=size,
        digest=work.digests[LISTS[1]],
        disc=image.disc_for(size + image.OVERHEAD),
        notes=tuple(work.notes),
    )


def _publish(folder: Path, order: Order, iso: Path | None) -> None:
    """Both get their names, or neither: the image's is taken back where the folder's cannot be given."""
    if iso and order.iso:
        with room.told(order.iso):
            durable.publish(iso, order.iso, mode=0o440)
    if order.to is None:
        return
    try:
        appear(folder, order.to)
    except OSError:
        if order.iso:
            durable.discard(order.iso)
        raise


def _sealed(source: Source, order: Order) -> list[Record]:
    records = list({record.id: record for record in map(source.record, order.records)}.values())
    if not records:
        why = because("paper.no-recording", "No recording is named.")
        raise Misused(OP, why, "Name one or more; `bwcdock records` shows them.")
    for record in records:
        if record.state in {State.SEALED, State.RELEASED} and record.digests and record.sealed_seq is not None:
            continue
        told = f" ({record.quarantine_what.rstrip('.')})" if record.quarantine_what else ""
        what = f"Recording {record.id[:12]} is {record.state}{told}: there is no sealed original to hand over."
        why = because("paper.unsealed", what, record=record.id, record_state=record.state)
        raise Misused(OP, why, "`bwcdock records` shows what it waits for; nothing was copied.")
    return records


def _head(source: Source, records: list[Record]) -> Checkpoint:
    head = source.ledger.last_head()
    last = max(record.sealed_seq or 0 for record in records)
    if head is None or head.checkpoint.size <= last:
        what = f"Entry {last} of the ledger, which seals one of these recordings, is not under a signed head yet."
        raise BwcdockError(OP, what, "The ledger is signed about once a minute while the station runs: try again then.")
    return head.checkpoint


# --- what goes in -----------------------------------------------------------------------------------------------------


def _fill(work: _Work, records: list[Record]) -> None:
    for number, record in enumerate(records, 1):
        _original(work, number, record)
    work.put(verifier.HEAD, work.head.note.encode())
    work.put(verifier.KEY, f"{work.source.ledger.verifier.vkey}\n".encode())
    _papers(work, records)
    _tags(work, records)


def _original(work: _Work, number: int, record: Record) -> None:
    work.tell(f"recording {number}: {record.id[:12]}")
    original = f"{verifier.ORIGINALS}{_named(number, record)}"
    target = work.folder.joinpath(*original.split("/"))
    place, problems = copying.copy(record, work.sinks, work.spool / record.id, target, work.pace)
    assert record.digests is not None
    work.digests[original], work.sizes[original] = record.digests.sha256, record.item.size
    for problem in problems:
        zh = f"记录 {record.id[:12]} 改由 {place} 提供：别处的副本未能通过核对"
        work.notes.append((zh, f"Recording {record.id[:12]} was taken from {place}: {problem}"))
    data = _manifest(work, record)
    manifest = f"{verifier.MANIFESTS}{number:04d}{MANIFEST}" if data else ""
    if data:
        work.put(manifest, data)
    else:
        zh = f"记录 {record.id[:12]} 的签名清单此时无法从集中存储取得，未附；台账证明不受影响"
        work.notes.append(
            (zh, f"The signed manifest of recording {record.id[:12]} could not be had; its proof is here.")
        )
    proof = {
        "record": record.id,
        "original": original,
        "manifest": manifest,
        "entries": [_entry(work, seq) for seq in _entries(work, record)],
    }
    work.put(f"{verifier.PROOFS}{number:04d}.proof.json", json.dumps(proof, ensure_ascii=False, indent=1).encode())


def _named(number: int, record: Record) -> str:
    """A name that every disc and every system takes, and that still says which file it was."""
    stem, dot, suffix = record.item.path.rpartition("/")[2].rpartition(".")
    ending = f".{safe(suffix)}" if dot and stem and len(suffix) <= 8 else ""
    whole = safe(stem if ending else record.item.path.rpartition("/")[2])
    # Beyond the first plane a character takes two of Joliet's, and some readers show none of them.
    plain = "".join(c if c <= "\uffff" else "_" for c in whole)
    most = image.NAME - len(f"{number:04d}_{ending}".encode())
    return f"{number:04d}_{plain.encode()[:most].decode(errors='ignore')}{ending}"


def _manifest(work: _Work, record: Record) -> bytes | None:
    """The signed manifest beside a central copy, the very one the ledger tells of."""
    for held in record.held:
        try:
            data = work.sinks[held.sink].recall(held.key + MANIFEST) if held.sink in work.sinks else None
            if data is None or hashlib.sha256(data).hexdigest() != held.manifest:
                continue
            open_signed(data, Manifest, work.source.ledger.verifier)
        except (Unreachable, Untrue):
            continue
        return data
    return None


def _entries(work: _Work, record: Record) -> list[int]:
    """The entries the sheet rests on, as far as they are signed: no others, which may name people."""
    history = work.source.ledger.history(record=record.id)
    found = [entry.seq for entry in history if entry.fact.ev in evidence.RESTS_ON]
    _, clock = work.source.station_clock(record.sealed_seq or 0)
    return sorted(seq for seq in {*found, *([clock] if clock is not None else [])} if seq < work.head.size)


def _entry(work: _Work, seq: int) -> dict[str, object]:
    ledger = work.source.ledger
    path = [base64.b64encode(one).decode() for one in ledger.inclusion(seq, work.head.size)]
    return {"seq": seq, "leaf": base64.b64encode(ledger.leaf(seq)).decode(), "path": path}


def _papers(work: _Work, records: list[Record]) -> None:
    permit, ids = work.permit, tuple(record.id for record in records)
    handed = (
        Field(label="申请", value=permit.request),
        Field(label="申请人", value=permit.applicant),
        Field(label="事由", value=permit.reason),
        Field(label="审批", value="、".join(permit.approved_by)),
        Field(label="办理人", value=f"{permit.who}（{permit.role}）"),
        Field(label="复制件数", value=str(work.order.copies)),
    )
    known = {
        "提取人": permit.who,
        "提取时间": f"{work.source.local_now:%Y-%m-%d %H:%M:%S}",
        "复制件数": f"{work.order.copies} 份",
        "拷贝份数": f"{work.order.copies} 份",
    }
    labels = evidence.fields(work.source, records)
    values = {label: value for label, value in known.items() if label in labels} | dict(work.order.fields)
    _print(work, evidence.build(work.source, Asked(subjects=ids, fields=values, handed=handed)), "证据说明")
    for session in dict.fromkeys(session for record in records for session in record.sessions):
        path = work.source.receipts / f"{session}.json"
        if not path.is_file():
            continue
        told = open_signed(path.read_bytes(), Receipt, work.source.ledger.verifier)
        here = {line.record for line in told.lines}
        if not here & set(ids):
            continue
        whole = here <= set(ids)
        if whole:
            work.put(f"{verifier.RECEIPTS}{session}.json", path.read_bytes())
        # What is not handed over is not told of either: another officer's recordings, another case.
        asked = Asked(subjects=(session,), only=frozenset() if whole else frozenset(ids), handed=handed)
        _print(work, receipt.build(work.source, asked), f"移交回执-{session[:12]}")


def _print(work: _Work, paper: Paper, name: str) -> None:
    work.put(f"data/papers/{name}.html", html.render(paper))
    if work.font:
        work.put(f"data/papers/{name}.pdf", pdf.render(paper, work.font))


# --- what makes it a bag ----------------------------------------------------------------------------------------------


def _tags(work: _Work, records: list[Record]) -> None:
    payload = sorted(work.digests)
    source, permit, key = work.source, work.permit, work.source.ledger.verifier.vkey
    made = f"{source.local_now:%Y-%m-%d %H:%M:%S %Z}"
    if work.font is None:
        work.notes.append(("采集站未安装中文字体，未附 PDF", "No PDFs: the station has no Chinese font."))
    work.put("bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    work.put("bag-info.txt", _info(work, payload, len(records)))
    told = readme.chinese(permit, source.unit, made, key, work.order.copies, work.notes)
    work.put("说明.txt", b"\xef\xbb\xbf" + told.encode())  # the mark tells old Windows editors that it is UTF-8
    work.put("README.txt", readme.english(permit, made, key, work.notes).encode())
    work.put("verify.py", Path(verifier.__file__).read_bytes())
    work.put(LISTS[0], _list(work, payload))
    work.put(LISTS[1], _list(work, sorted(name for name in work.digests if not name.startswith("data/"))))
    try:
        # By an implementation that is not ours. The bytes were compared as they arrived; this is about the structure.
        bagit.Bag(str(work.folder)).validate(completeness_only=True)
    except bagit.BagError as error:
        raise BwcdockError(
            OP, f"The package is no valid BagIt bag: {error}.", "Report this; nothing was made."
        ) from error


def _list(work: _Work, names: list[str]) -> bytes:
    return "".join(f"{work.digests[name]}  {name}\n" for name in names).encode()


def _info(work: _Work, payload: list[str], originals: int) -> bytes:
    source, permit, head = work.source, work.permit, work.head
    rows = (
        ("Source-Organization", source.unit),
        ("External-Identifier", f"{source.station} {permit.request}"),
        ("External-Description", f"执法记录仪录像 {originals} 件，附签名清单、台账证明与说明"),
        ("Bagging-Date", f"{source.local_now:%Y-%m-%d}"),
        ("Bag-Software-Agent", f"bwcdock {__version__}"),
        ("Payload-Oxum", f"{sum(work.sizes[name] for name in payload)}.{len(payload)}"),
        ("Bwcdock-Request", permit.request),
        ("Bwcdock-Applicant", permit.applicant),
        ("Bwcdock-Reason", permit.reason),
        ("Bwcdock-Approved-By", "、".join(permit.approved_by)),
        ("Bwcdock-Made-By", f"{permit.who}（{permit.role}）"),
        ("Bwcdock-Copies", str(work.order.copies)),
        ("Bwcdock-Ledger-Origin", source.ledger.origin),
        ("Bwcdock-Ledger-Head", f"{head.size} {head.root.hex()}"),
    )
    return "".join(f"{label}: {one_line(value).strip()}\n" for label, value in rows).encode()


def _label(source: Source) -> str:
    """The label of a disc: letters, digits and underscores are what every system shows."""
    return "".join(c if c.isalnum() else "_" for c in f"{source.local_now:%Y%m%d}_{source.station}".upper())
