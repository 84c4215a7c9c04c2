"""Python source as text that tells behaviour: no names of definitions, no words for readers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from openscenes.settings import setting

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_IN_SCOPE_OF_ITS_OWN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
_LEFT_OUT = frozenset({"annotation", "returns", "type_comment", "type_params", "ctx", "kind"})


class Definition(NamedTuple):
    """A top-level name of a module, or by its number a statement that binds no name."""

    module: str
    name: str


@dataclass(frozen=True)
class Module:
    """A parsed file: what its names are bound to."""

    name: str
    tree: ast.Module

    @cached_property
    def imports(self) -> dict[str, str]:
        """Dotted text by name."""
        return {name: text for name, text in _bound(self.tree.body).items() if text is not None}

    @cached_property
    def bindings(self) -> dict[str, list[ast.stmt]]:
        """The statements that bind a name, except imports."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            for name, text in _bound([statement]).items():
                if text is None and name != "_":
                    found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """What runs at import and binds no name, or may do more than to bind one."""
        binding = {id(s) for bound in self.bindings.values() for s in bound}
        binding -= {id(s) for s in self.tree.body if isinstance(s, _COMPOUND)}
        return [s for s in self.tree.body if id(s) not in binding and not _says_nothing(s)]

    def statements_of(self, name: str) -> list[ast.stmt]:
        """Of a name or, for a number, the one that binds none."""
        return [self.statements[int(name)]] if name.isdigit() else self.bindings[name]


@dataclass
class Writer:
    """Writes syntax trees as text in which references to definitions are only counted."""

    find: Callable[[str], tuple[Definition | None, str]]
    module: Module
    own: str
    text: list[str] = field(default_factory=list)
    uses: list[Definition] = field(default_factory=list)
    mentions: set[Definition] = field(default_factory=set)
    scopes: list[tuple[bool, dict[str, str | None]]] = field(default_factory=list)

    def write(self, node: Any) -> None:
        """Append a node, a list of nodes or a plain value."""
        match node:
            case list():
                self.text.append("[")
                for item in node:
                    self.write(item)
                self.text.append("]")
            case ast.Name() | ast.Attribute():
                self._write_name(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._write_function(node)
            case ast.ClassDef():
                self._write_fields(node, {"name", "body"})
                self._declare(node.name)
                self._write_inside(node, [node.body])
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._write_comprehension(node)
            case ast.Call(func=func) if self._dotted(func) == _SETTING:
                others = [keyword for keyword in node.keywords if keyword.arg != "source"]
                self.write([func, *node.args[:1], *others])
            case ast.AnnAssign():
                self._write_annotated(node)
            case ast.Global():
                self.text.append("Global")
            case ast.AST():
                if not _says_nothing(node):
                    self._write_fields(node)
            case _:
                self.text.append(f"{type(node).__name__} {node!r}")

    def _write_fields(self, node: ast.AST, but: set[str] | frozenset[str] = frozenset()) -> None:
        self.text.append(type(node).__name__)
        for name, value in ast.iter_fields(node):
            if name in _LEFT_OUT:
                self._mention(value)
            elif value is not None and value != [] and name not in but:
                self.text.append(name)
                self.write(value)

    def _write_name(self, node: ast.Name | ast.Attribute) -> None:
        dotted = self._dotted(node)
        if dotted is None:
            self._write_fields(node)
            return
        definition, rest = self.find(dotted)
        if definition == Definition(self.module.name, self.own):
            self.text.append(f"own {rest}")
        elif definition is None:
            self.text.append(f"name {rest}")
        else:
            self.uses.append(definition)
            self.text.append(f"use {rest}")

    def _dotted(self, node: ast.AST) -> str | None:
        """Dotted text from the package's or another's root; None for what is local."""
        rest = ""
        while isinstance(node, ast.Attribute):
            rest = f".{node.attr}{rest}"
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        for depth, (of_class, names) in enumerate(reversed(self.scopes)):
            # The body of a class binds its own names, but may read an outer one of the same name.
            if node.id in names and (not of_class or (depth == 0 and _stores(node))):
                text = names[node.id]
                return None if text is None else text + rest
        if node.id in self.module.bindings:
            return f"{self.module.name}:{node.id}{rest}"
        outer = self.module.imports.get(node.id)
        return None if outer is None else outer + rest

    def _declare(self, name: str) -> None:
        """Write the name of a function or class, which a caller does not see at top level."""
        if self.scopes:
            self.text.append(name)
        else:
            self._write_name(ast.Name(name))

    def _write_function(self, node: _Function) -> None:
        if not isinstance(node, ast.Lambda):
            self._write_fields(node, {"name", "args", "body"})
            self._declare(node.name)
        arguments = node.args
        self.write([arguments.defaults, arguments.kw_defaults])
        for kind in ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg"):
            found = getattr(arguments, kind) or []
            for argument in found if isinstance(found, list) else [found]:
                self.text.append(f"{kind} {argument.arg}")
                self._mention(argument.annotation)
        self._write_inside(node, [node.body])

    def _write_comprehension(self, node: _Comprehension) -> None:
        self.text.append(type(node).__name__)
        first, *others = node.generators
        self.write(first.iter)
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._write_inside(node, [first.target, first.ifs, first.is_async, others, results])

    def _write_annotated(self, node: ast.AnnAssign) -> None:
        """A field of a class is decided by its annotation too; elsewhere it only tells types."""
        in_class = bool(self.scopes) and self.scopes[-1][0]
        if in_class:
            self.write([node.target, node.annotation, node.value])
        else:
            self._mention(node.annotation)
            if node.value is not None:
                self.write(ast.Assign([node.target], node.value))

    def _write_inside(self, node: ast.AST, parts: list[Any]) -> None:
        self.scopes.append((isinstance(node, ast.ClassDef), _names_of(node)))
        self.write(parts)
        self.scopes.pop()

    def _mention(self, annotation: Any) -> None:
        """Follow an annotation without a word of it in the text."""
        if isinstance(annotation, ast.expr):
            aside = Writer(self.find, self.module, self.own, scopes=self.scopes)
            aside.write(annotation)
            self.mentions |= {*aside.uses, *aside.mentions}


_SETTING = f"{setting.__module__}:{setting.__qualname__}"


def _names_of(node: ast.AST) -> dict[str, str | None]:
    """What a function, class or comprehension binds: dotted text for imports, else None."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        names = {arg.arg: None for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
        return names | _bound(node.body if isinstance(node.body, list) else [node.body])
    if isinstance(node, ast.ClassDef):
        return _bound(node.body)
    assert isinstance(node, _Comprehension)
    return _bound([generator.target for generator in node.generators])


def _bound(nodes: Iterable[ast.AST]) -> dict[str, str | None]:
    """Names bound by statements, those inside functions, classes and comprehensions left out."""
    found: dict[str, str | None] = {}
    elsewhere: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Import() | ast.ImportFrom():
                found |= _imported(node)
                continue
            case ast.Global() | ast.Nonlocal():
                elsewhere |= set(node.names)
            case ast.Name() if _stores(node):
                found[node.id] = None
            case ast.AST():
                name = getattr(node, "name", None) or getattr(node, "rest", None)
                found |= {name: None} if isinstance(name, str) else {}
        if isinstance(node, _Comprehension):
            inside = [n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr)]
            found |= {target.id: None for target in inside}
        elif not isinstance(node, (*_IN_SCOPE_OF_ITS_OWN, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return {name: text for name, text in found.items() if name not in elsewhere}


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str | None]:
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name: f"{node.module}:{alias.name}" for alias in node.names}
    plain = [alias.name.split(".")[0] for alias in node.names if not alias.asname]
    aliased = {alias.asname: alias.name for alias in node.names if alias.asname}
    return {**aliased, **dict(zip(plain, plain, strict=True))}


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store | ast.Del)


def _says_nothing(node: ast.AST) -> bool:
    """Imports, which count where their names are used, and strings that stand alone."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return True
    return False
