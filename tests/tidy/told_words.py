"""What the program tells by a word of its own: the texts given to a parameter, followed through the syntax tree."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
ANY = "*"
"""Stands in a text for what is only known when it is told."""


@dataclass(frozen=True)
class Told:
    """One text, or where ``text`` is empty an expression that could not be followed: ``why`` is its source."""

    path: Path
    line: int
    text: str
    why: str = ""


class Source:
    """One file, read once: its tree, its constants, its functions, and each scope with the calls in it."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        nodes = list(ast.walk(self.tree))
        self.functions = [node for node in nodes if isinstance(node, Function)]
        self.constants = dict(_assigned(self.tree.body))
        self.properties = {
            node.name: node.body[-1].value
            for node in self.functions
            if isinstance(node, ast.FunctionDef) and node.decorator_list and isinstance(node.body[-1], ast.Return)
        }
        self.imported = {
            alias.asname or alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        self.calls = [(scope, list(_calls(scope))) for scope in (self.tree, *self.functions)]


_source = cache(Source)


class Module:
    """One module, and the functions in it that hand a parameter on."""

    def __init__(self, path: Path, source: str, parameter: str, hands_on: Callable[[Function], bool]) -> None:
        self.path = path
        self.parameter = parameter
        self.source = _source(source)
        self.handing = {
            node.name: names.index(parameter)
            for node in self.source.functions
            if parameter in (names := [a.arg for a in node.args.args if a.arg not in {"self", "cls"}])
            and hands_on(node)
        }

    def told(self, handing: dict[str, int], makers: Iterable[str]) -> Iterator[Told]:
        """Every text given to the parameter; ``handing`` are the functions of other modules that hand it on."""
        known = {name: at for name, at in handing.items() if name in self.source.imported} | self.handing
        for scope, calls in self.source.calls:
            for call in calls:
                expression = self._given(call, known, makers)
                if expression is not None:
                    yield from self._texts(expression, scope, call.lineno)

    def _given(self, call: ast.Call, known: dict[str, int], makers: Iterable[str]) -> ast.expr | None:
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        if name not in known and name not in makers:
            return None
        for keyword in call.keywords:
            if keyword.arg == self.parameter:
                return keyword.value
        at = known.get(name, 0)
        if name in makers and name not in known and call.keywords:  # a value of ours: all its fields are named
            return None
        return call.args[at] if len(call.args) > at else None

    def _texts(self, expression: ast.expr, scope: ast.AST, line: int) -> Iterator[Told]:
        match expression:
            case ast.Constant(value=str(text)):
                yield Told(self.path, line, text)
            case ast.JoinedStr(values=parts):
                yield Told(self.path, line, "".join(self._part(part) for part in parts))
            case ast.IfExp(body=one, orelse=other):
                yield from self._texts(one, scope, line)
                yield from self._texts(other, scope, line)
            case ast.Attribute(attr=attr) if attr == self.parameter:  # of something that was told before
                return
            case ast.Attribute(attr=attr) if attr in self.source.properties:
                yield from self._texts(self.source.properties[attr], scope, line)
            case ast.Name(id=name):
                yield from self._named(name, scope, line)
            case _:
                yield Told(self.path, line, "", ast.unparse(expression))

    def _named(self, name: str, scope: ast.AST, line: int) -> Iterator[Told]:
        if isinstance(scope, Function):
            found = [value for target, value in _assigned(list(ast.walk(scope))) if target == name]
            for value in found:
                yield from self._texts(value, scope, line)
            if found:
                return
            if name == self.parameter and scope.name in self.handing:
                return  # whoever calls it is asked
        if name in self.source.constants:
            yield from self._texts(self.source.constants[name], self.source.tree, line)
        else:
            yield Told(self.path, line, "", name)

    def _part(self, part: ast.expr) -> str:
        if isinstance(part, ast.Constant):
            return str(part.value)
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        known = self.source.constants.get(inner.id) if isinstance(inner, ast.Name) else None
        return known.value if isinstance(known, ast.Constant) else ANY


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for target, value in zip(names, values, strict=True):
                    if isinstance(target, ast.Name):
                        yield target.id, value


def _calls(scope: ast.AST) -> Iterator[ast.Call]:
    """The calls of a module or function, without those of the functions inside it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            waiting += node.decorator_list
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting += ast.iter_child_nodes(node)


def told(
    sources: Iterable[tuple[Path, str]],
    parameter: str,
    *,
    makers: Iterable[str],
    hands_on: Callable[[Function], bool] = lambda _: True,
) -> list[Told]:
    """Every text that these modules give to ``parameter`` of the ``makers``, or of a function that hands it on."""
    modules = [Module(path, source, parameter, hands_on) for path, source in sources]
    handing: dict[str, int] = {}
    for module in modules:
        handing |= module.handing
    return [each for module in modules for each in module.told(handing, set(makers))]
