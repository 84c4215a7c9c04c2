"""Scores per object: IoU of a model on a validation set, IoU of IPT's variants on its masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from openscenes import masks
from openscenes.data import pasting
from openscenes.data.examples import Example, ImageCache
from openscenes.data.records import ObjectRecord
from openscenes.method.click_cut import mark
from openscenes.method.cutting import CropMap, crop_maps, runs_of_an_image
from openscenes.method.inference import Feature, InferenceConfig, Predicted, predictions
from openscenes.method.ipt import IPTConfig
from openscenes.method.pseudo import refine_batch
from openscenes.progress import progress
from openscenes.study.profiles import Profile
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Labelled, Study
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.store import kept_scores

PAPER_ROWS = ("global", "center", "edge", "all three", "merge and vote")
CHOSEN = "settings of Table 4"


def ipt_variants(profile: Profile) -> dict[str, IPTVariant]:
    """Rows of Table 3, other settings, what Table 4 uses, then one setting changed at a time.

    Paper: Table 3, Sec. 4.3.1.
    The last row of the paper leaves Center unticked although merging needs it: a misprint.
    """
    return _paper_rows() | _other_settings(profile) | {
        f"{group}: {label}": IPTVariant("layer4", config)
        for group, options in sensitivity().items()
        for label, config in options.items()
    }  # fmt: skip


def _paper_rows() -> dict[str, IPTVariant]:
    literal = IPTConfig()
    summed = replace(literal, fusion="weighted_sum")
    return {
        "global": IPTVariant("layer4", replace(summed, prototypes=("global",))),
        "center": IPTVariant("layer4", replace(summed, prototypes=("center",))),
        "edge": IPTVariant("layer4", replace(summed, prototypes=("edge",))),
        "all three": IPTVariant("layer4", summed),
        "merge and vote": IPTVariant("layer4", literal),
    }


def _other_settings(profile: Profile) -> dict[str, IPTVariant]:
    outside = IPTConfig(background="outside_coarse")
    return {
        "F from the decoder": IPTVariant("decoder", IPTConfig()),
        "decoder, c̄ outside": IPTVariant("decoder", outside),
        "decoder, c̄ outside, soft vote": IPTVariant(
            "decoder", replace(outside, vote="weighted_sum")
        ),
        CHOSEN: IPTVariant(profile.inference.feature, profile.ipt),
    }


def sensitivity() -> dict[str, dict[str, IPTConfig]]:
    """Settings that the paper gives without a reason or leaves open, one changed at a time.

    Paper: Sec. 4.1.2 gives kernel, iterations, m, n, weights and x; everything else is open.
    """
    literal = IPTConfig()
    return {
        "temperature": {
            f"{t:g}": replace(literal, temperature=float(t)) for t in (8, 32, 192)
        },
        "erosion": {
            "1 iteration": replace(literal, iterations=1),
            "6 iterations": replace(literal, iterations=6),
            "the eroded mask itself": replace(literal, edge="inner"),
        },
        "center": {
            "radius 32 px": replace(literal, center_radius_px=32.0),
            "click alone": replace(literal, center_points=0),
        },
        "c̄": {"outside M_p": replace(literal, background="outside_coarse")},
        "vote": {
            "soft": replace(literal, vote="weighted_sum"),
        },
        "thresholds": {
            "m = n = 0.5": replace(literal, m=0.5, n=0.5),
            "m = n = 0.9": replace(literal, m=0.9, n=0.9),
        },
    }  # fmt: skip


# What decides a score beside the model.
_CODE = (predictions, refine_batch, pasting.pasted, masks.iou)


@dataclass(frozen=True)
class IPTVariant:
    """One row of Table 3: a feature to build prototypes from, and a configuration."""

    feature: Feature
    config: IPTConfig


def object_iou(
    study: Study, model: Model, labelled: Labelled, inference: InferenceConfig | None = None
) -> pd.DataFrame:
    """IoU of a model's masks with the ground truth, one row per object.

    The probability stays a float and is compared with one absolute threshold, in image
    pixels, void left out; IOG's evaluation tries nine thresholds on each object's own peak.

    Returns:
        Columns object_id, class_name, area (px), iou (0-1), in the order of the examples.
    """
    frame = ipt_iou(study, model, labelled, {}, inference)
    return frame[["object_id", "class_name", "area", "iou"]]


def ipt_iou(
    study: Study,
    model: Model,
    labelled: Labelled,
    variants: Mapping[str, IPTVariant],
    inference: InferenceConfig | None = None,
) -> pd.DataFrame:
    """IoU of the coarse masks and of each IPT variant on them, one row per object.

    One forward pass serves all variants; the result is kept by the digest of all that made it.

    Returns:
        Columns object_id, class_name, area, iou, and one per variant.
    """
    chosen = inference or study.profile.inference
    made_of = {
        "model": model.digest, "data": labelled.digest, "variants": variants,
        "inference": chosen, "crop": study.profile.crop,
        "clicks": [e.interaction for e in labelled.examples],
        "code": code_digest(*_CODE), "scoring": 1,
    }  # fmt: skip
    return kept_scores(made_of, lambda: _score(study, model, labelled, variants, chosen))


def _score(
    study: Study,
    model: Model,
    labelled: Labelled,
    variants: Mapping[str, IPTVariant],
    inference: InferenceConfig,
) -> pd.DataFrame:
    network, context = model.load(study), run_context(study)
    rows: list[dict[str, object]] = []
    bar = progress(f"scores of {model.label} on {labelled.index.scene}", len(labelled.examples))
    with context.pool() as pool:
        predicted = predictions(network, labelled.examples, context, inference, pool)
        tasks = (run for one in predicted for run in _maps(one, variants, inference.threshold))
        for scored in pool.ordered(_score_run, tasks):
            rows += scored
            bar.update(len(scored))
    bar.close()
    return pd.DataFrame(rows)


Cut = tuple[CropMap, float]  # a map, and the value above which it is a mask


def _maps(
    predicted: Predicted, variants: Mapping[str, IPTVariant], threshold: float
) -> Iterator[list[tuple[Example, dict[str, Cut]]]]:
    """Each object's maps by column, run by run of an image's objects."""
    chunk, cuts, batch, prediction = predicted
    maps = {"iou": [(one, threshold) for one in crop_maps(prediction.probability, cuts)]}
    for name, variant in variants.items():
        mask = refine_batch(
            prediction, batch, chunk, variant.config, feature=variant.feature, seed=0
        ).mask
        maps[name] = [(one, 0.5) for one in crop_maps(mask, cuts)]
    columns = [dict(zip(maps, row, strict=True)) for row in zip(*maps.values(), strict=True)]
    asked = list(zip(chunk, columns, strict=True))
    yield from (asked[run] for run in runs_of_an_image(chunk))


def _score_run(
    cache: ImageCache, run: list[tuple[Example, dict[str, Cut]]]
) -> list[dict[str, object]]:
    """A row per object: IoU in image pixels of each of its maps."""
    return [
        identity(example) | {name: map_iou(cache, example, *cut) for name, cut in maps.items()}
        for example, maps in run
    ]


def identity(example: Example) -> dict[str, object]:
    """Name, class and area of a labelled object."""
    record = example.supervision
    assert isinstance(record, ObjectRecord)
    return {"object_id": example.object_id, "class_name": record.class_name, "area": record.area}


def map_iou(cache: ImageCache, example: Example, one: CropMap, threshold: float) -> float:
    """IoU in image pixels of a map above a threshold, void left out."""
    return masks.iou(*compared(cache, example, one, threshold)[1:])


def compared(
    cache: ImageCache, example: Example, one: CropMap | None, threshold: float
) -> tuple[masks.Window, masks.BoolMask, masks.BoolMask, masks.BoolMask | None]:
    """A map above a threshold, truth and void, in the window of map and truth.

    Outside of it neither has a pixel, so that nothing there changes an IoU or a click.

    Args:
        one: None for a prediction of nothing.
    """
    pasted = pasting.NOTHING if one is None else one.pasted(threshold)
    window = pasted.on(cache.box(example))
    mask = pasted.within(window) > threshold
    mark(mask, None if one is None else one.clicks, *window[:2])
    return window, mask, *cache.supervision(example, window)
