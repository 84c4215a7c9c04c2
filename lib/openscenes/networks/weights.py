"""Weights on disk: the project's own, ImageNet's and IOG's published ones.

Every load is strict: a missing, unknown or misshapen tensor is an error that names it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from openscenes.downloads import MIRROR, fetch_part, mirrored
from openscenes.errors import DataError, WeightsError
from openscenes.files import one_line, reason
from openscenes.kept import alone
from openscenes.networks.backbones import INPUT_CHANNELS
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.tensor_files import (
    FLOATS,
    State,
    check_tensors,
    read_state,
    read_tensors,
    write_tensors,
)
from openscenes.paths import cache_dir

COUNTER = "num_batches_tracked"
COLOURS = 3
NAMED_PROBLEMS = 3
PARALLEL_PREFIX = "module."
# The classification layers, and MobileNetV2's last 1x1 convolution, which has no place here.
CLASSIFICATION_ONLY = ("fc.", "classifier.", "features.18.")


def load_imagenet(network: OpenSceneNet, source: Path | None = None) -> None:
    """Start the backbone from ImageNet weights in torchvision's names.

    IOG: the colour kernels of the stem are copied, the two click channels start at zero, so the
    untrained network does not see the clicks.

    Args:
        network: its backbone is written; the heads stay as they are.
        source: a local .safetensors or .pth file; without one, torchvision fetches its own.
    Raises:
        WeightsError: if the weights cannot be had, or do not fit.
    """
    name, backbone = network.config.backbone, network.iog.backbone
    if name == "small_resnet":
        raise WeightsError(
            "No ImageNet weights exist for small_resnet; train it from scratch, or choose "
            "resnet101, resnet50 or mobilenet_v2."
        )
    state = imagenet_state(name, source)
    kept = {key: state[key] for key in state if not key.startswith(CLASSIFICATION_ONLY)}
    stem = backbone.stem_name
    kept[stem] = _with_click_channels(stem_kernel(kept, stem))
    load_strictly(backbone, _with_counters(kept, backbone), f"{source or name}")


def imagenet_state(kind: str, source: Path | None = None) -> State:
    """The tensors of one of torchvision's classifiers.

    Args:
        kind: its name there, such as "vgg16".
        source: a local .safetensors or .pth file; without one, torchvision fetches its own.
    """
    state = read_state(fetched_imagenet(kind) if source is None else Path(source))
    odd = [name for name in state if state[name].dtype not in FLOATS and COUNTER not in name]
    if odd:
        raise WeightsError(
            f"{source or kind} holds {_first(odd)} as whole numbers; take the file of {kind} as "
            "torchvision publishes it."
        )
    return state


def stem_kernel(state: State, name: str) -> Tensor:
    """The (K, 3, k, k) kernel that reads colours, or WeightsError where there is none."""
    kernel = state.get(name)
    if kernel is None or kernel.ndim != 4 or kernel.shape[1] != COLOURS:
        found = "missing" if kernel is None else f"{tuple(kernel.shape)}"
        raise WeightsError(
            f"The weights do not fit this network ({name}: {found}, wanted (K, {COLOURS}, k, k)); "
            "take the file that torchvision publishes."
        )
    return kernel


def published_imagenet(kind: str) -> tuple[str, Path, int]:
    """Where torchvision's file of ImageNet weights comes from, where it lies, and its bytes.

    It lies in the cache folder; a copy that torch itself has fetched before is used as well.
    """
    weights = get_model_weights(kind)["IMAGENET1K_V1"]
    name, n_bytes = weights.url.rpartition("/")[2], int(weights.meta["_file_size"] * 2**20)
    own, torchs = cache_dir() / "weights" / name, Path(torch.hub.get_dir()) / "checkpoints" / name
    return weights.url, torchs if torchs.is_file() and not own.exists() else own, n_bytes


def fetched_imagenet(kind: str) -> Path:
    """torchvision's file of weights, fetched once and compared with the digest in its name."""
    url, path, _ = published_imagenet(kind)
    try:
        if not path.exists():
            with alone(path.with_name(f".{path.name}.lock"), path.name):
                _fetch(mirrored(url), path)
        whole = _is_whole(path, path.name)
    except (OSError, DataError) as error:
        why = str(error) if isinstance(error, DataError) else reason(error)
        raise WeightsError(
            f"The ImageNet weights of {kind} could not be fetched: {why}; or put {path.name} into "
            f"{one_line(str(path.parent))}"
        ) from None
    if not whole:
        raise WeightsError(f"{one_line(str(path))} is damaged; remove it, and it is fetched again.")
    return path


def _fetch(url: str, path: Path) -> None:
    if path.exists():  # another process was quicker
        return
    part = fetch_part(url, path)
    if not _is_whole(part, path.name):
        part.unlink()
        raise DataError(
            f"what {one_line(url)} sends has another sha256 than {path.name} says, and was "
            f"removed; call the same command again, or name another place: {MIRROR}=address"
        )
    part.replace(path)


def _is_whole(path: Path, name: str) -> bool:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return found.startswith(Path(name).stem.rpartition("-")[2])


def copy_tensors(state: State, targets: Mapping[str, Tensor], kind: str) -> None:
    """Write over all targets; a dense layer becomes a kernel. Counters of batches stay.

    Args:
        state: tensors by torchvision's names.
        targets: the network's own tensors by the same names.
    Raises:
        WeightsError: naming the first tensor which is missing or of another size; nothing is
            written then.
    """
    wanted = {name: own for name, own in targets.items() if not name.endswith(COUNTER)}
    for name, own in wanted.items():
        if name not in state or not _fits(state[name], own):
            found = tuple(state[name].shape) if name in state else "missing"
            raise WeightsError(
                f"The {kind} weights do not fit: {name} is {found} instead of "
                f"{tuple(own.shape)}; take the file of a {kind} of the same widths, or train "
                "from scratch."
            )
    for name, own in wanted.items():
        own.copy_(state[name].reshape(own.shape))


def _fits(tensor: Tensor, own: Tensor) -> bool:
    """Whether it has the same shape, or is a dense layer (K, C*k*k) of a (K, C, k, k) kernel."""
    dense = tensor.ndim == 2 and own.ndim == 4 and len(tensor) == len(own)
    return tensor.shape == own.shape or (dense and tensor.numel() == own.numel())


def _with_click_channels(kernel: Tensor) -> Tensor:
    """(K, 3, k, k) colour kernel to (K, 5, k, k), zero for the clicks."""
    clicks = kernel.new_zeros(len(kernel), INPUT_CHANNELS - COLOURS, *kernel.shape[2:])
    return torch.cat((kernel, clicks), dim=1)


def _with_counters(state: State, module: nn.Module) -> State:
    """Old files count no batches; PyTorch starts such counters at zero, and so do we.

    Nothing is computed from them.
    """
    counters = {
        name: torch.zeros_like(tensor)
        for name, tensor in module.state_dict().items()
        if name.endswith(COUNTER)
    }
    return counters | state


def save_weights(module: nn.Module, path: Path, metadata: Mapping[str, str]) -> None:
    """Write all weights of ``module`` and ``metadata`` as safetensors, whole or not at all.

    Equal weights and metadata give equal bytes: no time is written.
    """
    write_tensors(module.state_dict(), Path(path), metadata)


def load_weights(module: nn.Module, path: Path) -> dict[str, str]:
    """Read what ``save_weights`` wrote into ``module``; its metadata comes back.

    Raises:
        WeightsError: if the file is missing, damaged, holds numbers that are not finite, or is
            not exactly the module's.
    """
    path = Path(path)
    state, metadata = read_tensors(path)
    check_tensors(state, path)
    load_strictly(module, state, one_line(f"{path}"))
    return metadata


def load_published(module: nn.Module, path: Path) -> None:
    """Read a published state dict (.safetensors or .pth), IOG's into ``network.iog``."""
    load_strictly(module, published_state(module, path), one_line(f"{path}"))


def published_state(module: nn.Module, path: Path) -> State:
    """The tensors of a published file, under the names of a module.

    Names may carry the prefix that a data-parallel wrapper leaves; files of PyTorch before 0.4.1
    lack the counters of batches.

    Raises:
        WeightsError: if the file is missing or damaged.
    """
    state = read_state(Path(path))
    if all(name.startswith(PARALLEL_PREFIX) for name in state):
        state = {name.removeprefix(PARALLEL_PREFIX): tensor for name, tensor in state.items()}
    return _with_counters(state, module)


def parameter_groups(network: nn.Module, lr: float, head_factor: float) -> list[dict[str, Any]]:
    """Optimiser groups: the backbone at ``lr``, all heads at ``head_factor`` times that.

    IOG: 1e-8 and 1e-7, so a factor of ten.  Parameters without gradient are in no group.
    """
    backbone = network.backbone_parameters()  # type: ignore[operator]
    inside = {id(parameter) for parameter in backbone}
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if id(p) in inside], "lr": lr},
        {"params": [p for p in trained if id(p) not in inside], "lr": lr * head_factor},
    ]


def load_strictly(module: nn.Module, state: State, source: str) -> None:
    """Load a state dict that must be exactly the module's.

    Args:
        source: what the tensors are, for the message.
    """
    if wrong := misfit(module, state):
        raise WeightsError(
            f"{source} does not fit this network ({wrong}); take the file that was saved from the "
            "same configuration."
        )
    module.load_state_dict(state)


def misfit(module: nn.Module, state: State) -> str:
    """What of a state dict is missing, unknown, misshapen or of another type; "" if it fits."""
    target = module.state_dict()
    problems = {
        "missing": [name for name in target if name not in state],
        "unknown": [name for name in state if name not in target],
        "misshapen": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(target[name].shape)}"
            for name in target
            if name in state and state[name].shape != target[name].shape
        ],
        "of another type": [
            f"{name} {state[name].dtype} instead of {target[name].dtype}"
            for name in target
            if name in state and (state[name].dtype in FLOATS) != (target[name].dtype in FLOATS)
        ],
    }
    return "; ".join(f"{kind}: {_first(names)}" for kind, names in problems.items() if names)


def _first(names: list[str]) -> str:
    rest = len(names) - NAMED_PROBLEMS
    return one_line(", ".join(names[:NAMED_PROBLEMS])) + (f" and {rest} more" if rest > 0 else "")
