"""Files, modules and functions of the project that its texts name are there."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from openscenes.paths import PROJECT

PACKAGE = PROJECT / "lib" / "openscenes"
TEXTS = [
    *(PROJECT / name for name in ("README.md", "Makefile", "lib/pyproject.toml")),
    *sorted((PROJECT / "reports").glob("*.md")),
    *sorted((PROJECT / "notebooks").glob("*.ipynb")),
    *sorted(PACKAGE.rglob("*.py")),
]
SOURCE = r"\.(?:py|js|ipynb|yml|toml)\b"


def prose(path: Path) -> str:
    """Markdown and code of a notebook, or the whole text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


@cache
def files() -> list[str]:
    folders = ("lib", "tests", "notebooks")
    found = [path for folder in folders for path in (PROJECT / folder).rglob("*")]
    return [f"/{path.relative_to(PROJECT).as_posix()}" for path in [*found, *PROJECT.glob("*.*")]]


def missing_files(text: str) -> list[str]:
    """Paths between backticks, as ``method/ipt.py``, that end no path of the project."""
    named = re.findall(rf"`((?:[\w-]+/)+[\w-]+{SOURCE})`", text)
    return [name for name in named if not any(path.endswith(f"/{name}") for path in files())]


@cache
def known_names(file: Path) -> set[str]:
    """What a module binds, imports and annotates, methods included."""
    nodes = [*ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    names = {getattr(node, kind, None) for node in nodes for kind in ("name", "id", "attr", "arg")}
    return {str(name) for name in names}


def missing_names(text: str) -> list[str]:
    """Dotted names from ``openscenes.`` on that lead to no module and to no name in one."""
    missing = []
    for dotted in re.findall(r"\bopenscenes(?!\.egg|\.json)((?:\.[a-z]\w*)+)", text):
        place, rest = PACKAGE, dotted[1:].split(".")
        while rest and (place / rest[0]).is_dir():
            place, rest = place / rest[0], rest[1:]
        file = place / f"{rest[0]}.py" if rest else place
        file, rest = (file, rest[1:]) if file.is_file() else (place / "__init__.py", rest)
        if not set(rest) <= known_names(file):
            missing.append(f"openscenes{dotted}")
    return missing


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_what_a_text_names_is_there(path):
    assert missing_files(prose(path)) == []
    assert missing_names(prose(path)) == []


def test_what_is_gone_is_missed():
    text = "`method/ipt.py`, `method/gone.py`, openscenes.method.ipt.refine, openscenes.method.gone"
    assert missing_files(text) == ["method/gone.py"]
    assert missing_names(f"{text}, openscenes.method.ipt.lost, openscenes.masks.iou") == [
        "openscenes.method.gone", "openscenes.method.ipt.lost",
    ]  # fmt: skip
