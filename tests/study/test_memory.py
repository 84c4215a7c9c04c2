"""Memory counted by hand on a small network, and of the paper's against what was measured."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.options import profile_named
from openscenes.study.profiles import DEMO, PAPER, STUDY
from openscenes.study.runs.memory import (
    GIB,
    Held,
    cpu_gib,
    crops_of_pass,
    gpu_gib,
    held,
    held_by,
    host_gib,
)
from openscenes.study.runs.recipes import ABLATIONS, FULL, evolved, finetuned, initial, peer
from openscenes.study.runs.shapes import NETWORKS, network_of, one_click

FIRST = initial("voc+sbd", 0)
PAIRS = evolved(FIRST, "cityscapes", FULL)


def test_a_convolution_keeps_its_input_and_a_relu_in_place_its_output():
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.ReLU(inplace=True))
        found = held(network, (torch.empty(2, 3, 8, 8),))
    assert found == Held(4 * 64 * (3 + 4), 4 * 12, 4 * 12)


def test_one_crop_of_the_papers_network_keeps_what_was_measured():
    assert held_by(PAPER, "ours", PAPER.initial).crop / GIB == pytest.approx(1.04, abs=0.01)


def test_real_tensors_are_counted_like_shapes():
    shapes = held_by(DEMO, "ours", DEMO.initial)
    network = OpenSceneNet(DEMO.network).train()
    network.iog.Coarse_net.upsamples[0].requires_grad_(False)
    assert held(network, (torch.zeros(2, 5, 112, 112), one_click)) == shapes


def test_sixteen_pairs_are_thirty_two_crops_and_share_devices_and_passes():
    assert crops_of_pass(PAPER, PAIRS) == 32
    assert crops_of_pass(profile_named("paper?micro_batch=8"), PAIRS) == 8
    assert crops_of_pass(profile_named("paper?devices_per_model=4"), PAIRS) == 8
    assert crops_of_pass(PAPER, FIRST) == 16
    assert 30 < gpu_gib(PAPER, PAIRS) < 40
    assert gpu_gib(profile_named("paper?micro_batch=8"), PAIRS) < gpu_gib(PAPER, PAIRS) / 3


def test_bfloat16_keeps_half_and_adamw_two_moments():
    half = gpu_gib(profile_named("paper?precision=bf16-mixed"), PAIRS)
    assert 0.5 < half / gpu_gib(PAPER, PAIRS) < 0.6
    adamw = replace(PAPER, initial=replace(PAPER.initial, optimiser="adamw"))
    more = gpu_gib(adamw, FIRST) - gpu_gib(PAPER, FIRST)
    assert more * GIB == pytest.approx(held_by(PAPER, "ours", PAPER.initial).learning)


def test_frozen_stages_keep_nothing():
    free = replace(STUDY.initial, freeze_first_stages=False)
    frozen = replace(STUDY.initial, freeze_first_stages=True)
    assert held_by(STUDY, "ours", frozen).crop < 0.8 * held_by(STUDY, "ours", free).crop


def test_an_ablation_takes_the_memory_of_its_own_network():
    branch = initial("voc+sbd", 0, "with IOG's branch")
    with torch.device("meta"):
        network = OpenSceneNet(replace(PAPER.network, corrector="iog"))
    numbers = sum(one.numel() for one in network.parameters())
    assert held_by(PAPER, network_of(branch), PAPER.initial).weights > 4 * numbers
    assert gpu_gib(PAPER, branch) != gpu_gib(PAPER, FIRST)


def test_every_kind_of_training_has_a_network_and_takes_memory():
    recipes = (FIRST, PAIRS, finetuned(FIRST, "coco"), peer("DEXTR", 0),
               finetuned(peer("ITIS", 0), "coco"),
               *(initial("voc+sbd", 0, words) for words in ABLATIONS))  # fmt: skip
    assert [network_of(recipe) for recipe in recipes] == [
        "ours", "pairs", "ours", "DEXTR", "ITIS", *ABLATIONS
    ]  # fmt: skip
    assert all(network_of(recipe) in NETWORKS for recipe in recipes)
    assert all(0 < gpu_gib(DEMO, recipe) < gpu_gib(PAPER, recipe) for recipe in recipes)
    assert all(0 < host_gib(DEMO, recipe) < host_gib(PAPER, recipe) for recipe in recipes)
    assert all(host_gib(DEMO, recipe) < cpu_gib(DEMO, recipe) < 1.5 for recipe in recipes)
