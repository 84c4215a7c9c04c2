"""COCO instances files, ours and those of any other tool, as objects to import.

Ids may be text, numbers or missing, sizes may be missing: one object that says too little spoils no
other. What is no COCO instances file is named for what it seems to be.
"""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from openscenes.annotator.exchange.boxes import BOX, box_of
from openscenes.annotator.exchange.coco_layout import OURS
from openscenes.annotator.exchange.exported import UNNAMED
from openscenes.annotator.exchange.imported import ImportedObject, LeftOut, Tally, is_about
from openscenes.annotator.store.snapshot import LONGEST_TEXT, is_plain
from openscenes.data.datasets.annotation_table import (
    BAD_SIZE,
    IMPOSSIBLE_SIZE,
    NO_IMAGE,
    REASONS,
    SEVERAL,
    SEVERAL_IMAGES,
    UNKNOWN_SIZE,
)
from openscenes.data.datasets.coco_content import stated_size
from openscenes.data.datasets.coco_ids import Rows
from openscenes.errors import DataError
from openscenes.files import number, one_line, read_json, require_regular

_WANTED = "give the JSON file of COCO instances: images, categories, annotations with segmentation"
_STARTS = {
    b"PK\3\4": "a zip archive, which has to be unpacked first",
    b"<": "XML, as of CVAT; of VOC it ends with .xml",
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image",
}  # fmt: skip
_KEYS = {
    "shapes": "of labelme", "_via_img_metadata": "of VIA", "features": "GeoJSON",
    "kind": "the mark of an export, whose folder is what can be imported",
}  # fmt: skip
_ENTRY_KEYS = {
    "image_id": "a list of results, without images and categories",
    "data": "of Label Studio, which exports COCO too",
}


def read_coco(path: Path, tally: Tally) -> list[ImportedObject]:
    """The objects of a COCO instances file; what is left out or is without class is counted."""
    content = _content(path)
    images, classes = _images(content["images"]), _classes(content.get("categories"))
    found = []
    for annotation in content["annotations"]:
        try:
            found.append(_object(annotation, images, classes, tally))
        except LeftOut as error:
            tally.add(error.reason, error.example)
    return found


def _content(path: Path) -> dict[str, Any]:
    require_regular(path, "COCO file")
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    seems = [what for mark, what in _STARTS.items() if start.startswith(mark)]
    content: Any = None if seems else read_json(path, "COCO file")
    seems += _seems(content)
    if seems:
        raise DataError(
            f"{one_line(str(path))} is not a COCO instances file but {seems[0]}; {_WANTED}."
        )
    return content


def _seems(content: Any) -> list[str]:
    """What JSON seems to be that is no COCO instances; nothing where it is."""
    first = content[0] if isinstance(content, list) and content else None
    keys = _ENTRY_KEYS if isinstance(first, dict) else {}
    if isinstance(content, dict):
        first, keys = content, _KEYS
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(annotations, list) or not isinstance(content.get("images"), list):
        named = [what for key, what in keys.items() if key in (first or ())]
        return [*named, "JSON without the lists images and annotations"][:1]
    entries = [one for one in annotations if isinstance(one, dict)]
    if not entries or any("segmentation" in one or box_of(one.get("bbox")) for one in entries):
        return []
    panoptic = any("segments_info" in one for one in entries)
    return ["COCO panoptic, whose masks are images" if panoptic else
            "COCO without masks and boxes (captions alone)"]  # fmt: skip


def _object(annotation: Any, images: Rows, classes: Rows, tally: Tally) -> ImportedObject:
    if not isinstance(annotation, dict):
        raise LeftOut("are no JSON objects")
    row = images.find(annotation.get("image_id"))
    if row < 0:
        raise LeftOut(f"are left out: {REASONS[SEVERAL_IMAGES if row == SEVERAL else NO_IMAGE]}")
    names, size = images.entries[row]
    if size == IMPOSSIBLE_SIZE:
        raise LeftOut(f"are left out: {REASONS[BAD_SIZE]}", names[1])
    class_name = _class_of(annotation, classes, tally)
    known = annotation[OURS] if is_about(annotation.get(OURS)) else None
    if known and class_name == (known.get("class_name") or UNNAMED):
        class_name = known.get("class_name")
    drawn = {key: annotation.get(key) for key in ("segmentation", "iscrowd")}
    box = box_of(annotation.get("bbox"))
    if not drawn["segmentation"] and not drawn["iscrowd"] and box is not None:
        drawn = {BOX: box}
    return ImportedObject(names, None if size == UNKNOWN_SIZE else size, drawn, class_name, known)


def _class_of(annotation: dict[str, Any], classes: Rows, tally: Tally) -> str | None:
    wanted = annotation.get("category_id")
    row = classes.find(wanted)
    if row < 0 and wanted is not None:
        tally.add("have a category_id of no category, or of several, and are without class")
    return classes.entries[row] if row >= 0 else None


def _images(entries: object) -> Rows:
    """Names and size by id."""
    there = _objects(entries)
    return Rows(
        [one.get("id") for one in there], [(_names(one), stated_size(one)) for one in there]
    )


def _classes(entries: object) -> Rows:
    there = _objects(entries)
    return Rows([one.get("id") for one in there], [_class_name(one.get("name")) for one in there])


def _objects(entries: object) -> list[dict[str, Any]]:
    listed = entries if isinstance(entries, list) else []
    return [one for one in listed if isinstance(one, dict)]


def _names(image: dict[str, Any]) -> tuple[str, str]:
    """Path and file name; our exports have the path in ``coco_url``, others an address there."""
    words = [image.get(key) for key in ("file_name", "path", "coco_url", "flickr_url")]
    named = [one for one in words if isinstance(one, str) and one.strip()]
    path = words[2] if isinstance(words[2], str) and "://" not in words[2] else ""
    return unquote(path, errors="surrogateescape"), named[0] if named else ""


def _class_name(name: object) -> str | None:
    is_text = isinstance(name, str) or number(name) is not None
    text = str(name).strip() if is_text else ""
    return (text if is_plain(text) else one_line(text, LONGEST_TEXT // 10)) or None
