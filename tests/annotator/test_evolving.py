"""A step on a person's clicks: found again, resumed, beside what was, with the right pool."""

import dataclasses
import json
import shutil
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from safetensors.torch import load_file

from openscenes import masks
from openscenes.annotator.evolve import evolving
from openscenes.annotator.evolve.evolving import evolve_on, split_for, version_in_use
from openscenes.annotator.store.versions import WEIGHTS, Versions
from openscenes.data import clicks
from openscenes.errors import InputError
from openscenes.method import evolution
from openscenes.method.pseudo import kept_pseudo_masks
from openscenes.prediction.model_files import model_from_file
from openscenes.study.options import profile_named
from openscenes.study.runs.data import open_study, source
from openscenes.study.runs.recipes import ROUNDS

PERSON = run_path(str(Path(__file__).with_name("person.py")))


@pytest.fixture(scope="module")
def study():
    return open_study(profile_named("smoke"), None, "cpu")


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    """A workspace, its accepted objects, and a candidate that learned half of what it may."""
    workspace = PERSON["annotated"](tmp_path_factory.mktemp("evolving"))
    accepted = PERSON["accepted"](workspace)
    return workspace, accepted, evolve_on(workspace, study, accepted[:12], clicks_only=True)


@pytest.fixture
def fresh(made, tmp_path):
    """A copy of it, to be spoiled."""
    workspace, accepted, candidate = made
    shutil.copytree(workspace.images, tmp_path / "images")
    copy = type(workspace)(tmp_path / "images", tmp_path / "images/openscenes")
    return copy, accepted, Versions(copy.folder).named(candidate.name)


def test_a_candidate_waits_beside_the_initial_model(study, made) -> None:
    workspace, _, candidate = made
    versions = Versions(workspace.folder)
    assert versions.current() == versions.before(candidate) != candidate
    assert len(versions.lineage(candidate)) == 1 + ROUNDS
    assert versions.undecided()[-1].name == candidate.name
    assert (candidate.folder / "pseudo.json").exists()
    assert not (candidate.folder / "resume.safetensors").exists()
    assert candidate.load(study).config.unknown_class
    assert model_from_file(candidate.model.weights, device="cpu").label == candidate.label
    assert (
        candidate.label
        == "smoke seed 0 initial voc+sbd > 6 annotations evidence, source kept, clicks alone, "
        f"round {ROUNDS} of {ROUNDS}"
    )
    assert set(candidate.about["history"][0]) >= {"ce_old", "ce_new"}


def test_only_learnable_objects_are_learned_and_no_mask_is_kept(study, made) -> None:
    workspace, accepted, candidate = made
    parts = split_for(workspace, Versions(workspace.folder).current(), accepted[:12])
    learned = clicks.load(candidate.folder / "clicks.jsonl")
    assert [one.object_id for one in learned] == [one.object_id for one in parts.learnable]
    assert len(parts.held_out) == 6
    kept = (candidate.folder / "clicks.jsonl").read_text() + json.dumps(dict(candidate.about))
    assert not any(one.mask["counts"] in kept for one in accepted)


def test_accepted_masks_are_learned_as_they_are_and_the_rest_from_evidence(study, fresh) -> None:
    workspace, accepted, _ = fresh
    empty = dataclasses.replace(accepted[0], mask=masks.encode(np.zeros(accepted[0].size, bool)))
    given = [empty, *accepted[1:8]]
    made = evolve_on(workspace, study, given)
    scene = clicks.load(made.folder / "clicks.jsonl")
    learned = kept_pseudo_masks(made.folder, scene)
    own = {one.object_id: one.mask for one in given}
    for one, seen in zip(scene, learned, strict=True):
        same = seen.supervision["counts"] == own[one.object_id]["counts"]
        assert same == (one.object_id != empty.object_id)
    assert made.about["n_masks"] == len(scene) - 1 >= 3
    assert made.label.endswith("evidence, source kept")
    other = [empty, dataclasses.replace(accepted[1], mask=empty.mask), *accepted[2:8]]
    assert evolve_on(workspace, study, other).name != made.name


def test_by_the_papers_rule_an_accepted_mask_changes_nothing(study, made) -> None:
    workspace, accepted, candidate = made
    other = [type(one)(**{f: getattr(one, f) for f in one.__slots__} | {"mask": accepted[3].mask})
             for one in accepted[:12]]  # fmt: skip
    assert evolve_on(workspace, study, other, clicks_only=True).name == candidate.name


def test_a_second_call_finds_the_candidate(study, made) -> None:
    workspace, accepted, candidate = made
    before = candidate.model.weights.stat().st_mtime_ns
    assert evolve_on(workspace, study, accepted[:12][::-1], clicks_only=True) == candidate
    assert candidate.model.weights.stat().st_mtime_ns == before
    assert len(Versions(workspace.folder).all()) == 2


def test_other_objects_or_another_variant_are_another_candidate(study, fresh) -> None:
    workspace, accepted, candidate = fresh
    fewer = evolve_on(workspace, study, accepted[:8])
    literal = evolve_on(workspace, study, accepted[:12], variant="st+ipt as printed")
    assert len({candidate.name, fewer.name, literal.name}) == 3
    assert literal.about["made_of"]["config"]["alignment"] is None


@pytest.mark.parametrize("n_whole", [0, 1, ROUNDS - 1])
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(
    study, fresh, monkeypatch, n_whole: int
) -> None:
    """Rounds that were whole at the kill stay, and are not trained again."""
    workspace, accepted, candidate = fresh
    whole = load_file(candidate.model.weights)
    rounds = Versions(workspace.folder).lineage(candidate)[1:]
    written = [(one.folder / WEIGHTS).stat().st_mtime_ns for one in rounds]
    for one in rounds[n_whole:]:
        shutil.rmtree(one.folder)

    def killed(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(evolution, "align", killed)
        with pytest.raises(KeyboardInterrupt):
            evolve_on(workspace, study, accepted[:12], clicks_only=True)
    assert (rounds[n_whole].folder / "pseudo.json").exists()
    versions = Versions(workspace.folder)
    assert versions.all() == [versions.current()]
    (rounds[n_whole].folder / ".model.safetensors.1.partial").touch()
    again = evolve_on(workspace, study, accepted[:12], clicks_only=True)
    assert again.name == candidate.name
    kept = [(one.folder / WEIGHTS).stat().st_mtime_ns for one in rounds[:n_whole]]
    assert kept == written[:n_whole]
    assert all(whole[name].equal(value) for name, value in load_file(again.model.weights).items())
    assert not list(versions.folder.glob("*/.*.partial"))


def test_a_later_step_has_all_that_was_learned_in_its_pool(study, fresh, monkeypatch) -> None:
    workspace, accepted, first = fresh
    Versions(workspace.folder).accept(first.name)
    pools = []

    def seen(network, pool, scene, *args, **kwargs):
        pools.append((pool, scene))
        return evolution.evolve(network, pool, scene, *args, **kwargs)

    monkeypatch.setattr(evolving, "evolve", seen)
    second = evolve_on(workspace, study, accepted)
    ((pool, scene),) = pools
    labelled = source(study, "voc+sbd").examples
    earlier = clicks.load(first.folder / "clicks.jsonl")
    added = pool.examples[len(labelled) :]
    assert [e.object_id for e in added] == ROUNDS * [
        f"annotations:{one.object_id}" for one in earlier
    ]
    assert all(set(e.supervision) == {"size", "counts"} and e.image.is_file() for e in added)
    assert not {one.object_id for one in scene} & {one.object_id for one in earlier}
    assert len(scene) == 6
    lineage = Versions(workspace.folder).lineage(second)
    assert len(lineage) == 1 + ROUNDS + 1 and lineage[-2:] == [first, second]
    assert Versions(workspace.folder).before(second) == first


def test_too_little_to_learn_is_one_sentence(study, made, fresh) -> None:
    workspace, accepted, first = fresh
    version = version_in_use(workspace, study)
    held = split_for(workspace, version, accepted).held_out
    with pytest.raises(InputError, match=r"There are 0 objects to evolve on \(12 held out"):
        evolve_on(workspace, study, held)
    one = split_for(workspace, version, accepted).learnable[:1]
    with pytest.raises(InputError, match="There is 1 object to evolve on .* at least 2 are wanted"):
        evolve_on(workspace, study, one)
    Versions(workspace.folder).accept(first.name)
    with pytest.raises(InputError, match="6 held out to judge with, 6 learned already"):
        evolve_on(workspace, study, accepted[:12])


def test_another_profile_or_variant_is_refused(study, made) -> None:
    workspace, accepted, _ = made
    with pytest.raises(InputError, match="There is no variant 'magic'; choose one of st, "):
        evolve_on(workspace, study, accepted, variant="magic")
    other = type(study)(profile_named("demo"), study.root, study.fabric, study.cache)
    with pytest.raises(InputError, match="made with profile smoke, not demo; give --profile smoke"):
        version_in_use(workspace, other)
