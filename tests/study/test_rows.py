"""From specifications of rows to blocks: paired differences, published values, claims."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from openscenes.paths import cache_dir
from openscenes.study.experiments import rows
from openscenes.study.experiments.rows import (
    BlockSpec,
    RowSpec,
    block_of,
    data_and_seeds,
    evaluations_of,
)
from openscenes.study.profiles import DEMO
from openscenes.study.runs.recipes import evolved, initial
from openscenes.study.scores.evaluation import Evaluation

SCORES = {  # per variant: seeds x objects
    "": [[0.50, 0.60], [0.52, 0.58]],
    "st": [[0.60, 0.70], [0.62, 0.68]],
    "st+ipt": [[0.55, 0.75], [0.62, 0.68]],
}


def row(label, variant, **options):
    first = initial("voc", 0)
    model = evolved(first, "cityscapes", variant) if variant else first
    options = {"source": True, "column": "cityscapes voc"} | options
    return RowSpec(label, Evaluation(model, "cityscapes"), **options)


SPEC = BlockSpec(
    "Cityscapes",
    (row("Baseline", ""), row("+ST", "st"), row("+ST +IPT", "st+ipt", source=False)),
)


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    def answer(_study, evaluation):
        values = np.array(SCORES[evaluation.recipe.variant][evaluation.recipe.seed])
        return pd.DataFrame(
            {"object_id": ["a", "b"], "class_name": ["cat", "dog"], "area": [3, 4],
             "iou": values / (2 if evaluation.where == "voc" else 1), "half": values / 2}
        )  # fmt: skip

    monkeypatch.setattr(rows, "score", answer)


def test_evaluations_are_listed_once_for_each_seed():
    found = evaluations_of([SPEC, SPEC], 2)
    assert len(found) == len(set(found)) == 2 * (2 + 2 + 1)
    assert {evaluation.where for evaluation in found} == {"voc", "cityscapes"}
    assert {evaluation.recipe.lineage()[0].seed for evaluation in found} == {0, 1}
    assert evaluations_of([], 3) == []


def test_a_row_shows_its_own_column_of_the_scores_and_names_the_row_above():
    first, second, third = (row("Baseline", ""), row("half", "", values="half"),
                            row("+ST", "st", above="Baseline"))  # fmt: skip
    block, _ = block_of(None, "4", BlockSpec("Cityscapes", (first, second, third)), 2)
    assert block.rows[1].ours.mean == pytest.approx(27.5)
    assert block.rows[2].to_above.mean == pytest.approx(10.0)


def test_a_block_holds_means_differences_and_the_papers_values():
    block, frame = block_of(None, "4", SPEC, 2)
    first, second, third = block.rows
    assert [row.label for row in block.rows] == ["Baseline", "+ST", "+ST +IPT"]
    assert first.ours.mean == pytest.approx(55.0)
    assert (second.ours.n_seeds, second.ours.n_objects) == (2, 2)
    assert first.to_above is first.to_first is None
    assert second.to_above.mean == second.to_first.mean == pytest.approx(10.0)
    assert (second.to_first.low, second.to_first.high) == pytest.approx((10.0, 10.0))
    assert third.to_above.mean == pytest.approx(0.0)
    assert third.to_first.mean == pytest.approx(10.0)
    assert [row.paper for row in block.rows] == [73.7, 77.3, 78.4]
    assert first.source.mean == pytest.approx(27.5)
    assert third.source is None
    assert len(frame) == 3 * 2 * 2
    assert set(frame["block"]) == {"Cityscapes"}


def test_without_claims_each_row_is_compared_with_the_first():
    block, _ = block_of(None, "4", SPEC, 2)
    pairs = [(claim.better, claim.worse) for claim in block.claims]
    assert pairs == [("+ST", "Baseline"), ("+ST +IPT", "Baseline")]
    assert [round(claim.paper, 1) for claim in block.claims] == [3.6, 4.7]
    assert block.claims[0].verdict == "Holds here"


def test_claims_may_name_their_own_pairs():
    plan = BlockSpec("Cityscapes", SPEC.rows, (("+ST +IPT", "+ST"),))
    (claim,) = block_of(None, "4", plan, 2)[0].claims
    assert claim.words == "+ST +IPT against +ST (+0.00, paper +1.1)"
    assert claim.verdict == "Cannot be told here"


def test_captions_count_seeds():
    study = SimpleNamespace(profile=DEMO, root=cache_dir() / "scenes/0123")
    assert data_and_seeds(study, [SPEC], 1).endswith(", 1 seed")
    assert data_and_seeds(study, [SPEC], 3) == f"{DEMO.data}, 3 seeds"
