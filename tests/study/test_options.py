"""Options of a profile, spelled behind its name."""

from dataclasses import replace

import pytest

from openscenes.errors import InputError
from openscenes.study.asked import spelled, without_ablations
from openscenes.study.options import OPTIONS, profile_named
from openscenes.study.profiles import DEMO, PAPER


def test_no_option_is_the_profile_itself():
    assert spelled("demo", dict.fromkeys(OPTIONS, "")) == "demo"
    assert profile_named("demo") is DEMO


def test_a_spelling_says_all_that_was_asked_for():
    asked = {
        "precision": "tf32", "deterministic": True, "micro_batch": 8, "devices_per_model": 2,
        "initial": "../my weights/iog&1.pth",
    }  # fmt: skip
    profile = profile_named(spelled("paper", asked))
    assert profile.kind == "paper"
    assert profile.name == "paper-tf32-deterministic-micro-batch-8-2-devices-from-iog&1"
    for train in (profile.initial, profile.cityscapes.train, profile.coco.train):
        assert (train.precision, train.deterministic, train.micro_batch) == ("tf32", True, 8)
    assert profile.devices_per_model == 2
    assert profile.initial_weights == asked["initial"]
    assert profile_named(profile.spelling) == profile
    assert PAPER.initial.precision == "32-true"


def test_ablations_are_more_rows_of_the_same_models():
    more = profile_named("demo?ablations=1")
    assert more.ablations and not DEMO.ablations
    assert (more.name, more.kind) == (DEMO.name, DEMO.name)


def test_what_shows_no_ablation_is_asked_without():
    assert without_ablations("demo?ablations=1") == without_ablations("demo") == "demo"
    both = spelled("demo", {"micro_batch": 8, "ablations": 1, "initial": "../my weights/iog&1.pth"})
    assert profile_named(without_ablations(both)) == replace(
        profile_named(both), ablations=False, spelling=without_ablations(both)
    )


def test_a_departure_has_a_reason():
    profile = profile_named("demo?micro_batch=8")
    assert profile.reason("coco.train.micro_batch")


@pytest.mark.parametrize(
    ("spelling", "said"),
    [
        ("demo?", "demo"),
        ("demo?precision", "write them as in"),
        ("demo?precision=fp16", 'precision is "fp16"; choose one of auto, 32-true'),
        ("demo?deterministic=yes", "give 1"),
        ("demo?micro_batch=1", "from 2 to"),
        ("demo?micro_batch=-3", "whole number"),
        ("demo?devices_per_model=65", "from 1 to 64"),
        ("demo?devices_per_model=9", "has 8 crops, and each device needs one; give at most 8"),
        ("demo?colour=red", 'no option "colour"'),
    ],
    ids=lambda word: word.split()[0],
)
def test_what_is_no_option_is_one_sentence(spelling, said):
    if spelling == "demo?":
        assert profile_named(spelling) is DEMO
        return
    with pytest.raises(InputError, match="^[^\n]+$") as told:
        profile_named(spelling)
    assert said in str(told.value)
