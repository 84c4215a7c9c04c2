"""What the official data sets are, where they must lie, and how many objects one should find.

The counts are what others found on the official files; a study recounts them on its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from openscenes.downloads import gigabytes
from openscenes.paths import is_folder
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.study.fetch.catalogue import SETS
from openscenes.study.profiles import PAPER, InitialSet, Profile, Scene
from openscenes.study.runs.data import SOURCE, Study, new_scene, source, validation

INITIAL_SETS: tuple[InitialSet, ...] = ("voc", "voc+sbd")
SCENES: tuple[Scene, ...] = ("cityscapes", "coco")
TERAFLOP_PER_CROP = 0.426  # forward and backward of IOG with ResNet-101 at 512 px, as published
# Objects to learn: VOC and SBD as IOG's code counts them, the scenes as Sec. 4.1.1 does.
OBJECTS: Mapping[str, int] = {
    "voc": 3_507, "voc+sbd": 25_832, "cityscapes": 52_004, "coco": 83_070,
    # to be tested on: IOG's code, about 10,000, which is not stated, and COCO's own, without crowds
    "val voc": 3_427, "val cityscapes": 10_000, "val coco": 36_335,
}  # fmt: skip


@dataclass(frozen=True)
class Need:
    """One data set.

    Attributes:
        folders: below the data folder, all of them.
        contents: images and objects of its splits, with the source of each count.
        archive: the official files, their sizes and checksums.
    """

    name: str
    folders: tuple[str, ...]
    contents: tuple[str, ...]
    archive: str


def _archives(*names: str) -> str:
    files = dict.fromkeys(archive for name in names for archive in SETS[name].archives)
    return "; ".join(f"{f.name}, {gigabytes(f.n_bytes)}, {f.checksum}" for f in files)


def _below(folder: str, names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names.split())


NEEDS = (
    Need(
        "PASCAL VOC 2012",
        _below("VOCdevkit/VOC2012",
               "JPEGImages SegmentationObject SegmentationClass ImageSets/Segmentation"),
        ("train: 1,464 images, 3,507 objects (IOG's code)",
         "val: 1,449 images, 3,427 objects (IOG's code; RITM's list has 3,417)"),
        _archives("voc"),
    ),
    Need(
        "SBD", _below("benchmark_RELEASE/dataset", "img inst"),
        ("VOC train with all of SBD that is not in VOC val: 10,582 images, 25,832 objects "
         "(IOG's code)",),
        _archives("sbd"),
    ),
    Need(
        "Cityscapes",
        _below("cityscapes", "leftImg8bit/train leftImg8bit/val gtFine/train gtFine/val"),
        ("train: 2,975 images, 52,004 objects (Sec. 4.1.1)",
         "val: 500 images, about 10,000 objects (not stated anywhere; counted on the data)"),
        _archives("cityscapes"),
    ),
    Need(
        "COCO 2017", _below("coco", "train2017 val2017 annotations"),
        ("train2017: 118,287 images, of which one in ten is drawn; the paper's draw has 11,901 "
         "images and 83,070 objects (Sec. 4.1.1), another draw has others",
         "val2017: 5,000 images, 36,335 objects without crowds"),
        _archives("coco-train", "coco-val"),
    ),
)  # fmt: skip


def missing(data: Path | None) -> tuple[str, ...]:
    """Folders that are not below the data folder; all of them where there is no such folder."""
    wanted = [folder for need in NEEDS for folder in need.folders]
    return tuple(name for name in wanted if data is None or not is_folder(data / name))


def requirements(profile: Profile, data: Path | None) -> list[str]:
    """Lines: what a profile on real images needs, where it must lie, and what is there now.

    Args:
        data: the folder of the four data sets; None if it was not given.
    """
    place = "DATA" if data is None else str(data)
    absent = missing(data)
    lines = [f"Needed in {place}, each under its owner's licence:"]
    for need in NEEDS:
        lines.append(f"  {need.name}")
        lines += [f"    [{_state(f, data, absent)}] {place}/{f}" for f in need.folders]
        lines += [f"    {said}" for said in need.contents] if profile.kind == "paper" else []
        lines += [f"    official files: {need.archive}"] if profile.kind == "paper" else []
    if profile.imagenet:
        lines.append("  ImageNet weights: torchvision's own, or the file of")
        lines += [
            f"    {place}/weights/{kind}-imagenet.safetensors, or in {place}/../weights ({who})"
            for kind, who in imagenet_kinds(profile).items()
        ]
    typed = "DATA=folder" if data is None else f"DATA={quote(place)}"
    lines.append(f"  `make data {typed}` says how large what is missing is, and fetches it.")
    return lines


def published_objects(profile: Profile) -> dict[str, int]:
    """``OBJECTS``, of which a profile takes no more than it wants."""
    most = {str(scene): profile.evolving(scene).max_objects for scene in SCENES}
    return {name: min(n, most.get(name) or n) for name, n in OBJECTS.items()}


def objects_of(study: Study) -> dict[str, int]:
    """What ``OBJECTS`` counts, in a study's own data."""
    found: dict[str, int] = {name: len(source(study, name).examples) for name in INITIAL_SETS}
    found |= {scene: len(new_scene(study, scene).clicked) for scene in SCENES}
    return found | {f"val {w}": len(validation(study, w).examples) for w in (SOURCE, *SCENES)}


def imagenet_kinds(profile: Profile) -> dict[str, str]:
    """torchvision's names of the ImageNet networks that a profile starts from -> who does."""
    users: dict[str, list[str]] = {profile.network.backbone: ["ours"]} if profile.imagenet else {}
    for name in PEERS:
        kind = peer_of(profile, name).imagenet
        if kind is not None:
            users.setdefault(kind, []).append(name)
    return {kind: ", ".join(names) for kind, names in users.items()}


def _state(folder: str, data: Path | None, absent: tuple[str, ...]) -> str:
    if data is None:
        return "no DATA given"
    return "missing" if folder in absent else "there"


def paper_needs() -> str:
    """Markdown: a section of the status page on profile ``paper``."""
    flops = f"{paper_flops():.1e}".replace("e+", "e")
    kinds = "; ".join(f"`{kind}` ({who})" for kind, who in imagenet_kinds(PAPER).items())
    return f"""## What profile `paper` needs

- `make tables PROFILE=paper DATA=folder`, where the folder holds the official layouts
  `VOCdevkit/VOC2012`, `benchmark_RELEASE` (SBD), `cityscapes` (`leftImg8bit`, `gtFine`) and `coco`
  (`train2017`, `val2017`, `annotations`), each under its owner's licence.
  `make data DATA=folder SETS="voc sbd coco"` fetches, checks and unpacks them, 24 GB, and
  Cityscapes, which wants a login, once its two archives lie in the folder; without `SETS` it says
  what is there and how large the rest is.
- ImageNet weights, torchvision's own (`SETS=weights` fetches them), or files
  `weights/NAME-imagenet.safetensors` in the folder or beside it, for each NAME of {kinds}.
- One or more GPUs: Tables 3 and 4 take about {flops} floating-point operations per seed and
  pass over pairs of {PAPER.crop.size} px crops, {PAPER.initial.batch_size} at a time. This is an
  estimate from the counted cost of one crop, not a measurement; `make plan PROFILE=paper` has
  one for every table."""


def paper_flops() -> float:
    """Floating-point operations of all trainings behind Table 4 at the paper's size, one seed."""
    crops = 0
    for initial_set in PAPER.initial_sets:
        crops += OBJECTS[initial_set] * PAPER.initial.epochs
        for scene, evolving in (("cityscapes", PAPER.cityscapes), ("coco", PAPER.coco)):
            # four variants on pairs of an old and a new crop, one bound on new crops alone
            crops += (4 * 2 + 1) * OBJECTS[scene] * evolving.train.epochs
    return crops * TERAFLOP_PER_CROP * 1e12
