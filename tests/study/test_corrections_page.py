"""Table 1's page about corrections: who is compared, and what stands in its lines."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from openscenes.study.experiments import corrections, table_1
from openscenes.study.experiments.registry import experiment
from openscenes.study.options import profile_named
from openscenes.study.profiles import DEMO
from openscenes.study.runs.recipes import ABLATIONS, OURS, initial

WHOLE = replace(DEMO, ablations=True)
ABLATED = [f"initial, {words}" for words in ABLATIONS]


def test_models_users_and_ingredients_are_compared_on_every_set():
    assert list(corrections.rows(WHOLE, "voc")) == [
        "initial", "initial, on evidence", "initial, a person's clicks, on evidence",
        "initial, without the cut", *ABLATED,
    ]  # fmt: skip
    coco = corrections.rows(WHOLE, "coco")
    assert list(coco)[:2] == ["initial", "evolved"] and len(coco) == 11
    assert coco["evolved"].recipe.scene == "coco" and coco["evolved"].recipe.variant == OURS
    person, alone = (
        coco["evolved, a person's clicks, on evidence"],
        coco["initial, without the cut"],
    )
    assert (person.user, person.obey, person.evidence) == ("human", True, True)
    assert (alone.user, alone.obey, alone.evidence) == ("iog", False, False)
    for label, words in zip(ABLATED, ABLATIONS, strict=True):
        assert coco[label] == replace(coco["initial"], recipe=initial("voc+sbd", 0, words))


def test_without_ablations_the_cut_alone_is_left_out():
    rows = corrections.rows(DEMO, "coco")
    assert list(rows) == list(corrections.rows(WHOLE, "coco"))[: len(rows)]
    assert not set(rows) & set(ABLATED) and "initial, without the cut" in rows


def test_table_1_scores_what_the_page_shows():
    scored = experiment("1").evaluations(profile_named("smoke?ablations=1"), 2)
    assert set(corrections.evaluations(WHOLE, 2)) <= set(scored)
    assert len(scored) == len(set(scored))


def test_a_line_by_hand(monkeypatch):
    """One object that gains 5 points with each click from 50 on, one that stays at 88."""
    rising = np.minimum(0.5 + 0.05 * np.arange(20), 0.95)
    iou = np.stack([rising, np.full(20, 0.88)])[None]
    monkeypatch.setattr(corrections, "score_seeds", lambda *_: iou)
    ids = pd.DataFrame({"object_id": ["a:1/1", "a:2/1"]})
    monkeypatch.setattr(corrections, "score", lambda *_: ids)
    study = SimpleNamespace(profile=SimpleNamespace(n_clicks=20, ablations=True))
    (line,) = [
        one
        for one in corrections.page(study, 1).splitlines()
        if "| VOC" in one and "initial |" in one
    ]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:2] == ["VOC", "initial"]
    assert cells[2:7] == ["69.0", "74.0", "86.5", "91.5", "91.5"]  # after 3, 5, 10, 15, 20 clicks
    # 0.80 after six more clicks, 0.85 after seven, 0.90 after eight; the other at once or never
    assert cells[7:10] == ["6.0", "6.5", "15.5"]
    assert cells[10:] == ["0 %", "0 %", "50 %"]


def test_an_ingredient_brings_what_the_whole_model_has_more(monkeypatch):
    """Each later click brings half a point more to the whole model than without the mask."""

    def iou(_study, evaluation, seeds, _columns):
        less = evaluation.recipe.variant == "without the previous mask"
        curve = 0.5 + (0.01 - 0.005 * less) * np.arange(20)
        return np.repeat(curve[None, None], seeds, axis=0).repeat(4, axis=1)

    monkeypatch.setattr(corrections, "score_seeds", iou)
    ids = [f"a:{n}/1" for n in range(4)]
    monkeypatch.setattr(corrections, "score", lambda *_: pd.DataFrame({"object_id": ids}))
    study = SimpleNamespace(profile=SimpleNamespace(n_clicks=20, ablations=True))
    lines = corrections.page(study, 2).partition("### What each ingredient brings")[2].splitlines()
    found = {line.split(" | ")[0].strip("| "): line for line in lines if line.startswith("| with")}
    assert list(found) == ["without the cut", *ABLATIONS]
    same, gain = "+0.00 [+0.00, +0.00]", "**+3.50** [+3.50, +3.50]"  # after 3 clicks, after 10
    assert found["without the previous mask"].count(f"{same} | {gain}") == 3
    assert found["without the cut"].count(same) == 6


def test_the_csv_holds_every_system_and_every_row_click_by_click(monkeypatch):
    curve = 0.5 + 0.02 * np.arange(20)[None, None]
    monkeypatch.setattr(corrections, "score_seeds", lambda *_: curve)
    monkeypatch.setattr(table_1, "score_seeds", lambda *_: curve)
    ids = pd.DataFrame({"object_id": ["a:1/1"]})
    monkeypatch.setattr(table_1, "score", lambda *_: ids)
    study = SimpleNamespace(profile=SimpleNamespace(n_clicks=20, ablations=True))
    drawn = table_1.click_curves(study, 1)
    assert all(one.images == ["a:1"] for curves in drawn.values() for one in curves.values())
    frame = table_1.curves_frame(study, 1)
    voc = frame[frame["set"] == "VOC"].set_index("system")
    assert list(voc.index) == [*table_1.SYSTEMS, *corrections.rows(WHOLE, "voc")]
    assert list(frame) == ["set", "system", *(str(k) for k in range(1, 21))]
    assert voc.loc["iFCN", "1"] == voc.loc["IOG", "3"] == 50
    assert np.isnan(voc.loc["initial", "2"]) and voc.loc["initial", "20"] == pytest.approx(84)
    assert len(frame) == 3 * 7 + 7 + 11 + 11
