"""What is killed: training, scoring, tables, evolution, export and the log."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from runpy import run_path

import numpy as np
from killing import Door, contents

from openscenes.annotator.evolve.judgement import evolved as judged_evolution
from openscenes.annotator.exchange.export import KINDS, export
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.versions import Versions
from openscenes.annotator.store.workspace import Workspace, open_workspace, workspace_of
from openscenes.networks import checkpoints
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.figures import forest
from openscenes.study.figures.save import show_figure
from openscenes.study.options import profile_named
from openscenes.study.pages import tables
from openscenes.study.profiles import Profile
from openscenes.study.runs import finished
from openscenes.study.runs.data import Study, open_study
from openscenes.study.runs.recipes import (
    BN_ONLY,
    FULL,
    Recipe,
    evolved,
    finetuned,
    initial,
    peer,
)
from openscenes.study.runs.runs import find, train_all
from openscenes.study.runs.store import SPENT
from openscenes.study.scores import breakdown
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score

PERSON = run_path(str(Path(__file__).parents[1] / "annotator" / "person.py"))
CACHE = "cache"
WITHOUT_MODELS = {
    *("log writing", "export coco", "export voc", "export png"),
    *("two windows", "four windows", "four export", "two scenes into one folder"),
    "workers killed",
}


def longer(profile: Profile) -> Profile:
    """The smoke profile with three epochs, so that there is something to resume."""
    stages = {
        scene: replace(
            profile.evolving(scene), train=replace(profile.evolving(scene).train, epochs=3)
        )
        for scene in ("cityscapes", "coco")
    }
    return replace(profile, initial=replace(profile.initial, epochs=3), **stages)


def study_in(place: Path, profile: Profile | None = None) -> Study:
    """The smoke study, with a cache in this place; resume files at every step."""
    os.environ["OPENSCENES_CACHE"] = str(place / CACHE)
    checkpoints.PAUSE_S, checkpoints.WRITING_SHARE = 0.0, 1.0
    return open_study(profile or profile_named("smoke"), None, "cpu")


def recipes() -> list[Recipe]:
    """One model of each kind."""
    first = initial("voc+sbd", 0)
    return [
        first, evolved(first, "coco", FULL), evolved(first, "coco", BN_ONLY),
        finetuned(first, "coco"),
        peer("DEXTR", 0), peer("iFCN", 0),
    ]  # fmt: skip


def _with_scenes(template: Path) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        (place / CACHE).mkdir()
        (place / CACHE / "scenes").symlink_to(template / CACHE / "scenes")

    return prepare


def training(template: Path) -> Door:
    """Models of every kind; the synthetic scenes are there already."""

    def work(place: Path) -> None:
        train_all(study_in(place, longer(profile_named("smoke"))), recipes())

    def result(place: Path) -> object:
        runs = place / CACHE / "runs"
        found = contents(runs, ["*/model.safetensors", "*/pseudo*.json"])
        facts = {path.parent.name: json.loads(path.read_text()) for path in runs.glob("*/run.json")}
        history = {name: [one["history"], one["label"]] for name, one in facts.items()}
        # A kill after the weights leaves the note of earlier runs' seconds, which nobody reads.
        return found, history, sorted(p.name for p in runs.glob("*/*") if p.name != SPENT)

    return Door("training", work, result, _with_scenes(template))


def _copied(template: Path) -> Callable[[Path], None]:
    return lambda place: shutil.copytree(template, place, dirs_exist_ok=True, symlinks=True)


def scoring(template: Path) -> Door:
    """All scores of Table 4, some of Table 1; indexes and clicks are still to be made."""

    def work(place: Path) -> None:
        study = study_in(place)
        for one in scored(study):
            score(study, one)

    def prepare(place: Path) -> None:
        _copied(template)(place)
        for name in ("scores", "clicks", "indexes"):
            shutil.rmtree(place / CACHE / name)

    def result(place: Path) -> object:
        # Indexes and clicks hold paths of the place's scenes.
        return contents(place / CACHE / "scores"), len(contents(place / CACHE / "indexes"))

    return Door("scoring", work, result, prepare)


def scored(study: Study) -> list[Evaluation]:
    """What is scored in seconds."""
    one, four = (EXPERIMENTS[key].evaluations(study.profile, 1) for key in ("1", "4"))
    return [*four, next(each for each in one if each.kind == "clicks")]


def table_writing(template: Path) -> Door:
    """Pages, CSVs and figures of Table 4 from cached scores, as its notebook writes them."""

    def work(place: Path) -> None:
        study, folder = study_in(place), place / "reports"
        name = finished.request_name("4", "smoke", None, 1, "cpu", folder)
        table = EXPERIMENTS["4"].table(study, 1)
        show_figure(forest.table_figure(table), "words", folder / "figures" / "table_4.png")
        sizes = breakdown.by_size(table.objects, breakdown.size_limits(study.profile))
        tables.write_frame(sizes, folder, "table_4_by_size")
        tables.write_frame(breakdown.by_class(table.objects), folder, "table_4_by_class")
        tables.write_table(table, study, folder, wall_s=0.0)
        finished.remember(name, finished.pages_of("4", EXPERIMENTS, folder))

    def result(place: Path) -> object:
        reports = place / "reports"
        page = contents(reports)
        run = json.loads(page.pop("tables/table_4_run.json"))
        name = finished.request_name("4", "smoke", None, 1, "cpu", reports)
        os.environ["OPENSCENES_CACHE"] = str(place / CACHE)
        whole = finished.pages(name)
        return page, run["claims"], run["models"], whole is not None and len(whole)

    def intact(place: Path) -> list[str]:
        """A page is whole or not there."""
        found = (place / "reports").rglob("*.*")
        return [f"{path} is empty" for path in found if path.suffix != ".partial"
                and path.is_file() and not path.stat().st_size]  # fmt: skip

    return Door("table writing", work, result, _copied(template), intact)


def evolution(template: Path) -> Door:
    """Evolve on a log's clicks, judge, refuse; with more objects, accept; evolve from there."""

    def work(place: Path) -> None:
        study = study_in(place)
        workspace = Workspace(place / "images", place / "images" / "openscenes")
        accepted, versions = PERSON["accepted"](workspace), Versions(workspace.folder)
        decided = [one.what for one in versions.history()]
        if "refused" not in decided:
            versions.refuse(judged_evolution(workspace, study, accepted[:8]).new.name)
        if decided.count("accepted") < 2:
            versions.accept(judged_evolution(workspace, study, accepted[:12]).new.name)
        judged_evolution(workspace, study, accepted)

    def prepare(place: Path) -> None:
        _copied(template)(place)

    def result(place: Path) -> object:
        folder = place / "images" / "openscenes"
        names = ("model.safetensors", "pseudo.json", "clicks.jsonl")
        found = contents(folder, [f"versions/*/{name}" for name in names])
        history = [(one.what, one.version) for one in Versions(folder).history()]
        judged = {
            path.name: sorted(
                (entry["key"], entry["stability"], entry["mask"]["counts"])
                for entry in map(json.loads, path.read_text().splitlines())
            )
            for path in (folder / "judgements").glob("*.jsonl")
        }
        return found, history, judged

    def intact(place: Path) -> list[str]:
        """Whatever counts as a version can be read."""
        versions = Versions(place / "images" / "openscenes")
        try:
            found = [one.label for one in versions.all()]
            found += [] if versions.current() is None else [versions.current().label]
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
        return [] if all(found) else ["a version without a label"]

    return Door("evolution", work, result, prepare, intact)


def exporting(template: Path, kind: str) -> Door:
    """An export of all objects over an older one of fewer."""

    def opened(place: Path) -> tuple[Annotations, Workspace]:
        workspace = workspace_of(place / "images" / "openscenes" / "log.jsonl")
        return Annotations(Log(workspace.log_path), window="exporter"), workspace

    def work(place: Path) -> None:
        annotations, workspace = opened(place)
        export(annotations, workspace, kind, place / "out")

    def prepare(place: Path) -> None:
        shutil.copytree(template / "images", place / "images")
        log = place / "images" / "openscenes" / "log.jsonl"
        whole = log.read_text().splitlines(keepends=True)
        log.write_text("".join(whole[: len(whole) // 2]))
        work(place)
        (place / "older.json").write_text(_fingerprint(place / "out"))
        log.write_text("".join(whole))

    def result(place: Path) -> object:
        return contents(place / "out")

    def intact(place: Path) -> list[str]:
        """The older export or the new one, each whole."""
        if not (place / "out").exists():
            return ["there is no export"]
        now = _fingerprint(place / "out")
        if now == (place / "older.json").read_text():
            return []
        listed = json.loads((place / "out" / "openscenes.json").read_text())["files"]
        there = sorted(contents(place / "out"))
        return [] if sorted(listed) == there else [f"half an export: {len(there)} of {len(listed)}"]

    return Door(f"export {kind}", work, result, prepare, intact)


def _fingerprint(folder: Path) -> str:
    return json.dumps({name: sha256(value).hexdigest() for name, value in contents(folder).items()})


def logging(template: Path) -> Door:
    """Random actions of a person, each confirmed to a second file once its method has returned."""

    def work(place: Path) -> None:
        workspace = open_workspace(place / "images")
        done = len(_confirmed(place))
        rng = random.Random(f"{place.name} {done}")
        annotations = Annotations(Log(workspace.log_path))
        facts = [workspace.facts(path) for path in workspace.list_images()]
        confirmations = os.open(place / "confirmed", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        while len(_confirmed(place)) < 150:
            made = act(annotations, facts, rng)
            if made is not None:
                os.write(confirmations, json.dumps(_told(made)).encode() + b"\n")

    def prepare(place: Path) -> None:
        shutil.copytree(template / "images", place / "images")
        shutil.rmtree(place / "images" / "openscenes")

    def intact(place: Path) -> list[str]:
        """Every confirmed action is a line of the log."""
        log = Log(place / "images" / "openscenes" / "log.jsonl")
        lines = [_told(one) for one in log.read_new()]
        lost = [line for line in _confirmed(place) if line not in lines]
        return [f"lost {line[:3]}" for line in lost] + [f"damaged {n}" for n in log.damaged]

    return Door("log writing", work, lambda place: None, prepare, intact)


def _told(one: Snapshot) -> list[str]:
    return [one.object_id, one.time, one.action, one.mask["counts"]]


def _confirmed(place: Path) -> list[list[str]]:
    path = place / "confirmed"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def act(annotations: Annotations, facts: list, rng: random.Random):
    """One random action of a person; None where it changes nothing."""
    from openscenes.data.records import Box, Interaction, Point

    there = annotations.objects()
    one = rng.choice(there) if there else None
    kind = rng.choice(["begin", "correct", "accept", "name", "delete", "undo", "redo"])
    if kind in ("undo", "redo"):
        return annotations.undo() if kind == "undo" else annotations.redo()
    if one is None or kind == "begin":
        image = rng.choice(facts)
        mask = np.zeros(image.size, bool)
        mask[5:30, 10 : rng.randint(20, 60)] = True
        return annotations.begin(
            image, Interaction(Box(4, 9, 31, 61), Point(12, 15)), mask, model="stub"
        )
    if kind == "correct":
        mask = np.zeros(one.size, bool)
        mask[rng.randint(0, 20) : 40, 5:50] = True
        return annotations.correct(one.object_id, (20.0, 20.0, 1), mask, model="stub")
    if kind == "accept":
        return annotations.accept(one.object_id)
    if kind == "name":
        return annotations.name(one.object_id, rng.choice(["cat", "dog", "Straße"]))
    return annotations.delete(one.object_id)


def annotated(folder: Path) -> None:
    """A folder of images with a log of clicks: all that exports and logs need."""
    PERSON["annotated"](folder / "person")
    (folder / "person" / "images").rename(folder / "images")
    shutil.rmtree(folder / "person")


def trained(folder: Path) -> None:
    """Scenes, trained models and their scores, for all other doors."""
    study = study_in(folder)
    train_all(study, recipes_of(scored(study)))
    for one in scored(study):
        score(study, one)


def warm(template: Path) -> None:
    """Work out what every child would: names of models and scores, for all kinds of code."""
    study = study_in(template)
    for recipe in (*recipes(), *recipes_of(scored(study))):
        find(study, recipe)
    for one in scored(study):
        score(study, one)


def doors(template: Path) -> dict[str, Door]:
    """Every door, by its name."""
    found = [training(template), scoring(template), table_writing(template), evolution(template)]
    found += [*(exporting(template, kind) for kind in KINDS), logging(template)]
    return {door.name: door for door in found}
