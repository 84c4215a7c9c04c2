"""The site can be read offline: every link leads somewhere, nothing is fetched, nothing runs."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from openscenes.errors import DataError, InputError
from openscenes.study.pages import site
from openscenes.study.pages.markup import slug
from openscenes.study.pages.site import write_site
from openscenes.study.status.verification import FAILS, HOLDS, OPEN

CLAIM = "**Claim of the paper:** IPT helps (73.7 → 75.0, Sec. 3.2, `+IPT`). Not this sentence."


def noise(kind="png", size=(900, 300)):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def notebook(path, title="Table 4: a sequence", picture=True):
    """An executed notebook with markdown, html that would run, and perhaps a picture."""
    shown = [
        nbformat.v4.new_output(
            "display_data", {"text/markdown": "See [it](../tables/table_4.md)."}
        ),
        nbformat.v4.new_output("display_data", {"text/html": "<b>x</b><script>run()</script>"}),
    ]
    for kind in ("png", "jpeg") if picture else ():
        data = {f"image/{kind}": base64.b64encode(noise(kind)).decode()}
        metadata = {f"image/{kind}": {"alt": f'Means "by" row, {kind}.'}}
        shown.append(nbformat.v4.new_output("display_data", data, metadata=metadata))
    cells = [
        nbformat.v4.new_markdown_cell(f"# {title}\n\n{CLAIM}\n\nPaper: Table 4.", id="a"),
        nbformat.v4.new_code_cell("answer = 6 * 7  # why", outputs=shown, id="b"),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_reports(folder):
    """Reports of two profiles in a project with a README and one module."""
    notebook(folder / "notebooks/table_4_sequence.ipynb")
    notebook(folder / "study/notebooks/table_4_sequence.ipynb", picture=False)
    for top in (folder, folder / "study"):
        write(top / "tables/table_4.md", "# Table 4\n\nmIoU on scenes, 3 seeds.\n\n| a |\n|--:|\n")
        for name in ("table_4.csv", "table_4_run.json", "table_40.csv"):
            write(top / "tables" / name, "1\n")
    (folder / "figures").mkdir()
    (folder / "figures/a b.png").write_bytes(noise())
    write(
        folder / "README.md",
        "# Status\n\n[table](tables/table_4.md#table-4) ![chart](figures/a%20b.png) "
        "[method/ipt.py](../lib/ipt.py) [gone](../lib/gone.py) [paper](https://doi.org/1)",
    )
    write(folder.parent / "lib/ipt.py", '"""IPT & votes."""\n')
    write(
        folder.parent / "README.md",
        "# openscenes\n\n[all](reports) ![c](reports/figures/a%20b.png)",
    )
    return folder


@pytest.fixture
def reports(tmp_path):
    return write_reports(tmp_path / "project of mine/reports")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A site that tests only read."""
    top = tmp_path_factory.mktemp("site")
    return write_site(write_reports(top / "project of mine/reports"), top / "site").parent


class Page(HTMLParser):
    """What a page refers to, and its alternative texts."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.alts, self.tags, self.names = [], [], set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        found = dict(attrs)
        self.names.add(found.get("id"))
        self.addresses += [(tag, found[key]) for key in ("href", "src") if key in found]
        self.alts += [found.get("alt")] if tag == "img" else []


def check_links(top):
    """Follow every relative link of every page; return how many there are."""
    n_links = 0
    for path in top.rglob("*.html"):
        page = Page(path)
        assert not page.tags & {"script", "iframe", "object"}, path
        for tag, address in page.addresses:
            if re.match("[a-z]+:", address):
                assert address.startswith("data:image/") or tag == "a", (path, address)
                continue
            target = (path.parent / unquote(address.partition("#")[0])).resolve()
            target = path if address.startswith("#") else target
            assert target.is_relative_to(top.resolve()), (path, address)
            assert target.is_file(), (path, address)
            name = address.partition("#")[2]
            assert not name or name in Page(target).names, (path, address)
            n_links += 1
    return n_links


def test_every_link_leads_somewhere_and_nothing_is_fetched(reports, tmp_path):
    index = write_site(reports, tmp_path / "site")
    assert index == tmp_path / "site/index.html"
    assert check_links(tmp_path / "site") > 20
    assert "@import" not in (tmp_path / "site/style.css").read_text()


def test_the_site_mirrors_the_reports_and_takes_what_they_link_to(made):
    written = {p.relative_to(made).as_posix() for p in made.rglob("*.*")}
    tables = {"tables/table_4.html", "tables/table_4.csv", "tables/table_4_run.json"}
    tables |= {"tables/table_40.csv", "notebooks/table_4_sequence.html"}
    assert written == {
        *tables, *(f"study/{name}" for name in tables), "README.html", "figures/a b.png",
        "index.html", "style.css", "project/README.html", "project/lib/ipt.py.html",
    }  # fmt: skip


def test_a_link_that_leaves_the_project_keeps_its_words(made):
    status = (made / "README.html").read_text()
    assert "gone.py" not in status
    assert re.search(r"\bgone\b", status)
    assert 'href="https://doi.org/1"' in status
    assert 'href="project/lib/ipt.py.html"' in status
    assert 'href="tables/table_4.html#table-4"' in status
    assert 'src="figures/a%20b.png"' in status
    readme = Page(made / "project/README.html")
    assert ("a", "../index.html") in readme.addresses
    assert ("img", "../figures/a%20b.png") in readme.addresses


def test_the_index_has_a_card_for_each_notebook_of_each_profile(made):
    text = (made / "index.html").read_text()
    heads = re.findall(r"<h2[^>]*>(.*?)<", text)
    assert [head.split(":")[0] for head in heads] == ["Profile demo", "Profile study"]
    assert "synthetic scenes (generated, not real images)" in heads[0]
    cards = re.findall(r"<article>(.*?)</article>", text, re.DOTALL)
    assert len(cards) == 2
    assert all(">Table 4: a sequence</h3>" in card for card in cards)
    assert "(73.7 → 75.0, Sec. 3.2, <code>+IPT</code>).</p>" in cards[0]
    assert "Not this" not in text
    assert "<img" in cards[0]
    assert "<img" not in cards[1]
    assert 'Means "by" row, png.' in Page(made / "index.html").alts
    assert "mIoU on scenes, 3 seeds." in text


def test_thumbnails_are_small_and_keep_their_shape(made):
    text = (made / "index.html").read_text()
    (inside,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", text)
    assert Image.open(io.BytesIO(base64.b64decode(inside))).size == (640, 213)


def test_a_notebook_keeps_code_pictures_and_alternative_texts(made):
    path = made / "notebooks/table_4_sequence.html"
    assert Page(path).alts == ['Means "by" row, png.', 'Means "by" row, jpeg.']
    assert ("a", "../tables/table_4.html") in Page(path).addresses
    text = path.read_text()
    assert "answer" in text
    assert "run()" not in text
    assert "<title>Table 4: a sequence</title>" in text


def test_a_table_names_the_files_behind_it(made):
    text = (made / "study/tables/table_4.html").read_text()
    assert re.findall(r'href="(table_[^"]+)"', text) == ["table_4.csv", "table_4_run.json"]


def test_equal_reports_give_equal_bytes_and_an_old_site_is_replaced_whole(reports, tmp_path):
    for name in ("one", "two", "two"):
        write_site(reports, tmp_path / name)
    contents = [
        {
            p.relative_to(tmp_path / name): p.read_bytes()
            for p in sorted((tmp_path / name).rglob("*.*"))
        }
        for name in ("one", "two")
    ]
    assert contents[0] == contents[1]
    (reports / "tables/table_40.csv").unlink()
    write_site(reports, tmp_path / "two")
    assert not (tmp_path / "two/tables/table_40.csv").exists()
    assert not list(tmp_path.glob(".*"))


def test_what_is_no_site_is_not_replaced(reports, tmp_path):
    write(tmp_path / "mine/index.html", "<p>something else</p>")
    with pytest.raises(InputError, match="which is not an earlier site; give an empty folder"):
        write_site(reports, tmp_path / "mine")
    with pytest.raises(InputError, match="give an empty folder outside the reports"):
        write_site(reports, reports / "site")
    assert (tmp_path / "mine/index.html").exists()


def test_a_link_into_the_reports_that_leads_nowhere_is_an_error(reports, tmp_path):
    write_site(reports, tmp_path / "site")
    before = (tmp_path / "site/index.html").read_bytes()
    (reports / "tables/table_4.md").unlink()
    with pytest.raises(DataError, match="links to tables/table_4.md, which is not among"):
        write_site(reports, tmp_path / "site")
    assert (tmp_path / "site/index.html").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_link_to_a_notebook_that_was_not_run_keeps_its_words(reports, tmp_path):
    page = reports / "tables/table_4.md"
    write(page, f"{page.read_text(encoding='utf-8')}\n\n[a sequence](../notebooks/table_2.ipynb)\n")
    with pytest.raises(DataError, match="links to notebooks/table_2.ipynb, which is not among"):
        write_site(reports, tmp_path / "site")
    notebook(reports.parent / "notebooks/table_2.ipynb")
    written = write_site(reports, tmp_path / "site").parent / "tables/table_4.html"
    assert "<p>a sequence</p>" in written.read_text(encoding="utf-8")


RUN = {
    "table": "4", "wall_s": 3.0, "code_digest": "c0de", "threads": 2, "git": None, "models": [],
    "profile": {"name": "demo", "data": "d", "synthetic": {}},
    "device": {"cpu": None, "accelerators": []},
    "claims": [
        {"block": f"COCO, {better}", "better": better, "worse": "None", "paper": paper,
         "ours": ours, "low": ours - 1, "high": ours + 1, "verdict": verdict}
        for better, paper, ours, verdict in (
            ("+ST", 1.0, 2.0, HOLDS), ("+FA", 1.0, -4.0, FAILS), ("+IPT", 1.0, 0.5, OPEN),
            ("ours", None, 9.0, "Found here, nothing published"))
    ],
}  # fmt: skip


def test_a_card_says_what_was_found_and_not_what_the_paper_claims(reports, tmp_path):
    write(reports / "tables/table_4_run.json", json.dumps(RUN))
    front = write_site(reports, tmp_path / "site").read_text(encoding="utf-8")
    card = BeautifulSoup(front, "html.parser").article.get_text(" ", strip=True)
    assert "Of 3 published differences 1 hold here, 1 do not, 1 cannot be told." in card
    assert "Largest: +FA against None -4.0 (paper +1.0), COCO." in card
    assert "Claim of the paper" not in card


def test_the_result_of_an_exercise_is_folded(reports, tmp_path):
    path = reports / "notebooks/lesson_1.ipynb"
    notebook(path, title="Lesson 1", picture=False)
    lesson = nbformat.read(path, as_version=4)
    lesson.cells[1].metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
    nbformat.write(lesson, path)
    page = write_site(reports, tmp_path / "site").parent / "notebooks/lesson_1.html"
    (folded,) = BeautifulSoup(page.read_text("utf-8"), "html.parser").find_all("details")
    assert "answer = 6 * 7" in folded.get_text() and folded.find("b").get_text() == "x"


def test_own_runs_have_their_own_section(reports, tmp_path):
    notebook(reports / "own/notebooks/table_4_sequence.ipynb")
    notebook(reports / "own/study/notebooks/table_4_sequence.ipynb")
    front = BeautifulSoup(write_site(reports, tmp_path / "site").read_text("utf-8"), "html.parser")
    sections = [heading.get_text().partition(":")[0] for heading in front.find_all("h2")]
    own = ["Your own runs, profile demo", "Your own runs, profile study"]
    assert sections[-4:] == ["Profile demo", "Profile study", *own]


@pytest.mark.parametrize(
    ("heading", "name"),
    [("Does it work?", "does-it-work"), ("3. A vote – or two", "3-a-vote--or-two"),
     ("3.-A-vote-%E2%80%93-or-two", "3-a-vote--or-two"), ("`method/ipt.py`", "methodiptpy")],
)  # fmt: skip
def test_a_heading_is_named_as_links_name_it(heading, name):
    assert slug(heading) == name


def test_no_reports_make_no_site(tmp_path):
    (tmp_path / "reports").mkdir()
    with pytest.raises(DataError, match="no executed notebook to show; run `make tables` first"):
        write_site(tmp_path / "reports", tmp_path / "site")


def test_unfinished_files_are_left_out(reports, tmp_path):
    notebook(reports / "notebooks/table_5.failed.ipynb")
    notebook(reports / "notebooks/.ipynb_checkpoints/table_4-checkpoint.ipynb")
    write_site(reports, tmp_path / "site")
    names = {path.stem for path in (tmp_path / "site").rglob("*.html")}
    assert not [name for name in names if "failed" in name or "checkpoint" in name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A\n\nOne (Sec. 3.1). Two.", "One (Sec. 3.1)."),
        ("# A\n\nIt is **bold.** Next.", "It is **bold.**"),
        ("# A\n\nNo end", "No end"),
        ("# A", ""),
    ],
)
def test_a_first_sentence_ends_where_a_sentence_ends(text, expected):
    assert site._first_sentence(text) == expected


def test_the_committed_reports_make_a_whole_site(tmp_path):
    reports = Path(__file__).parents[2] / "reports"
    write_site(reports, tmp_path / "site")
    assert check_links(tmp_path / "site") > 50
    front, status = (
        (tmp_path / "site" / name).read_text(encoding="utf-8").partition("Does it work?")[2]
        for name in ("index.html", "README.html")
    )
    shown = re.findall(r"<td>.*?</td>|<li>.*?</li>", front)[:28]  # five lines and three sentences
    assert shown == re.findall(r"<td>.*?</td>|<li>.*?</li>", status)[:28]
    assert 'href="tables/table_4.html"' in shown[0]
