"""Pseudo masks of a new scene, made offline (Sec. 3.2), and their predicted classes (Sec. 3.3)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from openscenes import masks
from openscenes.data.examples import Example, ImageCache, from_clicks
from openscenes.data.records import ClickedObject
from openscenes.data.samples import Batch
from openscenes.errors import DataError, InputError
from openscenes.files import one_line, read_json
from openscenes.kept import keep, kept
from openscenes.method.box_region import box_region
from openscenes.method.cutting import CropMap, crop_maps, runs_of_an_image
from openscenes.method.evidence import Flag
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.evidence_learning import learned
from openscenes.method.gate import Gate, calibrated, known_classes, winners
from openscenes.method.inference import (
    Feature,
    InferenceConfig,
    Prediction,
    RunContext,
    predictions,
)
from openscenes.method.ipt import IPTConfig, Refinement, refine
from openscenes.networks.openscene import OpenSceneNet
from openscenes.pool import Pool
from openscenes.progress import progress
from openscenes.seeding import torch_generator

PSEUDO_MASKS = "pseudo.json"  # beside the model that learned from them
Named = tuple[int, int, float]  # the class as it counts; that of the winning channel, and its p
Made = tuple[CropMap, Named, Flag]


def refine_batch(
    prediction: Prediction,
    batch: Batch,
    examples: Sequence[Example],
    config: IPTConfig,
    *,
    feature: Feature,
    seed: int,
) -> Refinement:
    """IPT of one batch; the center points of an object depend on seed and object alone.

    Paper: Sec. 3.2.
    """
    last = batch.images.shape[-1] - 1
    return refine(
        prediction.feature(feature),
        prediction.coarse_mask,
        prediction.predicted_mask,
        batch.points.round().clamp(0, last).long(),
        config,
        generator=[torch_generator("center", seed, e.object_id) for e in examples],
        coarse_probability=prediction.probability,
    )


def pseudo_examples(
    network: OpenSceneNet,
    examples: Sequence[Example],
    context: RunContext,
    ipt: IPTConfig | None,
    inference: InferenceConfig | None = None,
    *,
    file: Path | None = None,
    label: str = "pseudo masks",
    labelled: Sequence[Example] = (),
    gate: Gate = "calibrated",
) -> list[Example]:
    """Give each object of a new scene a pseudo mask and a predicted class.

    Paper: Sec. 3.2, 3.3; with ``ipt=None`` the coarse masks themselves ("+ST" of Table 4).
    Ours: an object whose class probability is below a threshold is of unknown class.

    Args:
        inference: the teacher's setting; None: the context's.
        file: where the pseudo masks are kept; an interrupted run finds them again.
        labelled: objects that the weights of evidence are learned on, and the gate is calibrated
            on; none: they stay as given.
        gate: whether the threshold is ``calibrated`` or the constant ``unknown_below``; with
            "given" somebody else has written the file, with true classes for a bound.
    Raises:
        InputError: where classes are to be given and there is no file.
    """
    if file is not None and (kept_ones := _read(file, examples)) is not None:
        return kept_ones
    if gate == "given":
        raise InputError(
            f'the gate is "given", but there is no whole file {one_line(str(file))} of masks and '
            "classes; write it, or calibrate the gate"
        )
    made, flags, named = list[Example](), dict[str, Flag](), list[tuple[int, float]]()
    config, bar = inference or context.inference, progress(label, len(examples))
    with context.pool() as pool:
        if gate == "calibrated":
            config = replace(config, unknown_below=calibrated(network, labelled, context))
        if config.evidence is not None:
            evidence = learned(network, labelled, context, config, pool)
            config = replace(config, evidence=evidence)
        found = _predicted(network, examples, context, ipt, config, pool)
        for codes in pool.ordered(_codes, found):
            for code, (class_index, channel, best), flag in codes:
                again = examples[len(made)]
                made.append(replace(again, supervision=code, class_index=class_index))
                named.append((channel, best))
                flags |= {again.object_id: flag} if flag else {}
            bar.update(len(codes))
    bar.close()
    if file is not None:
        told = {"unknown_below": config.unknown_below, "winners": named}
        keep_masks(file, made, config.evidence, flags, told)
    return made


def _predicted(
    network: OpenSceneNet, examples: Sequence[Example], context: RunContext,
    ipt: IPTConfig | None, config: InferenceConfig, pool: Pool[ImageCache],
) -> Iterator[list[Made]]:  # fmt: skip
    """The masks in their crops, classes and flags, run by run of an image's objects."""
    for chunk, cuts, batch, prediction in predictions(network, examples, context, config, pool):
        mask = prediction.coarse_mask
        if ipt is not None:
            mask = refine_batch(
                prediction, batch, chunk, ipt, feature=config.feature, seed=context.seed
            ).mask
        if config.clip_to_box:
            mask = mask & box_region(batch.boxes, context.crop.size, config.clip_margin)
        grown, probability = network.config.unknown_class, prediction.class_probability
        classes = known_classes(probability, config.unknown_below, unknown_class=grown)
        named = zip(
            classes.tolist(), *(v.tolist() for v in winners(probability, grown)), strict=True
        )
        flags = [one.flag for one in prediction.evidence] or [""] * len(chunk)
        made = list(zip(crop_maps(mask, cuts), named, flags, strict=True))
        yield from (made[run] for run in runs_of_an_image(chunk))


def _codes(_cache: ImageCache, run: list[Made]) -> list[tuple[dict[str, Any], Named, Flag]]:
    """Run-length codes in pixels of the images; classes and flags as they are."""
    return [(_code(one), named, flag) for one, named, flag in run]


def _code(one: CropMap) -> dict[str, Any]:
    pasted = one.pasted(above=0.5)
    return masks.encode_part(pasted.values >= 0.5, pasted.row0, pasted.col0, one.shape)


def keep_masks(
    file: Path,
    made: Sequence[Example],
    evidence: EvidenceConfig | None = None,
    flags: Mapping[str, Flag] | None = None,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Write masks and classes for ``kept_pseudo_masks``, with the weights that made them.

    Paper: none.

    Args:
        told: what else is known, for ``kept_winners``.
    """
    facts = dict(told or {})
    if evidence is not None:
        facts |= {"evidence": asdict(evidence), "flags": flags or {}}
    keep(file, {"masks": [[e.supervision, e.class_index] for e in made], **facts})


def kept_pseudo_masks(place: Path, scene: Sequence[ClickedObject]) -> list[Example]:
    """The examples that a finished step of evolution learned from, for the next step's pool.

    Paper: Sec. 3.4.

    Args:
        place: their file, or the step's folder.
    Raises:
        DataError: if they are missing or damaged.
    """
    path = place / PSEUDO_MASKS if place.is_dir() else place
    examples = [from_clicks(clicked) for clicked in scene]
    made = _read(path, examples) or _read_older(path, examples)
    if made is None:
        raise DataError(
            f"the pseudo masks {path} are missing or damaged; restore the file, or remove its "
            "folder and the model is made again"
        )
    return made


def kept_evidence(place: Path) -> EvidenceConfig | None:
    """The learned weights that a step's pseudo masks were made with; None for other masks.

    Paper: none.

    Args:
        place: their file, or the step's folder.
    """
    facts = (kept(place / PSEUDO_MASKS if place.is_dir() else place) or {}).get("evidence")
    return None if facts is None else EvidenceConfig(**facts)


def kept_winners(place: Path) -> tuple[float, list[tuple[int, float]]]:
    """From which probability on a class counted, and each object's winning class with its own.

    Paper: none.

    Args:
        place: the file of the pseudo masks, or the step's folder.
    Raises:
        DataError: if they are missing, damaged or of an older version.
    """
    path = place / PSEUDO_MASKS if place.is_dir() else place
    facts = kept(path) or {}
    if "winners" not in facts:
        raise DataError(
            f"the pseudo masks {path} say no class probabilities; remove the file, and the same "
            "command makes it again"
        )
    return facts["unknown_below"], [(channel, best) for channel, best in facts["winners"]]


def _read(path: Path, examples: Sequence[Example]) -> list[Example] | None:
    """The examples with the pseudo masks of a file, None without a whole one."""
    found = kept(path)
    return None if found is None else _with_masks(examples, found["masks"])


def _read_older(path: Path, examples: Sequence[Example]) -> list[Example] | None:
    """As ``_read``, of a file that an older version wrote, without a checksum."""
    found = read_json(path, "file of pseudo masks")
    fits = isinstance(found, list) and len(found) == len(examples)
    return _with_masks(examples, found) if fits else None


def _with_masks(examples: Sequence[Example], pseudo: Sequence[Any]) -> list[Example]:
    return [
        replace(example, supervision=code, class_index=class_index)
        for example, (code, class_index) in zip(examples, pseudo, strict=True)
    ]
