"""The benchmark still runs from end to end, and every line it prints is a figure that a program can read."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIGURE = {"name", "value", "unit", "goal", "met"}

# Each goal has its line, whatever the small run measures; the numbers in the names are those of the small run.
WANTED = {
    "pull_seal_vs_copy_hash_plain",
    "pull_seal_vs_hash_plain",
    "two_recorders_plain",
    "memory_four_recorders",
    "loop_lag_p99",
    "plan_500",
    "start_400",
    "status_400",
    "recording_cost_at_100",
    "recording_cost_at_400",
    "scrape_40_recorders_at_400",
    "listing_speed",
    "seal_speed",
    "ledger_appends_alone",
    "ledger_appends_batch",
    "push_vs_copy",
    "mtp_listing_200_usb",
    "mtp_listing_200_ip",
    "mtp_listing_200_usb_one_by_one",
    "mtp_listing_200_ip_one_by_one",
    "mtp_resume_5_gib_usb",
    "mtp_resume_5_gib_ip",
}
if shutil.which("chromium") and shutil.which("chromedriver"):
    WANTED.add("wall_first_paint_40_slots")


BY_NAME = {
    "s3": {"s3_push_vs_rclone", "s3_push", "s3_read_back", "s3_push_and_read_back_vs_rclone", "s3_memory"},
    "sizes": {"size_1_mib_speed", "size_4_mib_vs_cp", "size_4_mib_vs_rsync", "size_4_mib_vs_rclone"},
    "recorders": {"recorders_1_speed", "recorders_3_vs_sha256"},
    "histories": {"recording_cost_at_100", "start_100"},
}


@pytest.mark.timeout(300)
def test_a_small_run_prints_every_figure_and_leaves_nothing(tmp_path: Path) -> None:
    assert figures_of(tmp_path) >= WANTED


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BY_NAME)
def test_what_is_measured_only_where_asked_for(tmp_path: Path, name: str) -> None:
    assert figures_of(tmp_path, "--only", name) >= BY_NAME[name]


def figures_of(work: Path, *more: str) -> set[str]:
    """The names of the figures that a small run prints, each of them looked at."""
    command = [sys.executable, "-m", "bench", "--quick", "--work", str(work), *more]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    machine, *figures = [json.loads(line) for line in ran.stdout.splitlines()]
    assert machine["machine"]["cores"] >= 1
    for figure in figures:
        assert figure.keys() >= FIGURE
        assert figure["value"] >= 0
        assert figure["met"] is None or isinstance(figure["met"], bool)
        assert (figure["goal"] is None) == (figure["met"] is None)
    assert list(work.iterdir()) == []
    return {figure["name"] for figure in figures}
