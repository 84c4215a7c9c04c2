"""Eq. 11 for pairs: each half has its own losses, and the old half its own weight."""

import copy
from dataclasses import replace

import pytest
import torch

from openscenes.data import samples
from openscenes.data.examples import NO_CLASS
from openscenes.method import objective
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.objective import (
    class_cross_entropy,
    mask_cross_entropy,
    pair_losses,
    supervised_losses,
)

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


def a_pair(tiny, old_root, new_root):
    cache = tiny.context().cache
    old = [samples.cut(example, tiny.CROP, cache) for example in tiny.labelled(old_root)[:3]]
    new = [
        replace(samples.cut(example, tiny.CROP, cache), labelled=False, class_index=channel)
        for example, channel in zip(tiny.labelled(new_root)[:3], (7, NO_CLASS, 15), strict=True)
    ]
    return samples.collate(old), samples.collate(new)


def test_pair_losses_are_eq_11_of_each_half(tiny, initial, old_root, new_root):
    old, new = a_pair(tiny, old_root, new_root)
    network = copy.deepcopy(initial.network).eval()  # halves then do not share statistics
    with torch.no_grad():
        together = network(torch.cat([old.inputs(tiny.CLICKS), new.inputs(tiny.CLICKS)]))
        losses = pair_losses(together, old, new, None, 0.25, 3.0)
        out_old, out_new = (network(batch.inputs(tiny.CLICKS)) for batch in (old, new))
    wanted = {
        "ce_old": 0.25 * mask_cross_entropy(out_old, old),
        "class_old": 0.25 * 3.0 * class_cross_entropy(out_old, old),
        "ce_new": mask_cross_entropy(out_new, new),
    }
    assert losses.keys() == wanted.keys()
    for name, values in losses.items():
        assert values.shape == (3,)
        assert torch.allclose(values, wanted[name], rtol=1e-3)
    assert (losses["class_old"] > 0).all()


def test_the_old_weight_reaches_the_old_losses_only(tiny, initial, old_root, new_root):
    old, new = a_pair(tiny, old_root, new_root)
    network = copy.deepcopy(initial.network).eval()
    config = AlignmentConfig(reduction="mean")
    with torch.no_grad():
        output = network(torch.cat([old.inputs(tiny.CLICKS), new.inputs(tiny.CLICKS)]))
        full, tenth = (pair_losses(output, old, new, config, w, 1.0) for w in (1.0, 0.1))
    for name in full:
        factor = 0.1 if name.endswith("_old") else 1.0
        assert torch.allclose(tenth[name], factor * full[name])


def test_a_pair_of_known_class_is_aligned_by_its_pixels_too(tiny, initial, old_root, new_root):
    old, new = a_pair(tiny, old_root, new_root)
    network = copy.deepcopy(initial.network).eval()
    config = AlignmentConfig(class_agnostic_proto_term=False)
    with torch.no_grad():
        output = network(torch.cat([old.inputs(tiny.CLICKS), new.inputs(tiny.CLICKS)]))
    feature = pair_losses(output, old, new, config, 1.0, 1.0)["feat"]
    assert feature[0] > 0 and feature[2] > 0
    assert feature[1] == 0  # its class is unknown


def test_a_class_weight_of_zero_leaves_the_class_head_alone(tiny, initial, old_root, new_root):
    old, _ = a_pair(tiny, old_root, new_root)
    output = initial.network.eval()(old.inputs(tiny.CLICKS))
    assert set(supervised_losses(output, old, 0.0)) == {"ce"}
    losses = supervised_losses(output, old, 2.0)
    assert torch.equal(losses["class"], 2.0 * class_cross_entropy(output, old))


def test_an_unconfirmed_mask_stands_for_itself(tiny):
    output = tiny.network().eval()(torch.zeros(2, 5, 32, 32))
    half = torch.full_like(output.predictor, -1.0)
    half[0, :, :, :4] = 1.0
    supervision = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    confirmed = objective._confirmed(supervision, output._replace(predictor=half))
    assert confirmed[0].any() and not confirmed[0].all()
    assert confirmed[1].all()
