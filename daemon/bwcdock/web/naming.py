"""What acts, their fields and their values are called on a page."""

from bwcdock.core.desk.people import roles_of
from bwcdock.core.rulepack import RulePack
from bwcdock.core.rules import Standing
from bwcdock.core.view import STANDING_ZH
from bwcdock.desk import words_zh
from bwcdock.desk.acts import ACTS
from bwcdock.desk.entries_zh import ENTRY_ZH, FIELD_ZH
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
