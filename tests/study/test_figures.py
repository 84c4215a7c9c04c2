"""Figures say what the numbers say; pictures are chosen by rank and say what they are."""

import ast
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from openscenes.kept import keep
from openscenes.method.ipt import IPTConfig
from openscenes.networks.weights import save_weights
from openscenes.study.figures import forest, galleries, losses
from openscenes.study.figures.forest import table_figure
from openscenes.study.figures.galleries import gallery, scene_sheet
from openscenes.study.figures.losses import training_figure
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.runs.data import validation
from openscenes.study.runs.runs import Model
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import estimate, paired_difference

LABELS = {"Baseline": 73.7, "+ST": 77.3, "ours alone": None}
OKABE_ITO = {
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
}  # fmt: skip


def make_table(n_blocks=2, n_seeds=3):
    rng, blocks, lines = np.random.default_rng(0), [], []
    for number in range(n_blocks):
        title, scores, rows = f"Scene {number}", {}, []
        for gain, (label, paper) in enumerate(LABELS.items()):
            scores[label] = rng.uniform(0.3, 0.6, (n_seeds, 12)) + 0.1 * gain
            first = paired_difference(scores[label], scores["Baseline"]) if gain else None
            rows.append(Row(label, paper, estimate(scores[label]), first, first))
            lines += [
                {"block": title, "row": label, "seed": seed, "object_id": str(i), "iou": iou}
                for seed, values in enumerate(scores[label])
                for i, iou in enumerate(values)
            ]
        blocks.append(Block(title, tuple(rows)))
    return Table("4", "mIoU on generated scenes.", tuple(blocks), pd.DataFrame(lines), ())


def lines_of(panel, marker):
    return [line for line in panel.lines if line.get_marker() == marker]


def test_a_panel_draws_each_mean_its_interval_and_the_papers_difference():
    table = make_table()
    figure = table_figure(table)
    panel, rows = figure.axes[0], table.blocks[0].rows
    assert [label.get_text() for label in panel.get_yticklabels()] == list(LABELS)
    assert [line.get_xdata()[0] for line in lines_of(panel, "o")] == [
        row.to_first.mean for row in rows[1:]
    ]
    intervals = [tuple(line.get_xdata()) for line in panel.lines if line.get_linewidth() == 2.5]
    assert intervals == [(row.to_first.low, row.to_first.high) for row in rows[1:]]
    (published,) = lines_of(panel, "D")
    assert published.get_xdata()[0] == pytest.approx(77.3 - 73.7)
    assert published.get_markerfacecolor() == "none"


def test_rows_go_from_top_to_bottom():
    bottom, top = table_figure(make_table()).axes[0].get_ylim()
    assert bottom > top


def test_seeds_are_dots_whose_mean_is_the_mean():
    table = make_table(n_blocks=1)
    dots = lines_of(table_figure(table).axes[0], ".")
    assert [len(line.get_xdata()) for line in dots] == [3, 3]
    for line, row in zip(dots, table.blocks[0].rows[1:], strict=True):
        assert np.mean(line.get_xdata()) == pytest.approx(row.to_first.mean)


def test_one_seed_needs_no_dots():
    figure = table_figure(make_table(n_seeds=1))
    assert lines_of(figure.axes[0], ".") == []
    assert "one seed" not in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("n_blocks", [1, 2, 3, 4])
def test_every_block_has_its_panel_and_the_caption_stands_above(n_blocks):
    figure = table_figure(make_table(n_blocks))
    titles = [panel.get_title().split(" (")[0] for panel in figure.axes if panel.axison]
    assert titles == [f"Scene {number}" for number in range(n_blocks)]
    assert figure.get_suptitle() == "Table 4: mIoU on generated scenes."
    figure.draw_without_rendering()


def test_colours_are_told_apart_with_every_colour_vision():
    drawn = {to_hex(colour) for colour in (*PALETTE.values(), *SERIES)}
    assert drawn - OKABE_ITO == {"#8c8c8c", "#ffffff"}
    assert len(set(SERIES)) == len(SERIES)


@pytest.mark.parametrize("module", [forest, losses, galleries])
def test_figures_leave_no_global_state_and_no_colour_outside_the_palette(module):
    source = Path(module.__file__).read_text(encoding="utf-8")
    modules = [n.module for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom)]
    assert "pyplot" not in source
    assert "matplotlib.figure" in modules
    assert not re.search(r"#[0-9A-Fa-f]{6}", source)


@pytest.fixture
def trained(tmp_path):
    """Two stages, two variants of the second, two seeds."""

    def model(label, history):
        folder = tmp_path / label.replace(" ", "-").replace(">", "to")
        folder.mkdir()
        keep(folder / "run.json", {"history": history, "images": "images of x"})
        return Model(label, folder, label)

    first = [{"epoch": 1.0, "ce": 9.0}, {"epoch": 2.0, "ce": 4.0}]
    second = [{"epoch": 1.0, "ce_old": 3.0, "ce_new": 5.0}]
    return [
        model("demo seed 0 initial voc+sbd", first),
        model("demo seed 1 initial voc+sbd", first),
        model("demo seed 0 initial voc+sbd > coco st", second),
        model("demo seed 0 initial voc+sbd > coco ground truth", [{"epoch": 1.0, "ce": 2.0}]),
    ]


def test_each_term_is_drawn_by_epoch_in_its_stages_row(trained):
    figure = training_figure(trained)
    shown = [panel for panel in figure.axes if panel.get_visible()]
    titles = [panel.get_title() for panel in shown]
    assert titles == ["masks", "masks", "masks, old data", "pseudo masks, new scene"]
    assert len(shown[0].lines) == 2
    assert list(shown[0].lines[0].get_xdata()) == [1, 2]
    assert list(shown[0].lines[0].get_ydata()) == [9, 4]
    assert [shown[0].get_ylabel(), shown[1].get_ylabel()] == ["initial", "coco"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["voc+sbd", "st", "ground truth"]
    figure.draw_without_rendering()


def test_more_variants_than_colours_still_look_different():
    looks = losses._looks([f"part {i}" for i in range(2 * len(SERIES) + 1)])
    assert len({tuple(look.values()) for look in looks.values()}) == len(looks)
    assert {look["linestyle"] for look in list(looks.values())[: len(SERIES)]} == {"-"}


def test_what_learned_nothing_has_no_line_and_a_runaway_makes_the_scale_logarithmic(trained):
    folder = trained[2].folder
    still, runaway = (
        Model(w, folder / w, f"demo seed 0 x > coco {w}") for w in ("still", "runaway")
    )
    losses = {"ce_old": 900.0, "ce_new": 5.0}
    for model, history in ((still, []), (runaway, [{"epoch": 1.0, **losses}])):
        model.folder.mkdir()
        keep(model.folder / "run.json", {"history": history})
    figure = training_figure([*trained, still, runaway])
    scales = {p.get_title(): p.get_yscale() for p in figure.axes if p.get_visible()}
    assert scales["masks, old data"] == "log"
    assert scales["pseudo masks, new scene"] == "linear"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["voc+sbd", "st", "ground truth", "runaway"]


def test_losses_name_their_data(trained):
    assert training_figure(trained).get_suptitle().endswith("epoch, images of x")


tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Photographs of two blobs each, in VOC's layout, as train and as val."""
    return tiny.study(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def labelled(study):
    return validation(study, "voc")


@pytest.fixture(scope="module")
def model(study, tmp_path_factory):
    """Calibrated on noise, so that its masks are neither all 0 nor all 1."""
    network = tiny.calibrated(study)
    made = Model("untrained", tmp_path_factory.mktemp("model"), "smoke seed 0 initial voc")
    save_weights(network, made.weights, {})
    return made


def test_a_sheet_shows_every_object_of_its_photographs(study, labelled):
    figure = scene_sheet(study, "voc", n=4)
    assert len(figure.axes) == 6
    shown = [panel for panel in figure.axes if panel.images]
    assert len(shown) == 4
    assert all(len(panel.patches) == 2 and len(lines_of(panel, "o")) == 2 for panel in shown)
    example = labelled.examples[0]
    click = lines_of(shown[0], "o")[0]
    point, box = example.interaction.point, example.interaction.box
    assert (click.get_xdata()[0], click.get_ydata()[0]) == (point.col, point.row)
    corner = shown[0].patches[0].get_xy()
    assert corner == (box.col0 - 0.5, box.row0 - 0.5)
    assert study.profile.data in figure.get_suptitle()


def test_a_sheet_asks_for_no_more_photographs_than_there_are(study):
    assert len([panel for panel in scene_sheet(study, "voc", n=50).axes if panel.images]) == 6


def test_a_gallery_goes_from_the_most_improved_object_to_the_most_harmed(study, labelled, model):
    figure = gallery(study, model, labelled, IPTConfig(), "layer4", n=3)
    assert len(figure.axes) == 12
    words = [figure.axes[4 * line].get_ylabel() for line in range(3)]
    changes = [float(text[text.rindex("(") + 1 : -1]) for text in words]
    assert all(before >= after for before, after in pairwise(changes))
    assert study.profile.data in figure.get_suptitle()
    assert "Best, median and worst" in figure.get_suptitle()
    assert figure.axes[0].images[0].get_array().shape[:2] == (32, 32)
    heat = figure.axes[2].images[0].get_array()
    assert heat.min() >= 0
    assert heat.max() <= 1
    figure.draw_without_rendering()


def test_a_gallery_of_few_objects_shows_each_once(study, labelled, model):
    few = replace(labelled, examples=labelled.examples[:2], digest="two")
    figure = gallery(study, model, few, IPTConfig(), "decoder", n=5)
    assert len(figure.axes) == 8
    assert "2 ranks" in figure.get_suptitle()


def test_ranks_are_best_median_and_worst():
    scores = pd.DataFrame({"iou": [0.5] * 5, "refined": [0.4, 0.9, 0.5, 0.6, 0.7]})
    assert galleries._ranked(scores, 3) == [1, 3, 0]
    assert galleries._ranked(scores, 9) == [1, 4, 3, 2, 0]


def test_errors_have_their_colours_and_void_has_none():
    image = np.full((1, 5, 3), 100, np.uint8)
    mask, truth, void = (np.array([[c == "1" for c in row]]) for row in ("11001", "10101", "00001"))
    painted = galleries.error_colours(image, mask, truth, void)[0]
    mixed = {name: galleries._washed(image, np.ones((1, 5), bool), PALETTE[name])[0, 0]
             for name in ("right", "too much", "missed")}  # fmt: skip
    assert np.array_equal(painted[:3], [mixed["right"], mixed["too much"], mixed["missed"]])
    assert np.array_equal(painted[3:], image[0, 3:])
