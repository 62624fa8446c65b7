"""The files beside the code are found in a checkout and in an installation."""

import sysconfig
from pathlib import Path

import pytest
from bwcdock import resources
from bwcdock.errors import Misused


def shipped(directory):
    directory.mkdir(parents=True)
    (directory / "bwcdock.toml").touch()
    return directory


def test_a_checkout_comes_first(tmp_path):
    config = shipped(tmp_path / "checkout" / "config")
    shipped(tmp_path / "prefix" / "share" / "bwcdock")
    assert resources.find(tmp_path / "checkout", [tmp_path / "prefix"]) == config


def test_an_installation(tmp_path):
    share = shipped(tmp_path / "b" / "share" / "bwcdock")
    (tmp_path / "checkout" / "config").mkdir(parents=True)  # some other project's folder of that name
    assert resources.find(tmp_path / "checkout", [tmp_path / "a", tmp_path / "b"]) == share


def test_nowhere(tmp_path):
    with pytest.raises(Misused, match="a/share/bwcdock"):
        resources.find(tmp_path, [tmp_path / "a"])


def test_here():
    found = resources.config_dir()
    assert (found / "bwcdock.toml").is_file()
    here = Path(__file__).resolve().parents[2] / "config"
    assert found in {here, Path(sysconfig.get_path("data")) / "share" / "bwcdock"}
