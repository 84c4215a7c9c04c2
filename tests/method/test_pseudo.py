"""Pseudo masks: what is read from an output, and what becomes of it in the image."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from openscenes import masks
from openscenes.data import crops, pasting, samples
from openscenes.data.examples import NO_CLASS, from_clicks
from openscenes.data.records import Point
from openscenes.method.cutting import paste_back
from openscenes.method.inference import InferenceConfig, read_output
from openscenes.method.ipt import IPTConfig
from openscenes.method.pseudo import pseudo_examples
from openscenes.networks.openscene import NetworkOutput
from openscenes.settings import sources

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


@pytest.fixture(scope="module")
def network(initial):
    return copy.deepcopy(initial.network)


@pytest.fixture(scope="module")
def clicked(tiny, new_root):
    return [from_clicks(one) for one in tiny.clicked(new_root)]


def made(tiny, network, examples, *, ipt=None, seed=0, **inference):
    return pseudo_examples(network, examples, tiny.context(seed, **inference), ipt)


def some_output():
    draw = torch.Generator().manual_seed(0)
    return NetworkOutput(
        coarse=(),
        fine=torch.randn(2, 1, 4, 4, generator=draw),
        features=torch.randn(2, 5, 2, 2, generator=draw),
        fine_features=torch.randn(2, 3, 4, 4, generator=draw),
        predictor=torch.randn(2, 1, 2, 2, generator=draw),
        classes=torch.randn(2, 3, 2, 2, generator=draw),
    )


def test_components_of_a_prediction():
    output = some_output()
    prediction = read_output(output, 8, InferenceConfig())
    fine = F.interpolate(output.fine, (8, 8), mode="bilinear", align_corners=True)
    assert torch.allclose(prediction.probability, fine.sigmoid())
    assert torch.equal(prediction.coarse_mask, prediction.probability > 0.5)
    weights = output.predictor.sigmoid()
    enlarged = F.interpolate(weights, (8, 8), mode="bilinear", align_corners=True)
    assert torch.equal(prediction.predicted_mask, enlarged > 0.5)
    pooled = (output.classes * weights).sum((2, 3)) / weights.sum((2, 3))
    assert torch.allclose(prediction.class_probability, pooled.softmax(1))
    assert prediction.feature("layer4") is output.features
    assert prediction.feature("decoder") is output.fine_features


def test_the_threshold_is_an_absolute_probability():
    strict = read_output(some_output(), 8, InferenceConfig(threshold=0.8))
    assert torch.equal(strict.coarse_mask, strict.probability > 0.8)


def test_each_object_gets_a_mask_near_its_click(tiny, network, clicked):
    examples = made(tiny, network, clicked)
    assert [example.object_id for example in examples] == [one.object_id for one in clicked]
    inside = 0
    for example in examples:
        mask = masks.decode(example.supervision)
        assert mask.shape == (tiny.HEIGHT, tiny.WIDTH)
        assert not example.labelled
        point = example.interaction.point
        inside += mask[round(point.row), round(point.col)]
    assert inside >= 10  # the network has learned something


def test_without_ipt_the_coarse_mask_itself_is_pasted(tiny, network, clicked):
    (example,) = made(tiny, network, clicked[:1])
    sample = samples.cut(clicked[0], tiny.CROP, tiny.context().cache)
    with torch.no_grad():
        output = network.eval()(samples.collate([sample]).inputs(tiny.CLICKS))
    coarse = read_output(output, 32, InferenceConfig()).coarse_mask[0, 0].numpy()
    pasted = pasting.paste(coarse.astype(np.float32), sample.affine, sample.shape) >= 0.5
    assert pasted.any()
    assert np.array_equal(masks.decode(example.supervision), pasted)


def test_a_crops_mask_comes_back_to_its_place(tiny, old_root):
    for example in tiny.labelled(old_root):
        sample = samples.cut(example, crops.CropConfig(64, 6), tiny.context().cache)
        (pasted,) = paste_back(torch.from_numpy(sample.mask)[None, None], [sample])
        truth, _ = tiny.context().cache.supervision(example)
        assert masks.iou(pasted >= 0.5, truth) > 0.97


@pytest.mark.parametrize("feature", ["layer4", "decoder"])
def test_ipt_changes_masks_and_the_batch_does_not(tiny, network, clicked, feature):
    plain = made(tiny, network, clicked, feature=feature)
    refined = made(tiny, network, clicked, ipt=IPTConfig(m=0.9, n=0.95), feature=feature)
    changed = [a.supervision != b.supervision for a, b in zip(plain, refined, strict=True)]
    assert sum(changed) >= 6
    alone = [
        made(tiny, network, [one], ipt=IPTConfig(m=0.9, n=0.95), feature=feature)[0]
        for one in reversed(clicked)
    ]
    for one, other in zip(reversed(alone), refined, strict=True):
        overlap = masks.iou(masks.decode(one.supervision), masks.decode(other.supervision))
        assert overlap > 0.99  # a batch rounds differently; a drawn point would show


def test_center_points_depend_on_seed_and_object(tiny, network, clicked):
    config = IPTConfig(prototypes=("center",), alpha=0.9, beta=0.1, center_radius_px=100)
    first, again, other = (
        made(tiny, network, clicked, ipt=config, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_the_network_stays_as_it_is(tiny, network, clicked):
    before = copy.deepcopy(network)
    made(tiny, network, clicked, ipt=IPTConfig())
    assert tiny.equal_weights(network, before)


def test_a_click_outside_the_crop_counts_at_its_border(tiny, network, clicked):
    (row, col) = clicked[0].interaction.point
    for far in (row - 500, row + 500):
        moved = replace(clicked[0].interaction, point=Point(far, col))
        (example,) = made(tiny, network, [replace(clicked[0], interaction=moved)], ipt=IPTConfig())
        assert masks.decode(example.supervision).shape == (tiny.HEIGHT, tiny.WIDTH)


def test_unknown_classes_keep_their_masks(tiny, network, clicked):
    known, unknown = (made(tiny, network, clicked, unknown_below=t) for t in (0.0, 1.1))
    assert {example.class_index for example in unknown} == {NO_CLASS}
    assert {example.class_index for example in known} <= {7, 15}
    assert [a.supervision for a in known] == [b.supervision for b in unknown]


def test_every_setting_has_a_source():
    assert set(sources(InferenceConfig)) == set(InferenceConfig.__dataclass_fields__)


def far_from_the_box(tiny, example, share=0.0):
    """Image pixels farther from the widened box than pasting a crop smears."""
    box, outside = example.interaction.box, np.ones((tiny.HEIGHT, tiny.WIDTH), bool)
    sample = samples.cut(example, tiny.CROP, tiny.context().cache)
    reach = [
        1.0 / sample.affine[axis, axis] + share * side
        for axis, side in ((1, box.row1 - box.row0), (0, box.col1 - box.col0))
    ]
    rows = slice(max(int(box.row0 - reach[0]), 0), int(np.ceil(box.row1 + reach[0])))
    cols = slice(max(int(box.col0 - reach[1]), 0), int(np.ceil(box.col1 + reach[1])))
    outside[rows, cols] = False
    return outside


@pytest.fixture
def loose(network):
    """A network that sees objects everywhere, so that a box has something to cut off."""
    bold = copy.deepcopy(network)
    calibration = bold.iog.Fine_net.final_predict[-1]
    with torch.no_grad():
        calibration.bias += 20.0
    return bold


@pytest.mark.parametrize("ipt", [None, IPTConfig(m=0.9, n=0.95)])
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_a_clipped_teacher_leaves_nothing_outside_the_box(tiny, loose, clicked, ipt, margin):
    free = made(tiny, loose, clicked, ipt=ipt)
    clipped = made(tiny, loose, clicked, ipt=ipt, clip_to_box=True, clip_margin=margin)
    spilled = 0
    for example, before, after in zip(clicked, free, clipped, strict=True):
        outside = far_from_the_box(tiny, example, margin)
        spilled += bool((masks.decode(before.supervision) & outside).any())
        assert not (masks.decode(after.supervision) & outside).any()
        assert masks.decode(after.supervision).any()
    assert spilled >= (1 if margin else 6)


def test_a_wider_margin_leaves_more(tiny, loose, clicked):
    areas = [
        sum(
            masks.decode(example.supervision).sum()
            for example in made(tiny, loose, clicked, clip_to_box=True, clip_margin=margin)
        )
        for margin in (0.0, 0.1, 0.3)
    ]
    assert areas == sorted(set(areas))


def test_six_views_change_masks_but_no_class(tiny, network, clicked):
    one, six = made(tiny, network, clicked), made(tiny, network, clicked, tta="six views")
    assert [e.class_index for e in one] == [e.class_index for e in six]
    assert sum(a.supervision != b.supervision for a, b in zip(one, six, strict=True)) >= 6
    assert six == made(tiny, network, clicked, tta="six views")


def test_six_views_need_no_ground_truth(tiny, network, new_root, clicked):
    """An example with its mask gets the same pseudo mask as one without."""
    labelled = [
        replace(example, object_id=plain.object_id)
        for example, plain in zip(tiny.labelled(new_root), clicked, strict=True)
    ]
    blind = made(tiny, network, clicked, tta="six views")
    seeing = made(tiny, network, labelled, tta="six views")
    assert [e.supervision for e in blind] == [e.supervision for e in seeing]
