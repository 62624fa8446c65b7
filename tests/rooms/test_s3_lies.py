"""An S3 store that lies or fails: nothing is confirmed falsely, and nothing that was proven is let go."""

from pathlib import Path
from random import Random

import pytest
from bwcdock.core.facts import Confirmed, Found, Released
from bwcdock.core.record import State
from bwcdock.testing.s3_vault import Habits
from bwcdock.testing.station import StationBed
from s3_beds import LEAST_PART
from s3_worlds import world

SMALL = 100_000
LARGE = 2 * LEAST_PART + 1000
QUICK_RELEASE = {"spool": {"keep_after_confirm_s": 0.1, "second_look_after_s": 0.1}}
"""So that a copy would go at once, if anything allowed it."""

FINDS_OUT = [
    ("PutObject", "truncate", SMALL),
    ("PutObject", "turn", SMALL),
    ("PutObject", "unchecked", SMALL),
    ("PutObject", "marker", SMALL),
    ("PutObjectRetention", "marker", SMALL),
    ("UploadPart", "turn", LARGE),
    ("GetObject", "turn", SMALL),
]
"""The store holds, or gives, other bytes under our key: that is told to people, and stays until they saw to it."""

COMES_BACK = [
    ("PutObject", "lose", SMALL),
    ("PutObject", "error before", SMALL),
    ("UploadPart", "truncate", LARGE),
    ("UploadPart", "unchecked", LARGE),
    ("UploadPart", "drop before", LARGE),
    ("UploadPart", "drop after", LARGE),
    ("CompleteMultipartUpload", "error before", LARGE),
    ("CompleteMultipartUpload", "lose", LARGE),
    ("PutObjectRetention", "shorten", SMALL),
    ("PutObjectRetention", "drop before", SMALL),
    ("PutObjectRetention", "drop after", SMALL),
    ("GetObject", "short", SMALL),
]
"""Nothing is confirmed while it lasts; afterwards it goes through by itself."""

DOES_NO_HARM = [
    ("PutObject", "error after", SMALL),
    ("PutObject", "drop after", SMALL),
    ("CompleteMultipartUpload", "error after", LARGE),
    ("CompleteMultipartUpload", "drop after", LARGE),
    ("CompleteMultipartUpload", "forget", LARGE),
    ("UploadPart", "forget", LARGE),
    ("ListParts", "forget", LARGE),
    ("ListObjectVersions", "stale", SMALL),
    ("ListObjectsV2", "stale", SMALL),
]
"""What the store says is not believed; what it holds is looked at, and is right."""


@pytest.mark.parametrize(("op", "how", "size"), FINDS_OUT)
async def test_other_bytes_are_never_confirmed(tmp_path: Path, op, how, size) -> None:
    with world(tmp_path) as made:
        made.server.lie(op, how, nth=0, about=".mp4")
        bed = StationBed(tmp_path, QUICK_RELEASE, sinks={"central": made.bed.sink()})
        card = bed.recorder("F1-0001")
        card.record("a.mp4", Random(1).randbytes(size))
        async with bed.at_work():
            card.plug()
            await bed.until(lambda: bed.findings("sink.conflict.central"))
        assert made.server.lied
        record = bed.record("a.mp4")
        assert (record.state, record.owed_sinks) == (State.SEALED, ("central",))
        assert bed.whole(record).read_bytes() == card.files["a.mp4"].data
        assert not bed.facts(Confirmed)
        assert not bed.facts(Released)


@pytest.mark.parametrize(("op", "how", "size"), COMES_BACK)
async def test_nothing_is_confirmed_while_the_store_cannot_be_relied_on(tmp_path: Path, op, how, size) -> None:
    with world(tmp_path) as made:
        made.server.lie(op, how, nth=0, about=".mp4")
        bed = StationBed(tmp_path, QUICK_RELEASE, sinks={"central": made.bed.sink()})
        card = bed.recorder("F1-0001")
        card.record("a.mp4", Random(1).randbytes(size))
        async with bed.at_work():
            card.plug()
            await bed.until(lambda: bed.findings("sink.down.central"))
            assert not bed.facts(Confirmed)
            assert bed.whole(bed.record("a.mp4")).read_bytes() == card.files["a.mp4"].data
            made.server.honest()
            await bed.until_settled(card)
        goes_well(made, bed, card)


@pytest.mark.parametrize(("op", "how", "size"), DOES_NO_HARM)
async def test_what_the_store_says_is_not_what_counts(tmp_path: Path, op, how, size) -> None:
    with world(tmp_path) as made:
        made.server.lie(op, how, nth=0 if how == "stale" else 1, about=".mp4" if op != "ListObjectsV2" else "")
        bed = StationBed(tmp_path, QUICK_RELEASE, sinks={"central": made.bed.sink()})
        card = bed.recorder("F1-0001")
        card.record("a.mp4", Random(1).randbytes(size))
        async with bed.at_work():
            card.plug()
            await bed.until_settled(card)
        assert not [each for each in bed.facts(Found) if each.finding.code.startswith("sink.")]
        goes_well(made, bed, card)


def goes_well(made, bed: StationBed, card) -> None:
    """It is there once, whole, locked, under the version that was confirmed; no upload is left."""
    assert made.server.lied
    (confirmed,) = bed.facts(Confirmed)
    (version,) = [v for v in made.server.vault.objects[confirmed.key] if v.data is not None]
    assert version.data == card.files["a.mp4"].data
    assert version.id == confirmed.version
    assert confirmed.readback == "direct"
    kept = bed.record("a.mp4").obligation.keep_until
    assert version.hold if kept is None else version.until >= kept
    assert made.server.vault.uploads == {}
    assert list(made.bed.uploads.glob("*")) == []


@pytest.mark.parametrize("habits", [Habits(), Habits(conditional_puts=False, conditional_completes=False)])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_two_at_once_overwrite_nothing(tmp_path: Path, habits: Habits, size: int) -> None:
    """Somebody writes under our key between our look and our put: the first stays, and what we hold is not it."""
    with world(tmp_path, habits) as made:
        path, _, digests = made.source(size)
        store = made.bed.sink()
        store.abilities()

        def intrudes(params, **_) -> None:
            if params["Key"] == "u/a.mp4":
                made.server.vault.put("u/a.mp4", b"somebody else's")

        for op in ("PutObject", "CompleteMultipartUpload"):
            store.client.meta.events.register_first(f"before-parameter-build.s3.{op}", intrudes)
        with pytest.raises(Exception, match="holds other bytes"):
            store.put("u/a.mp4", path, digests, None)
        assert made.versions("u/a.mp4")[0] == b"somebody else's"
        held = made.bed.sink().stat("u/a.mp4")
        assert held is not None
        assert held.size == len(b"somebody else's")
        assert (made.versions("u/a.mp4") == [b"somebody else's"]) == habits.conditional_puts
