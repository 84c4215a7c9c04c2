"""What the plan says with everything there, with nothing there, and without any data."""

import json
import shutil
from dataclasses import replace

import pytest

from openscenes.errors import InputError
from openscenes.kept import keep
from openscenes.study.asked import key_words
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.fetch.catalogue import SETS
from openscenes.study.graph.page import Page, _times_of
from openscenes.study.graph.tasks import tasks_of
from openscenes.study.options import profile_named
from openscenes.study.plan import machines, plan
from openscenes.study.plan.costs import duration
from openscenes.study.plan.machines import DEFAULT, assumed
from openscenes.study.plan.plan import plan_text, planned, short_words
from openscenes.study.plan.requirements import NEEDS, OBJECTS, missing
from openscenes.study.plan.schedule import longest_chain, makespan, task_time
from openscenes.study.profiles import PAPER, STUDY
from openscenes.study.runs import recipes
from openscenes.study.runs.data import open_study
from openscenes.study.runs.recipes import BN_ONLY, initial
from openscenes.study.runs.runs import find
from openscenes.study.runs.shapes import CORRECTION, NETWORKS
from openscenes.study.runs.work import counted

SMOKE = profile_named("smoke")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A cache with scenes and counts, which take seconds to make."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def empty(drawn, monkeypatch):
    """A cache where nothing was trained, and a machine that takes 3 s for each crop."""
    monkeypatch.setenv("OPENSCENES_CACHE", str(drawn))
    seconds = {f"{kind} {name}": 3.0 for name in (*NETWORKS, CORRECTION)
               for kind in ("train", "forward")}  # fmt: skip
    seconds |= dict.fromkeys(json.loads(DEFAULT.read_text())["unit_ms"], 0.0)
    monkeypatch.setattr(machines, "_measured", lambda _study: seconds)
    yield drawn
    for made in ("runs", "pages"):
        shutil.rmtree(drawn / made, ignore_errors=True)


def test_nothing_is_there_then_one_model_is(empty):
    before = plan_text(SMOKE, 1, None, "cpu")
    assert "Trained already" not in before
    assert "To train: 47 models" in before
    study = open_study(SMOKE, None, "cpu")
    made = find(study, initial("voc", 0))
    made.folder.mkdir(parents=True)
    keep(made.folder / "run.json", {"label": "smoke seed 0 x", "wall_s": 1.0, "made_of": {}})
    made.weights.write_bytes(b"")
    after = plan_text(SMOKE, 1, None, "cpu")
    assert "Trained already: 1 model\n  initial voc\n" in after
    assert "To train: 46 models" in after


def section(text, head):
    return text.split(head)[1].split("\n\n")[0].splitlines()[1:]


def test_every_table_has_a_line_and_counts_what_those_above_lack(empty):
    profile = replace(SMOKE, ablations=True)
    text = plan_text(profile, 2, None, "cpu")
    lines = section(text, "What each table adds")[1:-2]
    rows = {line.split()[0]: line for line in lines}
    assert list(rows) == [key_words(key) for key in EXPERIMENTS]
    assert all(rows[key_words(key)].endswith(found.about) for key, found in EXPERIMENTS.items())
    models = [int(row.split()[1]) for row in rows.values()]
    assert models[2] == 10 and sum(models) == 206
    scores = [e for found in EXPERIMENTS.values() for e in found.evaluations(profile, 2)]
    assert sum(int(row.split()[3]) for row in rows.values()) == len(set(scores))
    assert "To train: 206 models" in text
    assert "initial voc+sbd (2 models)" in text


def test_tables_asked_by_name_are_counted_alone(empty):
    text = plan_text(SMOKE, 1, None, "cpu", keys=["3"])
    assert "To train: 1 model," in text
    assert [line.split()[0] for line in section(text, "What each table adds")[1:-2]] == ["3"]


def test_a_parent_is_trained_before_its_children(empty):
    lines = section(plan_text(SMOKE, 1, None, "cpu"), "To train")[1:]
    words = [line.split("  ")[-1] for line in lines]
    assert max(map(len, words)) < 160
    for name in words:
        parent = name.rpartition(" > ")[0]
        if "parts" not in name and "rounds" not in name:
            assert not parent or words.index(parent) < words.index(name)


def test_time_is_crops_times_cost(empty):
    line = next(
        line for line in plan_text(SMOKE, 1, None, "cpu").splitlines()
        if line.endswith("  initial voc")
    )  # fmt: skip
    crops = int(line.split()[0])
    assert line.split()[4:6] == [f"{3 * crops}", "s"]


def test_what_was_trained_before_takes_as_long_again(empty):
    """A mean over seeds, of this profile and device, whatever the step starts from."""
    records = {
        "smoke seed 0 initial voc": 5.0, "smoke seed 1 initial voc": 8.0,
        "smoke seed 0 initial voc > coco st": 77.0, "demo seed 0 initial voc": 999.0,
        "smoke seed 0 peer ITIS": 33.0, "smoke seed 0 initial voc > cityscapes ground truth": 21.0,
    }  # fmt: skip
    for n, (label, wall_s) in enumerate(records.items()):
        for device, seconds in (("cpu", wall_s), ("cuda", 555.0)):
            run = empty / "runs" / f"{device}{n}" / "run.json"
            keep(run, {"label": label, "wall_s": seconds, "made_of": {"device": device}})
    lines = plan_text(SMOKE, 1, None, "cpu").splitlines()
    ends = (" voc", "st", "ITIS")
    took = {line.split("  ")[-1]: line.split()[4:6] for line in lines if line.endswith(ends)}
    assert took["initial voc"] == ["6", "s"]  # 6.5, to even
    assert took["initial voc > coco st"] == took["initial voc+sbd > coco st"] == ["77", "s"]
    assert took["peer ITIS"] == ["33", "s"]
    (tuned,) = (line for line in lines if line.endswith("peer DEXTR > cityscapes ground truth"))
    assert tuned.split()[4:6] != ["21", "s"]  # another network
    assert any("A training that was done before takes as long" in line for line in lines)


def test_pages_take_as_long_as_those_that_were_made_before(empty):
    study = open_study(SMOKE, None, "cpu")
    for key, seconds in (("1", 20.0), ("2", 40.0)):
        keep(_times_of(study) / f"{key}.json", {"wall_s": seconds})
    text = plan_text(SMOKE, 1, None, "cpu", keys=["3"])
    (pages,) = (line for line in text.splitlines() if line.endswith("  pages"))
    assert pages.split()[-3:] == ["30", "s", "pages"]


def test_one_gpu_asked_by_its_number_is_planned_alone(empty, monkeypatch):
    asked = []
    monkeypatch.setattr(plan, "slots_here", lambda study, left, device: asked.append(device) or [1])
    planned(SMOKE, 1, None, "cpu", keys=["3"])
    assert asked == ["cpu"]


def test_the_papers_profile_without_data_says_what_is_needed():
    text = plan_text(PAPER, 1, None, "cpu")
    for need in NEEDS:
        assert need.name in text and all(line in text for line in need.contents)
    for word in ("DATA/cityscapes/gtFine/val", "md5", "resnet101-imagenet.safetensors",
                 "make data DATA=folder", "To train: 49 models", "not measured (h200.json)",
                 "by 1 GPU.", "by 8 GPUs.", "Never less than"):  # fmt: skip
        assert word in text
    assert "\n    4+" not in text
    assert "To train: 55 models" in plan_text(PAPER, 1, None, "cpu", keys=list(EXPERIMENTS))
    assert "[there]" not in text and "[missing]" not in text


def test_folders_that_are_there_are_told_from_those_that_are_not(tmp_path):
    (tmp_path / "coco/val2017").mkdir(parents=True)
    text = plan_text(PAPER, 1, tmp_path, "cpu")
    assert f"[there] {tmp_path}/coco/val2017" in text
    assert f"[missing] {tmp_path}/coco/train2017" in text


def test_a_study_without_data_has_models_and_published_counts_but_no_time(tmp_path):
    text = plan_text(STUDY, 1, tmp_path / "nowhere", "cpu")
    assert "Time: no estimate" in text
    assert "published counts" in text and "voc 3,507, " in text and "coco 300, " in text
    (first,) = (line for line in text.splitlines() if line.endswith("  initial voc+sbd"))
    assert first.split()[0] == f"{25_832 * STUDY.initial.epochs:,}"
    assert " ? " in first and " s  " not in first


def test_nothing_is_missing_where_every_folder_is(tmp_path):
    assert len(missing(None)) == len(missing(tmp_path)) == 13
    for need in NEEDS:
        for folder in need.folders:
            (tmp_path / folder).mkdir(parents=True)
    assert missing(tmp_path) == ()


def test_official_files_are_those_that_are_fetched():
    archives = " ".join(need.archive for need in NEEDS)
    for one in SETS.values():
        assert all(f"{a.name}, " in archives and a.checksum in archives for a in one.archives)


def test_counts_of_the_paper():
    assert (OBJECTS["cityscapes"], OBJECTS["coco"]) == (52_004, 83_070)


def test_a_folded_chain_has_one_line():
    chain = recipes.in_parts(initial("voc", 0), "cityscapes", 4, BN_ONLY, "st")
    words = {short_words(step) for recipe in chain for step in recipe.lineage()[2:]}
    assert words == {"initial voc > cityscapes BN re-estimation > cityscapes st, in 4 parts"}


def assuming(folder, stated):
    file = folder / "mine.json"
    file.write_text(stated if isinstance(stated, str) else json.dumps(stated))
    return assumed(file, PAPER)


def test_an_assumed_machine_is_the_default_with_what_is_stated(tmp_path):
    given = {"name": "ours", "tflops": {"32-true": 74}, "unit_ms": {"cut": 7}, "gpus": [2]}
    plain, mine = assumed(None, PAPER), assuming(tmp_path, given)
    operations = counted(PAPER)["train ours"]
    assert mine.seconds["train ours"] == pytest.approx(operations / 74e12)
    assert (mine.seconds["cut"], mine.sides) == (0.007, (2,))
    assert "ours, 74 TFLOP/s" in mine.source
    assert mine.seconds["click"] == plain.seconds["click"]
    half = assumed(None, profile_named("paper?precision=bf16-mixed")).seconds["train ours"]
    assert half == pytest.approx(operations / 120e12)


def test_every_default_has_a_source():
    stated = json.loads(DEFAULT.read_text())
    assert {*stated["sources"], "name", "sources"} == set(stated)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("{", "is no JSON"),
        ([], "the whole .* an object with keys of name, gpus"),
        ({"gpu": 1}, "{'gpu': 1}; give an object with keys of name"),
        ({"gpus": 2}, "a list of whole numbers"),
        ({"gpus": [0]}, "a list of whole numbers"),
        ({"name": 3}, "give a text"),
        ({"cores": True}, "cores .* is True; give a number"),
        ({"cores": "16"}, "cores .* is '16'; give a number"),
        ({"tflops": {"fp8": 1}}, "an object with keys of 32-true, tf32, bf16-mixed"),
        ({"tflops": {"tf32": 0}}, "tf32 .* is 0; give a number above 0"),
        ({"unit_ms": {"cut": None}}, "cut .* is None"),
        ({"sources": {"cores": 1}}, "cores .* is 1; give a text"),
    ],
)
def test_what_no_machine_can_be_is_said_in_one_sentence(tmp_path, stated, said):
    with pytest.raises(InputError, match=said) as error:
        assuming(tmp_path, stated)
    assert "\n" not in str(error.value)


def test_eight_gpus_are_bounded_by_the_longest_chain(monkeypatch):
    """Table 7 is one chain: four parts, of which each starts from the one before."""
    text = plan_text(PAPER, 1, None, "cpu", keys=["7"])
    graph = tasks_of(PAPER, (), {Page("7"): tuple(EXPERIMENTS["7"].evaluations(PAPER, 1))})
    machine = assumed(None, PAPER)
    seconds = {task: task_time(PAPER, task, OBJECTS, machine).wall for task in graph}
    bound, most = longest_chain(graph, seconds), makespan(graph, seconds, 8)
    assert most == pytest.approx(bound, rel=0.01)
    assert f"Never less than {duration(bound)}: a chain" in text
