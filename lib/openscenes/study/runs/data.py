"""What a study works on: the source's objects, the new scenes' clicks, the validation sets."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import lightning_fabric as fabric_module
import torch

from openscenes import synthetic as scenes
from openscenes.data import clicks, datasets
from openscenes.data.datasets.layout import data_root
from openscenes.data.examples import NO_CLASS, Example, ImageCache, from_clicks
from openscenes.data.records import ClickedObject, Index, ObjectRecord
from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.networks.devices import chosen_precision, make_fabric
from openscenes.paths import cache_dir
from openscenes.seeding import numpy_generator
from openscenes.settings import folder_parameter
from openscenes.study.asked import folder_of_data, no_images
from openscenes.study.profiles import SCENE_NAMES, InitialSet, Profile, Scene, User
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.machine import cores
from openscenes.study.runs.names import folder_words
from openscenes.study.runs.published import require_published
from openscenes.study.runs.store import digest_of, locked

SOURCE = "voc"
T = TypeVar("T")


def itself(asked: Any) -> Any:
    """The same recipe, or evaluation."""
    return asked


@dataclass(frozen=True)
class Study:
    """A profile on a data root with a device: what every run of one command shares.

    ``memory`` keeps what was read from the data root, since every table needs it again.
    In a dry run alone, ``stand_in`` names the recipe that is trained in place of another,
    ``scored_as`` the evaluation, and ``swept`` the first model whose thresholds another takes.
    """

    profile: Profile
    root: Path
    fabric: fabric_module.Fabric
    cache: ImageCache
    memory: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    stand_in: Callable[[Any], Any] = itself
    scored_as: Callable[[Any], Any] = itself
    swept: Callable[[Any], Any] = itself

    def remembered(self, key: Any, make: Callable[[], T]) -> T:
        """The value made for this key before, or made now."""
        if key not in self.memory:
            self.memory[key] = make()
        return cast(T, self.memory[key])

    @property
    def precision(self) -> str:
        """What the device multiplies in: "32-true", "tf32" or "bf16-mixed"."""
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


def open_study(profile: Profile, data: Path | str | None = None, device: str = "auto") -> Study:
    """Find or generate the data of a profile; on a CPU, take as many threads as it says.

    Raises:
        InputError: for a device, or devices that share a model, which are not there.
    """
    given = given_root(profile, data)
    require_published(profile)
    train, n_devices = profile.initial, profile.devices_per_model
    fabric = make_fabric(device, train.precision, deterministic=train.deterministic)
    if fabric.device.type == "cpu":
        torch.set_num_threads(profile.cpu_threads or cores())
    elif n_devices > 1 and (":" in device or n_devices > torch.cuda.device_count()):
        raise InputError(
            f"{n_devices} devices are to share each model, but device {device} has "
            f"{1 if ':' in device else torch.cuda.device_count()}; ask for fewer with "
            "--devices-per-model, or give the device cuda"
        )
    root = synthetic_root(profile) if given is None else given
    if given is not None:
        profile = replace(profile, data=folder_words(given))
    return Study(profile, root, fabric, ImageCache(int(profile.store_gib * 2**30)))


def is_synthetic(study: Study) -> bool:
    """Whether its images are those that its profile generates, and no folder was given."""
    return study.root.parent == cache_dir() / "scenes"


def words_of(study: Study, labelled: Labelled) -> str:
    """What the images of a set are, for figures: a folder's with the digest of the set."""
    return study.profile.data + ("" if is_synthetic(study) else f" (digest {labelled.digest[:8]})")


def given_root(profile: Profile, data: Path | str | None) -> Path | None:
    """The folder of a study's images, or None for the synthetic scenes.

    Args:
        data: the folder of the four data sets; None or "" for the synthetic scenes.
    Raises:
        DataError: where a profile of real images gets none, or what is no folder.
        InputError: if it is neither text nor a path.
    """
    if data is None or data == "":
        if profile.synthetic is None:
            raise no_images(profile.name)
        return None
    name = folder_parameter("data", data)
    folder_of_data(name)
    return data_root(name)


def synthetic_root(profile: Profile) -> Path:
    """The folder of the synthetic scenes, generated if it is not there yet."""
    name = digest_of({"sizes": profile.synthetic, "code": code_digest(scenes.write_scenes)})
    root = cache_dir() / "scenes" / name
    if root.is_dir():
        return root
    with locked(root.parent):
        if not root.exists():
            print("drawing the synthetic scenes (half a minute, once)", file=sys.stderr)
            scenes.write_scenes(root, seed=0, sizes=profile.synthetic)
    return root


def source(study: Study, initial_set: InitialSet) -> Labelled:
    """The labelled objects that an initial model learns."""

    def make() -> Labelled:
        if initial_set == "voc":
            return _labelled(study, datasets.voc(study.root, "train"))
        return _labelled(study, datasets.voc_sbd(study.root))

    return study.remembered(("source", initial_set), make)


def validation(study: Study, name: str, *, user: User | None = None) -> Labelled:
    """The validation objects of "voc", "cityscapes" or "coco".

    Args:
        user: who clicks; the profile's own user if None.
    """
    if name not in (SOURCE, *SCENE_NAMES):
        raise InputError(
            f"there is no validation set {one_line(str(name))!r}; choose one of "
            f"{', '.join((SOURCE, *SCENE_NAMES))}"
        )
    key = ("validation", name, user)
    return study.remembered(key, lambda: _labelled(study, _validation_index(study, name), user))


def _validation_index(study: Study, name: str) -> Index:
    if name == SOURCE:
        return datasets.voc(study.root, "val")
    if name == "cityscapes":
        min_area = study.profile.cityscapes.min_area
        return datasets.cityscapes(study.root / "cityscapes", "val", min_area=min_area)
    return datasets.coco(study.root / "coco", "val2017", min_area=study.profile.coco.min_area)


def new_scene(
    study: Study, scene: Scene, *, user: User | None = None, part: tuple[int, int] | None = None
) -> NewScene:
    """The training objects of a new scene: clicks, and the truth that only a bound may see.

    Args:
        user: who clicks; the profile's own user if None.
        part: (i, n) takes the i-th of n random parts of the images (Table 7).
    """
    if scene not in SCENE_NAMES:
        raise InputError(
            f"there is no new scene {one_line(str(scene))!r}; choose one of "
            f"{', '.join(SCENE_NAMES)}"
        )
    key = ("new scene", scene, user, part)
    return study.remembered(key, lambda: _new_scene(study, scene, user, part))


def _new_scene(
    study: Study, scene: Scene, user: User | None, part: tuple[int, int] | None
) -> NewScene:
    index = training_index(study, scene)
    clicked = _clicked(study, index, user)
    kept = _some(len(clicked), study.profile.evolving(scene).max_objects)
    if part is not None:
        kept = _part([clicked[i].image_id for i in kept], kept, *part)
    truth = [_with_truth(clicked[i], index, i, NO_CLASS) for i in kept]
    digest = digest_of({"index": index.digest, "objects": len(kept), "part": part})
    return NewScene(tuple(clicked[i] for i in kept), tuple(truth), digest)


def training_index(study: Study, scene: Scene) -> Index:
    """The training objects of a new scene as its layout has them."""
    folder, evolving = study.root / scene, study.profile.evolving(scene)
    fraction, min_area = evolving.image_fraction, evolving.min_area

    def make() -> Index:
        if scene == "cityscapes":
            return datasets.cityscapes(folder, "train", min_area=min_area)
        return datasets.coco(folder, "train2017", fraction=fraction, min_area=min_area)

    return study.remembered(("index", scene), make)


def _part(images: list[str], kept: list[int], i: int, n: int) -> list[int]:
    names = sorted(set(images))
    order = numpy_generator("parts", len(names), n).permutation(len(names))
    chosen = {names[position] for position in order[i::n]}
    return [position for position, image in zip(kept, images, strict=True) if image in chosen]


def _some(n_objects: int, most: int | None) -> list[int]:
    """Positions of all objects, or of a fixed random choice of them."""
    if most is None or n_objects <= most:
        return list(range(n_objects))
    chosen = numpy_generator("objects", n_objects, most).permutation(n_objects)[:most]
    return sorted(int(position) for position in chosen)


def _labelled(study: Study, index: Index, user: User | None = None) -> Labelled:
    channels = {name: 1 + i for i, name in enumerate(index.classes)}
    examples = [
        _with_truth(clicked, index, i, channels[index.records[i].class_name])
        for i, clicked in enumerate(_clicked(study, index, user))
    ]
    return Labelled(tuple(examples), index.digest, index)


def with_others(labelled: Labelled) -> tuple[Example, ...]:
    """The examples, each with the other labelled objects of its image."""
    by_image: dict[Path, list[ObjectRecord]] = {}
    for record in labelled.index.records:
        by_image.setdefault(record.image, []).append(record)
    return tuple(
        replace(e, others=tuple(o for o in by_image[e.image] if o is not e.supervision))
        for e in labelled.examples
    )


def _with_truth(clicked: ClickedObject, index: Index, position: int, channel: int) -> Example:
    plain = from_clicks(clicked)
    record = index.records[position]
    return Example(plain.object_id, plain.image, plain.interaction, record, channel)


def _clicked(study: Study, index: Index, user: User | None) -> tuple[ClickedObject, ...]:
    profile = study.profile
    config = profile.clicks if user is None else replace(profile.clicks, user=user)
    code = code_digest(clicks.clicked_objects)  # of the simulated users
    name = digest_of([index.digest, str(study.root), config, profile.crop, code])
    path = cache_dir() / "clicks" / f"{index.scene.replace('/', '-')}-{name}.jsonl"
    return clicks.clicked_objects(index, config, profile.crop, path)
