"""Who stands where: one image from a place, a choice of objects and a look."""

from dataclasses import replace

import numpy as np

from openscenes.synthetic import backdrops
from openscenes.synthetic.camera import capture
from openscenes.synthetic.catalogue import TEMPLATES, Habitat, Template
from openscenes.synthetic.colours import FURS, blend, lacquer, pick, printed, tint, vary
from openscenes.synthetic.foreground import hide_something
from openscenes.synthetic.look import Colour, Look
from openscenes.synthetic.pen import Lighting, Material, Pen, Sprite
from openscenes.synthetic.stage import LabelledImage, Stage
from openscenes.synthetic.texture import Position, Rng, Shape, Textures

_FLOATING = ("sky",)
_EYE_METRES = 1.5


def lighting_of(look: Look, rng: Rng) -> Lighting:
    """The light of one image: from above, left or right, as strong as the look says."""
    angle = rng.uniform(0.25, 0.75) * np.pi
    direction = (float(np.cos(angle)), -float(np.sin(angle)))
    return Lighting(direction, look.directional, 0.45, look.texture)


def coat_of(template: Template, look: Look, behind: Colour, rng: Rng) -> Material:
    """What one object is painted, dressed or furred with."""
    if template.cover == "hide":
        return Material(vary((0.46, 0.43, 0.41), rng, 0.08), "cloud", (0.25, 0.23, 0.22), 0.15, 0.6)
    if template.cover == "striped":
        angle = float(rng.uniform(-0.2, 0.5))
        return Material((0.93, 0.92, 0.88), "stripes", (0.10, 0.09, 0.09), 0.09, 1.0, angle)
    base = pick(FURS, rng) if template.cover in ("fur", "spotted") else lacquer(rng)
    if rng.random() < look.similarity:
        # Fur can come near the ground's colour, not reach it: no green bears.
        share = 0.45 if template.cover in ("fur", "spotted") else 1.0
        base = vary(blend(base, behind, share), rng, 0.08)
    if template.cover == "paint":
        return printed(base, rng, 0.15 * look.patterned, gloss=0.4)
    if template.cover == "fur":
        kind = "stripes" if rng.random() < 0.2 * look.patterned else "fur"
        return Material(base, kind, tint(base, 0.45), 0.14, 0.7, float(rng.uniform(0, 3)))  # type: ignore[arg-type]
    if template.cover == "spotted":
        return Material(tint(base, 1.5), "cloud", tint(base, 0.5), 0.5)
    return printed(base, rng, look.patterned, gloss=0.35 if template.cover == "lacquer" else 0.0)


class Painter:
    """Draws templates for one image: one look, one light, one source of chance."""

    def __init__(self, stage: Stage, textures: Textures, rng: Rng) -> None:
        self.stage, self.textures, self.rng = stage, textures, rng

    def draw(self, template: Template, height: float, coat: Material, *, flip: bool) -> Sprite:
        """One object of ``height`` pixels."""
        tilt = self.rng.uniform(0, 2 * np.pi) if template.turns else self.rng.normal(0, 0.02)
        pen = Pen(height, template.aspect, self.stage.lighting, self.textures, self.rng, flip=flip,
                  tilt=float(tilt))  # fmt: skip
        template.draw(pen, coat, self.rng)
        return pen.sprite()

    def add(
        self, template: Template, base: Position, height: float, *, grounded: bool = True
    ) -> None:
        """Put one object, and with the look's chance a look-alike that overlaps it."""
        behind = self.stage.behind(*base, height)
        coat = coat_of(template, self.stage.look, tuple(behind.tolist()), self.rng)
        flip = bool(self.rng.random() < 0.5)
        if self.rng.random() < self.stage.look.crowding:
            twin = replace(coat, colour=vary(coat.colour, self.rng, 0.07))
            side = 1 if self.rng.random() < 0.5 else -1
            shift = side * self.rng.uniform(0.45, 0.85) * min(template.aspect, 1.6) * height
            beside = (base[0] - self.rng.uniform(0.01, 0.06) * height, base[1] + shift)
            sprite = self.draw(template, 0.94 * height, twin, flip=flip)
            self.stage.put(sprite, beside, template.name, grounded=grounded)
        sprite = self.draw(template, height, coat, flip=flip)
        self.stage.put(sprite, base, template.name, grounded=grounded)


def open_stage(
    place: str, shape: Shape, look: Look, textures: Textures,
    rng: Rng,
) -> Stage:  # fmt: skip
    """A stage with its backdrop slightly out of focus, hazed and lit."""
    backdrop = backdrops.PLACES[place](shape, textures, rng, look.clutter)
    backdrops.soften(backdrop, float(rng.uniform(0.0, 1.3)))
    return Stage(backdrop, look, lighting_of(look, rng))


def everyday(
    templates: tuple[Template, ...], look: Look, textures: Textures, rng: Rng, *,
    crowd: float, gathering: float = 0.0, shape: Shape = (256, 320), size: float = 1.0,
) -> LabelledImage:  # fmt: skip
    """An image of a few things in the place where they belong.

    Args:
        templates: what may appear.
        crowd: expected number of objects beyond the first.
        gathering: chance of a far group of people that is one crowd region.
        shape: (H, W) of the image.
        size: factor on the size of objects.
    """
    look = look.vary(rng)
    leader = _leader(templates, rng)
    place = leader.habitats[int(rng.integers(len(leader.habitats)))]
    stage = open_stage(place, shape, look, textures, rng)
    fitting = [template for template in templates if place in template.habitats]
    count = 1 + int(rng.poisson(crowd))
    chosen = [leader, *(fitting[int(k)] for k in rng.integers(len(fitting), size=count - 1))]
    spread = size / (1 + 0.10 * (count - 1))
    spots = _spots(chosen, stage, place, spread, rng)
    painter = Painter(stage, textures, rng)
    if rng.random() < gathering and place in ("street", "meadow"):
        _gather(painter)
    for (row, col), height, template in sorted(spots, key=lambda spot: spot[0][0]):
        painter.add(template, (row, col), height, grounded=place not in _FLOATING)
    for _ in range(int(rng.poisson(look.occluders))):
        hide_something(stage, textures, rng, place)
    return stage.finish(capture(stage.backdrop.colour, look, rng))


def _gather(painter: Painter) -> None:
    """A far group of people, too dense to tell apart: one crowd region."""
    rng, stage = painter.rng, painter.stage
    (walker,) = (template for template in TEMPLATES if template.name == "person")
    row = stage.backdrop.horizon + 6.0
    start = rng.uniform(0.1, 0.7) * stage.numbers.shape[1]
    number = None
    for _ in range(int(rng.integers(6, 12))):
        height = float(rng.uniform(26, 34))
        coat = coat_of(walker, stage.look, lacquer(rng), rng)
        sprite = painter.draw(walker, height, coat, flip=bool(rng.random() < 0.5))
        spot = (row + float(rng.uniform(0, 4)), start + float(rng.uniform(0, 60)))
        number = stage.put(sprite, spot, "person", number=number, crowd=True)


def _leader(templates: tuple[Template, ...], rng: Rng) -> Template:
    """A template, every class equally likely however many ways there are to draw it."""
    names = sorted({template.name for template in templates})
    name = names[int(rng.integers(len(names)))]
    ways = [template for template in templates if template.name == name]
    return ways[int(rng.integers(len(ways)))]


def _spots(
    chosen: list[Template], stage: Stage, place: Habitat, spread: float, rng: Rng
) -> list[tuple[Position, float, Template]]:
    """Base point and height of every object: shuffled columns, sizes that obey perspective."""
    height, width = stage.numbers.shape
    lanes = (rng.permutation(len(chosen)) + rng.uniform(0.25, 0.75, len(chosen))) / len(chosen)
    horizon = stage.backdrop.horizon
    spots = []
    for template, lane in zip(chosen, lanes, strict=True):
        tall = height * rng.uniform(*template.size) * spread
        tall = min(tall, 0.9 * width / template.aspect)
        if horizon > 0.8 * height:
            row = rng.uniform(tall, max(height - 8, tall + 1))
        elif horizon < 0:
            row = rng.uniform(min(0.45 * tall + 40, 0.9 * height), 1.02 * height)
        else:
            low = max(horizon + 0.10 * tall + 4, tall * 0.75)
            row = rng.uniform(low, max(1.03 * height, low + 1))
            if place in ("street", "meadow"):
                # Feet of what is shown large for its true size stand near the viewer.
                near = horizon + _EYE_METRES * tall / template.metres
                row = max(min(near, height * rng.uniform(0.9, 1.02)), low)
        spots.append(((float(row), float(lane * width)), float(tall), template))
    return spots
