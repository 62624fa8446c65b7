"""What acts, their fields and their values are called on a page."""

from typing import Any

from bwcdock.core.rulepack import RulePack
from bwcdock.core.rules import Standing
from bwcdock.core.view import STANDING_ZH
from bwcdock.desk.acts import ACTS
from bwcdock.web.offers import ROLE_ZH
from bwcdock.web.words import Language


def act_name(word: str, language: Language) -> str:  # noqa: ARG001
    """What the act is called."""
    return word


def act_help(word: str, language: Language) -> str:  # noqa: ARG001
    """What the act does, in a sentence."""
    return " ".join((ACTS[word].__doc__ or "").split())


def field_name(word: str, field: str, language: Language) -> str:  # noqa: ARG001
    """What a field of the act is called."""
    return field


def value_name(field: str, value: Any, language: Language) -> str:  # noqa: ARG001
    """What a value is called."""
    return str(value)


def role_name(role: str, pack: RulePack) -> str:
    """What the regulation calls the role; a house role by its own name."""
    return next((term.label for term in pack.roles if term.id == role), ROLE_ZH.get(role, role))


def standing_name(word: str, language: Language) -> str:
    """What a verdict is called."""
    return STANDING_ZH[Standing(word)] if language == "zh" and word else word.replace("_", " ")
