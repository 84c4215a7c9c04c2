"""Records of objects: image, object, interaction; pixels are read only when they are needed.

An ``ObjectRecord`` knows where its ground truth lies; a ``ClickedObject`` of a new scene has an
image and an interaction and nothing else, so that evolution *cannot* read a mask.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple


class Box(NamedTuple):
    """A half-open box in image pixels: ``image[row0:row1, col0:col1]`` is its inside."""

    row0: float
    col0: float
    row1: float
    col1: float


class Point(NamedTuple):
    """A pixel position (row, col); integers are pixel centres."""

    row: float
    col: float


@dataclass(frozen=True, slots=True)
class Interaction:
    """What a user gives for one object: a box around it and one point inside (Sec. 3.1)."""

    box: Box
    point: Point


MaskKind = Literal["voc", "sbd", "cityscapes", "coco"]


@dataclass(frozen=True, slots=True)
class MaskSource:
    """Where the ground truth of one object lies, in the words of its data set.

    Attributes:
        kind: which reader decodes it.
        path: the mask file (for ``coco``: the annotation file).
        label: the object's value in that file (for ``coco``: the id in the table of annotations).
    """

    kind: MaskKind
    path: Path
    label: int


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One labelled object of a data set; its mask is read by ``datasets.read_mask(record)``.

    Attributes:
        scene: data set and split, such as ``"voc/train"``.
        image_id: the image's name inside the data set.
        object_id: unique within the scene, such as ``"2007_000032/1"``.
        class_name: the class in the data set's own words.
        box: tight box of the mask.
        area: mask pixels.
        mask: where the ground truth lies.
    """

    scene: str
    image_id: str
    object_id: str
    class_name: str
    box: Box
    area: int
    image: Path
    mask: MaskSource


@dataclass(frozen=True, slots=True)
class ClickedObject:
    """One object of a new scene: an image and an interaction; there is no mask to read.

    ``upright``: the interaction lies on the image turned as its orientation tag says, as the
    images of a user are read; those of the data sets are not.
    """

    scene: str
    image_id: str
    object_id: str
    image: Path
    interaction: Interaction
    upright: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """All objects of one split, in a fixed order.

    Attributes:
        scene: data set and split, such as ``"coco/val"``.
        classes: class names of the data set, in the data set's order.
        records: the objects, ordered by (image_id, object_id).
        dropped: how many objects were left out, by reason, such as ``{"crowd": 3}``.
        n_images: images of the split, those without objects included.
        digest: content digest of the records and of the files behind them.
    """

    scene: str
    classes: tuple[str, ...]
    records: tuple[ObjectRecord, ...]
    dropped: dict[str, int]
    n_images: int
    digest: str
