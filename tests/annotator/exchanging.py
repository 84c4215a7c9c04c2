"""Folders of small images and COCO files of other tools, for tests of import and export."""

import json
from types import SimpleNamespace

import numpy as np
from PIL import Image

from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import open_workspace
from openscenes.data.records import Box, Interaction, Point

SIZE = (40, 60)
LEFT, RIGHT = [[4, 5, 24, 5, 24, 20, 4, 20]], [[40, 10, 50, 10, 50, 30, 40, 30]]  # 300, 200 px


def write_image(path, seed=0, size=SIZE, orientation=None, **how):
    """Noise, so that no two files have the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    if orientation is not None:
        tags = Image.Exif()
        tags[0x0112] = orientation
        how["exif"] = tags
    Image.fromarray(noise).save(path, **how)
    return path


def opened(folder, workspace=None):
    """The workspace of a folder, as a new window sees it."""
    workspace = open_workspace(folder, workspace)
    return SimpleNamespace(workspace=workspace, annotations=Annotations(Log(workspace.log_path)))


def world(folder, *names, **how):
    """A folder with images of these names, opened."""
    for seed, name in enumerate(names):
        write_image(folder / name, seed, **how)
    return opened(folder)


def accept(there, image, mask, name=None):
    """An object with this mask on an image, accepted."""
    row, col = np.argwhere(mask)[0].astype(float)
    asked = Interaction(Box(0.0, 0.0, *map(float, mask.shape)), Point(row, col))
    one = there.annotations.begin(there.workspace.facts(image), asked, mask, model="v1")
    there.annotations.name(one.object_id, name)
    return there.annotations.accept(one.object_id)


def rectangle(row0, col0, row1, col1, size=SIZE):
    """A mask that is set within a box."""
    mask = np.zeros(size, bool)
    mask[row0:row1, col0:col1] = True
    return mask


def entry(number=1, name="a.jpg", size=SIZE, **more):
    """An image of a COCO file."""
    return {"id": number, "file_name": name, "height": size[0], "width": size[1], **more}


def drawn(number=1, image=1, segmentation=LEFT, **more):
    """An annotation of a COCO file."""
    known = {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0}
    return known | {"segmentation": segmentation} | more


def coco_file(folder, images, annotations, categories=({"id": 1, "name": "cup"},)):
    """A COCO file of another tool."""
    path = folder / "other.json"
    content = {"images": images, "annotations": annotations, "categories": list(categories)}
    path.write_text(json.dumps(content))
    return path
