"""Every figure of the lessons, of a few scenes of the demo, at the width that it has there."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import torch
from tests.drawn.study_figures import few, read
from tests.method.evidence_scenes import planted, scene

from openscenes.data import samples
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, ObjectRecord, Point
from openscenes.lessons.alignment import alignment_figures, effect
from openscenes.lessons.alignment.layers import DrawnPair
from openscenes.lessons.alignment.pair_terms import CellMaps, Clouds
from openscenes.lessons.alignment.pairs import SHOWN, Pairing
from openscenes.lessons.evidence import evidence_figures, told
from openscenes.lessons.evolution import evolution_figures, sequences
from openscenes.lessons.evolution.scrubber import ObjectChoice, ObjectView, Panel
from openscenes.lessons.interactions import interaction_figures, layers, trials, user_inputs
from openscenes.lessons.interactions.click_maps import ClickMap, grid_points
from openscenes.lessons.interactions.segmentation import load_trainings, segment
from openscenes.lessons.intervals import interval_figures, sampling
from openscenes.lessons.prototypes import prototype_figures, refinement
from openscenes.lessons.prototypes.objects import predict_object
from openscenes.method.evidence import evidence_of, hypotheses
from openscenes.method.evidence_config import EXACT
from openscenes.method.ipt import IPTConfig
from openscenes.study.figures.forest import breakdown_figure
from openscenes.study.plan.on_demand import literal_study
from openscenes.study.profiles import DEMO, PAPER, SCENE_NAMES
from openscenes.study.runs.data import validation
from openscenes.study.runs.recipes import FULL, evolution_config
from openscenes.study.scores.statistics import Estimate

rng = np.random.default_rng(0)
ONE = Estimate(-2.13, 0.5, -14.25, -1.07, 3, 36)
WORLD = rng.normal(0.5, 8.0, (3, 170))
NAMES = (sequences.OURS, sequences.FINE_TUNED)


@cache
def trained():
    """Two networks, an object of Cityscapes, and the usual input of each."""
    study, model = few()
    trainings = load_trainings([study, literal_study(study)], [model, model])
    example = validation(study, "cityscapes").examples[3]
    subject = user_inputs.read_subject(study, example)
    return trainings, subject, trials.usual_inputs(trainings, example)


def segmented():
    trainings, subject, inputs = trained()
    name = next(iter(trainings))
    return subject, trainings[name], inputs[name], name


def inputs():
    subject, training, given, _ = segmented()
    return interaction_figures.input_figure(subject, segment(training, subject, given))


def channels():
    subject, training, given, _ = segmented()
    tiles = layers.channel_tiles(segment(training, subject, given))
    return interaction_figures.tiles_figure(tiles, 3)


def outputs():
    subject, training, given, name = segmented()
    tiles = layers.output_tiles(segment(training, subject, given), 0.5)
    return interaction_figures.tiles_figure(tiles, 4, f"{name}, IoU 0.70")


def segmentations(ways, title=""):
    subject, training, given, name = segmented()
    found = trials.segment_ways(training, subject, given, ways)
    return interaction_figures.segmentations_figure(subject, found, f"{name}{title}")


def click_maps():
    trainings, subject, _ = trained()
    points, step = grid_points(subject.example.interaction.box, 200)
    iou = rng.uniform(0.5, 0.73, len(points))
    found = ClickMap(points, iou, subject.truth[points[:, 0], points[:, 1]], step)
    return interaction_figures.click_map_figure(subject, dict.fromkeys(trainings, found))


def changes(ways, title):
    found = dict.fromkeys(trained()[0], dict.fromkeys(ways, ONE))
    return interaction_figures.change_figure(found, title)


def curve(ways, label, usual, log=False):
    lines = [(name, where, str(k), way, 0.4 + 0.1 * k)
             for name in trained()[0] for where in ("voc", "cityscapes", "coco")
             for way in ways for k in range(3)]  # fmt: skip
    frame = pd.DataFrame(lines, columns=["network", "scene", "object_id", "way", "iou"])
    return interaction_figures.curve_figure(frame, label, usual, log=log)


@cache
def refined(where="coco", position=3):
    study, model = few()
    predicted = predict_object(study, model, validation(study, where).examples[position])
    return refinement.refine_object(predicted, refinement.Settings(IPTConfig()))


def prototypes(*names, columns=4):
    chosen = names or prototype_figures.STORY
    return prototype_figures.prototype_figure(refined(), chosen, columns=columns)


def numbers(side, n):
    grid = torch.linspace(-1, 12, side * side).reshape(side, side)
    titles = ("second channel of F", "d(c, F), squared", "w F + b, an affine map")
    return prototype_figures.numbers_figure({t: grid for t in titles[:n]}, columns=3)


def distances():
    far = torch.tensor(rng.lognormal(5, 1, 900))
    return prototype_figures.distances_figure(
        {"to the object's prototype": far, "to the rest's": far}
    )


def ranks():
    scores = pd.DataFrame(
        rng.uniform(size=(181, 3)), columns=["iou", "merge and vote", "weighted sum"]
    )
    return prototype_figures.ranks_figure(scores, ["merge and vote", "weighted sum"])


def clouds():
    points = rng.normal(size=(16, 2)).astype(np.float32)
    found = Clouds(points, points + 1, points, points + 1, np.zeros(16, bool), 3.0)
    title = (
        f"VOC and Cityscapes: 32 pairs, {DEMO.data}\nplane of the two leading components before "
        "evolution, which hold 37 % of the variance there"
    )
    return alignment_figures.clouds_figure(
        dict.fromkeys(SHOWN, found), points[:, 0] > 0, title=title
    )


def pair():
    study, _ = few()
    examples = (validation(study, name).examples[3] for name in ("voc", "coco"))
    cuts = [samples.cut(example, DEMO.crop, study.cache) for example in examples]
    old, new = (samples.collate([cut]) for cut in cuts)
    cells = (rng.uniform(0.05, 1, (14, 14)) * 1000).astype(np.float32)
    maps = CellMaps(cells, cells, cells, cells, cells, cells)
    drawn = DrawnPair(
        Pairing(old, new, ("motorbike",), ("unknown",), ("skateboard",)), maps, 0.05, 999, 21
    )
    title = (
        "old motorbike, new skateboard (predicted unknown); A 12,345, B 123,456, L_feat by Eq. 8"
    )
    return alignment_figures.pair_figure(drawn, f"+ST +IPT +FA: {title} 123,456")


def decay():
    profiles = {"paper, Cityscapes": PAPER, "this page, profile demo": DEMO}
    trainings = {name: evolution_config(one, "cityscapes", FULL) for name, one in profiles.items()}
    return alignment_figures.decay_figure(trainings)


def shifts():
    lines = [(where, model, measure, -50.0, -60.0, -40.0) for where in SCENE_NAMES.values()
             for model in SHOWN[1:] for measure in effect.MEASURES]  # fmt: skip
    columns = ["scene", "model", "measure", "change", "low", "high"]
    return effect.shifts_figure(pd.DataFrame(lines, columns=columns))


def gains():
    lines = [(where, *pair, -0.5, -1.25, 0.75, 3, 170) for where in SCENE_NAMES.values()
             for pair in effect.WITH_AND_WITHOUT]  # fmt: skip
    columns = ["scene", "model", "without", "change", "low", "high", "n_seeds", "n_objects"]
    return effect.gains_figure(pd.DataFrame(lines, columns=columns))


class Scripted:
    """An object on its way along two task sequences."""

    def __init__(self):
        self.sequences = {name: range(3) for name in NAMES}

    def examples(self, where):
        return range(161)

    def view(self, choice):
        truth = np.zeros((112, 112), bool)
        truth[30:80, 30:80] = True
        at = Interaction(Box(30, 30, 80, 80), Point(50, 50))
        record = ObjectRecord("s", "i", "1", "potted plant", at.box, 36, None, None)
        panels = [Panel(name, truth, np.array([80.0, 60.0, 55.5])) for name in choice.sequences]
        image = np.full((112, 112, 3), 90, np.uint8)
        example = Example("voc:1", None, at, record)
        return ObjectView(choice, example, image, truth, ~truth & False, at, tuple(panels), 161)


def evolution():
    choice = ObjectChoice("voc", NAMES)
    return evolution_figures.evolution_figure(Scripted(), choice, (0, 9, 80, -1))


def kept():
    scores = rng.uniform(size=(3, 161))
    return evolution_figures.kept_figure(lambda name, where: scores, NAMES, DEMO.data)


def over_time():
    classes = ("aeroplane", "diningtable", "pottedplant", "tvmonitor", "motorbike")
    lines = [
        (f"VOC, {name}", group, 20, f"after {time}", 50.0, -5.5 if t else np.nan, -20.0, 9.5)
        for name in NAMES for t, time in enumerate(sequences.TIMES) for group in classes
    ]  # fmt: skip
    columns = ["block", "group", "n_objects", "row", "mean", "change", "low", "high"]
    title = f"VOC by class along two task sequences, {DEMO.data}"
    return breakdown_figure(pd.DataFrame(lines, columns=columns), title)


@cache
def objects():
    return [_told("planted", planted()[0], *[planted()[1]] * 2),
            *(_told(f"{n}", *scene(n)) for n in range(4))]  # fmt: skip


def _told(name, cut, one_view, views):
    maps, found = hypotheses(cut, one_view, views, EXACT), evidence_of(cut, one_view, views, EXACT)
    example = replace(validation(few()[0], "voc").examples[0], object_id=name)
    return told.Told(example, cut, one_view, views, maps, found)


def power():
    return interval_figures.power_figure({"COCO": WORLD, "Cityscapes": 2 * WORLD}, 1.0, [1, 3, 10])


def studies():
    return interval_figures.studies_figure(sampling.simulate_studies(WORLD, sampling.StudyDesign()))


def intervals():
    rows = ("training 1, objects drawn", "their mean, objects and trainings drawn",
            "their mean, by Student's t over both")  # fmt: skip
    return interval_figures.intervals_figure(dict.fromkeys(rows, ONE), "+ST less Baseline on COCO")


WIDENED = [-0.2, -0.1, -0.05, 0.0, 0.1, 0.2, 0.4]
DRAWN = {
    "interaction_figures.input_figure": inputs,
    "interaction_figures.tiles_figure channels": channels,
    "interaction_figures.tiles_figure outputs": outputs,
    "interaction_figures.segmentations_figure clicks": lambda: segmentations(trials.at_places()),
    "interaction_figures.segmentations_figure boxes": lambda: segmentations(
        trials.varied("widened", [-0.2, -0.1, 0.0, 0.2, 0.5]),
        "; each side of the box moved outwards by"),
    "interaction_figures.click_map_figure": click_maps,
    "interaction_figures.change_figure clicks": lambda: changes(
        trials.PLACES, "What is lost when the click is elsewhere"),
    "interaction_figures.change_figure channels": lambda: changes(
        trials.WITHOUT, "What is lost when channels are taken away"),
    "interaction_figures.curve_figure boxes": lambda: curve(
        WIDENED, "each side moved outwards by (share)", 0.0),
    "interaction_figures.curve_figure widths": lambda: curve(
        [2.5, 10.0, 20.0, 40.0, 80.0], "width of the heat maps, px of a 512 crop", 40.0, True),
    "prototype_figures.prototype_figure all": prototypes,
    "prototype_figures.prototype_figure three": lambda: prototypes(
        "selection global", "selection center", "selection edge", columns=3),
    "prototype_figures.prototype_figure errors": lambda: prototypes(
        "coarse errors", "edge", "changed", "errors"),
    "prototype_figures.prototype_figure votes": lambda: prototypes(
        "label coarse", "label global", "label merged", "votes", "refined", "changed", "errors"),
    "prototype_figures.numbers_figure 4": lambda: numbers(4, 3),
    "prototype_figures.numbers_figure 7": lambda: numbers(7, 3),
    "prototype_figures.distances_figure": distances,
    "prototype_figures.temperature_figure": lambda: prototype_figures.temperature_figure(
        refined().predicted, refined().settings, [0.1, 1, 8, 32, 192]),
    "prototype_figures.threshold_figure": lambda: prototype_figures.threshold_figure(refined()),
    "prototype_figures.ranks_figure": ranks,
    "alignment_figures.clouds_figure": clouds,
    "alignment_figures.pair_figure": pair,
    "alignment_figures.indecision_figure": alignment_figures.indecision_figure,
    "alignment_figures.decay_figure": decay,
    "effect.shifts_figure": shifts,
    "effect.gains_figure": gains,
    "evolution_figures.evolution_figure": evolution,
    "evolution_figures.kept_figure": kept,
    "evolution_figures.four_steps_figure": lambda: evolution_figures.four_steps_figure(
        read("table_7"), DEMO.data),
    "forest.breakdown_figure, Lesson 5": over_time,
    "evidence_figures.hypotheses_figure": lambda: evidence_figures.hypotheses_figure(objects()[0]),
    "evidence_figures.gains_figure": lambda: evidence_figures.gains_figure(
        dict.fromkeys(("VOC", "Cityscapes", "COCO"), objects())),
    "evidence_figures.quality_figure": lambda: evidence_figures.quality_figure(
        told.judged(objects(), objects())),
    "interval_figures.resample_figure": lambda: interval_figures.resample_figure(
        [-1.2, 0.4, 0.9, 2.5, 7.1]),
    "interval_figures.intervals_figure": intervals,
    "interval_figures.studies_figure": studies,
    "interval_figures.power_figure": power,
}  # fmt: skip
