"""COCO files of other tools: each object lands where it was drawn, or is counted with a reason."""

import json
import os
import zipfile
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps

from openscenes.annotator.exchange.export import KINDS, export
from openscenes.annotator.exchange.imports import import_objects
from openscenes.data.datasets.images import read_image
from openscenes.errors import DataError, InputError
from openscenes.masks import decode, encode, tight_box

tools = SimpleNamespace(**run_path(str(Path(__file__).with_name("exchanging.py"))))
SIZE, LEFT, RIGHT, drawn, entry = (
    tools.SIZE, tools.LEFT, tools.RIGHT, tools.drawn, tools.entry
)  # fmt: skip


@pytest.fixture
def here(tmp_path):
    return tools.world(tmp_path / "set", "a.jpg")


def imported(here, tmp_path, images, annotations, **more):
    source = tools.coco_file(tmp_path, images, annotations, **more)
    return import_objects(here.annotations, here.workspace, source)


def boxes(here):
    return sorted(tight_box(decode(one.mask)) for one in here.annotations.accepted())


BOTH = [(5, 4, 20, 24), (10, 40, 30, 50)]


@pytest.mark.parametrize(
    ("image", "ids"),
    [
        (entry(1), [("b2c4", 1), ("77f0", 1)]),
        (entry(1), [(None, 1), (None, 1)]),
        (entry(1), [(7, 1), (7, 1)]),
        (entry(1), [(1.2, 1), (1.9, "1")]),
        (entry("1"), [(1, 1), (2, 1.0)]),
        (entry("img"), [(1, "img"), (2, "img")]),
        (entry(1) | {"height": None}, [(1, 1), (2, 1)]),
        ({"id": 1, "file_name": "a.jpg"}, [(1, 1), (2, 1)]),
        (entry(1) | {"height": str(SIZE[0]), "width": str(SIZE[1])}, [(1, 1), (2, 1)]),
    ],
    ids=[
        *("text", "none", "equal", "parts", "text image", "word image"),
        *("null height", "no size", "text size"),
    ],
)
def test_ids_and_sizes_of_any_kind_find_their_image(here, tmp_path, image, ids):
    annotations = [
        drawn(number, place, polygon)
        for (number, place), polygon in zip(ids, (LEFT, RIGHT), strict=True)
    ]
    report = imported(here, tmp_path, [image], annotations)
    assert (report.n_added, boxes(here)) == (2, BOTH)


def test_an_image_without_size_spoils_no_other(here, tmp_path):
    images = [entry(1), {"id": 2, "file_name": "gone.jpg"}, None, 3, {"file_name": "a.jpg"}]
    report = imported(here, tmp_path, images, [drawn(1, 1, LEFT), drawn(2, 1, RIGHT)])
    assert (report.n_added, report.notes) == (2, ())


def test_images_and_classes_that_repeat(here, tmp_path):
    images = [entry(1), entry(1), entry(2), entry(2, "b.jpg")]
    categories = [{"id": 1, "name": "cup"}, {"id": 1, "name": "cup"}, {"id": 2, "name": "x"},
                  {"id": 2, "name": "y"}]  # fmt: skip
    annotations = [drawn(1, 1, LEFT), drawn(2, 1, RIGHT, category_id=2), drawn(3, 2)]
    report = imported(here, tmp_path, images, annotations, categories=categories)
    assert [one.class_name for one in here.annotations.accepted()] == ["cup", None]
    assert report.notes == (
        "1 object has a category_id of no category, or of several, and are without class.",
        "1 object is left out: image id that several images have.",
    )


@pytest.mark.parametrize(
    ("name", "wanted"),
    [(None, None), ("", None), (" \t", None), (5, "5"), (True, None), ([1], None), ("NA", "NA"),
     ("None", "None"), ("nan", "nan"), (" cup ", "cup"), ("cup\n9 dog", "cup\\n9 dog"),
     ("<b>cup</b>", "<b>cup</b>"), ("\ud800", "\\ud800")],
    ids=lambda value: ascii(value),
)  # fmt: skip
def test_a_class_is_text_of_one_line_or_none(here, tmp_path, name, wanted):
    categories = [{"id": 1, "name": name}]
    imported(here, tmp_path, [entry(1)], [drawn()], categories=categories)
    assert [one.class_name for one in here.annotations.accepted()] == [wanted]
    report = export(here.annotations, here.workspace, "voc")
    labels = (report.folder / "VOCdevkit/VOC2012/labels.txt").read_text(encoding="utf-8")
    assert labels == f"1 {wanted or 'object'}\n"


@pytest.mark.parametrize("categories", [[], [None], "none"], ids=["empty", "null", "text"])
def test_without_categories_objects_are_without_class(here, tmp_path, categories):
    report = imported(here, tmp_path, [entry(1)], [drawn()], categories=categories)
    assert report.n_added == 1 and here.annotations.accepted()[0].class_name is None


UNREADABLE = "1 object is left out: unreadable annotation."


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"iscrowd": 1}, "1 object is left out: crowd."),
        ({"segmentation": []}, "1 object has an empty mask, or none."),
        ({"segmentation": None}, "1 object has an empty mask, or none."),
        ({"segmentation": [[1, 1, 2, 2]]}, "1 object has an empty mask, or none."),
        ({"segmentation": encode(np.zeros(SIZE, bool))},
         "1 object has an empty mask, or none."),
        ({"segmentation": [[1, 1, float("nan"), 2, 9, 9]]}, UNREADABLE),
        ({"segmentation": [[1, 1, float("inf"), 2, 9, 9]]}, UNREADABLE),
        ({"segmentation": [[1, 1, 1e9, 2, 9, 9]]}, UNREADABLE),
        ({"segmentation": [[1, 1, 2**70, 2, 9, 9]]}, UNREADABLE),
        ({"segmentation": [[1, 1, 2, 2, 9, 9, 9]]}, UNREADABLE),
        ({"segmentation": "abc"}, UNREADABLE),
        ({"segmentation": 5}, UNREADABLE),
        ({"segmentation": {"size": list(SIZE), "counts": "1"}}, UNREADABLE),
        ({"segmentation": {"size": list(SIZE), "counts": [5]}}, UNREADABLE),
        ({"segmentation": [[0.1, 0.1, 0.6, 0.1, 0.6, 0.9]]},
         "1 object is left out: polygon in shares of the image's sides."),
        ({"image_id": 9}, "1 object is left out: annotation without image."),
        ({"image_id": None}, "1 object is left out: annotation without image."),
        ({"image_id": 2}, "1 object has no image here, such as 'gone.jpg'."),
        ({"image_id": 3}, "1 object is of another size than their image, such as a.jpg."),
        ({"image_id": 4},
         "1 object is left out: image of an impossible size, such as a.jpg."),
    ],
    ids=["crowd", "no polygon", "null", "two corners", "empty code", "nan", "inf", "far",
         "enormous", "odd", "text", "number", "short code", "short list", "shares",
         "unknown image", "no image id", "no file", "other size", "impossible size"],
)  # fmt: skip
def test_what_is_left_out_is_counted_with_its_reason(here, tmp_path, more, note):
    images = [entry(1), entry(2, "gone.jpg"), entry(3, size=(9, 9)), entry(4, size=(10**9, 10**9))]
    report = imported(here, tmp_path, images, [drawn(1) | more, drawn(2, 1, RIGHT)])
    assert (report.n_added, report.notes) == (1, (note,))
    assert boxes(here) == BOTH[1:]


def test_many_reasons_are_told_in_few_sentences(here, tmp_path):
    images = [entry(number, size=(number, 9)) for number in range(1, 30)]
    annotations = [drawn(number, number, [[1, 1, 5, 1, 5, 5]]) for number in range(1, 30)]
    report = imported(here, tmp_path, [*images, entry(99)], [*annotations, drawn(99, 99)])
    assert report.n_added == 1 and len(report.notes) == 1


def test_a_file_without_objects_says_so(here, tmp_path):
    report = imported(here, tmp_path, [entry(1)], [])
    assert str(report).endswith("added, 0 known before. It holds no object that can be used.")


def test_an_object_that_stands_there_twice_is_added_once(here, tmp_path):
    report = imported(here, tmp_path, [entry(1)], [drawn(1), drawn(2)])
    assert (report.n_added, report.n_known) == (1, 0)
    assert report.notes == ("1 object stands there more than once.",)
    again = imported(here, tmp_path, [entry(1)], [drawn(1), drawn(2)])
    assert (again.n_added, again.n_known, len(here.annotations.objects())) == (0, 2, 1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([{"image_id": 1, "category_id": 1, "segmentation": LEFT, "score": 1}], "list of results"),
        ([{"id": 1, "data": {}, "annotations": []}], "Label Studio"),
        ([], "without the lists images and annotations"),
        ("text", "without the lists images and annotations"),
        ({"annotations": 3, "images": []}, "without the lists images and annotations"),
        ({"version": "5.0", "shapes": [], "imagePath": "a.jpg"}, "labelme"),
        ({"_via_img_metadata": {}}, "VIA"),
        ({"type": "FeatureCollection", "features": []}, "GeoJSON"),
        ({"format": 1, "kind": "png", "files": [], "objects": []}, "mark of an export"),
        ({"images": [], "annotations": [{"image_id": 1, "segments_info": []}]}, "panoptic"),
        ({"images": [], "annotations": [{"image_id": 1, "keypoints": [1]}]}, "without masks"),
    ],
    ids=["results", "label studio", "list", "text", "no lists", "labelme", "via", "geojson",
         "mark", "panoptic", "keypoints"],
)  # fmt: skip
def test_json_of_another_kind_is_named(here, tmp_path, content, why):
    (tmp_path / "other.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"not a COCO instances file but .*{why}.*; give the JSON"):
        import_objects(here.annotations, here.workspace, tmp_path / "other.json")
    assert not here.annotations.log.path.exists()


def test_files_of_another_kind_are_named(here, tmp_path):
    def refused(why, content=None):
        if content is not None:
            (tmp_path / "other").write_bytes(content)
        with pytest.raises(DataError, match=why) as error:
            import_objects(here.annotations, here.workspace, tmp_path / "other")
        assert "\n" not in str(error.value)

    refused("but XML", b'\xef\xbb\xbf<?xml version="1.0"?><annotations/>')
    refused("but an image", (tmp_path / "set/a.jpg").read_bytes())
    refused("is no JSON", b"")
    refused("is no JSON", b"[" * 200_000)
    refused("is no JSON", b'{"images": ' + b"9" * 5000 + b"}")
    refused("is no text", b"\xff\xfe\x00")
    with zipfile.ZipFile(tmp_path / "other", "w") as packed:
        packed.writestr("annotations.json", "{}")
    refused("but a zip archive")
    (tmp_path / "other").unlink()
    os.mkfifo(tmp_path / "other")
    refused("is a named pipe; give a file")
    (tmp_path / "other").unlink()
    (tmp_path / "other").symlink_to(tmp_path / "other")
    refused("cannot be opened")
    with pytest.raises(InputError, match="is no path"):
        import_objects(here.annotations, here.workspace, "")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_that_windows_wrote_are_read(here, tmp_path, encoding):
    source = tools.coco_file(tmp_path, [entry(1)], [drawn()])
    source.write_bytes(source.read_text().replace(", ", ",\r\n").encode(encoding))
    assert import_objects(here.annotations, here.workspace, source).n_added == 1


SHOWN = {
    1: (5, 4, 20, 24), 2: (5, 36, 20, 56), 3: (20, 36, 35, 56), 4: (20, 4, 35, 24),
    5: (4, 5, 24, 20), 6: (4, 20, 24, 35), 7: (36, 20, 56, 35), 8: (36, 5, 56, 20),
}  # fmt: skip


@pytest.mark.parametrize("tag", range(1, 9))
def test_masks_of_either_frame_land_upright(tmp_path, tag):
    here = tools.world(tmp_path / "set", "a.jpg", orientation=tag)
    shown = SIZE if tag < 5 else SIZE[::-1]
    upright = encode(tools.rectangle(*SHOWN[tag], size=shown))
    images = [entry(1, size=shown), entry(2, size=SIZE)]
    report = imported(here, tmp_path, images, [drawn(1, 1, upright), drawn(2, 2, RIGHT)])
    (first, second), notes = here.annotations.accepted(), " ".join(report.notes)
    assert tight_box(decode(first.mask)) == SHOWN[tag] and first.size == shown
    stored = tools.rectangle(*BOTH[1])
    turned = np.array(ImageOps.exif_transpose(_tagged(stored, tag))) > 0
    if tag < 5:
        assert tight_box(decode(second.mask)) == BOTH[1]
        assert ("1 image carries an orientation that their size does not show" in notes) == (
            tag > 1
        )
    else:
        np.testing.assert_array_equal(decode(second.mask), turned)
        assert "1 image carries an orientation that the masks did not have" in notes


def _tagged(mask, tag):
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    image.getexif()[0x0112] = tag
    return image


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize("tag", [1, 3, 6])
def test_exported_images_show_what_was_annotated(tmp_path, name, tag):
    lossless = {"lossless": True} if name.endswith("webp") else {}
    here = tools.world(tmp_path / "set", name, orientation=tag, **lossless)
    facts = here.workspace.facts(name)
    mask = tools.rectangle(5, 4, 20, 24, size=facts.size)
    tools.accept(here, name, mask)
    out = {kind: export(here.annotations, here.workspace, kind) for kind in KINDS[:3]}
    listed = json.loads((out["coco"].folder / "annotations/instances_train2017.json").read_text())
    image = listed["images"][0]
    assert (image["height"], image["width"]) == facts.size
    copy = out["coco"].folder / "train2017" / image["file_name"]
    with Image.open(copy) as there:
        assert there.getexif().get(0x0112, 1) == 1 and there.size == facts.size[::-1]
    original = tmp_path / "set" / name
    difference = np.abs(read_image(copy).astype(int) - read_image(original, upright=True))
    assert difference.max() <= (40 if name == "a.jpg" else 0)
    if tag == 1:
        assert copy.read_bytes() == original.read_bytes()
    assert all(("orientation" in " ".join(one.notes)) == (tag > 1) for one in out.values())
    labels = out["voc"].folder / "VOCdevkit/VOC2012/SegmentationObject/a.png"
    np.testing.assert_array_equal(np.array(Image.open(labels)) > 0, mask)
    for report in out.values():
        again = import_objects(here.annotations, here.workspace, report.folder)
        assert (again.n_added, again.n_known, again.notes) == (0, 1, ())


@pytest.mark.parametrize("mode", ["I;16", "LA", "RGBA", "P", "1", "F"])
def test_voc_codes_any_image_as_it_is_shown(tmp_path, mode):
    folder = tmp_path / "set"
    folder.mkdir()
    ramp = np.linspace(0, 255, SIZE[0] * SIZE[1]).reshape(SIZE)
    pixels = {"I;16": (ramp * 257).astype(np.uint16), "F": ramp.astype(np.float32)}.get(mode)
    image = Image.fromarray(ramp.astype(np.uint8)) if pixels is None else Image.fromarray(pixels)
    name = "a.tif" if mode == "F" else "a.png"
    (image.convert(mode) if pixels is None else image).save(folder / name)
    here = tools.opened(folder)
    tools.accept(here, name, tools.rectangle(5, 4, 20, 24))
    report = export(here.annotations, here.workspace, "voc")
    coded = read_image(report.folder / "VOCdevkit/VOC2012/JPEGImages/a.jpg")
    assert np.abs(coded.astype(int) - read_image(folder / name)).mean() < 12
    copied = export(here.annotations, here.workspace, "coco").folder / "train2017" / name
    assert copied.read_bytes() == (folder / name).read_bytes()
