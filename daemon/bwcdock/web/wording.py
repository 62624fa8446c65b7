"""Words of the program as people read them: states, reasons, moments; English here, Chinese as everywhere."""

from collections.abc import Mapping
from typing import Any, Final

from bwcdock.core.view import LAMP_ZH
from bwcdock.core.words_zh.desk import (
    ACCESS_ZH,
    CHECK_ZH,
    DEVICE_STATE_ZH,
    EXPLAINED_ZH,
    HOW_ZH,
    MATTER_STATE_ZH,
    SENSITIVE_ZH,
)
from bwcdock.core.words_zh.law import BASIS_ZH, SEVERITY_ZH
from bwcdock.core.words_zh.states import READBACK_ZH, RECORD_STATE_ZH, SOURCE_ZH
from bwcdock.core.words_zh.values import METHOD_ZH
from bwcdock.desk.asking import WAIT_ZH
from bwcdock.desk.entries_zh import ENTRY_ZH
from bwcdock.desk.owes import WHY_ZH
from bwcdock.web.words import Language

ENGLISH: Final[Mapping[str, Mapping[str, str]]] = {
    "record": {
        "listed": "on its recorder",
        "pulled": "read, not proven yet",
        "sealed": "sealed",
        "released": "in central storage",
        "quarantined": "set apart",
        "lost": "gone from its recorder",
    },
    "device": {
        "in_service": "in service",
        "repair": "out for repair",
        "lost": "lost",
        "stolen": "stolen",
        "retired": "retired",
        "unregistered": "not in the register",
    },
    "person": {"active": "works here", "left": "has left"},
    "explanation": {"given": "to be signed off", "accepted": "accepted", "refused": "refused"},
    "explained": {
        "late": "late offload",
        "interruption": "break in a recording",
        "not_recorded": "not recorded",
        "device_fault": "fault of a recorder",
    },
    "access": {"requested": "to be approved", "granted": "granted", "refused": "refused"},
    "access_act": {
        "view_inside": "viewing inside the unit",
        "view_outside": "viewing by outsiders",
        "copy": "copying",
        "provide": "giving out",
        "publish": "publishing",
    },
    "access_use": {"viewed": "viewed", "copied": "copied", "exported": "exported"},
    "why": {
        "on-recorder": "still on the recorder, which is not docked",
        "docked": "being brought in",
        "pulled": "being proven",
        "central": "waits for central storage",
        "apart": "set apart: could not be proven whole",
        "lost": "gone from its recorder",
        "out": "issued and not back",
        "away": "away on a trip",
    },
    "basis": {
        "recording_end": "end of the recording",
        "recording_start": "start of the recording",
        "activity_end": "end of the day's activity",
        "returned": "return to the unit",
        "listed_at": "docking",
        "not_before": "last docking without it",
        "case_closed": "closing of the case",
        "inspection_ended": "end of the inspection",
    },
    "lamp": {
        "reading": "being read",
        "pulling": "being brought in",
        "safe_to_take": "safe to take",
        "nothing_owed": "nothing owed",
        "wait": "being written to: please wait",
        "attention": "needs attention",
        "gone": "taken",
        "unfinished": "taken too early",
    },
    "check": {"clock": "clock", "battery": "battery", "storage": "storage room", "works": "works as it should"},
    "severity": {"note": "note", "warn": "warning", "refuse": "refusal"},
    "sensitive": {"": "not marked", "secret": "secret", "privacy": "privacy"},
    "source": {"name": "file name", "media": "container", "exif": "photo data", "mtime": "file's time"},
    "method": {
        "protocol": "read over the interface",
        "gps": "by satellite time",
        "plug-file": "from what it wrote when docked",
        "newest-file": "from its newest file",
        "uncorrected": "clock not known, not corrected",
        "issue": "from the register of issue",
    },
    "readback": {
        "direct": "read back from the disk",
        "cached": "read back, perhaps from memory",
        "server": "proven by the server",
    },
    "wait": {
        "late": "late, not explained",
        "overdue": "overdue, not offloaded",
        "break": "break, not explained",
        "explanation": "explanation to sign off",
        "access": "request to decide on",
        "trip": "trip without a return",
        "fault": "fault to see to",
        "archive": "case to archive",
    },
    "ev": {
        "record.listed": "listed",
        "record.obliged": "judged by the rules",
        "record.pulled": "read",
        "record.sealed": "sealed",
        "record.confirmed": "confirmed in central storage",
        "record.looked_again": "looked at again",
        "record.locked": "locked in central storage",
        "record.release_intended": "local copy about to go",
        "record.release_withdrawn": "local copy stays",
        "record.released": "local copy gone",
        "record.distrusted": "read again: two readings differed",
        "record.quarantined": "set apart",
        "record.cleared": "tried again",
        "record.copy_bad": "a copy found bad",
        "record.lost": "gone from its recorder",
        "record.seen": "met again",
        "record.erase_intended": "about to be erased from the recorder",
        "record.erased": "erased from the recorder",
        "record.erase_kept": "not erased from the recorder",
        "record.tagged": "labelled",
        "record.excused": "lateness accepted",
        "finding.found": "something found",
        "finding.settled": "a finding settled",
        "device.registered": "registered",
        "device.issued": "issued",
        "device.returned": "returned",
        "device.state_set": "state changed",
        "device.fault_reported": "fault reported",
        "device.serviced": "serviced",
    },
}
"""By the sort of word and the word itself."""

CHINESE: Final[Mapping[str, Mapping[Any, str]]] = {
    "record": RECORD_STATE_ZH,
    "device": {**DEVICE_STATE_ZH, "unregistered": "未登记"},
    "person": MATTER_STATE_ZH["person"],
    "explanation": MATTER_STATE_ZH["explanation"],
    "explained": EXPLAINED_ZH,
    "access": MATTER_STATE_ZH["access"],
    "access_act": ACCESS_ZH,
    "access_use": HOW_ZH,
    "why": WHY_ZH,
    "basis": BASIS_ZH,
    "lamp": LAMP_ZH,
    "check": CHECK_ZH,
    "severity": SEVERITY_ZH,
    "sensitive": SENSITIVE_ZH,
    "source": SOURCE_ZH,
    "method": METHOD_ZH,
    "readback": READBACK_ZH,
    "wait": WAIT_ZH,
    "ev": ENTRY_ZH,
}
"""The same sorts in the words that papers, commands and forms have for them: no word is said in two ways."""


def word(kind: str, value: object, language: Language) -> str:
    """What ``value`` is called; itself where nobody named it."""
    text = str(value)
    words: Mapping[Any, str] = (CHINESE if language == "zh" else ENGLISH)[kind]
    return words.get(text, text)
