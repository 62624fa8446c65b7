"""Log lines that a machine can read, that nobody can forge through a value, and that keep secrets to themselves."""

import logging
import re
import unicodedata
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog

Form = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error"]

LINE_LENGTH = 4096
"""Characters of one value. The journal splits a line over 48 KiB, and a Chinese character takes three bytes."""

_MEMBERS = 64  # of one list or table in a value; a longer one is not for a log
_DEPTH = 4  # of tables within tables
_SECRET = re.compile(r"(^|[_.-])(password|passwd|secret|token|key)$", re.IGNORECASE)
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format (bidi marks, zero-width), lone surrogates, line separators
_REDACTED = "(not logged)"


def configure(form: Form, level: Level, stream: TextIO, *, line_length: int = LINE_LENGTH) -> None:
    """Send structlog and the standard library's logging (other people's code) to ``stream``, one line an event.

    ``auto`` is a readable console on a terminal and JSON lines anywhere else. May be called again.
    """
    readable = form == "console" or (form == "auto" and stream.isatty())
    clean: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        Cleaner(line_length),
    ]
    render: structlog.types.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if readable:  # puts text with blanks or '=' in quotes, so that no value looks like another pair
        render = structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=clean,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *clean,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a logger made before configure() must follow it
    )


def printable(text: str) -> str:
    r"""``text`` on one line, nothing hidden in it: control, bidi and zero-width characters become ``\u{hex}``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _HIDDEN else c for c in text)


class Cleaner:
    """A structlog processor: every value (and key) printable, bounded in length, and free of secrets.

    A value under a key whose last word is password, secret, token or key is never written. Values that are neither
    numbers nor tables nor lists are written as their text.
    """

    def __init__(self, line_length: int) -> None:
        self._length = line_length

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """The processor's signature."""
        # structlog's own entries (underscored: the stdlib record) pass; a traceback keeps its lines, each made safe.
        return {
            self._cut(printable(str(name))): value
            if name.startswith("_")
            else self._trace(value)
            if name in {"exception", "stack"} and isinstance(value, str)
            else self._value(name, value, _DEPTH)
            for name, value in event.items()
        }

    def _value(self, name: str, value: object, depth: int) -> object:
        if _SECRET.search(name) and value is not None:
            return _REDACTED
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth > 0 and isinstance(value, Mapping):
            members = list(value.items())[:_MEMBERS]
            return {self._cut(printable(str(k))): self._value(str(k), v, depth - 1) for k, v in members}
        if depth > 0 and isinstance(value, list | tuple | set | frozenset):
            return [self._value(name, v, depth - 1) for v in list(value)[:_MEMBERS]]
        if isinstance(value, bytes | bytearray | memoryview):
            value = bytes(value[: self._length]).decode("utf-8", "backslashreplace")
        return self._cut(printable(_text(value)[: 2 * self._length]))

    def _trace(self, text: str) -> str:
        # The bar keeps a line that came in through an exception's message from looking like a log line of its own. The
        # end of a traceback says most, so the beginning is what is cut.
        lines = "\n".join(f"  | {printable(line)}" for line in text.split("\n"))
        return lines if len(lines) <= 4 * self._length else "  | …\n" + lines[-4 * self._length :]

    def _cut(self, text: str) -> str:
        return text if len(text) <= self._length else f"{text[: self._length]}… (cut)"


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # somebody else's __str__: the event matters more
        return f"({type(value).__name__} that cannot be told: {type(error).__name__})"
