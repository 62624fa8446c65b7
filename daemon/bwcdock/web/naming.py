"""What acts, their fields and their values are called on a page."""

from dataclasses import replace

from bwcdock.core import words_zh as findings_zh
from bwcdock.core.desk.people import roles_of
from bwcdock.core.facts import Finding
from bwcdock.core.record import Record
from bwcdock.core.rulepack import RulePack
from bwcdock.core.rules import Standing
from bwcdock.core.view import STANDING_ZH, FindingView
from bwcdock.desk import words_zh
from bwcdock.desk.acts import ACTS
from bwcdock.desk.entries_zh import ENTRY_ZH, FIELD_ZH, SAID_ZH, SENTENCES, VALUE_ZH
from bwcdock.desk.proving import AS_WRITTEN, Tongue
from bwcdock.papers.registry import KINDS
from bwcdock.web.refusing import Told
from bwcdock.web.words import Language


def act_name(word: str, language: Language) -> str:
    """What the act is called."""
    return words_zh.ACT_ZH[word].name if language == "zh" else word.replace("-", " ").capitalize()


def act_help(word: str, language: Language) -> str:
    """What the act does, in a sentence."""
    return words_zh.ACT_ZH[word].help if language == "zh" else " ".join((ACTS[word].__doc__ or "").split())


def field_name(word: str, field: str, language: Language) -> str:
    """What a field of the act is called."""
    return words_zh.field(word, field).label if language == "zh" else field.replace("_", " ").capitalize()


def field_help(word: str, field: str, language: Language) -> str:
    """What belongs into the field, where that needs saying."""
    if language == "zh":
        return words_zh.field(word, field).hint
    return ACTS[word].model_fields[field].description or ""


def value_name(word: str, field: str, value: str, language: Language) -> str:
    """What a value of the act's own is called; any other, a name from a register, is its own name."""
    return words_zh.choices(word, field).get(value, value) if language == "zh" else value.replace("_", " ")


def role_name(role: str, pack: RulePack) -> str:
    """What the regulation calls the role; a role of the house by its own name."""
    return next((term.label for term in roles_of(pack) if term.id == role), role)


def standing_name(word: str, language: Language) -> str:
    """What a verdict is called."""
    return STANDING_ZH[Standing(word)] if language == "zh" and word else word.replace("_", " ")


def entry_name(ev: str, language: Language) -> str:
    """What a kind of entry is called."""
    return ENTRY_ZH[ev] if language == "zh" else ev.replace("_", " ")


def entry_field(name: str, language: Language) -> str:
    """What a field of an entry is called."""
    return FIELD_ZH[name] if language == "zh" else name.replace("_", " ")


def tongue(language: Language, pack: RulePack) -> Tongue:
    """How what entries say is told in this language: chosen words by their tables, those of the pack by the pack."""
    if language == "en":
        return AS_WRITTEN
    terms = _of_the_pack(pack)

    def said(of: str, name: str, value: str) -> str:
        known = VALUE_ZH.get((of, name)) or terms.get((of, name)) or (SAID_ZH if (of, name) in SENTENCES else {})
        return known.get(value, value)

    return Tongue(word=said, finding=_in_chinese)


def _of_the_pack(pack: RulePack) -> dict[tuple[str, str], dict[str, str]]:
    roles = {term.id: term.label for term in roles_of(pack)}
    away = pack.deadline.away.grounds if pack.deadline.away else ()
    broken = pack.interruption.reasons if pack.interruption else ()
    unrecorded = pack.unrecorded.grounds if pack.unrecorded else ()
    return {
        ("PersonEntered", "roles"): roles,
        ("AccessRequested", "chain"): roles,
        ("TripBegun", "ground"): {term.id: term.label for term in away},
        ("ExplanationGiven", "reason"): {term.id: term.label for term in (*away, *broken, *unrecorded)},
        ("Label", "tags"): {term.id: term.label for term in pack.tags},
        ("PaperIssued", "paper"): {kind.id: kind.title for kind in KINDS},
    }


def _in_chinese(finding: Finding) -> Finding:
    said = findings_zh.said(finding)
    return replace(finding, what=said.what, remedy=said.do)


def finding_told(found: Finding | FindingView, language: Language) -> Told:
    """What was found and what to do; of a code that nobody knows here the English beside it."""
    if language == "en":
        return Told(found.what, found.remedy)
    is_unknown = findings_zh.words(found.code)[0] is findings_zh.OTHER
    english = f"{found.what} {found.remedy}" if is_unknown else ""
    if isinstance(found, FindingView):
        return Told(found.what_zh, found.remedy_zh, english)
    said = findings_zh.said(found)
    return Told(said.what, said.do, english)


def apart_told(record: Record, language: Language) -> Told:
    """Why a recording is set apart, and what to do."""
    if language == "en":
        return Told(record.quarantine_what, record.quarantine_hint)
    words, _ = findings_zh.words(f"quarantined.{record.quarantine}")
    return Told(words.what, words.do, f"{record.quarantine_what} {record.quarantine_hint}".strip())
