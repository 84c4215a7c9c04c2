"""Folders that a person annotates: pictures, a log of objects, and a model that answers a box."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tests.fuzz.codes import right_mask, some_mask
from tests.fuzz.frame import Place, check

from openscenes.annotator.evolve.session import ObjectPrediction
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import Workspace, open_workspace
from openscenes.data.datasets.images import read_image
from openscenes.data.records import Box, Interaction, Point
from openscenes.prediction.predict import checked_interaction

SIZE = (40, 60)
NAMES = ("0.png", "1.jpg", "more/2.png")


class Room(NamedTuple):
    """A workspace, its objects as a window has them, and the masks that were accepted, by id."""

    workspace: Workspace
    annotations: Annotations
    masks: dict[str, np.ndarray]


def pictures_in(folder: Path, place: Place, names: tuple[str, ...] = NAMES) -> None:
    """Noise, so that no two files are the same; protected from now on."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = place.numbers.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
        place.protect(folder / name)


def annotated(place: Place, names: tuple[str, ...] = NAMES, n: int = 5) -> Room:
    """Accepted objects on these pictures."""
    pictures_in(place.work / "photos", place, names)
    room = opened(place)
    for number in range(n):
        accept(room, place, names[number % len(names)], ["cup", None, "a b"][number % 3])
    return room


def opened(place: Place, folder: str = "photos") -> Room:
    """The folder as a new window sees it."""
    workspace = open_workspace(place.work / folder)
    return Room(workspace, Annotations(Log(workspace.log_path)), {})


def accept(room: Room, place: Place, name: str, class_name: str | None) -> str:
    """One more accepted object, half of them corrected and named."""
    made, mask = room.annotations, some_mask(place, SIZE)
    facts = room.workspace.facts(name)
    asked = Interaction(Box(1.5, 2.5, 30.0, 40.0), Point(10.25, 12.0))
    one = made.begin(facts, asked, mask, model="v1")
    if class_name:
        made.correct(one.object_id, (30.0, 50.0, -1), mask := some_mask(place, SIZE), model="v2")
        made.name(one.object_id, class_name)
    made.accept(one.object_id)
    room.masks[one.object_id] = mask
    return one.object_id


def check_masks(room: Room, masks: dict[str, np.ndarray], *, but: set[str] = frozenset()) -> None:
    """Every accepted object that was not touched is there with its mask."""
    found = {one.object_id: one for one in room.annotations.accepted()}
    for object_id in masks.keys() - but:
        check(object_id in found, f"object {object_id} is lost")
        mask = right_mask(found[object_id].mask)
        check(mask is not None and (mask == masks[object_id]).all(), "an object has another mask")


class BoxModel:
    """Answers with the box."""

    label = "first"

    def image(self, path: Path) -> np.ndarray:
        """The picture, upright."""
        return read_image(path, upright=True)

    def predict(self, path, box, point, further=(), _taken=()) -> ObjectPrediction:
        """The box's pixels; a click of the other sign takes a row away."""
        image = self.image(path)
        row0, col0, row1, col1 = map(round, checked_interaction(image, box, point).box)
        mask = np.zeros(image.shape[:2], bool)
        mask[row0:row1, col0:col1] = True
        for row, _, sign in further:
            mask[round(row), col0:col1] = sign > 0
        return ObjectPrediction(mask, 0.75, 0.001, encoded=not further)
