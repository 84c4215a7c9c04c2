"""A colour for each class, the same on the canvas and in the list."""

from collections.abc import Sequence

# Twelve that are told apart on images, none of them the chosen object's (Okabe-Ito's orange).
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#F0E442", "#56B4E9",
    "#7B3FA0", "#A6761D", "#E7298A", "#1B9E9E", "#66A61E", "#5D4037",
)  # fmt: skip
UNNAMED = "#8C8C8C"


def class_colours(names_in_order: Sequence[str]) -> dict[str, str]:
    """Each class's colour by its place in the list, the first again after the twelfth."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names_in_order)}


def ink_on(colour: str) -> str:
    """Black or white, whichever is read on a colour "#rrggbb" (relative luminance above 0.4)."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.4 else "#ffffff"
