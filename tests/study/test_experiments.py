"""Every table's plan: its rows are the paper's, its claims name rows, its notebook has its name."""

from dataclasses import replace

import pandas as pd
import pytest

from openscenes.errors import InputError
from openscenes.method.ipt import IPTConfig
from openscenes.study.experiments import (
    dose,
    table_1,
    table_2,
    table_3,
    table_4,
    table_4_plus,
    table_5,
    table_6,
    table_7,
)
from openscenes.study.experiments.registry import EXPERIMENTS, experiment
from openscenes.study.profiles import DEMO, PAPER
from openscenes.study.runs.recipes import (
    ACCEPTED,
    DOSES,
    FULL,
    LIFE,
    OURS,
    evolution_config,
    evolved,
    finetuned,
    initial,
    peer,
    profile_of,
)
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.results import PAPER_VALUES, paper_value

PLANNED = {
    "1": table_1.blocks, "2": table_2.blocks, "3": table_3.blocks, "4": table_4.blocks,
    "4_plus": table_4_plus.blocks, "5": table_5.blocks, "6": table_6.blocks, "7": table_7.blocks,
}  # fmt: skip
ABLATED = replace(DEMO, ablations=True)


def test_the_keys():
    assert list(EXPERIMENTS) == ["1", "2", "3", "4", "4_plus", "5", "6", "7", "figures"]
    for key, found in EXPERIMENTS.items():
        assert experiment(key) is found
        assert found.key == key
        assert found.notebook.startswith(f"table_{key}_") or key == "figures"
        assert found.about
    assert {key for key, found in EXPERIMENTS.items() if found.table is None} == {"figures"}


def test_a_key_that_is_none_names_those_that_are():
    with pytest.raises(
        InputError, match=r'there is no table "8"; choose one of 1, 2, 3, 4, 4\+, 5, 6, 7, fig'
    ):
        experiment("8")


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_every_experiment_scores_something_once(key):
    asked = EXPERIMENTS[key].evaluations(DEMO, 2)
    assert asked
    assert all(isinstance(question, Evaluation) for question in asked)
    assert {question.recipe.seed for question in asked} == {0, 1}


@pytest.mark.parametrize(("key", "blocks"), PLANNED.items())
def test_rows_of_a_block_have_labels_of_their_own_and_claims_name_them(key, blocks):
    titles = [plan.title for plan in blocks(PAPER)]
    assert len(set(titles)) == len(titles)
    for plan in blocks(PAPER):
        labels = [line.label for line in plan.rows]
        assert len(set(labels)) == len(labels), plan.title
        for better, worse in plan.claims:
            assert {better, worse} <= set(labels)
            assert better != worse


def shown(key):
    """(row, column) of every published value that a table looks up."""
    return {
        (line.label, column)
        for plan in PLANNED[key](PAPER)
        for line in plan.rows
        for column in (line.column, f"{line.column} source")
        if paper_value(key, line.label, column) is not None
    }


@pytest.mark.parametrize("key", ["2", "3", "4", "5", "6", "7"])
def test_every_published_value_stands_in_the_papers_profile(key):
    frame = pd.read_csv(PAPER_VALUES, dtype=str, keep_default_na=False)
    published = frame[frame["table"] == key]
    wanted = set(zip(published["row"], published["column"], strict=True))
    assert wanted
    assert wanted - shown(key) == set()


def test_the_whole_of_table_1_stands():
    frame = pd.read_csv(PAPER_VALUES, dtype=str, keep_default_na=False)
    published = frame[frame["table"] == "1"]
    assert set(published["row"]) <= set(table_1.SYSTEMS)
    wanted = {f"{where} {what}" for where in table_1.TARGETS for what in ("cIoU", "NoC")}
    assert set(published["column"]) <= wanted


def test_table_1_scores_ours_after_it_has_evolved_onto_the_set():
    first = initial("voc+sbd", 1)
    assert table_1.recipe("Ours", "voc", 1) == table_1.recipe("IOG", "coco", 1) == first
    assert table_1.recipe("Ours", "coco", 1) == evolved(first, "coco", FULL)
    assert table_1.recipe("Ours", "cityscapes", 1) == evolved(first, "cityscapes", FULL)
    assert table_1.recipe("ITIS", "coco", 1) == peer("ITIS", 1)
    asked = EXPERIMENTS["1"].evaluations(ABLATED, 1)
    assert len(asked) == 7 * 3 - 1 + 17 + 9  # on VOC ours is IOG; corrections, ablations
    assert {question.kind for question in asked} == {"clicks"}


def test_table_1_reads_three_clicks_whatever_the_first_answer_costs():
    for block in table_1.blocks(DEMO):
        assert {row.label: row.values for row in block.rows} == {
            "iFCN": "click_3", "Latent diversity": "click_3", "ITIS": "click_3",
            "FCTSFN": "click_3", "DEXTR": "click_1", "IOG": "click_1", "Ours": "click_1",
        }  # fmt: skip


def test_the_cells_of_table_2():
    rows = {plan.title: [line.evaluation for line in plan.rows] for plan in table_2.blocks(DEMO)}
    assert list(rows) == ["VOC, t = 0", "VOC, t = 1*", "VOC, t = 2*", "Cityscapes, t = 1",
                          "Cityscapes, t = 2*", "COCO, t = 2"]  # fmt: skip
    first = initial("voc+sbd", 0)
    dextr, iog, ours, on_evidence = rows["Cityscapes, t = 1"]
    assert dextr == Evaluation(peer("DEXTR", 0), "cityscapes")
    assert iog == Evaluation(first, "cityscapes")
    assert ours == Evaluation(evolved(first, "cityscapes", FULL), "cityscapes")
    assert on_evidence == Evaluation(evolved(first, "cityscapes", LIFE), "cityscapes")
    _, iog, ours, _ = rows["VOC, t = 2*"]
    assert iog.recipe == finetuned(finetuned(first, "cityscapes"), "coco")
    assert ours.recipe == evolved(evolved(first, "cityscapes", FULL), "coco", FULL)
    assert iog.where == ours.where == "voc"


def test_table_2_scores_every_model_on_every_set():
    asked = set(EXPERIMENTS["2"].evaluations(DEMO, 1))
    assert set(table_2.matrix_evaluations(1)) == asked
    assert len(asked) == (4 * 3 - 2) * 3  # IOG and both of ours begin as one


def test_table_4_has_a_block_for_each_set_and_scene_and_a_bound():
    assert len(table_4.blocks(PAPER)) == 4
    plans = table_4.blocks(DEMO)
    assert [plan.title for plan in plans] == [
        "Cityscapes, initial model on VOC+SBD", "COCO, initial model on VOC+SBD",
    ]  # fmt: skip
    first = initial("voc+sbd", 0)
    assert plans[1].rows[-1].evaluation == Evaluation(finetuned(first, "coco"), "coco")
    assert plans[1].rows[-2].evaluations()[1] == Evaluation(evolved(first, "coco", FULL), "voc")
    assert [line.label for line in plans[0].rows[:3]] == ["Baseline", table_4.CONTROL, "+ST"]
    assert table_4.CONTROL == "BN re-estimation (control)"


def test_table_4_plus_scores_students_plainly_unless_the_row_says_so():
    for plan in table_4_plus.blocks(DEMO):
        user = "human" if "jittered" in plan.title else "iog"
        for line in plan.rows:
            question = line.evaluation
            assert question.user == user
            exact = question.recipe.kind in ("initial", "fine-tuned")
            assert question.recipe.user == ("iog" if exact else user)
            assert question.clipped is question.tta is (line.label == table_4_plus.VIEWS)
            assert question.evidence is (line.label == table_4_plus.SEEN)
            assert line.source is (question.recipe != initial("voc+sbd", 0))


def test_what_is_ours_is_scored_with_both_kinds_of_boxes_and_asked_again_with_evidence():
    exact, jittered = (set(table_4_plus.TRAINED[user]) for user in table_4_plus.BOXES)
    assert jittered < set(table_4_plus.STUDENTS) and {*exact, *jittered} <= {*table_4_plus.STUDENTS}
    assert table_4_plus.OUR_ROW in jittered
    one_round, ours = (
        table_4_plus.TRAINED["iog"][label]
        for label in (table_4_plus.ONE_ROUND, table_4_plus.OUR_ROW)
    )
    assert ours == 3 * one_round
    assert all(len(plan.rows) <= 16 for plan in table_4_plus.blocks(ABLATED))
    plain = {line.evaluation for plan in table_4_plus.blocks(ABLATED) for line in plan.rows}
    again = table_4_plus.asked_again(ABLATED, 1)
    assert len(again) == 2 * (len(exact) + len(jittered) + 4)  # and first and last of each
    assert len(table_4_plus.asked_again(DEMO, 1)) == 4
    assert all(one.evidence and replace(one, evidence=False) in plain for one in again)


def test_without_ablations_the_rows_of_the_method_are_left_for_exact_boxes():
    plans = table_4_plus.blocks(DEMO)
    assert [plan.title for plan in plans] == ["Cityscapes, exact boxes", "COCO, exact boxes"]
    for plan in plans:
        labels = {line.label for line in plan.rows}
        assert {"Baseline", "+ST", table_4_plus.OUR_ROW, "Upperbound"} < labels
        assert {label for pair in plan.claims for label in pair} <= labels
    asked = EXPERIMENTS["1"].evaluations(DEMO, 1)
    assert not any(e.recipe.ablation for e in asked) and len(asked) > 20
    assert not any(e.kind == "masks" for e in EXPERIMENTS["3"].evaluations(DEMO, 1))
    for plain, more in zip(table_5.blocks(DEMO), table_5.blocks(ABLATED), strict=True):
        assert [*plain.rows, more.rows[-1]] == [*more.rows]
        assert more.rows[-1].label == table_5.ORACLE
        assert not any(table_5.ORACLE in pair for pair in plain.claims)


def test_table_7_grows_by_a_quarter_of_images():
    plan, on_evidence = table_7.blocks(DEMO)
    lives = [line.evaluation.recipe.lineage() for line in plan.rows]
    assert [len(life) for life in lives] == [1, 2, 3, 4, 5]
    assert all(lives[n] == lives[4][: n + 1] for n in range(5))
    assert [step.part for step in lives[4][1:]] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert lives[0][0] == initial("voc", 0)
    steps = on_evidence.rows[4].evaluation.recipe.lineage()[1:]
    assert [step.variant for step in steps] == [LIFE] * 4
    assert [step.part for step in steps] == [step.part for step in lives[4][1:]]
    assert not any(line.column for line in on_evidence.rows)


def test_table_3_scores_every_variant_at_once():
    asked = [e for e in EXPERIMENTS["3"].evaluations(DEMO, 1) if e.recipe.kind == "initial"]
    assert [(q.where, q.kind) for q in asked] == [
        ("cityscapes", "ipt"), ("coco", "ipt"), ("voc", "ipt"),
    ]  # fmt: skip


def test_below_table_4_plus_the_vote_is_asked_where_f_was_trained_for_it():
    plans = [plan for plan in table_4_plus.blocks(ABLATED) if "separate" in plan.title]
    assert [plan.title.split(",")[0] for plan in plans] == ["Cityscapes", "COCO"]
    for plan in plans:
        first, student, vote, ours, voted = (line.evaluation.recipe for line in plan.rows)
        assert profile_of(DEMO, first.ablation).contrast.weight > 0
        assert student.parent == vote.parent == first and student.variant == "st"
        asked = evolution_config(DEMO, vote.scene, vote.variant)
        assert (asked.ipt, asked.teacher.feature) == (IPTConfig(), "decoder")
        assert {line.evaluation.where for line in plan.rows} == {vote.scene}
        plain, asked = (evolution_config(DEMO, one.scene, one.variant) for one in (ours, voted))
        assert ours.variant == OURS and plain.ipt is None and asked.teacher.evidence is not None
        assert asked == replace(
            plain, ipt=IPTConfig(), teacher=replace(plain.teacher, feature="decoder")
        )


def test_below_table_4_plus_users_accepted_more_and_more_masks():
    plans = [p for p in table_4_plus.blocks(ABLATED) if p.title.endswith("accepted")]
    assert [plan.title.split(",")[0] for plan in plans] == ["Cityscapes", "COCO"]
    for plan in plans:
        recipes = [line.evaluation.recipe for line in plan.rows]
        assert [ACCEPTED.get(one.variant, 0) for one in recipes] == [0, 0, 0, 0.1, 0.25, 0.5, 1, 0]
        above = {line.label: line.above for line in plan.rows}
        assert above[table_4_plus.ONE_ROUND] == "Baseline" and not above["Upperbound"]


def test_with_ablations_table_7_parts_masks_from_schedule_and_asks_for_one_step():
    plain, (*_, paper, whole) = table_7.blocks(DEMO), table_7.blocks(ABLATED)
    assert plain == table_7.blocks(ABLATED)[:2]
    configs = [
        evolution_config(DEMO, "cityscapes", plan.rows[1].evaluation.recipe.variant)
        for plan in (*plain, paper)
    ]
    assert (configs[2].old_loss_end, configs[2].between) == (1.0, configs[1].between)
    assert replace(configs[2], old_loss_end=configs[0].old_loss_end, between=1.0) == configs[0]
    models = {line.label: line.evaluation.recipe for line in whole.rows}
    assert models[table_7.QUARTERS] == plain[1].rows[-1].evaluation.recipe
    assert models["Upperbound"] == finetuned(initial("voc", 0), "cityscapes")
    assert [one.part for one in models.values()] == [None, None, None, (3, 4), None]


def test_doses_stand_beside_table_3_with_the_student_of_no_dose():
    asked = [e for e in EXPERIMENTS["3"].evaluations(ABLATED, 2) if e.kind == "masks"]
    assert {e.recipe.variant for e in asked} == {"st", *DOSES}
    assert {e.where for e in asked} == {e.recipe.scene for e in asked} == {dose.SCENE}
    assert len(asked) == 2 * (1 + len(DOSES))
