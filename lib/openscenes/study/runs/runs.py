"""What is trained: named by everything that made it, trained once, resumed where it stopped.

``find`` says where the model of a recipe lies and never trains; ``train`` trains it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from openscenes.data.examples import Example
from openscenes.method.beyond.bn_adaptation import reestimate_bn
from openscenes.method.evolution import EvolutionConfig, Pool, align, evolve, initialise
from openscenes.method.pseudo import kept_evidence
from openscenes.networks.devices import memory_told, tell
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import load_imagenet, load_published
from openscenes.paths import cache_dir
from openscenes.seeding import torch_generator
from openscenes.study.runs import launch, peers, store
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Labelled, Study, new_scene, source
from openscenes.study.runs.models import Model, keep_model, local_imagenet, run_context
from openscenes.study.runs.pseudo import (
    better_masks,
    pseudo_file,
    pseudo_masks,
    scene_data,
    step_config,
)
from openscenes.study.runs.published import beginning, initial_training
from openscenes.study.runs.recipes import (
    Recipe,
    evolution_config,
    profile_of,
    source_set,
)
from openscenes.study.runs.released import name_of, released

Trained = tuple[nn.Module, list[dict[str, float]]]  # the network, and its losses by epoch


def find(study: Study, recipe: Recipe) -> Model:
    """The model of a recipe: in the cache, in the repository, or where it would lie.

    Nothing is trained.
    """
    recipe = study.stand_in(recipe)
    made_of = _made_of(_ablated(study, recipe), recipe)
    label = f"{study.profile.name} seed {recipe.seed} {recipe.words()}"
    digest = store.digest_of(made_of)
    own = Model(digest, cache_dir() / "runs" / digest, label, recipe.ablation)
    if own.weights.is_file() or (folder := released(released_name(study, recipe))) is None:
        return own
    return Model(folder.name, folder, label, recipe.ablation)


def released_name(study: Study, recipe: Recipe) -> str:
    """The name that the model of a recipe has, or would have, in the repository."""
    parent = None if recipe.parent is None else released_name(study, recipe.parent)
    return name_of(_made_of(_ablated(study, recipe), recipe) | {"parent": parent})


def train(study: Study, recipe: Recipe) -> Model:
    """The model of a recipe, trained unless it is there; all that it starts from comes first.

    A killed training goes on where it was. Of two processes, one trains and the other waits;
    several devices train one model together where the profile says so.
    """
    recipe = study.stand_in(recipe)
    if recipe.parent is not None:
        train(study, recipe.parent)
    model, study = find(study, recipe), _ablated(study, recipe)
    if model.is_trained:
        return model  # without the lock, which a full disk or a read-only cache refuses
    if recipe.learns_masks:
        masks_of(study, recipe)
    with store.locked(model.folder, model.label):
        if not model.is_trained and study.profile.devices_per_model > 1:
            launch.on_devices(study, _train, recipe, model)
        elif not model.is_trained:
            _train(study, recipe, model)
    return model


def masks_of(study: Study, step: Recipe) -> list[Example]:
    """The pseudo masks of a step of evolution, whose parent is trained; predicted if missing."""
    assert step.parent is not None
    first = find(study, step.lineage()[0])
    return pseudo_masks(study, step, find(study, step.parent), first)


def train_all(study: Study, recipes: Sequence[Recipe]) -> list[Model]:
    """The models of these recipes in their order; those that are missing are trained.

    For a notebook, before its scores, since a score trains nothing::

        recipes = recipes_of(evaluations)
        models = train_all(study, recipes)
    """
    return [train(study, recipe) for recipe in recipes]


def _train(study: Study, recipe: Recipe, model: Model) -> None:
    """Train in the model's folder; its weights, written last, make it a model."""
    initial, kind = study.profile.initial, study.fabric.device.type
    tell(initial.precision, kind, initial.deterministic)  # another study may have been opened since
    seconds = store.stopwatch(model.folder) if study.fabric.is_global_zero else None
    with memory_told(model.label):
        network, history = _TRAIN[recipe.kind](study, recipe, model)
    if seconds is not None:
        keep_model(
            study, model, network, _made_of(study, recipe), history, seconds(),
            evidence=kept_evidence(_masks_file(study, recipe)) if recipe.learns_masks else None,
        )  # fmt: skip


def _made_of(study: Study, recipe: Recipe) -> dict[str, Any]:
    n_devices = study.profile.devices_per_model
    return {
        "seed": recipe.seed,
        **_NAMES[recipe.kind](study, recipe),
        "parent": None if recipe.parent is None else find(study, recipe.parent).digest,
        "crop": study.profile.crop,
        "clicks": study.profile.clicks,
        "torch": str(torch.__version__).partition("+")[0],
        "device": study.fabric.device.type,
        "precision": study.precision,
        **({"devices": n_devices} if n_devices > 1 else {}),
    }


def _initial_names(study: Study, recipe: Recipe) -> dict[str, Any]:
    profile, begun = study.profile, beginning(study.profile, recipe)
    starts = {"imagenet": profile.network.backbone} if profile.imagenet else {}
    return {
        "stage": "initial",
        "network": profile.network,
        "train": initial_training(profile, begun),
        "augmentation": profile.augmentation,
        "class_loss_weight": profile.class_loss_weight,
        "corrections": profile.corrections,
        "contrast": profile.contrast,
        "data": _labelled(study, recipe).digest,
        "code": code_digest(*_INITIAL_CODE),
        **(starts if begun is None else {"published": begun.sha256}),
    }


def _initial(study: Study, recipe: Recipe, model: Model) -> Trained:
    profile, begun = study.profile, beginning(study.profile, recipe)
    network = OpenSceneNet(profile.network, generator=torch_generator("network", recipe.seed))
    if begun is not None:
        load_published(network.iog, begun.path)
    elif profile.imagenet:
        load_imagenet(network, local_imagenet(study.root, profile.network.backbone))
    step = initialise(
        network, _labelled(study, recipe).examples, initial_training(profile, begun),
        profile.augmentation, run_context(study, recipe.seed),
        class_loss_weight=profile.class_loss_weight, corrections=profile.corrections,
        contrast=profile.contrast, folder=model.folder, label=model.label,
    )  # fmt: skip
    return step.network, step.history


def _step_names(study: Study, recipe: Recipe) -> dict[str, Any]:
    return {
        "stage": recipe.kind,
        "config": step_config(study, recipe),
        "inference": study.profile.inference,
        "data": scene_data(study, recipe).digest,
        "user": recipe.user,
        "code": code_digest(*(_EVOLVED_CODE if recipe.kind == "evolved" else _BN_CODE)),
        **better_masks(recipe),
    }


def _evolved(study: Study, recipe: Recipe, model: Model) -> Trained:
    step = evolve(
        _parent(study, recipe), _pool(study, recipe), scene_data(study, recipe).clicked,
        step_config(study, recipe), run_context(study, recipe.seed),
        folder=model.folder, label=model.label, pseudo=_masks_file(study, recipe),
    )  # fmt: skip
    return step.network, step.history


def _reestimated(study: Study, recipe: Recipe, model: Model) -> Trained:
    """The control of self-training, which trains no weight."""
    network = reestimate_bn(
        _parent(study, recipe), _pool(study, recipe), scene_data(study, recipe).clicked,
        step_config(study, recipe), run_context(study, recipe.seed),
        folder=model.folder, label=model.label, pseudo=_masks_file(study, recipe),
    )  # fmt: skip
    return network, []


def _finetuned_names(study: Study, recipe: Recipe) -> dict[str, Any]:
    return {
        "stage": "fine-tuned",
        "config": _truth_config(study, recipe),
        "data": new_scene(study, recipe.scene).digest,
        "code": code_digest(*_FINETUNED_CODE),
    }


def _finetuned(study: Study, recipe: Recipe, model: Model) -> Trained:
    """The upper bound learns the scene's ground truth alone, for as long as the others."""
    network, pool = _parent(study, recipe), Pool(_labelled(study, recipe).examples)
    history = align(
        network, pool, new_scene(study, recipe.scene).truth, _truth_config(study, recipe),
        run_context(study, recipe.seed), folder=model.folder, label=model.label,
    )  # fmt: skip
    return network, history


def _peer(study: Study, recipe: Recipe, model: Model) -> Trained:
    parent = None if recipe.parent is None else find(study, recipe.parent)
    return peers.trained(study, recipe, parent, model)


_INITIAL_CODE = (initialise, load_imagenet)
_EVOLVED_CODE = (evolve, Pool)
_BN_CODE = (reestimate_bn, Pool)
_FINETUNED_CODE = (align, Pool)
# What names a model of each kind beside what names all of them, and how it is trained.
_NAMES: dict[str, Callable[[Study, Recipe], dict[str, Any]]] = {
    "initial": _initial_names,
    "evolved": _step_names,
    "re-estimated": _step_names,
    "fine-tuned": _finetuned_names,
    "peer": peers.names,
    "fine-tuned peer": peers.names,
}
_TRAIN: dict[str, Callable[[Study, Recipe, Model], Trained]] = {
    "initial": _initial,
    "evolved": _evolved,
    "re-estimated": _reestimated,
    "fine-tuned": _finetuned,
    "peer": _peer,
    "fine-tuned peer": _peer,
}


def _ablated(study: Study, recipe: Recipe) -> Study:
    """The study as the recipe's model is trained in it."""
    return replace(study, profile=profile_of(study.profile, recipe.ablation))


def _parent(study: Study, recipe: Recipe) -> OpenSceneNet:
    assert recipe.parent is not None
    return find(study, recipe.parent).load(study)


def _labelled(study: Study, recipe: Recipe) -> Labelled:
    """What the first model of the task sequence learned."""
    return source(study, source_set(recipe))


def _truth_config(study: Study, recipe: Recipe) -> EvolutionConfig:
    return replace(evolution_config(study.profile, recipe.scene, "st"), old_data=False)


def _masks_file(study: Study, recipe: Recipe) -> Path:
    assert recipe.parent is not None
    return pseudo_file(study, recipe, find(study, recipe.parent))


def _pool(study: Study, recipe: Recipe) -> Pool:
    """All that the parent has learned: labelled objects, then pseudo masks of every scene.

    Paper: Sec. 3.4.  A step that moved no weight has learned no object.
    """
    pool = Pool(_labelled(study, recipe).examples)
    for step in recipe.lineage()[1:-1]:
        if step.kind != "re-estimated":
            pool = pool.merged_with(masks_of(study, step))
    return pool
