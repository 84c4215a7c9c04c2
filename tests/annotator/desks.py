"""A folder of three images, and a model that answers with the box, for tests of the desk."""

import numpy as np
from PIL import Image

from openscenes.annotator.evolve.session import ObjectPrediction
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import open_workspace
from openscenes.data.examples import ImageCache
from openscenes.prediction.predict import checked_interaction

HEIGHT, WIDTH = 40, 60


def write_images(folder, n=3):
    """Noise, so that no two files have the same bytes."""
    rng = np.random.default_rng(0)
    for number in range(n):
        pixels = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


class BoxModel:
    """Answers with the box; a click inside adds its row, a click outside takes its row away."""

    def __init__(self, label="first"):
        self.label, self.cache, self.asked = label, ImageCache(), []

    def image(self, path):
        return self.cache.image(path, upright=True)

    def predict(self, path, box, point, further=(), _taken=()):
        image = self.image(path)
        row0, col0, row1, col1 = map(round, checked_interaction(image, box, point).box)
        mask = np.zeros(image.shape[:2], bool)
        mask[row0:row1, col0:col1] = True
        for row, _, sign in further:
            mask[round(row), col0:col1] = sign > 0
        self.asked.append((path.name, tuple(box), tuple(point), tuple(further)))
        return ObjectPrediction(mask, 0.75, 0.001, encoded=not further)


def desk(folder, session=None):
    """A new window at a folder."""
    workspace = open_workspace(folder)
    return Desk(workspace, Annotations(Log(workspace.log_path)), session or BoxModel())


def click_object(desk, box=(5, 10, 25, 40), point=(12, 20)):
    """Box and point; the object is chosen then."""
    desk.draw(box)
    desk.point(*point)
    return desk.object
