"""Doors ``finished``, ``status``, ``site`` and ``notebook``: what the study keeps and shows."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
from bs4 import BeautifulSoup
from tests.fuzz.frame import Place, check
from tests.fuzz.mutations import (
    BYTES,
    NO_FILE,
    ODD_TEXT,
    SAVED,
    each,
    odd_json,
    to_text,
)

from openscenes.paths import PROJECT
from openscenes.study.pages import notebooks
from openscenes.study.pages.site import write_site
from openscenes.study.runs import finished, store
from openscenes.study.status.page import write_status


def _changed(path: Path, kind: str, place: Place) -> None:
    """Change a JSON file, or put something else in its place."""
    if kind == "tree":
        changed, _ = odd_json(place.random, {"all": json.loads(path.read_text())})
        path.write_text(to_text(changed.get("all")))
    elif kind in NO_FILE:
        NO_FILE[kind](path)
    else:
        path.write_bytes(BYTES[kind](place.random, path.read_bytes()))


def _finished(kind: str, place: Place) -> None:
    """A damaged note of what was made: made again, or exactly what was written."""
    page = place.work / "table.md"
    page.write_text("a table")
    place.protect(page)
    finished.remember("a" * 20, [page])
    (note,) = (place.cache / "finished").iterdir()
    _changed(note, kind, place)
    found = place.good(finished.pages, "a" * 20)
    check(found in (None, [], [page]), "other pages than were written")
    check(found != [] or kind == "tree", "a damaged note counts as finished")


def _spent(kind: str, place: Place) -> None:
    """A damaged note of the seconds that a killed run took counts as none."""
    (place.work / "resume.safetensors").write_bytes(b"x")
    store.put_json(place.work / store.SPENT, {"s": 5.0, "began": 1.0})
    _changed(place.work / store.SPENT, kind, place)
    seconds = place.good(store.stopwatch, place.work)()
    check(isinstance(seconds, float) and 0 <= seconds < 1e10, f"{seconds} s")


def _scores(kind: str, place: Place) -> None:
    """Kept scores that were damaged are computed again."""
    right = pd.DataFrame(
        {"object_id": ["a/1", "NA"], "class_name": ["None", "x"], "iou": [0.5, 0.25]}
    )
    place.good(store.kept_scores, {"a": 1}, lambda: right)
    (path,) = (path for path in (place.cache / "scores").iterdir() if path.is_file())
    if kind in NO_FILE:
        NO_FILE[kind](path)
    elif kind != "whole":
        path.write_bytes(BYTES[kind](place.random, path.read_bytes()))
    again = place.try_(store.kept_scores, {"a": 1}, lambda: right)
    check(again is None or again.equals(right), "other scores than were computed")
    check(again is not None or kind in NO_FILE, f"the scores are refused: {place.refused}")


def _reports(place: Place) -> Path:
    """The project's reports with one table of each kind."""
    folder = place.work / "reports"
    (folder / "tables").mkdir(parents=True)
    for path in (PROJECT / "reports" / "tables").glob("table_5*"):
        shutil.copy(path, folder / "tables")
    return folder


def _status(kind: str, place: Place) -> None:
    """Damaged reports: refused in a sentence, or a page that runs nothing."""
    folder = _reports(place)
    part, how = kind.split("-")
    path = {"run": folder / "tables/table_5_run.json", "cells": folder / "tables/table_5.csv",
            "objects": folder / "tables/table_5_objects.csv"}[part]  # fmt: skip
    if how == "saved":
        path.write_bytes(SAVED[place.random.choice(list(SAVED)[:6])](path.read_text()))
    else:
        _changed(path, how, place)
    page = place.try_(write_status, folder)
    check(page is not None or not (folder / "README.md").exists(), "half a page is left")
    if page is not None:
        check(page.read_text(encoding="utf-8").startswith("# Status"), "a page that is none")


def _site(kind: str, place: Place) -> None:
    """Pages of damaged or hostile reports run nothing in a browser and show nothing else's."""
    folder = _reports(place)
    page = folder / "tables/table_5.md"
    text = page.read_text(encoding="utf-8")
    odd = place.random.choice([
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))",
        "![a](../../../secret.png)", "[a](/etc/passwd)", "<iframe src='javascript:x'></iframe>",
        "<svg onload=alert(1)>", "$\\unknown{x}$", "$$", "[a](nowhere.md)", "<object data='x'>",
        "<a href='data:text/html,x'>a</a>", "| a |\n|", "\ud83d", "&lt;script&gt;",
        "<math><mi xlink:href='javascript:alert(1)'>",
    ]).encode("utf-8", "replace").decode()  # fmt: skip
    if kind == "text":
        page.write_text(text + "\n\n" + odd, encoding="utf-8")
    elif kind == "title":
        page.write_text(f"# {odd}\n\n{odd} is.\n", encoding="utf-8")
    elif kind == "name":
        word = place.random.choice(
            [w for w in ODD_TEXT if w.strip(". ") and not set("\0/\ud800") & set(w)]
        )
        page.rename(folder / "tables" / f"{word[:90]}.md")
    elif kind == "notebook":
        cells = [nbformat.v4.new_markdown_cell(f"# {odd}\n\n{odd}", id="a"),
                 nbformat.v4.new_code_cell("1", id="b", outputs=[nbformat.v4.new_output(
                     "display_data", {"text/html": odd, "text/plain": odd})])]  # fmt: skip
        (folder / "notebooks").mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "notebooks" / "lesson.ipynb")
    else:
        page.write_bytes(BYTES[kind](place.random, page.read_bytes()))
    index = place.try_(write_site, folder, place.work / "site")
    if index is None:
        check(not (place.work / "site").exists(), "half a site is left")
        return
    for path in (place.work / "site").rglob("*.html"):
        for tag in BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").find_all(True):
            active = tag.name in ("script", "iframe", "object", "embed") or any(
                key.startswith("on") or "javascript:" in str(value) or "data:text" in str(value)
                for key, value in tag.attrs.items())  # fmt: skip
            check(not active, f"what runs in a browser: {str(tag)[:100]}")
    check(not list((place.work / "site").rglob("secret*")), "a file from outside is shown")


def _notebook(kind: str, place: Place) -> None:
    """Notebooks and parameters that cannot be run are refused before a kernel starts."""
    tags, text = {"tags": ["parameters"]}, 'name: str = "a"  # what'
    cells = [nbformat.v4.new_markdown_cell("# Title", id="a"),
             nbformat.v4.new_code_cell(text, id="b", metadata=tags)]  # fmt: skip
    source, parameters = place.work / "n.ipynb", {"name": "b"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    if kind == "value":
        odd = (Path("x"), (1, 2), {1: 2}, object(), b"x", {1, 2}, 1j, [Path("x")], {"a": (1,)})
        parameters = {"name": place.random.choice(odd)}
    elif kind == "key":
        parameters = {place.random.choice([*ODD_TEXT, "names", 1]): "b"}
    elif kind in ("no-cell", "two-cells"):
        kept = (
            cells[:1]
            if kind == "no-cell"
            else [*cells, nbformat.from_dict(dict(cells[1]) | {"id": "c"})]
        )
        nbformat.write(nbformat.v4.new_notebook(cells=kept), source)
    elif kind in NO_FILE:
        NO_FILE[kind](source)
    else:
        source.write_bytes(b"{" + BYTES[kind](place.random, source.read_bytes()))
    place.bad(notebooks.execute, source, place.work / "out.ipynb", parameters)
    check(not (place.work / "out.ipynb").exists(), "an output of nothing")


def _all(case: Callable, n_bytes: int) -> dict:
    return each(n_bytes, case, BYTES) | each(1, case, NO_FILE)


_PARTS = [
    f"{part}-{how}" for part in ("run", "cells", "objects") for how in (*BYTES, *NO_FILE, "saved")
]
DOORS = {
    "finished": _all(_finished, 2) | each(12, _finished, ("tree",))
    | {f"spent-{k}": one for k, one in (_all(_spent, 2) | each(12, _spent, ("tree",))).items()}
    | {f"scores-{k}": one for k, one in (_all(_scores, 3) | each(1, _scores, ("whole",))).items()},
    "status": each(1, _status, _PARTS) | each(25, _status, ("run-tree",)),
    "site": each(12, _site, ("text", "title", "notebook", "name")) | each(1, _site, BYTES),
    "notebook": _all(_notebook, 1) | each(10, _notebook, ("value", "key"))
    | each(1, _notebook, ("no-cell", "two-cells")),
}  # fmt: skip
