"""A paper as a PDF: A4, a Chinese font embedded in part, tables over pages with their heads, page x of y."""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from fpdf import FPDF
from fpdf.fonts import TTFFont

from bwcdock.papers import breaking
from bwcdock.papers.fonts import Font
from bwcdock.papers.footnote import footnote
from bwcdock.papers.model import Block, Cell, Fields, Paper, Table, Text
from bwcdock.papers.text import one_line, plain

# Millimetres and points. The margins are those of official papers, roughly; the left one leaves room for a binding.
WIDTH, HEIGHT = 210.0, 297.0
LEFT, RIGHT, TOP, BOTTOM = 24.0, 18.0, 18.0, 20.0
BODY, SMALL, TITLE, HEAD = 9.5, 8.0, 20.0, 11.5
LINE, PAD = 4.9, 1.3
LABEL = 40.0
OPEN = 9.0
"""The height of a field to be filled in by hand."""

_FONT = "zh"

# What the subsetting of a font says about tables it leaves out is of no interest to anybody.
logging.getLogger("fontTools").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class _Cell:
    """Lines with the size each is set in."""

    lines: tuple[tuple[str, float], ...]
    shade: int = 255
    least: float = 0.0


@dataclass(slots=True)
class _Sheet:
    """Where the pen is, and what is drawn with it."""

    pdf: FPDF
    paper: Paper
    has: Callable[[str], bool]
    y: float = TOP
    widths: dict[tuple[str, float], float] = field(default_factory=dict)

    # --- text ---------------------------------------------------------------------------------------------------------

    def safe(self, text: str) -> str:
        """Harmless text, in which a character the font lacks is named rather than left out."""
        return "".join(c if c == "\n" or self.has(c) else f"[U+{ord(c):04X}]" for c in plain(text))

    def lines(self, text: str, width: float, size: float) -> list[str]:
        """Lines of ``text`` in this size."""
        return breaking.lines(self.safe(text), width, lambda word: self.measure(word, size))

    def measure(self, text: str, size: float) -> float:
        """The width of ``text``, which is the sum of its characters: nothing is kerned or shaped."""
        total = 0.0
        for char in text:
            if (wide := self.widths.get((char, size))) is None:
                self.pdf.set_font_size(size)
                wide = self.widths[char, size] = self.pdf.get_string_width(char)
            total += wide
        return total

    def put(self, x: float, y: float, text: str, size: float, grey: int = 0) -> None:
        """One line, its top at ``y``."""
        if text:
            self.pdf.set_font_size(size)
            self.pdf.set_text_color(grey)
            self.pdf.text(x, y + LINE / 2 + size * 0.125, text)  # the base line: a third of a point's mm below middle

    # --- room ---------------------------------------------------------------------------------------------------------

    @property
    def room(self) -> float:
        """Millimetres left on the page."""
        return HEIGHT - BOTTOM - self.y

    def turn(self) -> None:
        """A new page."""
        self.pdf.add_page()
        self.y = TOP

    def need(self, height: float) -> None:
        """A new page where less than that is left."""
        if self.room < height and self.y > TOP:
            self.turn()

    # --- rows ---------------------------------------------------------------------------------------------------------

    def row(self, cells: Sequence[_Cell], widths: Sequence[float], heads: Callable[[], None] | None = None) -> None:
        """One row of a table. One that fits on no page is cut at its lines and goes on on the next."""
        left = [list(cell.lines) for cell in cells]
        least = max(cell.least for cell in cells)
        whole = max(least, max(map(len, left)) * LINE + 2 * PAD)
        if whole > self.room and whole <= HEIGHT - TOP - BOTTOM - 3 * LINE:
            self._turned(heads)
        while True:
            fits = int((self.room - 2 * PAD) // LINE)
            if fits < 1:
                self._turned(heads)
                continue
            taken = [lines[:fits] for lines in left]
            left = [lines[fits:] for lines in left]
            height = max(least, max(map(len, taken)) * LINE + 2 * PAD)
            self._boxes(cells, widths, taken, height)
            if not any(left):
                return
            least = 0.0
            self._turned(heads)

    def _turned(self, heads: Callable[[], None] | None) -> None:
        self.turn()
        if heads:
            heads()

    def _boxes(
        self,
        cells: Sequence[_Cell],
        widths: Sequence[float],
        taken: Sequence[Sequence[tuple[str, float]]],
        height: float,
    ) -> None:
        x = LEFT
        for cell, width, lines in zip(cells, widths, taken, strict=True):
            self.pdf.set_fill_color(cell.shade)
            self.pdf.rect(x, self.y, width, height, style="DF" if cell.shade < 255 else "D")
            for at, (text, size) in enumerate(lines):
                self.put(x + 2, self.y + PAD + at * LINE, text, size, 70 if size == SMALL else 0)
            x += width
        self.y += height

    def cell(self, text: str | Cell, width: float, size: float, shade: int = 255) -> _Cell:
        """A cell of this width with ``text`` broken to fit, and its small print below."""
        if isinstance(text, Cell):
            note = tuple((line, SMALL) for line in self.lines(text.note, width - 4, SMALL))
            return _Cell((*self.cell(text.text, width, size).lines, *note), shade)
        return _Cell(tuple((line, size) for line in self.lines(text, width - 4, size)), shade)


INNER = WIDTH - LEFT - RIGHT


def render(paper: Paper, font: Font) -> bytes:
    """The PDF. The same paper and font give the same bytes."""
    pdf = FPDF(format="A4", unit="mm")
    pdf.set_auto_page_break(False)
    pdf.set_creation_date(paper.made_at)
    pdf.set_title(one_line(f"{paper.title} {paper.number}"))
    pdf.set_author(one_line(paper.unit))
    pdf.set_lang("zh-CN")
    pdf.add_font(_FONT, fname=str(font.path), collection_font_number=font.index)
    pdf.set_font(_FONT, size=BODY)
    pdf.set_line_width(0.15)
    pdf.set_draw_color(70)
    loaded = pdf.fonts[_FONT]
    assert isinstance(loaded, TTFFont)
    with closing(loaded.ttfont):  # read piece by piece, and held open until then
        _fill(_Sheet(pdf, paper, lambda char: ord(char) in loaded.cmap))
        return bytes(pdf.output())


def _fill(sheet: _Sheet) -> None:
    sheet.pdf.add_page()
    _head(sheet)
    for block in sheet.paper.blocks:
        _block(sheet, block)
    _signatures(sheet)
    _footnote(sheet)
    _pages(sheet)


def _head(sheet: _Sheet) -> None:
    paper = sheet.paper
    for line in sheet.lines(one_line(paper.title), INNER, TITLE):
        sheet.put(LEFT + (INNER - sheet.measure(line, TITLE)) / 2, sheet.y + 2, line, TITLE)
        sheet.y += 10
    sheet.y += 2
    told = (f"单位：{paper.unit}", f"采集站：{paper.station}", f"编号：{paper.number}", f"制作时间：{paper.made}")
    for pair in (told[:2], told[2:]):
        halves = [sheet.lines(one_line(text), INNER / 2 - 2, BODY - 0.5) for text in pair]
        for column, lines in enumerate(halves):
            for at, line in enumerate(lines):
                sheet.put(LEFT + column * INNER / 2, sheet.y + at * LINE, line, BODY - 0.5, 50)
        sheet.y += LINE * max(map(len, halves))
    sheet.pdf.set_line_width(0.5)
    sheet.pdf.line(LEFT, sheet.y + 1, WIDTH - RIGHT, sheet.y + 1)
    sheet.pdf.set_line_width(0.15)
    sheet.y += 4


def _block(sheet: _Sheet, block: Block) -> None:
    if block.title:
        sheet.need(24)  # a heading never stands alone at the foot
        sheet.y += 2
        for line in sheet.lines(one_line(block.title), INNER, HEAD):
            sheet.put(LEFT, sheet.y, line, HEAD)
            sheet.y += LINE + 1
        sheet.y += 0.8
    match block:
        case Fields():
            _fields(sheet, block)
        case Table():
            _table(sheet, block)
        case Text():
            _text(sheet, block)
    sheet.y += 2


def _fields(sheet: _Sheet, block: Fields) -> None:
    widths = (LABEL, INNER - LABEL)
    for row in block.rows:
        value = [(line, BODY) for line in sheet.lines(row.value, widths[1] - 4, BODY)] if row.value else []
        note = [(line, SMALL) for line in sheet.lines(row.note, widths[1] - 4, SMALL)] if row.note else []
        # A line to write on stays above the small print.
        blank = [] if value else [("", BODY)] * (2 if note else 1)
        filled = _Cell((*blank, *value, *note), least=0.0 if value else OPEN)
        sheet.row((sheet.cell(one_line(row.label), LABEL, BODY, 238), filled), widths)


def _table(sheet: _Sheet, block: Table) -> None:
    widths = [INNER * width / sum(block.widths) for width in block.widths]

    def cells(texts: Sequence[str | Cell], shade: int = 255) -> list[_Cell]:
        return [sheet.cell(text, width, SMALL + 0.5, shade) for text, width in zip(texts, widths, strict=True)]

    def heads() -> None:
        sheet.row(cells([one_line(head) for head in block.heads], 238), widths)

    sheet.need(4 * LINE)
    heads()
    for row in block.rows:
        sheet.row(cells(row), widths, heads)
    for line in sheet.lines(block.note, INNER, SMALL) if block.note else ():
        sheet.need(LINE)
        sheet.put(LEFT, sheet.y + 0.5, line, SMALL, 70)
        sheet.y += LINE


def _text(sheet: _Sheet, block: Text) -> None:
    if block.text:
        sheet.row((sheet.cell(block.text, INNER, BODY),), (INNER,))
        return
    for _ in range(block.lines):
        sheet.need(OPEN)
        sheet.y += OPEN
        sheet.pdf.line(LEFT, sheet.y, WIDTH - RIGHT, sheet.y)


def _signatures(sheet: _Sheet) -> None:
    if not sheet.paper.signatures:
        return
    sheet.need(8 + 14 * min(2, len(sheet.paper.signatures)))
    sheet.y += 6
    for role in sheet.paper.signatures:
        sheet.need(14)
        sheet.y += 9
        # A role may be as long as a stranger likes: the line to sign on is kept free of it.
        label = sheet.lines(f"{one_line(role)}（签名或盖章）：", INNER * 0.45, BODY)[0]
        end = LEFT + sheet.measure(label, BODY) + 1
        sheet.put(LEFT, sheet.y - LINE, label, BODY)
        sheet.pdf.line(end, sheet.y, LEFT + INNER * 0.62, sheet.y)
        sheet.put(LEFT + INNER * 0.66, sheet.y - LINE, "日期：", BODY)
        sheet.pdf.line(LEFT + INNER * 0.66 + 11, sheet.y, WIDTH - RIGHT, sheet.y)
        sheet.y += 4


def _footnote(sheet: _Sheet) -> None:
    sheet.need(4 * LINE)
    sheet.y += 4
    sheet.pdf.line(LEFT, sheet.y, WIDTH - RIGHT, sheet.y)
    sheet.y += 1.5
    for told in footnote(sheet.paper.proof):
        for line in sheet.lines(told, INNER, SMALL):
            sheet.need(LINE)
            sheet.put(LEFT, sheet.y, line, SMALL, 40)
            sheet.y += LINE - 0.6
        sheet.y += 0.6


def _pages(sheet: _Sheet) -> None:
    """Every page says which it is and of how many, and to what paper it belongs."""
    pdf, last = sheet.pdf, sheet.pdf.pages_count
    name = sheet.lines(one_line(f"{sheet.paper.title}  {sheet.paper.number}"), INNER * 0.7, SMALL)[0]
    for number in range(1, last + 1):
        pdf.page = number
        pdf.set_font_size(BODY)  # else the size this page ended with may be taken for the one set last
        counted = f"第 {number} 页，共 {last} 页"
        sheet.put(LEFT, HEIGHT - 14, name, SMALL, 80)
        sheet.put(WIDTH - RIGHT - sheet.measure(counted, SMALL), HEIGHT - 14, counted, SMALL, 80)
