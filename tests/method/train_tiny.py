"""Trains the tiny network in a process of its own, to be killed.

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
from openscenes.method.training import train
from openscenes.networks import checkpoints
from openscenes.networks.devices import make_fabric
from openscenes.networks.weights import save_weights

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))
LONG = replace(tiny.TRAIN, epochs=12)  # of three steps


def killable(network, root, folder, fabric):
    """Twelve epochs; says where it is before each step."""
    examples = tiny.labelled(root)

    def objective(module, batches, epoch):
        print(f"epoch {epoch}", flush=True)
        (batch,) = batches
        return {"ce": mask_cross_entropy(module(batch.inputs(tiny.CLICKS)), batch)}

    return run(network, examples, objective, LONG, folder, fabric)


def run(network, examples, objective, config, folder, fabric):
    groups = [(example,) for example in examples]
    return train(
        network, lambda _epoch: groups, objective, config, (tiny.AUGMENTATION,),
        tiny.context(fabric=fabric), folder=folder,
    )  # fmt: skip


def main(device, root, folder, weights):
    torch.set_num_threads(1)
    checkpoints.PAUSE_S, checkpoints.WRITING_SHARE = 0.0, float("inf")
    network = tiny.network()
    history = killable(network, Path(root), Path(folder), make_fabric(device))
    save_weights(network, Path(weights), {"history": json.dumps(history)})


if __name__ == "__main__":
    main(*sys.argv[1:])
