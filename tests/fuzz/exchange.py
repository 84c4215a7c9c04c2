"""Doors ``import`` and ``export``: files of other tools in, our objects out."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from tests.fuzz import pictures
from tests.fuzz.codes import right_mask, some_mask
from tests.fuzz.frame import SECRET, Place, check, digest
from tests.fuzz.mutations import BYTES, NO_FILE, ODD_TEXT, SAVED, each, odd_json, to_text
from tests.fuzz.rooms import SIZE, accept, annotated, check_masks, opened, pictures_in

from openscenes.annotator.exchange.export import export
from openscenes.annotator.exchange.imports import import_objects
from openscenes.masks import encode, tight_box

CLASSES = ("cup", "dog")


def _foreign(place: Place, masks: list[np.ndarray], names: list[str]) -> dict:
    """A COCO file of another tool: one object on each picture."""
    images = [{"id": n, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
              for n, name in enumerate(names, start=1)]  # fmt: skip
    content = [{"id": n, "image_id": n, "category_id": 1 + n % 2, "iscrowd": 0,
                "bbox": [1, 1, 2, 2], "area": int(mask.sum()), "segmentation": encode(mask)}
               for n, mask in enumerate(masks, start=1)]  # fmt: skip
    classes = [{"id": n, "name": name} for n, name in enumerate(CLASSES, start=1)]
    return {"images": images, "annotations": content, "categories": classes}


def _imported(place: Place, source: Path, *, good: bool = False):
    """What the log has after an import, by image; None where it was refused."""
    room = opened(place)
    report = (place.good if good else place.try_)(
        import_objects, room.annotations, room.workspace, source
    )
    again = opened(place)
    check(not again.annotations.log.complaint(), again.annotations.log.complaint())
    found = again.annotations.accepted()
    for one in found:
        mask = right_mask(one.mask)
        check(mask is not None and mask.any(), "an object without pixels")
        check((place.work / "photos" / one.image).is_file(), "an object on no picture")
        check(
            ".." not in one.image.split("/") and not one.image.startswith("/"),
            "a picture from outside",
        )
    if report is not None:
        check(report.n_added == len(found), "another number of objects than reported")
        check("\0" not in str(report) and len(str(report).splitlines()) == 1, "a report of lines")
    return None if report is None else found


def _coco(kind: str, place: Place) -> None:
    """One node of another tool's file is changed; what it does not touch comes in right."""
    names = ["0.png", "1.jpg", "2.png"]
    pictures_in(place.work / "photos", place, tuple(names))
    masks = [some_mask(place, SIZE) for _ in names]
    content, path = _foreign(place, masks, names), place.work / "foreign.json"
    at = place.random.randrange(2) if kind == "categories" else place.random.randrange(3)
    changed, way = odd_json(place.random, content, at=() if kind == "whole" else (kind, at))
    path.write_text(text := to_text(changed))
    found = _imported(place, path)
    free = {0, 1, 2} - ({way[1]} if len(way) > 1 and kind != "categories" else set())
    if len(text) > 5_000 or len(way) <= 2 or "id" in way[2:3]:
        return  # the whole, or what a number means, may be another now
    if found is None:
        check(kind == "categories", f"one entry spoils the rest: {place.refused}")
    for number in free if found is not None else ():
        mine = [right_mask(one.mask) for one in found if one.image == names[number]]
        check(any((mask == masks[number]).all() for mask in mine), "an object is gone or differs")


def _saved(kind: str, place: Place) -> None:
    names = ["0.png", "1.jpg", "2.png"]
    pictures_in(place.work / "photos", place, tuple(names))
    masks, path = [some_mask(place, SIZE) for _ in names], place.work / "foreign.json"
    path.write_bytes(SAVED[kind](json.dumps(_foreign(place, masks, names), indent=1)))
    check(len(_imported(place, path, good=True)) == 3, "objects are gone")


def _file_name(kind: str, place: Place) -> None:
    """A name of a picture as other tools write it: it finds that picture, or none outside."""
    forms = {"plain": "0.png", "prefix": "images/0.png", "dot": "./0.png",
             "windows": "images\\0.png", "absolute": "/data/set/0.png", "drive": "C:\\set\\0.png",
             "upper": "0.PNG", "percent": "%30.png", "double": "images//0.png",
             "url": "https://x.org/set/0.png"}  # fmt: skip
    pictures_in(place.work / "photos", place, ("0.png", "1.jpg"))
    name = place.random.choice(ODD_TEXT) if kind == "odd" else forms[kind]
    masks, path = [some_mask(place, SIZE) for _ in "ab"], place.work / "foreign.json"
    path.write_text(json.dumps(_foreign(place, masks, [name, "1.jpg"])))
    found = _imported(place, path, good=True)
    check("1.jpg" in [one.image for one in found], "the other picture's object is gone")
    if kind != "odd":
        mine = [right_mask(one.mask) for one in found if one.image == "0.png"]
        check(len(mine) == 1 and (mine[0] == masks[0]).all(), "its object is gone")


def _orientation(kind: str, place: Place) -> None:
    """Masks of either frame on a turned picture land upright, or are refused or reported."""
    tag = place.random.randrange(2, 9)
    picture = pictures.tagged(tag, "JPEG", place.numbers)
    path = place.work / "photos" / "0.jpg"
    path.parent.mkdir()
    path.write_bytes(picture.content)
    place.protect(path)
    stored = some_mask(place, picture.stored.shape[:2])
    upright = pictures.turned(stored, tag)
    content = _foreign(place, [stored if kind == "stored" else upright], ["0.jpg"])
    content["images"][0] |= dict(
        zip(("height", "width"), (stored if kind == "stored" else upright).shape, strict=True)
    )
    (place.work / "foreign.json").write_text(json.dumps(content))
    room = opened(place)
    report = place.try_(
        import_objects, room.annotations, room.workspace, place.work / "foreign.json"
    )
    if report is None:
        return
    mask = right_mask(room.annotations.accepted()[0].mask)
    right = mask.shape == upright.shape and (mask == upright).all()
    check(right or "orientation" in str(report), "a mask lies wrong and nothing says so")


def _ours(kind: str, place: Place) -> None:
    """Our own export, damaged in one file, into a new log of the same pictures."""
    which, how = kind.split("-")
    room = annotated(place)
    folder = place.work / "out"
    place.good(export, room.annotations, room.workspace, which, folder)
    own = sorted(room.masks)
    files = [
        path for path in sorted(folder.rglob("*")) if path.is_file() and "2017/" not in str(path)
    ]
    path = place.random.choice([p for p in files if p.suffix in (".json", ".png")])
    if how == "tree":
        path = (
            folder / "openscenes.json"
            if which != "coco"
            else next(folder.glob("annotations/inst*"))
        )
        changed, _ = odd_json(place.random, {"all": json.loads(path.read_text())})
        path.write_text(to_text(changed.get("all")))
    elif how in NO_FILE:
        NO_FILE[how](path)
    elif how in BYTES:
        path.write_bytes(BYTES[how](place.random, path.read_bytes()))
    room.workspace.log_path.unlink()
    found = _imported(place, folder, good=how == "whole")
    if how == "whole":
        check(sorted(one.object_id for one in found) == own, "objects are gone")
        if which != "voc":  # where objects cover each other
            check_masks(opened(place), room.masks)


def _export(kind: str, place: Place) -> None:
    """Odd names of pictures and classes: every file lies in the export, every mask is exact."""
    which, what = kind.split("-")
    words = [w for w in ODD_TEXT if w.strip(". ") and "\0" not in w and w != "\ud800"]
    odd = place.random.choice([w for w in words if what == "class" or w.isprintable()])
    flat = odd.replace("/", "_").replace("\\", "_")[:80]
    names = (f"{flat}.png", "0.png") if what == "name" else ("0.png", "1.jpg")
    room = annotated(place, names, n=3)
    if what == "class":
        mine = accept(room, place, "0.png", None)
        place.try_(room.annotations.name, mine, odd)
    folder = place.work / "out"
    report = place.try_(export, room.annotations, room.workspace, which, folder)
    if report is None:
        return
    check_files(place, folder)
    check(report.n_objects == len(room.masks), f"{report.n_objects} of {len(room.masks)}: {report}")
    check(len(str(report).splitlines()) == 1, "a report of several lines")
    if which == "voc":
        lines = (folder / "VOCdevkit/VOC2012/labels.txt").read_text().splitlines()
        classes = {one.class_name or "object" for one in room.annotations.accepted()}
        check(len(lines) == len(classes), f"{len(classes)} classes, {len(lines)} lines")
    if which == "coco":
        content = json.loads((folder / "annotations/instances_train2017.json").read_text())
        masks = [right_mask(one["segmentation"]) for one in content["annotations"]]
        wanted = [room.masks[one["openscenes"]["object"]] for one in content["annotations"]]
        check(all((a == b).all() for a, b in zip(masks, wanted, strict=True)), "a mask differs")
        boxes = [tight_box(mask) for mask in masks]
        wanted = [[box[1], box[0], box[3] - box[1], box[2] - box[0]] for box in boxes]
        check([one["bbox"] for one in content["annotations"]] == wanted, "a box differs")
    room.workspace.log_path.unlink()
    check(
        len(_imported(place, folder, good=True)) == len(room.masks) or which == "voc",
        "not all come back",
    )


def check_files(place: Place, folder: Path) -> None:
    """No link, nothing of a decoy, and writing over the export leaves the pictures as they are."""
    secret = digest(place.root / "secret.png")
    for path in folder.rglob("*"):
        check(path.resolve().is_relative_to(folder.resolve()), "a file leads out of the export")
        if path.is_file():
            check(path.stat().st_nlink == 1, "an export shares its bytes with a picture")
            check(digest(path) != secret, "an export holds what lies outside")
            if path.suffix in (".jpg", ".png") and "Segmentation" not in str(path):
                pixels = np.asarray(Image.open(path).convert("RGB"))
                check((np.abs(pixels.astype(int) - SECRET).max() > 40), "a decoy was exported")


def _log_out(kind: str, place: Place) -> None:
    """A log that names pictures outside: nothing of them is exported."""
    room = annotated(place, n=3)
    path = room.workspace.log_path
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    secret = digest(place.root / "secret.png")[:16]
    for entry in entries[-2:]:
        entry["image"] = place.random.choice(ODD_TEXT)
        if kind == "digest":
            entry |= {"image": "../../secret.png", "image_digest": secret}
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    again = opened(place)
    for which in ("coco", "voc", "png"):
        if place.try_(export, again.annotations, again.workspace, which, place.work / which):
            check_files(place, place.work / which)


_OURS = [f"{which}-{how}" for which in ("coco", "voc", "png") for how in BYTES]
DOORS = {
    "import": each(70, _coco, ("annotations",)) | each(30, _coco, ("images",))
    | each(10, _coco, ("categories", "whole")) | each(1, _saved, SAVED)
    | each(1, _file_name, (
        "plain", "prefix", "dot", "windows", "absolute", "drive", "upper", "percent",
        "double", "url"))
    | each(20, _file_name, ("odd",))
    | each(10, _orientation, ("stored", "upright")) | each(3, _ours, _OURS)
    | each(25, _ours, ("coco-tree", "voc-tree", "png-tree"))
    | each(2, _ours, ("coco-whole", "voc-whole", "png-whole"))
    | each(1, _ours, [f"{which}-{how}" for which in ("coco", "voc", "png") for how in NO_FILE]),
    "export": each(14, _export, ("coco-name", "voc-name", "png-name"))
    | each(14, _export, ("coco-class", "voc-class", "png-class"))
    | each(10, _log_out, ("name", "digest")),
}  # fmt: skip
