"""How many objects per second are learned, and how much of that is the network alone?

Run: ``make bench``, or ``BASE=path/to/another/checkout python tests/bench/bench_training.py``.
Two sizes: the demo's, and the paper's network, ResNet-101, on crops of 512 px and batches of 16 on
a GPU, of 256 px and 2 on a CPU, where it takes a minute so.  An item is an object of the initial
training, or a pair of an old and a new one of an evolution with both losses; images, crops, losses
and the optimiser's step are in its time.  The floor is the same network on crops of the same shape,
forward and backward, and nothing else; its share of a step is what no better loop can save.  Each
number is the best of several steps, in seconds of the processor where one thread works, so that
what else runs does not count.  With BASE that checkout's code goes first, and ratios to it are
printed; "three clicks" is this code without corrections, for a checkout that learns none.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import torch
import torch.optim.optimizer as optimizers
from bench_loader import objects, write
from bench_scoring import LIB

SIZES = {"demo": (16, 3), "paper": (2, 2)}  # profile -> items of a batch, steps
N_FLOOR = {"demo": 3, "paper": 2}  # passes, of which the first warms up, like the first step
GPU_ITEMS, CPU_PX = 16, 256
DEVICE = os.environ.get("DEVICE", "cpu")
THREE_CLICKS = "three clicks"


def measure(folder, name, code):
    """Print a line of each training: items per second, and of the network alone on its crops."""
    from openscenes.data.examples import ImageCache
    from openscenes.method.evolution import Pool, align, initialise
    from openscenes.method.inference import RunContext
    from openscenes.networks.devices import make_fabric
    from openscenes.networks.openscene import OpenSceneNet
    from openscenes.study.runs.recipes import FULL, evolution_config

    profile, (n_items, n_steps) = _profile(name), SIZES[name]
    fabric = make_fabric(DEVICE, profile.initial.precision)
    if name == "paper" and fabric.device.type == "cuda":
        n_items, n_steps = GPU_ITEMS, 10
    elif name == "paper":
        profile = replace(
            profile, crop=replace(profile.crop, size=CPU_PX),
            network=replace(profile.network, crop_size=CPU_PX),
        )  # fmt: skip
    old, new = (objects(folder, one)[: n_items * n_steps] for one in ("voc", "coco"))
    cache = ImageCache(1 << 30)
    context = RunContext(profile.crop, profile.clicks, profile.inference, cache, fabric)
    without = {"corrections": None} if code == THREE_CLICKS else {}

    def trained(stage):
        return replace(stage, epochs=1, batch_size=n_items)

    def tell(stage, step, floor):
        gib = torch.cuda.max_memory_allocated() / 2**30 if fabric.device.type == "cuda" else 0.0
        about = f"{n_items} items of {profile.crop.size} px, {fabric.device}, {gib:.1f} GiB"
        told = {"stage": stage, "step": n_items / step, "floor": n_items / floor, "about": about}
        print(json.dumps(told), flush=True)

    network, n_passes = OpenSceneNet(profile.network), N_FLOOR[name]
    step = _best(lambda: initialise(
        network, old, trained(profile.initial), profile.augmentation, context, **without,
    ))  # fmt: skip
    tell("initial training", step, _floor(network, n_items, profile, fabric, n_passes))
    grown = network.with_unknown_class(generator=torch.Generator().manual_seed(0))
    config = evolution_config(profile, "coco", FULL)
    config = replace(config, train=trained(config.train), **without)
    step = _best(lambda: align(grown, Pool(tuple(old)), new, config, context))
    tell("evolution", step, _floor(grown, 2 * n_items, profile, fabric, n_passes))


def _profile(name):
    try:
        from openscenes.study.options import profile_named
    except ImportError:
        from openscenes.study.profiles import profile_named
    return profile_named(name)


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
    """Print a line for each size, code and training, as soon as it is there."""
    base = os.environ.get("BASE")
    codes = {"BASE": Path(base).resolve() / "lib", THREE_CLICKS: LIB} if base else {}
    with TemporaryDirectory() as folder:
        os.environ["OPENSCENES_CACHE"] = f"{folder}/cache"
        for name in ("voc", "coco"):
            write(Path(folder), name)
        for name in SIZES:
            print(f"{name}, load average {os.getloadavg()[0]:.1f}", flush=True)
            first = {}
            for code, lib in (codes | {"this": LIB}).items():
                for one in _measured(lib, folder, name, code):
                    _print(code, one, first.setdefault(one["stage"], one))


def _measured(lib, folder, name, code):
    """What a process of that code tells, line by line."""
    command = [sys.executable, __file__, folder, name, code]
    environment = os.environ | {"PYTHONPATH": str(lib)}
    with TemporaryFile("w+") as errors, subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
    ) as process:  # fmt: skip
        yield from (json.loads(line) for line in process.stdout if line.startswith("{"))
        if process.wait():
            errors.seek(0)
            sys.exit(errors.read())


def _print(code, one, first):
    """A line: items per second, times the first code's, and the floor's share."""
    print(
        f"  {one['stage']}, {code}: {one['step']:.2f} items/s ({one['step'] / first['step']:.2f} "
        f"times), network alone {one['floor']:.2f} items/s, {one['step'] / one['floor']:.0%} of a "
        f"step; {one['about']}", flush=True,
    )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]), *sys.argv[2:])
    else:
        main()
