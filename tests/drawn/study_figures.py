"""Every figure of the reports, of the numbers that lie there, at the width that it has there."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd

from openscenes.annotator.evolve.advice import TITLES, Measure
from openscenes.annotator.evolve.judgement import Judgement
from openscenes.annotator.screen import judgement_page, loop_figure
from openscenes.paths import RELEASED, SHOWN
from openscenes.study.experiments import table_7
from openscenes.study.experiments.table_1 import beginnings
from openscenes.study.figures import curves, dose, forest, framework, galleries, losses, matrix
from openscenes.study.plan.release import few_objects
from openscenes.study.profiles import DEMO
from openscenes.study.runs.data import validation
from openscenes.study.runs.models import Model
from openscenes.study.runs.released import released_initial
from openscenes.study.scores.continual import Continual
from openscenes.study.scores.noc import ClickCurve
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import Estimate

TABLES = SHOWN / "tables"
CAPTION = f"mIoU of {DEMO.data} beside the paper's, 3 seeds."
SYSTEMS = ("IOG", "iFCN", "Latent diversity", "ITIS", "FCTSFN", "DEXTR", "Ours")
METHODS = ("DEXTR", "IOG, fine-tuned with ground truth", "ours: +ST +IPT +FA", "ours: evidence")
LEARNED = ("st", "st+ipt", "st+fa", "st+ipt+fa", "evidence, source kept", "ground truth")


def read(name):
    return pd.read_csv(TABLES / f"{name}.csv", keep_default_na=False, na_values=[""])


def estimate_of(line, name):
    """The estimate in the columns of a csv, None where they are empty."""
    if name not in line or pd.isna(line[name]):
        return None
    low, high = line[f"{name}_low"], line[f"{name}_high"]
    return Estimate(line[name], 1.0, low, high, 2, int(line["n_objects"]))


def table(number):
    """A table of the reports, with made up scores of single objects."""
    frame, blocks, scores = read(f"table_{number}"), [], []
    for title, lines in frame.groupby("block", sort=False):
        rows = [
            Row(line["row"], None if pd.isna(line["paper"]) else line["paper"],
                estimate_of(line, "ours"), None, estimate_of(line, "to_first"))
            for line in lines.to_dict("records")
        ]  # fmt: skip
        blocks.append(Block(title, tuple(rows)))
        scores += [
            {"block": title, "row": row.label, "seed": seed, "object_id": str(k),
             "iou": row.ours.mean / 100 + 0.02 * np.sin(seed + k * (1 + i))}
            for i, row in enumerate(rows) for seed in range(2) for k in range(9)
        ]  # fmt: skip
    return Table(number, CAPTION, tuple(blocks), pd.DataFrame(scores), ())


def clicks():
    iou = np.linspace(0.3, 0.9, 20)[None, None] * np.ones((2, 6, 1))
    curves_of = {name: ClickCurve(3, iou[..., :18]) for name in SYSTEMS}
    return dict.fromkeys(curves.TARGETS, curves_of)


def trainings(*stages):
    history = [{"epoch": e, **{term: 10.0**e + 1 for term in losses.TERM_NAMES}} for e in range(12)]
    facts = {"history": history, "images": DEMO.data}
    return [
        SimpleNamespace(label=f"demo seed 0 initial voc > {stage} {words}", facts=lambda: facts)
        for stage in stages for words in LEARNED
    ]  # fmt: skip


def matrices(*names):
    one = Estimate(70.0, 0.5, 69.0, 71.0, 3, 20)
    cells = {(i, j): one for i in range(3) for j in range(3)}
    found = Continual(cells, one, one, one, one)
    return matrix.matrix_figure(dict.fromkeys(names, found), f"mIoU after each step, {DEMO.data}")


def settings(scene):
    lines = read("table_3_sensitivity").query("scene == @scene").to_dict("records")
    rows = [(line["setting"], str(line["option"]), estimate_of(
        {"change": line["change"], "change_low": line["low"], "change_high": line["high"],
         "n_objects": line["n_objects"]}, "change")) for line in lines]  # fmt: skip
    title = f"Settings of IPT, {scene}, {DEMO.data}"
    return matrix.sensitivity_figure(rows, title, "merge and vote")


def doses():
    found = [(line["dose"], estimate_of(
        {"gain": line["change"], "gain_low": line["low"], "gain_high": line["high"],
         "n_objects": 1}, "gain")) for line in read("table_3_dose").to_dict("records")]  # fmt: skip
    return dose.dose_figure(found, f"Dose and response, Cityscapes\n{DEMO.data}")


@cache
def few():
    """A few scenes of the demo, and the initial model that lies in the repository."""
    folder = released_initial()
    assert folder is not None, f"no initial model lies in {RELEASED}; `make release` puts one there"
    return few_objects("cpu"), Model("drawn", folder, "demo seed 0 initial voc+sbd")


def framework_of(where):
    study, model = few()
    return framework.framework_figure(study, model, validation(study, where), 3)


def gallery_of(where):
    study, model = few()
    ipt, feature = study.profile.ipt, study.profile.inference.feature
    return galleries.gallery(study, model, validation(study, where), ipt, feature)


def judgement():
    one = Estimate(2.0, float("nan"), 1.0, 3.0, 1, 12)
    measures = {name: Measure(title, 12, 50.0, 52.0, one) for name, title in TITLES.items()}
    found = Judgement("initial", "v1", pd.DataFrame(), measures, "better", "", "")
    return judgement_page.differences_figure(found, ("v1", "initial"))


DRAWN = {
    **{f"forest.table_figure {n}": lambda n=n: forest.table_figure(table(n))
       for n in ("1", "2", "3", "4", "4_plus", "5", "6")},
    "forest.objects_figure 4": lambda: forest.objects_figure(table("4")),
    **{f"forest.breakdown_figure {name}": lambda name=name: forest.breakdown_figure(
        read(name), f"{name}, {DEMO.data}")
       for name in ("table_1_by_size", "table_4_by_size", "table_4_by_class")},
    "curves.click_figure": lambda: curves.click_figure(
        clicks(), f"IoU click by click, {DEMO.data}", beginnings=beginnings(DEMO)),
    "curves.noc_figure": lambda: curves.noc_figure(
        clicks(), f"Objects at the target IoU, {DEMO.data}", beginnings=beginnings(DEMO)),
    "curves.subset_figure": lambda: curves.subset_figure(table_7.sequences_of(table("7"))),
    "dose.dose_figure": doses,
    "losses.training_figure 4": lambda: losses.training_figure(trainings("cityscapes", "coco")),
    "losses.training_figure 7": lambda: losses.training_figure(trainings("coco")),
    "matrix.matrix_figure 2": lambda: matrices(*METHODS),
    "matrix.matrix_figure, Lesson 5": lambda: matrices(*METHODS[1:3]),
    "matrix.sensitivity_figure Cityscapes": lambda: settings("Cityscapes"),
    "matrix.sensitivity_figure COCO": lambda: settings("COCO"),
    "galleries.scene_sheet Cityscapes": lambda: galleries.scene_sheet(few()[0], "cityscapes"),
    "galleries.scene_sheet COCO": lambda: galleries.scene_sheet(few()[0], "coco"),
    "galleries.gallery Cityscapes": lambda: gallery_of("cityscapes"),
    "galleries.gallery COCO": lambda: gallery_of("coco"),
    "framework.framework_figure Cityscapes": lambda: framework_of("cityscapes"),
    "framework.framework_figure COCO": lambda: framework_of("coco"),
    "loop_figure.loop_figure": loop_figure.loop_figure,
    "judgement_page.differences_figure": judgement,
}  # fmt: skip
