"""Samples: one warp per object, moved clicks, no chance but (seed, epoch, object)."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from openscenes import masks
from openscenes.data import crops, datasets, samples
from openscenes.data import examples as data_examples
from openscenes.data import interactions as encodings
from openscenes.data.crops import Augmentation
from openscenes.data.examples import NO_CLASS, ImageCache, from_clicks
from openscenes.data.records import Box, MaskSource, ObjectRecord
from openscenes.data.samples import cut
from openscenes.errors import InputError

# pycocotools 2.0.11 under NumPy 2; forked loaders under Python 3.12
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"
pytestmark = [pytest.mark.filterwarnings(FILTER), pytest.mark.filterwarnings(FORK)]

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))
STILL = Augmentation(flip=False, rotation_deg=0.0, zoom_min=1.0, zoom_max=1.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tiny.write_voc(tmp_path_factory.mktemp("voc"))


@pytest.fixture(scope="module")
def examples(root):
    return tiny.labelled(root)


def augmented(example, seed, augmentation=tiny.AUGMENTATION, crop=tiny.CROP):
    rng = np.random.default_rng(seed)
    return cut(example, crop, ImageCache(), augmentation=augmentation, generator=rng)


def without_truth(example, supervision=None):
    return replace(example, supervision=supervision, class_index=NO_CLASS)


def corner_code():
    """A pseudo mask in the image's corner, far from every object."""
    mask = np.zeros((tiny.HEIGHT, tiny.WIDTH), bool)
    mask[:4, :4] = True
    return masks.encode(mask)


def same(one, other):
    return all(
        np.array_equal(getattr(a, field.name), getattr(b, field.name))
        for a, b in zip(one, other, strict=True)
        for field in dataclasses.fields(a)
    )


def test_an_unaugmented_sample_is_the_users_box_with_its_margin(examples):
    example = examples[0]
    sample = cut(example, tiny.CROP, ImageCache())
    window = crops.window_affine(example.interaction.box, tiny.CROP)
    image, truth = datasets.read_image(example.image), datasets.read_mask(example.supervision)
    assert np.array_equal(sample.affine, window)
    assert np.array_equal(sample.image, crops.warp_image(image, window, 32))
    assert np.array_equal(sample.mask, crops.warp_mask(truth, window, 32))
    void = datasets.read_void(example.supervision)
    assert void.any()
    assert np.array_equal(sample.void, crops.warp_mask(void, window, 32))
    assert sample.point == crops.move_point(window, example.interaction.point)
    assert np.allclose(sample.box, crops.move_box(window, example.interaction.box))
    assert sample.shape == (tiny.HEIGHT, tiny.WIDTH)
    assert sample.labelled and sample.class_index in (7, 15)


def test_a_click_stays_in_its_mask_under_200_augmentations(examples):
    for seed in range(200):
        sample = augmented(examples[seed % len(examples)], seed)
        row, col = (round(value) for value in sample.point)
        assert sample.mask[row, col], f"augmentation {seed} loses the click"


def test_image_mask_and_click_move_together(examples):
    """The blobs are red and blue on grey, so that the image itself tells where they are."""
    for seed in range(30):
        sample = augmented(examples[0], seed, crop=crops.CropConfig(96, 6))
        red, _, blue = sample.image.astype(int).transpose(2, 0, 1)
        assert masks.iou((red - blue) > 60, sample.mask, sample.void) > 0.85


def test_a_pseudo_mask_never_moves_the_crop(examples):
    for seed in range(10):
        blind = augmented(without_truth(examples[0]), seed)
        guided = augmented(without_truth(examples[0], corner_code()), seed)
        assert np.array_equal(blind.affine, guided.affine)
        assert blind.box == guided.box
        assert not blind.mask.any() and not guided.labelled


def test_without_truth_the_crop_is_the_hull_of_the_turned_box(examples):
    example = without_truth(examples[0])
    for seed in range(10):
        warp = crops.random_affine(
            (tiny.HEIGHT, tiny.WIDTH), tiny.AUGMENTATION, np.random.default_rng(seed)
        )
        hull = crops.move_box(warp, example.interaction.box)
        wanted = crops.compose(crops.window_affine(hull, tiny.CROP), warp)
        assert np.allclose(augmented(example, seed).affine, wanted)


def test_truth_takes_away_what_turning_a_box_adds(examples):
    """The box in the crop fits the turned mask, as if it were drawn around it anew."""
    for seed in range(20):
        sample = augmented(examples[seed % 12], seed, crop=crops.CropConfig(160, 10))
        tight = np.array(masks.tight_box(sample.mask))
        assert np.abs(np.array(sample.box) - tight).max() < 4  # two pixels of the image
        blind = augmented(without_truth(examples[seed % 12]), seed).affine
        assert abs(np.linalg.det(sample.affine[:, :2])) > abs(np.linalg.det(blind[:, :2]))


def test_a_users_slack_stays_on_its_side(examples):
    box = Box(*np.add(examples[0].interaction.box, [-1, -2, 3, 4]))
    example = replace(examples[0], interaction=replace(examples[0].interaction, box=box))
    upright = Augmentation(flip=True, rotation_deg=0.0)
    mirrored = set()
    for seed in range(10):
        sample = augmented(example, seed, upright)
        mirrored.add(bool(sample.affine[0, 0] < 0))
        assert np.allclose(crops.move_box(crops.invert(sample.affine), sample.box), box)
    assert mirrored == {True, False}


OTHER_USERS = replace(STILL, click_core=0.3, box_jitter=0.05)


def test_other_users_click_on_labelled_objects(examples):
    large = crops.CropConfig(160, 10)
    steady = augmented(examples[0], 0, STILL, large)
    samples = [augmented(examples[0], seed, OTHER_USERS, large) for seed in range(40)]
    assert len({sample.point for sample in samples}) > 20
    assert all(sample.mask[int(sample.point.row), int(sample.point.col)] for sample in samples)
    missed = np.array([np.subtract(s.box, masks.tight_box(s.mask)) for s in samples])
    side = min(steady.box[2] - steady.box[0], steady.box[3] - steady.box[1])
    assert np.allclose(missed.std(axis=0), 0.05 * side, rtol=0.5)
    assert np.abs(missed.mean(axis=0)).max() < 0.03 * side


def test_nobody_clicks_anew_where_there_is_no_truth(examples):
    for supervision in (None, corner_code()):
        blind = without_truth(examples[0], supervision)
        steady, other = (augmented(blind, 3, which) for which in (STILL, OTHER_USERS))
        assert (other.point, other.box) == (steady.point, steady.box)
        assert np.array_equal(other.image, steady.image)


@pytest.mark.parametrize("bad", [{"click_core": 1.5}, {"box_jitter": -0.1}, {"box_jitter": 0.6}])
def test_impossible_users_are_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        Augmentation(**bad)


def test_an_example_of_a_new_scene_leads_to_no_mask(root):
    clicked = tiny.clicked(root)[0]

    def leads_to_truth(thing):
        if dataclasses.is_dataclass(thing):
            values = [getattr(thing, field.name) for field in dataclasses.fields(thing)]
            return isinstance(thing, ObjectRecord | MaskSource) or any(map(leads_to_truth, values))
        return isinstance(thing, Path) and "Segmentation" in str(thing)

    assert leads_to_truth(tiny.labelled(root)[0])
    assert not leads_to_truth(clicked)
    assert not leads_to_truth(from_clicks(clicked))
    assert from_clicks(clicked).supervision is None
    assert not from_clicks(clicked, corner_code()).labelled
    with pytest.raises((AttributeError, TypeError)):
        clicked.mask = tiny.index(root).records[0].mask
    assert not hasattr(clicked, "__dict__")


def test_supervision_that_does_not_exist_is_not_given(examples):
    with pytest.raises(ValueError, match=r"voc/train:0_000/1 has an interaction but no super"):
        ImageCache().supervision(without_truth(examples[0]))


def test_supervision_is_kept_and_given_as_it_was_read(examples, monkeypatch):
    cache = ImageCache()
    first = cache.supervision(examples[0])
    monkeypatch.setattr(datasets, "label_map", lambda source: pytest.fail("read again"))
    mask, void = cache.supervision(examples[0])
    assert np.array_equal(mask, first[0]) and np.array_equal(void, first[1])
    record = examples[0].supervision
    monkeypatch.undo()
    assert np.array_equal(mask, datasets.read_mask(record))
    pseudo, nothing = cache.supervision(without_truth(examples[0], corner_code()))
    assert pseudo.sum() == 16 and nothing is None


def test_a_process_keeps_few_images_of_its_own_and_forgets_the_oldest(monkeypatch):
    read = []

    def read_image(path, *, upright):
        read.append(path.name)
        return np.zeros((10, 10, 3), np.uint8)

    monkeypatch.setattr(datasets, "read_image", read_image)
    monkeypatch.setattr(data_examples, "MEMORY_BYTES", 700)
    cache = ImageCache()
    for name in "abacab":
        cache.image(Path(name))
        assert cache.n_bytes <= 700
    assert read == ["a", "b", "c", "b"]
    monkeypatch.setattr(data_examples, "MEMORY_BYTES", 1)
    small = ImageCache()
    assert small.image(Path("large")).nbytes == 300
    small.image(Path("larger"))
    assert small.n_bytes == 300


def test_a_batch_stacks_its_samples(examples):
    cuts = [cut(example, tiny.CROP, ImageCache()) for example in examples[:3]]
    batch = samples.collate(cuts)
    assert len(batch) == 3
    assert batch.images.shape == (3, 3, 32, 32) and batch.images.dtype == torch.uint8
    assert batch.masks.shape == batch.void.shape == (3, 1, 32, 32)
    assert batch.masks.dtype == batch.void.dtype == batch.labelled.dtype == torch.bool
    assert batch.classes.dtype == torch.int64
    for i, sample in enumerate(cuts):
        assert np.array_equal(batch.images[i].permute(1, 2, 0), sample.image)
        assert np.array_equal(batch.masks[i, 0], sample.mask)
        assert np.allclose(batch.points[i], sample.point)
        assert np.allclose(batch.boxes[i], sample.box)
    assert batch.to(torch.device("meta")).images.device.type == "meta"


def test_the_input_is_colours_click_corners(examples):
    batch = samples.collate([cut(example, tiny.CROP, ImageCache()) for example in examples[:2]])
    inputs = batch.inputs(tiny.CLICKS)
    maps = encodings.heat_maps(batch.points, batch.boxes, 32, tiny.CLICKS)
    assert inputs.shape == (2, 5, 32, 32) and inputs.dtype == torch.float32
    assert torch.equal(inputs[:, :3], batch.images.float())
    assert torch.equal(inputs[:, 3:], maps)
    row, col = batch.points[0].round().long().tolist()
    assert inputs[0, 3, row, col] == 255
