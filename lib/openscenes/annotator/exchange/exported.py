"""What an export takes: accepted objects whose image is there, under names of their own."""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from PIL import Image
from pycocotools import mask as coco_mask

from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot, to_json
from openscenes.annotator.store.workspace import Workspace, located
from openscenes.data.datasets import read_image
from openscenes.errors import DataError
from openscenes.masks import BoolMask, encode

Placing = Literal["link", "copy"]
Described = list[dict[str, Any]]  # per object, what an import needs to know
JPEG_QUALITY = 95
SPLIT = "train"
UNNAMED = "object"


@dataclass(frozen=True)
class ExportedImage:
    """One image of an export.

    Attributes:
        name: unique in the export, without suffix, blanks and folders.
        path: where the image lies.
        objects: its accepted objects in the order of acceptance; none has an empty mask.
    """

    name: str
    path: Path
    facts: ImageFacts
    objects: tuple[Snapshot, ...]


@dataclass(frozen=True)
class ImportedObject:
    """One object that an import finds, before it is tied to an image.

    Attributes:
        image: file name or relative path as the source has it.
        size: (height, width) in pixels.
        mask: run-length code.
        about: the object as our export describes it, see ``about``; None elsewhere.
    """

    image: str
    size: tuple[int, int]
    mask: dict[str, Any]
    class_name: str | None
    about: dict[str, Any] | None

    @classmethod
    def described(cls, known: dict[str, Any], mask: BoolMask, file: Path) -> Self:
        """The object of a mask file of ours, with what the export wrote of it."""
        size = tuple(known["size"])
        if mask.shape != size:
            raise DataError(f"{file} has another size than its image; export anew.")
        return cls(known["image"], size, encode(mask), known["class_name"], known)


def exported_images(
    annotations: Annotations, workspace: Workspace
) -> tuple[tuple[ExportedImage, ...], list[str]]:
    """The images with accepted objects, by path, and what was left out, in sentences."""
    accepted = annotations.accepted()
    filled = [one for one in accepted if coco_mask.area(one.mask)]
    found, notes = located(workspace, {one.image_digest: one.image for one in filled})
    if len(filled) < len(accepted):
        notes.append(f"{len(accepted) - len(filled)} accepted object(s) have an empty mask.")
    grouped: defaultdict[str, list[Snapshot]] = defaultdict(list)
    for one in filled:
        grouped[one.image_digest].append(one)
    by_path = sorted(found.items(), key=lambda pair: pair[1])
    names = _names([path.relative_to(workspace.images) for _, path in by_path])
    return tuple(
        ExportedImage(name, path, workspace.facts(path), tuple(grouped[digest]))
        for name, (digest, path) in zip(names, by_path, strict=True)
    ), notes


def class_of(one: Snapshot) -> str:
    """The name of an object's class in files that want one."""
    return one.class_name or UNNAMED


def about(snapshot: Snapshot) -> dict[str, Any]:
    """All that the log has of an object but its mask, which the layout itself holds."""
    return {key: value for key, value in to_json(snapshot).items() if key != "mask"}


def is_about(value: object) -> bool:
    """Whether something read from a file may be what ``about`` wrote."""
    wanted = {"object", "image", "image_digest", "size"}
    return isinstance(value, dict) and wanted <= value.keys()


def place(image: Path, target: Path, placing: Placing) -> None:
    """Put an image's bytes at ``target``: as a hard link where the disk can, else as a copy."""
    if placing == "link":
        with suppress(OSError):
            return os.link(image.resolve(), target)
    shutil.copyfile(image, target)


def place_as_jpeg(image: Path, target: Path, placing: Placing) -> bool:
    """The same for layouts that know JPEG files only; say whether the pixels were coded anew."""
    with Image.open(image) as opened:
        is_jpeg = opened.format in ("JPEG", "MPO")
    if is_jpeg:
        place(image, target, placing)
    else:
        Image.fromarray(read_image(image)).save(target, quality=JPEG_QUALITY)
    return not is_jpeg


def _names(paths: Sequence[Path]) -> list[str]:
    """One name per path: its parts joined, blanks gone, numbered where two would be the same."""
    names: list[str] = []
    for path in paths:
        plain = re.sub(r"[^\w.-]+", "_", "_".join(path.with_suffix("").parts))
        again = (f"{plain}_{number}" for number in range(2, len(paths) + 2))
        # Files that differ in upper and lower case only are one file on some systems.
        taken = {name.lower() for name in names}
        names.append(next(name for name in (plain, *again) if name.lower() not in taken))
    return names
