"""The synthetic scenes: same seed same bytes, official layouts, sound ground truth."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from PIL import Image
from pycocotools import mask as coco_mask

from openscenes.errors import DataError, InputError
from openscenes.seeding import numpy_generator
from openscenes.synthetic import CITYSCAPES_LOOK, COCO_LOOK, VOC_LOOK, SceneSizes, write_scenes
from openscenes.synthetic import generate as generation
from openscenes.synthetic.catalogue import (
    CITYSCAPES_LABELS,
    COCO_NAMES,
    NOVEL_TEMPLATES,
    RIDER,
    TEMPLATES,
    VOC_CLASSES,
)
from openscenes.synthetic.coco_files import coco_categories, outlines, run_lengths
from openscenes.synthetic.colours import CHROME
from openscenes.synthetic.compose import Painter, open_stage
from openscenes.synthetic.pascal import pascal_palette, voc_maps
from openscenes.synthetic.pen import Lighting, Material, Pen, Sprite, box, ellipse
from openscenes.synthetic.stage import SMALLEST_PX, LabelledImage, Placed
from openscenes.synthetic.street_files import cityscapes_maps
from openscenes.synthetic.texture import Textures

TINY = SceneSizes(2, 2, 3, 2, 2, 3, 2)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes") / "seed0"
    start = time.process_time()
    write_scenes(root, seed=0, sizes=TINY)
    assert time.process_time() - start < 20
    return root


@pytest.fixture(scope="module")
def textures() -> Textures:
    return Textures(numpy_generator("test"))


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def image_of(
    rows: list[list[int]], names: list[str], slivers: tuple[Placed, ...] = ()
) -> LabelledImage:
    numbers = np.array(rows, np.int32)
    objects = tuple(Placed(index, name) for index, name in enumerate(names, start=1))
    blank = np.zeros((*numbers.shape, 3), np.uint8)
    return LabelledImage(blank, numbers, objects, slivers, np.full(numbers.shape, 7, np.uint8))


def test_same_seed_same_bytes_and_another_seed_other_bytes(scenes: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "again", seed=0, sizes=TINY)
    write_scenes(tmp_path / "other", seed=1, sizes=TINY)
    first, again, other = (
        digests(path) for path in (scenes, tmp_path / "again", tmp_path / "other")
    )
    assert first == again
    images = [name for name in first if name.endswith(".jpg") and name in other]
    assert images
    assert all(first[name] != other[name] for name in images)


def test_an_image_does_not_depend_on_how_many_others_are_made(scenes: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "one", seed=0, sizes=SceneSizes(1, 1, 2, 1, 1, 1, 1))
    many, few = digests(scenes), digests(tmp_path / "one")
    images = [name for name in few if name.endswith((".jpg", ".png"))]
    assert len(images) == 16
    assert all(few[name] == many[name] for name in images)


def test_layouts_are_complete(scenes: Path) -> None:
    voc, sbd = scenes / "VOCdevkit" / "VOC2012", scenes / "benchmark_RELEASE" / "dataset"
    lists = {
        split: (voc / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()
        for split in ("train", "val", "trainval")
    }
    assert lists["trainval"] == lists["train"] + lists["val"]
    for name in lists["trainval"]:
        assert (voc / "JPEGImages" / f"{name}.jpg").is_file()
        assert (voc / "SegmentationClass" / f"{name}.png").is_file()
        assert (voc / "SegmentationObject" / f"{name}.png").is_file()
    extension = [(sbd / f"{split}.txt").read_text().split() for split in ("train", "val")]
    assert [len(names) for names in extension] == [2, 1]
    for name in extension[0] + extension[1]:
        assert (sbd / "img" / f"{name}.jpg").is_file()
        assert (sbd / "inst" / f"{name}.mat").is_file()
        assert (sbd / "cls" / f"{name}.mat").is_file()
    assert not set(lists["trainval"]) & set(extension[0] + extension[1])


def test_voc_masks_have_the_palette_void_borders_and_matching_classes(scenes: Path) -> None:
    home = scenes / "VOCdevkit" / "VOC2012"
    for path in sorted((home / "SegmentationObject").iterdir()):
        with Image.open(path) as opened:
            assert opened.mode == "P"
            assert opened.getpalette()[3:6] == [128, 0, 0]
            instances = np.array(opened)
        with Image.open(home / "SegmentationClass" / path.name) as opened:
            classes = np.array(opened)
        image = cv2.imread(str(home / "JPEGImages" / f"{path.stem}.jpg"))
        assert image.shape[:2] == instances.shape == classes.shape
        assert (instances == 255).any()
        assert ((instances == 255) == (classes == 255)).all()
        found = sorted(set(np.unique(instances)) - {0, 255})
        assert found == list(range(1, len(found) + 1))
        for number in found:
            assert len(np.unique(classes[instances == number])) == 1


def test_voc_void_is_outside_and_between_by_hand() -> None:
    image = image_of(
        [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 2, 0], [0, 0, 1, 1, 2, 0]],
        ["person", "car"],
    )
    instances, classes = voc_maps(image)
    v = 255
    assert instances.tolist() == [
        [0, 0, 0, 0, 0, 0], [0, v, v, v, v, v], [0, v, 1, v, 2, v], [0, v, 1, v, 2, v],
    ]  # fmt: skip
    assert classes[3].tolist() == [0, v, 15, v, 7, v]


def test_voc_small_objects_are_void() -> None:
    numbers = [[0, 0, 0, 0], [0, 0, 0, 3], [1, 0, 0, 0]]
    instances, _ = voc_maps(image_of(numbers, ["cat"], (Placed(3, "dog"),)))
    assert instances[1, 3] == 255
    assert instances[2, 0] == 1


def test_palette_is_pascals() -> None:
    palette = pascal_palette()
    assert palette[[0, 1, 2, 3, 15, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [192, 128, 128], [224, 224, 192],
    ]  # fmt: skip


def test_sbd_structs_are_nested_as_in_the_original(scenes: Path) -> None:
    home = scenes / "benchmark_RELEASE" / "dataset"
    for path in sorted((home / "inst").iterdir()):
        truth = scipy.io.loadmat(path)["GTinst"][0, 0]
        numbers, categories = truth["Segmentation"], truth["Categories"]
        assert numbers.dtype == np.uint8
        assert sorted(set(np.unique(numbers)) - {0}) == list(range(1, len(categories) + 1))
        assert truth["Boundaries"].shape == categories.shape == (len(categories), 1)
        classes = scipy.io.loadmat(home / "cls" / path.name)["GTcls"][0, 0]["Segmentation"]
        for number, category in enumerate(categories.ravel(), start=1):
            assert 1 <= category <= len(VOC_CLASSES)
            assert (classes[numbers == number] == category).all()
            assert (numbers == number).sum() >= SMALLEST_PX


def test_mat_files_name_no_clock(scenes: Path) -> None:
    path = next((scenes / "benchmark_RELEASE" / "dataset" / "inst").iterdir())
    header = path.read_bytes()[:116].decode()
    assert header.strip() == "MATLAB 5.0 MAT-file, written by openscenes"


def test_cityscapes_instance_ids_are_official(scenes: Path) -> None:
    things = set(CITYSCAPES_LABELS.values())
    frames = sorted((scenes / "cityscapes" / "leftImg8bit").rglob("*_leftImg8bit.png"))
    assert len(frames) == 4
    for frame in frames:
        stem = str(frame).replace("/leftImg8bit/", "/gtFine/").replace("_leftImg8bit.png", "")
        labels = cv2.imread(f"{stem}_gtFine_labelIds.png", cv2.IMREAD_UNCHANGED)
        instances = cv2.imread(f"{stem}_gtFine_instanceIds.png", cv2.IMREAD_UNCHANGED)
        assert labels.dtype == np.uint8
        assert instances.dtype == np.uint16
        assert cv2.imread(str(frame)).shape[:2] == labels.shape == instances.shape
        whole = instances >= 1000
        assert whole.any()
        assert (instances[whole] // 1000 == labels[whole]).all()
        assert set(np.unique(labels[whole])) <= things
        assert (instances[~whole] == labels[~whole]).all()
        assert set(np.unique(labels)) - things <= {4, 7, 8, 11, 17, 21, 22, 23}


def test_cityscapes_maps_by_hand() -> None:
    image = image_of([[1, 1, 2, 2], [0, 3, 4, 0]], ["car", "car", "motorbike"],
                         (Placed(4, "person"),))  # fmt: skip
    labels, instances = cityscapes_maps(image)
    assert labels.tolist() == [[26, 26, 26, 26], [7, 32, 24, 7]]
    assert instances.tolist() == [[26000, 26000, 26001, 26001], [7, 32000, 24, 7]]


def test_coco_annotations_are_sound(scenes: Path) -> None:
    official = {category["id"]: category["name"] for category in coco_categories()}
    seen = set()
    for split in ("train", "val"):
        home = scenes / "coco"
        content = json.loads((home / "annotations" / f"instances_{split}2017.json").read_text())
        images = {image["id"]: image for image in content["images"]}
        assert content["categories"] == coco_categories()
        assert all((home / f"{split}2017" / one["file_name"]).is_file() for one in images.values())
        for one in content["annotations"]:
            image = images[one["image_id"]]
            x, y, width, height = one["bbox"]
            assert width > 0 and height > 0 and x >= 0 and y >= 0
            assert x + width <= image["width"] and y + height <= image["height"]
            assert one["area"] >= SMALLEST_PX
            assert one["category_id"] in official
            seen.add(one["id"])
            assert _decoded(one, image).sum() == pytest.approx(one["area"], rel=0.08, abs=12)
        assert content["annotations"]
    assert len(seen) > 4


def _decoded(annotation: dict, image: dict) -> np.ndarray:
    code, size = annotation["segmentation"], (image["height"], image["width"])
    rles = coco_mask.frPyObjects(code, *size)
    return coco_mask.decode(coco_mask.merge(rles) if isinstance(rles, list) else rles)


def test_official_coco_ids() -> None:
    ids = {category["name"]: category["id"] for category in coco_categories()}
    assert len(ids) == 80
    assert [ids[name] for name in ("person", "stop sign", "umbrella", "toothbrush")] == [
        1,
        13,
        28,
        90,
    ]
    drawn = {
        COCO_NAMES.get(template.name, template.name) for template in TEMPLATES + NOVEL_TEMPLATES
    }
    assert drawn <= set(ids)


def test_run_lengths_by_hand_and_as_coco_reads_them() -> None:
    mask = np.array([[0, 1], [1, 1], [1, 0]], bool)
    assert run_lengths(mask) == {"size": [3, 2], "counts": [1, 4, 1]}
    mask[0, 0] = True
    assert run_lengths(mask)["counts"] == [0, 5, 1]
    code = coco_mask.frPyObjects(run_lengths(mask), 3, 2)
    assert (coco_mask.decode(code).astype(bool) == mask).all()


def test_polygons_keep_a_shape_and_refuse_a_hole() -> None:
    mask = np.zeros((40, 50), np.uint8)
    cv2.circle(mask, (25, 20), 14, 1, -1)
    polygons = outlines(mask.astype(bool))
    assert polygons is not None
    decoded = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, 40, 50)))
    union = (decoded | mask).sum()
    assert (decoded & mask).sum() / union > 0.97
    cv2.circle(mask, (25, 20), 5, 0, -1)
    assert outlines(mask.astype(bool)) is None


@pytest.mark.parametrize(
    "template", [*TEMPLATES, RIDER, *NOVEL_TEMPLATES], ids=lambda template: template.name
)
def test_every_template_draws_inside_its_canvas(template, textures: Textures) -> None:
    light = Lighting((0.6, -0.8), 0.5, 0.4, 1.0)
    rng = numpy_generator("template", template.name)
    pen = Pen(60, template.aspect, light, textures, rng, flip=True)
    template.draw(pen, Material((0.6, 0.3, 0.2), "stripes"), rng)
    sprite = pen.sprite()
    assert sprite.alpha.sum() > SMALLEST_PX
    assert np.isfinite(sprite.colour).all()
    rim = np.concatenate([sprite.alpha[0], sprite.alpha[:, 0], sprite.alpha[:, -1]])
    assert rim.max() < 0.5


def test_a_hole_shows_what_is_behind(textures: Textures) -> None:
    light = Lighting((0.0, -1.0), 0.5, 0.4, 1.0)
    pen = Pen(40, 1.0, light, textures, numpy_generator("hole"))
    pen.fill(box(0, 0, 1, 1), CHROME)
    pen.hole(ellipse(0.5, 0.5, 0.3, 0.3))
    alpha = pen.sprite().alpha
    middle, full = (round(side / 2) for side in alpha.shape), 40 * 40
    assert alpha[tuple(middle)] == 0
    assert alpha.sum() == pytest.approx(full * (1 - np.pi * 0.09), rel=0.05)


def test_later_objects_hide_earlier_ones(textures: Textures) -> None:
    rng = numpy_generator("order")
    stage = open_stage("meadow", (64, 80), VOC_LOOK, textures, rng)
    card = Sprite(np.full((20, 20, 3), 0.5, np.float32), np.ones((20, 20), np.float32), (20, 10))
    stage.put(card, (40, 30), "cow", grounded=False)
    stage.put(card, (40, 40), "cow", grounded=False)
    stage.hide(card, (40, 48), 17)
    counts = np.bincount(stage.numbers.ravel())
    assert counts[1:].tolist() == [200, 160]
    assert (stage.backdrop.stuff[20:40, 38:58] == 17).all()
    image = stage.finish(np.zeros((64, 80, 3), np.uint8))
    assert [one.number for one in image.objects] == [1, 2]


def test_hardly_visible_objects_are_not_labelled(textures: Textures) -> None:
    stage = open_stage("sky", (64, 80), VOC_LOOK, textures, numpy_generator("small"))
    dot = Sprite(np.zeros((5, 5, 3), np.float32), np.ones((5, 5), np.float32), (5, 2))
    stage.put(dot, (30, 30), "bird", grounded=False)
    image = stage.finish(np.zeros((64, 80, 3), np.uint8))
    assert image.objects == ()
    assert [one.name for one in image.slivers] == ["bird"]


def test_crowding_adds_a_look_alike(textures: Textures) -> None:
    template = next(template for template in TEMPLATES if template.name == "cow")
    for chance, expected in ((0.0, 1), (1.0, 2)):
        rng = numpy_generator("crowding", chance)
        stage = open_stage("meadow", (128, 160), replace(VOC_LOOK, crowding=chance), textures, rng)
        Painter(stage, textures, rng).add(template, (100, 80), 50)
        assert [one.name for one in stage.cast] == ["cow"] * expected


def test_severity_walks_from_the_source_look_to_the_new_one() -> None:
    for look in (CITYSCAPES_LOOK, COCO_LOOK):
        assert look.at_severity(0.0) == VOC_LOOK
        assert look.at_severity(1.0).noise == pytest.approx(look.noise)
        assert look.at_severity(1.0).cast == pytest.approx(look.cast)
        half = look.at_severity(0.5)
        assert half.noise == pytest.approx((VOC_LOOK.noise + look.noise) / 2)
        assert look.at_severity(5.0).contrast >= 0


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    with pytest.raises(DataError, match=r"already exists.*remove it or name another"):
        write_scenes(tmp_path / "mine", sizes=TINY)
    assert (tmp_path / "mine" / "file").read_text() == "kept"


def test_wrong_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"severity is -1.*give >= 0"):
        write_scenes(tmp_path / "new", severity=-1)
    with pytest.raises(InputError, match=r"SceneSizes\.voc_val is 0.*positive"):
        SceneSizes(voc_val=0)


def test_an_interrupted_generation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(generation, "write_coco", stop)
    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path / "broken", sizes=SceneSizes(1, 1, 2, 1, 1, 1, 1))
    assert list(tmp_path.iterdir()) == []
