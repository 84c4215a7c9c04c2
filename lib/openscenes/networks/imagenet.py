"""ImageNet's weights: torchvision's own or a local file, for every network that starts there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from openscenes.errors import WeightsError
from openscenes.networks.backbones import INPUT_CHANNELS
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import State, load_strictly, read_state

COUNTER = "num_batches_tracked"
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
    if (stem := backbone.stem_name) in kept:
        kept[stem] = _with_click_channels(kept[stem])
    load_strictly(backbone, _with_counters(kept, backbone), f"{source or name}")


def imagenet_state(kind: str, source: Path | None = None) -> State:
    """The tensors of one of torchvision's classifiers.

    Args:
        kind: its name there, such as "vgg16".
        source: a local .safetensors or .pth file; without one, torchvision fetches its own.
    Raises:
        WeightsError: if the weights cannot be had.
    """
    if source is not None:
        return read_state(Path(source))
    weights = get_model_weights(kind)["IMAGENET1K_V1"]
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise WeightsError(
            f"The ImageNet weights of {kind} could not be fetched ({error}); put "
            f"{Path(weights.url).name} into {folder}, or pass the path of a local file."
        ) from error


def copy_tensors(state: State, targets: Mapping[str, Tensor], kind: str) -> None:
    """Write over all targets; a dense layer becomes a kernel. Counters of batches stay.

    Args:
        state: tensors by torchvision's names.
        targets: the network's own tensors by the same names.
        kind: what the weights are, for messages.
    Raises:
        WeightsError: naming the first tensor which is missing or of another size; nothing is
            written then.
    """
    wanted = {name: own for name, own in targets.items() if not name.endswith(COUNTER)}
    for name, own in wanted.items():
        if name not in state or state[name].numel() != own.numel():
            found = tuple(state[name].shape) if name in state else "missing"
            raise WeightsError(
                f"The {kind} weights do not fit: {name} is {found} instead of "
                f"{tuple(own.shape)}; take the file of a {kind} of the same widths, or train "
                "from scratch."
            )
    for name, own in wanted.items():
        own.copy_(state[name].view_as(own))


def _with_click_channels(kernel: Tensor) -> Tensor:
    """(K, 3, k, k) colour kernel to (K, 5, k, k), zero for the clicks."""
    clicks = kernel.new_zeros(len(kernel), INPUT_CHANNELS - kernel.shape[1], *kernel.shape[2:])
    return torch.cat((kernel, clicks), dim=1)


def _with_counters(state: State, backbone: nn.Module) -> State:
    """Old files count no batches; PyTorch starts such counters at zero, and so do we."""
    counters = {
        name: torch.zeros_like(tensor)
        for name, tensor in backbone.state_dict().items()
        if name.endswith(COUNTER)
    }
    return counters | state
