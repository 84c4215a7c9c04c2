"""Terms and maps of a pair: what training computes, cell by cell; the plane and its clouds."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
import torch

from openscenes.data.examples import NO_CLASS
from openscenes.lessons.alignment import census, pair_terms, pairs
from openscenes.lessons.alignment import pair_view as views
from openscenes.lessons.alignment.pairs import Alignment, Outputs, Pairing
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.evolution import Pool, old_weight
from openscenes.method.objective import alignment_losses
from openscenes.study.runs.data import new_scene, source

CONFIG = AlignmentConfig(feature_weight=0.1)


@pytest.fixture(scope="module")
def alignment(tmp_path_factory) -> Alignment:
    made = run_path(str(Path(__file__).with_name("alignment_untrained.py")))
    return made["untrained"](tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def pairing(alignment) -> Pairing:
    return alignment.pairing()


@pytest.fixture(scope="module")
def outputs(alignment) -> Outputs:
    return alignment.outputs(pairs.BEFORE)


def test_partners_are_those_of_training(alignment, pairing):
    study = alignment.study
    pool = Pool(source(study, "voc+sbd").examples)
    assert pairing.known.any() and not pairing.known.all()
    for i in torch.nonzero(pairing.known).flatten().tolist():
        assert pairing.old.classes[i] == pairing.new.classes[i]
        assert pairing.predicted[i] == pairing.old_names[i]
    others = alignment.pairing(1)
    assert not torch.equal(others.old.images, pairing.old.images)
    assert torch.equal(others.new.images, pairing.new.images)
    assert pool.knows(int(pairing.old.classes[0]))


def test_a_class_that_the_pool_lacks_counts_as_unknown(alignment):
    study, scene_data = alignment.study, new_scene(alignment.study, "coco")
    labelled = source(study, "voc+sbd")
    few = replace(labelled, examples=labelled.examples[:1])
    missing = few.examples[0].class_index % 20 + 1
    new = [replace(scene_data.truth[0], class_index=missing)]
    found = pairs.paired(study, few, new, list(scene_data.truth[:1]), epoch=0)
    assert found.new.classes.tolist() == [NO_CLASS]
    assert found.predicted == (pairs.UNKNOWN,)


@pytest.mark.parametrize("floor", [0.05, 0.4])
def test_terms_are_those_of_training(outputs, pairing, floor):
    config = replace(CONFIG, probability_floor=floor)
    found = pair_terms.terms(outputs, pairing, config, weight_old=0.5)
    trained = alignment_losses(outputs.old, pairing.old, outputs.new, pairing.new, config)
    torch.testing.assert_close(found.feat, trained["feat"])
    torch.testing.assert_close(found.max, trained["max"])
    pixels = pairing.new.masks[0].numel() / outputs.new.features[0, 0].numel()
    expected = 0.1 * (pixels * found.proto + torch.where(pairing.known, found.pixel, 0))
    torch.testing.assert_close(found.feat, expected, rtol=1e-4, atol=1e-4)
    whole = pair_terms.terms(outputs, pairing, config)
    torch.testing.assert_close(found.ce_old, 0.5 * whole.ce_old)


def test_prototypes_have_the_distance_of_term_a(outputs, pairing):
    found = pair_terms.prototypes_of(outputs, pairing)
    distance = (found.old - found.new).square().sum(1)
    terms = pair_terms.terms(outputs, pairing, CONFIG)
    assert not found.empty.any()
    torch.testing.assert_close(distance, terms.proto, rtol=1e-3, atol=1e-5)


def test_an_empty_pseudo_mask_has_no_prototype_and_no_loss(outputs, pairing):
    nothing = replace(pairing, new=replace(pairing.new, masks=torch.zeros_like(pairing.new.masks)))
    assert pair_terms.prototypes_of(outputs, nothing).empty.all()
    assert (pair_terms.terms(outputs, nothing, CONFIG).feat == 0).all()


def test_maps_sum_to_the_terms(outputs, pairing):
    terms = pair_terms.terms(outputs, pairing, CONFIG)
    for i in range(len(pairing)):
        maps = pair_terms.cell_maps(outputs.pair(i), pairing.pair(i), CONFIG)
        assert np.nansum(maps.pixel) == pytest.approx(terms.pixel[i].item(), rel=1e-3)
        assert maps.square.sum() == pytest.approx(terms.max[i].item(), rel=1e-4)
        inside = maps.share > 0
        assert np.isnan(maps.distance[~inside]).all() and np.isfinite(maps.distance[inside]).all()
        np.testing.assert_allclose(
            maps.weight[inside],
            maps.share[inside] / np.maximum(maps.probability[inside], CONFIG.probability_floor),
            rtol=1e-4,
        )


def test_a_pair_alone_has_the_numbers_that_it_has_among_others(outputs, pairing):
    together = pair_terms.terms(outputs, pairing, CONFIG)
    alone = pair_terms.terms(outputs.pair(2), pairing.pair(2), CONFIG)
    for name in ("proto", "pixel", "feat", "max", "ce_old", "ce_new"):
        torch.testing.assert_close(getattr(alone, name)[0], getattr(together, name)[2])


def test_the_plane_is_orthonormal_and_holds_the_most_variance(outputs, pairing):
    found = pair_terms.plane_of(outputs, pairing)
    torch.testing.assert_close(found.axes.T @ found.axes, torch.eye(2), atol=1e-5, rtol=0)
    cells = torch.cat([
        pair_terms.object_cells(outputs.old, pairing.old.masks),
        pair_terms.object_cells(outputs.new, pairing.new.masks),
    ])  # fmt: skip
    squares = torch.linalg.svdvals(cells - cells.mean(0)).square()
    assert found.kept == pytest.approx(float(squares[:2].sum() / squares.sum()), rel=1e-3)
    assert np.abs(found.project(cells).mean(0)).max() < 1e-3


def test_a_view_follows_its_choice(alignment):
    first = views.first_choice({"coco": alignment})
    named = views.view_pair(alignment, first)
    assert named.drawn.known
    assert named.proto == pytest.approx(named.before, rel=1e-4)
    doubled = views.view_pair(alignment, replace(first, weight=2 * first.weight))
    torch.testing.assert_close(doubled.terms.feat, 2 * named.terms.feat)
    even = views.view_pair(alignment, replace(first, floor=1.0))
    assert even.terms.pixel < named.terms.pixel
    assert even.weight_old == old_weight(alignment.evolution, 0)


def test_the_readout_says_what_is_counted(alignment):
    pairing = alignment.pairing()
    first = views.first_choice({"coco": alignment})
    unknown = int(torch.nonzero(~pairing.known)[0])
    assert "Eq. 7" in views.rows(views.view_pair(alignment, first))["class"]
    rows = views.rows(views.view_pair(alignment, replace(first, pair=unknown)))
    assert "Eq. 8" in rows["class"]
    assert rows["B, pixels to c_a"].endswith("(not counted)")


def test_names_are_right_in_either_data_sets_words():
    assert census.is_right("sofa", "couch")
    assert census.is_right("motorbike", "motorcycle")
    assert census.is_right("car", "car")
    assert not census.is_right("cat", "car")
    assert not census.is_right(pairs.UNKNOWN, pairs.UNKNOWN)


def test_the_census_counts_pairs_by_equation(alignment):
    found = census.naming({"coco": alignment}).loc["COCO"]
    assert found["predicted (Eq. 7)"] == int(alignment.pairing().known.sum())
    means = census.weighing({"coco": alignment})
    assert means["pairs"].sum() == found["pairs"] == len(alignment.pairing())
