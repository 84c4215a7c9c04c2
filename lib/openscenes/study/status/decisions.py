"""Where data, networks, method and peers depart from the paper: ``Ours`` in their docstrings."""

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from openscenes.settings import sources
from openscenes.study.pages.markdown import counted, folded

FOLDERS = ("data", "networks", "method", "peers")
# A label only where a line or a sentence begins: a docstring may also speak about the word.
_LABEL = r"(?:^|(?<=[.;:)]\s)|(?<=\s\s))Ours:\s+"
_END = (
    r"\n\s*\n|\n\s*(?:Args|Returns|Raises|Yields|Attributes|Paper|Symbols):|\s\sPaper:"
    rf"|{_LABEL}|\Z"
)
_OURS = re.compile(rf"{_LABEL}(.*?)(?={_END})", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Decision:
    """One choice of ours: where it is made, and the sentences that say so."""

    module: str
    owner: str
    text: str


def decisions(package: Path) -> list[Decision]:
    """Every choice named in the docstrings of a package's ``FOLDERS``, in order of appearance."""
    found = []
    for path in (p for name in FOLDERS for p in sorted((package / name).rglob("*.py"))):
        module = path.relative_to(package.parent).as_posix()
        for owner, docstring in _docstrings(ast.parse(path.read_text(encoding="utf-8"))):
            found += [Decision(module, owner, text) for text in ours(docstring)]
    return found


def ours(docstring: str) -> list[str]:
    """The texts that follow ``Ours:``, up to the end of the paragraph or the next label."""
    return [" ".join(text.split()) for text in _OURS.findall(inspect.cleandoc(docstring))]


def _docstrings(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name inside the module, docstring); the module itself has the name ""."""
    if isinstance(tree, ast.Module):
        yield "", ast.get_docstring(tree) or ""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}", ast.get_docstring(node) or ""
            yield from _docstrings(node, f"{prefix}{node.name}.")


def decisions_page(package: Path) -> str:
    """Markdown: every decision, a fold for each folder of the package."""
    parts = [
        "# Where we depart from the paper\n\nCollected from the docstrings of the code that decides"
        " numbers: what the paper leaves open and we chose, what we approximate, what is ours."
    ]
    for folder, group in groupby(decisions(package), lambda each: each.module.split("/")[1]):
        mine = list(group)
        modules = groupby(mine, lambda each: each.module)
        body = "\n\n".join(
            f"**[{module}](../lib/{module})**\n\n"
            + "\n".join(f"- `{each.owner or 'module'}`: {each.text}" for each in those)
            for module, those in modules
        )
        parts.append(folded(f"{folder}: {counted(len(mine), 'decision')}", body))
    return "\n\n".join(parts)


@dataclass(frozen=True)
class Setting:
    """One field of a configuration: its default, and where that default comes from."""

    name: str
    default: Any
    source: str


def settings_of(*configs: Any) -> list[Setting]:
    """Every sourced field of configurations and of those inside them, each class once."""
    found: dict[str, Setting] = {}
    for owner in (owner for config in configs for owner in _nested(config)):
        defaults = {item.name: item.default for item in dataclasses.fields(owner)}
        for field, source in sources(owner).items():
            name = f"{owner.__name__}.{field}"
            found[name] = Setting(name, defaults[field], source)
    return list(found.values())


def _nested(config: Any) -> Iterator[type]:
    """The class of a dataclass instance and of every dataclass instance inside it."""
    yield type(config)
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            yield from _nested(value)
