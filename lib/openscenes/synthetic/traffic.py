"""The second scene: traffic and people seen from a car, far and near, parked rows, poles."""

import numpy as np

from openscenes.synthetic.camera import capture
from openscenes.synthetic.catalogue import RIDER, TEMPLATES, Template, templates_of
from openscenes.synthetic.compose import Painter, coat_of, open_stage
from openscenes.synthetic.foreground import hide_something
from openscenes.synthetic.look import Look
from openscenes.synthetic.stage import LabelledImage
from openscenes.synthetic.texture import Position, Rng, Shape, Textures

_CAMERA_METRES = 1.9
# How near the tallest come, so that no lorry fills the frame.
_NEAREST = 1.6
_SHARES = {"car": 0.40, "person": 0.27, "bicycle": 0.10, "motorbike": 0.08, "bus": 0.07,
           "truck": 0.08}  # fmt: skip


def driving(
    look: Look, textures: Textures, rng: Rng, *, objects: float,
    shape: Shape = (256, 512),
) -> LabelledImage:  # fmt: skip
    """A frame of a drive through town with about ``objects`` road users."""
    look = look.vary(rng)
    stage = open_stage("road", shape, look, textures, rng)
    painter = Painter(stage, textures, rng)
    horizon = stage.backdrop.horizon
    spots = _parked_row(horizon, shape, rng) + _scattered(objects, horizon, shape, rng)
    for row, col, template in sorted(spots, key=lambda spot: spot[0]):
        height = template.metres / _CAMERA_METRES * (row - horizon)
        if template is RIDER:
            _ride(painter, (row, col), row - horizon)
        else:
            painter.add(template, (row, col), height)
        if rng.random() < look.occluders / 12:
            hide_something(stage, textures, rng, "road")
    return stage.finish(capture(stage.backdrop.colour, look, rng))


def _scattered(
    objects: float, horizon: float, shape: Shape, rng: Rng
) -> list[tuple[float, float, Template]]:
    names = tuple(_SHARES)
    spots = []
    for _ in range(1 + int(rng.poisson(objects))):
        name = names[int(rng.choice(len(names), p=list(_SHARES.values())))]
        ways = templates_of((name,), (*TEMPLATES,))
        template = ways[int(rng.integers(len(ways)))]
        if name in ("bicycle", "motorbike") and rng.random() < 0.6:
            template = RIDER
        # Even in the logarithm of nearness: many far and small, few near and large.
        near = float(np.exp(rng.uniform(np.log(0.20), np.log(0.95))))
        near = min(near, _NEAREST / template.metres)
        row = horizon + near * (shape[0] - horizon)
        spots.append((row, float(rng.uniform(0.02, 0.98) * shape[1]), template))
    if rng.random() < 0.15:
        tram = templates_of(("train",))[0]
        spots.append((horizon + 0.3 * (shape[0] - horizon), rng.uniform(0, shape[1]), tram))
    return spots


def _parked_row(horizon: float, shape: Shape, rng: Rng) -> list[tuple[float, float, Template]]:
    """Cars along one kerb, each half hidden by the next."""
    ways = templates_of(("car",))
    side = 1 if rng.random() < 0.5 else -1
    template = ways[1] if rng.random() < 0.7 else ways[0]
    spots = []
    for near in np.geomspace(0.2, rng.uniform(0.4, 0.75), int(rng.integers(2, 5))):
        row = horizon + float(near) * (shape[0] - horizon)
        col = shape[1] / 2 + side * (30 + 1.35 * float(near) * (shape[0] - horizon))
        spots.append((row, float(col), template))
    return spots


def _ride(painter: Painter, base: Position, metre_px: float) -> None:
    """A two-wheeler and its rider: two objects that overlap."""
    rng, stage = painter.rng, painter.stage
    ways = templates_of(("bicycle", "motorbike"))
    wheels = ways[int(rng.integers(len(ways)))]
    height = wheels.metres / _CAMERA_METRES * metre_px
    behind = tuple(stage.behind(*base, height).tolist())
    flip = bool(rng.random() < 0.5)
    below = painter.draw(wheels, height, coat_of(wheels, stage.look, behind, rng), flip=flip)
    stage.put(below, base, wheels.name)
    tall = RIDER.metres / _CAMERA_METRES * metre_px
    above = painter.draw(RIDER, tall, coat_of(RIDER, stage.look, behind, rng), flip=flip)
    shift = 0.06 * height * (-1 if flip else 1)
    stage.put(above, (base[0] - 0.22 * height, base[1] - shift), "rider", grounded=False)
