"""How many objects per second are learned, and how much of that is the network alone?

Run: ``make bench``, or ``DEVICE=cuda python tests/bench/bench_training.py``.  Two sizes: the
demo's, and the paper's network, ResNet-101, on crops of 512 px and batches of 16 on a GPU, of 256
px and 2 on a CPU, where it takes a minute so.  An item is an object of the initial
training, or a pair of an old and a new one of an evolution with both losses; images, crops, losses
and the optimiser's step are in its time.  The floor is the same network on crops of the same shape,
forward and backward, and nothing else; its share of a step is what no better loop can save.  Each
number is the best of several steps, in seconds of the processor where one thread works, so that
what else runs does not count.
"""

import os
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.optim.optimizer as optimizers
from bench_loader import objects, write

from openscenes.data.examples import ImageCache
from openscenes.method.evolution import Pool, align, initialise
from openscenes.method.inference import RunContext
from openscenes.networks.devices import make_fabric
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.options import profile_named
from openscenes.study.runs.recipes import FULL, evolution_config

SIZES = {"demo": (16, 3), "paper": (2, 2)}  # profile -> items of a batch, steps
N_FLOOR = {"demo": 3, "paper": 2}  # passes, of which the first warms up, like the first step
GPU_ITEMS, CPU_PX = 16, 256
DEVICE = os.environ.get("DEVICE", "cpu")


def measure(folder, name):
    """Print a line of each training: items per second, and of the network alone on its crops."""
    profile, (n_items, n_steps) = profile_named(name), SIZES[name]
    fabric = make_fabric(DEVICE, profile.initial.precision)
    if fabric.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        n_items, n_steps = (GPU_ITEMS, 10) if name == "paper" else (n_items, n_steps)
    elif name == "paper":
        profile = replace(
            profile, crop=replace(profile.crop, size=CPU_PX),
            network=replace(profile.network, crop_size=CPU_PX),
        )  # fmt: skip
    old, new = (
        objects(folder, one, labelled=one == "voc")[: n_items * n_steps] for one in ("voc", "coco")
    )
    cache = ImageCache(1 << 30)
    context = RunContext(profile.crop, profile.clicks, profile.inference, cache, fabric)

    def trained(stage):
        return replace(stage, epochs=1, batch_size=n_items)

    def tell(stage, step, floor):
        gib = torch.cuda.max_memory_allocated() / 2**30 if fabric.device.type == "cuda" else 0.0
        about = f"{n_items} items of {profile.crop.size} px, {fabric.device}, {gib:.1f} GiB"
        rates = f"{n_items / step:.2f} items/s, network alone {n_items / floor:.2f} items/s"
        print(f"  {stage}: {rates}, {floor / step:.0%} of a step; {about}", flush=True)

    network, n_passes = OpenSceneNet(profile.network), N_FLOOR[name]
    step = _best(lambda: initialise(
        network, old, trained(profile.initial), profile.augmentation, context,
    ))  # fmt: skip
    tell("initial training", step, _floor(network, n_items, profile, fabric, n_passes))
    grown = network.with_unknown_class(generator=torch.Generator().manual_seed(0))
    config = evolution_config(profile, "coco", FULL)
    config = replace(config, train=trained(config.train))
    step = _best(lambda: align(grown, Pool(tuple(old)), new, config, context))
    tell("evolution", step, _floor(grown, 2 * n_items, profile, fabric, n_passes))


def _now():
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.get_num_threads() == 1:
        return time.process_time()
    return time.perf_counter()


def _best(training):
    """Seconds of the quickest step, from the end of one to the end of the next."""
    ends = []
    hook = optimizers.register_optimizer_step_post_hook(lambda *_: ends.append(_now()))
    try:
        training()
    finally:
        hook.remove()
    return min(after - before for before, after in pairwise(ends))


def _floor(network, n_crops, profile, fabric, n_passes):
    """Seconds of the quickest forward and backward pass, in training mode."""
    size, seconds = profile.crop.size, []
    inputs = torch.rand(n_crops, 5, size, size, device=fabric.device) * 255
    for _ in range(n_passes):
        began = _now()
        with fabric.autocast():
            output = network(inputs)
        maps = [*output.coarse, output.fine, output.predictor, output.classes, output.features]
        sum(one.float().mean() for one in maps).backward()
        seconds.append(_now() - began)
        network.zero_grad(set_to_none=True)
    return min(seconds[1:])


def main():
    """Print a line for each size and training, as soon as it is there."""
    with TemporaryDirectory() as folder:
        os.environ["OPENSCENES_CACHE"] = f"{folder}/cache"
        for name in ("voc", "coco"):
            write(Path(folder), name)
        for name in SIZES:
            print(f"{name}, load average {os.getloadavg()[0]:.1f}", flush=True)
            measure(Path(folder), name)


if __name__ == "__main__":
    main()
