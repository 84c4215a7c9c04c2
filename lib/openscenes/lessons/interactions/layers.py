"""One segmentation as layers over the image, tiles of the crop, words and numbers.

Layers are (H, W, 4) uint8 RGBA, tiles are square, (S, S, 3) uint8 RGB.
"""

from collections.abc import Callable, Iterable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.data import pasting
from openscenes.lessons.interactions.segmentation import Segmentation
from openscenes.lessons.interactions.user_inputs import Subject, inside
from openscenes.lessons.panels import Pixels, grey
from openscenes.study.figures.palette import PALETTE
from openscenes.widgets import overlays

NAME_PX, GAP_PX = 20, 6  # height of a tile's name and distance between tiles on a sheet
MARKED_PX = 336  # side of a crop with marks
FONT = cv2.FONT_HERSHEY_SIMPLEX


def over(image: Pixels, layer: Pixels) -> Pixels:
    """A layer painted over an image: (H, W, 3) uint8."""
    alpha = layer[..., 3:].astype(np.float32) / 255
    return (image * (1 - alpha) + layer[..., :3] * alpha).round().astype(np.uint8)


def in_crop(segmentation: Segmentation) -> NDArray[np.bool_]:
    """(H, W) bool: what of the image the network sees."""
    return _pasted(segmentation, np.ones(segmentation.probability.shape, np.float32)) > 0.5


def _pasted(segmentation: Segmentation, crop_map: NDArray[np.float32]) -> NDArray[np.float32]:
    return pasting.paste(crop_map, segmentation.sample.affine, segmentation.sample.shape)


def _heat(segmentation: Segmentation, crop_map: NDArray[np.float32]) -> Pixels:
    """A map of the crop as heat over the image, clear outside the crop."""
    pasted = _pasted(segmentation, crop_map)
    return overlays.heat(np.where(in_crop(segmentation), pasted, np.nan))


def _shade(subject: Subject, segmentation: Segmentation) -> Pixels:
    layer = np.zeros((*subject.shape, 4), np.uint8)
    layer[~in_crop(segmentation), 3] = 190
    return layer


LAYERS: Mapping[str, Callable[[Subject, Segmentation], Pixels]] = {
    "mask": lambda _, found: overlays.tint(found.mask, PALETTE["mask"]),
    "difference to the ground truth": lambda subject, found: overlays.comparison(
        found.mask, subject.truth, subject.void
    ),
    "coarse probability": lambda _, found: _heat(found, found.probability),
    "pixel predictor": lambda _, found: _heat(found, found.predictor),
    "foreground heat map": lambda _, found: _heat(found, found.channels[3] / 255),
    "background heat map": lambda _, found: _heat(found, found.channels[4] / 255),
    "ground truth": lambda subject, _: overlays.tint(subject.truth, PALETTE["truth"]),
    "what the crop leaves out": _shade,
    "image alone": lambda subject, _: np.zeros((*subject.shape, 4), np.uint8),
}
CLICK_MAP = "IoU by place of the click"
HEAT_LEGEND = "dark blue: 0, yellow: 1"
LEGENDS = {
    "mask": "orange: the network's mask",
    "difference to the ground truth": "light blue: right, red-orange: too much, yellow: missed",
    "ground truth": "green: the object",
    "what the crop leaves out": "dark: not seen by the network",
    "image alone": "white: box, pink: click",
    CLICK_MAP: "dark blue: worst click, yellow: best click",
}


def channel_tiles(segmentation: Segmentation) -> dict[str, Pixels]:
    """The crop with box and click, and the network's five input channels."""
    channels = segmentation.channels
    colours = {
        name: np.repeat(channel[..., None].round().astype(np.uint8), 3, axis=2)
        for name, channel in zip(("1: red", "2: green", "3: blue"), channels, strict=False)
    }
    return {
        "crop, box and click": marked(segmentation), **colours,
        "4: foreground": _cividis(channels[3] / 255), "5: background": _cividis(channels[4] / 255),
    }  # fmt: skip


def output_tiles(segmentation: Segmentation, threshold: float) -> dict[str, Pixels]:
    """The network's output: probability, mask, predictor, difference."""
    sample, mask = segmentation.sample, segmentation.probability > threshold
    difference = overlays.comparison(mask, sample.mask, sample.void)
    return {
        "coarse probability": _cividis(segmentation.probability),
        "mask": over(sample.image, overlays.tint(mask, PALETTE["mask"])),
        "pixel predictor": _cividis(segmentation.predictor),
        "difference": over(grey(sample.image), difference),
    }


def _cividis(values: NDArray[np.float32]) -> Pixels:
    return np.ascontiguousarray(overlays.heat(values, alpha=1.0)[..., :3])


def marked(segmentation: Segmentation) -> Pixels:
    """The crop, enlarged for fine lines, with the box that the network was shown and the click."""
    sample = segmentation.sample
    scale = max(1, round(MARKED_PX / sample.image.shape[0]))
    drawn = cv2.resize(sample.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    box, point = (np.array(mark) * scale for mark in (sample.box, sample.point))
    start, end = (round(box[1]), round(box[0])), (round(box[3]) - 1, round(box[2]) - 1)
    for colour, width in (((0, 0, 0), 4), (overlays.rgb(PALETTE["box"]), 2)):
        cv2.rectangle(drawn, start, end, colour, width)
    centre = (round(point[1] + scale / 2), round(point[0] + scale / 2))
    for colour, radius in (((255, 255, 255), 10), (overlays.rgb(PALETTE["click"]), 8)):
        cv2.circle(drawn, centre, radius, colour, -1, cv2.LINE_AA)
    return drawn


def sheet(tiles: Mapping[str, Pixels], columns: int, width_px: int) -> Pixels:
    """Tiles in rows with their names above, (H, width_px, 3) uint8 on white."""
    side = (width_px - GAP_PX * (columns - 1)) // columns
    rows = -(-len(tiles) // columns)
    page = np.full((rows * (side + NAME_PX + GAP_PX), width_px, 3), 255, np.uint8)
    for number, (name, tile) in enumerate(tiles.items()):
        top = (number // columns) * (side + NAME_PX + GAP_PX)
        left = (number % columns) * (side + GAP_PX)
        cv2.putText(page, name, (left, top + 14), FONT, 0.38, (30, 30, 30), 1, cv2.LINE_AA)
        way = cv2.INTER_LINEAR if side > tile.shape[0] else cv2.INTER_AREA
        enlarged = cv2.resize(tile, (side, side), interpolation=way)
        page[top + NAME_PX : top + NAME_PX + side, left : left + side] = enlarged
    return page


def numbers(subject: Subject, segmentation: Segmentation) -> dict[str, str]:
    """What a reader watches while the point moves: name -> value."""
    point = inside(segmentation.interaction.point, segmentation.mask.shape)
    on_object = subject.truth[round(point.row), round(point.col)]
    return {
        "IoU": f"{segmentation.iou:.3f}",
        "mask / truth": f"{segmentation.mask.sum()} / {subject.truth.sum()} px",
        "probability at the click": f"{segmentation.at_click:.2f}",
        "the click is": "on the object" if on_object else "not on the object",
        "network": f"{segmentation.network_ms:.0f} ms",
    }


def spoken(subject: Subject, segmentation: Segmentation) -> str:
    """Text alternative of the image, with numbers."""
    box, point = segmentation.interaction.box, segmentation.interaction.point
    rows, cols = f"{box.row0:.0f} to {box.row1:.0f}", f"{box.col0:.0f} to {box.col1:.0f}"
    return (
        f"Image with a {subject.name}; box over rows {rows} and columns {cols}, click at row "
        f"{point.row:.0f}, column {point.col:.0f}; mask of {segmentation.mask.sum()} pixels, "
        f"ground truth {subject.truth.sum()}, IoU {segmentation.iou:.2f}, probability at the click "
        f"{segmentation.at_click:.2f}"
    )


def spoken_tiles(names: Iterable[str], segmentation: Segmentation) -> str:
    """Text alternative of the sheet of tiles."""
    coarse, predictor = (
        100 * (values > 0.5).mean() for values in (segmentation.probability, segmentation.predictor)
    )
    return (
        f"The network's crop in tiles: {', '.join(names)}; the coarse probability is above one "
        f"half in {coarse:.0f} % of the crop, the pixel predictor in {predictor:.0f} %"
    )
