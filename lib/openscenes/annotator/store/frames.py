"""The frame that objects lie on: their image upright, or lying as its pixels are stored."""

from collections.abc import Sequence

import numpy as np

from openscenes.amounts import amount
from openscenes.annotator.store.snapshot import ImageFacts, Rle, Snapshot
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.masks import BoolMask, code_box, decode, encode


def code_of(mask: BoolMask, size: tuple[int, int]) -> Rle:
    """The run-length code of a mask; InputError if it is not of its image's (height, width)."""
    if mask.shape != tuple(size):
        raise InputError(
            f"A mask of {mask.shape} does not lie on an image of {tuple(size)}, both "
            "(height, width); give the mask in the image's own pixels."
        )
    return encode(mask)


def by_hand(mask: BoolMask, one: Snapshot) -> BoolMask:
    """A (H, W) mask that the model predicts, with what the user painted and took away by hand."""
    if one.painted is None and one.erased is None:
        return mask
    whole = mask.copy("K")  # a transposed copy of a large mask takes longer than the prediction
    for code, inside in ((one.painted, True), (one.erased, False)):
        box = code and code_box(code)
        if box:
            row0, col0, row1, col1 = box
            whole[row0:row1, col0:col1][decode(code, box)] = inside
    return whole


def upright(
    facts: ImageFacts, interaction: Interaction, mask: BoolMask
) -> tuple[Interaction, BoolMask]:
    """Box, point and mask on the upright image, from a caller who read the pixels as stored.

    That is told from the mask's shape alone, where the orientation swaps height and width;
    anything else is given back as it is.
    """
    from openscenes.data.datasets.orientation import swaps_sides, turned  # these load torch

    (height, width), tag = facts.size, facts.orientation
    if not swaps_sides(tag) or height == width or mask.shape != (width, height):
        return interaction, mask
    corners = np.array(interaction.box).reshape(2, 2)[:, ::-1]
    point = np.array(interaction.point)[::-1]
    sides = np.array(facts.size)
    mirrored = np.array([tag in (7, 8), tag in (6, 7)])
    corners = np.sort(np.where(mirrored, sides - corners, corners), axis=0)
    point = np.where(mirrored, sides - 1 - point, point)
    box = Box(*map(float, corners.ravel()))
    return Interaction(box, Point(*map(float, point))), turned(mask, tag)


def fitting(objects: Sequence[Snapshot], facts: ImageFacts) -> tuple[tuple[Snapshot, ...], str]:
    """The objects of an image that lie on it, and one sentence about those that do not.

    Earlier versions showed an image as its pixels are stored, whatever its EXIF orientation says:
    their objects have another size, or lie mirrored or upside down where the size is the same.
    """
    fits = tuple(
        one for one in objects
        if one.size == facts.size and (one.pixel_digest is not None or facts.orientation == 1)
    )  # fmt: skip
    n = len(objects) - len(fits)
    if n == 0:
        return fits, ""
    return fits, (
        f"{amount(n, 'object')} of {one_line(facts.path)} left out, made on another frame "
        f"than the image of {facts.size[0]}x{facts.size[1]} pixels that its EXIF orientation gives "
        "now; draw them anew, or save the image without its orientation tag."
    )
