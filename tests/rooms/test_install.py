"""Installing puts every file in its place, changes nothing the second time, and leaves alone what is the bureau's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bwcdock import config, install
from bwcdock.cli.usage import parser
from bwcdock.errors import Misused

BIN = Path("/opt/bwcdock/bin")


def wanted(**more: object) -> tuple[install.File, ...]:
    return install.files(BIN, **{"name": "dock-07", "unit": "福州市城市管理委员会", "rules": "S4-fuzhou", **more})


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mode & 0o777) for p in root.rglob("*") if p.is_file()
    }


def bwcdock(*words: object, status: int = 0) -> str:
    ran = subprocess.run(
        [Path(sys.executable).with_name("bwcdock"), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == status, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stdout + ran.stderr


def test_everything_a_station_needs_is_there_and_names_the_programs_own_place(tmp_path: Path) -> None:
    install.carry_out(tmp_path, install.plan(tmp_path, wanted()))
    there = tree(tmp_path)
    assert {
        "etc/bwcdock/bwcdock.toml",
        "etc/systemd/system/bwcdock.service",
        "etc/systemd/system/bwcdock-found.service",
        "etc/systemd/system/bwcdock-reader.socket",
        "etc/systemd/system/bwcdock-reader@.service",
        "etc/systemd/system/bwcdock-metrics.timer",
        "etc/sysusers.d/bwcdock.conf",
        "etc/tmpfiles.d/bwcdock.conf",
        "etc/udev/rules.d/70-bwcdock.rules",
    } <= set(there)
    assert f"ExecStart={BIN}/bwcdock -C /etc/bwcdock run" in there["etc/systemd/system/bwcdock.service"][0].decode()
    assert all(b"@BIN@" not in text for text, _ in there.values())
    assert {mode for _, mode in there.values()} == {0o644, 0o640}


def test_the_settings_are_those_of_a_machine_and_load(tmp_path: Path) -> None:
    install.carry_out(tmp_path, install.plan(tmp_path, wanted()))
    settings = config.load(tmp_path / "etc/bwcdock/bwcdock.toml")
    paths = settings.paths
    assert (paths.ledger, paths.spool, paths.keys) == tuple(install.STATE / p for p in ("ledger", "spool", "keys"))
    assert paths.run == install.RUN
    assert [drop.path for drop in settings.drop] == [install.STATE / "drop"]
    assert [sink.path for sink in settings.sink] == [install.STATE / "central"]
    assert (settings.station.name, settings.station.unit) == ("dock-07", "福州市城市管理委员会")
    assert settings.dock.udev


def test_a_second_run_changes_nothing_and_the_bureaus_settings_are_never_touched(tmp_path: Path) -> None:
    install.carry_out(tmp_path, install.plan(tmp_path, wanted()))
    settings = tmp_path / "etc/bwcdock/bwcdock.toml"
    settings.chmod(0o600)
    settings.write_text("# ours\n")
    before = {p: p.stat().st_ino for p in tmp_path.rglob("*")}
    steps = install.plan(tmp_path, wanted(name="another"))
    assert {step.standing for step in steps} == {"same", "kept"}
    install.carry_out(tmp_path, steps)
    assert {p: p.stat().st_ino for p in tmp_path.rglob("*")} == before
    assert settings.read_text() == "# ours\n"


@pytest.mark.parametrize("damage", ["text", "mode", "bytes"])
def test_a_file_of_the_program_that_was_changed_is_put_right(tmp_path: Path, damage: str) -> None:
    install.carry_out(tmp_path, install.plan(tmp_path, wanted()))
    before = tree(tmp_path)
    unit = tmp_path / "etc/systemd/system/bwcdock.service"
    {
        "text": lambda: unit.write_text("[Service]\nUser=root\n"),
        "bytes": lambda: unit.write_bytes(b"\xff\xfe"),
        "mode": lambda: unit.chmod(0o666),
    }[damage]()
    steps = install.plan(tmp_path, wanted())
    assert [step.file.path.name for step in steps if step.standing == "changed"] == ["bwcdock.service"]
    install.carry_out(tmp_path, steps)
    assert tree(tmp_path) == before


def test_a_package_has_its_files_under_usr_and_its_settings_in_etc() -> None:
    places = {file.path for file in wanted(vendor=True)}
    assert Path("/usr/lib/systemd/system/bwcdock.service") in places
    assert [path for path in places if path.is_relative_to("/etc")] == [Path("/etc/bwcdock/bwcdock.toml")]


def test_uninstalling_leaves_settings_footage_ledger_and_keys(tmp_path: Path) -> None:
    install.carry_out(tmp_path, install.plan(tmp_path, wanted()))
    for place in ("ledger/ledger.db", "spool/whole/x", "keys/signing.key"):
        path = tmp_path / "var/lib/bwcdock" / place
        path.parent.mkdir(parents=True)
        path.write_text("precious")
    gone = install.remove(tmp_path, wanted())
    left = tree(tmp_path)
    assert set(left) == {
        "etc/bwcdock/bwcdock.toml",
        *(f"var/lib/bwcdock/{p}" for p in ("ledger/ledger.db", "spool/whole/x", "keys/signing.key")),
    }
    assert len(gone) == len([f for f in wanted() if f.ours])
    assert install.remove(tmp_path, wanted()) == ()


def test_a_placeholder_nobody_fills_in_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "systemd"
    shipped.mkdir()
    (shipped / "bwcdock.service").write_text("ExecStart=@PREFIX@/bwcdock\n")
    monkeypatch.setattr(install.resources, "machine_dir", lambda part: tmp_path / part)
    with pytest.raises(Misused, match="@PREFIX@"):
        wanted()


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_dry_run_names_every_file_and_command_and_changes_nothing(tmp_path: Path) -> None:
    said = bwcdock("install", "--dry-run", "--root", tmp_path)
    for file in wanted():
        assert f"+ new     {file.path}" in said
    assert f"systemctl --root={tmp_path} enable bwcdock.service" in said
    assert not list(tmp_path.iterdir())


def test_only_root_may_change_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    asked = parser().parse_args(["install"])
    monkeypatch.setattr(install, "carry_out", lambda *_: pytest.fail("it changed the machine"))
    with pytest.raises(Misused, match="Only root may change this machine"):
        asked.work(asked)


def test_a_tool_that_is_missing_or_fails_is_told_with_its_own_words() -> None:
    with pytest.raises(Misused, match="no systemd-nothing here"):
        install.tell(("systemd-nothing",))
    with pytest.raises(Misused, match="No such file or directory"):
        install.tell(("ls", "/nonexistent-for-certain"))


# --- founding ---------------------------------------------------------------------------------------------------------


def settings_below(root: Path) -> Path:
    """Settings of an installed station whose places lie below ``root``."""
    text = install.settings_text("dock-07", "unit", "S4-fuzhou")
    for place in (install.STATE, install.RUN):
        text = text.replace(f'"{place}', f'"{root}{place}')
    etc = root / "etc/bwcdock"
    etc.mkdir(parents=True)
    (etc / "bwcdock.toml").write_text(text)
    return etc


def test_a_station_is_founded_once_and_a_lost_ledger_is_never_replaced_by_a_new_one(tmp_path: Path) -> None:
    etc = settings_below(tmp_path)
    state = tmp_path / "var/lib/bwcdock"
    assert "is founded" in bwcdock("-C", etc, "found")
    key = (state / "keys/station.pub").read_text()
    assert "founded before" in bwcdock("-C", etc, "found")
    assert bwcdock("-C", etc, "audit")
    for file in (state / "ledger").glob("*.db*"):
        file.unlink()
    assert "founded before" in bwcdock("-C", etc, "found")
    assert not list((state / "ledger").glob("*.db"))
    assert (state / "keys/station.pub").read_text() == key
    assert "was lost" in bwcdock("-C", etc, "run", status=1)


@pytest.mark.parametrize("left", ["keys/signing.key", "keys/station.pub", "ledger/ledger.db", "founded"])
def test_a_founding_that_died_is_finished_with_the_same_key(tmp_path: Path, left: str) -> None:
    """Everything up to ``left`` was made before it died."""
    etc = settings_below(tmp_path)
    state = tmp_path / "var/lib/bwcdock"
    bwcdock("-C", etc, "found")
    key = (state / "keys/signing.key").read_bytes()
    order = ["keys/signing.key", "keys/station.pub", "keys/central.central", "ledger/ledger.db", "founded"]
    for later in order[order.index(left) + 1 :]:
        for file in state.glob(f"{later.replace('ledger.db', '*.db*')}"):
            file.unlink()
    bwcdock("-C", etc, "found")
    assert (state / "keys/signing.key").read_bytes() == key
    assert "dock-07" in bwcdock("-C", etc, "status")
    assert bwcdock("-C", etc, "audit")
