"""How much has been collected, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from openscenes.annotator.store.snapshot import Snapshot


@dataclass(frozen=True)
class Statistics:
    """What has been collected; deleted objects count in ``n_deleted`` only.

    Attributes:
        n_images: images with an object, by their bytes.
        n_corrected: accepted objects that needed more than box and point.
        clicks_per_object: mean clicks of accepted objects, the inside point included.
        seconds_per_object: median time from an accepted object's first action to its last click.
        classes: accepted objects by class; "" counts those without.
        models: accepted objects by the version that answered.
    """

    n_images: int
    n_objects: int
    n_accepted: int
    n_corrected: int
    n_deleted: int
    clicks_per_object: float
    seconds_per_object: float
    classes: dict[str, int]
    models: dict[str, int]


def statistics_of(objects: Iterable[Snapshot]) -> Statistics:
    """Count the newest snapshots of all objects."""
    everything = list(objects)
    present = [one for one in everything if not one.deleted]
    accepted = [one for one in present if one.accepted]
    return Statistics(
        n_images=len({one.image_digest for one in present}),
        n_objects=len(present),
        n_accepted=len(accepted),
        n_corrected=sum(one.corrected for one in accepted),
        n_deleted=len(everything) - len(present),
        clicks_per_object=fmean([len(one.clicks) for one in accepted]) if accepted else 0.0,
        seconds_per_object=median(_durations(accepted)) if accepted else 0.0,
        classes=_counted([one.class_name or "" for one in accepted]),
        models=_counted([one.model for one in accepted]),
    )


def _durations(accepted: Sequence[Snapshot]) -> list[float]:
    return [one.clicks[-1].seconds for one in accepted]


def _counted(names: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
