"""Says a refusal in Chinese as at this station: by its own clock, with the roles its pack names."""

import argparse
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from bwcdock.app import rule_pack
from bwcdock.cli.common import settings_of
from bwcdock.core.desk.people import roles_of
from bwcdock.core.refusal import Refusal
from bwcdock.desk import refusing
from bwcdock.errors import BwcdockError


def in_chinese(why: Refusal, asked: argparse.Namespace) -> str:
    """One line; nothing where there are no Chinese words for it."""
    zone, roles = _here(asked)
    words = refusing.refused(why, zone=zone, roles=roles)
    return f"{words.what}{words.do}" if words else ""


def _here(asked: argparse.Namespace) -> tuple[tzinfo, dict[str, str]]:
    try:
        settings = settings_of(asked)
        return ZoneInfo(settings.station.zone), {term.id: term.label for term in roles_of(rule_pack(settings)[0])}
    except BwcdockError:  # no station, or one that cannot be read: the refusal is what is to be told
        return UTC, {}
