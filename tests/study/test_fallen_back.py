"""How many evidence masks of a study fell back to clipped views, and why."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.method.evidence_scenes import planted

from openscenes.data.examples import from_clicks
from openscenes.method.evidence import evidence_of
from openscenes.method.evidence_config import EXACT
from openscenes.method.pseudo import keep_masks
from openscenes.study.experiments import table_4_plus
from openscenes.study.profiles import SMOKE
from openscenes.study.runs.data import new_scene, open_study
from openscenes.study.runs.pseudo import pseudo_file
from openscenes.study.runs.recipes import OURS, evolved, initial
from openscenes.study.runs.runs import find
from openscenes.study.scores.evidence_masks import fallen_back, fallen_back_words

FIRST = initial("voc+sbd", 0)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path))
    return open_study(SMOKE, None, "cpu")


def kept_masks(study, scene, flags, evidence=EXACT):
    """A step and its file of masks, whose first objects have flags."""
    step = evolved(FIRST, scene, OURS)
    made = [replace(from_clicks(one), supervision={}) for one in new_scene(study, scene).clicked]
    told = {example.object_id: flag for example, flag in zip(made, flags, strict=False) if flag}
    keep_masks(pseudo_file(study, step, find(study, FIRST)), made, evidence, told)
    return step, len(made)


def test_a_planted_object_of_one_colour_is_counted_with_its_reason(study):
    cut, wrong = planted()
    flat = replace(cut, image=np.full_like(cut.image, 90))
    flags = [evidence_of(one, wrong, wrong).flag for one in (flat, cut)]
    city, n = kept_masks(study, "cityscapes", flags)
    coco, more = kept_masks(study, "coco", ["cut failed"])
    counts = fallen_back(study, [city, coco])
    assert counts == {"one colour": 1, "cut failed": 1, "": n + more - 2}
    assert fallen_back_words(counts) == (
        f"Of {n + more} kept pseudo masks 2 fell back to clipped views: 1 one colour, 1 cut failed."
    )


def test_where_none_fell_back_it_is_said(study):
    step, n = kept_masks(study, "coco", [])
    words = fallen_back_words(fallen_back(study, [step]))
    assert words == f"None of {n} kept pseudo masks fell back to clipped views."


def test_nothing_is_said_of_masks_that_are_not_kept_or_not_of_evidence(study):
    unmade = evolved(FIRST, "cityscapes", OURS)
    other, _ = kept_masks(study, "coco", [], evidence=None)
    assert fallen_back_words(fallen_back(study, [unmade, other])) == ""


def test_the_section_about_the_masks_says_it(study, monkeypatch):
    kept_masks(study, "cityscapes", ["thin"])
    kept_masks(study, "coco", [])
    scores = pd.DataFrame({"object_id": ["a", "b"], "plain": [0.5, 0.6], "evidence": [0.7, 0.9]})
    monkeypatch.setattr(table_4_plus, "mask_iou", lambda *_: scores)
    text = table_4_plus.masks_markdown(study, 1)
    assert "the line before it. Of " in text
    assert " kept pseudo masks 1 fell back to clipped views: 1 thin.\n\n| masks |" in text
