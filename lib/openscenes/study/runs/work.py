"""The work of a study's tasks, counted in units, and the operations of a network's units.

Nothing is trained and no network lies in memory for it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from openscenes.method.gate import N_CALIBRATED
from openscenes.networks.config import NetworkConfig
from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.recipes import (
    DISTILLED,
    Recipe,
    evolution_config,
    profile_of,
    source_set,
)
from openscenes.study.runs.shapes import (
    CORRECTION,
    COUNTED_CROPS,
    NETWORKS,
    OURS,
    PAIRS,
    kept_count,
    network_of,
    shape_of,
    tensors_of,
)

N_VIEWS = 6
N_ERRORS = 3  # ITIS runs the network up to three times before each step
# Units without a network: a crop cut out of its image; a map pasted into its image and compared or
# kept, or clicked on as well; IPT of one object; a network read from its file; a training begun and
# its network written.
CUT, MASK, CLICK, IPT, LOAD, MODEL = "cut", "mask", "click", "ipt", "load", "model"
Work = Counter[str]  # how many of each unit; those of networks are ``trained`` and ``seen``


def trained(network: str) -> str:
    """The unit of one crop forward and backward through one of ``NETWORKS``."""
    return f"train {network}"


def seen(network: str) -> str:
    """The unit of one crop forward through one of ``NETWORKS``."""
    return f"forward {network}"


def training_work(profile: Profile, recipe: Recipe, objects: Mapping[str, int]) -> Work:
    """The work of one training, without the pseudo masks that it begins with (``masks_work``).

    Args:
        objects: to learn, by initial set and scene, as ``requirements.OBJECTS`` has them.
    """
    network, work = network_of(recipe), Work({MODEL: 1})
    if recipe.kind == "peer":
        peer = peer_of(profile, recipe.name)
        crops = objects["voc+sbd"] * peer.train.epochs
        work[seen(network)] = N_ERRORS * (crops - objects["voc+sbd"]) * peer.clicks.iterative
    elif recipe.kind == "initial":
        crops = objects[recipe.name] * profile.initial.epochs
    else:
        epochs = profile.evolving(recipe.scene).train.epochs
        crops = _objects(recipe, objects) * epochs * (2 if network == PAIRS else 1)
        if recipe.variant == DISTILLED:
            work[seen(OURS)] += crops // 2
    work[CUT] += crops
    work[seen(PAIRS) if recipe.kind == "re-estimated" else trained(network)] += crops
    return +work


def masks_work(profile: Profile, step: Recipe, objects: Mapping[str, int]) -> Work:
    """The work of the pseudo masks of a step of evolution."""
    config = evolution_config(profile, step.scene, step.variant, step.user)
    n = _objects(step, objects)
    views = N_VIEWS if config.teacher is not None and config.teacher.tta == "six views" else 1
    ipt = 0 if config.ipt is None else n
    asked = min(N_CALIBRATED, objects[source_set(step)]) if config.gate == "calibrated" else 0
    crops = n * views + asked
    return +Work({seen(OURS): crops, CUT: crops, MASK: n, IPT: ipt, LOAD: 1})


def _objects(step: Recipe, objects: Mapping[str, int]) -> int:
    """That a step on a new scene learns; a part has its share."""
    n = objects[step.scene]
    return n if step.part is None else round(n / step.part[1])


def counted(profile: Profile) -> dict[str, float]:
    """Floating-point operations of every unit that is one crop through a network.

    Convolutions and matrix products, a product with its sum as two operations. A correction is
    counted by itself; a training simulates several of them, of which the last one learns.
    """
    made_of = profile.network, profile.crop, profile.initial, profile.corrections
    return kept_count(counted, made_of, lambda: _counted(profile))


def _counted(profile: Profile) -> dict[str, float]:
    found = {seen(CORRECTION): _correction(profile, OURS)[0]}
    ours: dict[NetworkConfig, tuple[float, float]] = {}  # several names may train one network
    for name in NETWORKS:
        config = profile_of(profile, name).network
        if name in PEERS:
            both = _operations(*shape_of(profile, name))
        elif config in ours:
            both = ours[config]
        else:
            both = ours[config] = _with_clicks(profile, name)
        found[trained(name)], found[seen(name)] = both
    return found


def _with_clicks(profile: Profile, name: str) -> tuple[float, float]:
    """Of one of our networks: trained with all its corrections, and asked for its first answer."""
    learned, asked = _operations(*shape_of(profile, name))
    once, with_sight = _correction(profile, name)
    return learned + (profile.corrections.mean_clicks - 1) * once, asked - with_sight


def _correction(profile: Profile, name: str) -> tuple[float, float]:
    """Operations of one correction, and of it with what is seen once per crop."""
    network, (inputs, simulate) = shape_of(profile, name)
    network = cast(OpenSceneNet, network)
    with torch.no_grad():
        stages = network.encode(inputs)
        output = network.first(stages)
        with FlopCounterMode(display=False) as seeing:
            looked = network.see(stages, output.fine_features)
        with FlopCounterMode(display=False) as correcting:
            network.correct(looked, *simulate(looked, output))
    once = correcting.get_total_flops() / 2
    return once, once + seeing.get_total_flops() / 2


def _operations(network: nn.Module, inputs: Sequence[Any]) -> tuple[float, float]:
    """Of one crop out of a batch of two: forward and backward, and forward alone."""
    with FlopCounterMode(display=False) as count:
        outputs = [tensor for tensor in tensors_of(network(*inputs)) if tensor.requires_grad]
        forward = count.get_total_flops()
        torch.stack([tensor.sum() for tensor in outputs]).sum().backward()
    return count.get_total_flops() / COUNTED_CROPS, forward / COUNTED_CROPS
