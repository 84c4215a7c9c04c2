"""The synthetic scenes: four small data sets, drawn in seconds, in the official layouts."""

from openscenes.synthetic.generate import SceneSizes, write_scenes
from openscenes.synthetic.look import CITYSCAPES_LOOK, COCO_LOOK, VOC_LOOK, Look

__all__ = [
    "CITYSCAPES_LOOK",
    "COCO_LOOK",
    "VOC_LOOK",
    "Look",
    "SceneSizes",
    "write_scenes",
]
