"""What a version answers to box and point, and to a box and a point a little beside them.

Answers are kept in the workspace by version and object: a judgement that is asked for again, or
goes on after more objects were accepted, asks the network only what it has not answered yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openscenes import masks
from openscenes.annotator.evolve.scene import clicked, image_paths, placed
from openscenes.annotator.evolve.session import pasted
from openscenes.annotator.store.history import append_line, read_lines
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.versions import Version
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.examples import Example, from_clicks
from openscenes.data.records import Box, Interaction, Point
from openscenes.method.inference import predictions
from openscenes.progress import progress
from openscenes.seeding import numpy_generator
from openscenes.settings import setting
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import run_context
from openscenes.study.runs.store import digest_of, locked


@dataclass(frozen=True)
class ShakingConfig:
    """How a person would have clicked at another time."""

    n: int = setting(4, "Ours: five questions about an object; a judgement takes seconds")
    share: float = setting(0.04, "Ours: a human's corner misses by ~4 % of the box's side")


SHAKING = ShakingConfig()
_CODE = (predictions,)  # what decides an answer beside the version


@dataclass(frozen=True)
class Answer:
    """What a version says of one object.

    Attributes:
        mask: run-length code in image pixels, for box and point alone.
        stability: mean IoU (0-1) of that mask with those for shaken boxes and points.
    """

    mask: dict[str, Any]
    stability: float


def answers(
    workspace: Workspace, study: Study, version: Version, items: Sequence[Snapshot]
) -> list[Answer]:
    """The answers of a version to the box and point of each object, in their order.

    Ours: further clicks are not given, so that versions are compared by what they do alone.
    """
    keys = [_key(study, item) for item in items]
    path = workspace.folder / "judgements" / f"{version.name}.jsonl"
    with locked(path.parent):
        known = {entry["key"]: entry for entry in read_lines(path) if entry.keys() >= _ENTRY}
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
        asked = _asked(workspace, study, version, list(missing.values())) if missing else iter(())
        for key, answer in zip(missing, asked, strict=True):
            entry = {"key": key, "object": missing[key].object_id, **answer.__dict__}
            append_line(path, entry)
            known[key] = entry
    return [Answer(known[key]["mask"], known[key]["stability"]) for key in keys]


_ENTRY = {"key", "mask", "stability"}


def _key(study: Study, item: Snapshot) -> str:
    """All that decides an answer, beside the version."""
    profile = study.profile
    return digest_of([item.image_digest, item.object_id, item.box, item.interaction.point, SHAKING,
                      profile.inference, profile.crop, profile.clicks,
                      code_digest(*_CODE)])  # fmt: skip


def _asked(
    workspace: Workspace, study: Study, version: Version, items: Sequence[Snapshot]
) -> Iterator[Answer]:
    """Ask the network in batches that mix objects; each object's masks come together again."""
    scene = [clicked(item) for item in items]
    examples = map(from_clicks, placed(scene, image_paths(workspace, scene)))
    pairs = zip(items, examples, strict=True)
    asked = [one for item, plain in pairs for one in _questions(item, plain)]
    n_each, gathered = 1 + SHAKING.n, list[masks.BoolMask]()
    bar = progress(f"answers of {version.label}", len(items))
    for mask in _masks(study, version, asked):
        gathered.append(mask)
        if len(gathered) == n_each:
            first, *shaken = gathered
            stability = float(np.mean([masks.iou(first, other) for other in shaken]))
            yield Answer(masks.encode(first), stability)
            gathered = []
            bar.update()
    bar.close()


def _masks(study: Study, version: Version, asked: Sequence[Example]) -> Iterator[masks.BoolMask]:
    threshold = study.profile.inference.threshold
    for _, cuts, _, prediction in predictions(version.load(study), asked, run_context(study)):
        probability = prediction.probability.float().cpu().numpy()[:, 0]
        for crop_map, sample in zip(probability, cuts, strict=True):
            window = pasted(crop_map, sample.affine, sample.shape)
            yield window.mask(threshold, sample.shape)


def _questions(item: Snapshot, plain: Example) -> list[Example]:
    """The object as it was clicked, then shaken; always in the same way."""
    generator = numpy_generator("shaken", item.image_digest, item.object_id)
    return [plain] + [
        replace(plain, interaction=shaken(plain.interaction, item.size, generator))
        for _ in range(SHAKING.n)
    ]


def shaken(
    interaction: Interaction, shape: tuple[int, int], generator: np.random.Generator
) -> Interaction:
    """A box and a point a little beside those given, inside an image of (height, width).

    Ours: each side of the box and both coordinates of the point err by a normal share of the
    box's sides; the point stays inside the new box.
    """
    box = np.array(interaction.box)
    sides = np.tile(box[2:] - box[:2], 2)
    moved = box + generator.normal(size=4) * SHAKING.share * sides
    low = np.clip(moved[:2], 0, np.array(shape) - 1)
    high = np.clip(moved[2:], low + 1, shape)
    point = np.array(interaction.point) + generator.normal(size=2) * SHAKING.share * sides[:2]
    row, col = np.clip(point, np.ceil(low - 0.5), np.floor(high - 0.5))
    return Interaction(Box(*map(float, [*low, *high])), Point(float(row), float(col)))
