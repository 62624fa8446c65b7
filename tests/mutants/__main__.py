"""``make mutants``: changes the core in one place after the other; whatever no test notices is told, or explained.

Each mutant is one changed word of ``daemon/bwcdock/core``, judged by those of ``tests/core`` that run it; sentences are
left as they are (``tool.py``). What survives and stands in ``accepted.toml`` with its reason is as it should be;
everything else that survives fails, and so does an explanation of something that no longer does. The trees it works in
are copies under ``build/mutants``.
"""

import argparse
import fnmatch
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = "bwcdock/core"
HERE = ROOT / "build" / "mutants"
ACCEPTED = Path(__file__).with_name("accepted.toml")
TOOL = (str(ROOT / ".venv-mutants" / "bin" / "python"), str(Path(__file__).with_name("tool.py")))
COPIED = ("drivers", "tests", "config", "docs", "README.md")
WELL = ("killed", "timeout", "segfault")
"""What became of a mutant that was noticed."""

SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = [{mutated}]
do_not_mutate = ["src/{core}/words_zh/*"]
pytest_add_cli_args_test_selection = ["tests/core"]
# No collecting of garbage for the sake of warnings when a run ends: that would be two thirds of what a mutant costs.
# What is measured by the clock tells nothing while every call is counted.
pytest_add_cli_args = [
    "-p", "nearest", "-p", "no:cacheprovider", "-p", "no:unraisableexception", "-p", "no:threadexception",
    "-p", "no:schemathesis", "--tb=no", "-W", "ignore", "-k", "not no_time_worth_noting and not in_a_moment",
]
also_copy = ["drivers", "tests", "config", "docs", "README.md"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change: its name (module, function, number), what became of it, and the change itself."""

    name: str
    fate: str
    change: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=["*"], help="of the core, without .py; all where none is named")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    tree = built(asked.modules)
    paths = os.pathsep.join([str(tree / "drivers"), str(tree / "tests" / "mutants")])
    # The machine's own zone is one that nobody means, so that it shows where a zone is left out.
    env = os.environ | {"HYPOTHESIS_PROFILE": "mutants", "PYTHONPATH": paths, "TZ": "America/Anchorage"}
    command = [*TOOL, "run", "--max-children", str(asked.at_once)]
    ran = subprocess.run(command, cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    mutants = found(tree, env)
    if ran.returncode or not mutants:
        print(ran.stdout.decode(errors="replace")[-4000:], file=sys.stderr)
        return 1
    return judged(mutants, tomllib.loads(ACCEPTED.read_text()).get("accepted", []))


def built(modules: list[str]) -> Path:
    """A tree of its own, laid out as the tool wants it."""
    shutil.rmtree(HERE, ignore_errors=True)
    shutil.copytree(ROOT / "daemon", HERE / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, HERE / name)
    told = (ROOT / "pyproject.toml").read_text()
    mutated = ", ".join(f'"src/{CORE}/{module}.py"' for module in modules)
    (HERE / "pyproject.toml").write_text(told + SETTINGS.format(mutated=mutated, core=CORE))
    return HERE


def found(tree: Path, env: dict[str, str]) -> list[Mutant]:
    told = subprocess.run(
        [*TOOL, "results", "--all", "true"], cwd=tree, env=env, capture_output=True, text=True, check=True
    )
    fates = [line.strip().rpartition(": ") for line in told.stdout.splitlines() if "__mutmut_" in line]
    return [Mutant(name=name, fate=fate, change="" if fate in WELL else _change(tree, name)) for name, _, fate in fates]


def _change(tree: Path, name: str) -> str:
    told = subprocess.run([*TOOL, "show", name], cwd=tree, capture_output=True, text=True, check=False)
    lines = (line for line in told.stdout.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"})
    return "\n".join(lines)


def judged(mutants: list[Mutant], accepted: list[dict[str, str]]) -> int:
    """Print every survivor without an explanation, then a line a module; 1 where one is left, or one explains nothing.

    An explanation is idle where its function was run and nothing of it survived.
    """
    print(dict(Counter(mutant.fate for mutant in mutants)))
    why = {mutant.name: _why(mutant, accepted) for mutant in mutants if mutant.fate not in WELL}
    for mutant in mutants:
        if mutant.name in why and why[mutant.name] is None:
            print(f"\n{mutant.fate}: {mutant.name}\n{mutant.change}")
    run, used = {mutant.name.rpartition(".")[0] for mutant in mutants}, set(why.values())
    idle = [t for n, t in enumerate(accepted) if n not in used and t["of"].rpartition(".")[0] in run]
    for told in idle:
        print(f"\nexplained, and not there: {told['of']} {told['change']!r}")
    print()
    modules: dict[str, list[Mutant]] = {"all": mutants}
    for mutant in mutants:
        modules.setdefault(mutant.name.rpartition(".")[0].removeprefix("bwcdock.core."), []).append(mutant)
    for module, those in modules.items():
        left = sum(why.get(mutant.name, 0) is None for mutant in those)
        noticed = sum(mutant.name not in why for mutant in those)
        print(
            f"{module}: {len(those)} mutants, {noticed} noticed, {len(those) - noticed - left} explained, {left} left"
        )
    return 1 if idle or None in used else 0


def _why(mutant: Mutant, accepted: list[dict[str, str]]) -> int | None:
    """Which explanation is of this mutant: by its function, and by what the changed line says."""
    function = mutant.name.rpartition("__mutmut_")[0]
    fits = (fnmatch.fnmatchcase(function, told["of"]) and told["change"] in mutant.change for told in accepted)
    return next((n for n, fit in enumerate(fits) if fit), None)


if __name__ == "__main__":
    sys.exit(main())
