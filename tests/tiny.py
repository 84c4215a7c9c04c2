"""Six small images in VOC's layout, and a network and settings that fit them."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import torch
from PIL import Image

from openscenes.data import datasets, examples, interactions
from openscenes.data.crops import Augmentation, CropConfig
from openscenes.data.interactions import ClickConfig
from openscenes.data.records import ClickedObject
from openscenes.method.evolution import EvolutionConfig
from openscenes.method.inference import InferenceConfig, RunContext
from openscenes.method.training import TrainConfig
from openscenes.networks.config import NetworkConfig
from openscenes.networks.devices import make_fabric
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.options import profile_named
from openscenes.study.runs.data import open_study

HEIGHT, WIDTH, N_IMAGES = 64, 80, 6
VOID = 255
CROP = CropConfig(size=32, margin_px=6.0)
CLICKS = ClickConfig(heat_map_width_px=40.0)
AUGMENTATION = Augmentation()
NETWORK = NetworkConfig(
    backbone="small_resnet", crop_size=32, output_stride=4, head_width=16, psp_width=16,
    normalise=True,
)  # fmt: skip
TRAIN = TrainConfig(
    epochs=2, batch_size=4, learning_rate=1e-3, head_factor=1.0, optimiser="adamw",
    schedule="one_cycle", reduction="mean", clip_norm=5.0,
)  # fmt: skip
EVOLUTION = EvolutionConfig(replace(TRAIN, epochs=1), AUGMENTATION, AUGMENTATION)


def write_voc(root, *, classes=(7, 15), seed=0, darkness=1.0):
    """Two textured blobs per image, with a border of void, as class numbers ``classes``."""
    base = root / "VOCdevkit/VOC2012"
    for folder in ("JPEGImages", "SegmentationObject", "SegmentationClass"):
        (base / folder).mkdir(parents=True)
    names = [f"{seed}_{i:03d}" for i in range(N_IMAGES)]
    for i, name in enumerate(names):
        image, objects = _image(np.random.default_rng((seed, i)), darkness)
        Image.fromarray(image).save(base / f"JPEGImages/{name}.jpg", quality=95)
        numbers = np.arange(256)
        numbers[[1, 2]] = classes
        Image.fromarray(objects).save(base / f"SegmentationObject/{name}.png")
        by_class = numbers[objects].astype(np.uint8)
        Image.fromarray(by_class).save(base / f"SegmentationClass/{name}.png")
    lists = base / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(names) + "\n")
    return root


def _image(rng, darkness):
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    image = 110 + 20 * np.sin(rows / rng.uniform(2, 5))[..., None] + np.zeros(3)
    objects = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label, col in ((1, 22), (2, 58)):
        blob = np.zeros_like(objects)
        centre = (int(col + rng.integers(-3, 4)), int(HEIGHT // 2 + rng.integers(-6, 7)))
        axes = (int(rng.integers(8, 13)), int(rng.integers(12, 20)))
        cv2.ellipse(blob, centre, axes, float(rng.uniform(-30, 30)), 0, 360, 1, -1)
        border = cv2.dilate(blob, np.ones((3, 3), np.uint8)) > blob
        objects[border & (objects == 0)] = VOID
        objects[blob > 0] = label
        colour = (200, 60, 40) if label == 1 else (40, 80, 220)
        hatch = 25 * np.sin((rows + label * cols) / 2)[..., None]
        image = np.where((blob > 0)[..., None], np.array(colour) + hatch, image)
    image = darkness * (image + rng.normal(scale=8, size=image.shape))
    return image.clip(0, 255).astype(np.uint8), objects


def index(root):
    return datasets.voc(root, "train")


def clicked(root):
    """What the deterministic user gives for every object."""
    return tuple(
        ClickedObject(
            record.scene, record.image_id, record.object_id, record.image,
            interactions.simulate(
                datasets.read_mask(record), CLICKS, CROP, np.random.default_rng()
            ),
        )
        for record in index(root).records
    )  # fmt: skip


def labelled(root):
    """The objects with their ground truth and class channels."""
    found = index(root)
    return [
        replace(
            examples.from_clicks(item),
            supervision=record,
            class_index=1 + found.classes.index(record.class_name),
        )
        for item, record in zip(clicked(root), found.records, strict=True)
    ]


def network(seed=0):
    return OpenSceneNet(NETWORK, generator=torch.Generator().manual_seed(seed))


def context(seed=0, *, fabric=None, **inference):
    """Crops, clicks, device and seed of a run, with a cache of its own."""
    inference = InferenceConfig(batch_size=5, **inference)
    fabric = fabric or make_fabric("cpu")
    return RunContext(CROP, CLICKS, inference, examples.ImageCache(), fabric, seed)


def study(root):
    """The smoke study of these images, as train and as val; ``root`` is empty before."""
    lists = write_voc(root) / "VOCdevkit/VOC2012/ImageSets/Segmentation"
    shutil.copy(lists / "train.txt", lists / "val.txt")
    return open_study(profile_named("smoke"), root, "cpu")


def calibrated(made, seed=1):
    """A network for a study, calibrated on noise so that its masks are neither all 0 nor all 1."""
    drawn = OpenSceneNet(made.profile.network, generator=torch.Generator().manual_seed(seed))
    size = made.profile.crop.size
    noise = torch.rand(4, 5, size, size, generator=torch.Generator().manual_seed(2)) * 255
    for _ in range(10):
        drawn(noise)
    return drawn


def equal_weights(one, other):
    """Whether two networks are the same bit by bit."""
    mine, yours = one.state_dict(), other.state_dict()
    return mine.keys() == yours.keys() and all(torch.equal(mine[n], yours[n]) for n in mine)
