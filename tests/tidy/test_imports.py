"""Who may import whom: lint-imports is green, and every line of its contracts turns it red when broken."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from tree import ROOT

CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
LAYERS = [[name.strip() for name in layer.split("|")] for layer in CONTRACTS["layers"]["layers"]]


class Copy:
    """The sources in another place, where imports can be added and taken away again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for part in ("daemon", "drivers"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)

    def file(self, module: str) -> Path:
        base = self.root / ("drivers" if module.startswith("bwcdock_drivers") else "daemon") / module.replace(".", "/")
        plain = base.with_suffix(".py")
        return plain if plain.is_file() else base / "__init__.py"

    @contextmanager
    def with_lines(self, added: dict[str, list[str]]) -> Iterator[str]:
        """What lint-imports says while these lines stand at the end of these modules; empty when all is kept."""
        before = {module: self.file(module).read_text() for module in added}
        try:
            for module, lines in added.items():
                self.file(module).write_text("\n".join((before[module], *lines, "")))
            yield self.lint()
        finally:
            for module, text in before.items():
                self.file(module).write_text(text)

    def lint(self) -> str:
        paths = os.pathsep.join(str(self.root / part) for part in ("daemon", "drivers"))
        told = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "500", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        return told.stdout + told.stderr if told.returncode else ""


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Copy:
    return Copy(tmp_path_factory.mktemp("sources"))


def broken(told: str) -> set[str]:
    """The contracts that are said to be broken, by id."""
    return {name for name, contract in CONTRACTS.items() if f"{contract['name']} BROKEN" in told}


def test_the_contracts_are_kept(sources):
    assert sources.lint() == ""


def test_every_upward_and_every_sideways_import_is_seen(sources):
    """Every layer imports the one above it, and every room the next one: lint-imports names each of them."""
    upward = [(lower[0], upper[-1]) for upper, lower in pairwise(LAYERS)]
    sideways = [pair for layer in LAYERS for pair in pairwise(layer)]
    added: dict[str, list[str]] = {}
    for importer, imported in upward + sideways:
        added.setdefault(f"bwcdock.{importer}", []).append(f"import bwcdock.{imported}")
    with sources.with_lines(added) as told:
        assert "layers" in broken(told)
        missed = [pair for pair in upward + sideways if "- bwcdock.{} -> bwcdock.{} (l.".format(*pair) not in told]
    assert not missed


@pytest.mark.parametrize("module", ["bwcdock.core.plan", "bwcdock.core.names"])
def test_the_core_imports_nothing_that_does_anything(sources, module):
    forbidden = CONTRACTS["core"]["forbidden_modules"]
    with sources.with_lines({module: [f"import {name}" for name in forbidden]}) as told:
        assert broken(told) == {"core"}
        missed = [name for name in forbidden if f"{module} -> {name} (l." not in told]
    assert not missed


def test_the_core_imports_nothing_else_of_the_daemon(sources):
    with sources.with_lines({"bwcdock.core.facts": ["import bwcdock.errors"]}) as told:
        assert "layers" in broken(told)
        assert "bwcdock.core is not allowed to import bwcdock.errors" in told


def test_what_is_declared_as_a_dependency_is_forbidden_in_the_core():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    imported = {
        "argon2-cffi": "argon2", "chinesecalendar": "chinese_calendar", "fonttools": "fontTools", "fpdf2": "fpdf",
        "libusb-package": "libusb_package", "prometheus-client": "prometheus_client",
        "python-multipart": "python_multipart", "pyusb": "usb",
    }  # fmt: skip
    names = {imported.get(name, name) for name in (re.match(r"[\w.-]+", line)[0] for line in project["dependencies"])}
    assert names <= set(CONTRACTS["core"]["forbidden_modules"])


def test_a_driver_imports_nothing_else_of_the_daemon(sources):
    allowed = {"ports", "errors", "core"}
    others = [name for layer in LAYERS for name in layer if name not in allowed]
    with sources.with_lines({"bwcdock_drivers.quirks": [f"import bwcdock.{name}" for name in others]}) as told:
        assert "drivers" in broken(told)
        missed = [name for name in others if f"bwcdock_drivers.quirks -> bwcdock.{name} (l." not in told]
    assert not missed
    contract = ["import bwcdock.ports", "import bwcdock.errors", "import bwcdock.core.names"]
    with sources.with_lines({"bwcdock_drivers.quirks": contract}) as told:
        assert told == ""


@pytest.mark.parametrize("module", ["bwcdock.station", "bwcdock.cli.demo", "bwcdock.testing.card"])
def test_the_daemon_does_not_know_its_drivers(sources, module):
    with sources.with_lines({module: ["def late():", "    import bwcdock_drivers.folder"]}) as told:
        assert broken(told) == {"daemon"}


def test_nothing_that_runs_stands_on_what_is_for_tests(sources):
    with sources.with_lines({"bwcdock.cli.show": ["from bwcdock.testing import cards"]}) as told:
        assert broken(told) == {"layers"}
    with sources.with_lines({"bwcdock.cli.demo": ["import bwcdock.testing.clock"]}) as told:
        assert broken(told) == {"layers"}


def test_a_new_module_needs_a_place(sources):
    stranger = sources.file("bwcdock").parent / "stranger.py"
    stranger.write_text('"""A stranger."""\n')
    try:
        told = sources.lint()
    finally:
        stranger.unlink()
    assert "bwcdock.stranger" in told


def test_an_exception_that_is_no_longer_needed_is_told(sources):
    demo = sources.file("bwcdock.cli.demo")
    before = demo.read_text()
    demo.write_text(before.replace("bwcdock.testing", "bwcdock.core"))
    try:
        told = sources.lint()
    finally:
        demo.write_text(before)
    assert "bwcdock.cli.demo -> bwcdock.testing.cards" in told
