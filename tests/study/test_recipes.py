"""Recipes are data: who descends from whom, what a variant changes, what two tables share."""

from dataclasses import replace
from itertools import pairwise

import pytest

from openscenes.method.evolution import EvolutionConfig
from openscenes.method.ipt import IPTConfig
from openscenes.study.experiments import table_2
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.profiles import DEMO, PAPER, PROFILES, SMOKE
from openscenes.study.runs import recipes
from openscenes.study.runs.recipes import (
    ABLATIONS,
    FULL,
    VARIANTS,
    Recipe,
    evolution_config,
    evolved,
    finetuned,
    in_order,
    in_parts,
    inference_config,
    initial,
    peer,
    profile_of,
)
from openscenes.study.scores.evaluation import recipes_of

FIRST = initial("voc+sbd", 0)
SECOND = evolved(FIRST, "cityscapes", "st")
THIRD = evolved(SECOND, "coco", FULL)


def everything(profile=DEMO, seeds=2):
    """The recipes of all experiments, each experiment's own list."""
    return {
        key: recipes_of(found.evaluations(profile, seeds)) for key, found in EXPERIMENTS.items()
    }


def test_a_life_begins_with_the_oldest():
    assert THIRD.lineage() == (FIRST, SECOND, THIRD)
    assert FIRST.lineage() == (FIRST,)
    assert (SECOND.scene, THIRD.scene) == ("cityscapes", "coco")


def test_order_puts_each_once_and_parents_first():
    assert in_order([THIRD, SECOND, THIRD, FIRST]) == (FIRST, SECOND, THIRD)
    other = evolved(initial("voc", 0), "coco", "st")
    assert in_order([other, THIRD]) == (other.parent, other, FIRST, SECOND, THIRD)


def test_a_seed_is_inherited():
    recipe = finetuned(evolved(initial("voc", 3), "coco", "st"), "cityscapes")
    assert [step.seed for step in recipe.lineage()] == [3, 3, 3]
    assert {step.seed for step in in_parts(initial("voc", 4), "coco", 3, "st")} == {4}


def test_parts_follow_each_other_and_none_is_left_out():
    steps = in_parts(FIRST, "cityscapes", 4, FULL)
    assert [step.part for step in steps] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert steps[0].parent is FIRST
    assert all(after.parent is before for before, after in pairwise(steps))


def test_a_peer_stays_a_peer():
    assert finetuned(finetuned(peer("DEXTR", 0), "cityscapes"), "coco").kind == "fine-tuned peer"
    assert finetuned(FIRST, "coco").kind == "fine-tuned"


def test_words_tell_the_whole_life():
    assert THIRD.words() == f"initial voc+sbd > cityscapes st > coco {FULL}"
    parts = in_parts(FIRST, "cityscapes", 4, "st")
    assert parts[1].words().endswith("cityscapes st part 1/4 > cityscapes st part 2/4")
    human = evolved(FIRST, "coco", "st", user="human")
    assert human.words() == "initial voc+sbd > coco st human"
    assert finetuned(peer("DEXTR", 0), "coco").words() == "peer DEXTR > coco ground truth"


def test_no_two_recipes_of_the_study_share_their_words():
    found = in_order(recipe for made in everything(PAPER).values() for recipe in made)
    names = [(recipe.words(), recipe.seed) for recipe in found]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_every_plan_trains_parents_before_children_and_nothing_twice(key):
    made = everything()[key]
    assert len(set(made)) == len(made)
    for position, recipe in enumerate(made):
        assert recipe.parent is None or recipe.parent in made[:position]
    assert {recipe.seed for recipe in made} == {0, 1}


def test_tables_of_the_demo_share_their_models():
    made = everything()
    total = sum(len(recipes) for recipes in made.values())
    assert len(in_order(recipe for some in made.values() for recipe in some)) < 0.8 * total
    assert FIRST in set.intersection(*(set(made[key]) for key in EXPERIMENTS if key != "7"))
    full = evolved(FIRST, "coco", FULL)
    assert all(full in made[key] for key in ("1", "4", "5", "6"))
    assert evolved(FIRST, "cityscapes", FULL) in set(made["2"]) & set(made["4"])
    assert set(made["figures"]) <= set(made["3"]) & set(made["4"])
    assert not set(made["3"]) - set(made["4"])
    more = recipes_of(EXPERIMENTS["3"].evaluations(replace(DEMO, ablations=True), 1))
    assert {step.variant for step in set(more) - set(made["4"])} == set(recipes.DOSES)
    # one initial set is enough for all tables but 6 and 7
    voc = {key for key, some in made.items() if initial("voc", 0) in some}
    assert voc == {"6", "7"}


def test_more_seeds_ask_for_more_of_the_same():
    for key, found in EXPERIMENTS.items():
        one, two = (recipes_of(found.evaluations(DEMO, seeds)) for seeds in (1, 2))
        assert len(two) == 2 * len(one), key


def test_a_sequence_of_ours_sees_no_ground_truth_of_a_new_scene():
    for name in ("Ours", table_2.ON_EVIDENCE):
        kinds = {step.kind for step in table_2.SEQUENCES[name][2].lineage()}
        assert kinds - {"re-estimated"} == {"initial", "evolved"}, name
    assert {step.kind for step in table_2.SEQUENCES["IOG"]} == {"initial", "fine-tuned"}
    assert {step.kind for step in table_2.SEQUENCES["DEXTR"]} == {"peer", "fine-tuned peer"}
    for name, sequence in table_2.SEQUENCES.items():
        assert len(sequence) == 3, name
        learned = tuple(step for step in sequence[2].lineage() if step.kind != "re-estimated")
        assert [step.name for step in learned[1:]] == ["cityscapes", "coco"], name
        assert set(sequence) <= set(sequence[2].lineage()), name


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_an_ablation_changes_one_setting_of_every_profile(profile):
    for words, (part, name, value) in ABLATIONS.items():
        ablated = profile_of(profile, initial("voc", 0, words).ablation)
        whole = replace(getattr(ablated, part), **{name: getattr(getattr(profile, part), name)})
        assert getattr(getattr(ablated, part), name) == value
        assert replace(ablated, **{part: whole}, reasons=profile.reasons) == profile != ablated
        assert ablated.kind == profile.kind
        assert initial("voc", 0, words).words() == f"initial voc {words}"
    for recipe in (FIRST, THIRD, peer("DEXTR", 0)):
        assert profile_of(profile, recipe.ablation) is profile


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_a_configuration_of_every_profile(profile, variant):
    for scene in ("cityscapes", "coco"):
        config = evolution_config(profile, scene, variant)
        assert isinstance(config, EvolutionConfig)
        assert config.train == profile.evolving(scene).train
        assert config.augmentation_old == profile.augmentation
        assert config.class_loss_weight == profile.class_loss_weight
        assert config.old_data


def test_no_two_variants_are_the_same():
    steps = [
        (
            evolved(FIRST, "coco", v).kind,
            evolution_config(DEMO, "coco", v),
            (recipes.ACCEPTED | recipes.DOSES).get(v),
        )
        for v in VARIANTS
    ]
    assert len(set(map(repr, steps))) == len(steps)


def test_the_control_is_the_step_that_it_controls_with_nothing_learned():
    control = evolved(FIRST, "coco", recipes.BN_ONLY)
    assert control.kind == "re-estimated"
    assert evolution_config(DEMO, "coco", control.variant) == evolution_config(DEMO, "coco", "st")


def test_the_rows_of_table_4_are_parameters():
    configs = {v: evolution_config(SMOKE, "coco", v) for v in recipes.TABLE_4_VARIANTS}
    assert [v for v, config in configs.items() if config.ipt] == ["st+ipt", "st+ipt+fa"]
    assert [v for v, config in configs.items() if config.alignment] == ["st+fa", "st+ipt+fa"]
    assert configs[FULL].ipt == SMOKE.ipt
    assert configs[FULL].alignment == SMOKE.alignment


def test_the_rows_of_table_5_change_one_flag_of_eq_8():
    full = evolution_config(DEMO, "coco", FULL)
    both, neither = (evolution_config(DEMO, "coco", v) for v in recipes.TABLE_5_VARIANTS)
    flags = [
        (c.alignment.class_agnostic_proto_term, c.alignment.class_agnostic_pixel_term)
        for c in (both, neither, full)
    ]
    assert flags == [(True, True), (False, False), (True, False)]
    (clamped,) = (evolution_config(DEMO, "coco", v) for v in recipes.CLAMP_VARIANTS)
    assert (full.alignment.probability_floor, clamped.alignment.probability_floor) == (0.05, 0.001)
    for other in (both, neither, clamped):
        assert replace(other, alignment=full.alignment) == full


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_ipt_as_printed_is_the_papers_whatever_the_profile_chose(profile):
    for variant, feature in recipes.LITERAL_IPT.items():
        config = evolution_config(profile, "coco", variant)
        assert config.ipt == IPTConfig()
        assert config.teacher == replace(profile.inference, feature=feature)
    assert set(recipes.LITERAL_IPT.values()) == {"layer4", "decoder"}
    assert DEMO.ipt != IPTConfig()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_separable_model_is_asked_for_it_and_nobody_else_is(profile):
    asked = profile_of(
        profile, evolved(initial("voc", 0, recipes.SEPARABLE), "coco", "st").ablation
    )
    assert (asked.network.predictor, asked.contrast.feature) == ("decoder", "decoder")
    assert (profile.network.predictor, profile.contrast.weight) == ("layer4", 0.0)
    assert asked.contrast.weight > 0
    put_back = {"network": profile.network, "contrast": profile.contrast}
    assert replace(asked, **put_back, reasons=profile.reasons) == profile


def test_each_way_to_keep_the_source_changes_one_setting_of_its_row():
    kept = evolution_config(DEMO, "coco", recipes.KEPT)
    told, halved = (
        evolution_config(DEMO, "coco", v) for v in (recipes.DISTILLED, recipes.OWN_STATISTICS)
    )
    assert replace(told, distillation=0.0) == replace(halved, statistics="shared") == kept
    assert (told.distillation, halved.statistics) == (1.0, "scene")


def test_a_humans_box_is_widened_before_it_confines():
    exact, human = (
        inference_config(DEMO, clipped=True, tta=True, user=u) for u in ("iog", "human")
    )
    assert exact.clip_margin == 0.0
    assert human.clip_margin == pytest.approx(2 * DEMO.clicks.box_jitter)
    assert inference_config(DEMO, clipped=False, tta=False, user="human") == DEMO.inference
    config = evolution_config(DEMO, "coco", recipes.CLIPPED_VIEWS, "human")
    assert config.teacher == human


def test_a_recipe_is_a_key():
    same = Recipe("evolved", "coco", 0, initial("voc", 0), "st")
    assert {same: 1}[evolved(initial("voc", 0), "coco", "st")] == 1
    assert replace(same, user="human") != same != replace(same, part=(0, 2))


def test_another_seed_is_another_training_from_the_first_step_on():
    model = finetuned(evolved(FIRST, "coco", "st"), "cityscapes")
    other = model.with_seed(7)
    assert [step.seed for step in other.lineage()] == [7, 7, 7]
    assert other.with_seed(model.seed) == model
