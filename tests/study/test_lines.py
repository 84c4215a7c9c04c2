"""From lines of questions to blocks: paired differences, published values, claims."""

import numpy as np
import pandas as pd
import pytest

from openscenes.study.experiments import rows
from openscenes.study.experiments.rows import Line, Plan, asks, block_of, in_words, questions_of
from openscenes.study.profiles import DEMO
from openscenes.study.runs.recipes import evolved, initial
from openscenes.study.scores.evaluation import Evaluation

SCORES = {  # per variant: seeds x objects
    "": [[0.50, 0.60], [0.52, 0.58]],
    "st": [[0.60, 0.70], [0.62, 0.68]],
    "st+ipt": [[0.55, 0.75], [0.62, 0.68]],
}


def recipe(variant):
    def of_seed(seed):
        first = initial("voc", seed)
        return evolved(first, "cityscapes", variant) if variant else first

    return of_seed


def line(label, variant, *, source=True):
    home = asks(recipe(variant), "voc") if source else None
    return Line(label, asks(recipe(variant), "cityscapes"), home, "cityscapes voc")


PLAN = Plan(
    "Cityscapes",
    (line("Baseline", ""), line("+ST", "st"), line("+ST +IPT", "st+ipt", source=False)),
)


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    def answer(_study, question):
        values = np.array(SCORES[question.recipe.variant][question.recipe.seed])
        return pd.DataFrame(
            {"object_id": ["a", "b"], "class_name": ["cat", "dog"], "area": [3, 4],
             "iou": values / (2 if question.where == "voc" else 1)}
        )  # fmt: skip

    monkeypatch.setattr(rows, "score", answer)


def test_asking_passes_on_how():
    question = asks(recipe("st"), "coco", clipped=True, user="human")(3)
    assert question == Evaluation(recipe("st")(3), "coco", "masks", "human", True)


def test_questions_are_asked_once_each():
    asked = questions_of([PLAN, PLAN], 2)
    assert len(asked) == len(set(asked)) == 2 * (2 + 2 + 1)
    assert {question.where for question in asked} == {"voc", "cityscapes"}
    assert {question.recipe.seed for question in asked} == {0, 1}
    assert questions_of([], 3) == []


def test_a_block_holds_means_differences_and_the_papers_values():
    block, frame = block_of(None, "4", PLAN, 2)
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
    block, _ = block_of(None, "4", PLAN, 2)
    pairs = [(claim.better, claim.worse) for claim in block.claims]
    assert pairs == [("+ST", "Baseline"), ("+ST +IPT", "Baseline")]
    assert [round(claim.paper, 1) for claim in block.claims] == [3.6, 4.7]
    assert block.claims[0].verdict == "Holds here"


def test_claims_may_name_their_own_pairs():
    plan = Plan("Cityscapes", PLAN.lines, (("+ST +IPT", "+ST"),))
    (claim,) = block_of(None, "4", plan, 2)[0].claims
    assert claim.words == "+ST +IPT against +ST (+0.00, paper +1.1)"
    assert claim.verdict == "Cannot be told here"


def test_captions_count_seeds():
    study = type("Study", (), {"profile": DEMO})
    assert in_words(study, 1).endswith(", 1 seed")
    assert in_words(study, 3) == f"{DEMO.data}, 3 seeds"
