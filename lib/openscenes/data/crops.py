"""From image pixels to a square crop around the user's box, in one affine warp.

An affine map is a (2, 3) float64 array that takes (x, y) = (col, row) of the image to (x, y) of
the crop, pixel centres at integers, as OpenCV has it. Flip, rotation, zoom, crop and resize are
composed before a single source pixel is read.
"""

import threading
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.data.records import Box, Point
from openscenes.masks import Window
from openscenes.settings import require_between, require_one_of, require_whole, setting

Affine = NDArray[np.float64]
LONGEST_SIDE_PX = 32_766  # OpenCV warps no larger image
MAX_CROP_PX = 4096  # a network's features of one object take 8 GB then


@dataclass(frozen=True)
class CropConfig:
    """How an object is cut out of its image."""

    size: int = setting(512, "Sec. 4.1.3: crops are resized to 512x512")
    margin_px: float = setting(30.0, "IOG: box widened by 30 px of the original image")
    margin_share: float = setting(0.0, "Ours: and by this share of its side; IOG has none")
    region: Literal["box", "image"] = setting(
        "box", "IOG; systems that know no box look at the whole image"
    )

    def __post_init__(self) -> None:
        require_whole(self, 16, MAX_CROP_PX, "size")
        require_between(self, 0.0, 1e6, "margin_px", "margin_share")
        require_one_of(self, "region", ("box", "image"))


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random flip, rotation and zoom (Sec. 4.1.3: "randomly zoomed and rotated").

    Ours: where ground truth exists, the interaction may vary, too, from epoch to epoch. Networks
    that only ever see the deepest pixel and the tight box learn to rely on exactly these.
    """

    flip: bool = setting(True, "IOG: horizontal flip with probability 1/2")
    rotation_deg: float = setting(20.0, "IOG: uniform in +-20 degrees")
    zoom_min: float = setting(0.75, "IOG: uniform in 0.75-1.25")
    zoom_max: float = setting(1.25, "IOG: uniform in 0.75-1.25")
    click_core: float = setting(
        1.0, "Ours: clicks anywhere as deep as this share of the deepest; 1 keeps the user's"
    )
    box_jitter: float = setting(
        0.0, "Ours: standard deviation of each side's error, as a share of the box"
    )

    def __post_init__(self) -> None:
        """Refuse interactions that no user could make."""
        require_between(self, 0.0, 1.0, "click_core")
        require_between(self, 0.0, 0.5, "box_jitter")


def identity() -> Affine:
    """The map that moves nothing."""
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map ``x -> outer(inner(x))``."""
    return outer[:, :2] @ np.c_[inner[:, :2], inner[:, 2]] + np.c_[np.zeros((2, 2)), outer[:, 2]]


def invert(affine: Affine) -> Affine:
    """The inverse map."""
    return cv2.invertAffineTransform(affine)


def apply(affine: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move (N, 2) points given as (x, y)."""
    return points @ affine[:, :2].T + affine[:, 2]


def move_point(affine: Affine, point: Point) -> Point:
    """Move one (row, col) point."""
    col, row = apply(affine, np.array([[point.col, point.row]]))[0]
    return Point(float(row), float(col))


def box_corners(box: Box) -> NDArray[np.float64]:
    """The four outer corners of a half-open box as (4, 2) points (x, y); edges lie at -0.5."""
    xs, ys = (box.col0 - 0.5, box.col1 - 0.5), (box.row0 - 0.5, box.row1 - 0.5)
    return np.array([(x, y) for y in ys for x in xs])


def hull_box(points: NDArray[np.float64]) -> Box:
    """The half-open axis-aligned box around (N, 2) corner points (x, y)."""
    (col0, row0), (col1, row1) = points.min(axis=0) + 0.5, points.max(axis=0) + 0.5
    return Box(float(row0), float(col0), float(row1), float(col1))


def move_box(affine: Affine, box: Box) -> Box:
    """The axis-aligned hull of a moved box."""
    return hull_box(apply(affine, box_corners(box)))


def random_affine(
    shape: tuple[int, int], augmentation: Augmentation, generator: np.random.Generator
) -> Affine:
    """Draw a flip, a rotation and a zoom about the centre of an image of (height, width)."""
    angle = generator.uniform(-augmentation.rotation_deg, augmentation.rotation_deg)
    zoom = generator.uniform(augmentation.zoom_min, augmentation.zoom_max)
    flip = augmentation.flip and generator.random() < 0.5
    return turned(shape, flip, angle, zoom)


def turned(shape: tuple[int, int], flip: bool, rotation_deg: float, zoom: float) -> Affine:
    """Mirror an image of (height, width), then turn and enlarge it about its centre."""
    height, width = shape
    centre = ((width - 1) / 2, (height - 1) / 2)
    rotated = cv2.getRotationMatrix2D(centre, rotation_deg, zoom)
    mirror = np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]])
    return compose(rotated, mirror) if flip else rotated


def zoom_of(affine: Affine) -> float:
    """By how much a map enlarges lengths."""
    return float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))


def window_affine(box: Box, config: CropConfig, zoom: float = 1.0) -> Affine:
    """The map from image to crop: box widened by the margin, stretched to size x size.

    Ours: the aspect ratio is not kept, as in IOG; the paper does not say. ``zoom`` is by how much
    an augmentation has enlarged the box: margins stay those of the box before it, so that zooming
    in leaves less around the object.
    """
    scale_x, shift_x = _window_side(box.col0, box.col1, config, zoom)
    scale_y, shift_y = _window_side(box.row0, box.row1, config, zoom)
    return np.array([[scale_x, 0.0, shift_x], [0.0, scale_y, shift_y]])


def box_that_follows(
    box: Box, clicks: NDArray[Any], shape: tuple[int, int], config: CropConfig
) -> Box:
    """The user's box, widened to the clicks on the object that its crop does not show.

    Ours: so the crop follows an object where corrections leave it; IOG's stays.

    Args:
        clicks: (K, 3) row, col, sign in pixels of an image of (height, width).
    """
    points = apply(window_affine(box, config), clicks[:, 1::-1])
    shown = ((points >= -0.5) & (points <= config.size - 0.5)).all(axis=1)
    there = ((clicks[:, :2] >= 0) & (clicks[:, :2] < shape)).all(axis=1)
    hidden = clicks[(clicks[:, 2] > 0) & ~shown & there, :2]
    held = np.concatenate((np.array(box).reshape(2, 2), hidden, hidden + 1.0))
    return Box(*map(float, (*held.min(axis=0), *held.max(axis=0))))


def frame_affine(shape: tuple[int, int], config: CropConfig) -> Affine:
    """The map from the whole image of (height, width) to the crop, aspect ratio not kept."""
    whole = CropConfig(config.size, margin_px=0.0)
    return window_affine(Box(0.0, 0.0, float(shape[0]), float(shape[1])), whole)


def _window_side(start: float, end: float, config: CropConfig, zoom: float) -> tuple[float, float]:
    """Scale and shift along one side, from edges at start and end to 0 and size."""
    side = max(end - start, 1.0)
    margin = config.margin_px + config.margin_share * side / zoom
    scale = config.size / (side + 2 * margin)
    return scale, (0.5 - (start - margin)) * scale - 0.5


def warp_image(image: NDArray[np.uint8], affine: Affine, size: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> (size, size, 3) uint8, bilinear, black outside the image."""
    return cv2.warpAffine(image, affine, (size, size), flags=cv2.INTER_LINEAR)


def warp_mask(mask: NDArray[np.bool_], affine: Affine, size: int) -> NDArray[np.bool_]:
    """(H, W) bool -> (size, size) bool: bilinear, then at least half (IOG)."""
    soft = cv2.warpAffine(mask.view(np.uint8) * np.uint8(255), affine, (size, size))
    return soft >= 128


def warp_window(
    shown: NDArray[np.bool_], window: Window, shape: tuple[int, int], affine: Affine, size: int
) -> NDArray[np.bool_]:
    """``warp_mask`` of the (H, W) mask that is ``shown`` in a window and empty outside it.

    OpenCV computes positions in single precision, so that an affine map moved into the window
    changes single pixels (of one crop in forty). The window is put into an empty frame instead.

    Args:
        shown: (h, w) bool, the part of the mask in ``window``, half-open in whole pixels.
        shape: (H, W).
    """
    height, width = shape
    frame = _empty(height * width)[: height * width].reshape(shape)
    place = frame[window[0] : window[2], window[1] : window[3]]
    np.multiply(shown, np.uint8(255), out=place)
    warped = cv2.warpAffine(frame, affine, (size, size)) >= 128
    place[...] = 0
    return warped


_frames = threading.local()


def _empty(n_pixels: int) -> NDArray[np.uint8]:
    """At least so many zeros, which whoever writes into them wipes again."""
    if getattr(_frames, "zeros", np.empty(0)).size < n_pixels:
        _frames.zeros = np.zeros(n_pixels, dtype=np.uint8)
    zeros: NDArray[np.uint8] = _frames.zeros
    return zeros


def seen_window(affine: Affine, size: int, shape: tuple[int, int]) -> Window:
    """The part of an image of (height, width) that a crop reads, half-open in whole pixels."""
    last = float(size)
    outer = np.array([(x, y) for x in (-1.0, last) for y in (-1.0, last)])
    corners = apply(invert(affine), outer)
    low, high = np.floor(corners.min(axis=0)) - 2, np.ceil(corners.max(axis=0)) + 3
    col0, row0 = (int(side) for side in np.clip(low, 0, shape[::-1]))
    col1, row1 = (int(side) for side in np.clip(high, 0, shape[::-1]))
    return row0, col0, row1, col1
