"""Generates the four synthetic data sets in the official layouts: same seed, same bytes."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from openscenes.errors import DataError, InputError
from openscenes.paths import partial_of
from openscenes.seeding import numpy_generator
from openscenes.synthetic.catalogue import NOVEL_TEMPLATES, TEMPLATES, VOC_CLASSES, templates_of
from openscenes.synthetic.coco_files import write_coco
from openscenes.synthetic.compose import everyday
from openscenes.synthetic.look import CITYSCAPES_LOOK, COCO_LOOK, VOC_LOOK
from openscenes.synthetic.pascal import write_sbd, write_voc
from openscenes.synthetic.stage import LabelledImage, Splits
from openscenes.synthetic.street_files import write_cityscapes
from openscenes.synthetic.texture import Rng, Textures
from openscenes.synthetic.traffic import driving

Draw = Callable[[Textures, Rng], LabelledImage]
# One fifth of SBD's images are its validation list, as in the original.
_SBD_VAL_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class SceneSizes:
    """Numbers of images per split.

    Small enough to be drawn in seconds and trained on in minutes; ``sbd`` counts its train
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
    unfinished = partial_of(root)
    unfinished.mkdir(parents=True)
    try:
        _write_all(unfinished, seed, sizes or SceneSizes(), severity)
        _refuse_full(root)
        unfinished.replace(root)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _refuse_full(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(
            f"{root} already exists, but synthetic scenes are written into a new folder: "
            "remove it or name another one."
        )


def _write_all(root: Path, seed: int, sizes: SceneSizes, severity: float) -> None:
    def splits(name: str, draw: Draw, **counts: int) -> Splits:
        return {split: _images(f"{name}/{split}", n, seed, draw) for split, n in counts.items()}

    dusk, lamp = CITYSCAPES_LOOK.at_severity(severity), COCO_LOOK.at_severity(severity)
    source = partial(everyday, templates_of(VOC_CLASSES), VOC_LOOK, crowd=0.75)
    streets = partial(driving, dusk, objects=5)
    clutter = partial(everyday, NOVEL_TEMPLATES + TEMPLATES, lamp, crowd=2.3, gathering=0.25)
    voc = splits("voc", source, train=sizes.voc_train, val=sizes.voc_val)
    sbd_val = max(round(_SBD_VAL_SHARE * sizes.sbd), 1)
    sbd = splits("sbd", source, train=max(sizes.sbd - sbd_val, 1), val=sbd_val)
    town = splits("cityscapes", streets, train=sizes.cityscapes_train, val=sizes.cityscapes_val)
    coco = splits("coco", clutter, train=sizes.coco_train, val=sizes.coco_val)
    write_voc(root, voc, VOC_LOOK.quality)
    write_sbd(root, sbd, VOC_LOOK.quality)
    write_cityscapes(root, town)
    write_coco(root, coco, lamp.quality)


def _images(split: str, count: int, seed: int, draw: Draw) -> Iterator[LabelledImage]:
    textures = Textures(numpy_generator("textures", seed, split))
    for index in range(count):
        yield draw(textures, numpy_generator("scene", seed, split, index))
