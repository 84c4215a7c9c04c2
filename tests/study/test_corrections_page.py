"""Table 1's page about corrections: who is compared, and what stands in its lines."""

from types import SimpleNamespace

import numpy as np

from openscenes.study.experiments import corrections
from openscenes.study.experiments.registry import experiment
from openscenes.study.options import profile_named


def test_models_users_and_the_cut_are_compared_on_every_set():
    assert list(corrections.rows("voc")) == [
        "initial", "initial, a person's clicks", "initial, without the cut",
    ]  # fmt: skip
    coco = corrections.rows("coco")
    assert list(coco)[:2] == ["initial", "evolved"] and len(coco) == 6
    assert coco["evolved"].recipe.scene == "coco"
    person, alone = coco["evolved, a person's clicks"], coco["initial, without the cut"]
    assert (person.user, person.obey) == ("human", True)
    assert (alone.user, alone.obey) == ("iog", False)


def test_table_1_scores_what_the_page_shows():
    scored = experiment("1").evaluations(profile_named("smoke"), 2)
    assert set(corrections.evaluations(2)) <= set(scored)
    assert len(scored) == len(set(scored))


def test_a_line_by_hand(monkeypatch):
    """One object that gains 5 points with each click from 50 on, one that stays at 88."""
    rising = np.minimum(0.5 + 0.05 * np.arange(20), 0.95)
    iou = np.stack([rising, np.full(20, 0.88)])[None]
    monkeypatch.setattr(corrections, "score_seeds", lambda *_: iou)
    study = SimpleNamespace(profile=SimpleNamespace(n_clicks=20))
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
