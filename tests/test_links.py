"""Every link of README, reports and notebooks leads to a file, and to a heading of it."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from openscenes.paths import PROJECT
from openscenes.study.pages.markup import slug

LINK = re.compile(r"(?<!`)\]\((?![a-z]+:)([^)\s]+)\)")
PAGES = [
    PROJECT / "README.md",
    *sorted((PROJECT / "reports").glob("*.md")),
    *sorted((PROJECT / "notebooks").glob("*.ipynb")),
]


def prose(path: Path) -> str:
    """A page's markdown, without its code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(path: Path) -> set[str]:
    """The names of a page's headings."""
    return {slug(line) for line in re.findall(r"^#+ +(.+)$", prose(path), re.MULTILINE)}


def dead(path: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for address in LINK.findall(prose(path)):
        place, _, name = address.partition("#")
        target = (path.parent / unquote(place)).resolve() if place else path
        known = target.exists() and (not name or slug(name) in headings(target))
        found += [] if known else [address]
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    assert dead(path) == []


def test_a_dead_link_is_seen(tmp_path):
    (tmp_path / "a.md").write_text(
        "# One thing\n[b](b.md) [c](a.md#one-thing) [d](#two) [e](#One-thing)"
    )
    assert dead(tmp_path / "a.md") == ["b.md", "#two"]
