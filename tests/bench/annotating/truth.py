"""What a judgement says without the ground truth, and what the ground truth says."""

import numpy as np

from openscenes.annotator.evolve.advice import AGREEMENT, LABEL_FREE, QUALITY, advised, measured
from openscenes.annotator.screen import judgement_page as figures
from openscenes.study.figures.save import show_figure
from openscenes.study.scores.masks import object_iou
from openscenes.study.scores.statistics import images_of, paired_difference

FREE = "nobody clicked them"
HEAD = ("objects | in use | new | change (95 % interval) |", "|---|---|---|---|---|")


def judgement_lines(candidate, workspace, study):
    """The judgement as markdown, and where its images lie."""
    yield from (f"| measure, in points | {HEAD[0]}", HEAD[1])
    for m in candidate.judgement.measures.values():
        yield f"| {m.title} | {m.n} | {m.old:.1f} | {m.new:.1f} | {m.change} |"
    folder = _draw(candidate, workspace, study)
    yield from ("", f"**{candidate.judgement.advice}** Figures: {folder}")


def _draw(candidate, workspace, study):
    """Write the images of a judgement; the folder."""
    folder = workspace.folder / "judgements"
    for name, (figure, words) in figures.judgement_figures(workspace, study, candidate).items():
        show_figure(figure, words, folder / name)
    return folder


def measured_truth(study, candidate, labelled, made, parts):
    """IoU of both versions with the ground truth, by what an object was to the evolution.

    Args:
        parts: how the accepted objects were divided.
    Returns:
        Lines of markdown, the last of which says whether the advice was right.
    """
    scored = [object_iou(study, v.model, labelled) for v in (candidate.new, candidate.old)]
    pair = [frame["iou"].to_numpy() for frame in scored]
    images = np.array(images_of(scored[0]["object_id"]))
    groups = _groups(labelled.examples, {one.object_id: one.example for one in made}, parts)
    differences = {
        name: paired_difference(*(iou[None, group] for iou in pair), list(images[group]))
        for name, group in groups.items() if group.any()
    }  # fmt: skip
    lines = [f"| IoU with the ground truth, points | {HEAD[0]}", HEAD[1]]
    for name, d in differences.items():
        new, old = (100 * iou[groups[name]].mean() for iou in pair)
        change = f"{d.mean:+.2f} ({d.low:+.2f} to {d.high:+.2f})"
        lines.append(f"| {name} | {d.n_objects} | {old:.1f} | {new:.1f} | {change} |")
    if FREE in differences:
        new, old = (iou[groups[FREE]] for iou in pair)
        lines += ["", _was_right(candidate, differences[FREE], old, new)]
    return lines


def _groups(examples, names, parts):
    """Which objects belong to which row, (n,) bool each."""
    held_out, learned = ({names[one.object_id] for one in part}
                         for part in (parts.held_out, parts.learnable))  # fmt: skip
    images = {one.image for one in examples if one.object_id in learned}
    free = np.array([one.object_id not in names.values() for one in examples])
    seen = np.array([one.image in images for one in examples])
    return {
        "held out": np.array([one.object_id in held_out for one in examples]),
        "learned": np.array([one.object_id in learned for one in examples]),
        FREE: free,
        "of these, in images learned from": free & seen,
        "of these, in other images": free & ~seen,
    }


def _was_right(candidate, difference, old, new):
    """The advice beside that which the same rule gives where the ground truth is known."""
    judgement = candidate.judgement
    nothing = np.zeros(0)
    known = {name: measured(name, nothing, nothing) for name in (QUALITY, *LABEL_FREE)}
    known[AGREEMENT] = measured(AGREEMENT, old, new)
    ideal, _ = advised({**judgement.measures, **known})
    told = "no different"
    if difference.differs:
        told = "better" if difference.mean > 0 else "worse"
    right = "right" if ideal == judgement.verdict else "wrong"
    if right == "wrong" and judgement.verdict == "inconclusive":
        right = "too cautious, not wrong"
    return (
        f"On objects that nobody clicked the new version is {told}. The advice was: "
        f"{judgement.verdict}. Where these objects and the labelled source are known, the same "
        f"rule says: {ideal}. So the advice was {right}."
    )
