"""How many objects per second are learned, and how much of that is the network alone?

Run: ``make bench``, or ``BASE=path/to/another/checkout python tests/bench/bench_training.py``.
Two sizes: the paper's (ResNet-101, 512 px, batches of 2 on a CPU and of 16 on a GPU) and the
demo's.  An item is an object of the initial training, or a pair of an old and a new one of an
evolution with both losses; images, crops, losses and the optimiser's step are in its time.  The
floor is the same network on crops of the same shape, forward and backward, and nothing else; its
share of a step is what no better loop can save.  Each number is the best of several steps; with
BASE that checkout's code takes its turns, and ratios to it are printed.
"""

import json
import os
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.optim.optimizer as optimizers
from bench_loader import objects, write
from bench_scoring import LIB, run

SIZES = {"paper": (2, 3), "demo": (16, 10)}  # profile -> items of a batch, steps
N_FLOOR = {"paper": 2, "demo": 8}  # passes, of which the first warms up, like the first step
GPU_ITEMS = 16
DEVICE = os.environ.get("DEVICE", "cpu")


def measure(folder, name):
    """Items per second of both trainings, and of the network alone on as many crops."""
    from openscenes.data.examples import ImageCache
    from openscenes.method.evolution import Pool, align, initialise
    from openscenes.method.inference import RunContext
    from openscenes.networks.devices import make_fabric
    from openscenes.networks.openscene import OpenSceneNet
    from openscenes.study.runs.recipes import FULL, evolution_config

    profile, (n_items, n_steps) = _profile(name), SIZES[name]
    fabric = make_fabric(DEVICE, profile.initial.precision)
    if fabric.device.type == "cuda" and name == "paper":
        n_items, n_steps = GPU_ITEMS, 10
    old, new = objects(folder, "voc"), objects(folder, "coco")
    old, new = old[: n_items * n_steps], new[: n_items * n_steps]
    context = RunContext(
        profile.crop, profile.clicks, profile.inference, ImageCache(1 << 30), fabric
    )

    def trained(stage):
        return replace(stage, epochs=1, batch_size=n_items)

    network = OpenSceneNet(profile.network)
    first = {
        "step": _best(lambda: initialise(
            network, old, trained(profile.initial), profile.augmentation, context,
        )),
        "floor": _floor(network, n_items, profile, fabric, N_FLOOR[name]),
    }  # fmt: skip
    grown = network.with_unknown_class(generator=torch.Generator().manual_seed(0))
    config = evolution_config(profile, "coco", FULL)
    config = replace(config, train=trained(config.train))
    second = {
        "step": _best(lambda: align(grown, Pool(tuple(old)), new, config, context)),
        "floor": _floor(grown, 2 * n_items, profile, fabric, N_FLOOR[name]),
    }
    gib = torch.cuda.max_memory_allocated() / 2**30 if fabric.device.type == "cuda" else 0.0
    found = {"initial training": first, "evolution": second}
    return {
        "rates": {stage: {k: n_items / s for k, s in one.items()} for stage, one in found.items()},
        "about": f"{n_items} items of {profile.crop.size} px, {fabric.device}, {gib:.1f} GiB",
    }


def _profile(name):
    try:
        from openscenes.study.options import profile_named
    except ImportError:
        from openscenes.study.profiles import profile_named
    return profile_named(name)


def _now():
    if torch.cuda.is_available():
        torch.cuda.synchronize()
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
    """Print a line for each size, training and code."""
    base = os.environ.get("BASE")
    codes = ({"BASE": Path(base).resolve() / "lib"} if base else {}) | {"this": LIB}
    with TemporaryDirectory() as folder:
        os.environ["OPENSCENES_CACHE"] = f"{folder}/cache"
        for name in ("voc", "coco"):
            write(Path(folder), name)
        for name in SIZES:
            rounds = [
                {code: run(lib, folder, name, script=__file__) for code, lib in codes.items()}
                for _ in range(2 if base else 1)
            ]
            about, load = rounds[0]["this"]["about"], os.getloadavg()[0]
            print(f"{name}, {about}, load average {load:.1f}", flush=True)
            for stage in rounds[0]["this"]["rates"]:
                _print(
                    stage, codes, [{c: each[c]["rates"][stage] for c in codes} for each in rounds]
                )


def _print(stage, codes, rounds):
    """A line of each code: items per second, times the first code's, and the floor's share."""
    best = {
        code: {what: max(each[code][what] for each in rounds) for what in ("step", "floor")}
        for code in codes
    }
    first = next(iter(best.values()))
    for code, one in best.items():
        print(
            f"  {stage}, {code}: {one['step']:.2f} items/s ({one['step'] / first['step']:.2f} "
            f"times), network alone {one['floor']:.2f} items/s, "
            f"{one['step'] / one['floor']:.0%} of a step", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2])))
    else:
        main()
