"""The places: street, meadow, water, sky, room, table, and a road seen from a car."""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np

from openscenes.synthetic.colours import WOODS, lacquer, pick, tint, vary
from openscenes.synthetic.ground import (
    BUILDING,
    ROAD,
    SIDEWALK,
    TERRAIN,
    Backdrop,
    blank,
    hang,
    house_front,
    lay_ground,
    lay_hills,
    lay_sky,
    mottled,
    plant_tree,
)
from openscenes.synthetic.texture import Field, Pattern, Rng, Shape, Textures

Build = Callable[[Shape, Textures, Rng, float], Backdrop]
_ASPHALT = ((0.30, 0.30, 0.32), (0.48, 0.47, 0.46))
_FOREST = ((0.2, 0.28, 0.14), (0.4, 0.46, 0.24))
_PAPERS = ((0.80, 0.76, 0.66), (0.62, 0.70, 0.72), (0.74, 0.60, 0.52), (0.86, 0.86, 0.84))
_WALLPAPERS: tuple[Pattern, ...] = ("plain", "stripes", "checks", "spots")
_Top = Pattern | Literal["wood"]
_TABLE_TOPS: tuple[_Top, ...] = ("checks", "stripes", "spots", "wood", "wood", "cloud")
_PAVEMENT = ((0.50, 0.49, 0.46), (0.70, 0.68, 0.63))


def street(shape: Shape, textures: Textures, rng: Rng, clutter: float) -> Backdrop:
    """House fronts in a row behind a pavement and a road."""
    place = blank(shape, shape[0] * rng.uniform(0.42, 0.58))
    lay_sky(place, textures, rng, clutter)
    left = -rng.uniform(0, 60)
    while left < shape[1]:
        width = int(rng.uniform(70, 150))
        top = place.horizon - rng.uniform(0.55, 1.0) * place.horizon
        front = house_front((int(place.horizon - top) + 14, width), textures, rng, clutter)
        right, bottom = left + width, place.horizon + 12
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        hang(place, front, corners)
        left += width + (rng.uniform(8, 40) if rng.random() < 0.3 else 0)
    place.horizon += 10
    colours = _PAVEMENT if rng.random() < 0.5 else _ASPHALT
    lay_ground(place, "grain", colours, textures, rng, strength=0.7 * clutter, label=ROAD)
    kerb = int(place.horizon + rng.uniform(8, 22))
    place.colour[int(place.horizon) : kerb] *= 1.18
    place.colour[kerb : kerb + 2] *= 0.55
    for _ in range(int(rng.integers(0, 4))):
        foot = (place.horizon + 4, rng.uniform(0, shape[1]))
        plant_tree(place, foot, rng.uniform(50, 115), textures, rng)
    return place


def meadow(shape: Shape, textures: Textures, rng: Rng, clutter: float) -> Backdrop:
    """Grass or dry savanna under hills and trees."""
    place = blank(shape, shape[0] * rng.uniform(0.30, 0.5))
    lay_sky(place, textures, rng, clutter)
    dry = rng.random() < 0.35
    grass = vary((0.62, 0.54, 0.28) if dry else (0.30, 0.46, 0.18), rng, 0.08)
    lay_hills(place, vary((0.36, 0.44, 0.42), rng, 0.08), rng.uniform(15, 60), textures, rng)
    blades = (tint(grass, 0.55), tint(grass, 1.3))
    lay_ground(place, "fur", blades, textures, rng, strength=clutter, label=TERRAIN)
    for _ in range(int(rng.integers(1, 6))):
        foot = (place.horizon + rng.uniform(0, 18), rng.uniform(0, shape[1]))
        plant_tree(place, foot, rng.uniform(30, 105), textures, rng)
    return place


def water(shape: Shape, textures: Textures, rng: Rng, clutter: float) -> Backdrop:
    """A lake or a sea with a far shore."""
    place = blank(shape, shape[0] * rng.uniform(0.32, 0.5))
    lay_sky(place, textures, rng, clutter)
    lay_hills(place, vary((0.34, 0.42, 0.40), rng, 0.1), rng.uniform(4, 35), textures, rng)
    deep = vary((0.16, 0.36, 0.46), rng, 0.12)
    waves = (tint(deep, 0.7), tint(deep, 1.5))
    lay_ground(place, "wood", waves, textures, rng, strength=1.3 * clutter, label=TERRAIN)
    return place


def sky(shape: Shape, textures: Textures, rng: Rng, clutter: float) -> Backdrop:
    """Mostly sky, some land at the bottom."""
    place = blank(shape, shape[0] * rng.uniform(0.82, 1.0) - 1)
    lay_sky(place, textures, rng, max(clutter, 0.8))
    lay_hills(place, vary((0.25, 0.34, 0.24), rng, 0.08), rng.uniform(5, 40), textures, rng)
    lay_ground(place, "fur", _FOREST, textures, rng, strength=clutter, label=TERRAIN)
    return place


def room(shape: Shape, textures: Textures, rng: Rng, clutter: float) -> Backdrop:
    """A papered wall with paintings above a floor of planks or tiles."""
    place = blank(shape, shape[0] * rng.uniform(0.5, 0.68))
    paper = pick(_PAPERS, rng, 0.1)
    rows, cols = (np.arange(side, dtype=np.float32) for side in shape)
    kind = _WALLPAPERS[int(rng.integers(4))]
    period, angle = rng.uniform(18, 46), float(rng.choice([0, 0.785]))
    print_ = textures.pattern(kind, (rows[:, None], cols[None, :]), period, angle, rng)
    stain = 0.4 * textures.field("cloud", shape, rng, 2.0)
    share = 0.45 * clutter * (2 * print_ - 1) * (kind != "plain") + stain
    place.colour[:] = mottled(shape, tint(paper, 0.82), tint(paper, 1.15), share)
    place.stuff[:] = BUILDING
    for _ in range(int(rng.integers(0, 3))):
        _hang_painting(place, textures, rng)
    lay_floor(place, textures, rng, clutter)
    skirting = int(place.horizon)
    place.colour[skirting - 6 : skirting] = tint(paper, 1.5)
    place.colour[skirting : skirting + 2] *= 0.5
    return place


def _hang_painting(place: Backdrop, textures: Textures, rng: Rng) -> None:
    height, width = int(rng.uniform(35, 75)), int(rng.uniform(35, 85))
    row = int(rng.uniform(6, max(place.horizon - height - 12, 7)))
    col = int(rng.uniform(0, place.stuff.shape[1] - width))
    place.colour[row : row + height, col : col + width] = pick(WOODS, rng)
    inner = (height - 8, width - 8)
    canvas = mottled(inner, lacquer(rng), lacquer(rng), textures.field("cloud", inner, rng, 0.6))
    place.colour[row + 4 : row + 4 + inner[0], col + 4 : col + 4 + inner[1]] = canvas


def lay_floor(place: Backdrop, textures: Textures, rng: Rng, clutter: float) -> None:
    """Planks or tiles in perspective below the horizon."""
    top, width = int(place.horizon), place.stuff.shape[1]
    rows = place.stuff.shape[0] - top
    depth = 40.0 / (np.arange(rows, dtype=np.float32)[:, None] + 25)
    across = (np.arange(width, dtype=np.float32)[None, :] - width / 2) * depth
    base = pick(WOODS, rng) if rng.random() < 0.6 else vary((0.62, 0.60, 0.56), rng, 0.12)
    grain = textures.field("wood", (rows, width), rng, 1.0)
    plank = np.sin(np.floor(across / 14) * 12.9) * 0.5 + np.sin(np.floor(depth * 9) * 7.1) * 0.3
    floor = mottled((rows, width), tint(base, 0.6), tint(base, 1.25), clutter * 0.7 * grain + plank)
    seam = np.abs(np.mod(across / 14, 1) - 0.5) > 0.47
    floor[seam] *= 0.7
    place.colour[top:] = floor
    place.stuff[top:] = SIDEWALK


def table(shape: Shape, textures: Textures, rng: Rng, clutter: float) -> Backdrop:
    """A table top seen from above: wood, checked cloth or tiles."""
    if rng.random() < 0.3:
        place = room(shape, textures, rng, clutter)
        base = pick(WOODS, rng)
        place.horizon = shape[0] * rng.uniform(0.35, 0.5)
    else:
        place, base = blank(shape, -shape[0] * 0.6), lacquer(rng)
    top = max(int(place.horizon), 0)
    size = (shape[0] - top, shape[1])
    rows, cols = (np.arange(side, dtype=np.float32) for side in size)
    kind = _TABLE_TOPS[int(rng.integers(6))]
    if kind == "wood":
        base = pick(WOODS, rng)
        share = 1.1 * textures.field("wood", size, rng, 1.3)
        share -= 1.5 * (np.mod(rows / rng.uniform(35, 60), 1) < 0.03)[:, None]
    else:
        period, angle = rng.uniform(22, 60), rng.uniform(0, 1.5)
        share = 2 * textures.pattern(kind, (rows[:, None], cols[None, :]), period, angle, rng) - 1
        share = share + 0.3 * textures.field("grain", size, rng)
    strength = min(0.5 * clutter, 1.0)
    place.colour[top:] = mottled(size, tint(base, 0.65), tint(base, 1.45), strength * share)
    place.stuff[top:] = BUILDING
    return place


def road(shape: Shape, textures: Textures, rng: Rng, clutter: float) -> Backdrop:
    """A street seen from a car: road to the vanishing point between two rows of houses."""
    place = blank(shape, shape[0] * rng.uniform(0.38, 0.46))
    lay_sky(place, textures, rng, clutter)
    lay_hills(
        place, vary((0.42, 0.44, 0.46), rng, 0.06), rng.uniform(12, 40), textures, rng, BUILDING
    )
    lay_ground(place, "grain", _PAVEMENT, textures, rng, strength=0.8 * clutter, label=SIDEWALK)
    vanish = np.array([shape[1] * rng.uniform(0.42, 0.58), place.horizon])
    half = rng.uniform(1.5, 2.2) * (shape[0] - place.horizon)
    bottom = float(shape[0])
    near = [(vanish[0] + half, bottom), (vanish[0] - half, bottom)]
    lane = np.array([vanish - (4, 0), np.add(vanish, (4, 0)), *near])
    mask = place.polygon(lane, ROAD) > 0
    grain = textures.field("wood", shape, rng, 2.0) + textures.field("grain", shape, rng)
    place.colour[mask] = mottled(shape, *_ASPHALT, 0.5 * clutter * grain)[mask]
    _mark_lanes(place, vanish, half)
    for side in (-1, 1):
        _line_with_houses(place, vanish, side, half, textures, rng, clutter)
    return place


def _mark_lanes(place: Backdrop, vanish: Field, half: float) -> None:
    depth = place.stuff.shape[0] - place.horizon
    for offset in (-0.33, 0.33):
        for start in np.geomspace(0.08, 1.0, 9):
            ends = [vanish + t * np.array([offset * half, depth]) for t in (start, start * 1.14)]
            side = (0.012 * half * start, 0)
            quad = np.array([ends[0] - side, ends[0] + side, ends[1] + side, ends[1] - side])
            place.colour[place.polygon(quad, ROAD) > 0] = (0.82, 0.82, 0.78)


def _line_with_houses(
    place: Backdrop, vanish: Field, side: int, half: float, textures: Textures,
    rng: Rng, clutter: float,
) -> None:  # fmt: skip
    """Houses and trees from the vanishing point outwards, the far ones first."""
    edge = rng.uniform(1.25, 1.5) * half
    depth = place.stuff.shape[0] - place.horizon
    far = 0.07
    while far < 1.6:
        near = far * rng.uniform(1.35, 1.9)
        tall = rng.uniform(0.9, 1.9) * depth
        quad = ((far, -tall), (near, -tall), (near, depth), (far, depth))
        corners = np.array([np.add(vanish, (side * edge * t, rise * t)) for t, rise in quad])
        if rng.random() < 0.8:
            front = house_front((150, int(rng.uniform(90, 170))), textures, rng, clutter)
            hang(place, front * np.float32(rng.uniform(0.75, 1.0)), corners)
        foot = np.add(vanish, (side * edge * 0.93 * near, depth * near))
        if rng.random() < 0.45 and near < 0.8:
            plant_tree(place, (foot[1], foot[0]), 1.3 * depth * near, textures, rng)
        far = near


_BUILDS: tuple[Build, ...] = (street, meadow, water, sky, room, table, road)
PLACES = {build.__name__: build for build in _BUILDS}


def soften(place: Backdrop, sigma: float) -> None:
    """Put the background out of focus."""
    if sigma > 0.2:
        place.colour = cv2.GaussianBlur(place.colour, (0, 0), sigma)
