"""Doors ``voc``, ``sbd``, ``cityscapes``, ``coco``, ``cache``: data sets in official layouts."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat
from tests.fuzz import pictures
from tests.fuzz.frame import Place, check
from tests.fuzz.mutations import BYTES, NO_FILE, ODD_TEXT, SAVED, each, odd_json, to_text

from openscenes.data.datasets import annotations, cityscapes, coco, read_mask, sbd, voc
from openscenes.data.records import Index
from openscenes.masks import encode, tight_box

HEIGHT, WIDTH = SIZE = 24, 32
IDS = ("a_001", "b_002", "c_003")
_LINES = [name.encode() for name in IDS]
Truth = dict[tuple[str, int], np.ndarray]  # mask by image and number of the object


def _masks(place: Place) -> Truth:
    """Two rectangles in each image."""
    truth = {}
    for name in IDS:
        for number, col in ((1, 2), (2, 18)):
            mask = np.zeros(SIZE, bool)
            row, height, width = place.numbers.integers(3, 10, 3)
            mask[row : row + height, col : col + width] = True
            truth[name, number] = mask
    return truth


def _labels(truth: Truth, name: str, values: tuple[int, int]) -> np.ndarray:
    labels = np.zeros(SIZE, np.int32)
    for number, value in enumerate(values, start=1):
        labels[truth[name, number]] = value
    return labels


def _picture(path: Path, place: Place, kind: str = "JPEG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = place.numbers.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, kind)


def _write_voc(root: Path, place: Place, truth: Truth) -> dict[str, Path]:
    base = root / "VOCdevkit/VOC2012"
    for name in IDS:
        _picture(base / f"JPEGImages/{name}.jpg", place)
        for folder, values in (("Object", (1, 2)), ("Class", (7, 15))):
            path = base / f"Segmentation{folder}/{name}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(_labels(truth, name, values).astype(np.uint8)).save(path)
    path = base / "ImageSets/Segmentation/train.txt"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(IDS) + "\n")
    return {"list": path, "image": base / f"JPEGImages/{IDS[1]}.jpg",
            "mask": base / f"SegmentationObject/{IDS[1]}.png",
            "classes": base / f"SegmentationClass/{IDS[1]}.png"}  # fmt: skip


def _write_sbd(root: Path, place: Place, truth: Truth) -> dict[str, Path]:
    base = root / "benchmark_RELEASE/dataset"
    (base / "inst").mkdir(parents=True)
    for name in IDS:
        _picture(base / f"img/{name}.jpg", place)
        _save_mat(base / f"inst/{name}.mat", _labels(truth, name, (1, 2)).astype(np.uint8), [7, 15])
    (base / "train.txt").write_text("\n".join(IDS) + "\n")
    return {"list": base / "train.txt", "image": base / f"img/{IDS[1]}.jpg",
            "mask": base / f"inst/{IDS[1]}.mat"}  # fmt: skip


def _save_mat(path: Path, labels: object, categories: object, key: str = "GTinst") -> None:
    savemat(path, {key: {"Segmentation": labels, "Categories": np.array(categories)}})


def _write_cityscapes(root: Path, place: Place, truth: Truth) -> dict[str, Path]:
    for name in IDS:
        _picture(root / f"leftImg8bit/val/town/{name}_leftImg8bit.png", place, "PNG")
        path = root / f"gtFine/val/town/{name}_gtFine_instanceIds.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        labels = _labels(truth, name, (26_000, 24_001)).astype(np.uint16)
        Image.fromarray(labels).save(path)
    return {"image": root / f"leftImg8bit/val/town/{IDS[1]}_leftImg8bit.png",
            "mask": root / f"gtFine/val/town/{IDS[1]}_gtFine_instanceIds.png"}  # fmt: skip


def _write_coco(root: Path, place: Place, truth: Truth) -> dict[str, Path]:
    images, content = [], []
    for number, name in enumerate(IDS, start=1):
        _picture(root / f"val2017/{name}.jpg", place)
        images.append({"id": number, "file_name": f"{name}.jpg", "height": HEIGHT, "width": WIDTH})
    for (name, number), mask in truth.items():
        row0, col0, row1, col1 = tight_box(mask)
        outline = [[col0, row0, col1, row0, col1, row1, col0, row1]]
        content.append({
            "id": 10 * (1 + IDS.index(name)) + number, "image_id": 1 + IDS.index(name),
            "category_id": 3, "iscrowd": 0, "area": int(mask.sum()),
            "bbox": [col0, row0, col1 - col0, row1 - row0],
            "segmentation": outline if number == 1 else encode(mask),
        })  # fmt: skip
    path = root / "annotations/instances_val2017.json"
    path.parent.mkdir()
    categories = [{"id": 3, "name": "cup"}, {"id": 5, "name": "dog"}]
    path.write_text(
        json.dumps({"images": images, "annotations": content, "categories": categories})
    )
    return {"list": path, "image": root / f"val2017/{IDS[1]}.jpg"}


_SETS: dict[str, tuple[Callable, Callable[[Path], Index], tuple[int, int]]] = {
    "voc": (_write_voc, lambda root: voc(root, "train"), (1, 2)),
    "sbd": (_write_sbd, lambda root: sbd(root, "train"), (1, 2)),
    "cityscapes": (_write_cityscapes, lambda root: cityscapes(root, "val"), (26_000, 24_001)),
    "coco": (_write_coco, lambda root: coco(root, "val"), (0, 0)),
}  # fmt: skip


def _key(which: str, record) -> tuple[str, int]:
    """Which of the rectangles a record is."""
    label = record.mask.label
    number = label % 10 if which == "coco" else 1 + _SETS[which][2].index(label)
    return record.image_id, number


def is_right(place: Place, which: str, truth: Truth, must: set[tuple[str, int]]) -> Index | None:
    """The index has what was not touched, with its mask; whatever it has can be read."""
    root = place.work / "data"
    index = place.try_(_SETS[which][1], root)
    if index is None:
        return None
    found = set()
    for record in index.records:
        check(record.image.resolve().is_relative_to(root), "an image from outside")
        mask = place.try_(read_mask, record)
        if mask is None:
            check((record.image_id, 1) not in must, f"a sound mask is refused: {place.refused}")
            continue
        check(int(mask.sum()) == record.area and record.area > 0, "mask and area differ")
        check(tuple(record.box) == tight_box(mask), "mask and box differ")
        if (record.image_id, 1) in must:
            found.add(key := _key(which, record))
            check((mask == truth[key]).all(), f"object {key} has another mask")
    check(found >= must, f"sound objects are gone: {sorted(must - found)} {index.dropped}"[:300])
    return index


def _begin(which: str, place: Place) -> tuple[Truth, dict[str, Path]]:
    truth = _masks(place)
    return truth, _SETS[which][0](place.work / "data", place, truth)


def _damaged(which: str, kind: str, place: Place) -> None:
    """One file of the second image is damaged: the others are as they were."""
    part, _, how = kind.partition("-")
    truth, files = _begin(which, place)
    place.protect(
        *(p for p in (place.work / "data").rglob("*") if p.is_file() and p != files[part])
    )
    if how in NO_FILE:
        NO_FILE[how](files[part])
    else:
        files[part].write_bytes(BYTES[how](place.random, files[part].read_bytes()))
    others = {key for key in truth if key[0] != IDS[1]}
    if part == "list":  # the names that are left in it count
        there = files[part].read_bytes() if how in BYTES and which != "coco" else b""
        names = [line.decode().split()[0] for line in there.split(b"\n") if line in _LINES]
        others = {key for key in truth if key[0] in names}
    is_right(place, which, truth, others)
    if place.refused:
        check(part == "list" or how in NO_FILE, f"one file spoils the rest: {place.refused}")


def _list(which: str, kind: str, place: Place) -> None:
    """A list of names as other programs save it, or with odd names between the good ones."""
    truth, files = _begin(which, place)
    text = files["list"].read_text()
    if kind == "odd":
        name = place.random.choice(ODD_TEXT).encode("utf-8", "replace").decode()
        files["list"].write_text(text + name + "\n" + IDS[0] + " 1\n")
    else:
        files["list"].write_bytes(SAVED[kind](text))
    index = is_right(place, which, truth, set(truth))
    check(index is not None or kind == "odd", f"a good list was refused: {place.refused}")


def _odd_mask(which: str, mode: str, place: Place) -> None:
    """A mask of another mode or size: refused as it is read, or its labels are meant."""
    truth, files = _begin(which, place)
    picture = pictures.in_mode(mode, place.numbers)
    path = files["mask"]
    path.write_bytes(picture.content)
    is_right(place, which, truth, {key for key in truth if key[0] != IDS[1]})


def _mat(kind: str, place: Place) -> None:
    """MATLAB files that scipy reads and that are no label maps."""
    truth, files = _begin("sbd", place)
    labels = _labels(truth, IDS[1], (1, 2))
    contents = {
        "float": (labels.astype(float), [7, 15]), "nan": (labels * float("nan"), [7, 15]),
        "negative": (-labels, [7, 15]), "huge": (labels.astype(np.int64) * 2**40, [7, 15]),
        "deep": (np.stack([labels] * 3, -1), [7, 15]), "text": ("words", [7, 15]),
        "empty": (labels[:0], []), "few": (labels, [7]), "many": (labels, [7, 15] * 90),
        "odd-class": (labels, [0, 99]), "class-text": (labels, ["a", "b"]),
        "class-nan": (labels, [float("nan"), 7.0]), "other-size": (labels[:5], [7, 15]),
        "key": (labels, [7, 15]), "cell": (np.array([labels, "x"], dtype=object), [7, 15]),
        "class-inf": (labels, [float("inf"), 1.5]), "bool": (labels > 0, [7]),
    }  # fmt: skip
    _save_mat(files["mask"], *contents[kind], **({"key": "other"} if kind == "key" else {}))
    is_right(place, "sbd", truth, {key for key in truth if key[0] != IDS[1]})


def _coco_tree(part: str, place: Place) -> None:
    """One node of a COCO file is changed: what it does not touch is as it was."""
    truth, files = _begin("coco", place)
    content = json.loads(files["list"].read_text())
    at = place.random.randrange(len(content[part])) if part in content else 0
    changed, way = odd_json(place.random, content, at=(part, at) if part in content else ())
    files["list"].write_text(text := to_text(changed))
    touched = set()
    if len(text) > 5_000 or len(way) < 2 or way[0] == "categories":
        touched = set(truth)
    elif way[0] == "images":
        touched = {key for key in truth if key[0] == IDS[way[1]]}
        if "id" in way or len(way) == 2:  # its number may now be another image's
            touched = set(truth)
    elif way[0] == "annotations":
        touched = {list(truth)[way[1]]} if len(way) > 2 else set(truth)
        if "id" in way:
            touched = set(truth)
        if "image_id" in way:
            touched |= {(name, list(truth)[way[1]][1]) for name in IDS}
    must = {key for key in truth if key not in touched}
    index = is_right(place, "coco", truth, set() if touched == set(truth) else must - {
        key for key in truth if any(other[0] == key[0] for other in touched)})  # fmt: skip
    check(index is not None or touched, f"a sound file was refused: {place.refused}")
    if index is None and len(way) > 2 and touched != set(truth):
        check(False, f"one entry spoils the rest: {place.refused}")


def _coco_saved(kind: str, place: Place) -> None:
    truth, files = _begin("coco", place)
    files["list"].write_bytes(
        SAVED[kind](json.dumps(json.loads(files["list"].read_text()), indent=1))
    )
    check(is_right(place, "coco", truth, set(truth)) is not None, f"refused: {place.refused}")


def _cache(kind: str, place: Place) -> None:
    """A damaged cache is noticed: the index is the same as before."""
    which, how = kind.split("-")
    truth, _ = _begin(which, place)
    before = is_right(place, which, truth, set(truth))
    files = [path for path in sorted(place.cache.rglob("*")) if path.is_file()]
    path = place.random.choice(files)
    if how in NO_FILE:
        NO_FILE[how](path)
    elif how == "tree" and path.suffix == ".json":
        first, *rest = path.read_text().split("\n")
        changed, _ = odd_json(place.random, {"all": json.loads(first)})
        path.write_text("\n".join([to_text(changed.get("all")), *rest]))
    else:
        path.write_bytes(BYTES["flip" if how == "tree" else how](place.random, path.read_bytes()))
    annotations._opened.cache_clear()
    again = is_right(place, which, truth, set(truth))
    check(again is not None or how in NO_FILE, f"a damaged cache stops the reader: {place.refused}")
    check(again is None or again == before, "a damaged cache gives another index")


def _of(which: str, parts: tuple[str, ...], n_bytes: int) -> dict:
    cases: dict = {}
    for part in parts:
        for n_seeds, kinds in ((n_bytes, BYTES), (1, NO_FILE)):
            for how in kinds:
                kind = f"{part}-{how}"
                cases[kind] = (n_seeds, lambda place, kind=kind: _damaged(which, kind, place))
    if which in ("voc", "sbd"):
        for kind, n_seeds in [*((kind, 1) for kind in SAVED), ("odd", 20)]:
            cases[f"list-{kind}"] = (n_seeds, lambda place, kind=kind: _list(which, kind, place))
    if which in ("voc", "cityscapes"):
        for mode in pictures.MODES:
            cases[f"mode-{mode}"] = (1, lambda place, mode=mode: _odd_mask(which, mode, place))
    return cases


_MATS = (
    "float", "nan", "negative", "huge", "deep", "text", "empty", "few", "many", "odd-class",
    "class-text", "class-nan", "other-size", "key", "cell", "class-inf", "bool",
)  # fmt: skip
_CACHES = [f"{which}-{how}" for which in ("voc", "coco") for how in (*BYTES, "tree")]
DOORS = {
    "voc": _of("voc", ("list", "image", "mask", "classes"), 1),
    "sbd": _of("sbd", ("list", "image", "mask"), 2) | each(1, _mat, _MATS),
    "cityscapes": _of("cityscapes", ("image", "mask"), 2),
    "coco": _of("coco", ("list", "image"), 3) | each(110, _coco_tree, ("annotations",))
    | each(40, _coco_tree, ("images",)) | each(20, _coco_tree, ("categories", "whole"))
    | each(1, _coco_saved, SAVED),
    "cache": each(3, _cache, _CACHES)
    | each(1, _cache, [f"coco-{how}" for how in NO_FILE if how != "folder"]),
}  # fmt: skip
