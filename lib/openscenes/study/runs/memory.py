"""Memory that a training takes, counted before it starts, on its GPU and on its host.

Counted: what one forward pass keeps for its backward pass, weights, gradients and the optimiser's
states. Set: a reserve for what is held for a moment, and the size of a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from openscenes.method.training import TrainConfig
from openscenes.networks.devices import multiplies_bf16_fast
from openscenes.networks.freezing import freeze_first_stages, thaw
from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.zoo import peer_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.machine import GIB as GIB
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.shapes import COUNTED_CROPS, OURS, kept_count, network_of, shape_of

RESERVE = 1.15  # gradients of activations, losses, and what an allocator leaves between blocks
CUDA_GIB = 0.7  # kernels and handles that CUDA holds from the first operation on
PROCESS_GIB = 0.8  # one Python with torch and the study, measured; a loader process is smaller
LOADER_GIB = 0.5
CROP_CHANNELS = 6  # bytes per pixel of a cut crop: colours, mask, void and other objects
PREFETCHED = 3  # batches that a loader process holds at once
_BF16 = 0.5  # of what is kept in float32; the weights' copies come on top

_counted: dict[object, Held] = {}


@dataclass(frozen=True)
class Held:
    """Bytes: kept for the backward pass per crop; weights and buffers; weights that learn."""

    crop: float
    weights: float
    learning: float


def gpu_gib(profile: Profile, recipe: Recipe) -> float:
    """Device memory of one training, GiB on each of its devices.

    Crops of one pass count, of ``micro_batch`` where it is set, shared by
    ``devices_per_model`` devices; a pair is two crops.
    """
    train, name = training_of(profile, recipe), network_of(recipe)
    held = held_by(profile, name, train)
    bf16 = train.precision == "bf16-mixed" or (
        train.precision == "auto" and multiplies_bf16_fast(torch.device("cuda"))
    )
    crops = crops_of_pass(profile, recipe)
    kept = crops * held.crop * (_BF16 if bf16 else 1.0) + (_BF16 * held.weights if bf16 else 0.0)
    states = 2 if train.optimiser == "adamw" else 1  # moments, or momentum
    copies = 1 + states + (1 if profile.devices_per_model > 1 else 0)  # DDP's buckets
    constant = held.weights + copies * held.learning
    return CUDA_GIB + (kept * RESERVE + constant) / GIB


def host_gib(profile: Profile, recipe: Recipe) -> float:
    """Host memory of one training on GPUs, GiB: its processes and their prefetched crops.

    Decoded images do not count: they are mapped from files, once for all processes.
    """
    n, workers = profile.devices_per_model, profile.workers
    crops = crops_of_pass(profile, recipe) * CROP_CHANNELS * profile.crop.size**2
    loading = workers * (LOADER_GIB + PREFETCHED * crops / GIB)
    weights = held_by(profile, network_of(recipe), training_of(profile, recipe)).weights
    return n * (PROCESS_GIB + loading + 2 * weights / GIB)  # read from its file, and kept


def cpu_gib(profile: Profile, recipe: Recipe) -> float:
    """Host memory of one training on a CPU, GiB: what a GPU and its host would hold together."""
    own = gpu_gib(profile, recipe) - CUDA_GIB
    return host_gib(profile, recipe) + profile.devices_per_model * own


def crops_of_pass(profile: Profile, recipe: Recipe) -> int:
    """Crops that lie on one device at once."""
    train, pair = training_of(profile, recipe), 2 if network_of(recipe) == "pairs" else 1
    share = -(-train.batch_size // profile.devices_per_model) * pair
    return min(share, train.micro_batch) if train.micro_batch else share


def held_by(profile: Profile, name: str, train: TrainConfig) -> Held:
    """What one of ``shapes.NETWORKS`` holds in training, counted once per process."""
    name = OURS if name == "pairs" else name
    size, frozen = profile.crop.size, train.freeze_first_stages
    key = name, profile.network, size, frozen
    if key not in _counted:
        count = kept_count(held, key, lambda: asdict(_held_by(profile, name, frozen)))
        _counted[key] = Held(**count)
    return _counted[key]


def _held_by(profile: Profile, name: str, frozen: bool) -> Held:
    network, inputs = shape_of(profile, name)
    network.train()
    thaw(network)
    if frozen and isinstance(network, OpenSceneNet):
        freeze_first_stages(network)
    return held(network, inputs)


def held(network: nn.Module, inputs: Sequence[Tensor]) -> Held:
    """Bytes that a network holds, by one forward pass over ``COUNTED_CROPS`` crops."""
    own = [*network.parameters(), *network.buffers()]
    known = {tensor.untyped_storage()._cdata for tensor in own}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = storage  # held, so that no other takes its number
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(*inputs)
    crop = sum(storage.nbytes() for storage in kept.values()) / COUNTED_CROPS
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return Held(crop, _bytes(own), _bytes(learning))


def _bytes(tensors: Sequence[Tensor]) -> float:
    return float(sum(tensor.numel() * tensor.element_size() for tensor in tensors))


def training_of(profile: Profile, recipe: Recipe) -> TrainConfig:
    """How a recipe is trained."""
    first = recipe.lineage()[0]
    if first.kind == "peer":
        return peer_of(profile, first.name).train
    if recipe.kind == "initial":
        return profile.initial
    return profile.evolving(recipe.scene).train
