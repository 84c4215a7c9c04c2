"""What every background is built from: skies, noisy ground, trees, house fronts."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.synthetic.colours import pick, tint, vary
from openscenes.synthetic.look import Colour
from openscenes.synthetic.texture import Field, Position, Rng, Shape, Textures, as_field

_WALLS = ((0.72, 0.62, 0.50), (0.60, 0.36, 0.28), (0.66, 0.66, 0.64), (0.82, 0.78, 0.68))
ROAD, SIDEWALK, BUILDING, POLE, VEGETATION, TERRAIN, SKY = 7, 8, 11, 17, 21, 22, 23


@dataclass(slots=True)
class Backdrop:
    """An image before anything stands in it.

    Attributes:
        colour: (H, W, 3) float32 in about [0, 1].
        stuff: (H, W) uint8, Cityscapes label ids of the background.
        horizon: row of the horizon, which fixes perspective and haze.
    """

    colour: Field
    stuff: NDArray[np.uint8]
    horizon: float

    def window(self, points: Field) -> tuple[slice, slice]:
        """Rows and columns of the image that points of (col, row) span."""
        low, high = points.min(0), points.max(0)
        height, width = self.stuff.shape
        return (
            slice(max(int(low[1]) - 1, 0), min(int(high[1]) + 2, height)),
            slice(max(int(low[0]) - 1, 0), min(int(high[0]) + 2, width)),
        )

    def polygon(self, points: Field, label: int) -> NDArray[np.uint8]:
        """The (H, W) 0/1 inside of a polygon of (col, row); its stuff becomes ``label``."""
        mask = np.zeros(self.stuff.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1, shift=4)
        self.stuff[mask > 0] = label
        return mask


def blank(shape: Shape, horizon: float) -> Backdrop:
    """An empty backdrop of (H, W)."""
    return Backdrop(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.uint8), horizon)


def mottled(shape: Shape, first: Colour, second: Colour, share: Field) -> Field:
    """(H, W, 3): ``first`` where ``share`` is -1, ``second`` where it is 1."""
    weight = np.clip(0.5 + 0.5 * share, 0, 1)[..., None]
    low, high = as_field(first), as_field(second)
    return np.array(np.broadcast_to(low + weight * (high - low), (*shape, 3)), np.float32)


def lay_sky(backdrop: Backdrop, textures: Textures, rng: Rng, clutter: float) -> None:
    """Fill everything with a sky: gradient to the horizon and clouds."""
    shape = backdrop.stuff.shape
    zenith = vary((0.30, 0.52, 0.82), rng, 0.15)
    ramp = as_field(np.linspace(-1, 1.2, shape[0]))[:, None]
    sky = mottled(shape, zenith, (0.86, 0.91, 0.95), as_field(np.broadcast_to(ramp, shape)))
    clouds = textures.field("cloud", shape, rng, rng.uniform(0.8, 1.6))
    cover = np.clip((clouds - rng.uniform(-0.2, 0.6)) * 1.6, 0, 1)[..., None] * min(clutter, 1.0)
    backdrop.colour[:] = sky + cover * (np.float32(0.95) - sky)
    backdrop.stuff[:] = SKY


def lay_ground(
    backdrop: Backdrop, kind: str, colours: tuple[Colour, Colour], textures: Textures,
    rng: Rng, *, strength: float, label: int,
) -> None:  # fmt: skip
    """Cover everything below the horizon; the grain grows towards the viewer."""
    shape = backdrop.stuff.shape
    top = int(backdrop.horizon)
    rows = shape[0] - top
    near = textures.field(kind, (rows, shape[1]), rng, 1.4)
    far = textures.field(kind, (rows, shape[1]), rng, 0.7)
    patches = textures.field("cloud", (rows, shape[1]), rng, 1.2)
    ramp = as_field(np.linspace(0, 1, rows))[:, None]
    share = strength * (0.55 * (ramp * near + (1 - ramp) * far) + 0.5 * patches) + 0.4 * ramp - 0.2
    backdrop.colour[top:] = mottled((rows, shape[1]), *colours, as_field(share))
    backdrop.stuff[top:] = label


def lay_hills(
    backdrop: Backdrop, colour: Colour, height: float, textures: Textures,
    rng: Rng, label: int = VEGETATION,
) -> None:  # fmt: skip
    """A wavy silhouette of ``height`` pixels standing on the horizon."""
    width = backdrop.stuff.shape[1]
    ridge = textures.field("cloud", (2, width), rng, rng.uniform(1.0, 3.0))[0]
    top = backdrop.horizon - height * np.clip(0.6 + 0.6 * ridge, 0.05, 1.2)
    rows = np.arange(backdrop.stuff.shape[0])[:, None]
    mask = (rows >= top[None, :]) & (rows <= backdrop.horizon + 1)
    grain = textures.field("grain", backdrop.stuff.shape, rng, 1.5)
    painted = mottled(backdrop.stuff.shape, tint(colour, 0.7), tint(colour, 1.15), grain)
    backdrop.colour[mask] = painted[mask]
    backdrop.stuff[mask] = label


def plant_tree(
    backdrop: Backdrop, foot: Position, height: float, textures: Textures,
    rng: Rng,
) -> None:  # fmt: skip
    """A tree of ``height`` pixels whose trunk stands at ``foot`` = (row, col)."""
    row, col = foot
    fork = row - 0.6 * height
    widths = ((-0.035, row), (0.035, row), (0.02, fork), (-0.02, fork))
    trunk = np.array([(col + width * height, y) for width, y in widths])
    bark = vary((0.30, 0.22, 0.16), rng, 0.06)
    backdrop.colour[backdrop.polygon(trunk, VEGETATION) > 0] = bark
    reach = np.array([(col - 0.7 * height, row - 1.25 * height), (col + 0.7 * height, row)])
    rows, cols = backdrop.window(reach)
    if rows.stop <= rows.start or cols.stop <= cols.start:
        return
    crown = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.uint8)
    width = rng.uniform(0.16, 0.27)
    for _ in range(22):
        angle, spread = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        x = col - cols.start + width * height * spread * np.cos(angle)
        y = row - rows.start - height * (0.72 + 0.26 * spread * np.sin(angle))
        radius = rng.uniform(0.05, 0.13) * height
        cv2.circle(crown, (round(x), round(y)), max(round(radius), 1), 1, -1)
    leaf = vary((0.22, 0.40, 0.16), rng, 0.10)
    ragged = textures.field("grain", crown.shape, rng, 2.0)
    soft_crown = cv2.GaussianBlur(crown.astype(np.float32), (0, 0), max(0.03 * height, 0.8))
    mask = soft_crown + 0.25 * ragged > 0.5
    top = np.linspace(0.5, -0.7, crown.shape[0], dtype=np.float32)[:, None]
    lit = mottled(crown.shape, tint(leaf, 0.4), tint(leaf, 1.3), ragged + top + soft_crown - 0.8)
    backdrop.colour[rows, cols][mask] = lit[mask]
    backdrop.stuff[rows, cols][mask] = VEGETATION


def house_front(size: Shape, textures: Textures, rng: Rng, clutter: float) -> Field:
    """A wall with rows of windows, (h, w, 3)."""
    height, width = size
    wall = pick(_WALLS, rng, 0.12)
    grain = textures.field("grain", size, rng, 1.0)
    front = mottled(size, tint(wall, 0.8), tint(wall, 1.12), 0.8 * clutter * grain)
    step = int(rng.integers(13, 22))
    inset, glass = step // 4, vary((0.22, 0.28, 0.34), rng, 0.08)
    for row in range(inset + 3, height - step - 2, step + 4):
        for col in range(inset, width - step // 2, step):
            lit = rng.random() < 0.15
            pane = as_field((0.95, 0.82, 0.5) if lit else vary(glass, rng, 0.1))
            bottom, right = row + step - 2, col + step - 2 * inset
            front[row - 1 : bottom + 1, col - 1 : right + 1] = tint(wall, 1.35)
            front[row:bottom, col:right] = pane
            front[row:bottom, (col + right) // 2] = tint(wall, 1.2)
        front[row + step : row + step + 1] = tint(wall, 0.7)
    return front


def hang(backdrop: Backdrop, front: Field, corners: Field, label: int = BUILDING) -> None:
    """Hang a front into the quadrilateral ``corners``: (col, row) clockwise from top left."""
    height, width = front.shape[:2]
    source = as_field([(0, 0), (width, 0), (width, height), (0, height)])
    warp = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    rows, cols = backdrop.window(corners)
    if rows.stop <= rows.start or cols.stop <= cols.start:
        return
    shift = np.array([[1, 0, -cols.start], [0, 1, -rows.start], [0, 0, 1.0]])
    size = (cols.stop - cols.start, rows.stop - rows.start)
    flat = cv2.warpPerspective(
        front, shift @ warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mask = backdrop.polygon(corners, label)[rows, cols]
    cv2.copyTo(flat, mask, backdrop.colour[rows, cols])
