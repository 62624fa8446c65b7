"""The S3 sink where it is more than the suite: the place, versions, locks, and what the store can do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bwcdock.errors import Conflict, Declined, Unreachable
from bwcdock.ports import Gives, Held, Lists, Lock, Locks, Store, Tidies
from bwcdock.sinks.s3.abilities import Abilities
from bwcdock.sinks.s3.store import S3Store
from bwcdock.testing.s3_vault import Habits
from bwcdock.testing.sinks import digests_of
from s3_beds import LEAST_PART
from s3_worlds import World, world

KEY = "u/d/r/a.mp4"
FAR = datetime(2040, 1, 1, tzinfo=UTC)
CAPPED = datetime(2105, 12, 31, tzinfo=UTC)


@pytest.fixture
def made(tmp_path: Path):
    with world(tmp_path) as one:
        yield one


def put(made: World, size: int = 1000, until: datetime | None = FAR, store: S3Store | None = None) -> bytes:
    path, data, digests = made.source(size)
    (store or made.bed.sink()).put(KEY, path, digests, until)
    return data


def test_it_has_every_ability(made: World) -> None:
    store: Store = made.bed.sink()
    assert all(isinstance(store, ability) for ability in (Gives, Lists, Locks, Tidies))


# --- the right place --------------------------------------------------------------------------------------------------


def test_marked_once(made: World) -> None:
    first = made.bed.identity
    assert len(first) == 32
    assert made.bed.sink(identity="").initialise() == first
    assert made.bed.sink().marker() == first


def test_two_stations_mark_at_once(tmp_path: Path) -> None:
    """Where a store keeps both markers, the first counts for both."""
    with world(tmp_path, Habits(conditional_puts=False, conditional_completes=False)) as made:
        made.server.vault.put(".bwcdock-central", b"f" * 32)
        assert made.bed.sink(identity="").initialise() == made.bed.identity


def test_another_place_is_not_taken_for_ours(made: World) -> None:
    path, _, digests = made.source(10)
    for identity, what in (("0" * 32, "not the central storage"), (None, "not taken into use")):
        store = made.bed.sink(identity=identity)
        for call in (
            lambda s=store: s.put(KEY, path, digests, None),
            lambda s=store: s.note(KEY, b""),
            lambda s=store: s.stat(KEY),
            lambda s=store: s.recall(KEY),
            lambda s=store: s.newest("c", "", 1),
            lambda s=store: next(s.give(KEY)),
            lambda s=store: list(s.keys("", "")),
            lambda s=store: s.lock(KEY, "v", Lock()),
            lambda s=store: s.tidy(FAR),
        ):
            with pytest.raises(Unreachable, match=what):
                call()
    made.server.vault.objects.clear()
    with pytest.raises(Unreachable, match="no marker"):
        made.bed.sink(identity="").stat(KEY)
    assert made.server.vault.objects == {}


def test_the_place_is_looked_at_again_after_an_hour(made: World) -> None:
    now = [0.0]
    store = made.bed.sink(monotonic=lambda: now[0])
    put(made, store=store)
    del made.server.vault.objects[".bwcdock-central"]
    now[0] = 3599
    assert store.stat(KEY)
    now[0] = 3601
    with pytest.raises(Unreachable, match="no marker"):
        store.stat(KEY)


def test_what_else_lies_there(made: World) -> None:
    assert made.bed.sink().foreign() == []
    made.bed.plant("holiday/one.jpg", b"x")
    made.bed.plant("notes.txt", b"x")
    assert made.bed.sink().foreign() == ["holiday", "notes.txt"]


def test_below_a_prefix(tmp_path: Path) -> None:
    with world(tmp_path, prefix="局/docks") as made:
        made.server.vault.put("other/x.note", b"not below")
        data = put(made)
        store = made.bed.sink()
        store.note("c/1.note", b"x")
        assert made.versions(f"局/docks/{KEY}") == [data]
        assert list(store.keys("", "")) == ["c/1.note", KEY]
        assert store.newest("c", ".note", 2) == ["c/1.note"]
        assert store.foreign() == ["c", "u"]
        path, _, digests = made.source(10)
        with pytest.raises(Declined, match="too long"):
            store.put("/".join(["abcdefg"] * 127), path, digests, None)


# --- versions ---------------------------------------------------------------------------------------------------------


def test_what_is_written_later_does_not_count(made: World) -> None:
    data = put(made)
    made.server.vault.put(KEY, b"somebody else's, later")
    first, later = made.server.vault.objects[KEY]
    held = made.bed.sink().stat(KEY)
    assert held == Held(size=len(data), digests=digests_of(data), version=first.id)
    assert b"".join(made.bed.sink().give(KEY)) == data
    put(made)
    assert made.server.vault.objects[KEY] == [first, later]


def test_versions_are_looked_through_page_by_page(tmp_path: Path) -> None:
    with world(tmp_path, Habits(page=1)) as made:
        data = put(made)
        for number in range(3):
            made.server.vault.put(KEY, b"later %d" % number)
            made.server.vault.put(f"{KEY}.{number}", b"another")
        held = made.bed.sink().stat(KEY)
        assert held is not None
        assert held.digests == digests_of(data)


def test_a_delete_marker_is_an_alarm_and_hides_nothing(made: World) -> None:
    data = put(made)
    first = made.server.vault.objects[KEY][0]
    made.server.vault.delete(KEY, "")
    path, _, digests = made.source(1000)
    for call in (
        lambda: made.bed.sink().stat(KEY),
        lambda: made.bed.sink().put(KEY, path, digests, FAR),
        lambda: made.bed.sink().note(KEY, data),
        lambda: made.bed.sink().recall(KEY),
    ):
        with pytest.raises(Conflict, match=f"Somebody deleted .* version {first.id}"):
            call()
    assert b"".join(made.bed.sink().give(KEY)) == data
    assert made.versions(KEY) == [data, None]


def test_a_marker_over_nothing_is_nothing(made: World) -> None:
    made.server.vault.delete(KEY, "")
    assert made.bed.sink().stat(KEY) is None
    data = put(made)
    assert made.versions(KEY) == [None, data]
    held = made.bed.sink().stat(KEY)
    assert held is not None
    assert held.digests == digests_of(data)


def test_the_same_bytes_without_our_word_on_them(made: World) -> None:
    """Copied there by another program: read in full, and taken."""
    path, data, digests = made.source(1000)
    made.bed.plant(KEY, data)
    made.bed.sink().put(KEY, path, digests, FAR)
    (version,) = made.server.vault.objects[KEY]
    assert version.until == FAR


def test_our_word_on_other_bytes(made: World) -> None:
    path, data, digests = made.source(1000)
    made.server.vault.put(KEY, data[:-1], meta={"sha256": digests.sha256})
    with pytest.raises(Conflict):
        made.bed.sink().put(KEY, path, digests, FAR)


# --- locks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wraps", [False, True])
def test_dates_no_store_must_know(tmp_path: Path, wraps: bool) -> None:
    with world(tmp_path, Habits(wraps=wraps)) as made:
        put(made, until=datetime(2126, 1, 1, tzinfo=UTC))
        (version,) = made.server.vault.objects[KEY]
        assert (version.until, version.hold) == (CAPPED, True)


def test_parts_of_a_second(made: World) -> None:
    put(made, until=FAR + timedelta(milliseconds=1))
    assert made.server.vault.objects[KEY][0].until == FAR + timedelta(seconds=1)


def test_what_need_not_be_kept_any_more_is_not_locked(made: World) -> None:
    put(made, until=datetime(2020, 1, 1, tzinfo=UTC))
    assert made.server.vault.objects[KEY][0].until is None


def test_only_the_version_that_was_confirmed(made: World) -> None:
    put(made)
    made.server.vault.put(KEY, b"later")
    first, later = made.server.vault.objects[KEY]
    made.bed.sink().lock(KEY, first.id, Lock(hold=True))
    assert (first.hold, later.hold) == (True, False)


def test_a_lock_that_is_shortened(made: World) -> None:
    put(made)
    (version,) = made.server.vault.objects[KEY]
    for op, wanted in (
        ("PutObjectRetention", Lock(until=FAR + timedelta(days=1))),
        ("PutObjectLegalHold", Lock(hold=True)),
    ):
        made.server.lie(op, "shorten")
        with pytest.raises(Unreachable, match="does not keep it locked"):
            made.bed.sink().lock(KEY, version.id, wanted)


def test_a_store_without_locks_must_be_allowed_to(tmp_path: Path) -> None:
    with world(tmp_path, Habits(object_lock=False), lock=False) as made:
        data = put(made)
        version = made.server.vault.objects[KEY][0].id
        assert made.bed.sink().lock(KEY, version, Lock(until=FAR)) == Lock()
        strict = made.bed.sink(settings=made.bed.settings(lock=True))
        path, _, digests = made.source(10)
        for call in (
            lambda: strict.put("b", path, digests, None),
            strict.initialise,
            lambda: strict.lock(KEY, version, Lock()),
        ):
            with pytest.raises(Unreachable, match="lock = false"):
                call()
        assert made.versions(KEY) == [data]
        assert made.versions("b") == []


def test_a_store_that_can_only_overwrite_is_not_written_to(tmp_path: Path) -> None:
    habits = Habits(versions=False, object_lock=False)
    with world(tmp_path, habits, lock=False) as made:
        made.server.vault.habits = Habits(versions=False, object_lock=False, conditional_completes=False)
        put(made)
        path, _, digests = made.source(LEAST_PART + 1)
        with pytest.raises(Unreachable, match="refuse to overwrite"):
            made.bed.sink().put("large", path, digests, None)
        assert made.versions("large") == []


# --- what the store says of itself ------------------------------------------------------------------------------------


def test_a_digest_of_the_store_may_be_trusted(made: World) -> None:
    trusting = made.bed.sink(settings=made.bed.settings(trust_server_digest=True))
    data = put(made, store=trusting)
    version = made.server.vault.objects[KEY][0].id
    made.server.requests.clear()
    assert trusting.stat(KEY) == Held(size=len(data), digests=digests_of(data), version=version, readback="server")
    assert ("GetObject", KEY) not in made.server.requests
    plain = made.bed.sink().stat(KEY)
    assert plain is not None
    assert plain.readback == "direct"
    path, data, digests = made.source(LEAST_PART + 1)  # in parts: no store has a digest of the whole
    trusting.put("large", path, digests, None)
    held = trusting.stat("large")
    assert held == Held(size=len(data), digests=digests, version=held.version, readback="direct")


def test_encryption_is_asked_for(tmp_path: Path) -> None:
    with world(tmp_path, Habits(md5_etags=False), encryption="aws:kms", kms_key="alias/evidence") as made:
        asked: list[tuple[str, str, str]] = []
        store = made.bed.sink()

        def looks(params, model, **_) -> None:
            asked.append((model.name, params.get("ServerSideEncryption"), params.get("SSEKMSKeyId")))

        for op in ("PutObject", "CreateMultipartUpload"):
            store.client.meta.events.register(f"before-parameter-build.s3.{op}", looks)
        put(made, store=store)
        store.note("n", b"x")
        path, _, digests = made.source(LEAST_PART + 1)
        store.put("large", path, digests, None)
        assert {each[1:] for each in asked} == {("aws:kms", "alias/evidence")}
        assert {each[0] for each in asked} == {"PutObject", "CreateMultipartUpload"}


@pytest.mark.parametrize(
    "habits",
    [
        Habits(),
        Habits(conditional_puts=False),
        Habits(conditional_completes=False),
        Habits(versions=False, object_lock=False),
        Habits(checksums=False, md5_etags=False),
        Habits(ordered=False, page=2),
    ],
)
def test_what_it_can_do_is_tried(tmp_path: Path, habits: Habits) -> None:
    with world(tmp_path, habits, lock=False) as made:
        told = Abilities(
            conditional_puts=habits.conditional_puts,
            conditional_completes=habits.conditional_completes,
            versions=habits.versions,
            object_lock=habits.object_lock,
            checksums=habits.checksums,
            md5_etags=habits.md5_etags,
            ordered=habits.ordered,
        )
        store = made.bed.sink()
        assert store.abilities() == told
        made.server.requests.clear()
        assert store.abilities() == told
        assert made.server.requests == []
        assert made.bed.unfinished() == []
        assert made.bed.published() == {}


def test_an_honest_store_gets_what_is_tried_once(made: World) -> None:
    made.bed.sink().abilities()
    before = {key: len(versions) for key, versions in made.server.vault.objects.items()}
    made.bed.sink().abilities()
    assert {key: len(versions) for key, versions in made.server.vault.objects.items()} == before


def test_a_trial_that_fails_is_no_answer(made: World) -> None:
    for op in ("PutObject", "CompleteMultipartUpload", "GetBucketVersioning", "GetObjectLockConfiguration"):
        made.server.lie(op, "busy", nth=1 if op != "PutObject" else 2)
        store = made.bed.sink()
        with pytest.raises(Unreachable):
            store.abilities()
        assert store.abilities().conditional_puts
        made.server.honest()
