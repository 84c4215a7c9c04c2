"""Which objects exist: drawing, proportions, true size, habitat, and official class names."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from openscenes.synthetic import craft, living, tabletop, things, vehicles
from openscenes.synthetic.pen import Material, Pen
from openscenes.synthetic.texture import Rng

Draw = Callable[[Pen, Material, Rng], None]
Cover = Literal["paint", "lacquer", "cloth", "fur", "spotted", "striped", "hide", "fixed"]
Habitat = Literal["street", "meadow", "sky", "water", "room", "table"]

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip

CITYSCAPES_LABELS = {
    "person": 24, "rider": 25, "car": 26, "truck": 27, "bus": 28, "train": 31, "motorcycle": 32,
    "bicycle": 33,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """One way to draw one class.

    Attributes:
        name: class in VOC's words where VOC has it, else in COCO's.
        draw: paints it with a pen.
        aspect: width over height of the drawing.
        metres: true height, which fixes sizes in street scenes.
        size: share of the image's height that it takes elsewhere, low and high.
        habitats: where it is found.
        cover: what its coat is made of.
        turns: whether it may lie at any angle.
    """

    name: str
    draw: Draw
    aspect: float
    metres: float
    size: tuple[float, float]
    habitats: tuple[Habitat, ...]
    cover: Cover = "lacquer"
    turns: bool = False


def _animal(name: str, metres: float, cover: Cover, size: tuple[float, float]) -> Template:
    body = living.BODIES[name]
    draw = partial(living.quadruped, body=body)
    aspect = 0.18 + body.length + body.lean + body.snout + 0.08
    return Template(name, draw, aspect, metres, size, ("meadow",), cover)


TEMPLATES: tuple[Template, ...] = (
    Template("car", vehicles.car_side, 2.4, 1.5, (0.20, 0.38), ("street",), "paint"),
    Template("car", vehicles.car_rear, 1.25, 1.5, (0.25, 0.5), ("street",), "paint"),
    Template("bus", vehicles.bus, 2.7, 3.0, (0.3, 0.45), ("street",), "paint"),
    Template("bus", vehicles.bus_front, 0.85, 3.0, (0.4, 0.7), ("street",), "paint"),
    Template("truck", vehicles.truck, 2.1, 3.2, (0.3, 0.5), ("street",), "paint"),
    Template("train", vehicles.train, 3.2, 3.6, (0.28, 0.42), ("meadow",), "paint"),
    Template("bicycle", vehicles.bicycle, 1.7, 1.1, (0.3, 0.5), ("street", "meadow"), "paint"),
    Template("motorbike", craft.motorbike, 1.75, 1.15, (0.3, 0.5), ("street", "meadow"), "paint"),
    Template("aeroplane", craft.aeroplane, 2.8, 5.0, (0.2, 0.34), ("sky",), "paint"),
    Template("boat", craft.sailing_boat, 0.9, 6.0, (0.4, 0.75), ("water",), "cloth"),
    Template("boat", craft.motor_boat, 2.1, 3.0, (0.2, 0.4), ("water",), "paint"),
    Template(
        "person", living.person, 0.42, 1.72, (0.45, 0.9), ("street", "meadow", "room"), "cloth"
    ),
    Template("cat", living.cat_sitting, 0.8, 0.45, (0.3, 0.6), ("room", "meadow"), "fur"),
    _animal("dog", 0.6, "fur", (0.3, 0.55)),
    _animal("horse", 1.9, "fur", (0.4, 0.75)),
    _animal("cow", 1.5, "spotted", (0.35, 0.6)),
    _animal("sheep", 0.8, "fur", (0.3, 0.5)),
    Template("bird", living.bird, 1.25, 0.25, (0.25, 0.5), ("meadow",), "fur"),
    Template("bottle", things.bottle, 0.32, 0.3, (0.4, 0.75), ("table", "room")),
    Template("chair", things.chair, 0.62, 0.95, (0.45, 0.75), ("room",), "cloth"),
    Template("pottedplant", things.potted_plant, 0.8, 0.8, (0.4, 0.7), ("room",)),
    Template("sofa", things.sofa, 2.1, 0.9, (0.3, 0.45), ("room",), "cloth"),
    Template("tvmonitor", things.television, 1.45, 0.6, (0.3, 0.5), ("room",), "fixed"),
)

RIDER = Template("rider", living.rider, 0.8, 1.45, (0.4, 0.6), ("street",), "cloth")

NOVEL_TEMPLATES: tuple[Template, ...] = (
    _animal("giraffe", 4.5, "spotted", (0.5, 0.85)),
    _animal("zebra", 1.5, "striped", (0.35, 0.6)),
    _animal("bear", 1.3, "fur", (0.3, 0.55)),
    Template("elephant", living.elephant, 1.55, 3.0, (0.35, 0.6), ("meadow",), "hide"),
    Template("kite", craft.kite, 0.75, 1.0, (0.25, 0.5), ("sky",), turns=True),
    Template("surfboard", craft.surfboard, 0.28, 2.0, (0.4, 0.7), ("water", "room"), turns=True),
    Template("umbrella", things.umbrella, 1.15, 1.0, (0.3, 0.6), ("meadow", "water"), "cloth"),
    Template("stop sign", things.stop_sign, 0.5, 2.4, (0.5, 0.85), ("meadow", "street"), "fixed"),
    Template("clock", things.clock, 1.0, 0.4, (0.2, 0.4), ("room", "table")),
    Template("vase", things.vase, 0.65, 0.4, (0.35, 0.6), ("table", "room")),
    Template("cup", things.cup, 1.15, 0.1, (0.2, 0.4), ("table",)),
    Template("teddy bear", tabletop.teddy_bear, 0.85, 0.4, (0.3, 0.6), ("room", "table"), "fur"),
    Template("banana", tabletop.banana, 1.7, 0.1, (0.15, 0.28), ("table",), "fixed", True),
    Template("donut", tabletop.donut, 1.15, 0.1, (0.18, 0.35), ("table",)),
    Template("scissors", tabletop.scissors, 0.75, 0.2, (0.3, 0.5), ("table",), turns=True),
    Template("pizza", tabletop.pizza, 1.5, 0.2, (0.25, 0.42), ("table",), "fixed"),
    Template("apple", tabletop.apple, 1.0, 0.1, (0.15, 0.3), ("table",), "fixed"),
    Template("book", tabletop.book, 0.75, 0.3, (0.3, 0.5), ("table", "room"), turns=True),
    Template("spoon", tabletop.spoon, 0.24, 0.2, (0.4, 0.65), ("table",), "fixed", True),
    Template("skateboard", tabletop.skateboard, 3.0, 0.2, (0.08, 0.14), ("room", "meadow")),
    Template("tennis racket", tabletop.tennis_racket, 0.46, 0.7, (0.45, 0.75), ("meadow", "room"),
          turns=True),
)  # fmt: skip

# VOC's names in COCO's words, where they differ.
COCO_NAMES = {
    "aeroplane": "airplane", "motorbike": "motorcycle", "pottedplant": "potted plant",
    "sofa": "couch", "tvmonitor": "tv", "diningtable": "dining table",
}  # fmt: skip

CITYSCAPES_NAMES = {"motorbike": "motorcycle"}


def templates_of(
    names: tuple[str, ...], source: tuple[Template, ...] = TEMPLATES
) -> tuple[Template, ...]:
    """The templates that draw one of ``names``."""
    return tuple(template for template in source if template.name in names)
