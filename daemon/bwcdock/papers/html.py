"""A paper as one HTML page: A4 when printed, nothing fetched from anywhere, every value escaped."""

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bwcdock.papers.footnote import footnote
from bwcdock.papers.model import Fields, Paper, Table, Text
from bwcdock.papers.text import one_line, plain


def _css_text(text: str) -> Markup:
    r"""Text for a string of the style sheet, where ``<`` must not end the element nor ``"`` the string."""
    kept = (c if c.isalnum() or c in " -_." else f"\\{ord(c):x} " for c in one_line(text))
    return Markup("".join(kept))  # noqa: S704  (letters, digits and hexadecimal escapes alone are left)


_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("bwcdock.papers", "templates"),
    autoescape=True,  # always, whatever the template's name
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(plain=plain, one_line=one_line, css_text=_css_text)
_ENVIRONMENT.tests.update(
    fields=lambda block: isinstance(block, Fields),
    table=lambda block: isinstance(block, Table),
    text=lambda block: isinstance(block, Text),
)


def render(paper: Paper) -> bytes:
    """The page, UTF-8. The same paper gives the same bytes."""
    return _ENVIRONMENT.get_template("paper.html").render(paper=paper, lines=footnote(paper.proof)).encode()
