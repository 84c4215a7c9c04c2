"""What code does, as a digest: the name of a model changes with behaviour and with nothing else.

Counted are the top-level definitions that given ones reach by names, as syntax trees without
docstrings, comments, layout, the annotations of functions and the written sources of settings.  A
definition stands for itself by its content, so that moving or renaming it changes nothing.  What
the names do not show is not seen: ``getattr`` with a computed name, data files, which of two
classes of the same content is meant, and forms that the package does without (a test forbids them):
relative and star imports, a name bound in two ways, decorators that register.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import openscenes
from openscenes.errors import OpenScenesError
from openscenes.kept import keep, kept
from openscenes.paths import cache_dir
from openscenes.study.runs.code_text import Definition, Module, Writer

_ONE_THREAD = threading.Lock()  # what is read of the package is no thread's own
_WHOLE = "*"  # in place of a name: the module itself, passed around


@cache
def code_digest(*entries: Callable[..., Any]) -> str:
    """The sha256 of all that functions and classes of this package reach, themselves included.

    It is worked out once for a process: a file that is edited later is not the code that runs; and
    kept, by the bytes of all files of the package.
    """
    names = [f"{entry.__module__}:{entry.__qualname__}" for entry in entries]
    with _ONE_THREAD:
        path = cache_dir() / "code" / f"{_sha(repr((_package().contents, names)))[:20]}.json"
        if (found := kept(path)) is None:
            found = {"digest": _package().digest(*names)}
            with suppress(OSError, OpenScenesError):  # a cache may be full, or only to be read
                keep(path, found)
    return str(found["digest"])


@cache
def _package() -> Sources:
    return Sources(Path(openscenes.__file__).resolve().parent)


class Sources:
    """The definitions of one package; each file is read once, when it is first reached."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modules: dict[str, Module | None] = {}
        self._read: dict[Definition, Writer] = {}

    @cached_property
    def contents(self) -> str:
        """The sha256 of every file of the package, and of the Python that reads them."""
        found = hashlib.sha256(sys.version.encode())
        for path in sorted(self.folder.rglob("*.py")):
            found.update(f"{path.relative_to(self.folder)} {path.stat().st_size}\n".encode())
            found.update(path.read_bytes())
        return found.hexdigest()

    def digest(self, *names: str) -> str:
        """The sha256 of what dotted names of the package reach."""
        entries = [self._entry(name) for name in names]
        labels = self._labels(self.reached(*names))
        told = [sorted(labels[entry] for entry in entries), sorted(set(labels.values()))]
        return _sha(repr(told))

    def reached(self, *names: str) -> frozenset[Definition]:
        """Every definition that dotted names of the package reach, however far away."""
        waiting = [self._entry(name) for name in names]
        found: set[Definition] = set()
        while waiting:
            definition = waiting.pop()
            if definition not in found:
                found.add(definition)
                told = self._tell(definition)
                waiting += [*told.uses, *told.mentions, *self._run_by(definition.module)]
        return frozenset(found)

    def _entry(self, name: str) -> Definition:
        definition, rest = self.find(name)
        if definition is None or (definition.name == _WHOLE and rest):
            raise ValueError(f"{name} is no definition of {self.folder.name}; give one that is.")
        return definition

    def _labels(self, definitions: Iterable[Definition]) -> dict[Definition, str]:
        """A digest for each: equal for two that do the same, wherever they stand.

        Each round looks one reference further, until no round tells more definitions apart: the
        coarsest partition, which needs no order and no end of a cycle.
        """
        told = {definition: self._tell(definition) for definition in definitions}
        texts = {definition: _sha("\n".join(one.text)) for definition, one in told.items()}
        labels, kinds = texts, 0
        while len(set(labels.values())) > kinds:
            kinds = len(set(labels.values()))
            labels = {
                definition: _sha(
                    " ".join([texts[definition], *(labels[used] for used in one.uses)])
                )
                for definition, one in told.items()
            }
        return labels

    def _run_by(self, module: str) -> Iterator[Definition]:
        """Statements that run when a module and the packages around it are imported."""
        parts = module.split(".")
        for n in range(1, len(parts) + 1):
            name = ".".join(parts[:n])
            known = self.module(name)
            for number in range(len(known.statements) if known else 0):
                yield Definition(name, str(number))

    def _tell(self, definition: Definition) -> Writer:
        """A definition as text without names, what it uses in order, what annotations mention."""
        if definition not in self._read:
            module = self.module(definition.module)
            assert module is not None
            writer = self._read[definition] = Writer(self.find, module, definition.name)
            if definition.name == _WHOLE:
                names = sorted(module.bindings)
                writer.text = [" ".join(names)]
                writer.uses = [Definition(definition.module, name) for name in names]
            else:
                writer.write(module.statements_of(definition.name))
        return self._read[definition]

    def module(self, name: str) -> Module | None:
        """A module of the package by its dotted name, or None."""
        if name not in self._modules:
            place = self.folder.parent.joinpath(*name.split("."))
            files = [place / "__init__.py", place.with_suffix(".py")]
            ours = name.split(".")[0] == self.folder.name
            found = [file for file in files if ours and file.is_file()]
            tree = ast.parse(found[0].read_text(encoding="utf-8")) if found else None
            self._modules[name] = None if tree is None else Module(name, tree)
        return self._modules[name]

    def find(self, dotted: str) -> tuple[Definition | None, str]:
        """The definition that "module:name.attribute" leads to through imports, and what is left.

        None, with the text as it was, for what is not of this package.
        """
        base, _, names = dotted.rpartition(":")
        base, names = (base, names) if base else (names.split(".")[0], names.partition(".")[2])
        if self.module(base) is None:
            return None, dotted.replace(":", ".")
        parts = names.split(".") if names else []
        for i, part in enumerate(parts):
            module, left = self._modules[base], parts[i + 1 :]
            assert module is not None
            if part in module.bindings:
                return Definition(base, part), ".".join(left)
            if module.imports.get(part, f"{base}:{part}") != f"{base}:{part}":
                return self.find(".".join([module.imports[part], *left]))
            if self.module(f"{base}.{part}") is not None:
                base = f"{base}.{part}"
            elif part in {"__file__", "__name__"}:  # these say nothing of what the module holds
                return None, f"module.{part}"
            elif "__getattr__" in module.bindings:
                return Definition(base, "__getattr__"), ".".join([part, *left])
            else:
                return Definition(base, _WHOLE), ".".join([part, *left])
        return Definition(base, _WHOLE), ""


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
