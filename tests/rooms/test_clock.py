"""The station's time: never backwards, and believed only when the kernel vouches for it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from bwcdock import ports
from bwcdock.clock import ClockHealth, Kernel, WallClock, judge, read_kernel
from bwcdock.testing.clock import EPOCH, VirtualClock
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = Kernel(synchronised=True, estimated_error_us=400, max_error_us=45_100)


class Stage:
    """A wall and a monotonic clock that a test moves."""

    def __init__(self):
        self.wall = EPOCH
        self.mono = 100.0
        self.kernel = GOOD

    def clock(self):
        return WallClock(wall=lambda: self.wall, monotonic=lambda: self.mono, kernel=lambda: self.kernel)

    def go(self, seconds, step=0.0):
        self.mono += seconds
        self.wall += timedelta(seconds=seconds + step)


def test_the_wall_is_the_wall():
    clock: ports.Clock = WallClock()
    before = datetime.now(UTC)  # noqa: TID251 (the wall is what is tested)
    now = clock.now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert timedelta(milliseconds=-1) <= now - before < timedelta(seconds=5)


def test_time_never_goes_back_nor_stands_still():
    stage = Stage()
    clock = stage.clock()
    stage.go(1)
    high = clock.now()
    assert high == stage.wall
    stage.go(2, step=-10)
    assert clock.now() == high + timedelta(seconds=1)  # half speed
    stage.go(14)
    assert clock.now() == high + timedelta(seconds=8)
    assert clock.now() > stage.wall
    stage.go(4)
    assert clock.now() == stage.wall  # caught up
    stage.go(1)
    assert clock.now() == stage.wall


def test_a_step_forward_is_followed_at_once():
    stage = Stage()
    clock = stage.clock()
    stage.go(1, step=3600)
    assert clock.now() == stage.wall


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(-20, 20)), max_size=30))
def test_any_steps_at_all(moves):
    stage = Stage()
    clock = stage.clock()
    last = clock.now()
    for seconds, step in moves:
        stage.go(seconds, step)
        now = clock.now()
        assert now >= last
        assert now > stage.wall - timedelta(milliseconds=1)
        assert now.microsecond % 1000 == 0
        last = now


def test_health_of_a_good_clock():
    assert Stage().clock().health() == ClockHealth(
        vouched=True, text="synchronised, wrong by at most 46 ms (estimated 1 ms)", max_error_ms=46
    )


@pytest.mark.parametrize(
    ("kernel", "behind_ms", "says"),
    [
        (Kernel(synchronised=False, estimated_error_us=1, max_error_us=1), 0, "knows no time source"),
        (Kernel(synchronised=True, estimated_error_us=1, max_error_us=2_000_001), 0, "may be wrong by 2001 ms"),
        (GOOD, 1000, "set back by 1.0 s"),
        ("this system has no adjtimex", 0, "has no adjtimex"),
    ],
)
def test_a_clock_that_cannot_be_vouched_for(kernel, behind_ms, says):
    health = judge(kernel, behind_ms=behind_ms)
    assert not health.vouched
    assert health.text.startswith("unvouched: ")
    assert says in health.text


def test_slewing_and_a_quiet_poll_are_still_vouched_for():
    assert judge(GOOD, behind_ms=999).vouched
    assert judge(Kernel(synchronised=True, estimated_error_us=1, max_error_us=2_000_000), behind_ms=0).vouched


def test_health_sees_the_clock_set_back():
    stage = Stage()
    clock = stage.clock()
    stage.go(1, step=-5)
    assert "set back by 4.5 s" in clock.health().text
    assert not clock.health().vouched
    stage.go(3600)
    assert clock.health().vouched


def test_the_kernel_answers_or_says_why_not():
    answer = read_kernel()
    if isinstance(answer, Kernel):
        assert answer.max_error_us >= 0
        assert answer.estimated_error_us >= 0
    else:
        assert answer
    health = WallClock().health()
    assert health.vouched is health.text.startswith("synchronised")


async def test_sleep_until_a_moment():
    clock = WallClock()
    start = time.monotonic()
    moment = clock.now() + timedelta(milliseconds=60)
    await clock.sleep_until(moment)
    assert clock.now() >= moment
    assert time.monotonic() - start < 1
    await clock.sleep_until(moment - timedelta(days=1))


async def test_sleep_follows_the_wall_when_it_is_set(monkeypatch):
    monkeypatch.setattr("bwcdock.clock._SLICE_S", 0.01)
    stage = Stage()
    task = asyncio.create_task(stage.clock().sleep_until(EPOCH + timedelta(hours=1)))
    await asyncio.sleep(0.03)
    assert not task.done()
    stage.go(0, step=3600)
    await asyncio.wait_for(task, 10)


# --- the virtual clock ---


async def test_sleepers_wake_in_their_order():
    clock = VirtualClock()
    woken = []

    async def sleeper(name, seconds):
        await clock.sleep_until(EPOCH + timedelta(seconds=seconds))
        woken.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(n, s)) for n, s in (("b", 20), ("a", 10), ("c", 20), ("d", 99))]
    await asyncio.sleep(0)
    assert clock.next_wake == EPOCH + timedelta(seconds=10)
    clock.advance(9.9995)
    await asyncio.sleep(0)
    assert woken == []
    clock.advance(20)
    await asyncio.sleep(0)
    assert [name for name, _ in woken] == ["a", "b", "c"]
    tasks[3].cancel()
    await asyncio.sleep(0)
    assert clock.next_wake is None


async def test_run_stops_at_each_moment():
    clock = VirtualClock()
    beats = []

    async def heart():
        while True:
            await clock.sleep_until(clock.now() + timedelta(minutes=10))
            beats.append(clock.now() - EPOCH)

    task = asyncio.create_task(heart())
    await clock.run(timedelta(hours=1))
    assert beats == [timedelta(minutes=10 * n) for n in range(1, 7)]
    task.cancel()


async def test_the_past_is_over():
    clock = VirtualClock()
    await asyncio.wait_for(clock.sleep_until(EPOCH), 10)
    clock.set(EPOCH + timedelta(days=1))
    with pytest.raises(ValueError, match="does not go back"):
        clock.set(EPOCH)
    assert clock.now() == EPOCH + timedelta(days=1)
    assert clock.monotonic() == 86400


def test_a_virtual_clock_says_what_it_is_told():
    bad = ClockHealth(vouched=False, text="unvouched: test", max_error_ms=None)
    assert VirtualClock().health().vouched
    assert VirtualClock(kernel=bad).health() is bad
    assert VirtualClock(datetime(2026, 1, 1, 0, 0, 0, 123999, tzinfo=UTC)).now().microsecond == 123000
