"""Laws of evidence masks over random objects, oddities by hand, and how weights are learned."""

import copy
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.method.evidence_scenes import SIZE, planted, scene

from openscenes import masks
from openscenes.data.examples import from_clicks
from openscenes.data.records import Box, Point
from openscenes.errors import InputError
from openscenes.kept import kept
from openscenes.method import evidence_learning
from openscenes.method.evidence import evidence_of, hypotheses, weights_of
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.evidence_learning import Case, fitted, learned, mean_iou
from openscenes.method.evolution import evolve
from openscenes.method.inference import InferenceConfig, predictions
from openscenes.method.ipt import IPTConfig
from openscenes.method.other_looks import other_look
from openscenes.method.pseudo import kept_evidence, pseudo_examples
from openscenes.method.replay import Pool
from openscenes.method.tightness import allowed_region, tightest, tightness
from openscenes.pool import Pool as Workers
from openscenes.seeding import numpy_generator

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)
SEEDS = range(8)
CONFIG = EvidenceConfig()
K = CONFIG.n_hypotheses


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("slack", [0.0, 0.1])
def test_laws_over_random_objects(seed, slack):
    cut, one_view, views = scene(seed, error=0.03)
    config = replace(CONFIG, slack=slack)
    found = evidence_of(cut, one_view, views, config)
    region = allowed_region(cut.box, SIZE, slack)
    row, col = (round(place) for place in cut.point)
    assert not (found.mask & ~region).any() and not found.probability[~region].any()
    assert found.mask[row, col] == region[row, col]
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all()
    assert ((found.tightness >= 0) & (found.tightness <= 1)).all()
    assert ((found.probability >= 0) & (found.probability <= 1)).all()
    assert found.flag == ""
    assert np.array_equal(found.mask, found.probability > 0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_but_its_object_decides_a_mask(seed):
    cut, one_view, views = scene(seed)
    before = evidence_of(cut, one_view, views)
    given = copy.deepcopy((cut.image, one_view, views))
    cv2.setRNGSeed(seed + 17)
    cv2.randu(np.zeros((9, 9), np.uint8), 0, 255)
    evidence_of(*scene(seed + 1))
    again = evidence_of(cut, one_view, views)
    assert np.array_equal(before.probability, again.probability)
    assert before.threshold == again.threshold
    for one, other in zip(given, (cut.image, one_view, views), strict=True):
        assert np.array_equal(one, other)


def test_clear_edges_are_found_where_the_network_is_wrong():
    cut, wrong = planted()
    found = evidence_of(cut, wrong, wrong)
    assert masks.iou(wrong > 0.5, cut.mask) < 0.4
    assert masks.iou(found.mask, cut.mask) > 0.95


def test_a_persons_box_may_cut_the_object():
    cut, wrong = planted()
    small = replace(cut, box=Box(10.0, 10.0, 40.0, 38.0))
    exact, allowed = (
        evidence_of(small, wrong, wrong, replace(CONFIG, slack=slack)) for slack in (0.0, 0.1)
    )
    assert masks.iou(exact.mask, cut.mask) < 0.9 < masks.iou(allowed.mask, cut.mask)


def test_the_cautious_mask_lies_between_evidence_and_views():
    cut, wrong = planted()
    plain, cautious = (
        evidence_of(cut, wrong, wrong, replace(CONFIG, cautious=one)) for one in (False, True)
    )
    clipped = wrong * allowed_region(cut.box, SIZE, 0.0)
    here = np.ones_like(cut.mask)
    row, col = (round(place) for place in cut.point)
    here[row - 1 : row + 2, col - 1 : col + 2] = False
    weighed, both = (
        np.interp(one.probability, (0, 0.5, 1), (0, one.threshold, 1)) for one in (plain, cautious)
    )
    assert np.allclose(both[here], (weighed + clipped)[here] / 2, atol=1e-6)


def odd(name):
    """A crop that holds no evidence."""
    cut, one_view, views = scene(0)
    if name == "thin":
        cut = replace(cut, affine=np.diag([30.0, 1.0, 1.0])[:2])
    if name == "click outside":
        cut = replace(cut, point=Point(1.0, 1.0))
    if name == "whole image":
        cut = replace(cut, box=Box(0.0, 0.0, float(SIZE), float(SIZE)))
    if name == "one colour":
        cut = replace(cut, image=np.full_like(cut.image, 90))
    return cut, one_view, views


@pytest.mark.parametrize(
    "name", ["thin", "click outside", "whole image", "one colour", "cut failed"]
)
def test_objects_without_evidence_keep_the_networks_clipped_map(name, monkeypatch):
    cut, one_view, views = odd(name)
    if name == "cut failed":

        def failing(*_):
            raise cv2.error("no cut")

        monkeypatch.setattr(cv2, "grabCut", failing)
    found = evidence_of(cut, one_view, views)
    region = allowed_region(cut.box, SIZE, 0.0)
    row, col = (round(place) for place in cut.point)
    expected = views * region
    expected[row - 1 : row + 2, col - 1 : col + 2] = 1
    assert found.flag == name
    assert np.array_equal(found.mask, (expected > 0.5) & region)
    assert found.weights.tolist() == [0, 1, *[0] * (K - 2)]


@pytest.mark.parametrize("flat", [0.0, 0.3])
def test_a_network_that_finds_nothing_leaves_the_cut_without_it(flat):
    cut, _ = planted()
    blind = np.full((SIZE, SIZE), flat, np.float32)
    assert masks.iou(evidence_of(cut, blind, blind).mask, cut.mask) > 0.9


def test_a_damaged_network_is_refused():
    cut, _ = planted()
    blind = np.full((SIZE, SIZE), np.nan, np.float32)
    with pytest.raises(InputError, match="not finite"):
        evidence_of(cut, blind, blind)


def test_large_crops_are_cut_small():
    cut, wrong = planted()
    large = replace(
        cut, image=cv2.resize(cut.image, None, fx=4, fy=4), affine=np.eye(2, 3) * 4,
        box=Box(*(4 * side for side in cut.box)), point=Point(*(4 * side for side in cut.point)),
    )  # fmt: skip
    maps = cv2.resize(wrong, None, fx=4, fy=4)
    found = evidence_of(large, maps, maps, replace(CONFIG, side_px=64))
    truth = cv2.resize(cut.mask.view(np.uint8), None, fx=4, fy=4) > 0
    assert found.mask.shape == (4 * SIZE, 4 * SIZE)
    assert masks.iou(found.mask, truth) > 0.9


def test_black_beyond_the_image_is_no_background():
    cut, wrong = planted()
    shown = np.zeros_like(cut.image)
    shown[8:, 10:] = cut.image[8:, 10:]
    at_edge = replace(cut, image=shown, affine=np.array([[1.0, 0, 10], [0, 1.0, 8]]))
    at_edge = replace(at_edge, shape=(SIZE - 8, SIZE - 10))
    found = hypotheses(at_edge, wrong, wrong, CONFIG)
    assert not found[:, :8].any() and not found[:, :, :10].any()
    assert masks.iou(evidence_of(at_edge, wrong, wrong).mask, cut.mask) > 0.9


def test_tightness_by_hand():
    three = np.zeros((4, 10, 10), bool)
    three[0, 2:6, 2:6] = True
    three[1, 2:4, 2:6] = True
    three[2, 1:7, 2:6] = True
    box = (2.0, 2.0, 6.0, 6.0)
    assert tightness(three, box).tolist() == pytest.approx([1, 0.5, 4 / 6, 0])
    assert tightness(three, box, 0.25).tolist() == pytest.approx([1, 2 / 3, 1, 0])


def test_the_tightest_threshold_is_taken_and_the_middle_one_of_equals():
    q = np.zeros((10, 10), np.float32)
    q[2:6, 2:6], q[2:4, 2:6] = 0.45, 0.9
    mask, level = tightest(q, (2.0, 2.0, 6.0, 6.0), 0.0)
    assert level == 0.4 and mask.sum() == 16
    assert tightest(q, (2.0, 2.0, 4.0, 6.0), 0.0)[1] == 0.5


def cases(good, n=6):
    """Objects whose ``good`` hypothesis is the truth; all others are equally tight and wrong."""
    made = []
    for seed in range(n):
        generator = numpy_generator("case", seed)
        truth = np.zeros((12, 12), bool)
        truth[2:10, 2:10] = generator.random((8, 8)) < 0.6
        found = np.zeros((K, 12, 12), np.float32)
        found[:, 2:10, 2:10] = generator.random((K, 8, 8)) < 0.5
        found[good] = truth
        made.append(Case(found, np.ones(K), (2.0, 2.0, 10.0, 10.0), truth))
    return made


@pytest.mark.parametrize("good", range(K))
def test_learned_weights_prefer_the_better_hypothesis(good):
    planted_cases = cases(good)
    config, score = fitted(planted_cases, CONFIG)
    assert int(np.argmax(config.priors)) == good
    assert score == pytest.approx(mean_iou(planted_cases, config))
    assert score > mean_iou(planted_cases, CONFIG) + 0.1
    assert sum(config.priors) == pytest.approx(1, abs=1e-5)


def test_weights_are_those_of_the_equation():
    config = replace(CONFIG, power=2.0, priors=(1.0, 0.0, 2.0, 1.0, 0.0, 0.0))
    weights = weights_of(np.array([1.0, 1.0, 0.5, 0.5, 1.0, 1.0]), config)
    assert weights.tolist() == pytest.approx([4 / 7, 0, 2 / 7, 1 / 7, 0, 0])


def test_the_power_is_learned_where_tightness_tells():
    made = cases(2)
    tight = np.where(np.arange(K) == 2, 1.0, 0.7)
    alike = [replace(one, tight=tight) for one in made]
    flat = replace(CONFIG, power=1.0)
    assert fitted(alike, flat)[1] > mean_iou(alike, flat) + 0.1


def test_other_looks_are_alike_for_an_image_and_keep_its_shape():
    image = numpy_generator("image").integers(0, 256, (20, 30, 3), dtype=np.uint8)
    one, again = (other_look(image, 1.0, numpy_generator("look", 0, "a.png")) for _ in range(2))
    other = other_look(image, 1.0, numpy_generator("look", 0, "b.png"))
    assert one.shape == image.shape and one.dtype == np.uint8
    assert np.array_equal(one, again) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"certainties": ((0.8, 0.2),)}, "the lower one first"),
        ({"priors": (1.0, 2.0)}, "a weight of at least 0 for each of 6"),
        ({"priors": (0.0,) * 6}, "one above 0"),
        ({"power": -1.0}, "between 0 and 64"),
        ({"rounds": 0}, "between 1 and 100"),
        ({"slack": 0.9}, "between 0 and 0.5"),
    ],
)
def test_settings_that_nobody_can_mean(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        EvidenceConfig(**changes)


def test_maps_of_another_size_are_refused():
    cut, wrong = planted()
    with pytest.raises(InputError, match=r"the crop is \(48, 48\) and the maps are \(48, 48\)"):
        evidence_of(cut, wrong, wrong[:40])


def test_a_step_learns_from_evidence_and_keeps_its_weights(
    tiny, old_root, new_root, tmp_path, monkeypatch
):
    monkeypatch.setattr(evidence_learning, "SLACKS", (0.0, 1.0))
    network, labelled = tiny.network(), tiny.labelled(old_root)
    scene_objects = tiny.clicked(new_root)[:4]
    few = replace(CONFIG, n_learned=3, box_error=0.05)
    config = replace(tiny.EVOLUTION, teacher=InferenceConfig(tta="six views", evidence=few))
    step = evolve(
        copy.deepcopy(network), Pool(tuple(labelled)), scene_objects, config, tiny.context(),
        folder=tmp_path,
    )  # fmt: skip
    used = kept_evidence(tmp_path)
    assert used is not None and sum(used.priors) == pytest.approx(1, abs=1e-5)
    assert replace(used, priors=(), power=few.power, slack=0.0) == few
    assert len(step.pool.examples) == len(labelled) + len(scene_objects)
    assert kept(tmp_path / "pseudo.json")["flags"] == {}
    given = [from_clicks(one) for one in scene_objects]
    plain = pseudo_examples(network, given, tiny.context(), None, file=tmp_path / "p.json")
    made = step.pool.examples[len(labelled) :]
    assert any(a.supervision != b.supervision for a, b in zip(plain, made, strict=True))
    asked = replace(config.teacher, evidence=used)
    again = pseudo_examples(network, given, tiny.context(), None, asked)
    assert [one.supervision for one in again] == [one.supervision for one in made]
    assert kept_evidence(tmp_path / "p.json") is None


def test_flags_are_kept_beside_the_masks(tiny, new_root, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "grabCut", lambda *_: (_ for _ in ()).throw(cv2.error("none")))
    given = [from_clicks(one) for one in tiny.clicked(new_root)[:2]]
    file = tmp_path / "pseudo.json"
    asked = InferenceConfig(evidence=CONFIG)
    pseudo_examples(tiny.network(), given, tiny.context(), None, asked, file=file)
    assert kept(file)["flags"] == {one.object_id: "cut failed" for one in given}


def test_without_labels_the_weights_stay_as_given(tiny, new_root):
    context = tiny.context()
    given = [from_clicks(one) for one in tiny.clicked(new_root)]
    asked = InferenceConfig(evidence=CONFIG)
    assert learned(tiny.network(), given, context, asked, Workers(0, context.cache)) == CONFIG


def test_clicks_are_seeds_of_every_cut_and_hold_whatever_the_box_says():
    cut, wrong = planted()
    clicks = np.array([[36.0, 14.0, -1.0], [4.0, 20.0, 1.0]], np.float32)
    found = evidence_of(cut, wrong, wrong, CONFIG, clicks)
    assert not found.mask[36, 14] and found.mask[4, 20]
    assert evidence_of(cut, wrong, wrong).mask[36, 14]
    config = CONFIG.for_corrections
    assert evidence_of(cut, wrong, wrong, config, clicks).weights.shape == (4,)


def test_predictions_on_evidence_are_its_masks_and_ipt_refines_them(tiny, new_root):
    context, given = tiny.context(), [from_clicks(one) for one in tiny.clicked(new_root)[:3]]
    asked = InferenceConfig(evidence=CONFIG)
    (found,) = predictions(tiny.network(), given, context, asked)
    (plain,) = predictions(tiny.network(), given, context, InferenceConfig())
    for i, cut in enumerate(found.samples):
        network = plain.prediction.probability[i, 0].numpy()
        own = evidence_of(cut, network, network, CONFIG)
        assert np.array_equal(found.prediction.probability[i, 0].numpy(), own.probability)
        assert np.array_equal(found.prediction.coarse_mask[i, 0].numpy(), own.mask)
    refined = pseudo_examples(tiny.network(), given, context, IPTConfig(), asked)
    coarse = pseudo_examples(tiny.network(), given, context, None, asked)
    assert any(a.supervision != b.supervision for a, b in zip(refined, coarse, strict=True))


def test_weights_go_as_far_as_asked_between_before_and_after(tiny, old_root, new_root):
    pool, scene_objects = Pool(tuple(tiny.labelled(old_root))), tiny.clicked(new_root)[:4]
    before, after, half = (
        evolve(
            copy.deepcopy(tiny.network()), pool, scene_objects,
            replace(tiny.EVOLUTION, between=share), tiny.context(),
        ).network.state_dict()
        for share in (0.0, 1.0, 0.5)
    )  # fmt: skip
    moved = 0
    for name, weight in half.items():
        if weight.is_floating_point():
            assert np.allclose(weight, (before[name] + after[name]) / 2, atol=1e-6)
            moved += int((before[name] != after[name]).any())
    assert moved > 10
