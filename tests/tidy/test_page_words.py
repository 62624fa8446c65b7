"""Every word of the pages has its Chinese one, and none is kept that no page says any more."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from tree import DAEMON

WEB = DAEMON / "web"
CATALOGUES = sorted((WEB / "locale" / "zh").glob("*.po"))
HELD = re.compile(r"%\((\w+)\)")


def said(directory: Path) -> dict[str, str]:
    """Every text that is marked in templates and modules, and a file that says it."""
    found: dict[str, str] = {}
    told = extract_from_dir(
        directory,
        method_map=[("**/templates/**.html", "jinja2"), ("templates/**.html", "jinja2"), ("**.py", "python")],
        keywords={"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)},
        options_map={"**/templates/**.html": {"silent": "false"}, "templates/**.html": {"silent": "false"}},
    )
    for name, _, message, *_ in told:
        for text in message if isinstance(message, tuple) else (message,):
            found[text] = name
    return found


def entries(paths: Iterable[Path]) -> dict[str, list[tuple[str, str]]]:
    """By msgid: the files that have it, each with its Chinese."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in paths:
        with path.open("rb") as source:
            catalogue: Catalog = read_po(source, locale="zh", abort_invalid=True)
        for message in catalogue:
            for key, text in _pairs(message.id, message.string):
                found.setdefault(key, []).append((path.name, "" if message.fuzzy else text))
    return found


def _pairs(key: object, text: object) -> Iterable[tuple[str, str]]:
    if isinstance(key, tuple):
        strings = text if isinstance(text, (tuple, list)) else (text,)
        return [(each, strings[0]) for each in key]
    return [(str(key), str(text))] if key else []


def unlike(marked: Iterable[str], known: dict[str, list[tuple[str, str]]]) -> list[str]:
    """What is missing, left over, empty, said in two ways, or holds other places for values."""
    wrong = [f"no Chinese for {text!r}" for text in marked if text not in known]
    wrong += [f"{known[text][0][0]}: nobody says {text!r}" for text in known if text not in set(marked)]
    for text, told in known.items():
        if len({chinese for _, chinese in told}) > 1:
            wrong.append(f"two ways to say {text!r}: {told}")
        for name, chinese in told:
            if not chinese:
                wrong.append(f"{name}: empty for {text!r}")
            elif set(HELD.findall(chinese)) != set(HELD.findall(text)):
                wrong.append(f"{name}: other values in {text!r}")
    return wrong


def test_every_word_of_the_pages_has_its_chinese_one_and_none_is_left_over() -> None:
    assert CATALOGUES
    marked = said(WEB)
    assert len(marked) > 100
    assert unlike(marked, entries(CATALOGUES)) == []


@pytest.mark.parametrize(
    ("marked", "po"),
    [
        (["A"], ""),
        ([], 'msgid "A"\nmsgstr "甲"\n'),
        (["A"], 'msgid "A"\nmsgstr ""\n'),
        (["A"], '#, fuzzy\nmsgid "A"\nmsgstr "甲"\n'),
        (["A %(b)s"], 'msgid "A %(b)s"\nmsgstr "甲"\n'),
    ],
)
def test_what_is_not_so_is_found(tmp_path: Path, marked: list[str], po: str) -> None:
    path = tmp_path / "a.po"
    path.write_text(f'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n{po}')
    assert len(unlike(marked, entries([path]))) == 1


def test_two_ways_to_say_one_thing_are_found(tmp_path: Path) -> None:
    for name, chinese in (("a.po", "甲"), ("b.po", "乙")):
        (tmp_path / name).write_text(f'msgid "A"\nmsgstr "{chinese}"\n')
    assert len(unlike(["A"], entries(sorted(tmp_path.glob("*.po"))))) == 1


def test_words_are_found_where_they_are_said(tmp_path: Path) -> None:
    (tmp_path / "templates" / "sub").mkdir(parents=True)
    (tmp_path / "templates" / "sub" / "a.html").write_text('{% if x %}{{ _("One %(n)s", n=1) }}{% endif %}')
    (tmp_path / "templates" / "b.html").write_text('{{ _("Two") }}')
    (tmp_path / "c.py").write_text('A = N_("Three")\n')
    assert set(said(tmp_path)) == {"One %(n)s", "Two", "Three"}
