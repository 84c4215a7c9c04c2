"""People and animals from parametric bodies; one four-legged body makes many animals."""

from dataclasses import dataclass

from openscenes.synthetic.colours import DARK, SKINS, lacquer, pick, tint
from openscenes.synthetic.pen import Material, Outline, Pen, ellipse, soft
from openscenes.synthetic.texture import Rng

_SKIRT = ((0.28, 0.6), (0.38, 0.3), (0.05, 0.3), (0.14, 0.6))
_HIPS = ((0.29, 0.6), (0.31, 0.43), (0.12, 0.43), (0.13, 0.6))
# Around a head, in its radii.
_LONG_HAIR = ((-1.15, -1.4), (-1.2, 1.0), (0.5, 1.0), (0.2, -1.3))
_SHORT_HAIR = ((-1.05, -0.3), (-1.05, 1.1), (0.9, 1.35), (0.9, 0.5), (-0.2, 0.5))
_CAT_EAR = ((0.95, 0.2), (0.85, 1.45), (0.2, 0.8))
_INNER_EAR = ((0.8, 0.5), (0.76, 1.15), (0.4, 0.8))
_HAIRS = ((0.12, 0.09, 0.07), (0.35, 0.22, 0.12), (0.75, 0.60, 0.35), (0.55, 0.54, 0.53))


def person(pen: Pen, coat: Material, rng: Rng) -> None:
    """A standing or walking person (aspect 0.42)."""
    skin, trousers = Material(pick(SKINS, rng)), Material(tint(lacquer(rng), 0.7))
    stride, swing = rng.uniform(0.0, 0.13), rng.uniform(0.02, 0.12)
    hip, knee = 0.47, 0.25
    for side, shade in ((-1, 0.75), (1, 1.0)):
        leg = Material(tint(trousers.colour, shade))
        foot = 0.21 + side * stride
        joints = [(0.21 + side * 0.04, hip), (0.215 + side * stride * 0.7, knee), (foot, 0.04)]
        pen.limb(joints, [0.12, 0.09, 0.07], leg)
        pen.limb([(foot, 0.03), (foot + 0.055, 0.02)], 0.05, DARK)
    sleeve = Material(tint(coat.colour, 0.7))
    pen.limb([(0.17, 0.78), (0.14 - swing, 0.6), (0.16 - swing, 0.46)], [0.08, 0.06], sleeve)
    pen.fill(ellipse(0.16 - swing, 0.44, 0.026, 0.03), skin)
    shoulders = [(0.11, 0.8), (0.16, 0.845), (0.27, 0.845), (0.32, 0.79)]
    skirted = rng.random() < 0.35
    pen.fill(soft([*shoulders, *(_SKIRT if skirted else _HIPS)], 2), coat)
    elbow = 0.30 + swing
    pen.limb([(0.28, 0.78), (elbow, 0.62), (elbow + 0.03, 0.49)], [0.085, 0.06], coat)
    pen.fill(ellipse(elbow + 0.03, 0.46, 0.028, 0.032), skin)
    _head(pen, 0.215, 0.915, 0.066, skin, rng)
    if rng.random() < 0.3:
        bag = Material(lacquer(rng))
        pen.fill(soft([(0.03, 0.6), (0.03, 0.8), (0.14, 0.8), (0.14, 0.6)], 2), bag)


def _head(pen: Pen, x: float, y: float, radius: float, skin: Material, rng: Rng) -> None:
    hair = Material(pick(_HAIRS, rng), relief=0.6)
    pen.limb([(x - 0.005, y - 1.5 * radius), (x, y)], 0.9 * radius, skin)
    if rng.random() < 0.4:
        pen.fill(soft(_around(x, y, radius, _LONG_HAIR), 2), hair)
    pen.fill(ellipse(x + 0.1 * radius, y, 0.92 * radius, 1.15 * radius), skin)
    pen.fill(soft(_around(x, y, radius, _SHORT_HAIR), 2), hair)


def _around(x: float, y: float, radius: float, outline: Outline) -> Outline:
    """An outline given in radii around (x, y)."""
    return [(x + u * radius, y + v * radius) for u, v in outline]


def rider(pen: Pen, coat: Material, rng: Rng) -> None:
    """Someone bent over handlebars, without the two-wheeler (aspect 0.8)."""
    skin, trousers = Material(pick(SKINS, rng)), Material(tint(lacquer(rng), 0.6))
    pen.limb([(0.22, 0.44), (0.5, 0.34), (0.40, 0.04), (0.47, 0.02)], [0.15, 0.11, 0.07], trousers)
    pen.fill(
        soft([(0.08, 0.42), (0.14, 0.6), (0.4, 0.82), (0.52, 0.78), (0.4, 0.56), (0.32, 0.36)], 2),
        coat,
    )
    pen.limb([(0.46, 0.74), (0.58, 0.56), (0.72, 0.54)], [0.1, 0.07, 0.06], coat)
    pen.fill(ellipse(0.74, 0.54, 0.035, 0.035), skin)
    pen.fill(ellipse(0.55, 0.88, 0.075, 0.09), skin)
    helmet = Material(lacquer(rng), gloss=0.4)
    pen.fill(soft([(0.44, 0.9), (0.46, 1.0), (0.62, 1.02), (0.66, 0.91)], 2), helmet)


@dataclass(frozen=True, slots=True)
class Body:
    """Proportions of a four-legged animal, in its height up to the top of the head."""

    length: float
    leg: float
    belly: float
    neck: float
    lean: float
    head: float
    snout: float
    ear: float
    tail: float
    leg_width: float


BODIES = {
    "dog": Body(0.85, 0.36, 0.26, 0.22, 0.16, 0.13, 0.14, 0.13, 0.30, 0.085),
    "horse": Body(0.80, 0.42, 0.26, 0.30, 0.22, 0.09, 0.22, 0.07, 0.38, 0.07),
    "cow": Body(1.05, 0.38, 0.38, 0.12, 0.20, 0.13, 0.18, 0.10, 0.35, 0.09),
    "sheep": Body(0.85, 0.28, 0.46, 0.14, 0.12, 0.12, 0.12, 0.09, 0.08, 0.075),
    "giraffe": Body(0.42, 0.40, 0.17, 0.42, 0.20, 0.05, 0.10, 0.05, 0.20, 0.045),
    "zebra": Body(0.85, 0.40, 0.30, 0.24, 0.20, 0.10, 0.20, 0.08, 0.30, 0.075),
    "elephant": Body(0.95, 0.36, 0.48, 0.06, 0.14, 0.20, 0.10, 0.0, 0.25, 0.17),
    "bear": Body(0.95, 0.30, 0.44, 0.10, 0.14, 0.17, 0.13, 0.06, 0.04, 0.15),
}


def quadruped(pen: Pen, coat: Material, rng: Rng, body: Body) -> None:
    """A four-legged animal walking to the right (aspect about length + 0.5)."""
    far = Material(tint(coat.colour, 0.6), relief=coat.relief)
    back, left = body.leg + body.belly, 0.18
    right = left + body.length
    _legs(pen, body, far, rng, left + 0.10)
    bend = back - 0.12 + 0.1 * rng.random()
    tail = [(left + 0.03, back - 0.05), (left - 0.10, bend), (left - 0.13, back - body.tail)]
    pen.limb(tail, [0.05, 0.03, 0.035], far)
    pen.fill(soft([(left - 0.03, back - 0.12), (left + 0.08, back), (right - 0.2, back - 0.04),
                   (right + 0.02, back), (right + 0.06, body.leg + 0.08),
                   (right - 0.15, body.leg - 0.05), (left + 0.2, body.leg - 0.02),
                   (left, body.leg)], 2), coat)  # fmt: skip
    _legs(pen, body, coat, rng, left + 0.06)
    crown = (right + body.lean, min(back + body.neck, 0.94 - body.head * 0.3))
    pen.limb(
        [(right - 0.06, back - 0.4 * body.belly), crown], [0.8 * body.belly, body.head * 1.3], coat
    )
    muzzle = (crown[0] + body.snout, crown[1] - body.snout * 0.55)
    pen.limb([crown, muzzle], [body.head * 1.5, body.head * 0.85], coat)
    for shift in (-0.03, 0.03):
        x, y = crown[0] - 0.03 + shift, crown[1] + body.head * 0.4
        pen.fill(soft([(x - 0.03, y), (x - 0.02, y + body.ear), (x + 0.035, y)], 1), far)
    pen.fill(ellipse(crown[0] + body.snout * 0.25, crown[1] + 0.015, 0.014, 0.016), DARK)
    pen.fill(ellipse(muzzle[0] + body.head * 0.3, muzzle[1], 0.022, 0.02), DARK)


def _legs(pen: Pen, body: Body, coat: Material, rng: Rng, start: float) -> None:
    widths = [body.leg_width * 1.5, body.leg_width, body.leg_width * 0.85]
    for x in (start, start + body.length - 0.12):
        step = rng.uniform(-0.08, 0.08)
        joints = [(x, body.leg + 0.08), (x + step * 0.3, body.leg * 0.5), (x + step, 0.03)]
        pen.limb(joints, widths, coat)


def elephant(pen: Pen, coat: Material, rng: Rng) -> None:
    """An elephant: the four-legged body, an ear and a trunk (aspect 1.55)."""
    quadruped(pen, coat, rng, BODIES["elephant"])
    dark = Material(tint(coat.colour, 0.75), relief=0.9)
    pen.limb([(1.34, 0.8), (1.46, 0.55), (1.46, 0.25), (1.53, 0.14)], [0.18, 0.12, 0.07], coat)
    pen.fill(soft([(1.0, 0.95), (0.92, 0.6), (1.06, 0.45), (1.22, 0.66), (1.2, 0.95)], 2), dark)
    pen.limb([(1.36, 0.62), (1.5, 0.5)], [0.045, 0.02], Material((0.93, 0.9, 0.8)))
    pen.fill(ellipse(1.3, 0.83, 0.018, 0.02), DARK)


def cat_sitting(pen: Pen, coat: Material, rng: Rng) -> None:
    """A cat sitting upright (aspect 0.8)."""
    pale = Material(tint(coat.colour, 1.45), "fur", coat.colour, strength=0.5)
    pen.limb([(0.55, 0.08), (0.74, 0.06), (0.77, 0.25), (0.7, 0.36)], [0.09, 0.08, 0.05], coat)
    pen.fill(
        soft([(0.1, 0.02), (0.16, 0.42), (0.26, 0.68), (0.46, 0.68), (0.6, 0.4), (0.66, 0.02)], 2),
        coat,
    )
    pen.fill(soft([(0.24, 0.2), (0.28, 0.6), (0.42, 0.6), (0.44, 0.2)], 2), pale)
    for x in (0.26, 0.40):
        pen.limb([(x, 0.4), (x, 0.05)], [0.1, 0.09], coat)
        pen.fill(ellipse(x - 0.01, 0.035, 0.06, 0.035), pale)
    _cat_head(pen, coat, 0.34, 0.78, 0.17)


def _cat_head(pen: Pen, coat: Material, x: float, y: float, radius: float) -> None:
    pink, eye = Material((0.85, 0.6, 0.58)), Material((0.75, 0.78, 0.25), gloss=0.4)
    for side in (-1, 1):
        for ear, part in ((_CAT_EAR, coat), (_INNER_EAR, pink)):
            pen.fill(_around(x, y, radius, [(side * u, v) for u, v in ear]), part)
    pen.fill(ellipse(x, y, 1.1 * radius, 0.9 * radius), coat)
    for side in (-1, 1):
        pen.fill(
            ellipse(x + side * 0.42 * radius, y + 0.1 * radius, 0.2 * radius, 0.17 * radius), eye
        )
        pen.fill(
            ellipse(x + side * 0.42 * radius, y + 0.1 * radius, 0.07 * radius, 0.16 * radius), DARK
        )
    pen.fill(
        ellipse(x, y - 0.35 * radius, 0.5 * radius, 0.3 * radius), Material(tint(coat.colour, 1.5))
    )
    pen.fill(ellipse(x, y - 0.2 * radius, 0.12 * radius, 0.09 * radius), pink)


def bird(pen: Pen, coat: Material, rng: Rng) -> None:
    """A perching bird (aspect 1.25)."""
    horn = Material((0.85, 0.6, 0.2))
    for x in (0.58, 0.68):
        pen.limb([(x, 0.35), (x + 0.03, 0.02), (x + 0.12, 0.01)], 0.025, horn)
    pen.fill(
        soft([(0.0, 0.28), (0.04, 0.42), (0.4, 0.6), (0.4, 0.4)], 1),
        Material(tint(coat.colour, 0.6)),
    )
    pen.fill(
        soft([(0.25, 0.42), (0.5, 0.75), (0.85, 0.85), (1.0, 0.6), (0.85, 0.32), (0.5, 0.26)], 3),
        coat,
    )
    pen.fill(ellipse(0.93, 0.82, 0.16, 0.16), coat)
    pen.fill(
        soft([(0.22, 0.4), (0.45, 0.66), (0.78, 0.66), (0.72, 0.42)], 2),
        Material(tint(coat.colour, 0.7), "fur", tint(coat.colour, 0.4)),
    )
    pen.fill([(1.05, 0.88), (1.24, 0.8), (1.06, 0.76)], horn)
    pen.fill(ellipse(0.98, 0.86, 0.025, 0.025), DARK)
