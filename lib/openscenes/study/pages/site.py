"""The site: every report as a web page that reads offline, and an index to begin at."""

import os
import re
import shutil
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import quote, unquote

from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from openscenes.errors import DataError, InputError
from openscenes.files import one_line, read_text
from openscenes.paths import OWN, atomic_folder
from openscenes.study.pages.foreign_text import in_markdown
from openscenes.study.pages.inert import make_inert, read_notebook, thumbnail
from openscenes.study.pages.markdown import block_of
from openscenes.study.pages.markup import draw_formulas, name_headings, slug
from openscenes.study.profiles import PROFILES
from openscenes.study.status.reading import read_run
from openscenes.study.status.verification import FAILS, HOLDS, OPEN

TEMPLATE = Path(__file__).with_name("site_template")
INDEX = "index.md"  # the front page, as if it lay in the reports folder
_SUFFIXES = {".md": ".html", ".ipynb": ".html", ".py": ".py.html"}
# A full stop before a digit, as in "Sec. 3.1" or "73.7", ends no sentence.
_SENTENCE = re.compile(r".+?[.][)*`]*(?=\s+[^\s\d]|\s*$)|.+", re.DOTALL)
# Also pages that a browser would run as they are.
_HIDDEN = re.compile(
    r"(^|.*/)\.|.*\.(partial|failed\.ipynb|x?html?|xht|svgz?|xml|mhtml?|hta)$", re.I
)


def write_site(reports: Path, site: Path) -> Path:
    """Write a reports folder as web pages; the same reports give the same bytes.

    The site mirrors the folder, with ``.md`` and ``.ipynb`` as ``.html``; what a page links to
    outside (README, sources) lies below ``project``. A link out of the project, or to a notebook
    not run for that profile, keeps its words only. Nothing is fetched or run; formulas are MathML.

    Args:
        reports: tables, figures and notebooks, and the same in a folder for each profile.
        site: where the pages go; an older site there is replaced whole.
    Returns:
        The page to open, ``index.html``.
    Raises:
        DataError: if there is no table and no notebook, or a link into the reports leads nowhere.
        InputError: if the folder of the site holds something else, or a formula cannot be drawn.
    """
    reports, site = reports.resolve(), site.resolve()
    _check(reports, site)
    readme = [path for path in (reports.parent / "README.md",) if path.is_file()]
    waiting, written = [reports / INDEX, *readme, *_finished(reports)], set()
    with atomic_folder(site) as folder:
        while waiting:
            source = waiting.pop(0)
            if source not in written:
                written.add(source)
                waiting += _publish(source, reports, folder)
        shutil.copyfile(TEMPLATE / "style.css", folder / "style.css")
    return site / "index.html"


def _check(reports: Path, site: Path) -> None:
    if not {"tables", "notebooks"} & {path.parent.name for path in _finished(reports)}:
        raise DataError(
            f"{reports} holds no table and no executed notebook to show; run `make tables` first"
        )
    index = site / "index.html"
    ours = index.is_file() and 'content="openscenes"' in index.read_text(encoding="utf-8")
    if site.is_relative_to(reports) or (site.exists() and any(site.iterdir()) and not ours):
        raise InputError(
            f"the site would replace {site}, which is not an earlier site; give an empty folder "
            "outside the reports"
        )


def _finished(top: Path) -> list[Path]:
    """Every file of a folder, in order, without hidden, unfinished and active ones."""
    inside = top.resolve()
    return [
        path
        for path in sorted(top.rglob("*"))
        if not _HIDDEN.match(path.relative_to(top).as_posix())
        and path.resolve().is_relative_to(inside) and path.is_file()
    ]  # fmt: skip


def _publish(source: Path, reports: Path, folder: Path) -> list[Path]:
    """Put one file into the site; return what it links to outside the reports."""
    place = _place(source, reports)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    if source.suffix not in _SUFFIXES:
        shutil.copyfile(source, folder / place)
        return []
    notebook = _notebook(source, reports)
    resources = {"title": _title(notebook, source), "top": "../" * (len(place.parts) - 1)}
    html, _ = _exporter().from_notebook_node(notebook, resources)
    page = BeautifulSoup(html, "html.parser")
    draw_formulas(page)
    name_headings(page)
    make_inert(page)
    linked = _lead(page, source, reports)
    (folder / place).write_text(str(page), encoding="utf-8")
    return [path for path in linked if not path.is_relative_to(reports)]


@lru_cache(maxsize=1)
def _exporter() -> HTMLExporter:
    return HTMLExporter(
        template_name=TEMPLATE.name, extra_template_basedirs=[str(TEMPLATE.parent)],
        exclude_input_prompt=True, exclude_output_prompt=True,
    )  # fmt: skip


def _place(path: Path, reports: Path) -> Path:
    inside = path.is_relative_to(reports)
    place = path.relative_to(reports) if inside else "project" / path.relative_to(reports.parent)
    return place.with_suffix(_SUFFIXES.get(path.suffix, path.suffix))


def _notebook(source: Path, reports: Path) -> NotebookNode:
    """A page's content as a notebook: one that was run, or markdown, or a module of the project."""
    if source.suffix == ".ipynb":
        return read_notebook(source)
    if source == reports / INDEX:
        return new_notebook(cells=[new_markdown_cell(_index(reports), id="index")])
    text = read_text(source, "page")
    if source.suffix == ".md":
        return new_notebook(cells=[new_markdown_cell(text + _downloads(source), id="page")])
    name = new_markdown_cell(f"# {source.name}", id="name")
    return new_notebook(cells=[name, new_code_cell(text, id="code")])


def _prose(notebook: NotebookNode) -> str:
    return next((str(c.source) for c in notebook.cells if c.cell_type == "markdown"), "")


def _title(notebook: NotebookNode, source: Path) -> str:
    found = re.search(r"^# +(.+?) *$", _prose(notebook), re.MULTILINE)
    return found.group(1) if found else source.stem


def _downloads(source: Path) -> str:
    if source.parent.name != "tables":
        return ""
    mine = re.compile(rf"{re.escape(source.stem)}(?!_plus)(_[a-z]\w*)?\.(csv|json|tex)")
    files = sorted(path.name for path in source.parent.iterdir() if mine.fullmatch(path.name))
    links = " · ".join(f"[{name}]({quote(name)})" for name in files)
    return f"\n\nBehind the table: {links}" if links else ""


def _lead(page: BeautifulSoup, source: Path, reports: Path) -> list[Path]:
    """Lead a page's links to their places in the site; return the files that they lead to."""
    linked: list[Path] = []
    ours = page.nav and page.nav.a
    for tag in page.select("a[href], img[src]"):
        if tag is ours:
            continue
        key = "href" if tag.name == "a" else "src"
        address = str(tag[key])
        if re.match(r"[a-z]+:", address):
            continue
        path, mark, fragment = address.partition("#")
        if not path:
            tag[key] = mark + slug(fragment)
            continue
        try:
            target = (source.parent / unquote(path)).resolve()
            known = _known(target, source, reports)
        except (OSError, ValueError, RuntimeError):  # no disk can hold such a name
            known = False
        if not known:
            tag.unwrap()
            continue
        linked += [target] if target.is_file() else []
        place = _place(target, reports) if target.is_file() else Path("index.html")
        relative = Path(os.path.relpath(place, _place(source, reports).parent)).as_posix()
        tag[key] = quote(relative) + mark + slug(fragment)
    return linked


def _known(target: Path, source: Path, reports: Path) -> bool:
    missing = target.is_relative_to(reports) and not target.exists()
    whole = not source.is_relative_to(reports / OWN.name)  # of one's own runs some are not made
    if missing and whole and not (reports.parent / "notebooks" / target.name).is_file():
        raise DataError(
            f"{one_line(source.name)} links to {one_line(str(target.relative_to(reports)))}, which "
            "is not among the reports; make that table again, or run `make status`"
        )
    here = target.is_relative_to(reports.parent) and target.is_file()
    shown = not missing and not _HIDDEN.match(target.name)
    return shown and (here or target.is_relative_to(reports))


def _index(reports: Path) -> str:
    """The front page as markdown: whether it works, notebooks and tables, profile by profile."""
    status, ranks = reports / "README.md", {name: rank for rank, name in enumerate(PROFILES)}
    works = block_of("does it work", read_text(status, "page")) if status.is_file() else ""
    named = {status: "Status: what was measured and verified", reports / "analysis.md": "Analysis",
             reports.parent / "README.md": "How to make all this"}  # fmt: skip
    links = [f"[{words}]({_address(path, reports)})" for path, words in named.items()
             if path.is_file()]  # fmt: skip
    own = reports / OWN.name
    folders = [reports, own, *(p for top in (reports, own) for p in top.glob("*/") if p != own)]
    folders.sort(key=lambda path: (own in (path, path.parent), ranks.get(path.name, -1), path))
    sections = [_section(path, reports) for path in folders]
    parts = [_INTRODUCTION, works and f"## Does it work?\n\n{works}", " · ".join(links), *sections]
    return "\n\n".join(filter(None, parts))


def _address(path: Path, reports: Path) -> str:
    return quote(Path(os.path.relpath(path, reports)).as_posix())


def _section(top: Path, reports: Path) -> str:
    """One profile's cards and tables; nothing where it has none."""
    found = [path for path in _finished(top) if path.parent.parent == top]
    cards = [_card(path, reports) for path in found if path.suffix == ".ipynb"]
    lines = [_line(path, reports) for path in found if path.match("tables/*.md")]
    if not cards and not lines:
        return ""
    own = reports / OWN.name
    name = "demo" if top in (reports, own) else top.name
    whose = "Your own runs, profile" if own in (top, top.parent) else "Profile"
    head = [f"## {whose} {name}{_data_of(top, name)}", '<div class="cards">', *cards, "</div>"]
    return "\n\n".join([*head, "\n".join(lines)])


def _data_of(top: Path, name: str) -> str:
    """What the images of a folder's tables were, as their runs say it, or else their profile."""
    said: dict[str, None] = {}
    for path in sorted(top.glob("tables/*_run.json")):
        with suppress(DataError):
            said[in_markdown(read_run(path)["profile"]["data"])] = None
    if not said and name in PROFILES:
        said[PROFILES[name].data] = None
    return f": {', '.join(said)}" if said else ""


def _line(source: Path, reports: Path) -> str:
    notebook = _notebook(source, reports)
    text = _first_sentence(_prose(notebook))
    return f"- [{_title(notebook, source)}]({_address(source, reports)}): {text}"


def _card(source: Path, reports: Path) -> str:
    notebook = read_notebook(source)
    head = f"{thumbnail(notebook)}<h3>{escape(_title(notebook, source))}</h3>"
    link = f'<a href="{_address(source, reports)}">{head}</a>'
    return f"<article>{link}\n\n{_found(source) or _first_sentence(_prose(notebook))}\n\n</article>"


def _found(source: Path) -> str:
    """What a table's run found: how many published differences hold, and the largest one."""
    key = re.match(r"table_(\d(?:_plus)?)_", source.name)
    facts = source.parents[1] / "tables" / f"table_{key[1]}_run.json" if key else None
    if facts is None or not facts.is_file():
        return ""
    claims = []
    with suppress(DataError):
        claims = read_run(facts).get("claims", [])
    published = [claim for claim in claims if claim["paper"] is not None]
    counts = Counter(claim["verdict"] for claim in published)
    said = (
        f"Of {len(published)} published differences {counts[HOLDS]} hold here, "
        f"{counts[FAILS]} do not, {counts[OPEN]} cannot be told. "
        if published
        else ""
    )
    clear = [c for c in published or claims if c["low"] > 0 or c["high"] < 0]
    if not clear:
        return said
    most = max(clear, key=lambda claim: abs(claim["ours"]))
    paper = "" if most["paper"] is None else f" (paper {most['paper']:+.1f})"
    where = str(most["block"]).partition(",")[0]
    words = f"{most['better']} against {most['worse']} {most['ours']:+.1f}{paper}, {where}"
    return f"{said}Largest: {in_markdown(words)}."


def _first_sentence(text: str) -> str:
    paragraphs = [part.strip() for part in text.split("\n\n")]
    first = next((part for part in paragraphs if part and not part.startswith("#")), "")
    found = _SENTENCE.match(first)
    return found.group(0) if found else ""


_INTRODUCTION = """# Interact with Open Scenes, rebuilt

A user marks an object with a box and one click inside it; a network predicts a mask. This study
rebuilds how such a model goes on learning from clicks alone: pseudo masks of a new scene are
refined with prototypes of the object (IPT), and while it trains on them its features stay aligned
with what it knew (FA). Each card is a notebook with its results. After Gan, Fan, Wang, Zhang,
MM '22: [doi 10.1145/3503161.3548131](https://doi.org/10.1145/3503161.3548131)."""
