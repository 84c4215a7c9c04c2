"""What is trained: named by everything that made it, trained once, resumed where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock

from openscenes.errors import WeightsError
from openscenes.method.evolution import EvolutionConfig, Setting, Step, align, evolve, initialise
from openscenes.method.pool import Pool
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import load_imagenet, load_weights, save_weights
from openscenes.paths import PROJECT, atomic, cache_dir
from openscenes.seeding import torch_generator
from openscenes.study.material import Study, digest_of, new_scene, source
from openscenes.study.model_files import description
from openscenes.study.profiles import InitialSet, Scene
from openscenes.study.provenance import code_digest, peak_memory_mb, provenance

Variant = Literal["st", "st+ipt", "st+fa", "st+ipt+fa", "upper bound"]
VARIANTS: tuple[Variant, ...] = ("st", "st+ipt", "st+fa", "st+ipt+fa", "upper bound")


@dataclass(frozen=True)
class Model:
    """A trained network on disk: its name is the digest of all that made it."""

    digest: str
    folder: Path
    label: str

    @property
    def weights(self) -> Path:
        """The network's safetensors file."""
        return self.folder / "model.safetensors"

    def load(self, study: Study) -> OpenSceneNet:
        """The network, on the CPU, ready to be asked."""
        return load_model(self.weights, study)

    def facts(self) -> dict[str, Any]:
        """What its ``run.json`` says."""
        return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))


def load_model(path: Path, study: Study) -> OpenSceneNet:
    """A network of the study's shape from a weight file, grown or not."""
    for unknown_class in (True, False):
        network = OpenSceneNet(replace(study.profile.network, unknown_class=unknown_class))
        try:
            load_weights(network, path)
        except WeightsError:
            if not unknown_class:
                raise
            continue
        return network.eval()
    raise AssertionError("one of the two shapes loads or raises")


def setting_of(study: Study, seed: int) -> Setting:
    """What the method needs to know of a study."""
    profile = study.profile
    return Setting(profile.crop, profile.clicks, profile.inference, study.cache, study.fabric, seed)


def evolution_config(study: Study, scene: Scene, variant: Variant) -> EvolutionConfig:
    """The rows of Table 4 as parameters of one function.

    Paper: Table 4. Ours: the upper bound learns the scene's ground truth alone, for as long.
    """
    profile = study.profile
    evolving = profile.evolving(scene)
    return EvolutionConfig(
        train=evolving.train,
        augmentation_old=profile.augmentation,
        augmentation_new=evolving.augmentation_new,
        ipt=profile.ipt if "ipt" in variant else None,
        alignment=profile.alignment if "fa" in variant else None,
        old_data=variant != "upper bound",
        class_loss_weight=profile.class_loss_weight,
    )


def initial_model(study: Study, initial_set: InitialSet, seed: int, *, train: bool = True) -> Model:
    """The model trained on labelled source objects (t = 0 of the paper).

    Args:
        train: train it if it is not there; otherwise only say where it would be.
    """
    profile = study.profile
    labelled = source(study, initial_set)
    made_of = {
        "stage": "initial",
        "network": profile.network,
        "train": profile.initial,
        "augmentation": profile.augmentation,
        "class_loss_weight": profile.class_loss_weight,
        "data": labelled.digest,
        **_shared(study, seed),
    }
    label = f"{profile.name} initial {initial_set} seed {seed}"

    def make(folder: Path) -> Step:
        network = OpenSceneNet(profile.network, generator=torch_generator("network", seed))
        if profile.imagenet:
            load_imagenet(network, imagenet_file(study))
        return initialise(
            network, labelled.examples, profile.initial, profile.augmentation,
            setting_of(study, seed), class_loss_weight=profile.class_loss_weight,
            folder=folder, label=label,
        )  # fmt: skip

    return _model(study, made_of, make if train else None, label)


def evolved_model(
    study: Study,
    initial_set: InitialSet,
    scene: Scene,
    variant: Variant,
    seed: int,
    *,
    train: bool = True,
) -> Model:
    """The initial model after one step onto a scene, in one variant of Table 4.

    Args:
        train: as for ``initial_model``.
    """
    parent = initial_model(study, initial_set, seed, train=train)
    config = evolution_config(study, scene, variant)
    scenery, labelled = new_scene(study, scene), source(study, initial_set)
    made_of = {
        "stage": "evolved",
        "parent": parent.digest,
        "config": config,
        "inference": study.profile.inference,
        "data": [labelled.digest, scenery.digest],
        "truth": variant == "upper bound",
        **_shared(study, seed),
    }
    several = len(study.profile.initial_sets) > 1
    stage = f"{scene}-from-{initial_set}" if several else scene
    label = f"{study.profile.name} {stage} {variant} seed {seed}"

    def make(folder: Path) -> Step:
        network, pool = parent.load(study), Pool(labelled.examples)
        shared = setting_of(study, seed)
        if variant != "upper bound":
            return evolve(
                network, pool, scenery.clicked, config, shared, folder=folder, label=label
            )
        history = align(network, pool, scenery.truth, config, shared, folder=folder, label=label)
        return Step(network, pool, history)

    return _model(study, made_of, make if train else None, label)


def _shared(study: Study, seed: int) -> dict[str, Any]:
    return {
        "crop": study.profile.crop,
        "clicks": study.profile.clicks,
        "seed": seed,
        "code": code_digest(),
        "torch": str(torch.__version__).partition("+")[0],
        "device": study.fabric.device.type,
        "precision": study.precision,
    }


def _model(
    study: Study, made_of: dict[str, Any], make: Callable[[Path], Step] | None, label: str
) -> Model:
    """Train it, or find it trained; of two processes, one trains and the other waits."""
    model = Model(digest_of(made_of), cache_dir() / "runs" / digest_of(made_of), label)
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
    study: Study, model: Model, made_of: dict[str, Any], make: Callable[[Path], Step]
) -> Model:
    """Several devices train one model; they agree first on whether it exists."""
    exists = study.fabric.broadcast(model.weights.exists())
    if not exists:
        _train_and_keep(study, model, made_of, make)
    study.fabric.barrier()
    return model


def _train_and_keep(
    study: Study, model: Model, made_of: dict[str, Any], make: Callable[[Path], Step]
) -> None:
    began = time.monotonic()
    step = make(model.folder)
    if not study.fabric.is_global_zero:
        return
    facts = {
        "label": model.label,
        "digest": model.digest,
        "made_of": json.loads(json.dumps(made_of, default=_jsonable)),
        "wall_s": round(time.monotonic() - began, 1),
        "peak_memory_mb": round(peak_memory_mb()),
        "history": step.history,
        **provenance(),
    }
    with atomic(model.folder / "run.json") as partial:
        partial.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    about = description(step.network.config, study.profile.crop, study.profile.clicks)
    about |= {"digest": model.digest, "label": model.label}
    save_weights(step.network, model.weights, about)


def _jsonable(value: Any) -> Any:
    return value.__dict__ if hasattr(value, "__dict__") else str(value)


def imagenet_file(study: Study) -> Path | None:
    """A local file of ImageNet weights near the data, or None for torchvision's own."""
    name = f"{study.profile.network.backbone}-imagenet.safetensors"
    folders = (study.root / "weights", study.root.parent / "weights", PROJECT / ".cache/weights")
    return next((folder / name for folder in folders if (folder / name).is_file()), None)
