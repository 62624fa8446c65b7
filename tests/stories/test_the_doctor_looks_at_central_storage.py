"""`bwcdock doctor` asks each central storage whether it is there, is the one it was, and lets it do too much."""

import json
from pathlib import Path

import asyncssh
import pytest
from bwcdock import config, resources, stores
from bwcdock.cli import main
from bwcdock.clock import WallClock
from bwcdock.doctor_storage import TOPIC, storage
from bwcdock.sinks.filesystem import MARKER
from bwcdock.testing.s3_server import S3Server
from bwcdock.testing.s3_signing import User
from bwcdock.testing.s3_vault import Habits
from bwcdock.testing.station import StationBed

SSH = (
    '\nhost = "127.0.0.1"\nport = 1\nuser = "dock"\nroot = "/evidence"\nknown_hosts = "hosts"\nconnect_timeout_s = 1.0'
)


def told(bed: StationBed) -> list[tuple[bool, str, str]]:
    return [(each.well, each.what, each.remedy) for each in storage(bed.settings, WallClock(), {})]


def more(bed: StationBed, text: str) -> None:
    """One more [[sink]] in the settings."""
    path = bed.directory / "station" / "bwcdock.toml"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n[[sink]]\n{text}\n", encoding="utf-8")
    bed.settings = config.load(path)


def secret(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return f'{{ file = "{path}" }}'


def test_a_folder_that_is_there_is_another_or_is_gone(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    root = bed.settings.sink[0].path
    assert told(bed) == [(True, f"central answers at {root}, and is the one it was.", "")]
    (root / MARKER).chmod(0o600)
    (root / MARKER).write_text("0" * 32)
    ((well, what, remedy),) = told(bed)
    assert not well
    assert "is not the central storage it was" in what
    assert "sinks init" in remedy
    root.rename(root.with_name("away"))
    ((well, what, _),) = told(bed)
    assert not well
    assert "No such file" in what


def test_the_command_asks_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bed = StationBed(tmp_path)
    main(["-C", str(tmp_path / "station"), "doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [each["well"] for each in found if each["topic"] == TOPIC] == [True]
    assert found[-1]["what"].startswith(f"central answers at {bed.settings.sink[0].path}")


def test_what_only_the_unit_is_handed_is_no_fault(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    more(bed, f'name = "vault"\nkind = "sftp"\nprivate_key = {{ credential = "vault-key" }}{SSH}')
    _, (well, what, _) = told(bed)
    assert well
    assert "vault is not asked from here: vault-key" in what


def test_a_server_whose_key_nobody_wrote_down(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    key = secret(tmp_path / "key", asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode())
    more(bed, f'name = "vault"\nkind = "sftp"\nprivate_key = {key}{SSH}')
    _, (well, what, remedy) = told(bed)
    assert not well
    assert what.startswith("vault: The file with the server's key, ")
    assert remedy


@pytest.mark.parametrize("owner", [True, False])
def test_an_account_that_may_do_more_than_it_needs(tmp_path: Path, owner: bool) -> None:
    rules = json.loads((resources.config_dir() / "s3-policy.json").read_text())
    with S3Server(Habits(), users={"dock": User(secret="dock's secret", policy=rules)}) as server:
        access, hidden = (server.OWNER, server.OWNERS_SECRET) if owner else ("dock", "dock's secret")
        bed = StationBed(tmp_path)
        more(
            bed,
            f'name = "cloud"\nkind = "s3"\nendpoint = "{server.endpoint}"\nbucket = "{server.BUCKET}"\n'
            f"access_key = {secret(tmp_path / 'access', access)}\nsecret_key = {secret(tmp_path / 'secret', hidden)}",
        )
        stores.take(bed.settings)
        _, answers, rights, clock = told(bed)
    assert answers[0]
    assert clock[0]
    assert rights[0] is not owner
    assert ("s3:DeleteObject" in rights[1]) is owner
    assert ("s3-policy.json" in rights[2]) is owner
