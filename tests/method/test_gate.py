"""Known or unknown: the unknown channel names nobody, and the threshold balances both errors."""

import copy
from dataclasses import replace

import pytest
import torch

from openscenes.data.examples import NO_CLASS, from_clicks
from openscenes.errors import InputError
from openscenes.method import gate
from openscenes.method.gate import balanced, calibrated, known_classes, winners, without
from openscenes.method.pseudo import kept_winners, pseudo_examples

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


def test_a_class_below_the_threshold_is_unknown():
    probability = torch.tensor([[0.1, 0.6, 0.3], [0.1, 0.5, 0.4], [0.2, 0.49, 0.31]])
    assert known_classes(probability, 0.5).tolist() == [1, 1, NO_CLASS]
    assert known_classes(probability, 0.0).tolist() == [1, 1, 1]


def test_background_is_no_class():
    assert known_classes(torch.tensor([[0.9, 0.1]]), 0.5).tolist() == [NO_CLASS]


def test_a_winning_unknown_channel_is_no_class():
    probability = torch.tensor([[0.05, 0.16, 0.79], [0.05, 0.79, 0.16]])
    assert known_classes(probability, 0.5, unknown_class=True).tolist() == [NO_CLASS, 1]
    assert known_classes(probability, 0.0, unknown_class=True).tolist() == [NO_CLASS, 1]
    assert known_classes(probability, 0.5).tolist() == [2, 1]
    channel, best = winners(probability, unknown_class=True)
    assert channel.tolist() == [NO_CLASS, 1] and best.tolist() == pytest.approx([0.0, 0.79])


def test_a_softmax_without_a_class_is_that_of_the_other_logits():
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([1, 4, 2, 1])
    rest = without(logits.softmax(1), classes)
    for row, left_out in enumerate(classes.tolist()):
        others = [channel for channel in range(5) if channel != left_out]
        assert torch.allclose(rest[row, others], logits[row, others].softmax(0), atol=1e-6)
        assert rest[row, left_out] == 0


def test_the_threshold_errs_as_often_on_both():
    seen = torch.tensor([0.2, 0.6, 0.7, 0.8, 0.9])
    unseen = torch.tensor([0.1, 0.3, 0.4, 0.5, 0.65])
    assert balanced(seen, unseen) == pytest.approx(0.55)  # 1 of 5 and 1 of 5
    apart = balanced(torch.tensor([0.9, 0.95]), torch.tensor([0.2, 0.5]))
    assert apart == pytest.approx(0.7)
    draw = torch.Generator().manual_seed(1)
    seen, unseen = torch.rand(999, generator=draw).sqrt(), torch.rand(999, generator=draw).square()
    threshold = balanced(seen, unseen)
    missed, taken = (seen < threshold).float().mean(), (unseen >= threshold).float().mean()
    assert abs(missed - taken) < 0.003
    assert threshold == pytest.approx(balanced(seen, unseen))


def test_calibration_sees_each_object_with_and_without_its_class(
    tiny, initial, old_root, monkeypatch
):
    network, labelled, asked = initial.network, tiny.labelled(old_root), []
    monkeypatch.setattr(gate, "balanced", lambda *both: asked.append(both) or 0.25)
    assert calibrated(network, labelled, tiny.context()) == 0.25
    ((right, other),) = asked
    n_wrong = len(labelled) - len(right)
    assert 0 < len(right) and len(other) == len(labelled) + n_wrong  # a wrong name is no class seen
    assert (right > 0).all()


def test_without_two_classes_the_threshold_is_the_constant(tiny, initial, old_root):
    context = tiny.context(unknown_below=0.3)
    one = [example for example in tiny.labelled(old_root) if example.class_index == 7]
    blind = [replace(example, supervision=None) for example in tiny.labelled(old_root)]
    for labelled in ((), one, blind):
        assert calibrated(initial.network, labelled, context) == 0.3


def test_pseudo_masks_keep_the_threshold_and_the_winners(
    tiny, initial, old_root, new_root, tmp_path
):
    network = copy.deepcopy(initial.network)
    scene = [from_clicks(one) for one in tiny.clicked(new_root)]
    labelled, context = tiny.labelled(old_root), tiny.context()
    for how in ("calibrated", "constant"):
        file = tmp_path / f"{how}.json"
        made = pseudo_examples(
            network, scene, context, None, file=file, labelled=labelled, gate=how
        )
        threshold, found = kept_winners(file)
        assert threshold == (calibrated(network, labelled, context) if how[1] == "a" else 0.5)
        named = [channel if best >= threshold else NO_CLASS for channel, best in found]
        assert [example.class_index for example in made] == named


def test_classes_that_are_to_be_given_need_a_file(tiny, initial, new_root, tmp_path):
    scene = [from_clicks(one) for one in tiny.clicked(new_root)]
    with pytest.raises(InputError, match='the gate is "given", but there is no whole file'):
        pseudo_examples(
            initial.network, scene, tiny.context(), None, file=tmp_path / "no.json", gate="given"
        )
