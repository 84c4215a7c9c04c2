"""The pictures of one question and its answer: layers over the photograph, tiles of the crop.

Figures and explorer are made of the same ones. Layers are (H, W, 4) uint8 RGBA, tiles are
square, (S, S, 3) uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from openscenes.data import crops
from openscenes.lessons.interactions.answers import Answer
from openscenes.lessons.interactions.state import Subject
from openscenes.study.figures.palette import PALETTE
from openscenes.widgets import overlays

Picture = NDArray[np.uint8]
Drawn = Callable[[Subject, Answer], Picture]

NAME_PX, GAP_PX = 20, 6  # height of a tile's name and distance between tiles on a sheet
MARKED_PX = 336  # side of a crop with marks
FONT = cv2.FONT_HERSHEY_SIMPLEX


def over(image: Picture, layer: Picture) -> Picture:
    """A layer painted over a picture: (H, W, 3) uint8."""
    alpha = layer[..., 3:].astype(np.float32) / 255
    return (image * (1 - alpha) + layer[..., :3] * alpha).round().astype(np.uint8)


def in_crop(subject: Subject, answer: Answer) -> NDArray[np.bool_]:
    """(H, W) bool: what of the photograph the network sees."""
    return _pasted(answer, np.ones(answer.probability.shape, np.float32)) > 0.5


def _pasted(answer: Answer, crop_map: NDArray[np.float32]) -> NDArray[np.float32]:
    return crops.paste(crop_map, answer.sample.affine, answer.sample.shape)


def _heat(subject: Subject, answer: Answer, crop_map: NDArray[np.float32]) -> Picture:
    """A map of the crop as heat over the photograph, clear outside the crop."""
    seen = in_crop(subject, answer)
    return overlays.heat(np.where(seen, _pasted(answer, crop_map), np.nan))


def _shade(subject: Subject, answer: Answer) -> Picture:
    """Darkness over what the network does not see."""
    layer = np.zeros((*subject.shape, 4), np.uint8)
    layer[~in_crop(subject, answer), 3] = 190
    return layer


LAYERS: Mapping[str, Drawn] = {
    "mask": lambda subject, answer: overlays.tint(answer.mask, PALETTE["mask"]),
    "difference to the ground truth": lambda subject, answer: overlays.comparison(
        answer.mask, subject.truth, subject.void
    ),
    "coarse probability": lambda s, answer: _heat(s, answer, answer.probability),
    "pixel predictor": lambda s, answer: _heat(s, answer, answer.predictor),
    "foreground heat map": lambda s, answer: _heat(s, answer, answer.channels[3] / 255),
    "background heat map": lambda s, answer: _heat(s, answer, answer.channels[4] / 255),
    "ground truth": lambda subject, answer: overlays.tint(subject.truth, PALETTE["truth"]),
    "what the crop leaves out": _shade,
    "picture alone": lambda subject, answer: np.zeros((*subject.shape, 4), np.uint8),
}


def channel_tiles(answer: Answer) -> dict[str, Picture]:
    """The crop with box and click, and the network's five input channels."""
    tiles = {"crop, box and click": marked(answer.sample.image, answer)}
    names = ("1: red", "2: green", "3: blue")
    for name, channel in zip(names, answer.channels, strict=False):
        tiles[name] = np.repeat(channel[..., None].round().astype(np.uint8), 3, axis=2)
    tiles["4: foreground"] = _cividis(answer.channels[3] / 255)
    tiles["5: background"] = _cividis(answer.channels[4] / 255)
    return tiles


def answer_tiles(answer: Answer, threshold: float) -> dict[str, Picture]:
    """What the network makes of the channels: probability, mask, predictor, difference."""
    sample, mask = answer.sample, answer.probability > threshold
    difference = overlays.comparison(mask, sample.mask, sample.void)
    grey = np.repeat(sample.image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    return {
        "coarse probability": _cividis(answer.probability),
        "mask": over(sample.image, overlays.tint(mask, PALETTE["mask"])),
        "pixel predictor": _cividis(answer.predictor),
        "difference": over(grey, difference),
    }


def _cividis(values: NDArray[np.float32]) -> Picture:
    return np.ascontiguousarray(overlays.heat(values, alpha=1.0)[..., :3])


def marked(image: Picture, answer: Answer) -> Picture:
    """The crop, enlarged for fine lines, with the box that the network was told, and the click."""
    scale = max(1, round(MARKED_PX / image.shape[0]))
    drawn = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    box, point = (np.array(mark) * scale for mark in (answer.sample.box, answer.sample.point))
    start, end = (round(box[1]), round(box[0])), (round(box[3]) - 1, round(box[2]) - 1)
    cv2.rectangle(drawn, start, end, (0, 0, 0), 4)
    cv2.rectangle(drawn, start, end, _colour("box"), 2)
    centre = (round(point[1] + scale / 2), round(point[0] + scale / 2))
    cv2.circle(drawn, centre, 10, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(drawn, centre, 8, _colour("click"), -1, cv2.LINE_AA)
    return drawn


def _colour(name: str) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in to_rgb(PALETTE[name]))
    return red, green, blue


def sheet(tiles: Mapping[str, Picture], columns: int, width_px: int) -> Picture:
    """Tiles in rows with their names above, (H, width_px, 3) uint8 on white."""
    side = (width_px - GAP_PX * (columns - 1)) // columns
    rows = -(-len(tiles) // columns)
    page = np.full((rows * (side + NAME_PX + GAP_PX), width_px, 3), 255, np.uint8)
    for number, (name, tile) in enumerate(tiles.items()):
        top = (number // columns) * (side + NAME_PX + GAP_PX)
        left = (number % columns) * (side + GAP_PX)
        cv2.putText(page, name, (left, top + 14), FONT, 0.38, (30, 30, 30), 1, cv2.LINE_AA)
        enlarged = cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA)
        if side > tile.shape[0]:
            enlarged = cv2.resize(tile, (side, side), interpolation=cv2.INTER_LINEAR)
        page[top + NAME_PX : top + NAME_PX + side, left : left + side] = enlarged
    return page
