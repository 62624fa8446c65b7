"""One model, two renderers: what a stranger wrote comes out harmless, and the same facts give the same bytes."""

import hashlib
import re
import shutil
import subprocess
import sys
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bwcdock.errors import Misused
from bwcdock.papers import breaking, fonts, html, pdf
from bwcdock.papers.footnote import footnote
from bwcdock.papers.model import Cell, Field, Fields, Paper, Proof, Rule, Table, Text
from bwcdock.papers.text import one_line, plain, runs
from hypothesis import example, given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 2, 9, 30, 5, tzinfo=ZoneInfo("Asia/Shanghai"))
HOSTILE = "</style><script>alert(1)</script>\"'&{{7*7}}{% raw %}\x1b[31m\u202egpj.exe\u202c\x00\u200b"
DIGESTS = [hashlib.sha256(bytes([at])).hexdigest() for at in range(90)]
RULE = Rule(regulation="某办法", article="第十六条", quote="制作视听资料证据时，应注明证据名称来源")
PROOF = Proof(origin="bwcdock/dock-07", entries=(3, 4, 5, 9, 200), head_size=100, head_root="cd" * 32, rules=(RULE,))

needs_font = pytest.mark.skipif(not any(p.is_file() for p in fonts.PLACES), reason=f"needs {fonts.PACKAGE}")
needs_poppler = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs poppler-utils")


def paper(
    *blocks, title: str = "证据说明", signatures: tuple[str, ...] = ("制作人", "提取人"), proof: Proof = PROOF
) -> Paper:
    return Paper(
        title=title,
        number="dock-07-3f2a",
        unit="福州市城市管理委员会",
        station="dock-07",
        made_at=NOW,
        blocks=blocks,
        signatures=signatures,
        proof=proof,
    )


LONG_TABLE = Table(
    title="文件",
    heads=("文件", "字节数", "SHA-256"),
    widths=(5, 2, 5),
    rows=tuple((f"DCIM/{at:04d}.mp4", f"{at:,}", digest) for at, digest in enumerate(DIGESTS)),
)


def printed(data: bytes, tmp_path: Path, *options: str) -> str:
    """What a reader of PDF that is not ours finds in it."""
    path = tmp_path / "paper.pdf"
    path.write_bytes(data)
    return subprocess.run(["pdftotext", *options, path, "-"], capture_output=True, check=True).stdout.decode()


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("王建国 abc", "王建国 abc"),
        ("a\x1b[31mb", "a\\u{1b}[31mb"),
        ("a\u202eb\u2066c", "a\\u{202e}b\\u{2066}c"),
        ("a\u200bb\u3164", "a\\u{200b}b\\u{3164}"),
        ("a\r\nb\rc\td", "a\nb\nc d"),
        ("e\u0301\u0301\u0301\u0301", "e\u0301\u0301\\u{301}\\u{301}"),
        ("\u0301", "\\u{301}"),
        ("a\udc80", "a\\u{dc80}"),
    ],
)
def test_what_is_hidden_is_written_out(text, shown):
    assert plain(text) == shown


@given(st.text(st.characters()))
def test_nothing_hidden_is_left(text):
    shown = plain(text)
    assert all(c.isprintable() or c in "\n\u3000" for c in shown)
    assert plain(shown) == shown
    assert "\n" not in one_line(text)
    shown.encode()


def test_runs_of_numbers():
    assert runs([]) == ""
    assert runs([9, 3, 4, 5, 5]) == "3–5、9"


@given(st.text(st.characters(exclude_categories=("Cs",))), st.integers(1, 30))
@example("\r0", 1)
@example("  word", 4)
def test_broken_lines_fit_and_lose_nothing(text, width):
    lines = breaking.lines(text, width, len)
    assert all(len(line) <= width for line in lines)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)


def test_lines_are_broken_between_words_and_not_before_a_full_stop():
    assert breaking.lines("录像 2026-03-02 完成", 11, len) == ["录像", "2026-03-02", "完成"]
    assert breaking.lines("甲乙丙。丁", 3, len) == ["甲乙", "丙。丁"]
    assert breaking.lines("甲乙（丙", 3, len) == ["甲乙", "（丙"]
    assert breaking.lines("a" * 7, 3, len) == ["aaa", "aaa", "a"]
    assert breaking.lines("一\n\n二", 9, len) == ["一", "", "二"]


# --- the model --------------------------------------------------------------------------------------------------------


def test_a_table_has_a_cell_for_every_column():
    with pytest.raises(ValueError, match="every column"):
        Table(heads=("a", "b"), widths=(1, 1), rows=(("x",),))
    with pytest.raises(ValueError, match="zone"):
        Paper(title="t", number="1", unit="u", station="s", made_at=NOW.replace(tzinfo=None), blocks=(), proof=PROOF)


def test_the_footnote_says_what_is_not_signed_yet():
    told = "\n".join(footnote(PROOF))
    assert "《某办法》第十六条：“制作视听资料证据时，应注明证据名称来源”" in told
    assert "第 3–5、9、200 条" in told
    assert "共 100 条" in told
    assert "cd" * 32 in told
    assert "第 200 条尚待" in told
    assert "尚待" not in "".join(footnote(Proof(origin="o", entries=(1,), head_size=2, head_root="ab")))


# --- HTML -------------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def everywhere(text: str) -> Paper:
    return Paper(
        title=text,
        number=text,
        unit=text,
        station=text,
        made_at=NOW,
        blocks=(
            Fields(title=text, rows=(Field(label=text, value=text, note=text), Field(label=text))),
            Table(title=text, heads=(text,), widths=(1,), rows=((text,), (Cell(text=text, note=text),)), note=text),
            Text(title=text, text=text),
            Text(title=text, lines=2),
        ),
        signatures=(text,),
        proof=Proof(origin=text, entries=(1,), rules=(Rule(regulation=text, article=text, quote=text),)),
    )


def test_hostile_text_makes_no_tag_and_turns_no_line():
    page = html.render(everywhere(HOSTILE)).decode()
    calm = html.render(everywhere("甲")).decode()
    hostile, quiet = Tags(), Tags()
    hostile.feed(page)
    quiet.feed(calm)
    assert hostile.seen == quiet.seen
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in hostile.seen}
    assert "<script>alert(1)</script>" in hostile.text
    assert "{{7*7}}" in hostile.text
    assert not re.search("[\x00-\x09\x0b-\x1f\u200b\u202a-\u202e]", page)
    assert page.count("</style>") == 1


def test_a_page_fetches_nothing():
    page = html.render(paper(LONG_TABLE)).decode()
    assert not re.search(r"https?:|//|src=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_a_page_says_everything():
    page = html.render(
        paper(Fields(rows=(Field(label="证明对象"), Field(label="制作人", value="张三", note="注"))), LONG_TABLE)
    ).decode()
    for word in ("证据说明", "dock-07-3f2a", "2026-03-02 09:30:05 CST", "张三", "提取人", "cd" * 32, DIGESTS[-1]):
        assert word in page
    assert page.count("<thead>") == 1
    assert page.count('class="open"') == 1


# --- PDF --------------------------------------------------------------------------------------------------------------


@needs_font
@needs_poppler
def test_a_long_table_goes_over_pages_with_its_heads(tmp_path):
    text = printed(pdf.render(paper(LONG_TABLE), fonts.find()), tmp_path)
    pages = text.split("\f")[:-1]
    assert len(pages) > 3
    for number, page in enumerate(pages, 1):
        assert f"第 {number} 页，共 {len(pages)} 页" in page
        if "DCIM/" in page:
            assert page.count("SHA-256") == 1
    joined = re.sub(r"\s", "", text)
    assert all(digest in joined for digest in DIGESTS)


@needs_font
@needs_poppler
def test_a_cell_has_its_small_print_below(tmp_path):
    table = Table(heads=("名",), widths=(1,), rows=((Cell(text="电量不足。", note="It is low. " * 40),),))
    text = re.sub(r"\s", "", printed(pdf.render(paper(table), fonts.find()), tmp_path, "-raw"))
    assert "电量不足。Itislow." in text
    assert text.count("Itislow.") == 40


@needs_font
@needs_poppler
def test_hostile_text_is_printed_as_text(tmp_path):
    text = printed(pdf.render(everywhere(HOSTILE), fonts.find()), tmp_path, "-raw")
    assert "<script>" in text.replace("\n", "")
    assert "\\u{202e}" in text
    assert not re.search("[\x00-\x08\x1b\u200b\u202a-\u202e]", text)


@needs_font
@needs_poppler
def test_a_character_the_font_lacks_is_named(tmp_path):
    text = printed(pdf.render(paper(Text(text="甲\U0001f642乙ᚠ")), fonts.find()), tmp_path)
    assert "甲[U+1F642]乙" in text


@needs_font
@needs_poppler
def test_a_row_that_fits_on_no_page_is_cut_and_loses_nothing(tmp_path):
    huge = "".join(f"{at:05d}" for at in range(4000))
    table = Table(heads=("名", "值"), widths=(1, 3), rows=(("甲", huge), ("乙", "末")))
    text = printed(
        pdf.render(paper(Fields(rows=(Field(label="x", value="y" * 9000),)), table), fonts.find()), tmp_path, "-raw"
    )
    flat = re.sub(r"证据说明dock-07-3f2a|第\d+页，共\d+页|名值", "", re.sub(r"\s", "", text))
    assert huge in flat
    assert "y" * 9000 in flat
    assert "末" in text


@needs_font
def test_the_same_paper_is_the_same_bytes():
    """Also in another process, whose sets and dictionaries are in another order."""
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import test_paper_rendering as t; "
        "p = t.paper(t.LONG_TABLE, t.Text(text='喆镕')); "
        "print(hashlib.sha256(t.pdf.render(p, t.fonts.find()) + t.html.render(p)).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code, Path(__file__).parent],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


# --- fonts ------------------------------------------------------------------------------------------------------------


def test_without_a_font_one_sentence_names_the_package(tmp_path):
    with pytest.raises(Misused) as told:
        fonts.find(places=(tmp_path / "none.ttc",))
    assert "no Chinese font" in told.value.what
    assert fonts.PACKAGE in told.value.hint


def test_a_named_font_is_never_passed_over(tmp_path):
    with pytest.raises(Misused, match="cannot be read"):
        fonts.find(tmp_path / "gone.ttf")
    (tmp_path / "no.ttf").write_bytes(b"not a font at all")
    with pytest.raises(Misused, match="no font to print Chinese"):
        fonts.find(tmp_path / "no.ttf")
    (tmp_path / "no.ttc").write_bytes(b"ttcf" + bytes(64))
    with pytest.raises(Misused, match="no font to print Chinese"):
        fonts.find(tmp_path / "no.ttc")


@pytest.mark.parametrize("path", fonts.PLACES, ids=lambda path: path.stem)
@needs_poppler
def test_each_of_debians_fonts_can_be_embedded(path, tmp_path):
    if not path.is_file():
        pytest.skip(f"needs {path}")
    text = printed(pdf.render(paper(Text(text="移交回执 abc 019 龘"), proof=PROOF), fonts.find(path)), tmp_path)
    assert "移交回执 abc 019 龘" in text
