"""The status page: what it reads, what it calls verified, which decisions it finds."""

import ast
import json
import re
from dataclasses import asdict, replace
from types import SimpleNamespace

import pandas as pd
import pytest

from openscenes.errors import DataError
from openscenes.method.ipt import IPTConfig
from openscenes.notation import glossary
from openscenes.paths import PROJECT
from openscenes.study.experiments.table_4 import CONTROL
from openscenes.study.experiments.table_4_plus import OUR_ROW
from openscenes.study.options import profile_named
from openscenes.study.pages.markdown import block_of, grid, marked
from openscenes.study.plan.requirements import paper_flops
from openscenes.study.profiles import differences
from openscenes.study.runs.provenance import PACKAGE
from openscenes.study.status.decisions import FOLDERS, decisions, ours, settings_of
from openscenes.study.status.findings import every_claim, overview, published_values
from openscenes.study.status.page import _command, write_status
from openscenes.study.status.summary import STATEMENTS, SUMMARY, summary
from openscenes.study.status.verification import direction, read_reports, set_of, verified

SCENES = ("Cityscapes, initial model on VOC+SBD", "COCO, initial model on VOC+SBD")
CELL = {
    "block": "COCO, initial model on VOC", "row": "+ST", "paper": 76.8, "ours": 76.5,
    "ours_std": 0.2, "ours_low": 76.0, "ours_high": 77.0, "to_first": 5.0, "to_first_low": 4.0,
    "to_first_high": 6.0, "n_seeds": 3, "n_objects": 36_335,
}  # fmt: skip
FIRST = CELL | {"row": "Baseline", "paper": 70.8, "ours": 71.5, "to_first": None,
                "to_first_low": None, "to_first_high": None}  # fmt: skip


CLAIM = {"block": CELL["block"], "better": "+ST", "worse": "Baseline", "paper": 6.0, "ours": 5.0,
         "low": 4.0, "high": 6.0, "verdict": "Holds here"}  # fmt: skip


def facts(profile="demo", number="4", **more):
    described = json.loads(json.dumps(asdict(profile_named(profile)), default=str))
    return {
        "table": number, "profile": described, "models": [{"wall_s": 100.0}, {"wall_s": 140.0}],
        "wall_s": 33.3, "code_digest": "c0de" * 16, "git": {"commit": "abc" * 12, "dirty": False},
        "device": {"cpu": "Some CPU", "accelerators": []}, "threads": 2, **more,
    }  # fmt: skip


def put(folder, cells=(FIRST, CELL), **what):
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    run = facts(**what)
    stem = f"table_{run['table']}"
    pd.DataFrame(cells).to_csv(tables / f"{stem}.csv", index=False)
    (tables / f"{stem}_run.json").write_text(json.dumps(run))


def page_of(folder, name="README.md"):
    """A page as `make status` writes it."""
    return (write_status(folder).parent / name).read_text(encoding="utf-8")


def cell(**changes):
    return pd.Series(CELL | changes)


def test_only_the_papers_profile_on_whole_splits_verifies():
    assert verified(cell(), facts("paper")) == "yes"
    assert verified(cell(), facts("demo")) == "no: synthetic scenes"
    assert verified(cell(), facts("study")) == "no: real images in the four official layouts"
    assert verified(cell(n_objects=480), facts("paper")) == (
        "no: 480 objects are a sample of the official split"
    )


def test_a_value_outside_the_interval_is_not_verified():
    assert verified(cell(ours_low=77.0, ours_high=78.0), facts("paper")) == "no: differs"


def test_what_was_not_published_cannot_be_verified():
    assert verified(cell(paper=float("nan")), facts("paper")) == "nothing published"


@pytest.mark.parametrize(
    ("gain", "low", "high", "word"),
    [(5, 4, 6, "yes"), (-5, -6, -4, "no"), (1, -1, 3, "open"), (1, 0, 2, "open")],
)
def test_the_direction_agrees_disagrees_or_is_open(gain, low, high, word):
    ours_ = cell(to_first=gain, to_first_low=low, to_first_high=high)
    assert direction(ours_, pd.Series(FIRST)) == word


def test_where_there_is_no_gain_there_is_no_direction():
    assert direction(pd.Series(FIRST), pd.Series(FIRST)) == ""
    assert direction(cell(paper=float("nan")), pd.Series(FIRST)) == ""


def test_reports_of_all_profiles_are_found_in_order(tmp_path):
    put(tmp_path / "study", profile="study")
    put(tmp_path, number="4")
    put(tmp_path, number=3)  # as an earlier version wrote it
    names = [report.name for report in read_reports(tmp_path)]
    assert names == ["table 3, demo", "table 4, demo", "table 4, study"]


def test_a_run_that_only_tries_or_is_the_readers_own_counts_for_nothing(tmp_path):
    put(tmp_path)
    put(tmp_path / "smoke", profile="smoke")
    put(tmp_path / "own", profile="paper")
    assert [report.profile for report in read_reports(tmp_path)] == ["demo"]


def test_facts_without_a_table_are_an_error(tmp_path):
    put(tmp_path)
    (tmp_path / "tables" / "table_4.csv").unlink()
    with pytest.raises(DataError, match=r"table_4_run.json .* has no table_4.csv beside it"):
        read_reports(tmp_path)


def test_the_pages_have_a_line_per_cell_and_the_command_of_each_run(tmp_path):
    put(tmp_path)
    put(tmp_path / "study", profile="study")
    assert write_status(tmp_path) == tmp_path / "README.md"
    assert (
        "| COCO, initial model on VOC | +ST | mIoU | 76.8 | 76.5 ± 0.2 (3 seeds) | -0.3 | "
        "no: synthetic scenes | yes |"
    ) in page_of(tmp_path, "findings.md").splitlines()
    lines = page_of(tmp_path).splitlines()
    run = next(line for line in lines if line.startswith("| [table 4, demo](tables/table_4.md)"))
    assert "`make table-4 SEEDS=3` | 33 s |  | 2 models, 4 min | Some CPU, 2 threads |" in run
    assert any("`make table-4 PROFILE=study DATA=folder SEEDS=3`" in line for line in lines)


def test_the_command_of_a_run_names_its_ablations():
    run = {"profile": {"synthetic": {}, "ablations": True}}
    report = SimpleNamespace(profile="demo", key="4_plus", run=run, n_seeds=1)
    assert _command(report) == "make table-4-plus SEEDS=1 ABLATIONS=1"


def test_the_same_reports_give_the_same_bytes(tmp_path):
    put(tmp_path)
    contents = []
    for _ in range(2):
        write_status(tmp_path)
        contents.append({path.name: path.read_bytes() for path in tmp_path.glob("*.*")})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"README.md", "claims.csv", "values.csv", *PAGES}


def test_without_a_report_the_page_says_so(tmp_path):
    text = page_of(tmp_path)
    assert "No table has been made yet" in text
    assert "not measured" in block_of(SUMMARY, text)
    assert page_of(tmp_path, "decisions.md").startswith("# Where we depart from the paper")


PAGES = ("findings.md", "decisions.md", "settings.md")


@pytest.mark.parametrize("name", ["README.md", *PAGES])
def test_tables_of_the_pages_are_whole_and_links_lead_somewhere(tmp_path, name):
    put(tmp_path, claims=[CLAIM], objects={"voc/val": {"images": 1, "objects": 2, "dropped": {}}})
    (tmp_path / "tables" / "table_4.md").touch()
    text = page_of(tmp_path, name)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1
    for target in re.findall(r"\]\(\.\./lib/([^)]*)\)", text):
        assert (PACKAGE.parent / target).is_file()
    for target in re.findall(r"\]\((?!\.\.)([^)#]*)\)", text):
        assert (tmp_path / target).is_file(), target
    assert text.count("<details>\n<summary>") == text.count("\n\n</details>")


def test_the_status_page_is_one_page(tmp_path):
    committed = PROJECT / "reports" / "README.md"
    assert len(committed.read_text(encoding="utf-8").split()) <= 2_500


@pytest.mark.parametrize("name", ["demo", "study"])
def test_every_departure_of_a_profile_is_listed_with_its_reason(tmp_path, name):
    text = page_of(tmp_path, "settings.md")
    section = text.partition(f"## Profile `{name}`")[2].partition("\n## ")[0]
    profile = profile_named(name)
    for field in differences(profile):
        (line,) = [line for line in section.splitlines() if line.startswith(f"| `{field}` |")]
        reason = profile.reason(field)
        assert reason and reason in line


def test_what_follows_the_word_up_to_the_next_label_or_paragraph():
    text = """Do it.

    Paper: Table 4. Ours: one
    choice.  Paper: again.
    Ours: another; `Ours:` is a word here.
    Args:
        one: no.

    Ours: third

    and no more of it.
    """
    assert ours(text) == ["one choice.", "another; `Ours:` is a word here.", "third"]
    assert ours("Nothing to say about ``Ours:`` lines.") == []


def test_decisions_name_module_and_owner_where_numbers_are_decided(tmp_path):
    package = tmp_path / "pack"
    for name in ("method/beyond", "data", "widgets"):
        (package / name).mkdir(parents=True)
    (package / "data" / "b.py").write_text('"""Ours: a module."""\n')
    (package / "method" / "beyond" / "a.py").write_text(
        'class A:\n    def b(self):\n        """Do.\n\n        Ours: a method.\n        """\n'
    )
    (package / "widgets" / "c.py").write_text('"""Ours: a slider."""\n')
    found = [(d.module, d.owner, d.text) for d in decisions(package)]
    assert found == [
        ("pack/data/b.py", "", "a module."),
        ("pack/method/beyond/a.py", "A.b", "a method."),
    ]


def test_no_decision_of_the_code_is_overlooked():
    """A literal count: a line of a docstring that begins with the label, or follows a sentence."""
    counted = 0
    for path in (path for name in FOLDERS for path in (PACKAGE / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                counted += len(re.findall(r"(?<![`\"\w])Ours:(?!`)", text))
    assert len(decisions(PACKAGE)) == counted > 40


def test_settings_are_collected_once_with_default_and_source():
    found = {item.name: item for item in settings_of(profile_named("paper"), IPTConfig())}
    assert found["IPTConfig.alpha"].default == 0.3
    assert found["IPTConfig.alpha"].source.startswith("Sec. 4.1.2")
    names = [item.name for item in settings_of(profile_named("paper"), IPTConfig())]
    assert len(names) == len(set(names))


def test_cost_of_the_paper_by_hand():
    initial = (3_507 + 25_832) * 100
    evolved = 2 * 9 * (52_004 * 20 + 83_070 * 10)
    assert paper_flops() == pytest.approx((initial + evolved) * 0.426e12)


def test_the_page_names_what_the_papers_profile_needs(tmp_path):
    text = page_of(tmp_path, "settings.md").partition("needs\n")[2]
    for word in ("VOCdevkit/VOC2012", "benchmark_RELEASE", "cityscapes", "coco", "ImageNet", "GPU"):
        assert word in text


def test_bars_in_a_cell_do_not_break_a_table():
    assert grid(["a"], [["||c||^2"]]).splitlines()[-1] == "| \\|\\|c\\|\\|^2 |"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("VOC@85%", "VOC"), ("VOC, t = 0", "VOC"), ("COCO, exact boxes", "COCO"),
        ("Cityscapes, initial model on VOC+SBD", "Cityscapes"),
        ("Cityscapes in four parts, initial model on VOC", "Cityscapes"), ("COCOA", ""),
    ],
)  # fmt: skip
def test_a_title_begins_with_its_validation_set(title, name):
    assert set_of(title) == name


@pytest.mark.parametrize(("title", "whole"), [("VOC@85%", 3_427), ("Cityscapes, t = 1", 9_800)])
def test_each_set_has_its_official_size(title, whole):
    assert verified(cell(block=title, n_objects=whole), facts("paper")) == "yes"
    assert "sample" in verified(cell(block=title, n_objects=whole // 2), facts("paper"))
    assert verified(cell(block="elsewhere"), facts("paper")).startswith("no: the official split")


def test_where_the_paper_found_no_difference_no_sign_can_agree():
    assert direction(cell(paper=FIRST["paper"]), pd.Series(FIRST)) == ""


def test_claims_are_those_of_the_run_and_a_gain_may_also_be_that_over_the_first_row(tmp_path):
    put(tmp_path, claims=[CLAIM | {"verdict": "Cannot be told here", "ours": 4.5}])
    put(tmp_path / "study", profile="study")
    told, untold = read_reports(tmp_path)
    gains = [report.gain("COCO, initial", "+ST", "Baseline") for report in (told, untold)]
    assert [(gain.ours.mean, gain.paper) for gain in gains] == [(4.5, 6.0), (5.0, 6.0)]
    assert told.gain("COCO, initial", "Baseline", "+ST") is None
    text = page_of(tmp_path, "findings.md")
    assert "<summary>table 4, demo: cannot be told here 1</summary>" in text
    assert "<summary>table 4, study: no claims</summary>" in text
    line = "| COCO, initial model on VOC | +ST against Baseline | +6.0 | +4.50 [+4.00, +6.00] |"
    assert f"| Cannot be told here {line}" in text
    (row,) = pd.read_csv(tmp_path / "claims.csv").to_dict("records")
    assert (row["better"], row["ours"], row["verdict"]) == ("+ST", 4.5, "Cannot be told here")


def overview_of(folder):
    reports = read_reports(folder)
    return overview(reports, published_values(reports), every_claim(reports)).splitlines()


def test_the_overview_counts_by_hand(tmp_path):
    row = CELL | {"block": "Cityscapes in four parts, initial model on VOC"}
    first = row | {"row": "None", "paper": 73.7, "to_first": None}
    quarter, other = row | {"row": "25%", "paper": 78.3}, row | {"row": "ours", "paper": None}
    told = [CLAIM, CLAIM | {"verdict": "Does not hold here"}, CLAIM | {"paper": None}]
    put(tmp_path, cells=(first, quarter, other), number="7", claims=told)
    lines = overview_of(tmp_path)
    (line,) = [line for line in lines if line.startswith("| Table 7 ")]
    assert line.endswith("| [demo](tables/table_7.md) | 2 of 5 | 0 | 1 | 0 | 1 |  |")
    (missing,) = [line for line in lines if line.startswith("| Table 4 ")]
    assert "| not made yet |" in missing


def test_clicks_needed_are_cells_and_the_protocols_own_are_nominal(tmp_path):
    clicks = {"block": "VOC@85%", "never reached": "5 %", "to_first": None}
    ifcn = CELL | clicks | {"row": "iFCN", "paper": None, "NoC, paper": "6.9",
                            "NoC, measured": "8.0 ± 0.5"}  # fmt: skip
    iog = CELL | clicks | {"row": "IOG", "NoC, paper": "3 (nominal)", "NoC, measured": "4.5"}
    put(tmp_path, cells=(ifcn, iog), number="1")
    found = published_values(read_reports(tmp_path)).set_index(["row", "measure"])
    assert list(found.index) == [("iFCN", "NoC"), ("IOG", "mIoU"), ("IOG", "NoC")]
    assert list(found["ours - paper"])[::2] == ["+1.1", "nominal"]
    assert tuple(found.loc[("IOG", "NoC"), ["paper", "ours"]]) == (3.0, "4.5 (3 seeds)")


def test_clicks_of_the_whole_split_verify_by_their_interval(tmp_path):
    about = CELL | {"block": "VOC@85%", "paper": None, "to_first": None, "NoC, paper": "6.9"}
    for system, interval in (("iFCN", "[6.5, 7.4]"), ("ITIS", "[7.5, 8.4]")):
        about |= {"row": system, "NoC, measured": f"7.0 ± 0.5 {interval}"}
        put(tmp_path, cells=(about,), number="1", profile="paper")
        (found,) = published_values(read_reports(tmp_path)).itertuples()
        assert found.ours == "7.0 ± 0.5 (3 seeds)"
        assert found.verified == {"iFCN": "yes", "ITIS": "no: differs"}[system]


def test_the_protocols_own_clicks_verify_nothing_wherever_the_interval_lies(tmp_path):
    about = CELL | {"block": "VOC@85%", "row": "IOG", "paper": None, "to_first": None,
                    "NoC, paper": "3 (nominal)"}  # fmt: skip
    for interval in ("[2.5, 3.5]", "[9.5, 11.5]"):
        put(tmp_path, cells=(about | {"NoC, measured": f"3.0 ± 0.5 {interval}"},), number="1",
            profile="paper")  # fmt: skip
        (found,) = published_values(read_reports(tmp_path)).itertuples()
        assert found.verified == "no: nominal, the protocol's own clicks"


def test_a_claim_is_listed_by_seed(tmp_path):
    put(tmp_path, claims=[CLAIM])
    text = page_of(tmp_path, "findings.md")
    assert "| +6.0 | +5.00 [+4.00, +6.00] |  |  |" in text  # no objects were kept
    scores = {"block": [CLAIM["block"]] * 4 + ["another"], "seed": [0, 0, 1, 1, 0],
              "object_id": list("ababc"), "Baseline": [0.5, 0.5, 0.5, 0.5, 0.9],
              "+ST": [0.6, 0.5, 0.5, 0.48, 0.1]}  # fmt: skip
    pd.DataFrame(scores).to_csv(tmp_path / "tables" / "table_4_objects.csv", index=False)
    text = page_of(tmp_path, "findings.md")
    assert "| +6.0 | +5.00 [+4.00, +6.00] | +5.00, -1.00 | [" in text


def test_a_claim_that_one_more_training_may_turn_is_counted_apart(tmp_path):
    put(tmp_path, claims=[CLAIM])
    seeds, objects = [0] * 40 + [1] * 40, [f"{i}" for i in range(40)] * 2
    for second, counted in ((0.05, "1 of 1"), (0.01, "0 of 1")):  # beside a first seed's 0.05
        scores = {"block": CLAIM["block"], "seed": seeds, "object_id": objects, "Baseline": 0.5,
                  "+ST": [0.55] * 40 + [0.5 + second] * 40}  # fmt: skip
        pd.DataFrame(scores).to_csv(tmp_path / "tables" / "table_4_objects.csv", index=False)
        (line,) = [x for x in overview_of(tmp_path) if "table_4.md" in x]
        assert line.endswith(f"| {counted} |")


def test_a_row_that_another_should_beat_says_so(tmp_path):
    rows = [CELL | {"block": "VOC@85%", "row": name, "paper": paper, "to_first": None}
            for name, paper in (("iFCN", None), ("DEXTR", 91.5), ("Ours", 93.2))]  # fmt: skip
    claim = CLAIM | {"block": "VOC@85%", "better": "Ours", "worse": "DEXTR"}
    put(tmp_path, cells=rows, number="1", claims=[claim])
    values = published_values(read_reports(tmp_path))
    assert list(values["direction agrees"]) == ["yes, Ours over it", ""]


def test_objects_are_those_that_the_run_has_counted(tmp_path):
    counted = {"images": 9, "objects": 412, "dropped": {"crowd": 3, "tiny": 0}, "drawn": 300}
    put(tmp_path, objects={"coco/train": counted})
    assert "| demo | coco/train | 9 | 412 | 300 | crowd 3 |" in page_of(tmp_path, "settings.md")


def test_a_key_with_an_underscore_is_a_target_with_a_dash(tmp_path):
    put(tmp_path, number="4_plus")
    text = page_of(tmp_path)
    assert "[table 4+, demo](tables/table_4_plus.md)" in text
    assert "`make table-4-plus SEEDS=3`" in text


def test_every_system_of_table_1_says_what_it_sees(tmp_path):
    text = page_of(tmp_path, "settings.md").partition("## Systems")[2]
    for system in ("iFCN", "Latent diversity", "ITIS", "FCTSFN", "DEXTR", "IOG, ours"):
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {system} |")]
        assert line.count("|") == 7
    assert "Adam: 1e-05, 1e-06 after 9 epochs, 3e-07 after 14 epochs; 50 epochs" in text
    assert "SGD, momentum 0.9: 1e-08 / 1e-07; 100 epochs in batches of 5 |" in text


def told(better, worse, *gains, blocks=SCENES, paper=None):
    """A claim in each block: gains are (low, ours, high)."""
    return [CLAIM | {"block": block, "better": better, "worse": worse, "paper": paper, "low": low,
                     "ours": ours, "high": high} for block, (low, ours, high) in
            zip(blocks, gains, strict=True)]  # fmt: skip


def test_what_holds_and_what_does_not_is_counted_over_all_data(tmp_path):
    up, open_, down = (0.5, 1.0, 1.5), (-0.5, 0.5, 1.5), (-2.0, -1.0, -0.5)
    put(tmp_path, claims=[
        *told("+ST", "Baseline", up, open_, paper=0.9), *told("+ST", CONTROL, down, open_),
        *told("+ST +IPT +FA", "+ST", up, down),
    ])  # fmt: skip
    put(tmp_path / "study", profile="study", claims=[
        *told("+ST", "Baseline", up, up), *told("+ST", CONTROL, up, up),
        *told("+ST +IPT +FA", "+ST", down, open_),
    ])  # fmt: skip
    lines = summary(read_reports(tmp_path), 0, "reports/").splitlines()
    first, control, modules, ipt, *_ = lines[2:9]
    assert first == (
        f"| [{STATEMENTS[0].words}](reports/tables/table_4.md) | +0.9, +0.9 | **+1.0**, +0.5 | "
        "**+1.0**, **+1.0** | holds: 3 of 4 |"
    )
    assert control.endswith("| in part: 2 of 4, 1 worse |")
    assert modules.endswith("| in part: 1 of 4, 2 worse |")
    assert ipt.endswith(" masks | –, – | not measured | not measured | not measured |")
    assert lines[10] == (
        f"- **Holds:** {STATEMENTS[0].words}; on real images only: {STATEMENTS[1].words}; in part: "
        f"{STATEMENTS[2].words}."
    )
    assert lines[11] == "- **Does not hold:** nothing."
    put(tmp_path, claims=told("+ST +IPT +FA", "+ST", open_, down))
    assert f"- **Does not hold:** {STATEMENTS[2].words}." in summary(read_reports(tmp_path), 0)


def test_what_is_this_projects_own_stands_in_the_last_two_lines(tmp_path):
    exact = ("Cityscapes, exact boxes", "COCO, exact boxes")
    up, wide = (6.0, 8.3, 9.9), (-0.5, 0.4, 1.2)
    put(tmp_path, table="4_plus", claims=[
        *told("evidence masks", "Baseline", up, wide, blocks=exact),
        *told(OUR_ROW, "Baseline", wide, wide, blocks=exact),
    ])  # fmt: skip
    masks, student = summary(read_reports(tmp_path), 0).splitlines()[7:9]
    assert masks.endswith("| –, – | **+8.3**, +0.4 | not measured | in part: 1 of 2 |")
    assert student.endswith("| –, – | +0.4, +0.4 | not measured | does not hold: 0 of 2 |")


def test_the_summary_says_when_its_tables_have_different_numbers_of_seeds():
    found = read_reports(PROJECT / "reports")
    three, *others = (replace(one, cells=one.cells.assign(n_seeds=3)) for one in found)
    one = replace(three, cells=three.cells.assign(n_seeds=1))
    assert "images and 3 seeds excludes" in summary([three, *others], 0)
    assert "images and 1 to 3 seeds excludes" in summary([one, *others], 0)


def test_every_row_that_the_summary_speaks_of_is_a_row_of_its_table():
    reports = read_reports(PROJECT / "reports")
    text = summary(reports, 0)
    assert text.count("not measured") == 0


def test_the_front_page_has_the_summary_and_nothing_else_of_it_changes(tmp_path):
    reports = tmp_path / "reports"
    put(reports, claims=told("+ST", "Baseline", (0.5, 1.0, 1.5), (0.5, 1.0, 1.5)))
    front = tmp_path / "README.md"
    front.write_text(f"# Mine\n\n{marked(SUMMARY, 'old')}\n\nMore.\n", encoding="utf-8")
    status = block_of(SUMMARY, page_of(reports))
    assert "holds: 2 of 2" in status
    led = status.replace("](tables/", "](reports/tables/")
    assert front.read_text(encoding="utf-8") == f"# Mine\n\n{marked(SUMMARY, led)}\n\nMore.\n"


def test_the_committed_pages_are_what_the_committed_tables_give():
    reports = read_reports(PROJECT / "reports")
    values = published_values(reports)
    n_verified = int((values["verified"] == "yes").sum())
    for name, folder in (("README.md", "reports/"), ("reports/README.md", "")):
        text = (PROJECT / name).read_text(encoding="utf-8")
        assert block_of(SUMMARY, text) == summary(reports, n_verified, folder), "run `make status`"
    assert block_of("glossary", (PROJECT / "README.md").read_text(encoding="utf-8")) == glossary()
