"""The whole way: a station with an overdue recording, a real Prometheus and Alertmanager, and the unit's webhook.

The same Prometheus then answers every query of both dashboards.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from bwcdock import app, metrics
from bwcdock.clock import WallClock
from bwcdock.ledger import open_read_only
from cli_world import daemon, files, folder
from figures_world import UNIT, Station
from prometheus_world import (
    Asked,
    alertmanager,
    filled,
    needs_prometheus,
    prometheus,
    queries,
    serving,
    until,
)

QUICK = {"drop": {"stable_s": 0.5}, "watch": {"rescan_s": 0.3}}

NOTHING = {
    "fleet: 集中存储不可用 Central storage that is away",
    "station: 巡检与复核 Scrub and second look, seconds ago",
    "station: 上次巡检 Last scrub",
    "station: 集中存储上次巡检 Central scrub, seconds ago",
    "station: 集中存储巡检 Scrub of central storage",
}
"""Panels of which some queries find nothing at a station whose central storage answers, and that is an hour old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A station that Prometheus watches, and what has come to whose webhook."""

    asked: Asked
    posts: list[tuple[str, dict]]
    dock: Callable[[str], None]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A real daemon on a station where a recording is overdue, with a card in its drop folder to work on."""
    work = tmp_path_factory.mktemp("watched")
    station = Station(work, WallClock().now(), overrides=QUICK)
    asyncio.run(station.lives())
    settings, law, memory = station.settings, app.law_of(station.settings), metrics.Memory()
    posts: list[tuple[str, dict]] = []
    turn = threading.Lock()

    def tell(_path: str, _body: bytes) -> bytes:
        with turn, open_read_only(settings.paths.ledger) as ledger:
            return metrics.exposition(settings, ledger, law, WallClock().now(), memory=memory)

    def hear(path: str, body: bytes) -> bytes:
        posts.append((path, json.loads(body)))
        return b""

    def dock(name: str) -> None:
        """Put a recorder's folder where the daemon looks, whole at once."""
        folder(work / "cards" / name, files(len(name), count=5))
        (work / "cards" / name).rename(settings.drop[0].path / name)

    with (
        daemon(work / "station"),
        serving(tell) as figures,
        serving(hear) as webhook,
        alertmanager(work / "alertmanager", webhook) as alarms,
        prometheus(work / "prometheus", station=figures, alarms=alarms) as asked,
    ):
        until(lambda: asked.query("bwcdock_up == 1"))
        dock("F1-DROP")
        yield Watched(asked=asked, posts=posts, dock=dock)


def heard(watched: Watched, path: str, alarm: str) -> list[dict]:
    """The alerts of this name that came to this webhook."""
    return [
        alert
        for where, told in list(watched.posts)
        if where == path
        for alert in told["alerts"]
        if alert["labels"]["alertname"] == alarm and alert["status"] == "firing"
    ]


@needs_prometheus
@pytest.mark.xdist_group("prometheus")
def test_the_unit_and_the_duty_officer_hear_of_it(watched: Watched) -> None:
    for receiver in ("/unit-1", "/duty"):
        alert = until(lambda r=receiver: heard(watched, r, "BwcdockOverdue"))[0]
        assert alert["labels"] == {
            "alertname": "BwcdockOverdue",
            "article": "S4-fuzhou 第十七条",
            "instance": alert["labels"]["instance"],
            "job": "bwcdock",
            "severity": "critical",
            "station": "test-dock",
            "unit": UNIT,
        }
        assert alert["annotations"]["summary"] == f"{UNIT}:1 个文件逾期未移交"
        assert alert["annotations"]["runbook_url"] == "docs/alarms.md#bwcdockoverdue"
    until(lambda: heard(watched, "/bureau", "BwcdockRecorderDrift"))  # of the station's own unit, which has no route
    assert not heard(watched, "/unit-2", "BwcdockOverdue")


@needs_prometheus
@pytest.mark.xdist_group("prometheus")
def test_every_query_of_the_dashboards_is_answered_and_finds_what_there_is(watched: Watched) -> None:
    # A count is seen to grow only where it was seen before: so the second card comes when the first was counted.
    until(lambda: watched.asked.query('bwcdock_step_duration_seconds_count{step="confirm"}'))
    watched.dock("F1-DROP-2")
    until(lambda: watched.asked.query('instance_step:bwcdock_step_duration_seconds:p95_1h{step="confirm"} > 0'))
    until(lambda: empty(watched) == NOTHING or None, told=lambda: f"{empty(watched)}")


def empty(watched: Watched) -> set[str]:
    """Where the panels stand of which a query finds nothing; that it is understood is asserted by asking it."""
    return {where for where, expr in queries() if not watched.asked.query(filled(expr))}
