"""What is trained: named by everything that made it, trained once, resumed where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from openscenes.method.beyond.bn_adaptation import reestimate_bn
from openscenes.method.evolution import (
    EvolutionConfig,
    align,
    evolve,
    initialise,
    kept_pseudo_masks,
)
from openscenes.method.pool import Pool
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import load_imagenet, save_weights
from openscenes.paths import atomic, cache_dir
from openscenes.prediction.model_files import description
from openscenes.seeding import torch_generator
from openscenes.study.profiles import InitialSet
from openscenes.study.runs import peers, refinement
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import NewScene, Study, digest_of, new_scene, source
from openscenes.study.runs.models import Made, Making, Model, imagenet_file, setting_of
from openscenes.study.runs.provenance import peak_memory_mb, provenance
from openscenes.study.runs.recipes import Recipe, evolution_config

SPENT = "spent.json"  # beside a model in the making: how long killed runs worked on it


def model(study: Study, recipe: Recipe, *, train: bool = True) -> Model:
    """The trained model of a recipe; its parents are trained before it.

    Args:
        train: train it if it is not there; otherwise only say where it would be.
    """
    parent = None if recipe.parent is None else model(study, recipe.parent, train=train)
    made = _MAKERS[recipe.kind](study, recipe, parent)
    made_of = {
        **made.made_of,
        "parent": None if parent is None else parent.digest,
        "crop": study.profile.crop,
        "clicks": study.profile.clicks,
        "seed": recipe.seed,
        "code": code_digest(*made.code),
        "torch": str(torch.__version__).partition("+")[0],
        "device": study.fabric.device.type,
        "precision": study.precision,
    }
    label = f"{study.profile.name} seed {recipe.seed} {recipe.words()}"
    return _model(study, made_of, made.make if train else None, label)


def _initial(study: Study, recipe: Recipe, _parent: Model | None) -> Making:
    profile, labelled = study.profile, source(study, _initial_set(recipe))
    made_of = {
        "stage": "initial",
        "network": profile.network,
        "train": profile.initial,
        "augmentation": profile.augmentation,
        "class_loss_weight": profile.class_loss_weight,
        "data": labelled.digest,
        **({"imagenet": profile.network.backbone} if profile.imagenet else {}),
    }

    def make(folder: Path, label: str) -> Made:
        network = OpenSceneNet(profile.network, generator=torch_generator("network", recipe.seed))
        if profile.imagenet:
            load_imagenet(network, imagenet_file(study, profile.network.backbone))
        step = initialise(
            network, labelled.examples, profile.initial, profile.augmentation,
            setting_of(study, recipe.seed), class_loss_weight=profile.class_loss_weight,
            folder=folder, label=label,
        )  # fmt: skip
        return _made(study, step.network, step.history)

    return Making(made_of, make, (initialise, load_imagenet))


def _evolved(study: Study, recipe: Recipe, parent: Model | None) -> Making:
    assert parent is not None
    scene_data, config, made_of = _step(study, recipe)

    def make(folder: Path, label: str) -> Made:
        step = evolve(
            parent.load(study), _pool(study, recipe), scene_data.clicked, config,
            setting_of(study, recipe.seed), folder=folder, label=label,
        )  # fmt: skip
        return _made(study, step.network, step.history)

    return Making(made_of, make, (evolve, kept_pseudo_masks, Pool))


def _renewed(study: Study, recipe: Recipe, parent: Model | None) -> Making:
    """Ours: the control of self-training."""
    assert parent is not None
    scene_data, config, made_of = _step(study, recipe)

    def make(folder: Path, label: str) -> Made:
        network = reestimate_bn(
            parent.load(study), _pool(study, recipe), scene_data.clicked, config,
            setting_of(study, recipe.seed), folder=folder, label=label,
        )  # fmt: skip
        return _made(study, network, [])

    return Making(made_of, make, (reestimate_bn, kept_pseudo_masks, Pool))


def _step(study: Study, recipe: Recipe) -> tuple[NewScene, EvolutionConfig, dict[str, Any]]:
    """What a step onto a scene reads, how, and what names it."""
    scene_data = _scene_data(study, recipe)
    config = evolution_config(study.profile, recipe.scene, recipe.variant, recipe.user)
    made_of = {
        "stage": recipe.kind,
        "config": config,
        "inference": study.profile.inference,
        "data": scene_data.digest,
        "user": recipe.user,
    }
    return scene_data, config, made_of


def _finetuned(study: Study, recipe: Recipe, parent: Model | None) -> Making:
    """Ours: the upper bound learns the scene's ground truth alone, for as long as the others."""
    assert parent is not None
    scene_data = new_scene(study, recipe.scene)
    config = replace(evolution_config(study.profile, recipe.scene, "st"), old_data=False)
    made_of = {"stage": "fine-tuned", "config": config, "data": scene_data.digest}

    def make(folder: Path, label: str) -> Made:
        network, pool = parent.load(study), Pool(source(study, _initial_set(recipe)).examples)
        shared = setting_of(study, recipe.seed)
        history = align(network, pool, scene_data.truth, config, shared, folder=folder, label=label)
        return _made(study, network, history)

    return Making(made_of, make, (align, Pool))


_MAKERS: dict[str, Callable[[Study, Recipe, Model | None], Making]] = {
    "initial": _initial,
    "evolved": _evolved,
    "renewed": _renewed,
    "fine-tuned": _finetuned,
    "peer": peers.from_source,
    "fine-tuned peer": peers.finetuned,
    "refiner": refinement.refiner,
}


def _made(study: Study, network: OpenSceneNet, history: list[dict[str, float]]) -> Made:
    """A box-and-point network says in its file how to cut and click, for ``predict``."""
    about = description(network.config, study.profile.crop, study.profile.clicks)
    return Made(network, history, about)


def _initial_set(recipe: Recipe) -> InitialSet:
    return "voc" if recipe.lineage()[0].name == "voc" else "voc+sbd"


def _scene_data(study: Study, step: Recipe) -> NewScene:
    user = step.user if step.user == "human" else None
    return new_scene(study, step.scene, user=user, part=step.part)


def _pool(study: Study, recipe: Recipe) -> Pool:
    """All that the parent has learned: labelled objects, then pseudo masks of every scene.

    Paper: Sec. 3.4.  A step that moved no weight has learned no object.
    """
    pool = Pool(source(study, _initial_set(recipe)).examples)
    for step in recipe.lineage()[1:-1]:
        if step.kind == "renewed":
            continue
        scene_data = _scene_data(study, step)
        folder = model(study, step, train=False).folder
        pool = pool.merged_with(kept_pseudo_masks(folder, scene_data.clicked))
    return pool


def _model(
    study: Study, made_of: dict[str, Any], make: Callable[[Path, str], Made] | None, label: str
) -> Model:
    """Train it, or find it trained; of two processes, one trains and the other waits."""
    digest = digest_of(made_of)
    model = Model(digest, cache_dir() / "runs" / digest, label)
    if make is None:
        return model
    model.folder.mkdir(parents=True, exist_ok=True)
    if study.fabric.world_size > 1:
        return _trained_together(study, model, made_of, make)
    with FileLock(model.folder / "lock"):
        for leftover in model.folder.glob(".*.partial"):  # of a run killed while it wrote
            leftover.unlink()
        if not model.weights.exists():
            _train_and_keep(study, model, made_of, make)
    return model


def _trained_together(
    study: Study, model: Model, made_of: dict[str, Any], make: Callable[[Path, str], Made]
) -> Model:
    """Several devices train one model; they agree first on whether it exists."""
    exists = study.fabric.broadcast(model.weights.exists())
    if not exists:
        _train_and_keep(study, model, made_of, make)
    study.fabric.barrier()
    return model


def _train_and_keep(
    study: Study, model: Model, made_of: dict[str, Any], make: Callable[[Path, str], Made]
) -> None:
    first = study.fabric.is_global_zero
    before, began = _spent_before(model.folder) if first else 0.0, time.monotonic()
    made = make(model.folder, model.label)
    if not first:
        return
    facts = {
        "label": model.label,
        "digest": model.digest,
        "made_of": json.loads(json.dumps(made_of, default=_jsonable)),
        "wall_s": round(before + time.monotonic() - began, 1),
        "peak_memory_mb": round(peak_memory_mb()),
        "history": made.history,
        **provenance(),
    }
    with atomic(model.folder / "run.json") as partial:
        partial.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    about = made.about | {"digest": model.digest, "label": model.label}
    save_weights(made.network, model.weights, about)
    (model.folder / SPENT).unlink(missing_ok=True)


def _spent_before(folder: Path) -> float:
    """Seconds of killed runs up to the state that they kept last; notes that another run begins.

    What came after that state is lost and made again, so that it counts once.
    """
    note, resume, earlier = folder / SPENT, folder / "resume.safetensors", {"s": 0.0, "began": 0.0}
    if note.exists() and resume.exists():
        earlier = json.loads(note.read_text(encoding="utf-8"))
        earlier["s"] += max(0.0, resume.stat().st_mtime - earlier["began"])
    with atomic(note) as partial:
        partial.write_text(json.dumps(earlier | {"began": time.time()}), encoding="utf-8")
    return earlier["s"]


def _jsonable(value: Any) -> Any:
    return value.__dict__ if hasattr(value, "__dict__") else str(value)
