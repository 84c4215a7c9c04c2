"""How long from a moved slider to the encoded image, at the paper's crop size?

Run: ``python tests/bench/bench_prototype_explorer.py [threads ...]``.  An object of 512 x 512 with
random features stands for the network's answer; every slider is moved in turn, for every layer,
and what is timed is IPT, the numbers, the layer and its PNG. What a front end adds is not in it.
"""

import sys
import time
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch

from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, Point
from openscenes.lessons.prototypes.layers import LAYERS, draw, words
from openscenes.lessons.prototypes.objects import PredictedObject
from openscenes.lessons.prototypes.refinement import Settings, measure, refine_object, with_value
from openscenes.method.inference import Prediction
from openscenes.method.ipt import IPTConfig
from openscenes.widgets.overlays import encode_png

SIZE, N_MOVES = 512, 120
SHAPES = ((256, 128, 128), (2048, 64, 64))
VALUES = {
    "alpha": np.linspace(0.0, 0.3, 7), "beta": np.linspace(0.3, 0.7, 7),
    "m": np.linspace(0.5, 0.9, 7), "n": np.linspace(0.5, 0.9, 7),
    "center_points": range(1, 8), "center_radius_px": np.linspace(4, 40, 7),
    "kernel_px": range(3, 17, 2), "iterations": range(1, 8),
    "temperature": np.geomspace(1, 200, 7),
}  # fmt: skip


def predicted_disc(shape):
    """One object in the middle of the crop, with ReLU-like features that tell it from the rest."""
    generator = torch.Generator().manual_seed(0)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    truth = (rows - 256) ** 2 / 180**2 + (cols - 256) ** 2 / 130**2 < 1
    coarse = truth & (rows + 0.3 * cols > 190)
    inside = torch.from_numpy(truth)[None].float()
    inside = torch.nn.functional.adaptive_avg_pool2d(inside, shape[-2:])
    shift = 0.2 * torch.randn(shape[0], 1, 1, generator=generator)
    features = (0.5 * torch.randn(shape, generator=generator) + inside * shift).relu()[None]
    mask = torch.from_numpy(coarse)[None, None]
    maps, ones = mask.float(), torch.ones(1, 2)
    prediction = Prediction(maps, mask, maps, features, features, ones, maps)
    image = np.full((SIZE, SIZE, 3), 127, np.uint8)
    interaction = Interaction(Box(76.0, 126.0, 437.0, 387.0), Point(256.0, 256.0))
    nothing = np.zeros_like(truth)
    return PredictedObject(
        Example("bench", Path("bench.png"), interaction, None), image, image, crops.identity(),
        torch.tensor([[256, 256]]), prediction, truth, nothing, truth, nothing, 0.9,
    )  # fmt: skip


def moves(predicted):
    """Milliseconds of each slider move, from the new value to the bytes of the image."""
    refined = refine_object(predicted, Settings(replace(IPTConfig(), temperature=20.0)))
    times = {}
    layers, steps = cycle(LAYERS), {name: cycle(values) for name, values in VALUES.items()}
    for name in islice(cycle(VALUES), N_MOVES):
        value, layer = next(steps[name]), next(layers)
        value = float(value) if isinstance(value, np.floating) else value
        began = time.perf_counter()
        refined = refine_object(predicted, with_value(refined.settings, name, value), refined)
        encode_png(draw(layer, refined))
        words(layer, refined, measure(refined))
        times.setdefault(name, []).append(1e3 * (time.perf_counter() - began))
    return times


def main(threads):
    """Print median and maximum for each number of threads and feature, and the slowest slider."""
    for n_threads in threads:
        torch.set_num_threads(n_threads)
        for shape in SHAPES:
            predicted = predicted_disc(shape)
            moves(predicted)
            times = moves(predicted)
            every = np.concatenate(list(times.values()))
            slowest = max(times, key=lambda name: np.median(times[name]))
            print(
                f"{n_threads} thread(s), F {shape}: {len(every)} moves, median "
                f"{np.median(every):.1f} ms, max {every.max():.1f} ms; votes only (m, n, alpha, "
                f"beta) {np.median(times['m'] + times['n']):.1f} ms, slowest {slowest} "
                f"{np.median(times[slowest]):.1f} ms"
            )


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [2])
