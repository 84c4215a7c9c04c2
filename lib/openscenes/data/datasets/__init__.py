"""Readers of the official layouts of PASCAL VOC 2012, SBD, Cityscapes and COCO 2017.

A reader turns a folder into an ``Index`` of light object records; pixels are read only by
``read_image``, ``read_mask`` and ``read_void``.
"""

from openscenes.data.datasets.cityscapes import cityscapes
from openscenes.data.datasets.coco import coco
from openscenes.data.datasets.images import read_image
from openscenes.data.datasets.sbd import sbd, voc_sbd
from openscenes.data.datasets.truth import label_map, mask_box, read_mask, read_void
from openscenes.data.datasets.voc import VOC_CLASSES, voc

__all__ = [
    "VOC_CLASSES",
    "cityscapes",
    "coco",
    "label_map",
    "mask_box",
    "read_image",
    "read_mask",
    "read_void",
    "sbd",
    "voc",
    "voc_sbd",
]
