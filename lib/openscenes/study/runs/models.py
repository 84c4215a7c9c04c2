"""A trained model on disk, how it is loaded, and what a recipe must say to make one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from openscenes.errors import WeightsError
from openscenes.method.evolution import Setting
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import load_weights
from openscenes.paths import PROJECT
from openscenes.study.runs.data import Study


@dataclass(frozen=True)
class Model:
    """A trained network on disk: its name is the digest of all that made it."""

    digest: str
    folder: Path
    label: str

    @property
    def weights(self) -> Path:
        """The network's safetensors file."""
        return self.folder / "model.safetensors"

    def load(self, study: Study) -> OpenSceneNet:
        """The network, on the CPU, ready to be asked."""
        return load_model(self.weights, study)

    def facts(self) -> dict[str, Any]:
        """What its ``run.json`` says."""
        return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))


def load_model(path: Path, study: Study) -> OpenSceneNet:
    """A network of the study's shape from a weight file, grown or not."""
    for unknown_class in (True, False):
        network = OpenSceneNet(replace(study.profile.network, unknown_class=unknown_class))
        try:
            load_weights(network, path)
        except WeightsError:
            if not unknown_class:
                raise
            continue
        return network.eval()
    raise AssertionError("one of the two shapes loads or raises")


def setting_of(study: Study, seed: int) -> Setting:
    """What the method needs to know of a study."""
    profile = study.profile
    return Setting(profile.crop, profile.clicks, profile.inference, study.cache, study.fabric, seed)


@dataclass(frozen=True)
class Made:
    """A finished training: what is kept of it."""

    network: nn.Module
    history: list[dict[str, float]]
    about: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Making:
    """What names a model, what code decides it, and how it is trained in a folder."""

    made_of: dict[str, Any]
    make: Callable[[Path, str], Made]
    code: tuple[Callable[..., Any], ...]


def imagenet_file(study: Study, kind: str) -> Path | None:
    """A local file of ImageNet weights near the data, or None for torchvision's own.

    Args:
        kind: torchvision's name of the network, such as "vgg16".
    """
    name = f"{kind}-imagenet.safetensors"
    folders = (study.root / "weights", study.root.parent / "weights", PROJECT / ".cache/weights")
    return next((folder / name for folder in folders if (folder / name).is_file()), None)
