"""Log lines: readable by machines, not forgeable by values, without secrets."""

import io
import json
import logging
import unicodedata
import warnings

import pytest
import structlog
from bwcdock import logs
from hypothesis import given, settings
from hypothesis import strategies as st


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def log():
    """Configure, and give back what was written."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()

    def configure(form="json", level="debug", terminal=False, **limits):
        nonlocal stream
        stream = Terminal() if terminal else io.StringIO()
        logs.configure(form, level, stream, **limits)
        return stream

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_json_line_an_event(log):
    stream = log()
    structlog.get_logger("bwcdock.pull").info("pulled", size=5, path="福州/a.mp4", whole=True, missing=None)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "pulled", "level": "info", "logger": "bwcdock.pull",
        "size": 5, "path": "福州/a.mp4", "whole": True, "missing": None,
    }  # fmt: skip
    assert "福州" in stream.getvalue()


def test_auto_is_json_in_a_pipe_and_readable_on_a_terminal(log):
    stream = log("auto")
    structlog.get_logger().info("hello", a=1)
    assert lines(stream)[0]["a"] == 1
    stream = log("auto", terminal=True)
    structlog.get_logger().info("hello", a=1)
    assert not stream.getvalue().startswith("{")
    assert "hello" in stream.getvalue()


def test_a_logger_made_before_follows(log):
    early = structlog.get_logger("early")
    stream = log()
    early.info("one")
    assert lines(stream)[0]["event"] == "one"
    again = log(line_length=300)
    early.info("two", name="v" * 999)
    assert lines(stream)[-1]["event"] == "one"
    assert len(lines(again)[-1]["name"]) == 307


def test_the_level_holds_for_both_kinds(log):
    stream = log(level="warning")
    structlog.get_logger().info("no")
    logging.getLogger("other").info("no")
    structlog.get_logger().warning("yes")
    logging.getLogger("other").warning("yes")
    assert [line["event"] for line in lines(stream)] == ["yes", "yes"]


def test_other_peoples_logging_goes_the_same_way(log):
    stream = log()
    logging.getLogger("watchdog").warning("name %s\nlevel=error", "\x1b[2J\u202e")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)  # once more: leaving pytest's own capture alone
        warnings.warn("old thing", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    first, second = lines(stream)
    assert first["event"] == "name \\u{1b}[2J\\u{202e}\\u{a}level=error"
    assert (first["logger"], first["level"]) == ("watchdog", "warning")
    assert "old thing" in second["event"]


HOSTILE = "a\nb\r\x1b[31m\x00\x9b\u202e\u2066\u200b\u2028\ufeff\ud800"


def test_hidden_characters_are_written_out(log):
    stream = log()
    structlog.get_logger().info(
        HOSTILE, name=HOSTILE, raw=b"\xff\x1b", many=[HOSTILE], table={HOSTILE: HOSTILE}, what=ValueError(HOSTILE)
    )
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\\" in text
    (line,) = lines(stream)
    assert line["name"] == line["event"] == line["what"] == line["many"][0]
    assert line["name"].startswith("a\\u{a}b\\u{d}\\u{1b}[31m\\u{0}\\u{9b}\\u{202e}")
    assert line["raw"] == "\\xff\\u{1b}"
    assert not [c for c in text.replace("\n", "") if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_nothing_hidden_passes(text):
    told = logs.printable(text)
    assert not [c for c in told if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    if not [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]:
        assert told == text


def test_a_value_cannot_forge_a_line_or_a_pair_on_the_console(log):
    stream = log("console")
    structlog.get_logger().info("pulled", name="x\n2026-01-01 [error] forged", other="a size=9", quote='b"c')
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "other='a size=9'" in text
    assert "name='x\\\\u{a}2026-01-01 [error] forged'" in text


def test_a_traceback_cannot_forge_a_line(log):
    for form in ("json", "console"):
        stream = log(form)
        try:
            raise ValueError("bad\nforged line \x1b[0m")
        except ValueError:
            structlog.get_logger().exception("failed")
            logging.getLogger("other").exception("failed too")
        assert "\x1b" not in stream.getvalue()
        if form == "json":
            for line in lines(stream):
                assert "  | forged line \\u{1b}[0m" in line["exception"]
        else:
            started = [li for li in stream.getvalue().splitlines() if not li.startswith("  | ")]
            assert [li for li in started if "forged" in li] == []
            assert "  | forged line" in stream.getvalue()


@pytest.mark.parametrize(
    "name", ["password", "Password", "api_key", "key", "nas-secret", "auth.token", "passwd", "KEY"]
)
def test_secrets_are_not_written(log, name):
    stream = log()
    structlog.get_logger().info("login", **{name: "hunter2", "deep": {name: ["hunter2"], "ok": 1}})
    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0]["deep"] == {name: "(not logged)", "ok": 1}


def test_words_that_only_look_like_secrets_are_written(log):
    stream = log()
    structlog.get_logger().info("x", keyboard="a", monkey="b", keys=3, key=None)
    assert {"keyboard": "a", "monkey": "b", "keys": 3, "key": None}.items() <= lines(stream)[0].items()


def test_values_are_bounded(log):
    stream = log(line_length=300)
    deep = [[[[[["x" * 999]]]]]]
    structlog.get_logger().info("e" * 999, name="v" * 999, many=list(range(999)), deep=deep, control="\n" * 999)
    (line,) = lines(stream)
    assert line["event"] == "e" * 300 + "… (cut)"
    assert len(line["name"]) == 307
    assert len(line["many"]) == 64
    assert len(str(line["deep"])) < 400
    assert len(line["control"]) == 307
    try:
        raise ValueError("y" * 9999 + "the end")
    except ValueError:
        structlog.get_logger().exception("failed")
    trace = lines(stream)[1]["exception"]
    assert len(trace) < 1300
    assert trace.endswith("the end")


def test_a_thing_that_cannot_be_told_does_not_lose_the_event(log):
    class Broken:
        def __str__(self):
            raise RuntimeError("no")

    stream = log()
    structlog.get_logger().info("x", thing=Broken())
    assert "Broken" in lines(stream)[0]["thing"]
