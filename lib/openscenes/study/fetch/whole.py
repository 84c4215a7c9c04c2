"""Whether a data set lies in its folder with all images that its publisher counts."""

from collections.abc import Callable, Mapping
from pathlib import Path

from openscenes.data import datasets
from openscenes.data.datasets.layout import read_list
from openscenes.data.datasets.voc import voc_image_ids
from openscenes.downloads import gigabytes, part_of
from openscenes.errors import DataError
from openscenes.paths import is_folder
from openscenes.study.fetch.catalogue import SETS, Archive

WORK = ".fetch"  # below the data folder: parts, and archives until they are unpacked


def present(name: str, data: Path) -> bool:
    """Whether anything lies where an archive of the set goes."""
    places = [data / archive.place for archive in SETS[name].archives]
    return any(_filled(place) for place in places if place.name != "annotations")  # of two sets


def lacking(name: str, data: Path) -> str:
    """What a set that is there lacks, as "train 1,460 of 1,464 images"; "" where it is whole."""
    try:
        found = _IMAGES[name](data)
    except DataError as error:
        return str(error)
    wanted = SETS[name].images
    return ", ".join(
        f"{split} {found.get(split, 0):,} of {wanted[split]:,} images"
        for split in wanted
        if found.get(split, 0) != wanted[split]
    )


def state_of(name: str, data: Path | None) -> tuple[str, list[Archive]]:
    """In words, and which archives are still to be unpacked."""
    left = left_of(name, data)
    if data is None:
        return "", left
    if not present(name, data):
        parts = sum(fetched_bytes(archive, data) for archive in left)
        return (f"missing; {gigabytes(parts)} fetched" if parts else "missing"), left
    if lacks := lacking(name, data):
        return f"not whole: {lacks}", left
    images = SETS[name].images
    return f"whole: {', '.join(f'{split} {n:,}' for split, n in images.items())} images", []


def left_of(name: str, data: Path | None) -> list[Archive]:
    """Archives of a set whose place is empty."""
    archives = SETS[name].archives if name in SETS else ()
    return [one for one in archives if data is None or not _filled(data / one.place)]


def _filled(place: Path) -> bool:
    return is_folder(place) and any(place.iterdir())


def given(archive: Archive, data: Path) -> Path | None:
    """The archive, where somebody put it into the data folder or the set's own."""
    folders = (data, data / Path(archive.place).parts[0])
    return next((f / archive.name for f in folders if (f / archive.name).is_file()), None)


def fetched_bytes(archive: Archive, data: Path) -> int:
    """What lies there already of an archive that is being fetched."""
    path = data / WORK / archive.name
    there = path if path.is_file() else part_of(path)
    return there.stat().st_size if there is not None else 0


def objects(name: str, data: Path, published: Mapping[str, int]) -> list[str]:
    """A line for each split whose objects are counted in seconds, beside their published number."""
    lines = []
    for split, key in SETS[name].objects.items():
        if name == "voc":
            found = len(datasets.voc(data, split).records)
        else:
            found = len(datasets.coco(data / "coco", split).records)
        beside = "as" if found == published[key] else f"{published[key]:,}"
        lines.append(f"{split}: {found:,} objects, {beside} published")
    return lines


def _voc(data: Path) -> dict[str, int]:
    base = data / "VOCdevkit/VOC2012"
    there = _stems(base / "JPEGImages", ".jpg")
    for folder in ("SegmentationObject", "SegmentationClass"):
        there &= _stems(base / folder, ".png")
    return {
        split: len(there.intersection(voc_image_ids(data, split))) for split in ("train", "val")
    }


def _sbd(data: Path) -> dict[str, int]:
    base = data / "benchmark_RELEASE/dataset"
    there = _stems(base / "img", ".jpg") & _stems(base / "inst", ".mat")
    return {s: len(there.intersection(read_list(base, s, "SBD"))) for s in ("train", "val")}


def _coco(split: str, data: Path) -> dict[str, int]:
    annotations = data / f"coco/annotations/instances_{split}.json"
    if not annotations.is_file():
        raise DataError(f"coco/annotations/{annotations.name} is missing")
    return {split: len(_stems(data / "coco" / split, ".jpg"))}


def _cityscapes(data: Path) -> dict[str, int]:
    found = {}
    for split in ("train", "val"):
        ends = (("leftImg8bit", "_leftImg8bit.png"), ("gtFine", "_gtFine_instanceIds.png"))
        images, masks = (
            {
                path.name.removesuffix(end)
                for path in (data / "cityscapes").glob(f"{kind}/{split}/*/*{end}")
            }
            for kind, end in ends
        )
        found[split] = len(images & masks)
    return found


_IMAGES: Mapping[str, Callable[[Path], dict[str, int]]] = {
    "voc": _voc,
    "sbd": _sbd,
    "coco-train": lambda data: _coco("train2017", data),
    "coco-val": lambda data: _coco("val2017", data),
    "cityscapes": _cityscapes,
}


def _stems(folder: Path, end: str) -> set[str]:
    if not is_folder(folder):
        return set()
    return {path.name.removesuffix(end) for path in folder.iterdir() if path.name.endswith(end)}
