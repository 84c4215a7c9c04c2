"""ImageNet's weights for the systems of Table 1: torchvision's own, or a local file of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from torchvision.models import get_model_weights

from openscenes.errors import WeightsError
from openscenes.networks.weights import COUNTER, State, read_state


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
        raise WeightsError(
            f"ImageNet's {kind} could not be fetched ({error}); pass the path of a local "
            f"{Path(weights.url).name}, or train from scratch."
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
