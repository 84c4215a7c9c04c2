"""The ground truth of one object, read when it is needed."""

from collections.abc import Callable

from openscenes.data.datasets.annotations import annotation_code
from openscenes.data.datasets.labels import LabelMap, read_labels
from openscenes.data.datasets.sbd import read_instances
from openscenes.data.datasets.voc import VOID
from openscenes.data.records import MaskSource, ObjectRecord
from openscenes.errors import DataError
from openscenes.masks import BoolMask, Window, code_box, decode, tight_box


def label_map(source: MaskSource) -> LabelMap:
    """The (H, W) label map that holds an object, decoded; see ``labels.read_labels``."""
    return read_instances(source.path).labels if source.kind == "sbd" else read_labels(source.path)


Labels = Callable[[MaskSource], LabelMap]


def read_mask(
    record: ObjectRecord, window: Window | None = None, labels: Labels = label_map
) -> BoolMask:
    """The object's mask; disconnected parts belong to one object.

    Args:
        window: the part of the image that is asked for; None for all of it.
        labels: gives a label map, where it is kept.
    Returns:
        (H, W) bool in the image's pixels, with at least one pixel, or the window of it.
    Raises:
        DataError: if the mask file is missing or unreadable, or no longer has this object.
    """
    source = record.mask
    if source.kind == "coco":
        return decode(annotation_code(source.path, source.label, record.image), window)
    mask: BoolMask = _shown(labels(source), window) == source.label
    if window is None and not mask.any():
        raise DataError(
            f"{source.path} has no pixel with the label {source.label} of {record.object_id}; "
            "the file has changed since it was indexed, so index it again."
        )
    return mask


def mask_box(record: ObjectRecord, labels: Labels = label_map) -> Window:
    """A box around the object's mask, half-open in whole pixels; tight unless the record is not.

    The record's own box is taken where it holds as many pixels as the record counts.
    """
    source = record.mask
    if source.kind == "coco":
        box = code_box(annotation_code(source.path, source.label, record.image))
    else:
        row0, col0, row1, col1 = map(int, record.box)
        box = row0, col0, row1, col1
        if int(read_mask(record, box, labels).sum()) != record.area:
            box = tight_box(read_mask(record, None, labels))
    assert box is not None
    return box


def read_void(
    record: ObjectRecord, window: Window | None = None, labels: Labels = label_map
) -> BoolMask | None:
    """Pixels that belong neither to the object nor to its background.

    Ours: only VOC has them (label 255, the borders); the classes that Cityscapes leaves out of its
    evaluation count as background.

    Returns:
        (H, W) bool, or the window of it, or None where the data set has no void.
    """
    kind = record.mask.kind
    return _shown(labels(record.mask), window) == VOID if kind == "voc" else None


def _shown(labels: LabelMap, window: Window | None) -> LabelMap:
    if window is None:
        return labels
    row0, col0, row1, col1 = window
    return labels[row0:row1, col0:col1]
