"""Colours of coats, skins, tyres and glass, and the materials made of them."""

import colorsys

import numpy as np

from openscenes.synthetic.look import Colour
from openscenes.synthetic.pen import Material
from openscenes.synthetic.texture import PRINTS, Rng

TYRE = Material((0.09, 0.09, 0.10), relief=0.8)
CHROME = Material((0.66, 0.68, 0.70), relief=0.9, gloss=0.5)
GLASS = Material((0.20, 0.27, 0.34), "gradient", (0.62, 0.72, 0.80), strength=0.8, relief=0.25)
DARK = Material((0.13, 0.13, 0.15), relief=0.5)
LAMP = Material((0.97, 0.93, 0.75), relief=0.3, gloss=0.4)
TAIL_LAMP = Material((0.78, 0.10, 0.08), relief=0.4, gloss=0.3)
WOODS: tuple[Colour, ...] = ((0.55, 0.36, 0.20), (0.40, 0.25, 0.14), (0.74, 0.56, 0.36))
SKINS: tuple[Colour, ...] = ((0.88, 0.68, 0.56), (0.72, 0.50, 0.36), (0.45, 0.29, 0.20))
FURS: tuple[Colour, ...] = (
    (0.62, 0.42, 0.24), (0.25, 0.21, 0.19), (0.85, 0.80, 0.72), (0.52, 0.50, 0.48),
    (0.78, 0.55, 0.30), (0.38, 0.26, 0.17),
)  # fmt: skip


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """RGB of a colour given by hue (cyclic), saturation and value in [0, 1]."""
    return colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 1.0))


def lacquer(rng: Rng) -> Colour:
    """A colour as things are sold in: many greys, whites and blacks, some strong hues."""
    if rng.random() < 0.35:
        return hsv(rng.random(), rng.uniform(0, 0.12), rng.choice([0.22, 0.5, 0.72, 0.92]))
    return hsv(rng.random(), rng.uniform(0.45, 0.9), rng.uniform(0.35, 0.92))


def pick(colours: tuple[Colour, ...], rng: Rng, amount: float = 0.05) -> Colour:
    """One of ``colours``, varied by up to ``amount``."""
    return vary(colours[int(rng.integers(len(colours)))], rng, amount)


def vary(colour: Colour, rng: Rng, amount: float) -> Colour:
    """``colour`` moved by up to ``amount`` per channel and in brightness."""
    gain = 1 + rng.uniform(-amount, amount)
    shift = (0.6 * rng.uniform(-amount, amount, 3)).tolist()
    red, green, blue = (
        min(max(value * gain + more, 0.03), 1.0) for value, more in zip(colour, shift, strict=True)
    )
    return red, green, blue


def tint(colour: Colour, factor: float) -> Colour:
    """``colour`` darker (factor < 1) or lighter (factor > 1, towards white)."""
    if factor <= 1:
        return colour[0] * factor, colour[1] * factor, colour[2] * factor
    return blend(colour, (1.0, 1.0, 1.0), factor - 1)


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """``first`` moved by ``share`` of the way to ``second``."""
    mixed = (1 - share) * np.asarray(first) + share * np.asarray(second)
    return float(mixed[0]), float(mixed[1]), float(mixed[2])


def printed(coat: Colour, rng: Rng, chance: float, **options: float) -> Material:
    """A material of colour ``coat`` that with ``chance`` carries a printed pattern."""
    if rng.random() >= chance:
        return Material(coat, "gradient", tint(coat, 0.7), strength=0.5, **options)
    kind = PRINTS[int(rng.integers(len(PRINTS)))]
    brighter = sum(coat) < 1.6
    second = tint(coat, rng.uniform(1.35, 1.75) if brighter else rng.uniform(0.35, 0.65))
    if rng.random() < 0.4:
        second = lacquer(rng)
    period, angle = float(rng.uniform(0.08, 0.28)), float(rng.uniform(0, np.pi))
    return Material(coat, kind, second, period, angle=angle, **options)
