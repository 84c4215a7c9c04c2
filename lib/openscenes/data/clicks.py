"""Interactions on disk: the user is simulated once per object; the masks are not needed again.

A file of clicks has one JSON line per object: image, box and point, and nothing else, and a last
line with its checksum. It is all that a new scene gives to the method.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from openscenes.data import crops, datasets, interactions
from openscenes.data.records import Box, ClickedObject, Index, Interaction, Point
from openscenes.errors import DataError
from openscenes.files import read_text
from openscenes.paths import atomic
from openscenes.seeding import numpy_generator


def clicked_objects(
    index: Index, config: interactions.ClickConfig, crop: crops.CropConfig, path: Path
) -> tuple[ClickedObject, ...]:
    """The simulated user's interaction with every object of an index, kept in a file.

    Args:
        index: the objects; their masks are read only where ``path`` does not exist yet.
        path: the file of clicks, written whole; its name must tell index, user and crop apart.
    """
    if path.exists():
        try:
            return load(path, sealed=True)
        except DataError as error:
            print(f"{error}; the clicks are simulated again", file=sys.stderr)
    save(_simulated(index, config, crop), path)
    return load(path)


def _simulated(
    index: Index, config: interactions.ClickConfig, crop: crops.CropConfig
) -> list[ClickedObject]:
    made = []
    for record in index.records:
        generator = numpy_generator("user", record.scene, record.object_id)
        interaction = interactions.simulate(datasets.read_mask(record), config, crop, generator)
        names = (record.scene, record.image_id, record.object_id, record.image)
        made.append(ClickedObject(*names, interaction))
    return made


def save(clicked: Sequence[ClickedObject], path: Path) -> None:
    """Write one JSON line per object and the checksum of these lines, atomically."""
    lines = "".join(json.dumps(_to_json(item)) + "\n" for item in clicked)
    with atomic(path) as partial:
        partial.write_text(lines + _seal(lines), encoding="utf-8")


def _seal(lines: str) -> str:
    return json.dumps({"sha256": sha256(lines.encode()).hexdigest()}) + "\n"


def load(path: Path, *, sealed: bool = False) -> tuple[ClickedObject, ...]:
    """Read a file of clicks.

    Args:
        sealed: refuse a file without a checksum, as older versions wrote it.
    Raises:
        DataError: naming the line that is no interaction, or if the checksum is another's.
    """
    lines = read_text(path, "file of clicks")
    end = lines.rfind("\n", 0, -1) + 1
    if lines[end:].startswith('{"sha256"') or sealed:
        if lines[end:] != _seal(lines[:end]):
            raise DataError(f"{path} is no longer as it was written; restore or remove it")
        lines = lines[:end]
    read = []
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            read.append(_from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"line {number} of {path} is no interaction ({error}); each line needs scene, "
                "image_id, object_id, image, box [row0, col0, row1, col1] and point [row, col]"
            ) from error
    return tuple(read)


def _to_json(item: ClickedObject) -> dict[str, Any]:
    names = {"scene": item.scene, "image_id": item.image_id, "object_id": item.object_id}
    box, point = list(item.interaction.box), list(item.interaction.point)
    turned = {"upright": True} if item.upright else {}
    return names | {"image": str(item.image), "box": box, "point": point} | turned


def _from_json(line: dict[str, Any]) -> ClickedObject:
    box, point = Box(*map(float, line["box"])), Point(*map(float, line["point"]))
    names = (line["scene"], line["image_id"], line["object_id"], Path(line["image"]))
    return ClickedObject(*names, Interaction(box, point), upright=line.get("upright") is True)
