"""Models that lie in the repository, so that a fresh clone answers at once.

They were trained by this project on its synthetic scenes alone (profile demo). One stands in for
the model of a recipe where all that makes it is the same but the machine: torch, device and
precision of the training, which its ``run.json`` names.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from openscenes.kept import kept
from openscenes.networks.tensor_files import read_tensors, write_tensors
from openscenes.paths import RELEASED
from openscenes.study.runs import store
from openscenes.study.runs.models import RUN, Model
from openscenes.study.runs.recipes import FULL, OURS, Recipe, evolved, initial

KERNEL_NDIM = 4  # (K, C, k, k)
_MACHINE = ("torch", "device", "precision")
_FIRST = initial("voc+sbd", 0)
# What lessons, annotator and `predict` begin with; the last one answers `predict`.
RECIPES: tuple[Recipe, ...] = (
    _FIRST,
    evolved(_FIRST, "cityscapes", FULL),
    evolved(_FIRST, "coco", FULL),
    evolved(_FIRST, "coco", OURS),
)


@dataclass(frozen=True)
class Release:
    """A trained model, the name of its folder, and its mean IoU on a few objects of each set.

    Attributes:
        short: its kernels lie there as bfloat16, to which mixed precision rounds them anyway: half
            the bytes, for a model that others are compared with and that none starts from.
    """

    model: Model
    name: str
    scores: Mapping[str, float]
    short: bool = False


def name_of(made_of: Mapping[str, Any]) -> str:
    """The folder of a released model: a digest of all that makes it but the machine.

    Args:
        made_of: whose parent is named in this way, too.
    """
    return store.digest_of({k: v for k, v in made_of.items() if k not in _MACHINE})


def released(name: str) -> Path | None:
    """Where the released model of this name lies, or None."""
    folder = RELEASED / name
    return folder if (folder / "model.safetensors").is_file() else None


def released_initial() -> Path | None:
    """Where the released model lies that the other released ones start from, or None."""
    said = {path.parent: kept(path) or {} for path in sorted(RELEASED.glob(f"*/{RUN}"))}
    parents = {facts.get("made_of", {}).get("parent") for facts in said.values()} - {None}
    names = ((folder, {folder.name, facts.get("digest")}) for folder, facts in said.items())
    return next((folder for folder, own in names if own & parents), None)


def put(releases: list[Release]) -> Iterator[str]:
    """Put models in the repository, in the place of all that were there; a line for each.

    The last one is what ``predict`` takes where the cache has none.
    """
    with TemporaryDirectory(dir=RELEASED.parent) as place:
        made = Path(place) / "made"
        for one in releases:
            (made / one.name).mkdir(parents=True)
            weights = made / one.name / one.model.weights.name
            (_shorten if one.short else shutil.copy)(one.model.weights, weights)
            shutil.copy(one.model.folder / RUN, made / one.name / RUN)
            size = weights.stat().st_size / 1e6
            yield f"released: {one.model.label}, {size:.1f} MB"
        scores = {one.name: dict(one.scores) for one in releases}
        store.put_json(made / "released.json", {"predicts": releases[-1].name, "scores": scores})
        if RELEASED.exists():
            RELEASED.rename(Path(place) / "before")
        made.rename(RELEASED)


def _shorten(source: Path, target: Path) -> None:
    """The same model file with its kernels as bfloat16."""
    state, about = read_tensors(source)
    kernels = {name: t.to(torch.bfloat16) for name, t in state.items() if t.ndim == KERNEL_NDIM}
    write_tensors(state | kernels, target, about)
