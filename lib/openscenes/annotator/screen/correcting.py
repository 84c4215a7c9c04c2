"""Corrections of the chosen object beside clicks: by hand, by the sides of its box, by its place.

What is painted or taken away by hand stays so when the model predicts anew: a further click never
undoes a stroke.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from openscenes import masks
from openscenes.annotator.screen import mask_edits
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.mask_edits import Ring
from openscenes.annotator.store.frames import by_hand
from openscenes.annotator.store.snapshot import Action, Rle, Snapshot, Stroke
from openscenes.data.records import Box
from openscenes.errors import InputError
from openscenes.masks import BoolMask, Window

_MARGIN_PX = 8  # around a mask that is edited
TIDIED: dict[Action, Callable[[BoolMask], BoolMask]] = {
    "smoothed": mask_edits.smoothed,
    "filled": mask_edits.filled,
    "trimmed": mask_edits.largest,
}


def paint(desk: Desk, stroke: Mapping[str, Any]) -> None:
    """A stroke of brush or eraser on the chosen object.

    Args:
        stroke: "points", (row, col) each, "radius" and "sign" (+1 paints, -1 takes away).
    """
    chosen, points = desk.wanted(), np.array(stroke["points"], float)
    radius, sign = float(stroke["radius"]), int(stroke["sign"])
    box = _around(chosen, [*(points.min(0) - radius), *(points.max(0) + radius + 1)])
    before = masks.decode(chosen.mask, box)
    drawn = mask_edits.stroked(before.shape, points - box[:2], radius)
    kept = Stroke(radius, sign, tuple((float(row), float(col)) for row, col in points))
    after = before | drawn if sign > 0 else before & ~drawn
    _keep(desk, chosen, "brushed" if sign > 0 else "erased", box, before, after, drawn, kept)


def reform(desk: Desk, ring: Mapping[str, Any]) -> None:
    """Move corners of an outline of the chosen object: "before", "after", and whether a "hole"."""
    chosen, corners = desk.wanted(), np.array([*ring["before"], *ring["after"]], float)
    box = _around(chosen, [*corners.min(0), *(corners.max(0) + 1)])
    before = masks.decode(chosen.mask, box)
    both = [np.array(ring[name], float) - box[:2] for name in ("before", "after")]
    after = mask_edits.reformed(before, *both, hole=bool(ring["hole"]))
    rings = [one | {"points": ring["after"]} if one["points"] == ring["before"] else one
             for one in outlines(desk)]  # fmt: skip
    _keep(desk, chosen, "reshaped", box, before, after)
    desk.laid.rings[desk.wanted().mask["counts"]] = rings


def outline(desk: Desk, points: Sequence[Sequence[float]]) -> None:
    """A new object, drawn by its corners (row, col) alone; no model is asked."""
    corners = np.clip(np.rint(points).astype(int), 0, np.array(desk.facts.size) - 1)
    row0, col0 = map(int, corners.min(0))
    shape = tuple(corners.max(0) + 1 - (row0, col0))
    part = mask_edits.inside(shape, corners - (row0, col0))
    code = masks.encode_part(part, row0, col0, desk.facts.size)
    desk.require_unchanged()
    made = desk.annotations.draw(desk.facts, code, class_name=desk.classes.label)
    desk.choose(made.object_id)
    desk.prediction = None
    desk.laid.rings[code["counts"]] = [{"hole": False, "points": corners.tolist()}]


def outlines(desk: Desk) -> list[Ring]:
    """The chosen object's outlines, as ``Canvas.rings``; none without one.

    Corners that the user has put lie where they were put; others follow from the mask.
    """
    chosen = desk.object
    box = None if chosen is None else masks.code_box(chosen.mask)
    if chosen is None or box is None:
        return []
    if chosen.mask["counts"] not in desk.laid.rings:
        found = mask_edits.rings_of(masks.decode(chosen.mask, box))
        desk.laid.rings[chosen.mask["counts"]] = [
            one | {"points": [[row + box[0], col + box[1]] for row, col in one["points"]]}
            for one in found
        ]
    return desk.laid.rings[chosen.mask["counts"]]


def tidy(desk: Desk, action: Action) -> None:
    """Smooth the chosen object's mask, fill its holes, or keep its largest part."""
    chosen = desk.wanted()
    box = _around(chosen, None)
    before = masks.decode(chosen.mask, box)
    after = TIDIED[action](before)
    if not after.any():
        raise InputError("Nothing would be left of this mask; paint more of it first.")
    _keep(desk, chosen, action, box, before, after)


def resize(desk: Desk, sides: tuple[float, float, float, float]) -> None:
    """Move sides of the box that is drawn; the model predicts anew where there is a point."""
    box = Box(*map(float, sides))
    if desk.box is not None:
        desk.box = box
        return
    chosen = desk.wanted()
    further = [(one.row, one.col, one.sign) for one in chosen.clicks[1:]]
    prediction = desk.predicted(box, chosen.interaction.point, further)
    mask = by_hand(prediction.mask, chosen)
    code = masks.encode(mask)
    first = chosen.first_mask if chosen.corrected else code
    made = replace(
        chosen,
        box=box,
        mask=code,
        first_mask=first,
        model=desk.session.label,
        accepted=False,
        stroke=None,
    )
    desk.keep(desk.annotations.edit(chosen, made, "boxed"), mask, prediction)


def move_up(desk: Desk, steps: int) -> None:
    """Put the chosen object in front of all others where ``steps`` is 1, behind them where -1."""
    chosen = desk.wanted()
    others = [steps * one.layer for one in desk.objects if one.object_id != chosen.object_id]
    if not others or steps * chosen.layer > max(others):
        raise InputError("There is no other object in the way of this one.")
    layer = steps * (max(others) + 1)
    made = replace(chosen, layer=layer, stroke=None)
    desk.annotations.edit(chosen, made, "raised" if steps > 0 else "lowered")


def choose_at(desk: Desk, row: int, col: int) -> None:
    """Choose the object in front at a pixel of the image."""
    window = (row, col, row + 1, col + 1)
    there = [one for one in in_order(desk.objects) if masks.decode(one.mask, window).any()]
    if not there:
        raise InputError(f"No object lies at row {row}, column {col}; click on a mask.")
    desk.choose(there[-1].object_id)


def in_order(objects: tuple[Snapshot, ...]) -> list[Snapshot]:
    """Objects from the one behind to the one in front: by layer, the older behind the newer."""
    return sorted(objects, key=lambda one: one.layer)


def _keep(
    desk: Desk,
    chosen: Snapshot,
    action: Action,
    box: Window,
    before: BoolMask,
    after: BoolMask,
    drawn: BoolMask | None = None,
    stroke: Stroke | None = None,
) -> None:
    """Keep an edited mask, and which of its pixels are by hand; a stroke counts where it changed
    nothing, too.
    """
    gained, lost = after & ~before, before & ~after
    if drawn is not None:
        gained, lost = (drawn, lost) if stroke and stroke.sign > 0 else (gained, drawn)
    painted, erased = (_part(code, box) for code in (chosen.painted, chosen.erased))
    made = replace(
        chosen,
        mask=_coded(after, box, chosen),
        painted=_coded((painted | gained) & ~lost, box, chosen),
        erased=_coded((erased | lost) & ~gained, box, chosen),
        stroke=stroke,
        accepted=False,
    )
    desk.annotations.edit(chosen, made, action)


def _part(code: Rle | None, box: Window) -> BoolMask:
    shape = box[2] - box[0], box[3] - box[1]
    return np.zeros(shape, bool) if code is None else masks.decode(code, box)


def _coded(part: BoolMask, box: Window, one: Snapshot) -> Rle:
    return masks.encode_part(part, box[0], box[1], one.size)


def _around(one: Snapshot, further: list[float] | None) -> Window:
    """Whole pixels of the image around all that an object has, and a further box."""
    boxes = [masks.code_box(code) for code in (one.mask, one.painted, one.erased) if code]
    known = [box for box in boxes if box is not None] + ([further] if further else [])
    if not known:
        raise InputError("This mask is empty; paint it with the brush, or click what is missing.")
    sides, (height, width) = np.array(known, float), one.size
    row0, col0 = np.floor(sides[:, :2].min(0)).astype(int) - _MARGIN_PX
    row1, col1 = np.ceil(sides[:, 2:].max(0)).astype(int) + _MARGIN_PX
    row0, col0 = min(max(0, int(row0)), height - 1), min(max(0, int(col0)), width - 1)
    return row0, col0, min(height, int(row1)), min(width, int(col1))
