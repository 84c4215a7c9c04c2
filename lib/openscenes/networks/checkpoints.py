"""Resume files of interrupted runs: network, optimiser and position, as tensors, never pickled.

A file is written whole or not at all; the rest of a run follows from seed and position.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from openscenes.errors import WeightsError
from openscenes.files import number
from openscenes.networks.tensor_files import State, read_tensors, write_tensors
from openscenes.networks.weights import load_strictly

PAUSE_S = 5.0  # between two writings of a resume file, at least
WRITING_SHARE = 0.05  # of the time, at most
NETWORK = "network."  # before the names of its tensors; the optimiser's are named likewise


@dataclass
class TrainState:
    """Position of a run: the next step is (epoch, step); sums of losses; finished epochs.

    Sums stay on the losses' device, in float64, until they are read.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Count one step's losses, each a tensor of one number."""
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.double()
        self.sums["steps"] = self.sums.get("steps", 0.0) + 1.0

    def at(self, epoch: int, step: int) -> TrainState:
        """The same state, now before (epoch, step)."""
        self.epoch, self.step = epoch, step
        return self

    def finish_epoch(self, epoch: int) -> None:
        """Turn sums into a row of means and start the next epoch."""
        steps = self.sums.pop("steps", 0.0)
        means = {name: float(total) / steps for name, total in self.sums.items()} if steps else {}
        self.history.append({"epoch": float(epoch + 1), **means})
        self.sums = {}
        self.at(epoch + 1, 0)


class Keeper:
    """Writes a resume file from time to time: ``PAUSE_S`` apart, ``WRITING_SHARE`` of the time."""

    def __init__(
        self, path: Path | None, network: nn.Module, optimiser: torch.optim.Optimizer
    ) -> None:
        self.path, self.network, self.optimiser = path, network, optimiser
        self.pause_s, self.last = PAUSE_S, time.monotonic()

    def due(self) -> bool:
        """Whether there is a file to write, and the last writing is long enough ago."""
        return self.path is not None and time.monotonic() - self.last >= self.pause_s

    def keep(self, state: TrainState) -> None:
        """Write the state if that is due."""
        if self.path is None or not self.due():
            return
        began = time.monotonic()
        save(self.path, self.network, self.optimiser, state)
        self.last = time.monotonic()
        self.pause_s = max(PAUSE_S, (self.last - began) / WRITING_SHARE)

    def forget(self) -> None:
        """Remove the file of a finished run."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def save(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, state: TrainState
) -> None:
    """Write network, optimiser and position to one safetensors file."""
    tensors = {f"{NETWORK}{name}": value for name, value in network.state_dict().items()}
    tensors |= _optimiser_tensors(optimiser)
    told = replace(state, sums={name: float(total) for name, total in state.sums.items()})
    about = {"position": json.dumps(asdict(told)), "optimiser": type(optimiser).__name__}
    write_tensors(tensors, path, about)


def restore(path: Path | None, network: nn.Module, optimiser: torch.optim.Optimizer) -> TrainState:
    """Go on where the file stopped; without one that fits the run, from the beginning.

    A file that is missing, damaged or of another network changes nothing.
    """
    if path is None:
        return TrainState()
    try:
        tensors, metadata = read_tensors(path)
        if metadata["optimiser"] != type(optimiser).__name__:
            return TrainState()
        state = _position(json.loads(metadata["position"]))
        moments = _moments(optimiser, tensors)
        weights = {n.removeprefix(NETWORK): t for n, t in tensors.items() if n.startswith(NETWORK)}
        load_strictly(network, weights, f"{path}")
    except (WeightsError, LookupError, TypeError, ValueError, AttributeError):
        return TrainState()
    for parameter, key, value in moments:
        optimiser.state[parameter][key] = value
    return state


def _position(told: dict[str, Any]) -> TrainState:
    """Raises TypeError or ValueError where it is no position."""
    state = TrainState(**told)
    steps = state.epoch, state.step
    sums = [*state.sums.values(), *(mean for row in state.history for mean in row.values())]
    if not all(type(step) is int and step >= 0 for step in steps) or None in map(number, sums):
        raise ValueError("the position holds what is no number")
    return state


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"optimiser.{index}.{key}": value
        for index, parameter in enumerate(_parameters(optimiser))
        for key, value in optimiser.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def _moments(optimiser: torch.optim.Optimizer, tensors: State) -> list[tuple[Tensor, str, Tensor]]:
    """Parameter, name and value of all that the optimiser knows of its parameters.

    Raises:
        LookupError, ValueError: if they are those of other parameters.
    """
    parameters, moments = _parameters(optimiser), []
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind != "optimiser":
            continue
        index, _, key = rest.partition(".")
        parameter = parameters[int(index)]
        if key != "step":  # laid out as the parameter is, so that the next step takes the same path
            if value.shape != parameter.shape:
                raise ValueError(f"{name} is {value.shape}, its parameter {parameter.shape}")
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        moments.append((parameter, key, value))
    return moments
