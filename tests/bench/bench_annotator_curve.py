"""How good are masks after so many corrections, through the annotator's own page on photographs?

Run: ``OMP_NUM_THREADS=1 python tests/bench/bench_annotator_curve.py FOLDER [40]``, with a folder in
the layout of COCO (``annotations/instances_val2017.json``, ``val2017``). A simulated person, whose
boxes and clicks err as people's do, sends what a browser sends: gestures to the canvas, in whole
pixels. She corrects what she sees, in the larger error, up to twelve times. The model is that of
the repository, which has seen synthetic scenes alone, with the evidence of image and box. Nothing
is trained or tuned here. A click is obeyed where its pixel has its label afterwards, and mends
where at least half of the error in which it lay is gone.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from openscenes import masks
from openscenes.annotator.screen.widget import Annotator
from openscenes.annotator.store.workspace import open_workspace
from openscenes.data import datasets
from openscenes.data.interactions import next_click, simulate
from openscenes.errors import InputError
from openscenes.seeding import numpy_generator
from openscenes.study.options import profile_named

AFTER, MOST, LEAST_AREA = (0, 1, 2, 3, 5, 8, 12), 12, 1000
# A box takes people 7 s (Papadopoulos 2017), a polygon of COCO 79 s (Lin 2014); a click: assumed.
BOX_S, CLICK_S, POLYGON_S = 7, 3, 79


class NoStudy:
    """Nothing evolves here."""

    device = "cpu"

    def __call__(self):
        raise InputError("This measurement evolves nothing.")


def chosen(records, n):
    """n objects of as many images, drawn once."""
    drawn, images = [], set()
    for position in numpy_generator("curve", len(records)).permutation(len(records)):
        if records[position].image not in images:
            drawn.append(records[position])
            images.add(records[position].image)
    return drawn[:n]


def sent(window, kind, **facts):
    """A gesture of the browser; milliseconds until the page is drawn, or None for a refusal."""
    canvas, begun = window.canvas, time.perf_counter()
    canvas.gestures = [{"n": canvas.answered + 1, "kind": kind, **facts}]
    if window.callbacks.failures.outputs:
        raise RuntimeError(window.callbacks.failures.outputs[-1]["evalue"])
    return None if window.callbacks.message.value else 1e3 * (time.perf_counter() - begun)


def mended(before, after, truth, click):
    """Whether the click's pixel has its label, and half of its error is gone; None: it slipped."""
    obeyed = bool(after[click[:2]]) == (click.sign > 0)
    wrong = truth & ~before if click.sign > 0 else before & ~truth
    regions, _ = ndimage.label(wrong)
    region = regions == regions[click[:2]] if regions[click[:2]] else None
    left = None if region is None else (region & (after != truth)).sum() <= region.sum() / 2
    return obeyed, left


def corrected(window, record, config, crop):
    """IoU after every correction, and what became of each click."""
    truth = datasets.read_mask(record)
    generator = numpy_generator("curve person", record.object_id)
    box, point = (given := simulate(truth, config, crop, generator)).box, given.point
    places = {path.name: place for place, path in enumerate(window.desk.images)}
    window.desk.lay(places[record.image.name])
    sent(window, "box", box=[round(side) for side in box])
    row, col = (int(np.clip(round(at), low, high - 1)) for at, low, high in
                zip(point, map(round, box[:2]), map(round, box[2:]), strict=True))  # fmt: skip
    times = [sent(window, "point", row=row, col=col, sign=1)]
    seen = masks.decode(window.desk.object.mask)
    ious, told, clicked = [masks.iou(seen, truth)], [], [(row, col)]
    while len(ious) <= MOST:
        click = next_click(seen, truth, None, clicked, generator)
        if click is None:
            ious.append(ious[-1])
            continue
        clicked.append(click[:2])
        ms = sent(window, "click", row=click.row, col=click.col, sign=click.sign)
        now = masks.decode(window.desk.object.mask)
        told.append((ms is not None, *mended(seen, now, truth, click), masks.iou(now, truth)
                     - ious[-1]))  # fmt: skip
        times += [ms] * (ms is not None)
        seen = now
        ious.append(masks.iou(seen, truth))
    return ious, told, times


def main(folder, n):
    """Print the curve."""
    profile = profile_named("demo")
    config = replace(profile.clicks, user="human")
    records = chosen(datasets.coco(folder, "val2017", min_area=LEAST_AREA).records, n)
    with tempfile.TemporaryDirectory() as scratch:
        window = Annotator(NoStudy(), open_workspace(folder / "val2017", scratch))
        window.evolving.background.wait()
        made = [corrected(window, record, config, profile.crop) for record in records]
        label = window.desk.session.label
    ious = 100 * np.array([one for one, _, _ in made])
    told = [click for _, clicks, _ in made for click in clicks]
    firsts, further = [m[2][0] for m in made], [ms for m in made for ms in m[2][1:]]
    print(f"{len(made)} objects of {folder}, model {label}")
    print("corrections", *AFTER)
    print("IoU", *(f"{ious[:, k].mean():.1f}" for k in AFTER))
    print("objects at 85 %, 90 %", *(f"{(ious[:, k] >= 85).sum()}/{(ious[:, k] >= 90).sum()}"
                                     for k in AFTER))  # fmt: skip
    there = ious >= 90
    needed = there.argmax(1)[there.any(1)]
    if len(needed):
        seconds = np.median(BOX_S + CLICK_S * (1 + needed))
        print(
            f"{len(needed)} of {len(made)} objects come to 90 %, a median of {seconds:.0f} s of a "
            f"person's time where a click takes {CLICK_S} s; a polygon takes {POLYGON_S} s"
        )
    taken, left = [c for c in told if c[0]], [c[2] for c in told if c[0] and c[2] is not None]
    print(f"{len(told)} clicks, {len(told) - len(taken)} refused; of the others "
          f"{100 * np.mean([c[1] for c in taken]):.0f} % obeyed, "
          f"{100 * np.mean(left):.0f} % mend half of their error, "
          f"{100 * np.mean([c[3] > 0 for c in taken]):.0f} % raise IoU")  # fmt: skip
    print(f"ms from gesture to drawing, median and 90 %: mask {np.median(firsts):.0f} "
          f"{np.quantile(firsts, 0.9):.0f}, correction {np.median(further):.0f} "
          f"{np.quantile(further, 0.9):.0f}")  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(print("skipped: give a folder of photographs in the layout of COCO"))
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 40)
