"""The site: every report as a web page that reads offline, and an index to begin at."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape, unescape
from pathlib import Path
from urllib.parse import quote, unquote

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters import Highlight2HTML, markdown2html_mistune
from nbformat import NotebookNode
from PIL import Image

from openscenes.errors import DataError, InputError
from openscenes.study.pages.formulas import as_mathml
from openscenes.study.profiles import PROFILES

_SUFFIXES = {".md": ".html", ".ipynb": ".html", ".py": ".py.html"}
_LINK = re.compile(r'<a\b[^>]*?\bhref="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_IMAGE = re.compile(r'<img\b[^>]*?\bsrc="([^"]*)"[^>]*>()')
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
# A full stop before a digit, as in "Sec. 3.1" or "73.7", ends no sentence.
_SENTENCE = re.compile(r".+?[.][)*`]*(?=\s+[^\s\d]|\s*$)|.+", re.DOTALL)


def write_site(reports: Path, site: Path) -> Path:
    """Write a reports folder as web pages; the same reports give the same bytes.

    Ours: the site mirrors the folder, with ``.md`` and ``.ipynb`` as ``.html``; what a page links
    to outside (README, sources) lies below ``project``. A link out of the project, or to a notebook
    not run for that profile, keeps its words only. Nothing is fetched or run; formulas are MathML.

    Args:
        reports: tables, figures and notebooks, and the same in a folder for each profile.
        site: where the pages go; an older site there is replaced whole.
    Returns:
        The page to open, ``index.html``.
    Raises:
        DataError: if there is no table and no notebook, or a link into the reports leads nowhere.
        InputError: if the folder of the site holds something else.
    """
    reports, site = reports.resolve(), site.resolve()
    _check(reports, site)
    readme = [path for path in (reports.parent / "README.md",) if path.is_file()]
    waiting, written = [*readme, *_finished(reports)], set()
    with _replaced(site) as folder:
        _write(folder / "style.css", _STYLE)
        _write(folder / "index.html", _page(_index(reports, readme), "All results", Path()))
        while waiting:
            source = waiting.pop(0)
            if source not in written:
                written.add(source)
                waiting += _publish(source, reports, folder)
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


@contextmanager
def _replaced(site: Path) -> Iterator[Path]:
    """A folder to fill, which takes the old one's place when the block ends well."""
    partial = site.with_name(f".{site.name}.{os.getpid()}.partial")
    try:
        yield partial
        shutil.rmtree(site, ignore_errors=True)
        partial.rename(site)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _finished(top: Path) -> list[Path]:
    """Every file below a folder, in order, without hidden and unfinished ones."""
    hidden = re.compile(r"(^|.*/)\.|.*\.(partial|failed\.ipynb)$")
    names = [path.relative_to(top).as_posix() for path in sorted(top.rglob("*")) if path.is_file()]
    return [top / name for name in names if not hidden.match(name)]


def _publish(source: Path, reports: Path, folder: Path) -> list[Path]:
    """Put one file into the site; return what it links to outside the reports."""
    place = _place(source, reports)
    if source.suffix not in _SUFFIXES:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / place)
        return []
    title, body = _converted(source)
    body, linked = _led(body + _downloads(source), source, reports)
    _write(folder / place, _page(body, title, place))
    return [path for path in linked if not path.is_relative_to(reports)]


def _place(path: Path, reports: Path) -> Path:
    """Where a file of the project lies in the site."""
    inside = path.is_relative_to(reports)
    place = path.relative_to(reports) if inside else "project" / path.relative_to(reports.parent)
    return place.with_suffix(_SUFFIXES.get(path.suffix, path.suffix))


def _converted(source: Path) -> tuple[str, str]:
    """Title and html of a notebook, of markdown, or of a module of the project."""
    if source.suffix == ".ipynb":
        notebook = nbformat.read(source, as_version=4)
        exporter = HTMLExporter(
            template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
        )
        html, _ = exporter.from_notebook_node(notebook)
        return _title(_prose(notebook), source), as_mathml(_SCRIPT.sub("", html))
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".md":
        return _title(text, source), as_mathml(markdown2html_mistune(text))
    code = Highlight2HTML(pygments_lexer="python")(text)
    return source.name, f"<h1>{escape(source.name)}</h1>\n{code}"


def _prose(notebook: NotebookNode) -> str:
    """The first markdown cell of a notebook."""
    return next((str(c.source) for c in notebook.cells if c.cell_type == "markdown"), "")


def _title(text: str, source: Path) -> str:
    found = re.search(r"^# +(.+?) *$", text, re.MULTILINE)
    return found.group(1) if found else source.stem


def _downloads(source: Path) -> str:
    """Links to the files that belong to a table."""
    if source.parent.name != "tables":
        return ""
    mine = re.compile(rf"{re.escape(source.stem)}(?!_plus)(_[a-z]\w*)?\.(csv|json|tex)")
    files = sorted(path.name for path in source.parent.iterdir() if mine.fullmatch(path.name))
    links = " · ".join(f'<a href="{quote(name)}">{escape(name)}</a>' for name in files)
    return f"<p>Behind the table: {links}</p>" if links else ""


def _led(html: str, source: Path, reports: Path) -> tuple[str, list[Path]]:
    """A page with its links led to their places in the site, and the files they lead to."""
    linked: list[Path] = []

    def led(match: re.Match[str]) -> str:
        address = match.group(1)
        if re.match(r"[a-z]+:|#", address):
            return match.group(0)
        path, mark, fragment = unescape(address).partition("#")
        target = (source.parent / unquote(path)).resolve()
        if not _known(target, source, reports):
            return match.group(2)
        linked.extend([target] if target.is_file() else [])
        place = _place(target, reports) if target.is_file() else Path("index.html")
        relative = Path(os.path.relpath(place, _place(source, reports).parent)).as_posix()
        moved = escape(quote(relative) + mark + fragment)
        return match.group(0).replace(f'"{address}"', f'"{moved}"', 1)

    return _IMAGE.sub(led, _LINK.sub(led, html)), linked


def _known(target: Path, source: Path, reports: Path) -> bool:
    """Whether the site has a place for what a page links to."""
    missing = target.is_relative_to(reports) and not target.exists()
    if missing and not (reports.parent / "notebooks" / target.name).is_file():
        raise DataError(
            f"{source.name} links to {target.relative_to(reports)}, which is not among the "
            "reports; make that table again, or run `make status` for the status page"
        )
    here = target.is_relative_to(reports.parent) and target.is_file()
    return not missing and (here or target.is_relative_to(reports))


def _index(reports: Path, readme: list[Path]) -> str:
    """Cards of the notebooks and a list of the tables, profile by profile."""
    named = {reports / "README.md": "What is verified, what was decided"}
    named |= {path: "How to make all this" for path in readme}
    links = [_to(path, reports, words) for path, words in named.items() if path.is_file()]
    ranks = {name: rank for rank, name in enumerate(PROFILES)}
    folders = [path for path in sorted(reports.iterdir()) if path.is_dir()]
    folders.sort(key=lambda path: ranks.get(path.name, len(ranks)))
    sections = [_section(path, reports) for path in [reports, *folders]]
    return "\n".join([_INTRODUCTION, f"<p>{' · '.join(links)}</p>", *filter(None, sections)])


def _to(path: Path, reports: Path, words: str) -> str:
    return f'<a href="{quote(_place(path, reports).as_posix())}">{words}</a>'


def _section(top: Path, reports: Path) -> str:
    """One profile's cards and tables; nothing where it has none."""
    found = [path for path in _finished(top) if path.parent.parent == top]
    cards = [_card(path, reports) for path in found if path.suffix == ".ipynb"]
    lines = [_line(path, reports) for path in found if path.match("tables/*.md")]
    if not cards and not lines:
        return ""
    name = "demo" if top == reports else top.name
    data = f": {PROFILES[name].data}" if name in PROFILES else ""
    head = [f"<h2>Profile {escape(name + data)}</h2>", '<div class="cards">']
    return "\n".join([*head, *cards, "</div>", "<ul>", *lines, "</ul>"])


def _line(source: Path, reports: Path) -> str:
    text = source.read_text(encoding="utf-8")
    title = _to(source, reports, escape(_title(text, source)))
    return f"<li>{title}: {_first_sentence(text)}</li>"


def _card(source: Path, reports: Path) -> str:
    """Title, claim and first picture of a notebook."""
    notebook = nbformat.read(source, as_version=4)
    text = _prose(notebook)
    head = f"{_thumbnail(notebook)}<h3>{escape(_title(text, source))}</h3>"
    return f"<article>{_to(source, reports, head)}<p>{_first_sentence(text)}</p></article>"


def _first_sentence(text: str) -> str:
    """The first sentence below the heading, as html."""
    paragraphs = [part.strip() for part in text.split("\n\n")]
    first = next((part for part in paragraphs if part and not part.startswith("#")), "")
    found = _SENTENCE.match(first)
    html = as_mathml(markdown2html_mistune(found.group(0) if found else ""))
    return html.strip().removeprefix("<p>").removesuffix("</p>")


def _thumbnail(notebook: NotebookNode) -> str:
    """The first picture, small, within the page; nothing where there is none."""
    for output in (shown for cell in notebook.cells for shown in cell.get("outputs", ())):
        for kind in ("image/png", "image/jpeg"):
            if kind in output.get("data", {}):
                buffer = io.BytesIO()
                with Image.open(io.BytesIO(base64.b64decode(output.data[kind]))) as picture:
                    picture.thumbnail((640, 640))
                    picture.save(buffer, format=picture.format, quality=85)
                alt = output.metadata.get(kind, {}).get("alt", "")
                inside = base64.b64encode(buffer.getvalue()).decode()
                return f'<img src="data:{kind};base64,{inside}" alt="{escape(alt)}">'
    return ""


def _page(body: str, title: str, place: Path) -> str:
    top = "../" * (len(place.parts) - 1)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="openscenes"><link rel="stylesheet" href="{top}style.css"></head>
<body><nav><a href="{top}index.html">All results</a></nav>
<main>
{body}
</main></body></html>
"""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


_INTRODUCTION = """<h1>Interact with Open Scenes, rebuilt</h1>
<p>A user marks an object with a box and one click inside it; a network answers with a mask. This
study rebuilds in the open how such a model goes on learning from clicks alone: pseudo masks of a
new scene are refined with prototypes of the object (IPT), and while it trains on them its features
stay aligned with what it knew (FA). Each card is a notebook with its results; nothing has to be
run. After Gan, Fan, Wang, Zhang, MM '22:
<a href="https://doi.org/10.1145/3503161.3548131">doi 10.1145/3503161.3548131</a>.</p>"""

_STYLE = """:root { color-scheme: light dark; --ink: #1b1f24; --page: #fff; --soft: #f3f4f6;
  --line: #d5d9de; --link: #0058a3; --word: #7a3e9d; --text: #0b6b3a; --note: #6a7280; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --page: #15181c; --soft: #20252b;
  --line: #3b424b; --link: #7cc0ff; --word: #d2a8ff; --text: #8ddb9c; --note: #9aa4b0; } }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
main, nav { max-width: 60rem; margin: 0 auto; padding: 0.75rem 1.25rem; }
a { color: var(--link); } .anchor-link { visibility: hidden; }
h1 { line-height: 1.2; } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); }
pre, code { font: 0.86rem/1.45 ui-monospace, monospace; background: var(--soft); }
pre { padding: 0.6rem 0.8rem; overflow-x: auto; border-radius: 4px; } code { padding: 0 0.2em; }
.highlight .k, .highlight .kn, .highlight .kc { color: var(--word); }
.highlight [class^="s"] { color: var(--text); } .highlight [class^="c"] { color: var(--note); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem; }
article { border: 1px solid var(--line); border-radius: 6px; padding: 0.8rem; }
article img { width: 100%; aspect-ratio: 3 / 2; object-fit: contain; }
article h3 { margin: 0.5rem 0; } article p { margin: 0; font-size: 0.92rem; }
"""
