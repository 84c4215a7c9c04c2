"""True names of a scene's objects in the source's words, and what the gate makes of them."""

from openscenes.data.examples import NO_CLASS
from openscenes.study.experiments.table_5 import _by_epoch
from openscenes.study.profiles import SMOKE
from openscenes.study.runs.class_names import confusion, same_class, true_channels
from openscenes.study.runs.data import new_scene, open_study, source
from openscenes.study.runs.recipes import FULL, evolved, initial


def test_a_class_may_be_called_otherwise():
    assert same_class("motorbike", "motorcycle") and same_class("sofa", "couch")
    assert same_class("car", "car") and not same_class("car", "truck")


def test_the_gate_is_counted_by_hand():
    true = [3, 3, 3, 5, NO_CLASS, NO_CLASS, NO_CLASS]
    winners = [(3, 0.9), (3, 0.4), (5, 0.8), (NO_CLASS, 0.0), (3, 0.7), (5, 0.3), (3, 0.5)]
    assert confusion(true, winners, 0.5) == {
        "objects": 7, "class in the source": 4, "of these known": 2, "rightly named": 1,
        "unseen class, known": 2,
    }  # fmt: skip
    assert confusion(true, winners, 1.1)["of these known"] == 0


def test_true_channels_are_the_sources():
    study = open_study(SMOKE, None, "cpu")
    step, scene = evolved(initial("voc+sbd", 0), "coco", FULL), new_scene(study, "coco")
    labelled = source(study, "voc+sbd")
    learned = {example.class_index for example in labelled.examples}
    for channel, example in zip(true_channels(study, step, scene), scene.truth, strict=True):
        name = example.supervision.class_name
        if channel != NO_CLASS:
            assert same_class(labelled.index.classes[channel - 1], name)
            assert channel in learned
        else:
            assert not any(same_class(labelled.index.classes[c - 1], name) for c in learned)


def test_norms_of_many_epochs_are_shown_from_the_first_to_the_last():
    assert _by_epoch([2.0, 1.0, 0.51]) == "2 → 1 → 0.51"
    assert _by_epoch([float(n) for n in range(20)]) == "0 → 6 → 13 → 19"
    assert _by_epoch([0.123]) == "0.12" and _by_epoch([]) == ""
