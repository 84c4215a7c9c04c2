"""How long does a correction take, and how much does learning them add to a training step?

Run: ``make bench``, or ``OMP_NUM_THREADS=1 python tests/bench/bench_corrections.py [demo study]``.
Untrained networks of a profile, a crop of noise, one thread. A correction is everything between a
click and its probability map: moving and drawing the clicks, the corrector, the cut. Times are the
CPU's, so that others do not count: medians over 20 clicks on one object; steps alternate, with and
without corrections, and the shortest of each counts.
"""

import statistics
import sys
import time

import numpy as np
import torch

from openscenes.data import samples
from openscenes.data.crops import CropConfig, window_affine
from openscenes.data.examples import NO_CLASS
from openscenes.data.records import Box, Point
from openscenes.data.samples import Sample
from openscenes.method.answers import Answers
from openscenes.method.corrections import answers
from openscenes.method.inference import RunContext
from openscenes.method.objective import supervised_losses
from openscenes.networks.devices import make_fabric
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.options import profile_named

N_CLICKS, STEPS, CROPS, WORST_MS = 20, 5, 8, 40.0


def noisy(crop: CropConfig, seed: int) -> Sample:
    """A disc in noise, its box tight."""
    rng = np.random.default_rng(seed)
    size, box = crop.size, Box(20.0, 20.0, 120.0, 120.0)
    rows, cols = np.ogrid[:size, :size]
    mask = (rows - size / 2) ** 2 + (cols - size / 2) ** 2 < (0.3 * size) ** 2
    nothing = np.zeros((size, size), bool)
    return Sample(
        image=rng.integers(0, 255, (size, size, 3), np.uint8), mask=mask, void=nothing,
        point=Point(size / 2, size / 2), box=Box(0.2 * size, 0.2 * size, 0.8 * size, 0.8 * size),
        class_index=NO_CLASS, labelled=True, others=nothing.view(np.uint8),
        affine=window_affine(box, crop), shape=(140, 140), draw=seed,
    )  # fmt: skip


def corrections(network, context, obeyed):
    """Milliseconds of the first answer, and the median and longest of 20 corrections."""
    begun = time.process_time()
    asked = Answers(network.eval(), [noisy(context.crop, 0)], context, obeyed=obeyed)
    first, rng, clicks, times = time.process_time() - begun, np.random.default_rng(0), [], []
    for _ in range(N_CLICKS):
        row, col = rng.integers(10, 130, 2)
        (shown,) = asked.to([np.array(clicks, np.float32).reshape(-1, 3)])
        clicks.append((row, col, -1 if shown.whole()[row, col] > 0.5 else 1))
        begun = time.process_time()
        asked.to([np.array(clicks, np.float32)])
        times.append(1e3 * (time.process_time() - begun))
    return 1e3 * first, statistics.median(times), max(times)


def step(network, batch, profile, context, config):
    """Seconds of a forward and a backward pass."""
    network.train().zero_grad()
    begun = time.process_time()
    with context.fabric.autocast():
        output, corrected = answers(network, network, (batch,), config, context.clicks)
        losses = supervised_losses(output, batch, 1.0) | corrected
    sum(loss.mean() for loss in losses.values()).backward()
    return time.process_time() - begun


def main(names):
    """Print a line for each profile."""
    torch.set_num_threads(1)
    for name in names:
        profile = profile_named(name)
        fabric = make_fabric("cpu", profile.initial.precision)
        context = RunContext(profile.crop, profile.clicks, profile.inference, fabric=fabric)
        network = OpenSceneNet(profile.network).to(memory_format=torch.channels_last)
        for obeyed in (False, True):
            first, middle, worst = corrections(network, context, obeyed)
            said = "" if middle <= WORST_MS else f", over {WORST_MS:g}"
            print(
                f"{name}, {'obeyed' if obeyed else 'the network alone'}: first answer "
                f"{first:.0f} ms, correction {middle:.1f} ms (longest {worst:.1f}){said}",
                flush=True,
            )
        batch = samples.collate([noisy(profile.crop, seed) for seed in range(CROPS)])
        configs = (None, profile.corrections)
        times = [[step(network, batch, profile, context, c) for c in configs] for _ in range(STEPS)]
        plain, both = (min(column) for column in zip(*times, strict=True))
        print(
            f"{name}: a step of {CROPS} crops {plain:.2f} s, with corrections {both:.2f} s, "
            f"ratio {both / plain:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["demo", "study"])
