"""Which models a lesson finds, which it announces and trains."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from openscenes.errors import InputError
from openscenes.study.options import profile_named, with_literal_clicks
from openscenes.study.pages import PAGE_RUN
from openscenes.study.plan import costs
from openscenes.study.plan import on_demand as module
from openscenes.study.plan.costs import Machine
from openscenes.study.plan.on_demand import (
    announcement,
    lesson_study,
    literal_study,
    n_objects_evenly,
    trained,
)
from openscenes.study.profiles import PAPER
from openscenes.study.runs import recipes
from openscenes.study.runs.runs import find
from openscenes.study.runs.shapes import NETWORKS

INITIAL = recipes.initial("voc", 0)
EVOLVED = recipes.evolved(INITIAL, "cityscapes", recipes.FULL)


@pytest.fixture
def shelf(monkeypatch):
    """Stand-ins for training: a model is there once it was trained."""
    made = []

    def find(study, recipe):
        facts = {"wall_s": 3.2}
        return SimpleNamespace(is_trained=recipe in made, label=recipe.words(), facts=lambda: facts)

    def train(study, recipe):
        made.append(recipe)
        return find(study, recipe)

    monkeypatch.setattr(module, "find", find)
    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "source", lambda *_: SimpleNamespace(examples=range(30)))
    monkeypatch.setattr(module, "new_scene", lambda *_: SimpleNamespace(clicked=range(50)))
    monkeypatch.setattr(module, "here", lambda _: MACHINE)
    return made


UNITS = ("cut", "mask", "ipt", "load", "model")
MACHINE = Machine(dict.fromkeys(UNITS, 0.0) | {f"train {n}": 0.03 for n in NETWORKS}
                  | {f"forward {n}": 0.01 for n in NETWORKS})  # fmt: skip
STUDY = SimpleNamespace(profile=profile_named("demo"))


def test_a_missing_model_is_announced_and_trained_after_its_parent(shelf, capsys):
    (found,) = trained(STUDY, [EVOLVED])
    said = capsys.readouterr().out
    assert shelf == [INITIAL, EVOLVED]
    assert found.label == EVOLVED.words()
    assert said.index("2 models are not trained yet") < said.index("1 of 2")


def test_models_that_are_there_are_found_in_silence(shelf, capsys):
    trained(STUDY, [EVOLVED])
    capsys.readouterr()
    assert [m.label for m in trained(STUDY, [INITIAL, EVOLVED])] == [
        INITIAL.words(), EVOLVED.words(),
    ]  # fmt: skip
    assert (capsys.readouterr().out, len(shelf)) == ("", 2)


def test_the_announcement_counts_crops_times_seconds(shelf):
    crops = 30 * STUDY.profile.initial.epochs
    said = announcement(STUDY, [INITIAL])
    seconds = crops * 0.03
    expected = f"{round(seconds)} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    assert said.startswith("1 model is not trained yet: neither the cache nor the repository has")
    assert f"; training takes about {expected}, once" in said
    assert f"  {INITIAL.words()}, seed 0" in said


def test_the_announcement_knows_what_an_earlier_training_took(shelf, monkeypatch):
    known = replace(MACHINE, recorded={"initial voc": 41.0})
    monkeypatch.setattr(module, "here", lambda _: known)
    assert "training takes about 41 s, once" in announcement(STUDY, [INITIAL])


def test_an_announced_evolution_takes_its_pseudo_masks_too(shelf):
    n, epochs = 50, STUDY.profile.cityscapes.train.epochs
    seconds = round(2 * n * epochs * 0.03 + 2 * n * 0.01)  # masks, and classes of source objects
    assert f"training takes about {seconds} s" in announcement(STUDY, [EVOLVED])


def test_no_time_is_guessed_of_a_machine_that_is_not_there(shelf):
    said = announcement(SimpleNamespace(profile=PAPER), [INITIAL])
    assert said.startswith("1 model is not trained yet: neither the cache")
    assert "takes" not in said and said.endswith(f":\n  {INITIAL.words()}, seed 0")


def test_an_announcement_names_what_differs(shelf):
    literal = SimpleNamespace(profile=with_literal_clicks(STUDY.profile))
    assert (
        f"{INITIAL.words()}, seed 0, trained with the paper's clicks, to compare"
        in announcement(literal, [INITIAL])
    )
    assert "paper's clicks" not in announcement(STUDY, [INITIAL])


@pytest.mark.parametrize(("load", "busy"), [(0.4, False), (1.9, True)])
def test_an_estimate_says_where_the_machine_is_not_idle(load, busy, monkeypatch):
    monkeypatch.setattr(costs.os, "getloadavg", lambda: (load, 0, 0), raising=False)
    monkeypatch.setattr(costs, "cores", lambda: 2)
    assert costs.load_words() == (
        f" on an idle machine (programs now ask for {load} of 2 cores)" if busy else ""
    )


@pytest.mark.parametrize("page_run", [False, True])
def test_progress_of_a_live_notebook_is_not_red(page_run, monkeypatch):
    live = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    monkeypatch.setitem(sys.modules, "IPython", live)
    monkeypatch.setattr(sys, "stderr", before := sys.stderr)
    if page_run:
        monkeypatch.setenv(PAGE_RUN, "1")
    with pytest.raises(InputError):
        lesson_study("huge")
    assert sys.stderr is (before if page_run else sys.stdout)


def test_objects_are_taken_evenly_from_the_first_to_the_last():
    assert n_objects_evenly(range(10), 4) == [0, 3, 6, 9]
    assert n_objects_evenly("ab", 5) == ["a", "b"]
    assert n_objects_evenly(range(9), 1) == [0]


def test_a_lesson_with_an_unknown_profile_says_which_there_are():
    with pytest.raises(InputError, match="choose one of"):
        lesson_study("huge")


def test_the_papers_clicks_are_another_study_on_the_same_pictures():
    study = lesson_study("smoke", device="cpu")
    literal = literal_study(study)
    assert literal.profile.clicks == PAPER.clicks
    assert (literal.root, literal.cache, literal.fabric) == (study.root, study.cache, study.fabric)
    named = {find(one, INITIAL).digest for one in (study, literal)}
    assert len(named) == 2
