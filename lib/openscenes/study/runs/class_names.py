"""True classes of a new scene in the source's words, for bounds and pages; no method sees them."""

from collections.abc import Sequence

from openscenes.data.examples import NO_CLASS
from openscenes.data.records import ObjectRecord
from openscenes.study.runs.data import NewScene, Study, source
from openscenes.study.runs.recipes import Recipe, source_set
from openscenes.synthetic.catalogue import CITYSCAPES_NAMES, COCO_NAMES


def same_class(source_name: str, scene_name: str) -> bool:
    """Whether a class of VOC is the new scene's class, whatever the two data sets call it."""
    others = COCO_NAMES.get(source_name), CITYSCAPES_NAMES.get(source_name)
    return scene_name in (source_name, *others)


def true_channels(study: Study, step: Recipe, scene: NewScene) -> list[int]:
    """The source's channel of each object's true class, ``NO_CLASS`` where it learned none."""
    labelled = source(study, source_set(step))
    learned = {example.class_index for example in labelled.examples}
    channels = {
        channel: name
        for channel, name in enumerate(labelled.index.classes, 1)
        if channel in learned
    }
    return [_channel(example.supervision, channels) for example in scene.truth]


def _channel(record: object, channels: dict[int, str]) -> int:
    assert isinstance(record, ObjectRecord)
    found = (c for c, name in channels.items() if same_class(name, record.class_name))
    return next(found, NO_CLASS)


def confusion(
    true: Sequence[int], winners: Sequence[tuple[int, float]], unknown_below: float
) -> dict[str, int]:
    """How often the gate is right about objects of a scene.

    Args:
        true: from ``true_channels``.
        winners: each object's winning class and its probability.
        unknown_below: the threshold.
    Returns:
        How many objects; of how many the source has the class; of these how many are declared
        known, and rightly named; of the others how many are declared known.
    """
    named = [channel if best >= unknown_below else NO_CLASS for channel, best in winners]
    pairs = list(zip(true, named, strict=True))
    seen = [(t, n) for t, n in pairs if t != NO_CLASS]
    return {
        "objects": len(pairs),
        "class in the source": len(seen),
        "of these known": sum(n != NO_CLASS for _, n in seen),
        "rightly named": sum(t == n for t, n in seen),
        "unseen class, known": sum(t == NO_CLASS != n for t, n in pairs),
    }
