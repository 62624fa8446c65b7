"""docs/metrics.md tells every figure with its type, labels, unit and meaning, word for word as the program does."""

from datetime import UTC, datetime
from pathlib import Path

from bwcdock import app, metrics
from bwcdock.errors import Unreachable
from bwcdock.ledger import open_read_only
from bwcdock.meters import Meters
from bwcdock.metrics.exposition import families
from bwcdock.testing.station import StationBed
from prometheus_client.metrics_core import Metric

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
NOW = datetime(2026, 3, 12, 4, 0, tzinfo=UTC)


def counted() -> list[Metric]:
    """Every family of the process at work, each with a sample."""
    told, error = Meters(), Unreachable("put", "It is away.", "Wait.", "central")
    told.took("pull", 1, 1)
    told.failed("push", "a", "central", error)
    told.begun("push", "a", "central")
    told.docked(1)
    told.pulling("F1-0001", 1)(1)
    told.pushed("central", 1)
    told.sink_failed("central", error)
    told.witnessed("central", NOW, 1)
    return told.families()


def computed(directory: Path) -> list[Metric]:
    """Every family that is computed from the ledger."""
    bed = StationBed(directory)
    with open_read_only(bed.settings.paths.ledger) as ledger:
        return list(families(bed.settings, ledger, app.law_of(bed.settings), NOW, metrics.Memory(), None))


def row(family: Metric) -> str:
    names = {name for sample in family.samples for name in sample.labels} | set(getattr(family, "_labelnames", ()))
    labels = ", ".join(f"`{name}`" for name in sorted(names - {"le"}))
    name = f"{family.name}_info" if family.type == "info" else family.name
    name += "_total" if family.type == "counter" else ""
    return f"| `{name}` | {family.type} | {labels or '–'} | {unit(name)} | {family.documentation} |"


def unit(name: str) -> str:
    for end, told in (
        ("_timestamp_seconds", "Unix time, s"), ("_seconds", "s"), ("_bytes", "bytes"), ("_ratio", "0 to 1"),
        ("_up", "0 or 1"), ("_vouched", "0 or 1"), ("_down", "0 or 1"), ("_docked", "0 or 1"), ("_info", "1"),
        ("_closed", "0 or 1"),
    ):  # fmt: skip
        if name.removesuffix("_total").endswith(end):
            return told
    return "count"


def test_the_table_is_what_the_program_tells(tmp_path: Path) -> None:
    rows = [row(family) for family in (*computed(tmp_path), *counted())]
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith("| `bwcdock_")]
    assert shown == rows, "The table should read:\n" + "\n".join(rows)


def test_no_figure_is_told_twice(tmp_path: Path) -> None:
    names = [family.name for family in (*computed(tmp_path), *counted())]
    assert len(names) == len(set(names))
