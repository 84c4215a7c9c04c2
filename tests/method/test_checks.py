"""The doors of the method: what is no tensor, no number or no object ends in one sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import openscenes
from openscenes.data.datasets import read_image
from openscenes.data.examples import clicked_object, from_clicks
from openscenes.errors import InputError
from openscenes.method.evolution import Pool
from openscenes.method.inference import RunContext
from openscenes.method.ipt import IPTConfig
from openscenes.prediction.model_files import model_from_file

FEATURES = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
MASK = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
MASK[..., 4:12, 4:12] = True
POINTS = torch.tensor([[6, 6], [7, 7]])


def refused(ask):
    with pytest.raises(InputError) as caught:
        ask()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


NO_TENSORS = {
    "none": None, "text": "a", "list": [1.0, 2.0], "array": np.zeros((2, 8, 4, 4), np.float32),
    "complex": FEATURES.to(torch.complex64), "sparse": FEATURES.to_sparse(),
    "meta": FEATURES.to("meta"), "number": torch.tensor(1.0),
}  # fmt: skip
NO_FEATURES = NO_TENSORS | {
    "whole": FEATURES.long(), "flat": FEATURES[0], "empty": FEATURES[..., :0],
    "no channel": FEATURES[:, :0], "nan": FEATURES * float("nan"), "infinite": FEATURES / 0,
    "enormous": FEATURES * 1e20,
}  # fmt: skip


@pytest.mark.parametrize("features", NO_FEATURES.values(), ids=NO_FEATURES)
def test_what_are_no_features(features):
    refused(lambda: openscenes.confidence_maps(features, MASK))
    refused(lambda: openscenes.refine(features, MASK, MASK, POINTS))


NO_MASKS = NO_TENSORS | {
    "flat": MASK[:, 0], "one of two": MASK[:1], "empty": MASK[..., :0],
    "nan": MASK * float("nan"), "0 to 255": MASK * 255.0, "negative": -MASK.float(),
}  # fmt: skip


@pytest.mark.parametrize("mask", NO_MASKS.values(), ids=NO_MASKS)
def test_what_is_no_mask(mask):
    refused(lambda: openscenes.confidence_maps(FEATURES, mask))
    refused(lambda: openscenes.refine(FEATURES, mask, MASK, POINTS))
    refused(lambda: openscenes.refine(FEATURES, MASK, mask, POINTS))
    if mask is not None:
        weighted = IPTConfig(vote="weighted_sum")
        refused(lambda: openscenes.refine(FEATURES, MASK, MASK, POINTS, weighted,
                                          coarse_probability=mask))  # fmt: skip


NO_POINTS = NO_TENSORS | {
    "fractions": POINTS.float(), "truths": POINTS.bool(), "outside": POINTS + 10,
    "negative": -POINTS, "three": torch.zeros(2, 3, dtype=torch.long),
    "far": torch.full((2, 2), 2**62),
}  # fmt: skip


@pytest.mark.parametrize("points", NO_POINTS.values(), ids=NO_POINTS)
def test_what_are_no_points(points):
    refused(lambda: openscenes.refine(FEATURES, MASK, MASK, points))


@pytest.mark.parametrize("temperature", ["1", [1.0], None, True, 0, -1, float("nan"), float("inf")])
def test_what_is_no_temperature(temperature):
    refused(lambda: openscenes.confidence_maps(FEATURES, MASK, temperature=temperature))


@pytest.mark.parametrize(
    "options",
    [{"config": {}}, {"config": "paper"}, {"config": IPTConfig}, {"generator": 3},
     {"generator": [1, 2]}, {"generator": "ab"}, {"generator": [torch.Generator()]}],
    ids=["no config", "text", "class", "number", "numbers", "letters", "one of two"],
)  # fmt: skip
def test_what_is_no_config_or_generator(options):
    refused(lambda: openscenes.refine(FEATURES, MASK, MASK, POINTS, **options))


@pytest.mark.parametrize(
    "values",
    [{"alpha": "a"}, {"alpha": float("nan")}, {"prototypes": 5}, {"prototypes": [["global"]]},
     {"prototypes": "global"}, {"kernel_px": 5.0}, {"iterations": 1.5}, {"background": 7},
     {"soft_predictor": "yes"}],
    ids=["text", "nan", "number", "nested", "letters", "kernel", "iterations", "choice", "truth"],
)  # fmt: skip
def test_what_is_no_setting(values):
    refused(lambda: IPTConfig(**values))


def test_evolution_asks_what_it_is_given(tiny):
    network, context = tiny.network(), tiny.context()
    new = [clicked_object(Path(f"{name}.png"), (0, 0, 9, 9), (4, 4)) for name in "ab"]
    pool = Pool(tuple(map(from_clicks, new)))
    strange = [replace(example, class_index=10**6) for example in pool.examples]
    refused(lambda: openscenes.initialise(network, strange, context=context))
    refused(lambda: openscenes.evolve(network, Pool(tuple(strange)), new, context=context))
    for wrong in (None, "scene", {1, 2}, new[:1], [new[0], "b"], iter(new)):
        refused(lambda wrong=wrong: openscenes.evolve(network, pool, wrong, context=context))
        refused(lambda wrong=wrong: openscenes.initialise(network, wrong, context=context))
    refused(lambda: openscenes.evolve(None, pool, new))
    refused(lambda: openscenes.evolve(network, list(pool.examples), new, context=context))
    refused(lambda: openscenes.evolve(network, pool, new, {}, context=context))
    refused(lambda: openscenes.evolve(network, pool, new, context="usual"))
    refused(lambda: openscenes.evolve(network, pool, new, context=RunContext()))


@pytest.mark.parametrize(
    ("box", "point"),
    [(None, (4, 4)), ((0, 0, 9), (4, 4)), ((0, 0, float("nan"), 9), (4, 4)),
     ((9, 9, 0, 0), (4, 4)), ((0, 0, 9, 9), (20, 4)), ((0, 0, 9, 9), "44"),
     ((0, 0, 10**400, 9), (4, 4)), ((0, 0, True, 9), (0, 4))],
    ids=["none", "three", "nan", "reversed", "outside", "text", "far", "truth"],
)  # fmt: skip
def test_what_is_no_click_on_a_users_image(box, point):
    refused(lambda: clicked_object(Path("a.png"), box, point))


@pytest.mark.parametrize("path", [None, 7, b"a.png", ["a.png"]], ids=["none", "7", "bytes", "list"])
def test_what_is_no_path(path):
    refused(lambda: clicked_object(path, (0, 0, 9, 9), (4, 4)))
    refused(lambda: read_image(path))
    refused(lambda: model_from_file(path))
    assert clicked_object("b/a.png", (0, 0, 9, 9), (4, 4)).image == Path("b/a.png")
