"""What a catalogue of a whole bureau costs: a million recordings of 200 docks, searched; made again from manifests."""

import asyncio
import base64
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
from bwcdock.catalogue import Catalogue, Place, Sought, searching, versions, writing
from bwcdock.catalogue.agreeing import Copy, Known, Mark, Sighting, Source, agree
from bwcdock.catalogue.apart import Apart
from bwcdock.catalogue.papers import Papers
from bwcdock.catalogue.rebuilding import rebuild
from bwcdock.catalogue.schema import copy, day_count, recording, sighting, station
from bwcdock.catalogue.store import parsed
from bwcdock.core.facts import Claim, Corrected, Digests, Drift, Entry, Identity, Kind, MediaFacts, Obligation, Sealed
from bwcdock.core.record import State
from bwcdock.core.rules import Standing
from bwcdock.ledger import Signer, Verifier, codec
from bwcdock.ledger.codec import to_ms
from bwcdock.manifest import MANIFEST, Annotation, CaseNote, Holding, Judged, Kept, Manifest, Officer, Position, sign
from bwcdock.sinks.filesystem import FilesystemSink
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Table, select

from bench.figures import Goal, Others, median, tell, timed
from bench.postgres import Postgres, served
from bench.scale import Scale

STATIONS, RECORDERS, OFFICERS = 200, 2000, 3000
DAYS = 730
ZONE = ZoneInfo("Asia/Shanghai")
ROUNDS = 21
PROVEN = 300
"""Rows of which it is shown that they are those the catalogue would have written itself."""

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余"
    "于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷"
)
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚桂英华玉兰文辉建国志新海波春梅红鹏飞婷雪"
_STREETS = "五一北东街口八达鼓楼工业连江国货六则徐杨桥华林湖滨西洪福马朝阳乌山白津泰台塔亭"
_EVENTS = (
    "占道经营", "违法搭建", "渣土运输", "油烟扰民", "噪声扰民", "户外广告", "乱倒垃圾", "损坏绿化", "犬只管理",
    "燃气安全", "共享单车", "夜间施工", "纠纷冲突", "突发事件", "日常巡查", "门前三包", "露天烧烤", "违规停放",
    "供水管理", "污水排放",
)  # fmt: skip
_REMARKS = ("当事人拒绝签字", "现场已整改", "责令限期改正", "群众围观")
_UNITS = tuple(
    f"{district}区城管{n}中队" for district in ("鼓楼", "台江", "仓山", "晋安") for n in "一二三四五六七八九"
)


def catalogue(scale: Scale) -> None:
    """Load, search and make again, on a PostgreSQL of its own."""
    settings = (
        "shared_buffers = 512MB",
        "maintenance_work_mem = 512MB",
        "max_wal_size = 4GB",
        "synchronous_commit = off",
    )
    with served(*settings) as server:
        asyncio.run(_loaded(server, scale))
        asyncio.run(_rebuilt(server, scale))


# --- a million recordings ---------------------------------------------------------------------------------------------


class World:
    """A bureau of which everything follows from a number: the ``n``-th recording is always the same."""

    def __init__(self, wanted: int) -> None:
        chance = random.Random(1)
        self.wanted = wanted
        self.now = datetime.fromisoformat("2026-11-20T08:00:00+00:00")
        self.persons = ["".join((chance.choice(_SURNAMES), *chance.choices(_GIVEN, k=chance.choice((1, 2)))))
                        for _ in range(20_000)]  # fmt: skip
        self.streets = [f"{''.join(chance.choices(_STREETS, k=2))}路" for _ in range(400)]
        self.officers = [Officer(id=f"{n:06d}", name=chance.choice(self.persons)) for n in range(OFFICERS)]

    def sighting(self, n: int) -> Sighting:
        """What the station that has it says of the ``n``-th recording."""
        chance = random.Random(n)
        of = n % STATIONS
        unit = _UNITS[of % len(_UNITS)]
        start = self.now - timedelta(seconds=(self.wanted - n) * DAYS * 86400 // self.wanted + chance.randrange(3600))
        sealed = start + timedelta(hours=chance.choice((2, 5, 9)), seconds=chance.randrange(3600))
        is_late, is_new = chance.random() < 0.02, n > self.wanted - self.wanted // 500
        confirmed = sealed + timedelta(hours=30 if is_late else 0, minutes=20)
        record = f"{n:032x}"
        officer = self.officers[(of * 15 + chance.randrange(15)) % OFFICERS]
        serial = f"ZFY{of * 10 + chance.randrange(10):05d}"
        known = Known(
            recorder=serial, unit=unit,
            path=f"DCIM/100MEDIA/{serial}_{officer.id}_{start:%Y%m%d%H%M%S}_{n % 9999:04d}.MP4",
            size=chance.randrange(20 << 20, 900 << 20), state=State.SEALED if is_new else State.RELEASED,
            kind=Kind.VIDEO, recorded_at=start, start=start, end=start + timedelta(minutes=10), measured=True,
            uncertainty_ms=2000, sha256=f"{n:064x}", user=officer.id, duration_ms=600_000, received_at=sealed,
            day=sealed.astimezone(ZONE).date().isoformat(), pack="S4-fuzhou", article="第十七条",
            due=start + timedelta(days=1), basis_at=start, met_by="confirmed", owed=("central",),
            confirmed=() if is_new else (("central", confirmed),), keep_until=start + timedelta(days=730),
        )  # fmt: skip
        mark = Mark(source=Source.LEDGER, seq=n + 1)
        copies = () if is_new else (Copy(
            sink="central", key=f"{unit}/{start:%Y-%m-%d}/{serial}/{start:%H%M%S}_{officer.id}_video_{n:08x}.mp4",
            confirmed_ms=to_ms(confirmed), looked_ms=to_ms(confirmed + timedelta(days=1)),
        ),)  # fmt: skip
        return Sighting(
            record=record, station=f"bwcdock/dock-{of:03d}", known=known, known_of=mark, copies=copies,
            said=self._said(n, chance, serial, officer, known), said_of=mark,
        )  # fmt: skip

    def _said(self, n: int, chance: random.Random, serial: str, officer: Officer, known: Known) -> Annotation:
        case = n // 5
        of_case = random.Random(-case)
        parties = tuple(of_case.sample(self.persons, k=of_case.choice((1, 1, 2))))
        hold = Holding(id=f"h{n % 97}", state="placed", reason="行政复议", by="000001", since=known.recorded_at)
        return Annotation(
            record=f"{n:032x}", manifest="", recorder=serial, officers=(officer,), parties=parties[:1],
            case=CaseNote(number=f"榕城执罚〔{known.recorded_at.year}〕{case % 90000 + 10000}号", parties=parties),
            place=f"{of_case.choice(self.streets)}{of_case.randrange(1, 400)}号",
            event=of_case.choices(_EVENTS, weights=range(20, 0, -1))[0],
            note=chance.choice(("", "", "", *_REMARKS, "", "", "")),
            tags=("dispute",) if chance.random() < 0.03 else (), holds=(hold,) if chance.random() < 0.002 else (),
            judged=Judged(kind="met", article="第十七条", due=known.due or self.now, met_at=known.met_at),
            kept=Kept(article="第十九条", until=known.keep_until), sessions=(f"{n // 20:024x}",),
        )  # fmt: skip


async def _loaded(server: Postgres, scale: Scale) -> None:
    world = World(scale.catalogue_recordings)
    url = server.database("bureau")
    async with Catalogue(Place(url=parsed(url), statement_timeout_s=600)) as catalogue:
        await catalogue.run(versions.upgrade)
        others = Others(scale.calm_s)
        with others.watching():
            made_s, took_s = _copied(url.replace("+psycopg", ""), world)
        note = f"COPY, indexes and statistics; making up the rows took {made_s:.0f} s more"
        tell("catalogue_load", world.wanted / took_s, "recordings/s", others=others.share, note=note)
        await _proven(catalogue, world)
        await _sizes(catalogue, world)
        await _searched(catalogue, world, scale)


def _copied(url: str, world: World) -> tuple[float, float]:
    """Seconds for making up the rows, and for having them in the database with every index."""
    made_s = took_s = 0.0
    with psycopg.connect(url) as db:
        made = db.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'recording' AND indexname <> 'recording_pk'"
        ).fetchall()
        for name, _ in made:
            db.execute(f'DROP INDEX "{name}"')
        for first in range(0, world.wanted, 20_000):
            began = time.perf_counter()
            told = [world.sighting(n) for n in range(first, min(first + 20_000, world.wanted))]
            texts = {table.name: "".join(map(_line, rows)) for table, rows in _rows(told).items()}
            made_s += time.perf_counter() - began
            began = time.perf_counter()
            for table, columns in _COLUMNS.items():
                with db.cursor().copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN") as into:
                    into.write(texts[table.name])
            took_s += time.perf_counter() - began
        began = time.perf_counter()
        for _, definition in made:
            db.execute(definition)
        db.commit()
        took_s += time.perf_counter() - began
    with psycopg.connect(url, autocommit=True) as db:
        took_s += timed(lambda: db.execute("VACUUM ANALYZE"))
    return made_s, took_s


_COLUMNS: dict[Table, list[str]] = {
    table: [column.name for column in table.c if column.name != "number"] for table in (recording, sighting, copy)
}


def _rows(told: list[Sighting]) -> dict[Table, list[list[object]]]:
    """The rows of these sightings, as taking them would have written them."""
    agreed = [each for each in map(agree, ([one] for one in told)) if each is not None]
    found = {
        recording: list(map(writing.row_of, agreed)),
        sighting: [writing.sighting_row(each) for each in told],
        copy: [row for each in told for row in writing.copy_rows(each)],
    }
    return {table: [[row[name] for name in _COLUMNS[table]] for row in rows] for table, rows in found.items()}


def _line(row: list[object]) -> str:
    return "\t".join(map(_field, row)) + "\n"


def _field(value: object) -> str:
    r"""As COPY reads it: no value of ours has a backslash; tabs between words are written \t."""
    match value:
        case None:
            return r"\N"
        case bool():
            return "t" if value else "f"
        case list():
            return "{" + ",".join(f'"{each}"' for each in value) + "}"
        case str():
            return value.replace("\t", r"\t")
        case _:
            return str(value)


async def _proven(catalogue: Catalogue, world: World) -> None:
    """What was copied is what the catalogue itself makes of the sightings, on a sample."""
    some = random.Random(0).sample(range(world.wanted), min(PROVEN, world.wanted))
    for n in some:
        expected = world.sighting(n)
        stood = await catalogue.run(partial(writing.stood, records=[expected.record]))
        assert stood == {(expected.record, expected.station): expected}
        row = await catalogue.run(
            lambda db, record=expected.record: db.execute(select(recording).where(recording.c.id == record)).one()
        )
        agreed = agree(stood.values())
        assert agreed is not None
        assert writing.row_of(agreed) == {name: getattr(row, name) for name in _COLUMNS[recording]}


async def _sizes(catalogue: Catalogue, world: World) -> None:
    """Bytes of a recording in each table, with its indexes and what is stored apart."""
    for table in (recording, sighting, copy):
        size = await catalogue.run(
            lambda db, name=table.name: db.exec_driver_sql(f"SELECT pg_total_relation_size('{name}')").scalar_one()
        )
        tell(f"catalogue_{table.name}_bytes", size / world.wanted, "bytes/recording")


# --- searches ---------------------------------------------------------------------------------------------------------


def _asked(world: World) -> Iterator[tuple[str, Callable[[random.Random], Sought]]]:
    """What S4 第十八条 wants found: 当事人、发生日期、发生地点、事件类型; and what people know besides."""

    def day(chance: random.Random) -> datetime:
        return world.now - timedelta(days=chance.randrange(DAYS))

    def any_of(chance: random.Random) -> Sighting:
        return world.sighting(chance.randrange(world.wanted))

    def said(chance: random.Random) -> Annotation:
        annotation = any_of(chance).said
        assert annotation is not None
        return annotation

    def case(chance: random.Random) -> str:
        bound = said(chance).case
        return bound.number if bound else ""

    yield "party", lambda c: Sought(party=said(c).parties[0])
    yield "party_surname_in_a_month", lambda c: Sought(party=c.choice(_SURNAMES), since=(d := day(c)),
                                                       until=d + timedelta(days=30))  # fmt: skip
    yield "date", lambda c: Sought(since=(d := day(c)), until=d + timedelta(days=1))
    yield "place", lambda c: Sought(place=said(c).place)
    yield "street", lambda c: Sought(place=c.choice(world.streets))
    yield "event", lambda c: Sought(event=c.choice(_EVENTS))
    yield "event_in_a_week", lambda c: Sought(event=c.choice(_EVENTS), since=(d := day(c)), until=d + timedelta(days=7))
    yield "case", lambda c: Sought(case=case(c))
    yield "officer", lambda c: Sought(officer=c.choice(world.officers).id)
    yield "officer_name", lambda c: Sought(officer=c.choice(world.officers).name)
    yield "recorder", lambda c: Sought(recorder=f"ZFY{c.randrange(RECORDERS):05d}")
    yield "unit_and_event", lambda c: Sought(unit=c.choice(_UNITS), event=c.choice(_EVENTS))
    yield "text", lambda c: Sought(text=f"{said(c).place[:3]} {c.choice(_EVENTS)[:2]}")
    yield "text_frequent", lambda c: Sought(text=c.choice(_REMARKS))
    yield "overdue", lambda _: Sought(standing=Standing.OVERDUE)
    yield "late", lambda _: Sought(standing=Standing.LATE)
    yield "held", lambda _: Sought(held=True)
    yield "nobody", lambda c: Sought(party="查无此人", place=c.choice(world.streets))


async def _searched(catalogue: Catalogue, world: World, scale: Scale) -> None:
    goal = Goal(sign="<=", value=100)
    for name, make in _asked(world):
        chance, took, hits = random.Random(name), [], []
        others = Others(scale.calm_s if name == "party" else 0)
        with others.watching():
            for _ in range(ROUNDS if scale.pairs > 1 else 3):
                asked = partial(searching.search, sought=make(chance), now=world.now, at_risk_ratio=0.25)
                began = time.perf_counter()
                page = await catalogue.run(asked)
                took.append((time.perf_counter() - began) * 1000)
                hits.append(len(page.found))
        note = f"the first page of up to 50, with everything shown; {statistics.median(hits):.0f} on it at the median"
        figure = f"catalogue_search_{name}_at_{world.wanted}"
        tell(figure, median(took), "ms", goal=goal, of=sorted(took), others=others.share, note=note)


# --- made again -------------------------------------------------------------------------------------------------------


async def _rebuilt(server: Postgres, scale: Scale) -> None:
    """Of manifests in a folder, of 200 docks, each signed with its own key."""
    root = scale.work / "central"
    root.mkdir()
    sink = FilesystemSink("central", root)
    sink.initialise()
    signers = [
        Signer(f"bwcdock/dock-{n:03d}", Ed25519PrivateKey.from_private_bytes(n.to_bytes(32))) for n in range(STATIONS)
    ]
    world = World(scale.catalogue_recordings)
    count = scale.catalogue_manifests
    for n in range(count):
        _put(root, world.sighting(n), n, signers[n % STATIONS])
    keys = [signer.verifier for signer in signers]
    papers = [Apart(partial(_papers, root, [key.vkey for key in keys]))]
    async with Catalogue(Place(url=parsed(server.database("again")), statement_timeout_s=600)) as catalogue:
        await catalogue.run(versions.upgrade)
        others = Others(scale.calm_s)
        with others.watching():
            began = time.perf_counter()
            made = await rebuild(catalogue, papers, keys, tell=lambda _: None)
            took_s = time.perf_counter() - began
        assert made.manifests == count, made.refused[:3]
        counted = await catalogue.run(lambda db: db.execute(select(day_count.c.received)).scalars().all())
        assert sum(counted) == count
        assert len(await catalogue.run(lambda db: db.execute(select(station)).all())) == STATIONS
    shutil.rmtree(root)
    note = f"{count} manifests in a folder, each read, its signature checked, joined, agreed on and written"
    goal = Goal(sign=">=", value=2000)
    tell("catalogue_rebuild", count / took_s, "recordings/s", goal=goal, others=others.share, note=note)


def _papers(root: Path, keys: list[str]) -> Papers:
    return Papers("central", FilesystemSink("central", root), [Verifier.parse(key) for key in keys], ZONE)


def _put(root: Path, told: Sighting, n: int, signer: Signer) -> None:
    known = told.known
    assert known is not None
    assert known.received_at is not None
    assert known.due is not None
    assert known.basis_at is not None
    digests = Digests(sha256=known.sha256, blake3=known.sha256)
    corrected = Corrected(start=known.start, end=known.end, method="plug-file", offset_ms=-1500, uncertainty_ms=2000)
    media = MediaFacts(container="mp4", started=known.start, duration_ms=600_000, encoder="Ambarella")
    sealed = Sealed(
        record=told.record, session=f"{n // 20:024x}", recorder=known.recorder, size=known.size, digests=digests,
        readback="direct", media=media, corrected=corrected,
    )  # fmt: skip
    leaf = codec.encode(
        Entry(seq=n, at=known.received_at, fact=sealed), boot="5f0c" * 8, mono=n, origin=signer.verifier.origin
    )
    hashes = tuple(base64.b64encode(os.urandom(32)).decode() for _ in range(18))
    key = f"{known.unit}/{known.day}/{known.recorder}/{n:08x}.mp4"
    made = Manifest(
        key=key, record=told.record, recorder=Identity(serial=known.recorder, basis="label", model="DSJ"),
        driver="mass-storage",
        path=known.path, size=known.size, sha256=known.sha256, blake3=known.sha256,
        claim=Claim(start=known.start, end=known.end, source="name", zone="Asia/Shanghai", text="20261121163000"),
        corrected=corrected,
        drift=Drift(method="plug-file", offset_ms=-1500, uncertainty_ms=2000, read_at=known.received_at),
        station_clock="synchronised, wrong by at most 1 ms", media=media, officer=known.user, unit=known.unit,
        obligation=Obligation(
            pack=known.pack, article=known.article, quote="24小时内导出储存至执法信息系统或专用电脑", due=known.due,
            basis="recorded", basis_at=known.basis_at, met_by="confirmed", sinks=("central",), keep_article="第十九条",
            keep_until=known.keep_until,
        ),
        verdict="not_due", sessions=(sealed.session,),
        position=Position(origin=signer.verifier.origin, seq=n, leaf=base64.b64encode(leaf).decode(), path=hashes,
                          checkpoint=f"{signer.verifier.origin}\n{n + 1}\n{base64.b64encode(bytes(32)).decode()}\n"),
        station_version="1.0", at=known.received_at + timedelta(minutes=20),
    )  # fmt: skip
    place = root / key
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    (root / (key + MANIFEST)).write_bytes(sign(made, signer))
