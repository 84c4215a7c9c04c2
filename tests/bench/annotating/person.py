"""A simulated person at the annotator's desk, and a watch that stands beside it."""

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np

from openscenes import masks
from openscenes.annotator.screen.drawing import ObjectPainter
from openscenes.data.interactions import next_click
from openscenes.errors import InputError
from openscenes.seeding import numpy_generator

GOOD_ENOUGH, MOST_CORRECTIONS, PER_PHOTOGRAPH = 0.85, 3, 2
LAID, CORRECTED = "image laid on the desk", "correction -> mask"
FIRST = "box and point -> mask, first object of an image"
FURTHER = "box and point -> mask, further object"


class Watch:
    """Seconds by the clock and of the process's CPU, by what was done; some are the model's."""

    def __init__(self):
        self.times, self.answers = defaultdict(list), defaultdict(list)

    @contextmanager
    def __call__(self, action):
        """Time an action; one that raises does not count."""
        clock, cpu = perf_counter(), process_time()
        yield
        self.times[action].append((perf_counter() - clock, process_time() - cpu))

    def table(self):
        """Milliseconds as markdown."""
        yield "| action | n | median ms | max ms | of it the model | median CPU ms | max CPU ms |"
        yield "|---|---|---|---|---|---|---|"
        for action in (LAID, FIRST, FURTHER, CORRECTED):
            times = 1e3 * np.array(self.times[action] or [(np.nan, np.nan)])
            wall, cpu = (f"{np.median(t):.0f} | {t.max():.0f}" for t in times.T)
            model = 1e3 * np.median(self.answers[action] or [0.0])
            yield f"| {action} | {len(self.times[action])} | {wall} | {model:.0f} | {cpu} |"


@dataclass(frozen=True)
class Clicked:
    """An accepted object.

    Attributes:
        example: its id in the data set.
        object_id: its id in the log.
        ious: with the ground truth, after box and point, then after each correction.
        refused: corrections outside what the model sees.
    """

    example: str
    object_id: str
    ious: tuple[float, ...]
    refused: int


def chosen(examples, n, seed):
    """At most n objects by name of image; two of each, more where images run out.

    An interaction whose point missed its own box is passed over: a person would draw anew.
    """
    generator, by_image = numpy_generator("annotator", seed), defaultdict(list)
    for position in generator.permutation(len(examples)):
        if _usable(examples[position].interaction):
            by_image[examples[position].image.name].append(examples[position])
    most = max(PER_PHOTOGRAPH, -(-n // len(by_image)))
    kept, left = {}, n
    for name, members in by_image.items():
        kept[name] = members[: min(most, left)]
        left -= len(kept[name])
    return {name: members for name, members in kept.items() if members}


def _usable(interaction):
    sides = zip(interaction.point, interaction.box[:2], interaction.box[2:], strict=True)
    return all(low - 0.5 <= at <= high - 0.5 for at, low, high in sides)


def annotate(desk, study, by_image, watch):
    """Click and accept all objects, image by image."""
    painter, made = ObjectPainter(), []
    places = {path.name: place for place, path in enumerate(desk.images)}
    for name, examples in by_image.items():
        with watch(LAID):
            desk.lay(places[name])
        for number, example in enumerate(examples):
            supervision = study.cache.supervision(example)
            action = FURTHER if number else FIRST
            made.append(_click(desk, painter, example, supervision, watch, action))
    return made


def _click(desk, painter, example, supervision, watch, action):
    """One object, from the box to the accepted mask."""
    desk.draw(example.interaction.box)
    with watch(action):
        desk.point(*example.interaction.point)
        painter.overlay(desk)
    watch.answers[action].append(desk.prediction.seconds)
    ious, refused = _correct(desk, painter, supervision, watch)
    object_id = desk.chosen
    desk.accept()
    return Clicked(example.object_id, object_id, tuple(ious), refused)


def _correct(desk, painter, supervision, watch):
    """Click into the larger error until the mask is good enough, or patience ends."""
    ious, places, refused = [masks.iou(desk.prediction.mask, *supervision)], [], 0
    while ious[-1] < GOOD_ENOUGH and len(places) < MOST_CORRECTIONS:
        wanted = next_click(desk.prediction.mask, *supervision, clicked=places)
        if wanted is None:
            break
        places.append(wanted[:2])
        try:
            with watch(CORRECTED):
                desk.correct(*wanted[:2], wanted.sign)
                painter.overlay(desk)
        except InputError:
            refused += 1
            continue
        watch.answers[CORRECTED].append(desk.prediction.seconds)
        ious.append(masks.iou(desk.prediction.mask, *supervision))
    return ious, refused


def collected(made):
    """What clicking gave, in a few lines."""
    first, last = (100 * np.array([one.ious[at] for one in made]) for at in (0, -1))
    mended = np.array([len(one.ious) > 1 for one in made])
    yield (
        f"{len(made)} objects accepted, {mended.sum()} of them corrected with "
        f"{sum(len(one.ious) - 1 for one in made)} clicks; "
        f"{sum(one.refused for one in made)} clicks lay outside what the model sees. IoU with the "
        f"ground truth: {first.mean():.1f} after box and point, {last.mean():.1f} as accepted."
    )
    if mended.any():
        yield (
            f"Of those corrected: {first[mended].mean():.1f} before, {last[mended].mean():.1f} "
            f"after; {(last < first).sum()} were worse after their corrections than before."
        )
