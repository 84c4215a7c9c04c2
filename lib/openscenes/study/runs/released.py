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

from openscenes.kept import kept
from openscenes.paths import RELEASED
from openscenes.study.runs import store
from openscenes.study.runs.models import RUN, Model
from openscenes.study.runs.recipes import FULL, OURS, Recipe, evolved, initial

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
    """A trained model, the name of its folder, and its mean IoU on a few objects of each set."""

    model: Model
    name: str
    scores: Mapping[str, float]


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
    """Where the first released model lies that was trained on labelled objects alone, or None."""
    folders = sorted(path.parent for path in RELEASED.glob(f"*/{RUN}"))
    stages = ((kept(folder / RUN) or {}).get("made_of", {}).get("stage") for folder in folders)
    found = zip(folders, stages, strict=True)
    return next((folder for folder, stage in found if stage == "initial"), None)


def put(releases: list[Release]) -> Iterator[str]:
    """Put models in the repository, in the place of all that were there; a line for each.

    The last one is what ``predict`` takes where the cache has none.
    """
    with TemporaryDirectory(dir=RELEASED.parent) as place:
        made = Path(place) / "made"
        for one in releases:
            (made / one.name).mkdir(parents=True)
            for file in (one.model.weights, one.model.folder / RUN):
                shutil.copy(file, made / one.name / file.name)
            size = one.model.weights.stat().st_size / 1e6
            yield f"released: {one.model.label}, {size:.1f} MB"
        scores = {one.name: dict(one.scores) for one in releases}
        store.put_json(made / "released.json", {"predicts": releases[-1].name, "scores": scores})
        if RELEASED.exists():
            RELEASED.rename(Path(place) / "before")
        made.rename(RELEASED)
