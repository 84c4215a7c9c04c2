"""The work of a study's tasks, counted in units, and the operations of a network's units.

Nothing is trained and no network lies in memory for it.
"""

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.peers.zoo import peer_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.recipes import Recipe, evolution_config
from openscenes.study.runs.shapes import (
    COUNTED_CROPS,
    NETWORKS,
    OURS,
    PAIRS,
    REFINEMENT,
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
    elif recipe.kind == "refiner":
        crops = objects["voc+sbd"] * max(1, profile.initial.epochs // 4)
    elif recipe.kind == "initial":
        crops = objects[recipe.name] * profile.initial.epochs
    else:
        epochs = profile.evolving(recipe.scene).train.epochs
        crops = _objects(recipe, objects) * epochs * (2 if network == PAIRS else 1)
    if recipe.kind == "evolved":
        config = evolution_config(profile, recipe.scene, recipe.variant, recipe.user)
        again = 0 if config.ema_decay is None else config.train.epochs - 1
        for unit, n in masks_work(profile, recipe, objects).items():
            work[unit] += n * again
    work[CUT] += crops
    work[seen(PAIRS) if recipe.kind == "re-estimated" else trained(network)] += crops
    return +work


def masks_work(profile: Profile, step: Recipe, objects: Mapping[str, int]) -> Work:
    """The work of the pseudo masks of a step of evolution."""
    config = evolution_config(profile, step.scene, step.variant, step.user)
    n = _objects(step, objects)
    views = N_VIEWS if config.teacher is not None and config.teacher.tta == "six views" else 1
    ipt = 0 if config.ipt is None else n
    return +Work({seen(OURS): n * views, CUT: n * views, MASK: n, IPT: ipt, LOAD: 1})


def _objects(step: Recipe, objects: Mapping[str, int]) -> int:
    """That a step on a new scene learns; a part has its share."""
    n = objects[step.scene]
    return n if step.part is None else round(n / step.part[1])


def counted(profile: Profile) -> dict[str, float]:
    """Floating-point operations of every unit that is one crop through a network.

    Convolutions and matrix products, a product with its sum as two operations.
    """
    made_of = profile.network, profile.crop, profile.initial
    return kept_count(counted, made_of, lambda: _counted(profile))


def _counted(profile: Profile) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in NETWORKS:
        network, inputs = shape_of(profile, OURS if name == PAIRS else name)
        count = _refinement if name == REFINEMENT else _operations
        found[trained(name)], found[seen(name)] = count(network, *inputs)
    return found


def _operations(network: nn.Module, *inputs: Tensor) -> tuple[float, float]:
    """Of one crop out of a batch of two: forward and backward, and forward alone."""
    with FlopCounterMode(display=False) as count:
        outputs = [tensor for tensor in tensors_of(network(*inputs)) if tensor.requires_grad]
        forward = count.get_total_flops()
        torch.stack([tensor.sum() for tensor in outputs]).sum().backward()
    return count.get_total_flops() / COUNTED_CROPS, forward / COUNTED_CROPS


def _refinement(network: nn.Module, seen: Tensor, clicks: Tensor) -> tuple[float, float]:
    """A step predicts, corrects twice on average, and learns; later, forward is a correction."""
    assert isinstance(network, RefinableIOG)
    with FlopCounterMode(display=False) as shown, torch.no_grad():
        stages = network.encode(seen)
        network.first(stages)
    with FlopCounterMode(display=False) as corrected, torch.no_grad():
        network.refined(stages, clicks)
    once = corrected.get_total_flops() / 2
    learned, _ = _operations(network, seen, clicks)
    return shown.get_total_flops() / 2 + 2 * once + learned, once
