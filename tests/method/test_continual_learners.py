"""Two continual learners on masks: their losses by hand, and that they keep what was learned."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from openscenes.errors import InputError
from openscenes.method.beyond.continual_learners import (
    elastic_weights,
    fisher,
    learn,
    without_forgetting,
)

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


def test_elastic_weights_by_hand() -> None:
    network = torch.nn.Linear(2, 1)
    extra = elastic_weights(network, {"weight": torch.tensor([[3.0, 0.0]])}, weight=2.0)
    inputs = torch.zeros(4, 5, 10, 10)
    assert extra(None, inputs).tolist() == [0.0] * 4
    with torch.no_grad():
        network.weight += 0.5
        network.bias += 9.0  # on which no object hangs
    assert extra(None, inputs).tolist() == pytest.approx([100 * 3.0 * 0.25] * 4)


def test_answers_as_before_cost_least(tiny, initial) -> None:
    network, inputs = initial.network.eval(), 255 * torch.rand(2, 5, 32, 32)
    extra = without_forgetting(network, 2.0, tiny.context())
    with torch.no_grad():
        fine = network(inputs).fine
        same, other = (extra(SimpleNamespace(fine=one), inputs) for one in (fine, fine + 1))
    p = torch.sigmoid(fine)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log()).mean(dim=(1, 2, 3))
    assert torch.allclose(same, 2 * 32 * 32 * entropy, rtol=1e-3)
    assert (other > same).all()


def test_the_fisher_information_is_a_mean_of_squares(tiny, initial, old_root) -> None:
    network, objects = copy.deepcopy(initial.network), tiny.labelled(old_root)[:2]
    one, other = (fisher(network, [each], tiny.context()) for each in objects)
    both = fisher(network, objects, tiny.context())
    assert both and all(value.min() >= 0 for value in both.values())
    for name, value in both.items():
        assert torch.allclose(value, (one[name] + other[name]) / 2, rtol=1e-3, atol=1e-12)
    with pytest.raises(InputError, match="got none"):
        fisher(network, [], tiny.context())


def test_elastic_weights_stay_nearer(tiny, initial, old_root, new_root) -> None:
    config, moved = replace(tiny.TRAIN, epochs=1), []
    for weight in (0.0, 1e4):
        network, context = copy.deepcopy(initial.network), tiny.context()
        importance = fisher(network, tiny.labelled(old_root), context)
        extra = elastic_weights(network, importance, weight)
        history = learn(network, tiny.labelled(new_root), config, tiny.AUGMENTATION, context, extra)
        assert set(history[0]) == {"epoch", "ce", "extra"}
        pairs = zip(network.named_parameters(), initial.network.parameters(), strict=True)
        moved.append(sum(float((importance[n] * (a - b).detach() ** 2).sum())
                         for (n, a), b in pairs if n in importance))  # fmt: skip
    assert moved[1] < 0.8 * moved[0]
