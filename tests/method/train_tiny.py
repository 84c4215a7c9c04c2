"""Trains the tiny network in a process of its own, to be killed or to be one of two.

python train_tiny.py <device> <data root> <run folder> <weights to write>
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import torch

from openscenes.method.objective import mask_cross_entropy
from openscenes.method.training import TrainConfig, train
from openscenes.networks import checkpoints
from openscenes.networks.devices import make_fabric
from openscenes.networks.weights import save_weights

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))
LONG = replace(tiny.TRAIN, epochs=12)  # of three steps
# one step by seven objects, so that two processes have unequal shares of it
ONE_STEP = TrainConfig(
    epochs=1, batch_size=7, learning_rate=1.0, head_factor=1.0, momentum=0.0, weight_decay=0.0,
    reduction="mean",
)  # fmt: skip
EXACT = "64-true"  # or the order of a sum is all that one sees


def killable(network, root, folder, fabric):
    """Twelve epochs; says where it is before each step."""
    examples = tiny.labelled(root)

    def objective(module, batches, epoch):
        print(f"epoch {epoch}", flush=True)
        (batch,) = batches
        return {"ce": mask_cross_entropy(module(batch.inputs(tiny.CLICKS)), batch)}

    return run(network, examples, objective, LONG, folder, fabric)


def one_step(network, root, fabric):
    """One step of plain descent, all BatchNorm frozen."""
    examples = tiny.labelled(root)[: ONE_STEP.batch_size]

    def objective(module, batches, _epoch):
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.eval()
        (batch,) = batches
        return {"ce": mask_cross_entropy(module(batch.inputs(tiny.CLICKS)), batch)}

    return run(network, examples, objective, ONE_STEP, None, fabric)


def run(network, examples, objective, config, folder, fabric):
    groups = [(example,) for example in examples]
    return train(
        network, lambda _epoch: groups, objective, config, (tiny.AUGMENTATION,),
        tiny.context(fabric=fabric), folder=folder,
    )  # fmt: skip


def main(device, root, folder, weights):
    torch.set_num_threads(1)
    checkpoints.PAUSE_S, checkpoints.WRITING_SHARE = 0.0, float("inf")
    fabric, network = make_fabric(device, EXACT if ":" in device else "32-true"), tiny.network()
    fabric.launch()
    if ":" in device:
        assert fabric.world_size == 2
        history = one_step(network, Path(root), fabric)
    else:
        history = killable(network, Path(root), Path(folder), fabric)
    if fabric.is_global_zero:
        save_weights(network, Path(weights), {"history": json.dumps(history)})


if __name__ == "__main__":
    main(*sys.argv[1:])
