"""What the plan says with everything there, with nothing there, and without any data."""

import pytest

from openscenes.kept import keep
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.fetch.catalogue import SETS
from openscenes.study.options import profile_named
from openscenes.study.plan import plan
from openscenes.study.plan.plan import plan_text
from openscenes.study.plan.requirements import NEEDS, OBJECTS, missing
from openscenes.study.profiles import PAPER, STUDY
from openscenes.study.runs.data import open_study
from openscenes.study.runs.recipes import initial
from openscenes.study.runs.runs import find
from openscenes.study.runs.work import Cost

SMOKE = profile_named("smoke")


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    costs = dict.fromkeys(("ours", "pairs", "refinement", "iFCN", "Latent diversity", "ITIS",
                           "FCTSFN", "DEXTR"), Cost(3.0, 1.0))  # fmt: skip
    monkeypatch.setattr(plan, "measured", lambda _study: costs)
    return tmp_path


def test_nothing_is_there_then_one_model_is(empty):
    before = plan_text(SMOKE, 1, None, "cpu")
    assert "Trained already" not in before
    assert "To train: 76 models" in before
    study = open_study(SMOKE, None, "cpu")
    made = find(study, initial("voc", 0))
    made.folder.mkdir(parents=True)
    keep(made.folder / "run.json", {"label": "smoke seed 0 x", "wall_s": 1.0, "made_of": {}})
    made.weights.write_bytes(b"")
    after = plan_text(SMOKE, 1, None, "cpu")
    assert "Trained already: 1 models\n  initial voc\n" in after
    assert "To train: 75 models" in after


def test_every_table_has_a_line_and_shares_what_those_above_have(empty):
    text = plan_text(SMOKE, 2, None, "cpu")
    lines = text.split("Tables: ")[1].split("\n\n")[0].splitlines()
    for key, found in EXPERIMENTS.items():
        assert any(line.split()[:1] == [key] and found.about in line for line in lines)
    assert "  3         1 models,  0 new" in text
    assert "of 1: initial voc+sbd" in text
    assert "To train: 152 models" in text
    assert "initial voc+sbd (2 seeds)" in text


def test_a_parent_is_trained_before_its_children(empty):
    text = plan_text(SMOKE, 1, None, "cpu").split("To train")[1].split("\n\n")[0]
    words = [line.split("  ")[-1] for line in text.splitlines()[2:]]
    for name in words:
        parent = name.rpartition(" > ")[0]
        assert not parent or words.index(parent) < words.index(name)


def test_time_is_crops_times_cost(empty):
    line = next(
        line for line in plan_text(SMOKE, 1, None, "cpu").splitlines()
        if line.endswith("  initial voc")
    )  # fmt: skip
    crops = int(line.split()[0])
    assert line.split()[2:4] == [f"{3 * crops}", "s"]


def test_what_was_trained_before_takes_as_long_again(empty):
    """A mean over seeds, of this profile and device, whatever the step starts from."""
    records = {
        "smoke seed 0 initial voc": 5.0, "smoke seed 1 initial voc": 8.0,
        "smoke seed 0 initial voc > coco st": 77.0, "demo seed 0 initial voc": 999.0,
        "smoke seed 0 peer ITIS": 33.0, "smoke seed 0 initial voc > cityscapes ground truth": 21.0,
    }  # fmt: skip
    for n, (label, wall_s) in enumerate(records.items()):
        for device, seconds in (("cpu", wall_s), ("cuda", 555.0)):
            run = empty / "cache" / "runs" / f"{device}{n}" / "run.json"
            keep(run, {"label": label, "wall_s": seconds, "made_of": {"device": device}})
    lines = plan_text(SMOKE, 1, None, "cpu").splitlines()
    took = {line[36:]: line.split()[2:4] for line in lines if line.endswith((" voc", "st", "ITIS"))}
    assert took["initial voc"] == ["6", "s"]  # 6.5, to even
    assert took["initial voc > coco st"] == took["initial voc+sbd > coco st"] == ["77", "s"]
    assert took["peer ITIS"] == ["33", "s"]
    (tuned,) = (line for line in lines if line.endswith("peer DEXTR > cityscapes ground truth"))
    assert tuned.split()[2:4] != ["21", "s"]  # another network
    assert any("earlier trainings in this cache" in line for line in lines)


def test_the_papers_profile_without_data_says_what_is_needed():
    text = plan_text(PAPER, 1, None, "cpu")
    for need in NEEDS:
        assert need.name in text and all(line in text for line in need.contents)
    for word in ("DATA/cityscapes/gtFine/val", "md5", "resnet101-imagenet.safetensors",
                 "make data DATA=folder", "To train: 84 models", "40 %", "float32"):  # fmt: skip
        assert word in text
    assert "[there]" not in text and "[missing]" not in text


def test_folders_that_are_there_are_told_from_those_that_are_not(tmp_path):
    (tmp_path / "coco/val2017").mkdir(parents=True)
    text = plan_text(PAPER, 1, tmp_path, "cpu")
    assert f"[there] {tmp_path}/coco/val2017" in text
    assert f"[missing] {tmp_path}/coco/train2017" in text


def test_a_study_without_data_has_models_but_no_estimate(tmp_path):
    text = plan_text(STUDY, 1, tmp_path / "nowhere", "cpu")
    assert "To train: 76 models" in text
    assert "No estimate" in text
    assert "3,507" not in text


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
