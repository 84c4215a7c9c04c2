"""Simulated corrections: where clicks are put, how many, and that training with them repeats."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from openscenes import masks
from openscenes.data import samples
from openscenes.data.crops import Augmentation
from openscenes.data.interactions import next_click
from openscenes.data.loading import CropSet
from openscenes.errors import InputError
from openscenes.method.answers import Answers
from openscenes.method.corrections import CorrectionConfig, Simulation, answers, error_click
from openscenes.method.evolution import EvolutionConfig, Pool, align, initialise
from openscenes.networks import checkpoints
from openscenes.networks.enlargement import enlarge

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))
NOTHING = np.zeros((9, 9), bool)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return tiny.labelled(tiny.write_voc(tmp_path_factory.mktemp("corrections")))


@pytest.fixture(scope="module")
def batch(examples):
    context = tiny.context()
    cuts = CropSet(context.crop, (None,), context.cache, 0)
    return samples.collate([cuts[0, (example,)][0] for example in examples[:4]])


def rng():
    return np.random.default_rng(0)


def square(row, col, side):
    made = NOTHING.copy()
    made[row : row + side, col : col + side] = True
    return made


def test_the_deeper_error_is_clicked_in_its_middle():
    truth, shown = square(0, 0, 5), square(6, 6, 3)
    assert error_click(shown, truth, NOTHING, 1.0, rng()) == (2, 2, 1)
    assert error_click(truth, square(6, 6, 3), NOTHING, 1.0, rng()) == (2, 2, -1)
    assert error_click(shown, truth, square(0, 0, 5), 1.0, rng()) == (7, 7, -1)
    assert error_click(truth, truth, NOTHING, 1.0, rng()) is None
    assert error_click(shown, truth, NOTHING | True, 1.0, rng()) is None


def test_a_click_lies_anywhere_as_deep_as_half_the_deepest():
    drawn = {error_click(NOTHING, square(1, 1, 7), NOTHING, 0.5, r) for r in [rng()] * 400}
    assert drawn == {(row, col, 1) for row in range(2, 7) for col in range(2, 7)}


def simulated(network, batch, config):
    """The clicks, the first answers and the simulation's last mask."""
    told = batch.told(tiny.CLICKS)
    simulation = Simulation(
        network, told, batch.masks, batch.void, batch.draws, tiny.CLICKS, config
    )
    network.eval()
    with torch.no_grad():
        stages = network.encode(batch.inputs(tiny.CLICKS))
        first = network.first(stages)
        made, previous = simulation.clicks_on(network.see(stages, first.fine_features), first)
    return made.clicks[:, 5:], first, previous


def test_clicks_lie_on_errors_of_the_answers_before_them(batch):
    network = tiny.network()
    clicks, first, previous = simulated(network, batch, CorrectionConfig(stop=1.0))
    assert clicks.shape == (4, 1, 3) and torch.equal(previous, first.fine.sigmoid())
    wrong = (enlarge(first.fine, (32, 32)) > 0) != batch.masks
    for row, (place,) in enumerate(clicks.long()):
        assert wrong[row, 0, place[0], place[1]]
        assert batch.masks[row, 0, place[0], place[1]] == (place[2] > 0)


def test_an_objects_clicks_depend_on_its_draw_alone(batch):
    network, config = tiny.network(), CorrectionConfig(most_clicks=4, stop=0.2)
    together, _, _ = simulated(network, batch, config)
    alone, _, _ = simulated(network, batch.part(2, 4), config)
    rows = alone.shape[1]
    assert torch.equal(together[2:, :rows], alone) and not together[2:, rows:].any()
    given = (together[..., 2] != 0).sum(dim=1)
    assert 1 <= given.min() and given.max() <= 4


def test_a_batch_has_a_loss_per_object_and_void_counts_nowhere(batch):
    network, config = tiny.network().eval(), CorrectionConfig(stop=1.0, weight=2.0)
    output, losses = answers(network, network, (batch,), config, tiny.CLICKS)
    logits = enlarge(output.corrected, (32, 32))
    pixels = torch.nn.functional.softplus(torch.where(batch.masks, -logits, logits))
    expected = 2.0 * (pixels * ~batch.void).sum(dim=(1, 2, 3))
    torch.testing.assert_close(losses["corrected"], expected, rtol=1e-4, atol=1e-2)
    unknown = replace(batch, void=torch.ones_like(batch.void))
    _, nothing = answers(network, network, (unknown,), config, tiny.CLICKS)
    assert not nothing["corrected"].any()
    assert answers(network, network, (batch,), None, tiny.CLICKS)[1] == {}


def test_training_has_the_same_bits_whether_or_not_it_was_killed(examples, tmp_path, monkeypatch):
    def run(folder=None, seed=0):
        network = tiny.network()
        step = initialise(
            network, examples, tiny.TRAIN, tiny.AUGMENTATION, tiny.context(seed), folder=folder
        )
        return network, step.history

    undisturbed, history = run()
    assert [set(row) for row in history] == [{"epoch", "ce", "class", "corrected"}] * 2
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0.0)
    monkeypatch.setattr(checkpoints, "WRITING_SHARE", float("inf"))
    real, done = Simulation.clicks_on, []

    def stopping(self, *arguments):
        done.append(0)
        if len(done) == 3:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(Simulation, "clicks_on", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    resumed, again = run(tmp_path)
    assert tiny.equal_weights(resumed, undisturbed) and again == history


def test_pseudo_masks_teach_corrections_too(examples):
    network = tiny.network()
    before = {name: value.clone() for name, value in network.corrector.state_dict().items()}
    config = EvolutionConfig(train=replace(tiny.TRAIN, epochs=1))
    history = align(network, Pool(tuple(examples)), examples, config, tiny.context())
    assert history[0]["corrected"] > 0
    after = network.corrector.state_dict()
    assert not any(torch.equal(after[name], value) for name, value in before.items())


def test_without_corrections_the_corrector_stays(examples):
    network = tiny.network()
    before = {name: value.clone() for name, value in network.corrector.state_dict().items()}
    train = replace(tiny.TRAIN, epochs=1)
    initialise(network, examples, train, tiny.AUGMENTATION, tiny.context(), corrections=None)
    after = network.corrector.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_corrections_of_a_resting_network_are_learned(tmp_path):
    """It knows bright blobs; the object is a dark one."""
    bright = tiny.labelled(tiny.write_voc(tmp_path / "bright"))
    dark = tiny.labelled(tiny.write_voc(tmp_path / "dark", seed=1, darkness=0.3))[0]
    network, context = tiny.network(), tiny.context()
    initialise(network, bright, replace(tiny.TRAIN, epochs=4), tiny.AUGMENTATION, context)
    before = corrected(network, dark, context)
    still = Augmentation(rotation_deg=0.0, zoom_min=1.0, zoom_max=1.0)
    train = replace(tiny.TRAIN, epochs=40, learning_rate=1e-2, heads_only=True)
    copies = [replace(dark, object_id=f"{dark.object_id} {n}") for n in range(4)]
    initialise(network, copies, train, still, context)
    after = corrected(network, dark, context)
    print(f"IoU after 0 to 3 clicks: {before} -> {after}")
    assert after[0] == before[0] < after[1] and after[-1] > 0.9


def unforced(network, sample, context):
    return Answers(network.eval(), [sample], context, obeyed=False)


def corrected(network, example, context):
    """IoU of the first answer, and after each of three clicks on its errors."""
    sample = samples.cut(example, context.crop, context.cache)
    asked, clicks, found = unforced(network, sample, context), np.zeros((0, 3)), []
    truth, void = context.cache.supervision(example)
    for _ in range(4):
        (one,) = asked.to([clicks.astype(np.float32)])
        mask = one.whole() > 0.5
        found.append(round(masks.iou(mask, truth, void), 4))
        if (click := next_click(mask, truth, void)) is not None:
            clicks = np.concatenate((clicks, [click]))
    return found


def test_mean_clicks_by_hand():
    assert CorrectionConfig(stop=1.0).mean_clicks == 1.0
    assert CorrectionConfig(most_clicks=2, stop=0.5).mean_clicks == 1.5


def test_settings_that_no_run_can_mean():
    with pytest.raises(InputError, match="most_clicks"):
        CorrectionConfig(most_clicks=0)
    with pytest.raises(InputError, match="stop"):
        CorrectionConfig(stop=0.0)
