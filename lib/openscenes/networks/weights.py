"""Weights on disk: the project's own, IOG's published ones; and the rates they take.

Every load is strict: a missing, unknown or misshapen tensor is an error that names it.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from openscenes.errors import WeightsError
from openscenes.networks.openscene import OpenSceneNet
from openscenes.paths import atomic

State = dict[str, Tensor]
NAMED_PROBLEMS = 3
PARALLEL_PREFIX = "module."


def save_weights(module: nn.Module, path: Path, metadata: Mapping[str, str]) -> None:
    """Write all weights of ``module`` and ``metadata`` as safetensors, whole or not at all."""
    state = {name: tensor.cpu().contiguous() for name, tensor in module.state_dict().items()}
    with atomic(Path(path)) as partial:
        save_file(state, partial, dict(metadata))


def load_weights(module: nn.Module, path: Path) -> dict[str, str]:
    """Read what ``save_weights`` wrote into ``module``; its metadata comes back.

    Raises:
        WeightsError: if the file is missing, damaged, or not exactly the module's.
    """
    path = Path(path)
    load_strictly(module, read_state(path), f"{path}")
    with safe_open(path, "pt") as opened:
        return dict(opened.metadata() or {})


def load_published_iog(network: OpenSceneNet, path: Path) -> None:
    """Read IOG's published state dict (.safetensors or .pth) into ``network.iog``.

    Names may carry the prefix that a data-parallel wrapper leaves.
    Ours: the pixel predictor and the class head, which IOG has not, stay as they are.

    Raises:
        WeightsError: if the file is missing, damaged, or not exactly IOG's.
    """
    state = read_state(Path(path))
    plain = {name.removeprefix(PARALLEL_PREFIX): tensor for name, tensor in state.items()}
    load_strictly(network.iog, plain, f"{path}")


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


def read_state(path: Path) -> State:
    """The named tensors of a .safetensors file, or of a .pth file that holds nothing else.

    Raises:
        WeightsError: if the file is missing, damaged, of another kind, or holds other objects.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weight file {path}; check the path or train the network.")
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(
            f"{path} is damaged or holds more than tensors; fetch or save it again as a plain "
            "state dict."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(
            f"{path} holds more than named tensors; save only the network's state dict."
        )
    return dict(state)


def load_strictly(module: nn.Module, state: State, source: str) -> None:
    """Load a state dict that must be exactly the module's.

    Args:
        source: what the tensors are, for the message.
    Raises:
        WeightsError: naming what is missing, unknown or misshapen.
    """
    target = module.state_dict()
    problems = {
        "missing": [name for name in target if name not in state],
        "unknown": [name for name in state if name not in target],
        "misshapen": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(target[name].shape)}"
            for name in target
            if name in state and state[name].shape != target[name].shape
        ],
    }
    found = [f"{kind}: {_first(names)}" for kind, names in problems.items() if names]
    if found:
        raise WeightsError(
            f"{source} does not fit this network ({'; '.join(found)}); take the file that was "
            "saved from the same configuration."
        )
    module.load_state_dict(state)


def _first(names: list[str]) -> str:
    rest = len(names) - NAMED_PROBLEMS
    return ", ".join(names[:NAMED_PROBLEMS]) + (f" and {rest} more" if rest > 0 else "")
