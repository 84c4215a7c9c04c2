"""Whatever a notebook holds, its page shows words and images; nothing runs, loads or leaves it."""

import base64
import io
import json
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from openscenes.errors import DataError
from openscenes.study.pages.inert import _OF_MATH, make_inert, read_notebook, thumbnail
from openscenes.study.pages.site import write_site

ACTIVE = [
    "<script>run()</script>", "<img src=x onerror=run()>", "<svg onload=run()><p>x</p></svg>",
    "<a href='javascript:run()'>x</a>", "<a href='JaVa\tScript\n:run()'>x</a>",
    "<a href='&#1;javascript&colon;run()'>x</a>", "<a href='data:text/html,x'>x</a>",
    "<a href='//other.host/x'>x</a>", "<a href='vbscript:x'>x</a>",
    "<iframe src=x></iframe>", "<object data=x></object>", "<embed src=x>", "<base href=x>",
    "<meta http-equiv=refresh content='0;url=x'>", "<link rel=stylesheet href=x>",
    "<style>p { background: url(x) }</style>", "<p style='background: url(x)'>x</p>",
    "<td style='text-align:right;background:url(x)'>x</td>", "<form action=x><input></form>",
    "<details open ontoggle=run()>x</details>", "<body onload=run()>", "<html onclick=run()>",
    "</main></body></html><script>run()</script><p onclick=run()>x</p>", "<!--> <img onerror=x>",
    "<![CDATA[<script>run()</script>]]>", "<?php run() ?>", "<!doctype x [<script>]>",
    "<noscript><p title='</noscript><img src=x onerror=run()>'></noscript>",
    "<math><mtext><style><img src=x onerror=run()></style></mtext></math>",
    "<math href='javascript:run()'><mi>x</mi></math>", "<xmp><script>run()</script></xmp>",
    "<template><script>run()</script></template>", "<textarea><script>run()</script></textarea>",
    "<img src='https://other.host/x.png'>", "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<img/src=x/onerror=run()>", "<x-run onclick=run()>x</x-run>", "<p/onclick=run()>x",
    r"$\\href{javascript:run()}{x}$", r"$\\text{<img src=x onerror=run()>}$",
    "<video src=x onerror=run()></video>", "<img srcset='https://other.host/x.png 1x'>",
    "<button onclick=run()>x</button>", "<select><option><script>run()</script></select>",
]  # fmt: skip
QUIET = {"class", "id", "title", "href", "src", "alt", "width", "height", "open", "border", "start",
         "colspan", "rowspan", "valign", "style", *_OF_MATH}  # fmt: skip


class Reader(HTMLParser):
    """Every tag of a page as a browser's tokeniser would see it, and what could act."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.body = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Collect what is no quiet tag or attribute."""
        if not self.body:
            self.body = tag == "body"
            return
        names = {name for name, _ in attrs}
        if tag in ("script", "style", "iframe", "svg", "object", "embed", "form", "meta", "link"):
            self.found.append(tag)
        self.found += sorted(names - QUIET)
        for name, value in attrs:
            said = "".join(value.split()).lower() if value else ""
            if name == "href" and ("script:" in said or said.startswith(("data:", "//"))):
                self.found.append(value)
            here = said.removeprefix("data:image/png;")
            if name == "src" and (":" in here or here.startswith("//")):
                self.found.append(value)
            if name == "style" and "url" in said:
                self.found.append(value)

    handle_startendtag = handle_starttag

    def handle_comment(self, data):
        """A comment may hide what another parser sees."""
        self.found.append(data)

    handle_pi = unknown_decl = handle_comment


@pytest.mark.parametrize("active", ACTIVE, ids=[f"way-{n}" for n in range(len(ACTIVE))])
def test_a_fragment_is_made_inert(active):
    page = BeautifulSoup(f"<!DOCTYPE html><html><head></head><body><main><p>before</p>{active}"
                         "<p>after</p></main></body></html>", "html.parser")  # fmt: skip
    make_inert(page)
    text = str(page)
    assert Reader(text).found == []
    assert "before" in text
    again = BeautifulSoup(text, "html.parser")
    make_inert(again)
    assert str(again) == text


KEPT = [
    "<p><b>bold</b> <a href=\"../tables/table_4.md\">table</a></p>",
    '<a class="anchor-link" href="https://doi.org/10.1145/1">doi</a>',
    '<table border="1" class="dataframe"><tr style="text-align: right;"><th></th></tr></table>',
    '<td rowspan="2" valign="top">x</td>', '<pre><span class="k">def</span></pre>',
    '<img alt="b" src="data:image/png;base64,AAAA"/>',
    '<details><summary>more</summary><ul><li>1 &lt; 2 &amp; 3</li></ul></details>',
    '<math display="inline" xmlns="http://www.w3.org/1998/Math/MathML"><mi>c</mi></math>',
]  # fmt: skip


@pytest.mark.parametrize("kept", KEPT, ids=[f"way-{n}" for n in range(len(KEPT))])
def test_what_only_shows_is_kept_as_it_is(kept):
    page = BeautifulSoup(f"<body>{kept}</body>", "html.parser")
    make_inert(page)
    assert str(page) == f"<body>{kept}</body>"


def test_a_site_of_a_foreign_notebook_only_shows(tmp_path):
    ways = [way for way in ACTIVE if "src=" not in way and "onerror=x" not in way]
    reports, words = tmp_path / "reports", "".join(ways)  # a dead link to an image is an error
    kinds = ("text/html", "text/markdown", "image/svg+xml", "text/latex", "application/javascript")
    outputs = [nbformat.v4.new_output("display_data", {kind: words}) for kind in kinds]
    outputs.append(nbformat.v4.new_output("stream", text=words))
    shown = {"image/png": base64.b64encode(b"no image").decode()}
    metadata = {"image/png": {"alt": words, "width": words}}
    outputs.append(nbformat.v4.new_output("display_data", shown, metadata=metadata))
    cells = [
        nbformat.v4.new_markdown_cell(f"# A <b onclick=run()>\n\n{ways[0]}", id="a"),
        nbformat.v4.new_markdown_cell("\n\n".join(way for way in ways), id="c"),
        nbformat.v4.new_code_cell(words, outputs=outputs, id="b"),
    ]
    path = reports / "notebooks" / "a<b onclick=run()>'\".ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    (path.parent / "active.html").write_text(words)
    (path.parent / "active.SVG").write_text(words)
    (path.parent / "outside.md").symlink_to("/etc/passwd")
    write_site(reports, tmp_path / "site")
    pages = list((tmp_path / "site").rglob("*"))
    assert sorted(one.suffix for one in pages if one.is_file()) == [".css", ".html", ".html"]
    for page in (tmp_path / "site").rglob("*.html"):
        assert Reader(page.read_text(encoding="utf-8")).found == [], page.name


DAMAGED = {
    "empty": "", "no json": "{", "deep": "[" * 100_000, "list": "[]", "no cells": "{}",
    "number": "7", "null": "null", "no metadata": '{"nbformat": 4, "nbformat_minor": 5}',
    "old": '{"nbformat": -1}', "text version": '{"nbformat": "four", "cells": []}',
    "cell": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [7]}',
}  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_notebook_is_one_sentence(text, tmp_path):
    path = tmp_path / "notebooks" / "table_4.ipynb"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DataError, match=r"notebook .*table_4.ipynb is ") as said:
        read_notebook(path)
    assert "\n" not in str(said.value)


def test_the_first_whole_image_is_the_thumbnail():
    buffer = io.BytesIO()
    Image.new("RGB", (900, 300)).save(buffer, format="png")
    whole = base64.b64encode(buffer.getvalue()).decode()
    eps = base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").decode()
    shown = [{"image/png": data} for data in ("?", whole[:40], eps, whole)]
    outputs = [nbformat.v4.new_output("display_data", data) for data in shown]
    outputs[-1].metadata = json.loads('{"image/png": {"alt": "\\"a\\" <b>"}}')
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=outputs)])
    found = BeautifulSoup(thumbnail(made), "html.parser").img
    assert found["alt"] == '"a" <b>' and found["src"].startswith("data:image/png;base64,")
    made.cells[0].outputs.pop()
    assert thumbnail(made) == ""


def test_a_thumbnail_of_few_colours_is_smooth_and_one_of_a_jpeg_is_shown():
    checks = Image.fromarray(np.indices((640, 1280)).sum(axis=0).astype(np.uint8) % 2 * 255)
    for kind, drawn in (("png", checks.convert("P")), ("jpeg", checks.convert("RGB"))):
        buffer = io.BytesIO()
        drawn.save(buffer, format=kind)
        data = {f"image/{kind}": base64.b64encode(buffer.getvalue()).decode()}
        output = nbformat.v4.new_output("display_data", data)
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
        found = BeautifulSoup(thumbnail(made), "html.parser").img["src"]
        head, _, inside = found.partition(";base64,")
        with Image.open(io.BytesIO(base64.b64decode(inside))) as small:
            assert head == f"data:image/{small.format.lower()}" and small.size == (640, 320)
            assert np.ptp(np.asarray(small.convert("L"))[10:-10, 10:-10].astype(int)) < 30
