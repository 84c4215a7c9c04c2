"""Every system behind one question: clicks go into the crop, answers come back into the image."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from openscenes import masks
from openscenes.data import pasting
from openscenes.data.crops import CropConfig
from openscenes.data.examples import ImageCache
from openscenes.method.evolution import initialise
from openscenes.networks.devices import make_fabric
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import save_weights
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.seeding import torch_generator
from openscenes.study.options import profile_named
from openscenes.study.runs.data import Study, source, validation
from openscenes.study.runs.models import Model
from openscenes.study.scores.click_systems import BoxSystem, ClickSystem, ExtremeSystem, _Crops
from openscenes.study.scores.masks import compared, object_iou

NOTHING = np.zeros((0, 3), np.float32)
HALF = [0.5] * 3


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Photographs of two blobs each, in VOC's layout, as train and as val."""
    tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))
    root = tiny.write_voc(tmp_path_factory.mktemp("pictures"))
    lists = root / "VOCdevkit/VOC2012/ImageSets/Segmentation"
    (lists / "val.txt").write_text((lists / "train.txt").read_text())
    return Study(profile_named("smoke"), root, make_fabric("cpu"), ImageCache())


def whole(maps):
    """Crop maps in pixels of their whole images."""
    return [one.whole() for one in maps]


@pytest.fixture(scope="module")
def chunk(study):
    return validation(study, "voc").examples[:3]


@pytest.fixture(scope="module")
def network(study):
    """Has seen the blobs often enough to answer with some of them."""
    made = OpenSceneNet(study.profile.network, generator=torch_generator("box"))
    examples = source(study, "voc").examples
    from openscenes.study.runs.models import run_context

    train = replace(study.profile.initial, epochs=8, batch_size=4, precision="32-true")
    initialise(made, examples, train, study.profile.augmentation, run_context(study, 0))
    return made.eval()


@pytest.fixture(scope="module")
def boxes(study, network):
    return BoxSystem(study, network)


def peer_system(study, name):
    peer = peer_of(study.profile, name)
    network = peer.build(torch_generator("peer", name)).eval()
    kind = ExtremeSystem if peer.clicks.kind == "extremes" else ClickSystem
    return kind(study, peer, network)


def test_a_click_goes_into_the_crop_by_hand(study, chunk):
    """A whole image of 64 x 80 in a crop of 32: rows shrink by 2, columns by 2.5."""
    cut = _Crops(study, CropConfig(32, margin_px=0.0, region="image"), chunk)
    clicks = [np.array([[10.0, 20.0, 1.0], [0.0, 79.0, -1.0]], np.float32), NOTHING, NOTHING]
    moved = cut.moved(clicks)
    assert moved.shape == (3, 2, 3)
    # a pixel's centre r lies at r + 1/2 of the edge: (r + 1/2) / 2 - 1/2
    assert moved[0, 0].tolist() == pytest.approx([4.75, 7.7, 1.0])
    assert moved[0, 1].tolist() == pytest.approx([-0.25, 31.3, -1.0])
    assert not moved[1:].any()


@pytest.mark.parametrize("region", ["box", "image"])
def test_a_click_and_its_pixel_meet_again_in_the_image(study, chunk, region):
    """The pixel of the crop nearest to a moved click is pasted where the click was."""
    margin = 6.0 if region == "box" else 0.0
    cut = _Crops(study, CropConfig(128, margin_px=margin, region=region), chunk)
    places = [example.interaction.point for example in chunk]
    clicks = [np.array([[round(p.row), round(p.col), 1.0]], np.float32) for p in places]
    moved = cut.moved(clicks)
    maps = torch.zeros(len(chunk), 1, 128, 128)
    for row, place in enumerate(moved[:, 0].round().long()):
        maps[row, 0, place[0] - 1 : place[0] + 2, place[1] - 1 : place[1] + 2] = 1.0
    for pasted, (given,) in zip(whole(cut.maps(maps)), clicks, strict=True):
        assert pasted.shape == (64, 80)
        assert np.unravel_index(pasted.argmax(), pasted.shape) == (given[0], given[1])
        assert pasted.max() > 0.5


def test_clicks_are_moved_as_the_crops_own_point(study, chunk):
    cut = _Crops(study, study.profile.crop, chunk)
    clicks = [np.array([[*example.interaction.point, 1.0]], np.float32) for example in chunk]
    assert torch.allclose(cut.moved(clicks)[:, 0, :2], cut.batch.points, atol=1e-4)


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_answers_with_probabilities_of_the_whole_image(study, chunk, name):
    system = peer_system(study, name)
    first = [np.array([[32.0, 22.0, 1.0]], np.float32)] * 3
    with torch.inference_mode():
        answers = whole(
            system.look(chunk).predict(first if name != "DEXTR" else [NOTHING] * 3, HALF)
        )
    assert [answer.shape for answer in answers] == [(64, 80)] * 3
    assert all(0.0 <= answer.min() <= answer.max() <= 1.0 for answer in answers)
    assert all(answer.std() > 0 for answer in answers)
    assert (system.protocol_clicks, system.corrects) == (
        (4, False) if name == "DEXTR" else (0, True)
    )


@pytest.mark.parametrize("name", [name for name in PEERS if name != "DEXTR"])
def test_another_click_changes_the_answer_of_its_object_alone(study, chunk, name):
    system = peer_system(study, name)
    one = np.array([[32.0, 22.0, 1.0]], np.float32)
    two = np.concatenate([one, np.array([[5.0, 70.0, -1.0]], np.float32)])
    with torch.inference_mode():
        before = whole(system.look(chunk).predict([one] * 3, HALF))
        after = whole(system.look(chunk).predict([one, two, one], HALF))
    assert not np.allclose(before[1], after[1])
    assert np.allclose(before[0], after[0], atol=1e-5)
    assert np.allclose(before[2], after[2], atol=1e-5)


@pytest.mark.parametrize("name", ["Latent diversity", "FCTSFN"])
def test_photographs_are_looked_at_once_and_answers_stay_as_they_were(study, chunk, name):
    system = peer_system(study, name)
    clicks = [np.array([[32.0, 22.0, 1.0]], np.float32)] * 3
    with torch.inference_mode():
        asked = system.look(chunk)
        once = whole(asked.predict(clicks, HALF))
        asked.seen = ()
        anew = whole(asked.predict(clicks, HALF))
    assert all(np.array_equal(*pair) for pair in zip(once, anew, strict=True))


def test_itis_sees_its_last_answer(study, chunk):
    system = peer_system(study, "ITIS")
    clicks = [np.array([[32.0, 22.0, 1.0]], np.float32)] * 3
    with torch.inference_mode():
        asked = system.look(chunk)
        assert asked.previous is None
        first = whole(asked.predict(clicks, HALF))
        assert asked.previous.shape == (3, 1, 32, 32) and asked.previous.dtype == torch.bool
        asked.previous = ~asked.previous  # whatever it was, it is another mask now
        assert not np.allclose(first[0], whole(asked.predict(clicks, HALF))[0])


def outside_the_box(example, shape, reach):
    """Pixels farther from the box than bicubic pasting smears."""
    box, outside = example.interaction.box, np.ones(shape, bool)
    rows = slice(max(int(box.row0 - reach), 0), int(box.row1 + reach) + 1)
    cols = slice(max(int(box.col0 - reach), 0), int(box.col1 + reach) + 1)
    outside[rows, cols] = False
    return outside


def test_dextr_answers_nothing_outside_its_box(study, chunk):
    system = peer_system(study, "DEXTR")
    with torch.inference_mode():
        asked = system.look(chunk)
        answers = whole(asked.predict([NOTHING] * 3, HALF))
    for answer, example, sample in zip(answers, chunk, asked.crops.cuts, strict=True):
        crop_pixel = 1.0 / min(sample.affine[0, 0], sample.affine[1, 1])
        outside = outside_the_box(example, answer.shape, 2.0 * crop_pixel)
        assert outside.any()
        assert not answer[outside].any()
        assert answer[~outside].max() > 0.1


def test_dextr_clicks_extremes_of_the_truth_and_the_same_in_any_company(study, chunk):
    system = peer_system(study, "DEXTR")
    with torch.inference_mode():
        together = whole(system.look(chunk).predict([NOTHING] * 3, HALF))
        alone = whole(system.look(chunk[1:2]).predict([NOTHING], HALF))
    assert np.allclose(together[1], alone[0], atol=1e-5)


def test_the_first_answer_is_the_mask_that_evaluation_scores(
    study, chunk, network, boxes, tmp_path
):
    made = Model("trained", tmp_path, "smoke seed 0 initial voc")
    save_weights(network, made.weights, {})
    labelled = validation(study, "voc")
    frame = object_iou(study, made, labelled)
    with torch.inference_mode():
        answers = whole(
            boxes.look(labelled.examples).predict([NOTHING] * len(labelled.examples), HALF)
        )
    for answer, example, wanted in zip(answers, labelled.examples, frame["iou"], strict=True):
        truth, void = study.cache.supervision(example)
        found = masks.iou(answer > study.profile.inference.threshold, truth, void)
        assert found == pytest.approx(wanted, abs=2e-3)  # another batch rounds differently
    assert frame["iou"].max() > 0.2


@pytest.mark.parametrize("obey", [True, False])
def test_corrections_change_the_answer_and_no_corrections_do_not(boxes, chunk, obey):
    point = chunk[0].interaction.point
    click = np.array([[point.row, point.col, 1.0]], np.float32)
    with torch.inference_mode():
        asked = replace(boxes, obey=obey).look(chunk)
        first = whole(asked.predict([NOTHING] * 3, HALF))
        inside = first[0][round(point.row), round(point.col)] > 0.5
        against = click * [1, 1, -1 if inside else 1]
        corrected = whole(asked.predict([against, NOTHING, NOTHING], HALF))
        again = whole(asked.predict([NOTHING] * 3, HALF))
        agreed = whole(asked.predict([against * [1, 1, -1], NOTHING, NOTHING], HALF))
    assert not np.allclose(first[0], corrected[0], atol=1e-3)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[0], agreed[0]) == obey
    assert not obey or np.array_equal(first[1], corrected[1])  # no click, no change
    assert (boxes.protocol_clicks, boxes.corrects) == (3, True)


def test_each_click_of_a_series_is_obeyed_in_pixels_of_the_image(boxes, study, chunk):
    """Clicks at random, two of them side by side in one pixel of the crop."""
    rng, given = np.random.default_rng(0), [NOTHING] * 3
    with torch.inference_mode():
        asked = boxes.look(chunk)
        asked.predict(given, [0.3] * 3)
        for step in range(6):
            rows = [np.array([[*example.interaction.point, 1]]) for example in chunk]
            moves = [[*rng.integers(-6, 7, 2), -2 * (step % 2)] for _ in rows]
            rows = [row + move for row, move in zip(rows, moves, strict=True)]
            given = [
                np.r_[old, np.rint(row)].astype(np.float32)
                for old, row in zip(given, rows, strict=True)
            ]
            maps = asked.predict(given, [0.3] * 3)
            for example, one, clicks in zip(chunk, maps, given, strict=True):
                (row0, col0, *_), mask, *_ = compared(study.cache, example, one, 0.3)
                last = {(int(r) - row0, int(c) - col0): s for r, c, s in clicks}
                assert all(mask[place] == (sign > 0) for place, sign in last.items())


def test_answers_end_where_the_crop_ends(boxes, chunk):
    with torch.inference_mode():
        asked = boxes.look(chunk)
        answers = whole(asked.predict([NOTHING] * 3, HALF))
    for answer, sample in zip(answers, asked.answers.cuts, strict=True):
        seen = pasting.paste(np.ones((32, 32), np.float32), sample.affine, sample.shape)
        assert not answer[seen == 0].any()
        assert answer[seen == 1].min() > 0
