"""What a version predicts for box and point, and for a box and a point a little beside them.

Predictions are kept in the workspace by version and object: a second judgement, or one after more
objects were accepted, runs the network only for what it has not predicted yet.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from openscenes import masks
from openscenes.annotator.evolve.scene import clicked, image_paths, placed
from openscenes.annotator.store.history import append_line, read_lines
from openscenes.annotator.store.lines import writing
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.versions import Version
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.examples import Example, from_clicks
from openscenes.data.pasting import Pasted, pasted
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import DataError
from openscenes.files import number
from openscenes.method.cutting import crop_maps
from openscenes.method.inference import predictions
from openscenes.progress import progress
from openscenes.seeding import numpy_generator
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import run_context
from openscenes.study.runs.store import digest_of, locked


@dataclass(frozen=True)
class ShakingConfig:
    """How much a repeated box and click vary."""

    n: int = 4  # with the clicks as they are, five predictions per object take seconds
    share: float = 0.04  # a human's corner misses by ~4 % of the box's side


SHAKING = ShakingConfig()
_CODE = (predictions, pasted, masks.iou)  # what decides a prediction beside the version


@dataclass(frozen=True)
class KeptPrediction:
    """What a version predicts for one object.

    Attributes:
        mask: run-length code in image pixels, for box and point alone.
        stability: mean IoU (0-1) of that mask with those for shaken boxes and points.
    """

    mask: dict[str, Any]
    stability: float


def kept_predictions(
    workspace: Workspace, study: Study, version: Version, items: Sequence[Snapshot]
) -> list[KeptPrediction]:
    """A version's predictions for box and point of each object, in their order.

    Further clicks are not given, so that versions are compared by what they do alone.
    """
    keys = [_key(study, item) for item in items]
    path = workspace.folder / "judgements" / f"{version.name}.jsonl"
    with writing(path.parent), locked(path.parent):
        known = _known(path, dict(zip(keys, items, strict=True)))
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
        if missing:
            made = _predicted(workspace, study, version, list(missing.values()))
            for (key, item), one in zip(missing.items(), made, strict=True):
                append_line(path, {"key": key, "object": item.object_id, **one.__dict__})
                known[key] = one
    return [known[key] for key in keys]


def _known(path: Path, wanted: Mapping[str, Snapshot]) -> dict[str, KeptPrediction]:
    """What a file has of the wanted predictions; what is damaged is left out, and made again."""
    known: dict[str, KeptPrediction] = {}
    for entry in read_lines(path):
        item, stability = wanted.get(str(entry.get("key"))), number(entry.get("stability"), 0, 1)
        if item is None or stability is None:
            continue
        with suppress(DataError):  # a code that does not add up
            code = masks.check_code(entry.get("mask"), item.size)
            known[str(entry["key"])] = KeptPrediction(code, stability)
    return known


def _key(study: Study, item: Snapshot) -> str:
    """All that decides a prediction, beside the version."""
    profile = study.profile
    return digest_of([item.image_digest, item.object_id, item.box, item.interaction.point, SHAKING,
                      profile.inference, profile.crop, profile.clicks,
                      code_digest(*_CODE)])  # fmt: skip


def _predicted(
    workspace: Workspace, study: Study, version: Version, items: Sequence[Snapshot]
) -> Iterator[KeptPrediction]:
    """Predict in batches that mix objects; each object's masks come together again."""
    scene = [clicked(item) for item in items]
    plain = map(from_clicks, placed(scene, image_paths(workspace, scene)))
    given = [one for pair in zip(items, plain, strict=True) for one in _plain_and_shaken(*pair)]
    predicted = _masks(study, version, given)
    bar = progress(f"predictions of {version.label}", len(items))
    for item, first in zip(items, predicted, strict=True):
        shaken_ious = [_iou(first, next(predicted)) for _ in range(SHAKING.n)]
        code = masks.encode_part(first.values, first.row0, first.col0, item.size)
        yield KeptPrediction(code, float(np.mean(shaken_ious)))
        bar.update()
    bar.close()


def _masks(study: Study, version: Version, given: Sequence[Example]) -> Iterator[Pasted]:
    threshold = study.profile.inference.threshold
    for _, cuts, _, prediction in predictions(version.load(study), given, run_context(study)):
        for one in crop_maps(prediction.probability, cuts):
            found = one.pasted(threshold)
            yield found._replace(values=found.values > threshold)


def _iou(one: Pasted, other: Pasted) -> float:
    window = one.on(other.window)
    return masks.iou(one.within(window), other.within(window))


def _plain_and_shaken(item: Snapshot, plain: Example) -> list[Example]:
    """The object as it was clicked, then shaken; always in the same way."""
    generator = numpy_generator("shaken", item.image_digest, item.object_id)
    others = [shaken(plain.interaction, item.size, generator) for _ in range(SHAKING.n)]
    return [plain, *(replace(plain, interaction=other) for other in others)]


def shaken(
    interaction: Interaction, shape: tuple[int, int], generator: np.random.Generator
) -> Interaction:
    """A box and a point a little beside those given, inside an image of (height, width).

    Each side of the box and both coordinates of the point err by a normal share of the box's
    sides; the point stays inside the new box.
    """
    box = np.array(interaction.box)
    sides = np.tile(box[2:] - box[:2], 2)
    moved = box + generator.normal(size=4) * SHAKING.share * sides
    low = np.clip(moved[:2], 0, np.array(shape) - 1)
    high = np.clip(moved[2:], low + 1, shape)
    point = np.array(interaction.point) + generator.normal(size=2) * SHAKING.share * sides[:2]
    row, col = np.clip(point, np.ceil(low - 0.5), np.floor(high - 0.5))
    return Interaction(Box(*map(float, [*low, *high])), Point(float(row), float(col)))
