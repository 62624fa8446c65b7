"""The repository's own rules on source text: each takes a text and answers what is wrong with it, by line."""

import ast
import re
from collections.abc import Iterator

LONGEST_FILE = 450
LONGEST_FUNCTION = 70
"""Lines. A function fits on a screen, a file into a head."""

# --- who opens for writing -------------------------------------------------------------------------------------------

_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"}
_METHODS = {
    "write_text", "write_bytes", "touch", "mkdir", "symlink_to", "hardlink_to", "rename", "renames", "link", "symlink",
    "unlink", "rmdir", "removedirs", "makedirs", "mkfifo", "mknod", "ftruncate", "rename_noreplace", "FileHandler",
    "RotatingFileHandler", "TimedRotatingFileHandler", "WatchedFileHandler", "NamedTemporaryFile", "TemporaryFile",
}  # fmt: skip
_OF_OS = {"remove", "replace", "truncate", "rename", "link", "symlink", "unlink", "rmdir", "mkdir", "makedirs"}
_MODULES = {"shutil", "tempfile", "fileinput", "shelve", "dbm"}
_MODE = re.compile(r"[rwxabtU+]{1,4}")


def writes(source: str) -> Iterator[tuple[int, str]]:
    """Everything that opens a file for writing, or makes, moves or removes a name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                for name in names:
                    if name.name.partition(".")[0] in _MODULES:
                        yield node.lineno, f"import {name.name}"
            case ast.ImportFrom(module=str(module), names=names):
                if module.partition(".")[0] in _MODULES:
                    yield node.lineno, f"from {module} import …"
                for name in names:
                    if name.name in _FLAGS or (module == "os" and name.name in _OF_OS | {"open", "fdopen"}):
                        yield node.lineno, f"from {module} import {name.name}"
            case ast.Attribute(attr=attr) if attr in _FLAGS:
                yield node.lineno, f"….{attr}"
            case ast.Attribute(value=ast.Name(id="os"), attr=attr) if attr in _OF_OS:
                yield node.lineno, f"os.{attr}"
            case ast.Call(func=func):
                told = _written_by(node, func)
                if told:
                    yield node.lineno, told


def _written_by(call: ast.Call, func: ast.expr) -> str:
    match func:
        case ast.Name(id="open") | ast.Attribute(value=ast.Name(id="io" | "os" | "codecs"), attr="open" | "fdopen"):
            flags_follow = isinstance(func, ast.Attribute) and func.value.id == "os" and func.attr == "open"
            return "" if flags_follow else _opened(call, first=1)
        case ast.Attribute(attr="open"):
            return _opened(call, first=0)
        case ast.Attribute(value=ast.Name(id="sqlite3"), attr="connect"):
            return "sqlite3.connect"
        case ast.Attribute(attr="replace"):
            # Path.replace takes one thing; str.replace takes two, and that of a date or dataclass names what changes.
            return "….replace(target)" if len(call.args) == 1 and not call.keywords else ""
        case ast.Attribute(attr=attr) | ast.Name(id=attr) if attr in _METHODS:
            return f"….{attr}(…)"
    return ""


def _opened(call: ast.Call, *, first: int) -> str:
    """What a call of ``open`` opens for, where it is for writing; ``first`` is where a mode would stand."""
    mode = next((k.value for k in call.keywords if k.arg == "mode"), None)
    if mode is None and len(call.args) > first:
        mode = call.args[first]
    if mode is None:
        return ""
    if isinstance(mode, ast.Constant) and isinstance(mode.value, str):
        wrote = _MODE.fullmatch(mode.value) and set(mode.value) & set("wxa+")
        return f"open(…, {mode.value!r})" if wrote else ""
    # A driver's or a note's open() takes no mode; the built-in one with a mode that is not written out might write.
    return "open(…, a mode that is not written out)" if first == 1 else ""


# --- shape -----------------------------------------------------------------------------------------------------------


def misshapen(source: str) -> Iterator[tuple[int, str]]:
    """No word on what a module is for; a file or a function that is too long."""
    tree = ast.parse(source)
    if not ast.get_docstring(tree):
        yield 1, "the module says nothing of what it is for"
    lines = source.count("\n") + (not source.endswith("\n"))
    if lines > LONGEST_FILE:
        yield lines, f"the file has {lines} lines, more than {LONGEST_FILE}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield node.lineno, f"{node.name} has {length} lines, more than {LONGEST_FUNCTION}"


# --- words -----------------------------------------------------------------------------------------------------------

# Each is put together here, so that this file does not hold what it forbids.
_WORDS = {
    "a path of one machine": re.compile("/" + r"(?:work|root)/(?!\.)|/" + r"home/(?!<|\$|\{)\w+/"),
    "a path out of the repository": re.compile(r"\.\./" + "shared"),
    "the host of a package registry": re.compile(
        "pypi" + r"\.org|python" + "hosted|debian" + r"\.org|crates\.io|npm" + "js"
    ),
    "unfinished work": re.compile(r"\b(?:TO" + "DO|FIX" + r"ME)\b"),
}


def unwanted(text: str) -> Iterator[tuple[int, str]]:
    """Words that have no place in any file of the repository."""
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in _WORDS.items():
            found = pattern.search(line)
            if found:
                yield number, f"{what}: {found[0]}"


# --- the lock --------------------------------------------------------------------------------------------------------

_PIN = re.compile(r"[a-zA-Z0-9][\w.-]*(?:\[[\w,.-]+\])?==[\w.!+-]+(?: ?; [^\\#]+)?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def unlocked(text: str) -> Iterator[tuple[int, str]]:
    """Lines of a requirements file that pin nothing, carry no hash, or name a place to fetch from."""
    number, whole = 0, ""
    for at, line in enumerate(text.splitlines(), 1):
        number = number if whole else at
        whole += line.removesuffix("\\") if line.endswith("\\") else line
        if line.endswith("\\"):
            continue
        told, whole = whole.strip(), ""
        if not told or told.startswith("#"):
            if "//" in told or re.search(r"\w\.(?:org|com|net|io|cn)\b", told):
                yield number, "names a host"
            continue
        pin, *hashes = told.split(" --")
        if not _PIN.fullmatch(pin.strip()):
            yield number, f"pins nothing: {pin[:60]}"
        elif not hashes:
            yield number, f"has no hash: {pin[:60]}"
        for one in hashes:
            if not _HASH.fullmatch(f"--{one.strip()}"):
                yield number, f"is no SHA-256: {one[:30]}"
    if whole:
        yield number, "ends in the middle"
