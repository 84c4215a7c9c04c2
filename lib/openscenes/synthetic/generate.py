"""Generates the four synthetic data sets in the official layouts: same seed, same bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openscenes.errors import DataError, InputError
from openscenes.seeding import numpy_generator
from openscenes.synthetic.catalogue import (
    NOVEL_TEMPLATES,
    TEMPLATES,
    VOC_CLASSES,
    Template,
    templates_of,
)
from openscenes.synthetic.coco_files import write_coco
from openscenes.synthetic.compose import everyday
from openscenes.synthetic.look import CITYSCAPES_LOOK, COCO_LOOK, VOC_LOOK, Look
from openscenes.synthetic.pascal import write_sbd, write_voc
from openscenes.synthetic.stage import LabelledImage
from openscenes.synthetic.street_files import write_cityscapes
from openscenes.synthetic.texture import Textures
from openscenes.synthetic.traffic import driving

# One fifth of SBD's images are its validation list, as in the original.
_SBD_VAL_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class SceneSizes:
    """Numbers of images per split.

    Ours: small enough to be drawn in seconds and trained on in minutes; ``sbd`` counts its train
    and validation lists together.
    """

    voc_train: int = 168
    voc_val: int = 76
    sbd: int = 184
    cityscapes_train: int = 44
    cityscapes_val: int = 22
    coco_train: int = 84
    coco_val: int = 48

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise InputError(
                    f"SceneSizes.{name} is {getattr(self, name)}, but every split needs at least "
                    "one image: give a positive number."
                )


def write_scenes(
    root: Path, *, seed: int = 0, sizes: SceneSizes | None = None, severity: float = 1.0
) -> None:
    """Write VOC-, SBD-, Cityscapes- and COCO-like data sets below ``root``, whole or not at all.

    Args:
        root: folder to make: ``VOCdevkit``, ``benchmark_RELEASE``, ``cityscapes``, ``coco``.
        seed: the same seed, sizes and severity give the same bytes.
        sizes: images per split; the default is the demo's.
        severity: distance of the two new looks from the source's; 0 takes the look away and
            leaves other places and classes, 1 is as designed.

    Raises:
        DataError: if ``root`` already holds something.
        InputError: if ``severity`` is negative.
    """
    if severity < 0:
        raise InputError(f"severity is {severity}, but a look cannot be nearer than 0: give >= 0.")
    _refuse_full(root)
    partial = root.with_name(f".{root.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write_all(partial, seed, sizes or SceneSizes(), severity)
        _refuse_full(root)
        partial.replace(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _refuse_full(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(
            f"{root} already exists, but synthetic scenes are written into a new folder: "
            "remove it or name another one."
        )


def _write_all(root: Path, seed: int, sizes: SceneSizes, severity: float) -> None:
    source = templates_of(VOC_CLASSES)
    sbd_val = max(round(_SBD_VAL_SHARE * sizes.sbd), 1)
    sbd_train = max(sizes.sbd - sbd_val, 1)
    write_voc(root, {
        "train": _everyday_images("voc/train", sizes.voc_train, seed, source),
        "val": _everyday_images("voc/val", sizes.voc_val, seed, source),
    })  # fmt: skip
    write_sbd(root, {
        "train": _everyday_images("sbd/train", sbd_train, seed, source),
        "val": _everyday_images("sbd/val", sbd_val, seed, source),
    })  # fmt: skip
    dusk = CITYSCAPES_LOOK.at_severity(severity)
    write_cityscapes(root, {
        "train": _driving_images("cityscapes/train", sizes.cityscapes_train, seed, dusk),
        "val": _driving_images("cityscapes/val", sizes.cityscapes_val, seed, dusk),
    })  # fmt: skip
    lamp = COCO_LOOK.at_severity(severity)
    write_coco(root, {
        "train": _cluttered_images("coco/train", sizes.coco_train, seed, lamp),
        "val": _cluttered_images("coco/val", sizes.coco_val, seed, lamp),
    })  # fmt: skip


def _everyday_images(
    split: str, count: int, seed: int, templates: tuple[Template, ...]
) -> Iterator[tuple[LabelledImage, int]]:
    textures = Textures(numpy_generator("textures", seed, split))
    for index in range(count):
        rng = numpy_generator("scene", seed, split, index)
        yield everyday(templates, VOC_LOOK, textures, rng, crowd=0.75), VOC_LOOK.quality


def _driving_images(split: str, count: int, seed: int, look: Look) -> Iterator[LabelledImage]:
    textures = Textures(numpy_generator("textures", seed, split))
    for index in range(count):
        yield driving(look, textures, numpy_generator("scene", seed, split, index), objects=5)


def _cluttered_images(
    split: str, count: int, seed: int, look: Look
) -> Iterator[tuple[LabelledImage, int]]:
    textures = Textures(numpy_generator("textures", seed, split))
    for index in range(count):
        rng = numpy_generator("scene", seed, split, index)
        image = everyday(
            NOVEL_TEMPLATES + TEMPLATES, look, textures, rng, crowd=2.3, gathering=0.25
        )
        yield image, look.quality
