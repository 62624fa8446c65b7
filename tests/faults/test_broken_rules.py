"""Each alarm broken in one place is found by the samples that ship with the rules."""

from pathlib import Path

import pytest
from prometheus_world import DAYS, RULES, SAMPLES, needs_prometheus, run

# One change for each alarm: a threshold, a name or a wait.
BROKEN = [
    ('standing="at_risk"}) > 0', 'standing="at_risk"}) > 9'),
    ('standing="overdue"}) > 0', 'standing="late"}) > 0'),
    ("(time() - bwcdock_recorder_out_due", "(0 - bwcdock_recorder_out_due"),
    ("> 14400", "> 14401"),
    ("bwcdock_sink_down == 1", "bwcdock_sink_down == 0"),
    ("< 172800", "< 86400"),
    ("spool.full|", ""),
    ("bwcdock_clock_vouched == 0", "bwcdock_clock_vouched == 1"),
    ("abs(bwcdock_recorder_clock_drift_seconds)", "(bwcdock_recorder_clock_drift_seconds)"),
    (" - bwcdock_recorder_clock_drift_uncertainty_seconds", " + bwcdock_recorder_clock_drift_uncertainty_seconds"),
    ("        for: 4h\n", "        for: 3h\n"),
    ("and on (job, instance, recorder, slot) bwcdock_recorder_docked == 1", ""),
    ("bwcdock_slot_flaps_total[15m]) > 2", "bwcdock_slot_flaps_total[15m]) > 0"),
    ("or max by (job, instance) (bwcdock_daemon_start", "or max by (job) (bwcdock_daemon_start"),
    ("max by (job, instance) (bwcdock_ledger_witnessed", "min by (job, instance) (bwcdock_ledger_witnessed"),
    ("(bwcdock_copies_bad) > 0", "(bwcdock_copies_bad) > 1"),
    ('state=~"quarantined|lost"', 'state=~"lost"'),
    ("bwcdock_up == 0", "bwcdock_up == 1"),
    ('up{job="bwcdock"} == 0', "up == 0"),
    (":p99_5m > 0.25", ":p99_5m > 25"),
    ("(bwcdock_sink_unlocked_recordings > 0", "(bwcdock_sink_unlocked_recordings > 3"),
    ("max_over_time(bwcdock_sink_closed[1h]) == 1", "max_over_time(bwcdock_sink_closed[1h]) == 2"),
    (
        "or (min_over_time(bwcdock_sink_unlocked_recordings[2d]) > 0",
        "or (min_over_time(bwcdock_sink_unlocked_recordings[2d]) > 2",
    ),
]


@needs_prometheus
@pytest.mark.parametrize(("rule", "broken"), BROKEN, ids=[rule for rule, _ in BROKEN])
def test_a_rule_that_is_broken_is_found(tmp_path: Path, rule: str, broken: str) -> None:
    text = RULES.read_text()
    assert text.count(rule) == 1
    (tmp_path / RULES.name).write_text(text.replace(rule, broken))
    for samples in (SAMPLES, DAYS):
        (tmp_path / samples.name).write_text(samples.read_text())
    assert any(run("promtool", "test", "rules", tmp_path / each.name).returncode == 1 for each in (SAMPLES, DAYS))
