"""Thousands of recordings wait, and many small things end: deciding what is next leaves time to do it."""

import asyncio
import time
from pathlib import Path

import pytest
from bwcdock import station as station_module
from bwcdock.core.plan import Plan, World, plan
from bwcdock.testing.station import StationBed

DECIDING_S = 0.03


async def test_deciding_takes_half_of_the_time_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[float] = []

    def long(world: World) -> Plan:
        began = time.monotonic()
        time.sleep(DECIDING_S)  # as with ten thousand records
        decided = plan(world)
        spent.append(time.monotonic() - began)
        return decided

    monkeypatch.setattr(station_module, "plan", long)
    async with StationBed(tmp_path).at_work() as station:
        began = time.monotonic()
        while len(spent) < 20:
            station._wake.set()  # something has ended, again and again
            await asyncio.sleep(0.001)
        took = time.monotonic() - began
    assert sum(spent[:20]) < 0.8 * took  # without the rests it would be nearly all of it


async def test_what_comes_while_it_rests_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = StationBed(tmp_path, {"limits": {"tick_s": 60.0}})
    async with bed.at_work() as station:
        deciding = asyncio.Event()

        def long(world: World) -> Plan:
            time.sleep(0.2)
            deciding.set()
            return plan(world)

        monkeypatch.setattr(station_module, "plan", long)
        station._wake.set()
        await asyncio.wait_for(deciding.wait(), 30)
        turns = station.turns
        await asyncio.sleep(0.05)  # it rests
        station._wake.set()
        await bed.until(lambda: station.turns > turns, limit_s=10)


async def test_a_station_that_was_stopped_while_deciding_does_not_rest_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed, rests = StationBed(tmp_path, {"limits": {"tick_s": 0.1}}), []
    async with bed.at_work() as station:
        real = station._pause

        async def pause(decided_s: float) -> None:
            await real(decided_s + 3600)
            rests.append(decided_s)

        monkeypatch.setattr(station, "_pause", pause)
        await bed.until(lambda: len(rests) > 1, limit_s=20)
