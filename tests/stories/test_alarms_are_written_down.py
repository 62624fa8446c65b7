"""The shipped rules, routes and dashboards are understood by the tools that read them, and name what there is."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from figures_world import Station
from prometheus_world import (
    ALERTMANAGER,
    DASHBOARDS,
    DAYS,
    PROMETHEUS,
    RECORDED,
    ROOT,
    RULES,
    SAMPLES,
    names_in,
    needs_prometheus,
    queries,
    run,
)
from test_figures_are_written_down import computed, counted

NOW = datetime(2026, 3, 12, 4, 0, tzinfo=UTC)
TEXTS = ("summary", "summary_en", "description", "description_en")


def alarms() -> dict[str, str]:
    """Each alarm's name with its text in the rules."""
    parts = re.split(r"(?m)^ +- alert: ", RULES.read_text())[1:]
    return {part.split("\n", 1)[0]: part for part in parts}


def recorded() -> set[str]:
    return set(re.findall(r"(?m)^ +- record: (\S+)$", RULES.read_text()))


@needs_prometheus
def test_the_rules_are_understood() -> None:
    told = run("promtool", "check", "rules", RULES)
    assert (told.returncode, "SUCCESS" in told.stdout) == (0, True), told.stdout


@needs_prometheus
def test_every_alarm_comes_when_it_should() -> None:
    told = run("promtool", "test", "rules", SAMPLES, DAYS)
    assert told.returncode == 0, told.stdout
    assert set(re.findall(r'alertname="(\w+)"', SAMPLES.read_text() + DAYS.read_text())) == alarms().keys()


@needs_prometheus
async def test_what_a_station_tells_is_understood(tmp_path: Path) -> None:
    station = await Station(tmp_path, NOW).lives()
    with station.at_work():
        told = run("promtool", "check", "metrics", data=station.exposition())
    assert (told.returncode, told.stdout) == (0, "")
    assert run("promtool", "check", "metrics", data=b"# TYPE bwcdock_turns counter\nbwcdock_turns 1\n").returncode


@needs_prometheus
def test_the_examples_are_understood(tmp_path: Path) -> None:
    assert run("promtool", "check", "config", "--syntax-only", PROMETHEUS).returncode == 0
    told = run("amtool", "check-config", ALERTMANAGER)
    assert (told.returncode, "SUCCESS" in told.stdout) == (0, True), told.stdout
    broken = tmp_path / "alertmanager.yml"
    broken.write_text(ALERTMANAGER.read_text().replace("receiver: duty", "receiver: nobody"))
    assert run("amtool", "check-config", broken).returncode == 1


@needs_prometheus
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (("unit=一大队", "severity=warning", "alertname=BwcdockDeadlineAtRisk"), "unit-1"),
        (("unit=一大队", "severity=critical", "alertname=BwcdockOverdue"), "duty,unit-1"),
        (("unit=二大队", "severity=warning", "alertname=BwcdockSlotFlapping"), "technicians,unit-2"),
        (("unit=三大队", "severity=warning", "alertname=BwcdockRecorderDrift"), "bureau"),
        (("severity=critical", "alertname=BwcdockUnreachable"), "duty,technicians"),
    ],
)
def test_alarms_go_to_the_unit_they_are_about(labels: tuple[str, ...], receivers: str) -> None:
    told = run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels)
    assert told.stdout.splitlines()[-1].split("Warning")[0] == receivers or receivers in told.stdout.splitlines()


def test_every_alarm_says_how_bad_it_is_what_it_is_in_both_languages_and_what_to_do() -> None:
    page = (ROOT / "docs" / "alarms.md").read_text()
    headings = re.findall(r"(?m)^## (\w+)$", page)
    assert headings == list(alarms())
    for name, text in alarms().items():
        assert re.search(r"severity: (warning|critical)\n", text), name
        told = dict(re.findall(r'(?m)^ {10}(\w+): "(.+)"$', text))
        assert set(told) == {*TEXTS, "runbook_url"}, name
        assert told["runbook_url"] == f"docs/alarms.md#{name.lower()}"
        for key in TEXTS:
            has_chinese = bool(re.search(r"[\u4e00-\u9fff]", re.sub(r"\{\{.*?\}\}", "", told[key])))
            assert has_chinese is not key.endswith("_en"), (name, key)
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        for part in ("**Whose:**", "**Do:**", "**Article:**"):
            assert part in section, (name, part)


def test_rules_samples_and_dashboards_name_only_figures_that_there_are(tmp_path: Path) -> None:
    there = set()
    for family in (*computed(tmp_path), *counted()):
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
        there |= {family.name + end for end in ends.get(family.type, ("",))}
    for path in (RULES, SAMPLES, DAYS, *DASHBOARDS):
        assert names_in(path.read_text()) <= there, path.name
        assert set(RECORDED.findall(path.read_text())) <= recorded(), path.name
    looked_at = {name for _, expr in queries() for name in names_in(expr)} | names_in(RULES.read_text())
    unseen = {re.sub(r"_(bucket|sum|count)$", "", name) for name in there} - {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in looked_at
    }
    assert unseen == set(), "figures that no alarm and no dashboard looks at"


def test_dashboards_are_whole() -> None:
    assert [path.stem for path in DASHBOARDS] == ["fleet", "station"]
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids)) > 10
        assert all(panel["datasource"]["uid"] == "${datasource}" for panel in board["panels"])
        assert all(re.search(r"[\u4e00-\u9fff]", panel["title"]) for panel in board["panels"])
        variables = {f"${variable['name']}" for variable in board["templating"]["list"]} | {"$__rate_interval"}
        used = set(re.findall(r"\$\w+", " ".join(t["expr"] for p in board["panels"] for t in p["targets"])))
        assert used <= variables
