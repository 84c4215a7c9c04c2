"""A profile holds every number of a study and says why it is not the paper's."""

from dataclasses import fields, is_dataclass, replace

import pytest

from openscenes.errors import InputError
from openscenes.prediction import model_files
from openscenes.settings import sources
from openscenes.study.options import profile_named, with_literal_clicks
from openscenes.study.profiles import DEMO, PAPER, PROFILES, STUDY, differences


def test_the_paper_is_the_default_of_every_configuration():
    assert PAPER.ipt == type(PAPER.ipt)()
    assert PAPER.alignment == type(PAPER.alignment)()
    assert (PAPER.ipt.alpha, PAPER.ipt.beta, PAPER.ipt.m, PAPER.ipt.n) == (0.3, 0.7, 0.70, 0.75)
    assert (PAPER.cityscapes.train.epochs, PAPER.coco.train.epochs) == (20, 10)
    assert (PAPER.cityscapes.train.learning_rate, PAPER.initial.batch_size) == (1e-9, 16)
    assert (PAPER.crop.size, PAPER.network.backbone, PAPER.network.n_classes) == (
        512, "resnet101", 21,
    )  # fmt: skip
    assert differences(PAPER) == {}


@pytest.mark.parametrize("name", [name for name in PROFILES if name != "paper"])
def test_every_departure_has_a_reason(name):
    profile = profile_named(name)
    assert differences(profile)
    assert all(profile.reason(item) for item in differences(profile))


def test_an_unexplained_departure_is_refused():
    with pytest.raises(InputError, match=r"without a reason in clicks\.corner_offset_px"):
        replace(DEMO, clicks=replace(DEMO.clicks, corner_offset_px=7.0))


@pytest.mark.parametrize("n_clicks", [2, 21])
def test_table_1_needs_three_clicks_and_counts_no_more_than_twenty(n_clicks):
    with pytest.raises(InputError, match="give a number from 3 to 20"):
        replace(PAPER, n_clicks=n_clicks)


def test_crop_and_network_must_agree():
    with pytest.raises(InputError, match="make them equal"):
        replace(DEMO, crop=replace(DEMO.crop, size=96))


def test_an_unknown_profile_names_those_that_exist():
    with pytest.raises(InputError, match="choose one of demo, study, paper"):
        profile_named("fast")


@pytest.mark.parametrize("name", [1, None, True, ["demo"], "Demo", "", "demo\n"], ids=repr)
def test_a_name_that_is_none_is_said_in_one_line(name):
    with pytest.raises(InputError, match="^there is no profile .*; choose one of demo") as said:
        profile_named(name)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("seeds", [0, -3, "3", 2.5, True, None, 101, 10**30], ids=repr)
def test_seeds_are_counted(seeds):
    with pytest.raises(InputError, match="^seeds is .*; give a whole number from 1 to 100"):
        profile_named("smoke", seeds)
    assert profile_named("smoke", 100) is profile_named("smoke")


@pytest.mark.parametrize("profile", [DEMO, STUDY, PAPER], ids=lambda profile: profile.name)
def test_every_number_of_every_configuration_names_its_source(profile):
    for item in fields(profile):
        value = getattr(profile, item.name)
        if not is_dataclass(value) or item.name in ("synthetic", "cityscapes", "coco", "network"):
            continue
        assert set(sources(value)) == {field.name for field in fields(value)}, item.name


@pytest.mark.parametrize("profile", [DEMO, STUDY, PAPER], ids=lambda profile: profile.name)
def test_the_grid_of_the_feature_stays_near_the_papers(profile):
    cells = profile.network.crop_size / profile.network.output_stride
    assert 24 <= cells <= 32


def test_a_frozen_stem_that_never_sees_a_click_is_refused() -> None:
    frozen = replace(STUDY.initial, freeze_first_stages=True)
    with pytest.raises(InputError, match="never sees a click; set initial.freeze_first_stages"):
        replace(STUDY, initial=frozen)


@pytest.mark.parametrize("name", ["demo", "study"])
def test_the_papers_clicks_are_an_option_of_every_profile(name):
    profile = profile_named(name)
    literal = with_literal_clicks(profile)
    assert literal.clicks == PAPER.clicks
    assert literal.clicks.heat_map_width_px == 10
    assert literal.augmentation == PAPER.augmentation
    assert not f"{literal.name} seed".startswith(
        model_files.DEMO
    )  # `predict` never takes such a model
    own = {name: getattr(profile, name) for name in ("clicks", "augmentation", "name", "base")}
    assert replace(literal, **own) == profile
