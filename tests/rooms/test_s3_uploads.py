"""Uploads in parts that are broken off: found again, gone on with, given up; never mixed, never left behind unknown."""

import os
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bwcdock.clock import WallClock
from bwcdock.errors import Conflict, SpoolBroken, Unreachable, Untrue
from bwcdock.sinks.s3.bodies import MIB, Part
from bwcdock.sinks.s3.senders import Senders
from bwcdock.sinks.s3.sending import MOST_PARTS
from bwcdock.sinks.s3.store import S3Store
from bwcdock.testing.calls import Died
from bwcdock.testing.s3_vault import Habits
from s3_beds import LEAST_PART
from s3_worlds import World, world

KEY = "城管一队/2026-11-20/ZFY0000123/a.mp4"
SIZE = 4 * LEAST_PART + 17
PARTS = 5
NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path):
    with world(tmp_path) as one:
        yield one


def dying(store: S3Store, event: str, op: str, *, key: str = KEY) -> S3Store:
    """The process dies before the request, or after it was answered and before anybody heard of it."""
    concerned = []

    def looks(params, **_) -> None:
        concerned[:] = [params.get("Key") == key or params.get("Prefix") == key]
        if concerned[0] and event == "before":
            raise Died

    def called(**_) -> None:
        if concerned[0]:
            raise Died

    store.client.meta.events.register(f"before-parameter-build.s3.{op}", looks)
    if event == "after":
        store.client.meta.events.register(f"after-call.s3.{op}", called)
    return store


def cut(made: World, at: int, seed: int = 1):
    path, data, digests = made.source(SIZE, seed)
    made.bed.cut(KEY, path, digests, at)
    made.server.requests.clear()
    return path, data, digests


def sent(made: World) -> int:
    """Parts of our object that were sent; what the store is tried with does not count."""
    return sum(1 for op, key in made.server.requests if op == "UploadPart" and key == KEY)


def test_only_what_is_missing_is_sent(made: World) -> None:
    path, data, digests = cut(made, 3 * LEAST_PART)
    made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == [data]
    assert sent(made) == PARTS - 3
    assert made.bed.unfinished() == []
    assert list(made.bed.uploads.iterdir()) == []


def test_parts_are_listed_page_by_page(tmp_path: Path) -> None:
    with world(tmp_path, Habits(page=2)) as made:
        path, data, digests = cut(made, SIZE)
        made.bed.sink().put(KEY, path, digests, None)
        assert made.versions(KEY) == [data]
        assert sent(made) == 0


def test_a_part_that_is_not_ours_is_sent_again(made: World) -> None:
    """Of another size, or of the same size and other bytes: neither is believed."""
    path, data, digests = cut(made, SIZE)
    (upload,) = made.server.vault.uploads.values()
    upload.parts[1] = (bytes(LEAST_PART), "0" * 32)
    upload.parts[2] = (upload.parts[2][0][:-1], upload.parts[2][1])
    made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == [data]
    assert sent(made) == 2


def test_parts_under_names_of_the_stores_own_are_not_believed(tmp_path: Path) -> None:
    with world(tmp_path, Habits(md5_etags=False), encryption="aws:kms") as made:
        path, data, digests = cut(made, 3 * LEAST_PART)
        made.bed.sink().put(KEY, path, digests, None)
        assert made.versions(KEY) == [data]
        assert sent(made) == PARTS


def test_parts_keep_the_size_they_began_with(made: World) -> None:
    path, data, digests = cut(made, 3 * LEAST_PART)
    made.bed.sink(settings=made.bed.settings(part=LEAST_PART + MIB)).put(KEY, path, digests, None)
    assert made.versions(KEY) == [data]
    assert sent(made) == PARTS - 3


def test_an_upload_whose_id_was_never_heard_is_found_by_its_key(made: World) -> None:
    path, data, digests = made.source(SIZE)
    other = made.server.vault.begin(KEY + ".manifest.json", {})
    with pytest.raises(Died):
        dying(made.bed.sink(), "after", "CreateMultipartUpload").put(KEY, path, digests, None)
    (ours,) = [u for u in made.server.vault.uploads.values() if u is not other]
    made.server.requests.clear()
    made.bed.sink().put(KEY, path, digests, None)
    assert ("CreateMultipartUpload", KEY) not in made.server.requests
    assert made.versions(KEY) == [data]
    assert list(made.server.vault.uploads.values()) == [other]
    assert ours.id not in made.server.vault.uploads


def test_an_intent_alone_begins(made: World) -> None:
    path, data, digests = made.source(SIZE)
    with pytest.raises(Died):
        dying(made.bed.sink(), "before", "CreateMultipartUpload").put(KEY, path, digests, None)
    assert len(list(made.bed.uploads.iterdir())) == 1
    made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == [data]


@pytest.mark.parametrize(
    ("event", "op"),
    [
        ("before", "CompleteMultipartUpload"),
        ("after", "CompleteMultipartUpload"),
        ("after", "UploadPart"),
        ("before", "ListParts"),
        ("before", "PutObjectRetention"),
        ("after", "PutObjectRetention"),
        ("before", "PutObjectLegalHold"),
        ("after", "PutObjectLegalHold"),
    ],
)
def test_dying_anywhere(made: World, event: str, op: str) -> None:
    path, data, digests = made.source(SIZE)
    with pytest.raises(Died):
        dying(made.bed.sink(), event, op).put(KEY, path, digests, None)
    made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == [data]
    (version,) = made.server.vault.objects[KEY]
    assert version.hold
    assert version.until is not None
    assert made.bed.unfinished() == []
    assert list(made.bed.uploads.iterdir()) == []


def test_an_upload_the_store_forgot_begins_anew(made: World) -> None:
    path, data, digests = cut(made, 3 * LEAST_PART)
    made.server.vault.uploads.clear()
    made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == [data]
    assert sent(made) == PARTS


def test_an_upload_that_is_forgotten_again_and_again(made: World) -> None:
    path, _, digests = made.source(SIZE)
    made.server.lie("CompleteMultipartUpload", "forget", nth=0, about=KEY)
    with pytest.raises(Unreachable):
        made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == []


def test_other_bytes_begin_anew(made: World) -> None:
    cut(made, 3 * LEAST_PART)
    path, data, digests = made.source(SIZE, seed=2)
    made.bed.sink().put(KEY, path, digests, None)
    (version,) = made.server.vault.objects[KEY]
    assert version.data == data
    assert version.meta["sha256"] == digests.sha256
    assert sent(made) == PARTS
    assert made.bed.unfinished() == []


def test_a_source_that_rotted_meanwhile(made: World) -> None:
    path, data, digests = cut(made, 3 * LEAST_PART)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Untrue):
        made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == []
    assert made.bed.unfinished() == []
    assert list(made.bed.uploads.iterdir()) == []


def test_a_source_that_shrinks_while_it_is_sent(made: World) -> None:
    path, _, digests = made.source(SIZE)
    told = [0]

    def pace(size: int) -> None:
        told[0] += size
        if told[0] > LEAST_PART:
            os.truncate(path, 100)

    with pytest.raises(Untrue):
        made.bed.sink(pace=pace).put(KEY, path, digests, None)
    assert made.versions(KEY) == []


def test_what_another_client_brought_meanwhile_counts(made: World) -> None:
    """And what was begun of it is given up at once."""
    path, data, digests = cut(made, 3 * LEAST_PART)
    made.bed.plant(KEY, data)
    made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == [data]
    assert made.bed.unfinished() == []
    assert list(made.bed.uploads.iterdir()) == []


def test_a_damaged_note_costs_the_parts_alone(made: World) -> None:
    path, data, digests = cut(made, 3 * LEAST_PART)
    (note,) = made.bed.uploads.iterdir()
    another = note.read_bytes().replace(b"a.mp4", b"b.mp4")
    assert another != note.read_bytes()
    for text in (b"", b"{}", b"[]", b'{"key": 1}', b"\xff", another):
        note.write_bytes(text)
        assert made.bed.sink()._uploads.of(KEY) is None
    made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == [data]


def test_a_spool_that_cannot_be_written_is_not_the_stores_fault(made: World) -> None:
    path, _, digests = made.source(SIZE)
    made.bed.uploads.write_bytes(b"no folder")
    with pytest.raises(SpoolBroken, match="cannot be noted"):
        made.bed.sink().put(KEY, path, digests, None)
    assert made.versions(KEY) == []


def test_tidy_gives_up_ours_alone(made: World) -> None:
    path, _, digests = cut(made, LEAST_PART)
    with pytest.raises(Died):
        dying(made.bed.sink(), "after", "CreateMultipartUpload", key="b").put("b", path, digests, None)
    foreign = made.server.vault.begin("c", {})
    mine = made.bed.sink()._probing.folder
    tried = made.server.vault.begin(f"{mine}/object", {})
    others = made.server.vault.begin(".bwcdock-probe/other-dock/object", {})
    now = WallClock().now()
    made.bed.sink(now=lambda: now).tidy(NEVER)  # not older than a day
    assert len(made.server.vault.uploads) == 5
    made.bed.sink(now=lambda: now + timedelta(hours=25)).tidy(NEVER)
    assert list(made.server.vault.uploads) == [foreign.id, others.id]
    assert tried.id not in made.server.vault.uploads
    assert list(made.bed.uploads.iterdir()) == []


def test_tidy_leaves_what_is_being_sent(made: World) -> None:
    path, data, digests = made.source(SIZE)
    told: list[int] = []

    def pace(size: int) -> None:
        if not told and sent(made) > 1:
            told.append(size)
            store.tidy(WallClock().now() + timedelta(days=1))

    store = made.bed.sink(pace=pace)
    store.put(KEY, path, digests, None)
    assert told
    assert made.versions(KEY) == [data]
    assert sent(made) == PARTS


def test_one_transfer_of_a_key_at_a_time(made: World) -> None:
    path, data, digests = made.source(SIZE)
    told: list[str] = []

    def pace(size: int) -> None:
        if size and not told:
            with pytest.raises(Unreachable, match="already"):
                store.put(KEY, path, digests, None)
            told.append("refused")

    store = made.bed.sink(settings=made.bed.settings(parts_at_once=1), pace=pace)
    store.put(KEY, path, digests, None)
    assert told == ["refused"]
    assert made.versions(KEY) == [data]


def test_large_files_get_large_parts(made: World) -> None:
    part_size = made.bed.sink()._sending._part_size
    assert part_size(SIZE) == LEAST_PART
    for size in (MOST_PARTS * LEAST_PART, MOST_PARTS * LEAST_PART + 1, 5 << 40):
        assert -(-size // part_size(size)) <= MOST_PARTS
        assert part_size(size) % MIB == 0


def test_signs_of_life_come_from_the_calling_thread(made: World) -> None:
    """The threads that send have no lane: whoever watches it must hear that they get on, also when all is digested."""
    path, _, digests = made.source(SIZE)
    heard: Counter[str] = Counter()
    here = threading.current_thread().name

    def pace(size: int) -> None:
        name = threading.current_thread().name
        heard[name] += 1
        if name != here:
            time.sleep(0.02)  # a slow line: the parts take longer than their digests

    made.bed.sink(pace=pace).put(KEY, path, digests, None)
    digested = sum(-(-size // MIB) for size in (LEAST_PART, LEAST_PART, LEAST_PART, LEAST_PART, 17))
    assert heard["send cloud"] > 0
    assert heard[here] > digested


def test_senders_stop_at_the_first_failure() -> None:
    done: list[int] = []

    def send(part: Part) -> None:
        if part.number == 3:
            raise Conflict("send", "no", "none", "k")
        done.append(part.number)

    def give_all() -> None:
        with Senders(1, "x", send, lambda: None) as senders:
            for number in range(1, 99):
                senders.give(Part(number=number, offset=0, size=1, md5=""))
            senders.finish()

    with pytest.raises(Conflict):
        give_all()
    assert done == [1, 2]
