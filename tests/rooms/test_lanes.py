"""Lanes: one blocking call at a time, each with a limit; a hung one costs a lane, never the station."""

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest
from bwcdock.errors import Misbehaved, Unplugged
from bwcdock.lanes import Crew, Lane, LoopLag


@pytest.fixture
def lane():
    lane = Lane("slot 1")
    yield lane
    lane.close()


async def settled(check):
    for _ in range(200):
        if check():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("did not settle")


async def test_a_call_gives_its_result_from_one_thread_of_its_own(lane):
    threads = [await lane.call(threading.current_thread, timeout_s=5) for _ in range(3)]
    assert set(threads) == {threads[0]}
    assert threads[0].daemon
    assert threads[0].name == "lane slot 1"
    assert await lane.call(divmod, 7, 3, timeout_s=5) == (2, 1)


async def test_exceptions_travel(lane):
    def fail():
        raise Unplugged("read", "It is gone.", "Dock it again.")

    with pytest.raises(Unplugged, match="It is gone"):
        await lane.call(fail, timeout_s=5)
    assert await lane.call(int, "3", timeout_s=5) == 3


@pytest.mark.parametrize(("raised", "becomes"), [(StopIteration(), RuntimeError), (SystemExit(1), Misbehaved)])
async def test_exceptions_that_would_wreck_the_loop_are_turned_into_others(lane, raised, becomes):
    def fail():
        raise raised

    with pytest.raises(becomes):
        await lane.call(fail, timeout_s=5)
    assert await lane.call(int, "3", timeout_s=5) == 3


async def test_one_call_at_a_time_in_order(lane):
    running, most, order = 0, 0, []

    def work(n):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.005)
        order.append(n)
        running -= 1

    await asyncio.gather(*(lane.call(work, n, timeout_s=5) for n in range(8)))
    assert (most, order) == (1, list(range(8)))
    assert lane.waiting == 0


async def test_the_limit_counts_from_the_beginning_of_the_call(lane):
    slow = [lane.call(time.sleep, 0.1, timeout_s=0.3) for _ in range(5)]
    await asyncio.gather(*slow)
    assert not lane.stuck


async def test_a_hung_call_is_given_up_and_so_is_the_lane(lane):
    release = threading.Event()
    started = time.monotonic()
    hung = asyncio.create_task(lane.call(release.wait, timeout_s=0.1))
    await asyncio.sleep(0.02)
    ran = []
    behind = asyncio.create_task(lane.call(ran.append, 1, timeout_s=60))
    with pytest.raises(Misbehaved, match=r"did not answer within 0\.1 s"):
        await hung
    with pytest.raises(Misbehaved, match="hung before"):
        await behind
    assert time.monotonic() - started < 1
    assert lane.stuck
    with pytest.raises(Misbehaved, match="hung before"):
        await lane.call(int, timeout_s=1)
    with pytest.raises(Misbehaved):
        lane.submit(int)
    release.set()  # it comes back after all: nobody listens, nothing else runs, the thread ends
    await settled(lambda: not [t for t in threading.enumerate() if t.name == "lane slot 1"])
    assert ran == []


async def test_a_cancelled_caller_does_not_corrupt_the_lane(lane):
    release, done, noise = threading.Event(), [], []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: noise.append(context))

    def first():
        release.wait(5)
        done.append("first")
        return "first"

    waiting = asyncio.create_task(lane.call(first, timeout_s=5))
    await asyncio.sleep(0.02)
    queued = asyncio.create_task(lane.call(done.append, "never", timeout_s=5))
    after = asyncio.create_task(lane.call(lambda: "mine", timeout_s=5))
    await asyncio.sleep(0)
    waiting.cancel()
    queued.cancel()
    await asyncio.sleep(0)
    assert not after.done()  # the cancelled call still runs; the next waits behind it
    release.set()
    assert await after == "mine"
    assert done == ["first"]
    assert not lane.stuck
    await settled(lambda: lane.waiting == 0)
    assert noise == []


async def test_a_hung_call_is_noticed_also_when_its_caller_was_cancelled(lane):
    release = threading.Event()
    hung = asyncio.create_task(lane.call(release.wait, timeout_s=0.1))
    await asyncio.sleep(0.02)
    hung.cancel()
    await settled(lambda: lane.stuck)
    release.set()


async def test_a_caller_may_give_a_lane_up(lane):
    release = threading.Event()
    reading = lane.submit(release.wait, 5)
    await asyncio.sleep(0.02)
    behind = lane.submit(int)
    lane.give_up("hung in a read")
    assert lane.stuck
    for future in (reading, behind):
        with pytest.raises(Misbehaved, match="hung in a read"):
            await future
    with pytest.raises(Misbehaved, match="hung in a read"):
        lane.submit(int)
    release.set()
    await settled(lambda: not [t for t in threading.enumerate() if t.name == "lane slot 1"])


async def test_giving_up_what_nobody_awaits_makes_no_noise(lane):
    noise = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: noise.append(context))
    release = threading.Event()
    lane.submit(release.wait, 5)
    await asyncio.sleep(0.02)
    lane.give_up("hung in a read")
    release.set()
    await settled(lambda: not [t for t in threading.enumerate() if t.name == "lane slot 1"])
    gc.collect()
    await asyncio.sleep(0)
    assert noise == []


async def test_the_queue_is_bounded():
    release = threading.Event()
    lane = Lane("small", depth=3)
    calls = [lane.submit(release.wait, 5) for _ in range(3)]
    with pytest.raises(Misbehaved, match="3 calls waiting"):
        lane.submit(int)
    release.set()
    assert await asyncio.gather(*calls) == [True] * 3
    assert await lane.call(int, timeout_s=1) == 0
    lane.close()


async def test_close_refuses_what_waits_and_lets_the_running_end():
    release = threading.Event()
    lane = Lane("closing")
    running = asyncio.create_task(lane.call(release.wait, 5, timeout_s=5))
    await asyncio.sleep(0.02)
    ran = []
    waiting = asyncio.create_task(lane.call(ran.append, 1, timeout_s=5))
    await asyncio.sleep(0)
    lane.close()
    lane.close()
    with pytest.raises(Misbehaved, match="is closed"):
        await waiting
    with pytest.raises(Misbehaved, match="is closed"):
        await lane.call(int, timeout_s=5)
    release.set()
    assert await running is True
    assert ran == []
    await settled(lambda: not [t for t in threading.enumerate() if t.name == "lane closing"])
    assert not lane.stuck


async def test_an_idle_lane_keeps_nothing_alive(lane):
    class Big:
        pass

    big = Big()
    seen = weakref.ref(big)
    await lane.call(id, big, timeout_s=5)
    del big
    await settled(lambda: gc.collect() >= 0 and seen() is None)


def test_a_result_after_the_loop_closed_is_dropped_quietly(capfd):
    release, ended = threading.Event(), threading.Event()
    lanes = []

    def work():
        release.wait(5)
        ended.set()

    async def main():
        lanes.append(Lane("late"))
        lanes[0].submit(work)
        lanes[0].submit(work)
        await asyncio.sleep(0.02)

    asyncio.run(main())
    release.set()
    assert ended.wait(5)
    time.sleep(0.05)
    assert capfd.readouterr().err == ""
    assert [t.name for t in threading.enumerate() if t.name == "lane late"] == ["lane late"]
    lanes[0]._inbox.put(None)


def test_a_hung_call_does_not_keep_the_process_alive():
    program = textwrap.dedent("""
        import asyncio, time
        from bwcdock.errors import Misbehaved
        from bwcdock.lanes import Lane
        async def main():
            lane = Lane("hung")
            try:
                await lane.call(time.sleep, 60, timeout_s=0.05)
            except Misbehaved as error:
                print(error.what)
            print(time.monotonic())
        asyncio.run(main())
        """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    took = time.monotonic() - float(done.stdout.split()[-1])
    assert "did not answer within 0.05 s" in done.stdout
    assert done.stderr == ""
    assert took < 1


async def test_calls_leave_no_timers_behind(lane):
    """The loop keeps a cancelled timer until it is due: those of a busy hour lay scattered over all that it took."""
    crew = Crew("central", 2, limit_s=60, spare=1)
    loop = asyncio.get_running_loop()
    sooner = loop.call_later(5, int)  # cancelled ones that are due before all others are dropped at once
    before = len(loop._scheduled)
    for _ in range(20):
        assert await lane.call(int, "3", timeout_s=60) == 3
        assert await crew.call(int, "3") == 3
    assert len(loop._scheduled) - before <= 2
    sooner.cancel()
    crew.close()


async def test_a_call_with_a_shorter_limit_is_given_up_in_time_after_one_with_a_longer(lane):
    assert await lane.call(int, "3", timeout_s=60) == 3
    gate = threading.Event()
    with pytest.raises(Misbehaved, match=r"did not answer within 0\.05 s"):
        await asyncio.wait_for(lane.call(gate.wait, timeout_s=0.05), 5)
    gate.set()


async def test_a_call_with_a_longer_limit_is_left_alone_when_that_of_one_before_it_passes(lane):
    assert await lane.call(int, "3", timeout_s=0.05) == 3
    await lane.call(time.sleep, 0.15, timeout_s=60)  # the first one's limit passes within it
    assert await lane.call(int, "3", timeout_s=0.05) == 3
    gate = threading.Event()
    with pytest.raises(Misbehaved, match=r"did not answer within 0\.2 s"):
        await asyncio.wait_for(lane.call(gate.wait, timeout_s=0.2), 5)
    gate.set()


async def test_a_shut_lane_is_not_kept_by_its_timer(lane):
    other = Lane("slot 2")
    assert await other.call(int, "3", timeout_s=60) == 3
    other.close()
    gone = weakref.ref(other)
    del other
    await settled(lambda: gc.collect() >= 0 and gone() is None)


async def test_a_crew_that_looks_seldom_keeps_nothing_of_what_is_over():
    class Answer:
        pass

    crew = Crew("store", 2, limit_s=3600, spare=0)
    answers = [weakref.ref(await crew.call(Answer)) for _ in range(20)]
    await settled(lambda: gc.collect() >= 0 and not any(answer() for answer in answers))
    crew.close()


async def test_loop_lag_sees_blocking_code():
    lag = LoopLag(interval_s=0.01, window=50)
    assert lag.p99_s == 0
    task = asyncio.create_task(lag.run())
    await asyncio.sleep(0.05)
    time.sleep(0.2)  # noqa: ASYNC251 (the fault to be seen)
    await asyncio.sleep(0.03)
    assert lag.p99_s >= 0.15
    task.cancel()


def test_p99_is_the_nearest_rank():
    lag = LoopLag(window=200)
    lag._samples.extend(n / 100 for n in range(1, 101))
    assert lag.p99_s == 0.99
