"""Two versions on held-out objects: measures by hand, kept answers, figures, the command line."""

import argparse
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from openscenes import masks
from openscenes.annotator import command
from openscenes.annotator.evolve import judgement as evolving_judgement
from openscenes.annotator.evolve import kept_predictions as asking
from openscenes.annotator.evolve import predicted_quality
from openscenes.annotator.evolve.advice import (
    AGREEMENT,
    CLASS_IOU,
    LABEL_FREE,
    QUALITY,
    SOURCE_IOU,
    TITLES,
)
from openscenes.annotator.evolve.evolving import evolve_on, split_for, version_in_use
from openscenes.annotator.evolve.judgement import (
    Candidate,
    box_iou,
    changed_share,
    judge,
    of_the_source,
    scores,
    sides_touched,
    worth_of,
)
from openscenes.annotator.evolve.kept_predictions import KeptPrediction, kept_predictions, shaken
from openscenes.annotator.screen import judgement_page
from openscenes.annotator.screen.judgement_page import ranked, window
from openscenes.annotator.store.history import in_use
from openscenes.annotator.store.versions import Versions
from openscenes.annotator.store.workspace import digest_of, workspace_of
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError, OpenScenesError
from openscenes.study.options import profile_named
from openscenes.study.runs.data import open_study

PERSON = run_path(str(Path(__file__).with_name("person.py")))


@pytest.fixture(scope="module")
def study():
    return open_study(profile_named("smoke"), None, "cpu")


@pytest.fixture(scope="module")
def case(study, tmp_path_factory):
    """Workspace, old and new version, held-out objects, judgement."""
    workspace = PERSON["annotated"](tmp_path_factory.mktemp("judgement"))
    accepted = PERSON["accepted"](workspace)
    old, new = version_in_use(workspace, study), evolve_on(workspace, study, accepted)
    held_out = split_for(workspace, new, accepted).held_out
    return workspace, (old, new), held_out, judge(workspace, study, old, new, held_out)


def drawn(box: tuple[int, int, int, int], size=(10, 10)) -> dict:
    mask = np.zeros(size, bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return masks.encode(mask)


def test_boxes_by_hand() -> None:
    assert box_iou((0, 0, 2, 2), (0, 0, 2, 2)) == 1.0
    assert box_iou((0, 0, 2, 2), (0, 1, 2, 3)) == pytest.approx(2 / 6)
    assert box_iou((0, 0, 2, 2), (2, 2, 4, 4)) == 0.0
    assert sides_touched((0, 0, 50, 50), (0, 0, 50, 50)) == 1.0
    assert sides_touched((0, 0, 47, 49), (0, 0, 50, 50)) == 0.75
    assert sides_touched((3, 3, 47, 47), (0, 0, 50, 50)) == 0.0


def test_measures_by_hand(case) -> None:
    plain = replace(
        case[2][0], size=(10, 10), box=Box(2.0, 2.0, 8.0, 8.0), first_mask=None,
        clicks=(case[2][0].clicks[0]._replace(row=3.0, col=3.0),), mask=drawn((2, 2, 8, 8)),
    )  # fmt: skip
    perfect = scores(plain, KeptPrediction(drawn((2, 2, 8, 8)), 0.9))
    assert perfect == {AGREEMENT: 1.0, "hit": 1.0, "box": 1.0, "sides": 1.0, "stability": 0.9}
    half = scores(plain, KeptPrediction(drawn((5, 2, 8, 8)), 0.5))
    assert half == {AGREEMENT: 0.5, "hit": 0.0, "box": 0.5, "sides": 0.75, "stability": 0.5}
    nothing = scores(plain, KeptPrediction(drawn((0, 0, 0, 0)), 1.0))
    assert [nothing[name] for name in (AGREEMENT, "hit", "box", "sides")] == [0.0] * 4


def test_shaken_clicks_stay_near_and_inside() -> None:
    given, rng = (
        Interaction(Box(10.0, 0.0, 60.0, 100.0), Point(59.0, 1.0)),
        np.random.default_rng(0),
    )
    for _ in range(300):
        box, (row, col) = (moved := shaken(given, (64, 100), rng)).box, moved.point
        assert 0 <= box.row0 < box.row1 <= 64 and 0 <= box.col0 < box.col1 <= 100
        assert box.row0 - 0.5 <= row <= box.row1 - 0.5 and box.col0 - 0.5 <= col <= box.col1 - 0.5
        assert abs(box.row0 - 10) < 10 and abs(box.col1 - 100) < 20
    assert moved != given


def test_answers_are_asked_for_once(case, study, monkeypatch) -> None:
    workspace, (old, _), held_out, _ = case
    first = kept_predictions(workspace, study, old, held_out)
    asked = []
    real = asking._predicted
    monkeypatch.setattr(asking, "_predicted", lambda *a: asked.append(a[-1]) or real(*a))
    assert kept_predictions(workspace, study, old, held_out[::-1]) == first[::-1]
    assert asked == []
    moved = replace(held_out[0], box=Box(*(side + 1.0 for side in held_out[0].box)))
    assert kept_predictions(workspace, study, old, [moved, held_out[1]])[1] == first[1]
    assert asked == [[moved]]


def test_kept_answers_that_are_damaged_are_made_anew(case, study) -> None:
    workspace, (old, _), held_out, _ = case
    first = kept_predictions(workspace, study, old, held_out)
    path = workspace.folder / "judgements" / f"{old.name}.jsonl"
    whole = [json.loads(line) for line in path.read_bytes().splitlines()]
    broken = [
        {"mask": {"size": [10**9, 10**9], "counts": "0"}}, {"mask": None}, {"stability": 10**400},
        {"stability": float("nan")}, {"stability": True}, {"key": ["a"]},
    ]  # fmt: skip
    lines = [json.dumps(entry | odd) for entry, odd in zip(whole, broken, strict=False)]
    path.write_text("\n".join([*lines, "[" * 10_000, "[]", "\x00", lines[0][:40]]))
    assert kept_predictions(workspace, study, old, held_out) == first
    assert kept_predictions(workspace, study, old, held_out[:1]) == first[:1]


def test_a_click_on_the_images_edge_hits_its_last_pixel() -> None:
    item = SimpleNamespace(
        clicks=[(9.5, 9.5, 1, 0.0)], mask=drawn((0, 0, 10, 10)), box=(0, 0, 9, 9)
    )
    assert scores(item, KeptPrediction(drawn((9, 9, 10, 10)), 1.0))["hit"] == 1.0
    item.clicks = [(-0.6, -0.6, 1, 0.0)]
    assert scores(item, KeptPrediction(drawn((9, 9, 10, 10)), 1.0))["hit"] == 0.0


def test_what_is_asked_is_box_and_point_alone(case, study) -> None:
    workspace, (old, _), held_out, _ = case
    corrected = next(item for item in held_out if item.corrected)
    plain = replace(corrected, clicks=corrected.clicks[:1])
    assert kept_predictions(workspace, study, old, [plain]) == kept_predictions(
        workspace, study, old, [corrected]
    )


def test_each_object_counts_where_it_can_tell(case) -> None:
    _, (old, new), held_out, judgement = case
    objects = judgement.objects
    assert list(objects["object"]) == [item.object_id for item in held_out]
    assert list(objects["corrected"]) == [item.corrected for item in held_out]
    assert (judgement.old, judgement.new) == (old.name, new.name)
    counted = {name: measure.n for name, measure in judgement.measures.items()}
    assert counted[AGREEMENT] == 6 and {counted[name] for name in LABEL_FREE} == {6}
    assert counted[QUALITY] == 12
    assert (
        objects[[f"{QUALITY} old", f"{QUALITY} new"]]
        .apply(lambda c: c.between(0, 1))
        .all(axis=None)
    )
    corrected = objects[objects["corrected"]]
    gain = corrected[f"{AGREEMENT} new"] - corrected[f"{AGREEMENT} old"]
    assert judgement.measures[AGREEMENT].difference.mean == pytest.approx(100 * gain.mean())
    assert np.allclose(corrected["change"], gain)
    assert list(judgement.table().index) == list(TITLES.values())


def test_an_imported_mask_counts_as_corrected(case, study) -> None:
    workspace, (old, new), held_out, _ = case
    imported = [replace(item, model="") for item in held_out]
    judgement = judge(workspace, study, old, new, imported)
    assert judgement.measures[AGREEMENT].n == 12
    assert judgement.measures["box"].n == 0


def test_a_version_beside_itself_changes_nothing(case, study) -> None:
    workspace, (old, _), held_out, _ = case
    judgement = judge(workspace, study, old, old, held_out)
    assert (judgement.objects["change"] == 0).all()
    assert judgement.verdict == "inconclusive"
    assert judge(workspace, study, old, old, []).verdict == "inconclusive"


def test_the_class_that_lost_most_is_found() -> None:
    old = pd.DataFrame({"class_name": ["cat"] * 5 + ["dog"] * 6 + ["emu"], "iou": 0.5})
    new = old.assign(iou=[0.6] * 5 + [0.4] * 6 + [0.0])
    found = of_the_source(old, new)
    assert [found[name].n for name in (SOURCE_IOU, CLASS_IOU)] == [12, 6]  # one emu is too few
    assert found[CLASS_IOU].difference.mean == pytest.approx(-10.0)
    assert of_the_source(old[-1:], new[-1:])[CLASS_IOU].n == 0


def test_quality_is_learned_once(case, study, monkeypatch) -> None:
    workspace, (old, new), held_out, judgement = case
    told = predicted_quality.code_digest(predicted_quality.learned_quality)
    monkeypatch.setattr(predicted_quality, "code_digest", lambda _: told)
    monkeypatch.setattr(predicted_quality, "learned_quality", None)
    again = predicted_quality.predicted_qualities(workspace, study, old, new, held_out)
    assert np.allclose(again[:, 0], judgement.objects[f"{QUALITY} old"])
    assert np.allclose(again[:, 1], judgement.objects[f"{QUALITY} new"])


def test_figures_and_their_words(case, study) -> None:
    workspace, versions, held_out, judgement = case
    figure = judgement_page.differences_figure(judgement, ("new", "old"))
    labels = [text.get_text().replace("\n", " ") for text in figure.axes[0].get_yticklabels()]
    assert all(any(label.startswith(t) for label in labels) for t in TITLES.values())
    assert judgement.verdict in figure.get_suptitle()
    gallery = judgement_page.objects_figure(workspace, study, versions, held_out, judgement, n=3)
    assert len(gallery.axes) == 9
    assert "3 of 12 held-out objects" in gallery.get_suptitle()
    assert "Of 12 held-out objects" in judgement_page.objects_text(judgement)
    assert TITLES[AGREEMENT] in judgement_page.differences_text(judgement, ("new", "old"))


def test_names_of_others_stay_words(case, study) -> None:
    workspace, (old, new), held_out, judgement = case
    name = "<img src=x onerror=alert(1)>\"'&$x_1^2$ $\\nothing{\n"
    objects = judgement.objects.assign(class_name=name)
    objects.loc[objects.index[::2], "class_name"] = None
    judged_so = replace(judgement, old=name, new=name, objects=objects, advice=name)
    new = replace(new, about={**new.about, "label": name})
    page = judgement_page.page_of(workspace, study, Candidate(old, new, held_out, judged_so))
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    for figure, words in judgement_page.judgement_figures(
        workspace, study, Candidate(old, new, held_out, judged_so)
    ).values():
        figure.draw_without_rendering()
        assert not any(word in words for word in ("nan", "None"))
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert not any(title.startswith("nan") for title in titles)


def test_a_gallery_goes_from_gain_to_loss_by_rank(case) -> None:
    change = case[3].objects["change"].iloc[:5].copy()
    change[:] = [0.1, -0.2, 0.5, 0.0, 0.3]
    assert ranked(change, 3) == [2, 0, 1]
    assert ranked(change, 9) == [2, 4, 0, 3, 1]
    assert ranked(change.iloc[:0], 3) == []


def test_a_window_stays_in_the_image() -> None:
    assert window(Box(0.0, 0.0, 10.0, 10.0), (12, 100)) == (0, 0, 12, 28)


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["evolve", *words])
    return args.run(args)


def test_the_command_evolves_judges_and_leaves_the_decision(case, capsys) -> None:
    workspace, (old, new), _, judgement = case
    log = ["--log", str(workspace.log_path)]
    assert run(*log, "--profile", "smoke", "--device", "cpu") == 0
    said = capsys.readouterr().out
    assert f"accept      --accept {new.name}" in said
    assert judgement.advice in said
    folder = workspace.folder / "judgements" / f"{old.name}-{new.name}"
    assert {path.name for path in folder.iterdir()} == {"differences.png", "objects.png"}
    versions = Versions(workspace.folder)
    assert versions.current().name == old.name
    if judgement.verdict != "worse":
        run(*log, "--refuse")
    run(*log, "--accept", new.name[:6])
    assert versions.current().name == new.name
    run(*log, "--status")
    said = capsys.readouterr().out
    assert f"* {new.name}  {new.label}" in said
    assert f"{new.name}  refused by" in said
    run(*log, "--rollback")
    assert f"in use again: {old.name}" in capsys.readouterr().out
    assert versions.current().name == old.name


def test_what_is_judged_worse_is_refused_and_may_be_accepted_by_name(
    few, case, capsys, monkeypatch
) -> None:
    worse = replace(case[3], verdict="worse")
    versions, (old, new) = Versions(few.folder), case[1]
    (versions.folder / "history.jsonl").unlink()
    for name in (old.name, new.name):
        versions.add(name)
    versions.accept(old.name)
    candidate = Candidate(old, new, (), worse)
    monkeypatch.setattr(evolving_judgement, "evolved", lambda *_, **__: candidate)
    monkeypatch.setattr(judgement_page, "judgement_figures", lambda *_: {})
    run("--log", str(few.log_path), "--profile", "smoke", "--device", "cpu")
    assert "refused     by the judgement" in capsys.readouterr().out
    assert versions.undecided() == [] and versions.current().name == old.name
    with pytest.raises(InputError, match="No version waits"):
        run("--log", str(few.log_path), "--accept")
    run("--log", str(few.log_path), "--accept", new.name)
    assert versions.current().name == new.name


def test_a_folder_without_log_is_one_sentence(tmp_path) -> None:
    with pytest.raises(InputError, match=r"holds no workspace\.json"):
        run("--log", str(tmp_path))
    with pytest.raises(InputError, match=r"none\.jsonl|holds no workspace\.json"):
        run("--log", str(tmp_path / "none.jsonl"), "--status")


@pytest.fixture
def few(case, tmp_path):
    """A workspace with a log and an initial version alone, to be spoiled."""
    shutil.copytree(case[0].folder, tmp_path / "photos/openscenes")
    shutil.copy(next(case[0].images.glob("*.jpg")), tmp_path / "photos")
    return workspace_of(tmp_path / "photos/openscenes")


@pytest.mark.parametrize("given", ["../x", "", "x\ny", "<b>", "a" * 300])
def test_a_version_that_nobody_made_is_not_taken(few, given) -> None:
    for decision in ("--accept", "--refuse"):
        with pytest.raises(InputError, match="No version is called .*; name one of: ") as raised:
            run("--log", str(few.log_path), decision, given)
        assert str(raised.value).isprintable()


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_a_log_that_is_no_file_is_told_before_it_is_read(few, kind) -> None:
    path = few.log_path
    path.unlink()
    {"pipe": os.mkfifo, "folder": os.mkdir, "loop": lambda at: at.symlink_to(at)}[kind](path)
    with pytest.raises(OpenScenesError, match=f"{path}"):
        run("--log", str(path if kind != "folder" else few.folder))


def test_the_list_of_versions_tells_what_is_damaged(few, capsys) -> None:
    versions = Versions(few.folder)
    name = versions.current().name
    (versions.folder / name / "about.json").write_text('{"label": "a"}')
    run("--log", str(few.folder), "--status")
    said = capsys.readouterr().out
    assert f"version {name} could not be used; all others count." in said


def test_an_initial_model_that_is_damaged_is_made_anew(few, study) -> None:
    versions = Versions(few.folder)
    while len(in_use(versions.history())) > 1:
        versions.rollback()
    name, before = versions.current().name, versions.history()
    weights = versions.folder / name / "model.safetensors"
    for path, content in (
        (weights, weights.read_bytes()[:-9]),
        (weights.parent / "about.json", b""),
    ):
        path.write_bytes(content)
        assert version_in_use(few, study).name == name
        assert versions.is_whole(name) and versions.history() == before


def test_a_workspace_to_look_at_borrows_the_initial_model(few, study) -> None:
    shutil.rmtree(few.folder / "versions")
    borrowed = version_in_use(replace(few, read_only="Nothing can be kept here."), study)
    assert borrowed.load(study) and borrowed.parent is None
    assert not (few.folder / "versions").exists()
    assert version_in_use(few, study).name == borrowed.name


def test_objects_of_a_frame_that_was_turned_since_are_neither_learned_nor_judged(
    few, study
) -> None:
    accepted = [one for one in PERSON["accepted"](few) if (few.images / one.image).exists()]
    older = [replace(one, pixel_digest=None) for one in accepted]
    version = version_in_use(few, study)
    assert split_for(few, version, older).missing == ()
    photo = few.images / accepted[0].image
    content = photo.read_bytes()
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(photo).save(photo, exif=exif)
    turned = [replace(one, image_digest=digest_of(photo)) for one in older]
    assert len(split_for(few, version, turned).missing) == len(turned) > 0
    photo.write_bytes(content)


def test_the_judgement_says_what_its_truth_is_worth():
    before, after = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    before[:5], after[:6] = True, True
    codes = {"first_mask": masks.encode(before), "mask": masks.encode(after)}
    mended = SimpleNamespace(corrected=True, model="v", **codes)
    drawn = SimpleNamespace(corrected=False, model="", first_mask=None, mask=codes["mask"])
    confirmed = SimpleNamespace(corrected=False, model="v", **codes)
    assert changed_share(mended) == pytest.approx(1 / 6)
    assert worth_of([confirmed]) == ""
    assert worth_of([mended, drawn, confirmed]) == (
        "Of the masks that count as truth, 1 mask was drawn by you or imported; 1 mask is a "
        "version's draft in which you changed 17 % of the pixels (median): with the rest its model "
        "agrees by itself."
    )
