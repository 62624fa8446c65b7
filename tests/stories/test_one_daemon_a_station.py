"""Two daemons on one station would write over each other: the second is refused, and told who has it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bwcdock import app
from bwcdock.errors import Misused
from bwcdock.testing.station import StationBed


def second(station: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from bwcdock.cli import main; sys.exit(main())"]
    return subprocess.run([*command, "-C", str(station), "run"], capture_output=True, text=True, check=False)


async def test_the_second_is_refused_and_told_the_pid(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    station = bed.settings.paths.ledger.parent
    card = bed.recorder("F1-0001")
    card.record("a.mp4", b"x" * 1000)
    async with bed.at_work():
        mine = rf"Another bwcdock already runs on this station \(pid {os.getpid()}\)"
        with pytest.raises(Misused, match=mine), app.opened(bed.settings):
            pass
        # And from a process of its own, as it happens to an operator.
        told = second(station)
        assert told.returncode == 2
        assert f"(pid {os.getpid()})" in told.stderr
        assert "Stop it first, or give this one another directory with -C." in told.stderr
        assert "Traceback" not in told.stderr
        card.plug()  # the first is none the worse for it
        await bed.until_settled(card)
    bed.must_agree()
    with app.opened(bed.settings):
        pass  # and when it has ended, the next one may
