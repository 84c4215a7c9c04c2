"""One question and its answer in words and numbers."""

from __future__ import annotations

from openscenes.lessons.interactions.answers import Answer
from openscenes.lessons.interactions.state import Subject, inside


def numbers(subject: Subject, answer: Answer) -> dict[str, str]:
    """What a reader watches while the point moves: name -> value."""
    point = inside(answer.interaction.point, answer.mask.shape)
    on_object = subject.truth[round(point.row), round(point.col)]
    return {
        "IoU": f"{answer.iou:.3f}",
        "mask / truth": f"{answer.mask.sum()} / {subject.truth.sum()} px",
        "probability at the click": f"{answer.at_click:.2f}",
        "the click is": "on the object" if on_object else "not on the object",
        "network": f"{answer.network_ms:.0f} ms",
    }


LEGENDS = {
    "mask": "orange: the network's mask",
    "difference to the ground truth": "light blue: right, red-orange: too much, yellow: missed",
    "ground truth": "green: the object",
    "what the crop leaves out": "dark: not seen by the network",
    "picture alone": "white: box, pink: click",
    "IoU by place of the click": "dark blue: worst click, yellow: best click",
}


def legend(layer: str) -> str:
    """What the colours of a layer mean, as HTML; a map of [0, 1] where nothing else is said."""
    words = LEGENDS.get(layer, "dark blue: 0, yellow: 1")
    return f'<div style="line-height:1.4"><b>{layer}</b>: {words}</div>'


def spoken(subject: Subject, answer: Answer) -> str:
    """What is to be seen, in words and numbers, for who cannot see it."""
    box, point = answer.interaction.box, answer.interaction.point
    rows, cols = f"{box.row0:.0f} to {box.row1:.0f}", f"{box.col0:.0f} to {box.col1:.0f}"
    return (
        f"Picture with a {subject.name}; box over rows {rows} and columns {cols}, click at row "
        f"{point.row:.0f}, column {point.col:.0f}; mask of {answer.mask.sum()} pixels, ground "
        f"truth {subject.truth.sum()}, IoU {answer.iou:.2f}, probability at the click "
        f"{answer.at_click:.2f}"
    )


def spoken_tiles(names: list[str], answer: Answer) -> str:
    """What the sheet of tiles shows."""
    found, predicted = answer.probability, answer.predictor
    return (
        f"The network's crop in {len(names)} tiles: {', '.join(names)}; the coarse probability is "
        f"above one half in {100 * (found > 0.5).mean():.0f} % of the crop, the pixel predictor in "
        f"{100 * (predicted > 0.5).mean():.0f} %"
    )
