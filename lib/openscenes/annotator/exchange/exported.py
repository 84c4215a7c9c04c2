"""What an export takes: accepted objects whose image is there, under names of their own."""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from PIL import Image
from pycocotools import mask as coco_mask

from openscenes.amounts import amount
from openscenes.annotator.exchange.names import file_names, plain
from openscenes.annotator.store.frames import fitting
from openscenes.annotator.store.image_files import digest_of
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot, to_json
from openscenes.annotator.store.workspace import Workspace, located
from openscenes.data.datasets.images import read_image
from openscenes.data.datasets.orientation import AS_STORED
from openscenes.errors import DataError, InputError
from openscenes.files import one_line

Kind = Literal["coco", "voc", "png", "labelme", "yolo"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Described = list[dict[str, Any]]  # per object, what an import needs to know
UPRIGHT = "they were coded anew, upright, in 8-bit RGB and without their EXIF data"
_CODING: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}
SPLIT = "train"
UNNAMED = "object"


@dataclass(frozen=True)
class ExportedImage:
    """One image of an export.

    Attributes:
        name: unique in the export, without suffix, blanks and folders.
        facts: its size is that of the upright image, on which the masks lie.
        objects: its accepted objects, those behind first, else in the order of acceptance; none
            has an empty mask.
    """

    name: str
    path: Path
    facts: ImageFacts
    objects: tuple[Snapshot, ...]

    @property
    def file_name(self) -> str:
        """The name with the suffix of the image."""
        return self.name + suffix_of(self.path)


def exported_images(
    annotations: Annotations, workspace: Workspace
) -> tuple[tuple[ExportedImage, ...], list[str]]:
    """The images with accepted objects, by path, and what was left out, in sentences."""
    accepted = annotations.accepted()
    filled = [one for one in accepted if coco_mask.area(one.mask)]
    found, notes = located(workspace, {one.image_digest: one.image for one in filled})
    if len(filled) < len(accepted):
        notes.append(
            f"{amount(len(accepted) - len(filled), 'accepted object', 'have')} an empty mask."
        )
    grouped: defaultdict[Path, list[Snapshot]] = defaultdict(list)
    for one in filled:
        if one.image_digest in found:
            grouped[found[one.image_digest]].append(one)
    names = exported_names(workspace, grouped)
    images = []
    for path in sorted(grouped):
        try:
            facts = workspace.facts(path)
        except (DataError, InputError) as error:
            notes.append(f"{amount(len(grouped[path]), 'object', 'are')} left out: {error}")
            continue
        behind_first = sorted(grouped[path], key=lambda one: one.layer)
        objects, lost = fitting(behind_first, facts)
        images += [ExportedImage(names[path], path, facts, objects)] * bool(objects)
        notes += [lost] * bool(lost)
    return tuple(images), notes


def exported_names(workspace: Workspace, further: Iterable[Path] = ()) -> dict[Path, str]:
    """The name without suffix that an export gives to each image of a workspace.

    They do not depend on which images have objects, so that an import can tell them again.
    """
    paths = sorted({*workspace.list_images(), *further})
    relative = [path.relative_to(workspace.images).with_suffix("").as_posix() for path in paths]
    return dict(zip(paths, file_names(relative), strict=True))


def suffix_of(path: Path) -> str:
    """The suffix of an image's file in an export."""
    return f".{plain(path.suffix.lower()[1:])}"


def class_of(one: Snapshot) -> str:
    """The name of an object's class in files that want one."""
    return one.class_name or UNNAMED


def about(snapshot: Snapshot) -> dict[str, Any]:
    """All that the log has of an object but its mask, which the layout itself holds."""
    return {key: value for key, value in to_json(snapshot).items() if key != "mask"}


def orientation_notes(images: Sequence[ExportedImage], done: str) -> list[str]:
    """What a report says of images that are stored on their side, upside down or mirrored."""
    n_turned = sum(image.facts.orientation != AS_STORED for image in images)
    return [f"{amount(n_turned, 'image', 'carry')} an orientation; {done}."] * bool(n_turned)


def copy_image(image: ExportedImage, target: Path) -> None:
    """Write a copy of an image, coded anew where it has to be turned.

    Raises:
        DataError: if the file is another than the one whose objects are exported.
    """
    if image.facts.orientation != AS_STORED:
        return code_anew(image, target)
    shutil.copyfile(image.path, target)
    if digest_of(target) != image.facts.digest:
        raise DataError(f"{one_line(str(image.path))} changed while it was exported; export again.")


def code_anew(image: ExportedImage, target: Path) -> None:
    """Write an image as it is shown, upright, 8-bit RGB, without its EXIF data."""
    kind = Image.registered_extensions().get(target.suffix, "PNG")
    pixels = Image.fromarray(read_image(image.path, upright=True))
    pixels.save(target, kind, **_CODING.get(kind, {}))
