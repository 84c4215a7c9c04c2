"""How fast does the annotator answer, and is its advice about an evolved model right?

Run: ``make bench``, or ``python tests/bench/bench_annotator.py --profile study --data FOLDER``.  A
simulated person, whose corners err as a human's do, goes through images in the layout of
COCO: box and inside point for each object, then up to three corrections, each in the middle of
the larger error, where the answer's IoU with the ground truth is below 0.85; every mask is then
accepted.  What was accepted is exported and read back, the model evolves on it, is judged without
the ground truth and then with it: on the objects held out, and on those that nobody clicked.  The
advice is followed; then the new version is in use once, and rolled back.

Times are of the action itself, in Python: from the click to the bytes of the layer that a canvas
shows, the log on the disk included; a front end adds its own.  CPU is what the process computed;
on a busy machine it comes near to what the clock would show on a quiet one.  The seed decides
images and objects; a second run differs a little all the same, since ids are drawn anew.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from annotating.person import Watch, annotate, chosen, collected
from annotating.truth import judgement_lines, measured_truth

from openscenes import masks
from openscenes.annotator.evolve.evolving import evolve_on, split_for
from openscenes.annotator.evolve.judgement import judged
from openscenes.annotator.evolve.kept_predictions import kept_predictions
from openscenes.annotator.evolve.session import session_in_use
from openscenes.annotator.exchange.export import export
from openscenes.annotator.exchange.imports import import_objects
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.versions import Versions
from openscenes.annotator.store.workspace import open_workspace
from openscenes.data import datasets
from openscenes.study.plan.on_demand import lesson_study
from openscenes.study.runs.data import validation

PERSON = "simulated person"


def reread(desk, workspace):
    """Export as COCO, read it with the reader of the study and into a second workspace."""
    report = export(desk.annotations, workspace, "coco")
    index = datasets.coco(report.folder, "train2017")
    read = sorted(masks.encode(datasets.read_mask(one))["counts"] for one in index.records)
    second = open_workspace(workspace.images, workspace.folder / "reread")
    again = Annotations(Log(second.log_path))
    imported = import_objects(again, second, report.folder)
    accepted = desk.annotations.accepted()
    same = sorted(one.mask["counts"] for one in accepted)
    equal = read == same == sorted(one.mask["counts"] for one in again.accepted())
    yield (
        f"{report.n_objects} of {len(accepted)} objects exported; {len(index.records)} read as "
        f"COCO, {imported.n_added} imported; masks {'are the same' if equal else 'DIFFER'}."
    )


def decided(desk, study, workspace, candidate, example):
    """Follow the advice, then roll back; what the model in use predicts for one object meanwhile.

    What was not advised is refused, then accepted all the same, so that there is a way back.
    """
    versions, new, masks_seen = Versions(workspace.folder), candidate.new.name, []

    def ask(when):
        desk.use(session_in_use(study, workspace))
        place, asked = workspace.images / example.image.name, example.interaction
        mask = desk.session.predict(place, asked.box, asked.point).mask
        masks_seen.append(mask)
        return f"- {when}: version {desk.session.label} predicts {mask.sum()} pixels"

    yield ask("before")
    if candidate.judgement.verdict != "better":
        versions.refuse(new, by=PERSON)
        yield ask("refused, as nothing advised to take it")
    versions.accept(new, by=PERSON)
    yield ask("accepted")
    versions.rollback(leaving=new, by=PERSON)
    yield ask("rolled back")
    equal = np.array_equal(masks_seen[0], masks_seen[-1])
    yield f"- the prediction after rolling back {'is that of before' if equal else 'DIFFERS'}"
    yield from (f"- history: {d.what} {d.version} by {d.by}" for d in versions.history())


def agreement(study, workspace, candidate):
    """Whether desk and judgement predict the same masks."""
    kept = kept_predictions(workspace, study, candidate.old, candidate.held_out)
    ious = [
        masks.iou(masks.decode(one.first_mask), masks.decode(predicted.mask))
        for one, predicted in zip(candidate.held_out, kept, strict=True)
    ]
    least = min(ious, default=float("nan"))
    yield f"IoU of the first masks at the desk with those that were judged: at least {least:.4f}."


def say(title, lines):
    """A section of markdown."""
    print(f"\n### {title}\n", *lines, sep="\n", flush=True)


def begin(args, workspace_folder):
    """The study and an untouched desk."""
    study = lesson_study(args.profile, args.data)
    folder = args.folder or study.root / "coco" / "val2017"
    workspace = open_workspace(folder, workspace_folder)
    annotations = Annotations(Log(workspace.log_path))
    if annotations.objects():
        raise SystemExit(f"{workspace.folder} holds objects already; give an empty --workspace.")
    desk = Desk(workspace, annotations, session_in_use(study, workspace))
    print(
        f"Profile {args.profile}: {study.profile.data}; seed {args.seed}; "
        f"{study.fabric.device.type} in {study.precision}, {torch.get_num_threads()} thread(s) on "
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}."
    )
    return study, desk


def main(args, workspace_folder):
    """Print one section after the other."""
    study, desk = begin(args, workspace_folder)
    workspace, watch = desk.workspace, Watch()
    labelled = validation(study, "coco", user="human")
    by_image = chosen(labelled.examples, args.objects, args.seed)
    made = annotate(desk, study, by_image, watch)
    say(f"Clicked on {len(by_image)} images", collected(made))
    say("Latency, from the click to the bytes of the layer", watch.table())
    say("Export", reread(desk, workspace))
    accepted = desk.annotations.accepted()
    with watch("evolve"):
        new = evolve_on(workspace, study, accepted, clicks_only=args.clicks_only)
    with watch("judge"):
        candidate = judged(workspace, study, accepted, new)
    parts = split_for(workspace, candidate.old, accepted)
    say("Judged without the ground truth", judgement_lines(candidate, workspace, study))
    say("The same model twice", agreement(study, workspace, candidate))
    say("Beside it, the truth", measured_truth(study, candidate, labelled, made, parts))
    first = next(one for one in labelled.examples if one.object_id == made[0].example)
    say("Decided, then rolled back", decided(desk, study, workspace, candidate, first))
    spent = (f"- {what}: {watch.times[what][0][0]:.0f} s, CPU {watch.times[what][0][1]:.0f} s"
             for what in ("evolve", "judge"))  # fmt: skip
    say("Time", spent)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="", help="folder of the four data sets")
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--objects", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="images, those of coco/val2017 if none")
    parser.add_argument("--workspace", type=Path, help="where to keep all, nowhere if none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clicks-only", action="store_true", help="evolve by the paper's rule")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        main(given, given.workspace or Path(scratch))
