"""What every sink must hold: a suite of promises, to be run against each kind of central storage.

Derive from :class:`SinkSuite` in a test file and give it a fixture ``bed`` that answers a fresh :class:`SinkBed`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Literal, Protocol

from bwcdock.core.facts import Digests
from bwcdock.errors import BwcdockError, Conflict, Misused, Unreachable, Untrue
from bwcdock.ports import Gives, Lists, Lock, Locks, Sink
from bwcdock.testing.sinks import digests_of

KEEP = datetime(2031, 1, 1, tzinfo=UTC)
KEY = "城管一队/2026-11-20/ZFY0000123/101500_王_video_F0001_0a1b2c3d4e5f.mp4"

BAD_KEYS = (
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\x00b", "a\nb", "a/\x1b[2J", "a\x7f",
    ".hidden/a", "a/.hidden", "x" * 256, "字" * 86, "/".join(["abcdefg"] * 200), "a\udcffb",
)  # fmt: skip


class SinkBed(Protocol):
    """One fresh central storage, with the means to look at it from outside and to hurt it."""

    def sink(self) -> Sink:
        """A sink over this storage, made anew as after a restart of the station."""
        ...

    def failing(self, how: Literal["before", "after"]) -> Sink:
        """A sink whose next ``put`` or ``note`` fails as unreachable, before or after its effect."""
        ...

    def cut(self, key: str, source: Path, digests: Digests, at: int) -> None:
        """Leave behind what a ``put`` leaves whose process died when ``at`` bytes had arrived."""
        ...

    def published(self) -> dict[str, bytes]:
        """Every object and note by its key, seen without the sink."""
        ...

    def plant(self, key: str, data: bytes) -> None:
        """Put other bytes under ``key`` from outside."""
        ...


class SinkSuite:
    """The promises of :class:`bwcdock.ports.Sink`. ``size`` is that of the test object: more than one chunk.

    ``component`` is how many bytes of a name between slashes the store takes: some add to it what is their own.
    """

    size = (4 << 20) + 4096 + 123
    component = 255

    def _source(self, folder: Path, size: int | None = None, seed: int = 1) -> tuple[Path, bytes, Digests]:
        data = Random(seed).randbytes(self.size if size is None else size)  # noqa: S311  # the same in every run
        path = folder / f"source-{seed}"
        path.write_bytes(data)
        return path, data, digests_of(data)

    def test_put_and_stat(self, bed: SinkBed, tmp_path: Path) -> None:
        """What was put is there, whole, by the sink's own reading and from outside."""
        for number, size in enumerate((0, 1, 4095, 4096, 4097, self.size)):
            source, data, digests = self._source(tmp_path, size, number)
            key = f"u/{number}/x"
            assert bed.sink().stat(key) is None
            bed.sink().put(key, source, digests, None if number % 2 else KEEP)
            held = bed.sink().stat(key)
            assert held is not None
            assert (held.size, held.digests) == (size, digests)
            assert bed.published()[key] == data

    def test_put_again(self, bed: SinkBed, tmp_path: Path) -> None:
        """The same bytes again succeed and change nothing."""
        source, data, digests = self._source(tmp_path)
        bed.sink().put(KEY, source, digests, KEEP)
        first = bed.sink().stat(KEY)
        bed.sink().put(KEY, source, digests, KEEP)
        assert bed.sink().stat(KEY) == first
        assert bed.published() == {KEY: data}

    def test_conflict(self, bed: SinkBed, tmp_path: Path) -> None:
        """Other bytes under the key are refused and change nothing, whatever their size."""
        source, data, digests = self._source(tmp_path)
        bed.sink().put(KEY, source, digests, KEEP)
        for seed, size in ((2, self.size), (3, 10), (4, 0), (5, self.size + 1)):
            other, _, wrong = self._source(tmp_path, size, seed)
            error = refused(Conflict, lambda o=other, w=wrong: bed.sink().put(KEY, o, w, KEEP))  # type: ignore[misc]
            assert isinstance(error, Conflict)
            assert error.key == KEY
            refused(Conflict, lambda: bed.sink().note(KEY, b"{}"))
        assert bed.published() == {KEY: data}

    def test_foreign_bytes(self, bed: SinkBed, tmp_path: Path) -> None:
        """What somebody else put there is never overwritten, and stat says what it is."""
        source, _, digests = self._source(tmp_path)
        bed.plant(KEY, b"not ours")
        refused(Conflict, lambda: bed.sink().put(KEY, source, digests, KEEP))
        held = bed.sink().stat(KEY)
        assert held is not None
        assert held.digests == digests_of(b"not ours")
        assert bed.published() == {KEY: b"not ours"}

    def test_resume(self, bed: SinkBed, tmp_path: Path) -> None:
        """After a cut at any byte nothing is published, and the next put finishes it."""
        source, data, digests = self._source(tmp_path)
        half = 4 << 20
        for number, at in enumerate(
            (0, 1, 4095, 4096, half - 1, half, half + 1, half + 4096, self.size - 1, self.size)
        ):
            key = f"resume/{number}"
            bed.cut(key, source, digests, at)
            assert key not in bed.published()
            assert bed.sink().stat(key) is None
            bed.sink().put(key, source, digests, KEEP)
            assert bed.published()[key] == data

    def test_cut_then_other_bytes(self, bed: SinkBed, tmp_path: Path) -> None:
        """What a cut transfer left is never mixed with another recording's bytes."""
        source, _, digests = self._source(tmp_path)
        other, data, right = self._source(tmp_path, seed=2)
        bed.cut(KEY, source, digests, 4 << 20)
        bed.sink().put(KEY, other, right, KEEP)
        assert bed.published() == {KEY: data}

    def test_failing(self, bed: SinkBed, tmp_path: Path) -> None:
        """Failing before the effect leaves nothing; failing after it, a second put finds the object and succeeds."""
        source, data, digests = self._source(tmp_path, 5000)
        refused(Unreachable, lambda: bed.failing("before").put("f/before", source, digests, KEEP))
        assert "f/before" not in bed.published()
        bed.sink().put("f/before", source, digests, KEEP)
        refused(Unreachable, lambda: bed.failing("after").put("f/after", source, digests, KEEP))
        assert bed.published()["f/after"] == data
        bed.sink().put("f/after", source, digests, KEEP)
        assert bed.published() == {"f/before": data, "f/after": data}

    def test_rotten_source(self, bed: SinkBed, tmp_path: Path) -> None:
        """A spool copy that is not what was sealed never gets a name in central storage."""
        source, data, digests = self._source(tmp_path)
        for rotten in (data[:-1], data + b"x", b"y" + data[1:], b""):
            source.write_bytes(rotten)
            refused(Untrue, lambda: bed.sink().put(KEY, source, digests, KEEP))
            assert bed.published() == {}
        source.write_bytes(data)
        bed.sink().put(KEY, source, digests, KEEP)
        assert bed.published() == {KEY: data}

    def test_keys(self, bed: SinkBed, tmp_path: Path) -> None:
        """Keys that could mean another place are refused, for every operation; the longest good ones work."""
        source, data, digests = self._source(tmp_path, 10)
        for key in BAD_KEYS:
            for call in (
                lambda k=key: bed.sink().put(k, source, digests, KEEP),
                lambda k=key: bed.sink().stat(k),
                lambda k=key: bed.sink().note(k, b"x"),
                lambda k=key: bed.sink().recall(k),
                lambda k=key: bed.sink().newest(k, ".note", 1),
            ):  # type: tuple[Callable[[], object], ...]
                refused(Misused, call)
        assert bed.published() == {}
        longest = self.component
        good = ("a", "x" * longest, "字" * (longest // 3), "a b/..c".replace("..", "_"), "/".join(["abcdefg"] * 128))
        for key in good:
            bed.sink().put(key, source, digests, KEEP)
        assert bed.published() == dict.fromkeys(good, data)

    def test_notes(self, bed: SinkBed) -> None:
        """Small documents: the same promises."""
        for number, data in enumerate((b"", b"{}", b"x" * 10_000)):
            key = f"receipts/{number}.json"
            assert bed.sink().recall(key) is None
            bed.sink().note(key, data)
            bed.sink().note(key, data)
            assert bed.sink().recall(key) == data
            refused(Conflict, lambda k=key, d=data: bed.sink().note(k, d + b"!"))  # type: ignore[misc]
            held = bed.sink().stat(key)
            assert held is not None
            assert (held.size, held.digests) == (len(data), digests_of(data))
        refused(Unreachable, lambda: bed.failing("before").note("n/before", b"1"))
        refused(Unreachable, lambda: bed.failing("after").note("n/after", b"1"))
        assert "n/before" not in bed.published()
        bed.sink().note("n/after", b"1")
        assert bed.published()["n/after"] == b"1"
        bed.plant("large", bytes((16 << 20) + 1))
        refused(Conflict, lambda: bed.sink().recall("large"))

    def test_newest(self, bed: SinkBed) -> None:
        """The greatest names directly under a prefix, of those with the suffix."""
        for key in ("c/s/01.note", "c/s/03.note", "c/s/03.zip", "c/s/02.note", "c/s/9/99.note", "c/t/07.note", "c/s2"):
            assert key not in bed.sink().newest("c/s", ".note", 9)
            bed.sink().note(key, b"x")
        assert bed.sink().newest("c/s", ".note", 1) == ["c/s/03.note"]
        assert bed.sink().newest("c/s", ".note", 2) == ["c/s/03.note", "c/s/02.note"]
        assert bed.sink().newest("c/s", ".note", 9) == ["c/s/03.note", "c/s/02.note", "c/s/01.note"]
        assert bed.sink().newest("c/s", ".zip", 9) == ["c/s/03.zip"]
        assert bed.sink().newest("c/s/9", ".note", 9) == ["c/s/9/99.note"]
        assert bed.sink().newest("c/s", ".none", 9) == []
        assert bed.sink().newest("c/u", ".note", 9) == []


class GivesSuite:
    """The promises of :class:`bwcdock.ports.Gives`, for beds whose sink has that ability."""

    def test_give(self, bed: SinkBed, tmp_path: Path) -> None:
        """The bytes that were put, in order; a taker may stop anywhere."""
        for number, size in enumerate((0, 1, 3 << 20)):
            data = Random(number).randbytes(size)  # noqa: S311  # the same in every run
            path = tmp_path / f"given-{number}"
            path.write_bytes(data)
            bed.sink().put(f"g/{number}", path, digests_of(data), KEEP)
            assert b"".join(bytes(chunk) for chunk in _gives(bed).give(f"g/{number}")) == data
        given = _gives(bed).give("g/2")
        assert len(next(given)) > 0
        given.close()
        refused(Unreachable, lambda: b"".join(_gives(bed).give("g/none")))
        refused(Misused, lambda: b"".join(_gives(bed).give("../g")))


class ListsSuite:
    """The promises of :class:`bwcdock.ports.Lists`, for beds whose sink has that ability."""

    def test_list(self, bed: SinkBed) -> None:
        """Every key at any depth under a prefix, in order of names, and nothing of the sink's own."""
        every = ["a", "b-c/x.note", "b/1.note", "b/2.zip", "b/c/d/3.note", "b/c-d/4.note", "b2/5.note", "城管/六.note"]
        for key in reversed(every):
            bed.sink().note(key, b"x")
        assert list(_lists(bed).keys("", "")) == sorted(every)
        assert list(_lists(bed).keys("", ".note")) == sorted(key for key in every if key.endswith(".note"))
        assert list(_lists(bed).keys("b", "")) == ["b/1.note", "b/2.zip", "b/c-d/4.note", "b/c/d/3.note"]
        assert list(_lists(bed).keys("b/c", ".note")) == ["b/c/d/3.note"]
        assert list(_lists(bed).keys("none", "")) == []
        refused(Misused, lambda: list(_lists(bed).keys("../b", "")))


class LocksSuite:
    """The promises of :class:`bwcdock.ports.Locks`, for beds whose store keeps locks."""

    def test_locks(self, bed: SinkBed, tmp_path: Path) -> None:
        """What was put is locked; longer is done, shorter is not, and a hold stays."""
        path = tmp_path / "locked"
        path.write_bytes(b"evidence")
        digests = digests_of(b"evidence")
        bed.sink().put("l/a", path, digests, KEEP)
        held = bed.sink().stat("l/a")
        assert held is not None
        assert held.version
        sink = _locks(bed)
        assert sink.lock("l/a", held.version, Lock()) == Lock(until=KEEP)
        assert sink.lock("l/a", held.version, Lock(until=KEEP - timedelta(days=9))) == Lock(until=KEEP)
        longer = KEEP + timedelta(days=9)
        assert sink.lock("l/a", held.version, Lock(until=longer)) == Lock(until=longer)
        assert sink.lock("l/a", held.version, Lock(hold=True)) == Lock(until=longer, hold=True)
        assert sink.lock("l/a", held.version, Lock(until=longer)) == Lock(until=longer, hold=True)
        bed.sink().put("l/a", path, digests, KEEP)
        assert sink.lock("l/a", held.version, Lock()) == Lock(until=longer, hold=True)

    def test_locks_for_ever(self, bed: SinkBed, tmp_path: Path) -> None:
        """What is to be kept permanently is held as well, and so is what is to be kept longer than stores can count."""
        path = tmp_path / "locked"
        path.write_bytes(b"evidence")
        for key, until in (("l/permanent", None), ("l/long", datetime(2126, 1, 1, tzinfo=UTC))):
            bed.sink().put(key, path, digests_of(b"evidence"), until)
            held = bed.sink().stat(key)
            assert held is not None
            told = _locks(bed).lock(key, held.version, Lock())
            assert told.hold
            assert told.until is not None
            assert told.until > datetime(2100, 1, 1, tzinfo=UTC)


def _gives(bed: SinkBed) -> Gives:
    sink = bed.sink()
    assert isinstance(sink, Gives)
    return sink


def _lists(bed: SinkBed) -> Lists:
    sink = bed.sink()
    assert isinstance(sink, Lists)
    return sink


def _locks(bed: SinkBed) -> Locks:
    sink = bed.sink()
    assert isinstance(sink, Locks)
    return sink


def refused(kind: type[BwcdockError], call: Callable[[], object]) -> BwcdockError:
    """The error of ``kind`` that ``call`` raises, with something to read and something to do in it."""
    told: BwcdockError | None = None
    try:
        call()
    except kind as error:
        told = error
    assert told is not None, f"{kind.__name__} expected"
    assert told.what
    assert told.hint
    return told
