"""How long a training crop takes on this machine: the study's own loops on a few objects.

Ours: all of it.  A step is timed after one that warms up; what it says holds for a machine that
stays as busy as it is.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import replace

from openscenes.data.examples import Example
from openscenes.method.click_training import learn_clicks, learn_refinement
from openscenes.method.evolution import align, initialise
from openscenes.method.pool import Pool
from openscenes.method.training import TrainConfig
from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.networks.openscene import OpenSceneNet
from openscenes.seeding import torch_generator
from openscenes.study.costs import OURS, PAIRS, REFINEMENT, Cost, counted
from openscenes.study.material import Study, source, with_others
from openscenes.study.models import setting_of
from openscenes.study.peer_runs import refiner_training
from openscenes.study.peers import peer_of
from openscenes.study.profiles import Profile
from openscenes.study.recipes import FULL, evolution_config

N_CROPS = 8


def measured(study: Study, networks: Sequence[str]) -> dict[str, Cost]:
    """Seconds per crop of those networks, in about two seconds for the demo's size.

    A forward pass takes its share of the operations.

    Args:
        networks: of ``costs.NETWORKS``.
    """
    operations = counted(study.profile, networks)
    examples = with_others(source(study, "voc+sbd"))[:N_CROPS]
    found = {}
    for name in networks:
        seconds = _seconds_per_crop(study, name, examples)
        found[name] = operations[name].times(seconds / operations[name].training)
    return found


def _seconds_per_crop(study: Study, name: str, examples: Sequence[Example]) -> float:
    if name == OURS:
        train, n_slots = _initial(study, examples), 1
    elif name == PAIRS:
        train, n_slots = _evolving(study, examples), 2
    elif name == REFINEMENT:
        train, n_slots = _refining(study, examples), 1
    else:
        train, n_slots = _peer(study, name, examples), 1
    with redirect_stderr(io.StringIO()):
        train()
        began = time.perf_counter()
        train()
    return (time.perf_counter() - began) / (n_slots * len(examples))


def _initial(study: Study, examples: Sequence[Example]) -> Callable[[], object]:
    profile = study.profile
    network = _network(profile)
    return lambda: initialise(
        network, examples, _one_step(profile.initial), profile.augmentation, setting_of(study, 0),
        class_loss_weight=profile.class_loss_weight,
    )  # fmt: skip


def _evolving(study: Study, examples: Sequence[Example]) -> Callable[[], object]:
    profile = study.profile
    config = evolution_config(profile, "coco", FULL)
    config = replace(config, train=_one_step(config.train))
    network = _network(profile).with_unknown_class(generator=torch_generator("timing"))
    pool = Pool(tuple(examples))
    return lambda: align(network, pool, examples, config, setting_of(study, 0))


def _refining(study: Study, examples: Sequence[Example]) -> Callable[[], object]:
    profile = study.profile
    network = RefinableIOG(_network(profile), profile.clicks)
    config = _one_step(refiner_training(study))
    return lambda: learn_refinement(
        network, examples, config, profile.augmentation, setting_of(study, 0)
    )


def _peer(study: Study, name: str, examples: Sequence[Example]) -> Callable[[], object]:
    peer = peer_of(study.profile, name)
    network = peer.build(torch_generator("timing", name))
    shared = replace(setting_of(study, 0), crop=peer.crop)
    return lambda: learn_clicks(
        network, examples, _one_step(peer.train), study.profile.augmentation, peer.clicking,
        peer.loss, shared,
    )  # fmt: skip


def _network(profile: Profile) -> OpenSceneNet:
    return OpenSceneNet(profile.network, generator=torch_generator("timing"))


def _one_step(config: TrainConfig) -> TrainConfig:
    return replace(config, epochs=1, batch_size=N_CROPS, workers=0)
