"""`make hardware`: a dock in a virtual machine, and a line for what must be seen in it: PASS or FAIL, name, figure."""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import apart
import cheating
import clocks
import crashes
import diskless
import erasing
import host
import image
import package
import pages
import second_bus
import shows
import units
import vendor
import wheels
from guest import Guest
from station import Station

SHOWS: dict[str, Callable[[Station], str]] = {
    "four-at-once": shows.four_at_once,
    "latency": shows.latency,
    "power-cuts": crashes.power_cuts,
    "yanks": shows.yanks,
    "flood": shows.flood,
    "killed": crashes.killed,
    "hung": crashes.hung,
    "untouched": shows.untouched,
    "second-bus": second_bus.no_slot_then_slot,
    "asked": diskless.asked,
    "mtp-speed": diskless.speed,
    "mtp-far": diskless.far,
    "mtp-vhci": cheating.over_vhci,
    "failing-spool": crashes.failing_spool,
    "speaks-first": vendor.speaks_first,
    "scores": units.scores,
    "privileges": units.privileges,
    "pages": pages.started,
    "wall": pages.wall,
    "pages-back": pages.back,
    "pages-apart": apart.from_footage,
    "figures": pages.figures,
    "kiosk": apart.kiosk,
    "clock-files": clocks.by_a_file,
    "erase-with-permits": erasing.with_permits,
    "deb": package.replaced,
}
"""In this order, in one guest; what one leaves plugged in is pulled out before the next. The power is cut while there
is little to audit after each cut; the last two move the clock, and take the program away."""


def main() -> int:
    """The exit status: 0 where every show passed, 1 where one failed, 2 where no guest can be had."""
    asked = argparse.ArgumentParser(prog="make hardware", description=__doc__)
    asked.add_argument("shows", nargs="*", metavar="SHOW", help=f"only these: {', '.join(SHOWS)}")
    asked.add_argument("--build", action="store_true", help="only build the guest's image")
    asked.add_argument(
        "--debug", action="store_true", help="where a show fails, say where, and what the guest's kernel said"
    )
    chosen = asked.parse_args()
    unknown = [name for name in chosen.shows if name not in SHOWS]
    if unknown:
        asked.error(f"there is no {', '.join(unknown)}")
    signal.signal(signal.SIGTERM, _told_to_end)
    try:
        host.check()
    except host.Unfit as why:
        print(why, file=sys.stderr)
        return 2
    if chosen.build:
        print(image.built())
        return 0
    return _seen({name: SHOWS[name] for name in chosen.shows or SHOWS}, debug=chosen.debug)


def _told_to_end(number: int, _frame: object) -> None:
    """End as after an error, so that the guest is ended and its folder removed; told again, go on with that."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _seen(wanted: dict[str, Callable[[Station], str]], *, debug: bool) -> int:
    began, results = time.monotonic(), []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bwcdock-wheel-")))
        guest = stack.enter_context(Guest())
        station = Station(guest)
        wheel = wheels.build(scratch / "wheel")
        if "deb" in wanted:
            station.package = stack.enter_context(wheels.packaging(scratch / "deb"))
        results.append(_line("install", lambda: station.install(wheel), guest, debug=debug))
        for name, show in wanted.items() if results[0] else ():
            results.append(_line(name, lambda show=show: show(station), guest, debug=debug))
            _line("cleared", lambda: shows.clear(station), guest, debug=debug, quiet=True)
    passed, all_ = sum(results), len(wanted) + 1
    print(f"{passed} passed, {all_ - passed} failed in {time.monotonic() - began:.0f} s")
    return 0 if passed == all_ else 1


def _line(name: str, show: Callable[[], str | None], guest: Guest, *, debug: bool, quiet: bool = False) -> bool:
    """Print the show's line; whether it passed. One that fails keeps none of the others from being seen."""
    began = time.monotonic()
    try:
        figure = show()
    except Exception as why:
        told = traceback.format_exc() if debug else f"{type(why).__name__}: {str(why)[:600]}"
        print(f"FAIL {name} {told} ({time.monotonic() - began:.0f} s)", flush=True)
        if debug:
            print(guest.console()[-2000:], flush=True)
        return False
    if not quiet:
        print(f"PASS {name} {figure} ({time.monotonic() - began:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
