"""Peers in the one loop: same bits, resumed bits, and where clicks are put."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from openscenes.data import samples
from openscenes.data.crops import CropConfig
from openscenes.errors import InputError
from openscenes.networks import checkpoints
from openscenes.networks.devices import make_fabric
from openscenes.peers import training
from openscenes.peers.click_sampling import IFCN_SAMPLING
from openscenes.peers.losses import balanced_cross_entropy, bootstrapped_cross_entropy
from openscenes.peers.networks.dextr import DEXTR, DEXTRConfig
from openscenes.peers.networks.itis import ITIS, ITISConfig
from openscenes.peers.training import ClickSimulation, learn_clicks
from openscenes.seeding import torch_generator
from openscenes.settings import sources

EXTREMES = ClickSimulation(kind="extremes")
FREE = ClickSimulation(sampling=IFCN_SAMPLING)
ITERATIVE = replace(FREE, iterative=True)
SMALL_ITIS = ITISConfig(
    backbone="small_resnet", aspp_width=8, skip_width=8, decoder_width=8, normalise=True
)
SMALL_DEXTR = DEXTRConfig(
    blocks=(1, 1, 1, 1), widths=(8, 16, 16, 16), stem_width=8, stem_kernel=3, stem_pool=False,
    psp_width=8, normalise=True, freeze_norms=False,
)  # fmt: skip
SYSTEMS = {
    "extremes": (EXTREMES, balanced_cross_entropy),
    "free": (FREE, bootstrapped_cross_entropy),
    "iterative": (ITERATIVE, bootstrapped_cross_entropy),
}


class Stop(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(scope="module")
def examples(tiny, old_root):
    return tiny.labelled(old_root)[:6]


@pytest.fixture
def learned(tiny, examples):
    """A peer and its history after two epochs of two steps."""

    def run(name, *, seed=0, folder=None, loss=None, epochs=2, chosen=examples):
        simulation, own = SYSTEMS[name]
        generator = torch_generator("weights")
        network = DEXTR(SMALL_DEXTR, generator=generator)
        if simulation.kind == "free":
            network = ITIS(SMALL_ITIS, generator=generator)
        history = learn_clicks(
            network, chosen, replace(tiny.TRAIN, epochs=epochs), tiny.AUGMENTATION, simulation,
            loss or own, tiny.context(seed), folder=folder,
        )  # fmt: skip
        return network, history

    return run


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_same_seed_gives_the_same_bits_and_another_does_not(tiny, learned, name):
    (one, history), (two, same), (other, _) = learned(name), learned(name), learned(name, seed=1)
    assert tiny.equal_weights(one, two)
    assert history == same
    assert not tiny.equal_weights(one, other)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_that_was_killed_ends_with_the_same_bits(tiny, learned, name, tmp_path, monkeypatch):
    undisturbed, history = learned(name)
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0.0)
    monkeypatch.setattr(checkpoints, "WRITING_SHARE", float("inf"))
    real, done = SYSTEMS[name][1], []

    def stopping(*arguments):
        done.append(0)
        if len(done) == 4:
            raise Stop
        return real(*arguments)

    with pytest.raises(Stop):
        learned(name, folder=tmp_path, loss=stopping)
    assert (tmp_path / "resume.safetensors").exists()
    resumed, again = learned(name, folder=tmp_path, loss=stopping)
    assert len(done) == 4 + 1  # of four steps, the first three were kept
    assert tiny.equal_weights(resumed, undisturbed)
    assert again == history
    assert list(tmp_path.iterdir()) == []


def test_nothing_global_is_drawn_from(learned):
    before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    learned("iterative")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def seen_by_loss(learned, name, **how):
    seen = []

    def looking(output, masks, void, clicks):
        seen.append((clicks.clone(), masks.clone()))
        return SYSTEMS[name][1](output, masks, void, clicks)

    learned(name, loss=looking, **how)
    return seen


def test_extremes_are_four_clicks_on_the_object_in_every_step(learned):
    for clicks, masks in seen_by_loss(learned, "extremes"):
        assert clicks.shape[1:] == (4, 3)
        rows, cols = clicks[..., 0].long(), clicks[..., 1].long()
        objects = torch.arange(len(masks))[:, None]
        there = masks[objects, 0, rows, cols]
        assert bool(there[clicks[..., 2] > 0].all())
        assert bool((clicks[..., 2] == 1).any())


def test_without_iteration_every_epoch_draws_clicks_anew(learned):
    seen = seen_by_loss(learned, "free")
    assert {tuple(clicks.shape[1:]) for clicks, _ in seen} == {(24, 3)}
    assert not torch.equal(seen[0][0], seen[2][0])


def asked(learned, monkeypatch, epochs):
    """How often the network was asked for its answer in each epoch's steps."""
    real, calls = training._predicted, []

    def counting(peer, batch, clicks, previous, fabric):
        calls.append((clicks.clone(), previous.clone()))
        return real(peer, batch, clicks, previous, fabric)

    monkeypatch.setattr(training, "_predicted", counting)
    learned("iterative", epochs=epochs)
    return calls


def test_itis_clicks_on_errors_from_the_second_epoch_on(learned, monkeypatch):
    assert asked(learned, monkeypatch, 1) == []
    calls = asked(learned, monkeypatch, 2)
    assert 1 <= len(calls) <= 2 * ITERATIVE.most_errors
    first_clicks, first_answer = calls[0]
    assert not first_answer.any()  # before the first question there is no mask to show
    counts = (first_clicks[..., 2] != 0).sum(dim=1)
    assert bool((counts >= 1).all())


@pytest.fixture
def cuts(tiny, examples):
    cache = tiny.context().cache
    return [
        replace(samples.cut(example, tiny.CROP, cache), draw=draw)
        for draw, example in enumerate(examples[:4])
    ]


@pytest.fixture
def batch(cuts):
    return samples.collate(cuts)


def drawn(cuts, simulation, epoch=1):
    """The objects with what is simulated of their clicks beside the network."""
    return samples.collate([training._simulated(simulation, sample, epoch) for sample in cuts])


def errors_of(batch, answer, monkeypatch):
    """What ``_on_errors`` makes of four objects when the network always gives one answer."""
    monkeypatch.setattr(training, "_predicted", lambda *_: answer)
    return training._on_errors(None, batch, make_fabric("cpu"))


def test_what_is_simulated_depends_on_the_object_alone(cuts):
    for simulation in (EXTREMES, FREE, ITERATIVE):
        both = drawn(cuts, simulation)
        for number, sample in enumerate(cuts):
            alone = drawn([sample], simulation)
            assert torch.equal(alone.clicks[0], both.clicks[number])
            assert alone.rounds == both.rounds[number : number + 1]


def test_a_restart_keeps_the_first_click_alone(cuts):
    whole = drawn(cuts, FREE).clicks
    assert torch.equal(drawn(cuts, ITERATIVE, epoch=0).clicks, whole)
    assert torch.equal(drawn(cuts, replace(ITERATIVE, restart=0.0)).clicks, whole)
    restarted = drawn(cuts, replace(ITERATIVE, restart=1.0)).clicks
    assert torch.equal(restarted[:, 0], whole[:, 0])
    assert not restarted[:, 1:].any() and whole[:, 1:].any()


def test_rounds_are_drawn_from_the_second_epoch_on(cuts):
    assert drawn(cuts, ITERATIVE, epoch=0).rounds == drawn(cuts, FREE).rounds == (0,) * 4
    rounds = (
        drawn(cuts * 8, ITERATIVE).rounds
        + drawn([replace(sample, draw=sample.draw + 9) for sample in cuts], ITERATIVE).rounds
    )
    assert set(rounds) <= set(range(ITERATIVE.most_errors + 1)) and len(set(rounds)) > 1


def test_nobody_is_asked_where_no_round_is_drawn(cuts, batch, monkeypatch):
    given = drawn(cuts, replace(ITERATIVE, most_errors=0))
    clicks, answer = errors_of(given, batch.masks, monkeypatch)
    assert torch.equal(clicks, given.clicks) and not answer.any()


def test_a_click_goes_where_the_answer_errs(cuts, batch, monkeypatch):
    given = replace(drawn(cuts, replace(ITERATIVE, restart=1.0)), rounds=(0, 1, 2, 3))
    clicks, _ = errors_of(given, torch.zeros_like(batch.masks), monkeypatch)
    assert ((clicks[..., 2] != 0).sum(dim=1) - 1).tolist() == [0, 1, 2, 3]
    assert bool((clicks[:, 1:, 2] >= 0).all())  # an empty answer misses, it never exceeds
    for row, object_clicks in enumerate(clicks):
        for place in object_clicks[1:][object_clicks[1:, 2] > 0]:
            assert batch.masks[row, 0, int(place[0]), int(place[1])]


def test_a_right_answer_needs_no_further_click(cuts, batch, monkeypatch):
    given = replace(drawn(cuts, replace(ITERATIVE, restart=1.0)), rounds=(0, 1, 0, 3))
    clicks, answer = errors_of(given, batch.masks | batch.void, monkeypatch)
    assert (clicks[..., 2] != 0).sum(dim=1).tolist() == [1] * 4
    # who was not asked again keeps an empty answer
    assert [answer[row].any().item() for row in range(4)] == [False, True, False, True]


def test_asking_leaves_the_network_in_training(tiny, batch):
    network = ITIS(SMALL_ITIS, generator=torch_generator("weights")).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    clicks, nothing = torch.zeros(4, 24, 3), torch.zeros_like(batch.masks)
    training._predicted(network, batch, clicks, nothing, make_fabric("cpu"))
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name  # BatchNorm has not counted it


def test_only_the_box_and_point_network_has_stages_to_freeze(tiny, examples):
    network = ITIS(SMALL_ITIS, generator=torch_generator("weights"))
    config = replace(tiny.TRAIN, freeze_first_stages=True)
    with pytest.raises(InputError, match="leave freeze_first_stages and heads_only off"):
        learn_clicks(
            network, examples, config, tiny.AUGMENTATION, FREE, bootstrapped_cross_entropy,
            tiny.context(),
        )  # fmt: skip


def test_free_clicks_see_the_whole_image(tiny, examples):
    """With a crop of the image, every object of an image has the same crop."""
    cache, crop = tiny.context().cache, CropConfig(32, margin_px=0.0, region="image")
    one, two = (samples.cut(example, crop, cache) for example in examples[:2])
    assert examples[0].image == examples[1].image
    assert np.array_equal(one.image, two.image)
    assert not np.array_equal(one.mask, two.mask)


def test_every_setting_of_a_click_simulation_has_a_source_but_its_sampling():
    assert set(ClickSimulation.__dataclass_fields__) - set(sources(ClickSimulation)) == {"sampling"}
