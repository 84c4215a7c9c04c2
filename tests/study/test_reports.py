"""Tables on disk: how markdown is laid out, what it concludes, what lies beside it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from openscenes.errors import InputError
from openscenes.paths import PROJECT
from openscenes.study.options import profile_named
from openscenes.study.pages import tables
from openscenes.study.scores.results import Block, Claim, Row, Table
from openscenes.study.scores.statistics import Estimate

NAN = float("nan")


def value(mean, low=None, high=None, std=0.5):
    low, high = mean - 1 if low is None else low, mean + 1 if high is None else high
    return Estimate(mean, std, low, high, 1 if std != std else 3, 40)


def block(*, source=True):
    home = value(91.0) if source else None
    rows = (
        Row("Baseline", 73.7, value(60.0), None, None, home),
        Row("+ST", 77.3, value(63.0), value(3.0, 2, 4), value(3.0, 2, 4), home),
        Row("+ST +IPT", 78.4, value(62.5), value(-0.5, -2, 1), value(2.5, -1, 6), home),
        Row("+ST +FA", 78.8, value(59.0), value(-3.5), value(-1.0, -1.5, -0.5), home),
        Row("a reading of ours", None, value(70.0), value(11.0), value(10.0), home),
    )
    claims = tuple(
        Claim(row.label, "Baseline", None if row.paper is None else row.paper - 73.7, row.to_first)
        for row in rows[1:]
    )
    return Block("Cityscapes, initial model on VOC", rows, claims)


@pytest.fixture(autouse=True)
def _no_photographs(monkeypatch):
    """What lies in the splits is counted elsewhere."""
    monkeypatch.setattr(tables, "objects_as_found", lambda _study, questions: len(questions))


@pytest.fixture
def table():
    objects = pd.DataFrame(
        [("COCO", "+ST", 0, "a", "cat", 9, 0.5), ("COCO", "first", 0, "a", "cat", 9, 0.4)],
        columns=["block", "row", "seed", "object_id", "class_name", "area", "iou"],
    )
    return Table("4", "mIoU on somewhere, 3 seeds.", (block(),), objects, ())


def test_markdown_of_a_row_by_hand(table):
    lines = tables.markdown(table).splitlines()
    assert lines[0] == "# Table 4"
    assert lines[2] == "mIoU on somewhere, 3 seeds."
    assert "|  | paper | ours | to the row above | to Baseline | VOC val after |" in lines
    assert "| Baseline | 73.7 | 60.0 ± 0.5 |  |  | 91.0 ± 0.5 |" in lines
    row = "| +ST | 77.3 | 63.0 ± 0.5 | **+3.00** [+2.00, +4.00] | **+3.00** [+2.00, +4.00] |"
    assert f"{row} 91.0 ± 0.5 |" in lines
    assert "40 objects." in lines


def test_only_a_difference_that_leaves_out_zero_is_bold(table):
    line = next(x for x in tables.markdown(table).splitlines() if x.startswith("| +ST +IPT |"))
    assert "| -0.50 [-2.00, +1.00] | +2.50 [-1.00, +6.00] |" in line
    assert "**" not in line


def test_every_line_of_a_table_has_as_many_cells():
    for source in (True, False):
        text = tables._block_markdown(block(source=source))
        counts = {line.count("|") for line in text.splitlines() if line.startswith("|")}
        assert counts == {7 if source else 6}
        assert ("VOC val after" in text) is source


def test_conclusions_say_what_holds_what_does_not_what_is_open_and_what_is_ours():
    assert tables._conclusions(block()) == [
        "- Holds here: +ST against Baseline (+3.00, paper +3.6).",
        "- Cannot be told here: +ST +IPT against Baseline (+2.50, paper +4.7).",
        "- Does not hold here: +ST +FA against Baseline (-1.00, paper +5.1).",
        "- Found here, nothing published: a reading of ours against Baseline (+10.00).",
    ]


def test_few_claims_of_one_verdict_stand_in_one_line_and_many_by_what_they_are_against(table):
    one, two = block().claims[0], replace(block().claims[0], worse="+FA")
    twice = Block("COCO", block().rows, (one, two))
    assert tables._conclusions(twice) == [f"- Holds here: {one.words}; {two.words}."]
    assert tables._conclusions(Block("COCO", block().rows, (one, two, one, two))) == [
        "- Holds here",
        "  - against Baseline: +ST (+3.00, paper +3.6); +ST (+3.00, paper +3.6).",
        "  - against +FA: +ST (+3.00, paper +3.6); +ST (+3.00, paper +3.6).",
    ]
    assert "- Holds here: +ST against" in tables.markdown(table)


def test_a_block_without_claims_concludes_nothing():
    assert tables._conclusions(Block("COCO", block().rows)) == []


def test_notes_stand_below_and_only_other_pictures_are_excused(table):
    text = tables.markdown(replace(table, notes=("## More\n\nwords",)))
    assert text.index("## Cityscapes") < text.index("## More") < text.index("other data sets")
    assert "other data sets" not in tables.markdown(replace(table, like_the_paper=True))


def test_a_table_beside_the_papers_has_a_plus_in_its_title_and_none_in_its_file(table, tmp_path):
    study = SimpleNamespace(profile=profile_named("demo"))
    page = tables.write_table(replace(table, number="4_plus"), study, tmp_path, wall_s=1.0)
    assert page.name == "table_4_plus.md"
    assert page.read_text(encoding="utf-8").startswith("# Table 4+\n")


def test_the_frame_has_a_line_per_row_and_no_number_where_there_is_none(table):
    frame = tables.as_frame(table)
    assert list(frame["row"]) == [row.label for row in table.blocks[0].rows]
    assert frame["to_first"].isna().tolist() == [True, False, False, False, False]
    assert frame.loc[3, ["to_first_low", "to_first_high"]].tolist() == [-1.5, -0.5]
    assert frame["paper"].isna().sum() == 1
    assert set(frame["n_objects"]) == {40}


def test_five_files_are_written_whole(table, tmp_path):
    study = SimpleNamespace(profile=profile_named("demo"))
    page = tables.write_table(table, study, tmp_path, wall_s=12.34)
    names = sorted(path.name for path in (tmp_path / "tables").iterdir())
    assert names == [
        "table_4.csv", "table_4.md", "table_4.tex", "table_4_objects.csv", "table_4_run.json",
    ]  # fmt: skip
    assert page.read_text(encoding="utf-8") == tables.markdown(table)
    objects = pd.read_csv(tmp_path / "tables" / "table_4_objects.csv")
    assert objects.iloc[0].to_list() == ["COCO", 0, "a", "cat", 9, 0.5, 0.4]
    assert list(objects.columns[-2:]) == ["+ST", "first"]
    assert list(pd.read_csv(page.with_suffix(".csv"))["row"]) == [
        row.label for row in table.blocks[0].rows
    ]
    run = json.loads((tmp_path / "tables" / "table_4_run.json").read_text(encoding="utf-8"))
    assert run["wall_s"] == 12.3
    assert run["profile"]["name"] == "demo"
    assert run["departures"]["network.backbone"] == ["small_resnet", "resnet101"]
    assert [claim["verdict"] for claim in run["claims"]][:2] == [
        "Holds here", "Cannot be told here",
    ]  # fmt: skip
    assert run["claims"][0]["ours"] == 3.0
    assert run["objects"] > 0  # asked for every question of Table 4
    assert {"git", "code_digest", "lock_digest", "device", "peak_memory_mb"} <= run.keys()


def test_a_run_never_overwrites_what_the_repository_shows():
    own, shown = PROJECT / "reports" / "own", PROJECT / "reports"
    assert tables.reports_folder(profile_named("demo")) == own
    assert tables.reports_folder(profile_named("paper")) == own / "paper"
    assert tables.shown_folder(profile_named("demo")) == shown
    assert tables.shown_folder(profile_named("paper")) == shown / "paper"
    assert "/reports/own/" in (PROJECT / ".gitignore").read_text().splitlines()


def test_reports_go_where_they_are_asked_to_go(tmp_path, monkeypatch):
    demo = profile_named("demo")
    assert tables.reports_folder(demo, "") == tables.reports_folder(demo) == tables.OWN
    assert tables.reports_folder(demo, str(tmp_path)) == tables.reports_folder(demo, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2024").mkdir()
    assert tables.reports_folder(demo, 2024).resolve() == tmp_path / "2024"
    for wrong in (5, 0, True, 2.5):
        with pytest.raises(InputError, match="^reports is .*, and text is wanted"):
            tables.reports_folder(demo, wrong)
