"""A sequence's scores and masks belong together; objects are ranked by what it did to them."""

from dataclasses import replace

import numpy as np
import pytest

from openscenes import masks
from openscenes.data.crops import CropConfig, move_box, window_affine
from openscenes.data.records import Box
from openscenes.errors import InputError
from openscenes.lessons.evolution import sequences
from openscenes.lessons.evolution.scrubber import (
    OUTSIDE,
    ObjectChoice,
    Scrubber,
    cut_square,
    seen_square,
)
from openscenes.study.experiments import table_2, table_4
from openscenes.study.experiments.rows import evaluations_of
from openscenes.study.options import profile_named
from openscenes.study.runs.data import open_study, validation
from openscenes.study.runs.recipes import evolved, initial
from openscenes.study.runs.runs import train
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score
from openscenes.study.scores.statistics import estimate, images_of

FIRST = initial("voc+sbd", 0)
SECOND = evolved(FIRST, "coco", "st")
THERE, BACK = (FIRST, SECOND), (FIRST, SECOND, FIRST)  # a sequence that forgets all that it learned
NAMES = (sequences.OURS, sequences.FINE_TUNED, *sequences.ONE_STEP)


def test_a_sequence_needs_no_model_that_the_tables_do_not_train():
    profile = profile_named("demo")
    scored = [*table_2.matrix_evaluations(2), *evaluations_of(table_4.blocks(profile), 2)]
    assert set(sequences.needed(2)) <= set(recipes_of(scored))
    assert all(sequence[0] == FIRST for sequence in sequences.task_sequences(0).values())
    assert [len(sequence) for sequence in sequences.task_sequences(0).values()] == [3, 3, 2, 2, 2]


def test_parents_are_trained_before_children():
    order = sequences.needed(2)
    places = {recipe: i for i, recipe in enumerate(order)}
    assert len(places) == len(order) == 2 * 8
    assert all(places[r.parent] < places[r] for r in order if r.parent is not None)


def test_forgetting_by_hand():
    scores = np.array([[0.9, 0.5, 0.2], [0.4, 0.7, 0.3], [0.6, 0.6, 0.8]])
    np.testing.assert_allclose(sequences.forgetting(scores), [30.0, 10.0, -50.0])


def test_orders_by_hand():
    left = np.array([[0.9, 0.5, 0.2], [0.4, 0.7, 0.3], [0.6, 0.6, 0.8]])
    right = np.array([[0.0, 0.0, 0.0], [0.1, 0.6, 0.4]])  # ends at t = 1, where it is compared
    assert sequences.ranking(sequences.FORGOTTEN, left, right).tolist() == [0, 1, 2]
    assert sequences.ranking(sequences.GAINED, left, right).tolist() == [2, 1, 0]
    assert sequences.ranking(sequences.AHEAD, left, right).tolist() == [0, 1, 2]
    assert sequences.ranking(sequences.AHEAD, -left, right).tolist() == [0, 2, 1]
    assert sequences.ranking(sequences.LISTED, left, right).tolist() == [0, 1, 2]


CELLS = {(i, j): np.array([[0.9 - 0.1 * i * (j < i), 0.5]]) for i in range(3) for j in range(3)}


def test_the_matrix_of_means_has_steps_below_each_other():
    matrix = sequences.mean_matrix(CELLS)
    assert matrix.loc["after VOC+SBD", "on VOC"] == pytest.approx(70.0)
    assert matrix.loc["after COCO", "on Cityscapes"] == pytest.approx(60.0)
    assert matrix.loc["after Cityscapes", "on COCO"] == pytest.approx(70.0)


def test_sequences_are_compared_summary_by_summary():
    better = {cell: scores + 0.01 for cell, scores in CELLS.items()}
    lines = sequences.compared_markdown(better, CELLS, ("ours", "theirs"), {}).splitlines()
    assert lines[0] == "| points | ours | theirs | difference |"
    assert lines[2].startswith("| ACC | **+64.33** [")
    assert lines[2].endswith("| **+1.00** [+1.00, +1.00] |")
    assert lines[3].startswith("| backward transfer | -10.00 [") or "**-10.00**" in lines[3]
    assert len(lines) == 2 + 4


def test_summaries_of_sequences_draw_images():
    rng = np.random.default_rng(0)
    single = {(i, j): rng.uniform(0, 1, (1, 8)) for i in range(3) for j in range(3)}
    several = {cell: np.repeat(scores, 4, axis=1) for cell, scores in single.items()}
    images = {place: [f"{i}" for i in range(8) for _ in range(4)] for place in range(3)}

    def told(cells, of_cells):
        worse = {cell: scores**2 for cell, scores in cells.items()}
        return sequences.compared_markdown(cells, worse, ("ours", "theirs"), of_cells)

    assert told(several, images) == told(single, {}) != told(several, {})


def test_an_unknown_order_and_a_short_sequence_are_refused_in_one_sentence():
    with pytest.raises(InputError, match='no order "best"; choose one of most forgotten'):
        sequences.ranking("best", np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(InputError, match=r'sequence "\+ST alone, one step" has no second step'):
        sequences.cells_of(None, sequences.ALONE)


def test_a_square_holds_all_that_the_crop_shows():
    crop = CropConfig(size=64, margin_px=5.0, margin_share=0.1)
    box = Box(20, 30, 50, 40)  # 30 rows, 10 columns
    row, col, side = seen_square(box, crop)
    assert side == 30 + 2 * (5 + 3)
    assert (row, col) == (35 - side / 2, 35 - side / 2)
    shown = move_box(window_affine(box, crop), Box(row, col, row + side, col + side))
    assert shown.row0 <= 1e-6 and shown.col0 <= 1e-6
    assert shown.row1 >= 64 - 1e-6 and shown.col1 >= 64 - 1e-6


def test_what_leaves_the_image_is_filled():
    image = np.arange(12).reshape(3, 4)
    assert cut_square(image, (1, 2, 2), -1).tolist() == [[6, 7], [10, 11]]
    assert cut_square(image, (-1, 3, 3), -1).tolist() == [[-1, -1, -1], [3, -1, -1], [7, -1, -1]]
    image = np.zeros((3, 4, 3), np.uint8)
    assert (cut_square(image, (9, 9, 2), OUTSIDE) == OUTSIDE).all()


@pytest.fixture(scope="module")
def scrubber():
    study = open_study(profile_named("smoke"), None, "cpu")
    train(study, SECOND)
    return Scrubber(study, {"there": THERE, "back": BACK})


@pytest.fixture
def choice():
    return ObjectChoice("coco", ("back", "there"), sequences.LISTED, 0, 0)


def test_scores_are_the_studys_own(scrubber):
    scores = scrubber.scores("back", "coco")
    alone = score(scrubber.study, Evaluation(SECOND, "coco"))["iou"]
    np.testing.assert_array_equal(scores[1], alone)
    np.testing.assert_array_equal(scores[0], scores[2])


def test_every_mask_has_the_iou_that_stands_beside_it(scrubber, choice):
    """The page would lie if it showed one mask and scored another."""
    for rank in range(4):
        example = scrubber.examples("coco")[rank]
        truth, void = scrubber.study.cache.supervision(example)
        for time, recipe in enumerate(BACK):
            panel = scrubber.view(replace(choice, rank=rank, time=time)).panels[0]
            scored = 100 * masks.iou(scrubber.mask(recipe, example), truth, void)
            assert panel.iou[time] == pytest.approx(scored, abs=1e-9)


def test_a_square_view_loses_nothing_of_the_mask(scrubber, choice):
    view = scrubber.view(choice)
    whole = scrubber.mask(FIRST, scrubber.examples("coco")[0])
    assert view.panels[0].mask.sum() == whole.sum()
    assert view.truth.shape == view.void.shape == view.image.shape[:2]
    row, col = (round(at) for at in view.interaction.point)
    assert view.truth[row, col]


def test_each_network_predicts_once_for_each_object(scrubber, choice, monkeypatch):
    first = scrubber.view(replace(choice, rank=2, time=1))
    monkeypatch.setattr(Scrubber, "_predict", None)
    again = scrubber.view(replace(choice, rank=2, time=1))
    np.testing.assert_array_equal(first.panels[1].mask, again.panels[1].mask)


def test_a_sequence_that_has_ended_shows_no_mask_but_its_scores(scrubber, choice):
    back, there = scrubber.view(replace(choice, time=2)).panels
    assert back.mask is not None and there.mask is None
    assert len(back.iou) == 3 and len(there.iou) == 2


def test_the_first_of_a_ranking_is_the_most_forgotten(scrubber, choice):
    lost = sequences.forgetting(scrubber.scores("back", "coco"))
    assert lost[scrubber.position(replace(choice, order=sequences.FORGOTTEN))] == lost.max()
    last = len(scrubber.examples("coco")) - 1
    assert (
        lost[scrubber.position(replace(choice, order=sequences.FORGOTTEN, rank=last))] == lost.min()
    )
    assert len(validation(scrubber.study, "coco").examples) == last + 1


def test_objects_over_time_read_as_a_table(scrubber, monkeypatch):
    monkeypatch.setattr(sequences, "task_sequences", lambda _seed: {"back": BACK})
    frame = sequences.objects_over_time(scrubber.study, "back", "coco")
    assert frame["row"].unique().tolist() == ["after VOC+SBD", "after Cityscapes", "after COCO"]
    by_row = frame.groupby("row")["iou"].mean()
    assert by_row["after COCO"] == by_row["after VOC+SBD"]


def test_a_steps_changes_are_paired(scrubber, monkeypatch):
    monkeypatch.setattr(sequences, "task_sequences", lambda _seed: dict.fromkeys(NAMES, THERE))
    rows = sequences.one_step_changes(scrubber.study)
    assert [row[0] for row in rows[::5]] == ["on Cityscapes", "on VOC", "on COCO"]
    scores = scrubber.scores("there", "coco")
    change = (scores[1] - scores[0])[None]
    ids = [one.object_id for one in validation(scrubber.study, "coco").examples]
    images = images_of(ids)
    assert sequences.images_on(scrubber.study, "coco") == images and len(set(images)) > 1
    assert list(sequences.images_of_cells(scrubber.study)[2]) == images
    found, plain = estimate(change, images), estimate(change)
    assert (rows[-1][2].low, rows[-1][2].high) == (found.low, found.high) != (plain.low, plain.high)
    assert rows[-1][2].mean == found.mean
