"""Vehicles from parametric parts: cars, buses, trucks, trains, two-wheelers, planes, boats."""

import numpy as np

from openscenes.synthetic.colours import CHROME, DARK, GLASS, LAMP, TAIL_LAMP, TYRE, lacquer, tint
from openscenes.synthetic.pen import Material, Outline, Pen, box, ellipse, soft
from openscenes.synthetic.texture import Rng

_PROFILES: tuple[tuple[Outline, Outline], ...] = (
    (  # saloon
        [(0.03, 0.2), (0.0, 0.48), (0.08, 0.58), (0.55, 0.66), (0.88, 0.98), (1.5, 1.0),
         (1.92, 0.68), (2.34, 0.62), (2.4, 0.42), (2.38, 0.2)],
        [(0.70, 0.67), (0.93, 0.92), (1.46, 0.93), (1.76, 0.68)],
    ),
    (  # hatchback
        [(0.03, 0.2), (0.0, 0.5), (0.1, 0.58), (0.48, 0.66), (0.85, 0.98), (1.9, 1.0),
         (2.3, 0.66), (2.36, 0.5), (2.34, 0.2)],
        [(0.66, 0.66), (0.90, 0.92), (1.86, 0.93), (2.1, 0.66)],
    ),
    (  # estate on high wheels
        [(0.03, 0.26), (0.0, 0.6), (0.1, 0.66), (0.5, 0.7), (0.74, 0.99), (2.1, 1.0),
         (2.32, 0.7), (2.36, 0.5), (2.34, 0.26)],
        [(0.62, 0.7), (0.8, 0.94), (2.05, 0.95), (2.18, 0.7)],
    ),
    (  # van
        [(0.03, 0.22), (0.0, 0.46), (0.1, 0.6), (0.36, 0.68), (0.62, 1.0), (2.3, 1.0),
         (2.38, 0.9), (2.38, 0.22)],
        [(0.5, 0.66), (0.68, 0.94), (1.25, 0.94), (1.25, 0.66)],
    ),
)  # fmt: skip


def _wheel(pen: Pen, x: float, radius: float, rim: Material = CHROME) -> None:
    pen.fill(ellipse(x, radius, radius, radius), TYRE)
    pen.fill(ellipse(x, radius, 0.62 * radius, 0.62 * radius), rim)
    for turn in np.arange(5) * 2 * np.pi / 5:
        tip = (x + 0.52 * radius * np.cos(turn), radius + 0.52 * radius * np.sin(turn))
        pen.limb([(x, radius), tip], 0.10 * radius, DARK)


def car_side(pen: Pen, coat: Material, rng: Rng) -> None:
    """A car from the side (aspect 2.4)."""
    profile, windows = _PROFILES[int(rng.integers(len(_PROFILES)))]
    seam = Material(tint(coat.colour, 0.55), relief=0)
    pen.fill(soft(profile, 2), coat)
    pen.fill(box(0.05, 0.2, 2.33, 0.28), Material(tint(coat.colour, 0.45)))
    pen.fill(soft(windows, 1), GLASS)
    middle = float(np.mean([x for x, _ in windows]))
    pen.limb([(middle, 0.66), (middle, 0.94)], 0.05, coat)
    pen.limb([(middle + 0.02, 0.64), (middle + 0.02, 0.3)], 0.012, seam)
    pen.limb([(0.72, 0.62), (0.78, 0.3)], 0.012, seam)
    pen.limb([(middle + 0.1, 0.57), (middle + 0.22, 0.57)], 0.03, CHROME)
    pen.fill(ellipse(0.09, 0.5, 0.07, 0.05), LAMP)
    pen.fill(ellipse(2.3, 0.52, 0.05, 0.06), TAIL_LAMP)
    radius = rng.uniform(0.185, 0.215)
    for x in (0.48, 1.88):
        pen.fill(ellipse(x, 0.21, radius * 1.22, radius * 1.22), DARK)
        _wheel(pen, x, radius)


def car_rear(pen: Pen, coat: Material, rng: Rng) -> None:
    """A car from behind or in front (aspect 1.25)."""
    lamps = TAIL_LAMP if rng.random() < 0.6 else LAMP
    for x in (0.2, 1.05):
        pen.fill(soft(box(x - 0.11, 0, x + 0.11, 0.3), 2), TYRE)
    pen.fill(
        soft([(0.03, 0.14), (0.02, 0.5), (0.1, 0.62), (0.27, 0.97), (0.98, 0.97), (1.15, 0.62),
              (1.23, 0.5), (1.22, 0.14)], 2),
        coat,
    )  # fmt: skip
    pen.fill(soft([(0.2, 0.63), (0.33, 0.91), (0.92, 0.91), (1.05, 0.63)], 1), GLASS)
    pen.fill(box(0.05, 0.15, 1.2, 0.27), Material(tint(coat.colour, 0.5)))
    pen.fill(box(0.46, 0.33, 0.79, 0.42), Material((0.9, 0.88, 0.7), relief=0.2))
    for x in (0.16, 1.09):
        pen.fill(ellipse(x, 0.47, 0.10, 0.06), lamps)
    pen.limb([(0.0, 0.6), (0.1, 0.62)], 0.07, DARK)
    pen.limb([(1.25, 0.6), (1.15, 0.62)], 0.07, DARK)


def bus(pen: Pen, coat: Material, rng: Rng) -> None:
    """A city bus from the side (aspect 2.7)."""
    trim = Material(lacquer(rng))
    pen.fill(soft(box(0.02, 0.1, 2.68, 1.0), 2), coat)
    pen.fill(box(0.04, 0.38, 2.66, 0.48), trim)
    doors = (0.22, 1.4)
    for x in np.arange(0.52, 2.5, 0.31):
        if abs(x - 1.4) > 0.2:
            pen.fill(soft(box(x, 0.55, x + 0.27, 0.87), 1), GLASS)
    for x in doors:
        pen.fill(box(x - 0.13, 0.14, x + 0.13, 0.87), GLASS)
        pen.limb([(x, 0.14), (x, 0.87)], 0.02, DARK)
    pen.fill(box(0.5, 0.9, 1.3, 0.97), DARK)
    pen.fill(ellipse(0.06, 0.26, 0.04, 0.04), LAMP)
    for x in (0.58, 2.15):
        pen.fill(ellipse(x, 0.14, 0.17, 0.17), DARK)
        _wheel(pen, x, 0.135)


def bus_front(pen: Pen, coat: Material, rng: Rng) -> None:
    """A bus from the front (aspect 0.85)."""
    for x in (0.14, 0.71):
        pen.fill(box(x - 0.08, 0, x + 0.08, 0.16), TYRE)
    pen.fill(soft(box(0.02, 0.06, 0.83, 1.0), 2), coat)
    pen.fill(soft(box(0.07, 0.4, 0.78, 0.82), 1), GLASS)
    pen.fill(box(0.16, 0.86, 0.69, 0.95), DARK)
    pen.limb([(0.425, 0.4), (0.425, 0.82)], 0.012, DARK)
    pen.fill(box(0.04, 0.1, 0.81, 0.2), Material(lacquer(rng)))
    for x in (0.13, 0.72):
        pen.fill(ellipse(x, 0.28, 0.06, 0.04), LAMP)
    pen.limb([(0.0, 0.78), (-0.04, 0.6)], 0.035, DARK)
    pen.limb([(0.85, 0.78), (0.89, 0.6)], 0.035, DARK)


def truck(pen: Pen, coat: Material, rng: Rng) -> None:
    """A lorry with a separate load (aspect 2.1)."""
    load = Material(lacquer(rng), "stripes", (0.85, 0.85, 0.85), 0.05, 0.25, np.pi / 2)
    pen.fill(box(0.1, 0.15, 2.05, 0.25), DARK)
    pen.fill(soft([(0.02, 0.15), (0.0, 0.45), (0.12, 0.82), (0.52, 0.84), (0.52, 0.15)], 1), coat)
    pen.fill(soft([(0.07, 0.48), (0.16, 0.76), (0.42, 0.76), (0.42, 0.48)], 1), GLASS)
    pen.fill(box(0.6, 0.25, 2.1, rng.uniform(0.86, 1.0)), load)
    pen.fill(ellipse(0.05, 0.3, 0.035, 0.04), LAMP)
    for x in (0.28, 1.45, 1.75):
        _wheel(pen, x, 0.125)


def train(pen: Pen, coat: Material, rng: Rng) -> None:
    """A railcar with a sloping nose (aspect 3.2)."""
    pen.fill(box(0.2, 0.0, 3.1, 0.16), DARK)
    nose = rng.uniform(0.25, 0.6)
    pen.fill(soft([(0.0, 0.1), (0.02, 0.42), (nose, 0.98), (3.2, 0.98), (3.2, 0.1)], 2), coat)
    pen.fill(
        soft([(0.1, 0.52), (nose * 0.9, 0.88), (nose + 0.1, 0.88), (nose + 0.1, 0.52)], 1), GLASS
    )
    pen.fill(box(0.06, 0.28, 3.2, 0.36), Material(lacquer(rng)))
    for x in np.arange(nose + 0.3, 3.0, 0.3):
        pen.fill(soft(box(x, 0.5, x + 0.23, 0.82), 1), GLASS)
    for x in np.arange(0.4, 3.1, 0.38):
        pen.fill(ellipse(x, 0.08, 0.08, 0.08), TYRE)
        pen.fill(ellipse(x, 0.08, 0.035, 0.035), CHROME)
    pen.fill(ellipse(0.08, 0.3, 0.04, 0.04), LAMP)
    if rng.random() < 0.5:
        pen.limb([(1.4, 0.98), (1.6, 1.1), (1.8, 0.98)], 0.025, DARK)


def bicycle(pen: Pen, coat: Material, rng: Rng) -> None:
    """A bicycle; one sees through its wheels (aspect 1.7)."""
    radius, tyre = 0.35, 0.075
    for x in (0.37, 1.33):
        pen.fill(ellipse(x, radius, radius, radius), TYRE)
        pen.hole(ellipse(x, radius, radius - tyre, radius - tyre))
        for turn in np.arange(4) * np.pi / 4 + rng.uniform(0, 1):
            dx, dy = (0.3 * np.cos(turn), 0.3 * np.sin(turn))
            pen.limb([(x - dx, radius - dy), (x + dx, radius + dy)], 0.008, CHROME)
    crank, seat, head = (0.8, 0.33), (0.62, 0.82), (1.18, 0.84)
    rear, front = (0.37, 0.35), (1.33, 0.35)
    for start, end in ((rear, crank), (rear, seat), (crank, seat), (crank, head), (seat, head)):
        pen.limb([start, end], 0.05, coat)
    pen.limb([front, head, (1.14, 1.0)], 0.05, coat)
    pen.limb([(1.02, 0.98), (1.14, 1.0), (1.26, 0.93)], 0.045, DARK)
    pen.limb([seat, (0.6, 0.9)], 0.035, CHROME)
    pen.fill(soft([(0.48, 0.9), (0.5, 0.96), (0.76, 0.93), (0.74, 0.89)], 1), DARK)
    pen.fill(ellipse(*crank, 0.08, 0.08), CHROME)
