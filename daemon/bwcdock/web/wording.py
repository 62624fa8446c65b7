"""Words of the program as people read them: states, reasons, kinds of entries; the English is the msgid."""

from collections.abc import Callable
from typing import Final

from bwcdock.web.words import N_

WORDS: Final[dict[str, dict[str, str]]] = {
    "record": {
        "listed": N_("on its recorder"),
        "pulled": N_("read, not proven yet"),
        "sealed": N_("sealed"),
        "released": N_("in central storage"),
        "quarantined": N_("set apart"),
        "lost": N_("gone from its recorder"),
    },
    "device": {
        "in_service": N_("in service"),
        "repair": N_("out for repair"),
        "lost": N_("lost"),
        "stolen": N_("stolen"),
        "retired": N_("retired"),
        "unregistered": N_("not in the register"),
    },
    "person": {"active": N_("works here"), "left": N_("has left")},
    "explanation": {"given": N_("to be signed off"), "accepted": N_("accepted"), "refused": N_("refused")},
    "explained": {
        "late": N_("late offload"),
        "interruption": N_("break in a recording"),
        "not_recorded": N_("not recorded"),
        "device_fault": N_("fault of a recorder"),
    },
    "access": {"requested": N_("to be approved"), "granted": N_("granted"), "refused": N_("refused")},
    "access_act": {
        "view_inside": N_("viewing inside the unit"),
        "view_outside": N_("viewing by outsiders"),
        "copy": N_("copying"),
        "provide": N_("giving out"),
        "publish": N_("publishing"),
    },
    "access_use": {"viewed": N_("viewed"), "copied": N_("copied"), "exported": N_("exported")},
    "why": {
        "on-recorder": N_("still on the recorder, which is not docked"),
        "docked": N_("being brought in"),
        "pulled": N_("being proven"),
        "central": N_("waits for central storage"),
        "apart": N_("set apart: could not be proven whole"),
        "lost": N_("gone from its recorder"),
        "out": N_("issued and not back"),
        "away": N_("away on a trip"),
    },
    "basis": {
        "recording_end": N_("end of the recording"),
        "recording_start": N_("start of the recording"),
        "activity_end": N_("end of the day's activity"),
        "returned": N_("return to the unit"),
        "listed_at": N_("docking"),
        "not_before": N_("last docking without it"),
    },
    "lamp": {
        "reading": N_("being read"),
        "pulling": N_("being brought in"),
        "safe_to_take": N_("safe to take"),
        "nothing_owed": N_("nothing owed"),
        "attention": N_("needs attention"),
        "gone": N_("taken"),
        "unfinished": N_("taken too early"),
    },
    "check": {
        "clock": N_("clock"),
        "battery": N_("battery"),
        "storage": N_("storage room"),
        "works": N_("works as it should"),
    },
    "severity": {"note": N_("note"), "warn": N_("warning"), "refuse": N_("refusal")},
    "sensitive": {"": N_("not marked"), "secret": N_("secret"), "privacy": N_("privacy")},
    "source": {
        "name": N_("file name"),
        "media": N_("container"),
        "exif": N_("photo data"),
        "mtime": N_("file's time"),
    },
    "method": {
        "protocol": N_("read over the interface"),
        "gps": N_("by satellite time"),
        "plug-file": N_("from what it wrote when docked"),
        "newest-file": N_("from its newest file"),
        "uncorrected": N_("clock not known, not corrected"),
        "issue": N_("from the register of issue"),
    },
    "readback": {
        "direct": N_("read back from the disk"),
        "cached": N_("read back, perhaps from memory"),
        "server": N_("proven by the server"),
    },
    "ev": {
        "record.listed": N_("listed"),
        "record.obliged": N_("judged by the rules"),
        "record.pulled": N_("read"),
        "record.sealed": N_("sealed"),
        "record.confirmed": N_("confirmed in central storage"),
        "record.looked_again": N_("looked at again"),
        "record.locked": N_("locked in central storage"),
        "record.release_intended": N_("local copy about to go"),
        "record.release_withdrawn": N_("local copy stays"),
        "record.released": N_("local copy gone"),
        "record.distrusted": N_("read again: two readings differed"),
        "record.quarantined": N_("set apart"),
        "record.cleared": N_("tried again"),
        "record.copy_bad": N_("a copy found bad"),
        "record.lost": N_("gone from its recorder"),
        "record.seen": N_("met again"),
        "record.erase_intended": N_("about to be erased from the recorder"),
        "record.erased": N_("erased from the recorder"),
        "record.erase_kept": N_("not erased from the recorder"),
        "record.tagged": N_("labelled"),
        "record.excused": N_("lateness accepted"),
        "finding.found": N_("something found"),
        "finding.settled": N_("a finding settled"),
        "device.registered": N_("registered"),
        "device.issued": N_("issued"),
        "device.returned": N_("returned"),
        "device.state_set": N_("state changed"),
        "device.fault_reported": N_("fault reported"),
        "device.serviced": N_("serviced"),
    },
}  # fmt: skip
"""By the sort of word and the word itself."""


def word(kind: str, value: object, say: Callable[[str], str]) -> str:
    """What ``value`` is called; itself where nobody named it."""
    text = str(value)
    msgid = WORDS[kind].get(text)
    return text if msgid is None else say(msgid)
