"""What the documents show is what is there."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_driver_in_the_manual_is_the_one_that_is_type_checked():
    shown = (ROOT / "DRIVERS.md").read_text().split("```python\n")[1].split("```")[0]
    whole = (ROOT / "tests" / "typed" / "example_driver.py").read_text()
    assert shown == whole[whole.index("from collections") :]


def test_every_file_the_architecture_names_is_there():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    daemon = ROOT / "daemon" / "bwcdock"
    named = {word.strip("`") for word in text.split() if word.strip("`,;()|").endswith(".py")}
    names = {name.strip("`,;()|.") for name in named}
    found = [daemon / name for name in names if not name.startswith("bwcdock_drivers")]
    found += [ROOT / "drivers" / name for name in names if name.startswith("bwcdock_drivers")]
    assert len(found) > 15
    assert [path for path in found if not path.exists()] == []
