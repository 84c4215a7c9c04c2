"""What an export takes: accepted objects whose photograph is there, under names of their own."""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot, to_json
from openscenes.annotator.store.workspace import Workspace, located
from openscenes.data.datasets import read_image
from openscenes.masks import BoolMask

Placing = Literal["link", "copy"]
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Picture:
    """One photograph of an export.

    Attributes:
        name: unique in the export, without suffix, blanks and folders.
        path: where the photograph lies.
        objects: its accepted objects in the order of acceptance; none has an empty mask.
    """

    name: str
    path: Path
    facts: ImageFacts
    objects: tuple[Snapshot, ...]


@dataclass(frozen=True)
class Loose:
    """One object that an import finds, before it is tied to a photograph.

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


def pictures(
    annotations: Annotations, workspace: Workspace
) -> tuple[tuple[Picture, ...], list[str]]:
    """The photographs with accepted objects, by path, and what was left out, in sentences."""
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
        Picture(name, path, workspace.facts(path), tuple(grouped[digest]))
        for name, (digest, path) in zip(names, by_path, strict=True)
    ), notes


def about(snapshot: Snapshot) -> dict[str, Any]:
    """All that the log knows of an object but its mask, which the layout itself holds."""
    return {key: value for key, value in to_json(snapshot).items() if key != "mask"}


def is_about(value: object) -> bool:
    """Whether something read from a file may be what ``about`` wrote."""
    wanted = {"object", "image", "image_digest", "size"}
    return isinstance(value, dict) and wanted <= value.keys()


def place(image: Path, target: Path, placing: Placing) -> None:
    """Put a photograph's bytes at ``target``: as a second name of the same file, or as a copy.

    Ours: a hard link costs no room and outlives a move; other disks get a copy.
    """
    if placing == "link":
        try:
            return os.link(image.resolve(), target)
        except OSError:
            pass
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


def write_mask(mask: BoolMask, path: Path) -> None:
    """A (H, W) bool mask as a PNG of one channel, 255 inside and 0 outside."""
    Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(path)


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
