"""The ground truth of one object, read when it is needed."""

from __future__ import annotations

from openscenes.data.datasets.annotations import annotation_mask
from openscenes.data.datasets.labels import LabelMap, read_labels
from openscenes.data.datasets.sbd import read_instances
from openscenes.data.datasets.voc import VOID
from openscenes.data.records import MaskSource, ObjectRecord
from openscenes.errors import DataError
from openscenes.masks import BoolMask


def read_mask(record: ObjectRecord) -> BoolMask:
    """The object's mask; disconnected parts belong to one object.

    Returns:
        (H, W) bool in the image's pixels, with at least one pixel.
    Raises:
        DataError: if the mask file is missing or unreadable, or no longer has this object.
    """
    source = record.mask
    if source.kind == "coco":
        return annotation_mask(source.path, source.label, record.image)
    mask: BoolMask = _labels(source) == source.label
    if not mask.any():
        raise DataError(
            f"{source.path} has no pixel with the label {source.label} of {record.object_id}; "
            "the file has changed since it was indexed, so index it again."
        )
    return mask


def read_void(record: ObjectRecord) -> BoolMask | None:
    """Pixels that belong neither to the object nor to its background.

    Ours: only VOC has them (label 255, the borders); the classes that Cityscapes leaves out of its
    evaluation count as background.

    Returns:
        (H, W) bool, or None where the data set has no void.
    Raises:
        DataError: if the mask file is missing or unreadable.
    """
    return _labels(record.mask) == VOID if record.mask.kind == "voc" else None


def _labels(source: MaskSource) -> LabelMap:
    return read_instances(source.path).labels if source.kind == "sbd" else read_labels(source.path)
