"""Pages from templates: in the caller's language, every value escaped, times in the station's zone."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from bwcdock import __version__
from bwcdock.core.names import show
from bwcdock.papers.text import one_line, plain
from bwcdock.web import naming
from bwcdock.web.deeds import offered
from bwcdock.web.menu import menu
from bwcdock.web.pages import house_of
from bwcdock.web.policy import NOBODY, Place, may
from bwcdock.web.refusing import told
from bwcdock.web.wording import word
from bwcdock.web.words import Language, chosen, translations

LANGUAGE_COOKIE = "language"
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


@cache
def environment(language: Language, zone: str) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=PackageLoader("bwcdock.web"),
        autoescape=True,  # always, whatever the template's name
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    local = ZoneInfo(zone)
    made.filters.update(
        moment=lambda at: f"{at.astimezone(local):%Y-%m-%d %H:%M:%S}" if at else "",
        minute=lambda at: f"{at.astimezone(local):%m-%d %H:%M}" if at else "",
        day=lambda at: f"{at.astimezone(local):%Y-%m-%d}" if at else "",
        iso=lambda at: at.isoformat() if at else "",
        size=size,
        span=lambda s: span(s, language),
        file=lambda path: path.rpartition("/")[2] or path,
        # Words come from anyone: marks that turn the line around or hide in it are written out.
        show=lambda text, width=80: show(one_line(text), width),
        plain=plain,
    )
    return made


def language_of(request: Request) -> Language:
    """What the caller chose in the address, what he chose before, or the station's own."""
    otherwise = house_of(request).settings.web.language
    return chosen(request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE), otherwise=otherwise)


def page(request: Request, template: str, status: int = 200, **more: Any) -> HTMLResponse:
    """The page, made from ``template`` with ``more``; it remembers a language that was just chosen."""
    language = language_of(request)
    response = HTMLResponse(rendered(request, template, **more), status_code=status)
    if request.query_params.get("lang") == language:
        response.set_cookie(
            LANGUAGE_COOKIE, language, samesite="strict", httponly=True, secure=request.url.scheme == "https"
        )
    return response


def rendered(request: Request, template: str, **more: Any) -> str:
    """As :func:`page`, the text alone."""
    house = house_of(request)
    caller = getattr(request.state, "caller", NOBODY)
    language = language_of(request)
    pack = house.law.pack
    common: Mapping[str, Any] = {
        "act_name": lambda word: naming.act_name(word, language),
        "caller": caller,
        "can": lambda place: may(caller, Place(place), pack),
        "here": quote(request.url.path, safe="/%"),
        "in_other_language": _in_other_language(request, language, str(more.get("here", request.url.path))),
        "language": language,
        "menu": menu(lambda place: may(caller, place, pack), translations(language).gettext),
        "offered": offered(caller, pack),
        "request_done": request.query_params.get("done", ""),
        "refusal": lambda why: told(why, language, house),
        "role_name": lambda role: naming.role_name(role, pack),
        "entry_field": lambda name: naming.entry_field(name, language),
        "finding_told": lambda found: naming.finding_told(found, language),
        "apart_told": lambda record: naming.apart_told(record, language),
        "entry_name": lambda ev: naming.entry_name(ev, language),
        "word_of": lambda act, field, value: naming.value_name(act, field, value, language),
        "standing_name": lambda word: naming.standing_name(word, language),
        "now": house.clock.now(),
        "station": house.settings.station,
        "version": __version__,
        "word": lambda kind, value: word(kind, value, language),
    }
    made = environment(language, house.settings.station.zone)
    return made.get_template(template).render({**common, **more})


def _in_other_language(request: Request, language: Language, path: str) -> str:
    """The address of this page in the other language, with all that was asked for; what was done is not told twice."""
    other: Language = "en" if language == "zh" else "zh"
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in {"lang", "done"}]
    return f"{quote(path, safe='/%')}?{urlencode([*kept, ('lang', other)])}"


def size(count: float | None) -> str:
    """Bytes for people: three digits and a unit."""
    if count is None:
        return "—"
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def span(seconds: float | timedelta | None, language: Language) -> str:
    """A length of time for people: its two largest parts."""
    if seconds is None:
        return "—"
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    whole = abs(round(seconds))
    names = ("天", "小时", "分", "秒") if language == "zh" else (" d", " h", " min", " s")
    parts = (whole // 86400, whole % 86400 // 3600, whole % 3600 // 60, whole % 60)
    first = next((n for n, part in enumerate(parts) if part), 3)
    told = [f"{part}{name}" for part, name in list(zip(parts, names, strict=True))[first : first + 2] if part]
    return " ".join(told) or f"0{names[3]}"


def moment_of(text: str, zone: ZoneInfo) -> datetime:
    """A moment as a form's date and time field writes it, in the station's zone. Raises ``ValueError``."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)
