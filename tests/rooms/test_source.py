"""Reading past bad sectors, past the page cache and past the end: what can be had is had, the rest is told exactly."""

import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest
from bwcdock.errors import Unplugged, Unreadable
from bwcdock.testing.driver_suite import page_aligned
from bwcdock_drivers.source import BLOCK, HOLE, TRIES, Extents, Source, open_pair, opened, read_into
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SIZE = 64 * BLOCK
DATA = bytes(at * 131 % 251 for at in range(SIZE))


class BadSource(Source):
    """A device with bad sectors of 512 bytes: any read that touches one fails; it counts, and it can be pulled out."""

    def __init__(self, path: Path, bad: set[int], *, flaky: int = 0, direct: bool = True) -> None:
        fd, other = open_pair(str(path))
        if other is not None and not direct:
            os.close(other)
            other = None
        super().__init__(fd, other, lambda: self.there)
        self.bad, self.flaky, self.there, self.tries = bad, flaky, True, 0

    def _preadv(self, fd: int, view: memoryview, at: int) -> int:
        if not self.there:
            raise OSError(errno.EIO, "gone")
        if any(sector in self.bad for sector in range(at // 512, -(-(at + len(view)) // 512))):
            self.tries += 1
            if self.flaky:
                self.flaky -= 1
                if not self.flaky:
                    self.bad = set()
            raise OSError(errno.EIO, "bad sector")
        return super()._preadv(fd, view, at)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "disk"
    made.write_bytes(DATA)
    return made


def whole(source: Source, extents: Extents, step: int) -> tuple[dict[int, bytes], list[tuple[int, int]]]:
    """Everything that can be had, by offset, and the spans that cannot, as a caller goes on after a bad span."""
    buffer, good, bad, offset = page_aligned(step), {}, [], 0
    while offset < extents.size:
        try:
            got = read_into(source, extents, offset, buffer, "a.mp4")
        except Unreadable as error:
            ((span),) = error.spans
            assert span.offset == offset
            bad.append((span.offset, span.length))
            offset += span.length
            continue
        assert got
        good[offset] = bytes(buffer[:got])
        offset += got
    assert read_into(source, extents, offset, buffer, "a.mp4") == 0
    return good, bad


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bad=st.sets(st.integers(0, SIZE // 512 - 1), max_size=12),
    step=st.sampled_from([BLOCK, 5 * BLOCK, 64 * BLOCK]),
    cuts=st.lists(st.integers(1, SIZE // 512 - 1), max_size=4, unique=True).map(sorted),
)
def test_bad_sectors_cost_their_own_blocks_and_nothing_else(path, bad, step, cuts):
    """The file's pieces lie on the disk in reverse order, cut anywhere at sectors."""
    edges = [0, *(c * 512 for c in cuts), SIZE]
    places = [(SIZE - end, end - start) for start, end in pairwise(edges)]
    content = b"".join(DATA[at : at + length] for at, length in places)
    source = BadSource(path, bad)
    good, spans = whole(source, Extents(places, SIZE), step)
    source.close()
    for offset, data in good.items():
        assert data == content[offset : offset + len(data)]
    unread = {at for offset, length in spans for at in range(offset, offset + length)}
    assert sum(map(len, good.values())) + len(unread) == SIZE
    touched = set()
    done = 0
    for at, length in places:
        for sector in bad:
            if at <= sector * 512 < at + length:
                touched.add(done + sector * 512 - at)
        done += length
    assert touched <= unread, "a bad sector was given out as good"
    blocks = {offset // BLOCK for offset in touched}
    assert {at // BLOCK for at in unread} == blocks, "more was given up than the blocks with bad sectors"


def test_a_bad_block_is_tried_three_times_and_may_come_good(path):
    source = BadSource(path, {8}, flaky=TRIES)
    buffer = page_aligned(BLOCK)
    assert read_into(source, Extents([(0, SIZE)], SIZE), BLOCK, buffer, "a") == BLOCK
    assert bytes(buffer) == DATA[BLOCK : 2 * BLOCK]
    source.bad, source.flaky, source.tries = {8}, 0, 0
    with pytest.raises(Unreadable, match="3 tries"):
        read_into(source, Extents([(0, SIZE)], SIZE), BLOCK, buffer, "a")
    assert source.tries == 1 + TRIES
    source.close()


def test_good_bytes_before_a_bad_block_are_given(path):
    source = BadSource(path, {40})
    buffer, extents = page_aligned(SIZE), Extents([(0, SIZE)], SIZE)
    assert read_into(source, extents, 0, buffer, "a") == 40 * 512 // BLOCK * BLOCK
    with pytest.raises(Unreadable) as error:
        read_into(source, extents, 5 * BLOCK, buffer, "a")
    assert [(s.offset, s.length) for s in error.value.spans] == [(5 * BLOCK, BLOCK)]
    assert read_into(source, extents, 6 * BLOCK, buffer, "a") == SIZE - 6 * BLOCK
    source.close()


@pytest.mark.parametrize("code", [errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM, errno.EIO])
def test_a_device_that_went_away_is_unplugged(path, code):
    source = BadSource(path, set())
    source._preadv = lambda *_: (_ for _ in ()).throw(OSError(code, "gone"))  # type: ignore[method-assign]
    source.there = code != errno.EIO  # an I/O error alone is a bad sector; with nothing there any more it is not
    with pytest.raises(Unplugged):
        read_into(source, Extents([(0, SIZE)], SIZE), 0, page_aligned(BLOCK), "a")
    source.close()


def test_other_errors_of_a_bad_medium_are_bad_blocks_too(path):
    """The kernel says ENODATA for a medium error, EREMOTEIO for the target's, ETIMEDOUT for a slow one."""
    for code in (errno.ENODATA, errno.EREMOTEIO, errno.ETIMEDOUT, errno.EILSEQ):
        source = BadSource(path, set())
        source._preadv = lambda *_, c=code: (_ for _ in ()).throw(OSError(c, "bad"))  # type: ignore[method-assign]
        with pytest.raises(Unreadable):
            read_into(source, Extents([(0, SIZE)], SIZE), 0, page_aligned(BLOCK), "a")
        source.close()


def test_direct_reads_are_used_and_given_up_for_good_when_refused(path):
    with opened(str(path)) as (source, size):
        assert size == SIZE
        assert source.fill(0, page_aligned(BLOCK)) == BLOCK
        true = os.preadv

        def refusing(fd, buffers, at):
            if fd != source.fd:
                raise OSError(errno.EINVAL, "no direct reads here")
            return true(fd, buffers, at)

        source._preadv = lambda fd, view, at: refusing(fd, [view], at)  # type: ignore[method-assign]
        buffer = page_aligned(BLOCK)
        assert source.fill(BLOCK, buffer) == BLOCK
        assert bytes(buffer) == DATA[BLOCK : 2 * BLOCK]
        assert not source.direct


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("offset", [0, 1, 511, 513, 4095, SIZE - 1, SIZE - 4097])
def test_any_offset_into_any_buffer(path, direct, offset):
    source = BadSource(path, set(), direct=direct)
    for length in (BLOCK, 3 * BLOCK):
        for shift in (0, 1, 512):  # a buffer that does not begin at a page is still filled, if more slowly
            buffer = page_aligned(length + BLOCK)[shift : shift + length]
            got = 0
            while got < min(length, SIZE - offset):
                more = read_into(source, Extents([(0, SIZE)], SIZE), offset + got, buffer[got:], "a")
                assert more
                got += more
            assert bytes(buffer[:got]) == DATA[offset : offset + length]
    source.close()


def test_what_is_not_initialised_reads_as_zeros_and_what_is_lost_is_not_padded(path):
    source = BadSource(path, set())
    buffer = page_aligned(SIZE)
    buffer[:] = b"\xaa" * SIZE
    extents = Extents([(0, 10_000), (HOLE, 5000), (20_000, 10_000)], 25_000, 22_000)
    got = 0
    while got < 25_000:
        got += read_into(source, extents, got, buffer[got:], "a")
    wanted = DATA[:10_000] + bytes(5000) + DATA[20_000:27_000] + bytes(3000)
    assert bytes(buffer[:25_000]) == wanted
    assert extents.lost == 0
    short = Extents([(0, 10_000)], 25_000)
    assert short.lost == 15_000
    with pytest.raises(Unreadable, match="no known place"):
        read_into(source, short, 10_000, buffer, "a")
    source.close()


def test_a_device_shorter_than_its_files_is_unreadable_from_there(path):
    source = BadSource(path, set())
    buffer, extents = page_aligned(4 * BLOCK), Extents([(SIZE - BLOCK, 4 * BLOCK)], 4 * BLOCK)
    assert read_into(source, extents, 0, buffer, "a") == BLOCK
    with pytest.raises(Unreadable) as error:
        read_into(source, extents, BLOCK, buffer, "a")
    assert [(s.offset, s.length) for s in error.value.spans] == [(BLOCK, 3 * BLOCK)]
    source.close()
