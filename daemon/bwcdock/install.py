"""What an installed station consists of on a machine, and how it gets there and away again."""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bwcdock import config, durable, resources
from bwcdock.errors import Misused

ETC = Path("/etc/bwcdock")
STATE = Path("/var/lib/bwcdock")
RUN = Path("/run/bwcdock")
WEB_STATE = Path("/var/lib/bwcdock-web")
SERVICE, PAGES, CATALOGUE = "bwcdock.service", "bwcdock-web.service", "bwcdock-catalogue.service"
ENABLED = (SERVICE, "bwcdock-reader.socket")
"""What starts with the machine. Erase helper, vendor commands, figures, pages and catalogue are enabled by whoever may
decide that."""
ASKED_FOR = ("bwcdock-erase.socket", "bwcdock-vendor.socket")
"""Sockets of helpers that are off."""

_STATE_PATHS = {"ledger": "ledger", "spool": "spool", "keys": "keys"}
_PLACEHOLDER = re.compile(r"@[A-Z_]+@")

Standing = Literal["new", "changed", "same", "kept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the installed station: where it lies on the machine, its whole text and mode.

    ``ours`` files belong to the program: replaced by every install, gone with it. The others are the bureau's from the
    moment they exist, and are never touched again.
    """

    path: Path
    text: str
    mode: int = 0o644
    ours: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What installing does to one file: ``new``, ``changed``, ``same``, or ``kept`` (it is the bureau's already)."""

    file: File
    standing: Standing


def files(bin_dir: Path, *, name: str, unit: str, rules: str, vendor: bool = False) -> tuple[File, ...]:
    """Every file of an installed station whose commands lie in ``bin_dir``; in /etc, or for a package in /usr/lib."""
    return (*_program_files(bin_dir, vendor=vendor), File(path=ETC / config.SETTINGS_NAME, mode=0o640, ours=False,
                                                          text=settings_text(name, unit, rules)))  # fmt: skip


def _program_files(bin_dir: Path, *, vendor: bool) -> Iterator[File]:
    base = Path("/usr/lib") if vendor else Path("/etc")
    units, udev = resources.machine_dir("systemd"), resources.machine_dir("udev")
    places = [(units, pattern, base / "systemd/system") for pattern in ("*.service", "*.socket", "*.timer")]
    places += [(units / kind, "*.conf", base / kind) for kind in ("sysusers.d", "tmpfiles.d")]
    places += [(udev, "*.rules", base / "udev/rules.d"), (udev, "*.hwdb", base / "udev/hwdb.d")]
    for source, pattern, target in places:
        for path in sorted(source.glob(pattern)):
            yield File(path=target / path.name, text=_filled(path, bin_dir))


def shipped_rules() -> tuple[Path, ...]:
    """The udev rules that ship with the program."""
    return tuple(sorted(resources.machine_dir("udev").glob("*.rules")))


def _filled(path: Path, bin_dir: Path) -> str:
    text = path.read_text(encoding="utf-8").replace("@BIN@", str(bin_dir))
    if left := _PLACEHOLDER.search(text):
        raise Misused(
            "install", f"{path.name} has {left[0]}, which means nothing.", "Report it: the package is broken."
        )
    return text


def settings_text(name: str, unit: str, rules: str) -> str:
    """The shipped settings for a machine: what is kept lies under /var/lib, what is volatile under /run."""
    text = config.render_template(name, unit, rules)
    for setting, place in _STATE_PATHS.items():
        text = _set(text, "paths", setting, f'"{STATE / place}"')
    text = _set(text, "paths", "run", f'"{RUN}"')
    text = _set(text, "paths", "web", f'"{WEB_STATE}"')
    text = _set(text, "papers", "exports", f'"{STATE / "exports"}"')
    text = _set(text, "drop", "path", f'"{STATE / "drop"}"')
    text = _set(text, "sink", "path", f'"{STATE / "central"}"')
    return _set(text, "dock", "udev", "true")


def _set(text: str, table: str, setting: str, value: str) -> str:
    """The settings with one value changed: the first of that name below the head of its table."""
    head = re.search(rf"(?m)^\[+{table}\]+$", text)
    line = re.compile(rf"(?m)^{setting} = .*$")
    if head is None or not line.search(text, head.end()):
        raise Misused(
            "install", f"The shipped settings have no [{table}] {setting}.", "Report it: the package is broken."
        )
    return text[: head.end()] + line.sub(f"{setting} = {value}", text[head.end() :], count=1)


# --- putting it there -------------------------------------------------------------------------------------------------


def plan(root: Path, wanted: Sequence[File]) -> tuple[Step, ...]:
    """What installing below ``root`` would do to each file. Looks, and changes nothing."""
    return tuple(Step(file=file, standing=_standing(_below(root, file.path), file)) for file in wanted)


def _standing(path: Path, file: File) -> Standing:
    try:
        there = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "new"
    except UnicodeDecodeError:
        there = ""
    if not file.ours:
        return "kept"
    return "same" if there == file.text and path.stat().st_mode & 0o777 == file.mode else "changed"


def carry_out(root: Path, steps: Sequence[Step]) -> None:
    """Write what is new or changed. If it dies halfway, the next run does the rest. Raises ``OSError``."""
    for step in steps:
        if step.standing in {"new", "changed"}:
            path = _below(root, step.file.path)
            durable.make_dirs(path.parent, mode=0o755)
            durable.write_small(path, step.file.text.encode(), mode=step.file.mode, overwrite=step.file.ours)


def remove(root: Path, wanted: Sequence[File]) -> tuple[Path, ...]:
    """Remove the program's own files below ``root``; settings, footage, ledger and keys stay. What was removed."""
    gone = []
    for file in wanted:
        path = _below(root, file.path)
        if file.ours and path.exists():
            durable.discard(path)
            gone.append(file.path)
    return tuple(gone)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


# --- telling the machine ----------------------------------------------------------------------------------------------


def commands(root: Path) -> tuple[tuple[str, ...], ...]:
    """What the machine is told after the files are there; below another root only what works on files."""
    if root != Path("/"):
        at = f"--root={root}"
        return ("systemd-sysusers", at, "bwcdock.conf"), ("systemctl", at, "enable", *ENABLED)
    return (
        ("systemd-sysusers", "bwcdock.conf"),
        ("systemd-tmpfiles", "--create", "bwcdock.conf"),
        ("udevadm", "control", "--reload"),
        ("udevadm", "trigger", "--subsystem-match=block", "--subsystem-match=usb", "--action=change"),
        ("systemctl", "daemon-reload"),
        ("systemctl", "enable", *ENABLED),
        # Whose the sockets are, and what a daemon at work may open, is as it was when they were started.
        ("systemctl", "restart", "bwcdock-reader.socket"),
        ("systemctl", "--no-block", "try-restart", *ASKED_FOR, SERVICE, PAGES),
    )


def farewells(root: Path) -> tuple[tuple[str, ...], ...]:
    """What the machine is told before the files go."""
    if root != Path("/"):
        return (("systemctl", f"--root={root}", "disable", *ENABLED, PAGES, CATALOGUE),)
    sockets = ("bwcdock-reader.socket", *ASKED_FOR)
    by_hand = (PAGES, CATALOGUE, *ASKED_FOR, "bwcdock-metrics.timer")
    return ("systemctl", "disable", "--now", *ENABLED, *by_hand), (
        "systemctl",
        "stop",
        PAGES,
        CATALOGUE,
        SERVICE,
        *sockets,
    )


def tell(command: Sequence[str]) -> None:
    """Run one of them. Raises :class:`~bwcdock.errors.Misused` where it is missing or does not do it."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
    try:
        ran = subprocess.run(  # noqa: S603 (the commands of this file)
            command, env={**os.environ, "PATH": places}, capture_output=True, text=True, check=False, timeout=120
        )
    except FileNotFoundError as error:
        what = f"There is no {command[0]} here."
        raise Misused("install", what, "Install the packages systemd and udev.") from error
    if ran.returncode:
        said = (ran.stderr or ran.stdout).strip().splitlines()
        what = f"`{' '.join(command)}` failed: {said[-1] if said else f'status {ran.returncode}'}."
        raise Misused("install", what, "Mend that and run it again: what is done already is not done twice.")
