"""What a study works on: the source's objects, the new scenes' clicks, the validation sets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import lightning_fabric as fabric_module
import torch
from filelock import FileLock

from openscenes.data import clicks, datasets, scenes
from openscenes.data.records import ClickedObject, Index
from openscenes.data.samples import NO_CLASS, Example, ImageCache, from_clicks
from openscenes.errors import DataError
from openscenes.method.training import chosen_precision, make_fabric
from openscenes.paths import cache_dir
from openscenes.seeding import numpy_generator
from openscenes.study.profiles import InitialSet, Profile, Scene
from openscenes.study.provenance import code_digest

SOURCE = "voc"


@dataclass(frozen=True)
class Study:
    """A profile on a data root with a device: what every run of one command shares."""

    profile: Profile
    root: Path
    fabric: fabric_module.Fabric
    cache: ImageCache

    @property
    def precision(self) -> str:
        """What the device multiplies in, "32-true" or "bf16-mixed"."""
        return chosen_precision(self.profile.initial.precision, self.fabric.device.type)


@dataclass(frozen=True)
class NewScene:
    """A scene to evolve onto: clicks for the method, truth for the upper bound only."""

    clicked: tuple[ClickedObject, ...]
    truth: tuple[Example, ...]
    digest: str


@dataclass(frozen=True)
class Labelled:
    """Objects with ground truth, for the initial model or for validation."""

    examples: tuple[Example, ...]
    digest: str
    index: Index


def digest_of(value: Any) -> str:
    """Twelve hex digits that name a value made of dataclasses, mappings and plain data."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def open_study(profile: Profile, data: Path | None = None, device: str = "auto") -> Study:
    """Find or generate the data of a profile; on a CPU, take as many threads as it says.

    Raises:
        DataError: where a profile of real photographs gets no data root.
    """
    if data is None and profile.embedded is None:
        raise DataError(
            f"profile {profile.name} works on {profile.data} and needs to know where they lie: "
            "give the folder that holds VOCdevkit, benchmark_RELEASE, cityscapes and coco, "
            f"as in: make tables PROFILE={profile.name} DATA=path/to/folder"
        )
    fabric = make_fabric(device, profile.initial.precision)
    if fabric.device.type == "cpu":
        torch.set_num_threads(profile.cpu_threads or os.cpu_count() or 1)
    root = embedded_root(profile) if data is None else Path(data)
    return Study(profile, root, fabric, ImageCache(int(profile.cache_gib * 2**30)))


def embedded_root(profile: Profile) -> Path:
    """The folder of the embedded scenes, generated if it is not there yet."""
    name = digest_of({"sizes": profile.embedded, "code": code_digest(("data/scenes",))})
    root = cache_dir() / "scenes" / name
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_suffix(".lock")):
        if not root.exists():
            print("drawing the embedded scenes (half a minute, once)", file=sys.stderr)
            scenes.write_scenes(root, seed=0, sizes=profile.embedded)
    return root


def source(study: Study, initial_set: InitialSet) -> Labelled:
    """The labelled objects that an initial model learns."""
    read = datasets.voc_sbd(study.root) if initial_set == "voc+sbd" else None
    return _labelled(study, read or datasets.voc(study.root, "train"))


def validation(study: Study, name: str) -> Labelled:
    """The validation objects of "voc", "cityscapes" or "coco"."""
    if name == SOURCE:
        return _labelled(study, datasets.voc(study.root, "val"))
    min_area = study.profile.evolving(_scene(name)).min_area
    if name == "cityscapes":
        return _labelled(
            study, datasets.cityscapes(study.root / "cityscapes", "val", min_area=min_area)
        )
    return _labelled(study, datasets.coco(study.root / "coco", "val2017", min_area=min_area))


def new_scene(study: Study, scene: Scene) -> NewScene:
    """The training objects of a new scene: clicks, and the truth that only a bound may see."""
    evolving = study.profile.evolving(scene)
    if scene == "cityscapes":
        index = datasets.cityscapes(study.root / "cityscapes", "train", min_area=evolving.min_area)
    else:
        index = datasets.coco(
            study.root / "coco",
            "train2017",
            fraction=evolving.image_fraction,
            min_area=evolving.min_area,
        )
    clicked = _clicked(study, index)
    kept = _some(len(clicked), evolving.max_objects)
    truth = [_with_truth(clicked[i], index, i, NO_CLASS) for i in kept]
    digest = digest_of({"index": index.digest, "objects": len(kept)})
    return NewScene(tuple(clicked[i] for i in kept), tuple(truth), digest)


def _scene(name: str) -> Scene:
    return "cityscapes" if name == "cityscapes" else "coco"


def _some(n_objects: int, most: int | None) -> list[int]:
    """Positions of all objects, or of a fixed random choice of them."""
    if most is None or n_objects <= most:
        return list(range(n_objects))
    chosen = numpy_generator("objects", n_objects, most).permutation(n_objects)[:most]
    return sorted(int(position) for position in chosen)


def _labelled(study: Study, index: Index) -> Labelled:
    channels = {name: 1 + i for i, name in enumerate(index.classes)}
    examples = [
        _with_truth(clicked, index, i, channels[index.records[i].class_name])
        for i, clicked in enumerate(_clicked(study, index))
    ]
    return Labelled(tuple(examples), index.digest, index)


def _with_truth(clicked: ClickedObject, index: Index, position: int, channel: int) -> Example:
    plain = from_clicks(clicked)
    record = index.records[position]
    return Example(plain.object_id, plain.image, plain.interaction, record, channel)


def _clicked(study: Study, index: Index) -> tuple[ClickedObject, ...]:
    profile = study.profile
    name = digest_of([index.digest, str(study.root), profile.clicks, profile.crop])
    path = cache_dir() / "clicks" / f"{index.scene.replace('/', '-')}-{name}.jsonl"
    return clicks.clicked_objects(index, profile.clicks, profile.crop, path)
