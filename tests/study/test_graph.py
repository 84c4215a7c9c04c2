"""What a command does, as a graph of tasks: what waits for what, what comes first, what is left."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from openscenes.data.datasets.layout import DamagedFile
from openscenes.errors import OpenScenesError
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.graph import tasks, wanted, worker, workers
from openscenes.study.graph.page import Page
from openscenes.study.graph.prepare import FAILED, in_order, prepare, where_of
from openscenes.study.graph.tasks import PseudoMasks, Scoring, Training, chain_costs, tasks_of
from openscenes.study.graph.wanted import Place, Wanted, scores_digest
from openscenes.study.graph.workers import slots_here
from openscenes.study.options import profile_named
from openscenes.study.runs.data import Study, open_study
from openscenes.study.runs.recipes import evolved, in_parts, initial, peer
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation

FIRST = initial("voc+sbd", 0)
SECOND = evolved(FIRST, "coco", "st")
OBJECTS = {"voc": 10, "voc+sbd": 10, "cityscapes": 10, "coco": 10}


@pytest.fixture(scope="module")
def study() -> Study:
    return open_study(profile_named("smoke"), None, "cpu")


def graph_of(study: Study, evaluations, pages=None):
    return tasks_of(study.profile, evaluations, pages or {})


def test_workers_share_the_cores(study: Study, monkeypatch) -> None:
    monkeypatch.setattr(workers, "memory_gib", lambda: float("inf"))
    alone = replace(study, profile=replace(study.profile, cpu_threads=0))
    assert len(slots_here(study)) == len(os.sched_getaffinity(0))
    assert len(slots_here(alone)) == 1
    assert len(slots_here(study, [FIRST], asked=5)) == 5


@pytest.mark.parametrize(("times", "n"), [(0.5, 1), (2.1, 2), (3.9, 3), (64.0, 4)])
def test_no_more_workers_begin_than_memory_holds(study: Study, monkeypatch, times, n) -> None:
    (need,) = workers.largest_needs(study, [FIRST]).values()
    monkeypatch.setattr(workers, "memory_gib", lambda: times * need)
    monkeypatch.setattr(workers, "cores", lambda: 4)
    assert len(slots_here(study, [FIRST])) == n


def test_every_task_comes_after_what_it_waits_for(study: Study) -> None:
    asked = {key: one.evaluations(study.profile, 2) for key, one in EXPERIMENTS.items()}
    pages = {Page(key): tuple(group) for key, group in asked.items()}
    graph, seen = graph_of(study, (), pages), set()
    for task, before in graph.items():
        assert seen.issuperset(before)
        seen.add(task)
        if isinstance(task, Training) and task.recipe.parent is not None:
            assert Training(task.recipe.parent) in before
    assert {task.key for task in graph if isinstance(task, Page)} == set(EXPERIMENTS)


def test_evaluations_of_one_model_are_one_task(study: Study) -> None:
    asked = [
        Evaluation(FIRST, "coco"), Evaluation(SECOND, "coco"), Evaluation(FIRST, "voc"),
        Evaluation(FIRST, "coco"),
    ]  # fmt: skip
    scorings = [task for task in graph_of(study, asked) if isinstance(task, Scoring)]
    assert scorings == [Scoring((asked[0], asked[2])), Scoring((asked[1],))]


def test_variants_that_learn_from_the_same_masks_share_them(study: Study) -> None:
    steps = [evolved(FIRST, "coco", v) for v in ("st", "st+fa", "st+ipt", "st+ipt+fa")]
    graph = graph_of(study, [Evaluation(step, "coco") for step in steps])
    shared = [task for task in graph if isinstance(task, PseudoMasks)]
    assert [task.step for task in shared] == [steps[0], steps[2]]
    assert graph[Training(steps[1])] == (Training(FIRST), shared[0])
    assert graph[Training(steps[3])] == (Training(FIRST), shared[1])


def test_the_longest_chain_comes_first(study: Study) -> None:
    lonely, heirs = peer("DEXTR", 0), in_parts(initial("voc", 0), "coco", 4, "st")
    graph = graph_of(study, [Evaluation(one, "coco") for one in (lonely, *heirs)])
    chains = chain_costs(study.profile, graph, OBJECTS)
    ranked = [task for task in sorted(graph, key=lambda task: -chains[task])]
    assert ranked[0] == Training(initial("voc", 0))
    assert all(chains[parent] > chains[task] for task, before in graph.items() for parent in before)


def test_parents_are_trained_first_and_then_every_score_is_computed(study: Study) -> None:
    evaluations = [Evaluation(SECOND, "coco"), Evaluation(SECOND, "voc"), Evaluation(FIRST, "coco")]
    lines = list(prepare(study, evaluations))
    ready = [line.split(" (")[0] for line in lines if line.startswith("ready: smoke")]
    # another test may have trained them already
    wanted_lines = [f"ready: smoke seed 0 {recipe.words()}" for recipe in (FIRST, SECOND)]
    assert ready == wanted_lines[2 - len(ready) :]
    scored = [line for line in lines if line.startswith("scored: ")]
    assert sorted(scored) == sorted(f"scored: {r.words()} seed 0" for r in (FIRST, SECOND))
    assert list(prepare(study, evaluations)) == []


def test_models_that_were_removed_are_trained_again(study: Study) -> None:
    lonely = initial("voc", 64)
    evaluations = [Evaluation(lonely, "coco")]
    list(prepare(study, evaluations))
    find(study, lonely).weights.unlink()
    assert len(list(prepare(study, evaluations))) == 2
    assert find(study, lonely).is_trained


def test_what_decides_a_score_is_prepared_again(study: Study) -> None:
    asked = [Evaluation(FIRST, "coco")]
    digests = {scores_digest(study, asked)}
    digests.add(scores_digest(study, [replace(asked[0], clipped=True)]))
    digests.add(scores_digest(study, [replace(asked[0], user="human")]))
    digests.add(scores_digest(study, [replace(asked[0], where="voc")]))
    digests.add(scores_digest(study, [Evaluation(initial("voc", 0), "coco")]))
    inference = replace(study.profile.inference, threshold=0.4)
    profile = replace(study.profile, inference=inference,
                      reasons={**study.profile.reasons, "inference": "test"})  # fmt: skip
    digests.add(scores_digest(replace(study, profile=profile), asked))
    assert len(digests) == 6


def test_what_follows_from_a_failure_is_left_out_and_all_else_is_done(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage = DamagedFile("image missing", Path("a.png"), "no such file")
    lonely = peer("DEXTR", 0)

    def train(_study: Study, recipe):
        if recipe == FIRST:
            raise damage
        raise OpenScenesError("of another")

    monkeypatch.setattr(tasks, "train", train)
    graph = graph_of(study, [Evaluation(SECOND, "coco"), Evaluation(lonely, "coco")])
    assert [task for task, _ in in_order(study, graph)] == [Training(FIRST), Training(lonely)]
    monkeypatch.setattr(wanted, "still_to_do", lambda _study, graph: graph)
    lines = []
    with pytest.raises(DamagedFile, match="image missing"):
        lines += list(prepare(study, [Evaluation(SECOND, "coco"), Evaluation(lonely, "voc")]))


def test_a_failing_tasks_line_begins_alike(study: Study, monkeypatch) -> None:
    from openscenes.study.graph.prepare import _told

    planned = Wanted((Evaluation(FIRST, "coco"),))(study)
    outcomes = [(Training(FIRST), OpenScenesError("why")), (Training(SECOND), "ready: x")]
    lines = []
    with pytest.raises(OpenScenesError, match="why"):
        for _, line in _told(planned, outcomes):
            lines.append(line)
    assert lines == [f"{FAILED}{FIRST.words()} seed 0: why", "ready: x"]


class _Worker:
    """Stands for Dask's, which takes what a task tells."""

    name = 3

    def __init__(self) -> None:
        self.events: list[object] = []

    def log_event(self, topic: str, message: object) -> None:
        self.events.append((topic, message))


@pytest.fixture
def in_a_worker(study: Study, monkeypatch, tmp_path):
    """Run a task as a worker would; what it told."""
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "token").touch()
    where = worker.Where(
        "smoke", None, "cpu", tmp_path, "token", worker.code_of_package(), worker.torch.__version__
    )
    dask_worker, opened = _Worker(), []
    monkeypatch.setattr(worker, "get_worker", lambda: dask_worker)
    monkeypatch.setattr(worker, "open_study", lambda *given: opened.append(given) or study)
    monkeypatch.setattr(worker, "_opened", {})
    monkeypatch.setenv("OPENSCENES_CACHE", os.environ["OPENSCENES_CACHE"])
    return where, dask_worker.events, opened


def test_a_worker_opens_its_study_once_and_tells_what_it_does(study, in_a_worker) -> None:
    where, events, opened = in_a_worker
    for _ in range(2):
        assert worker.in_worker(where, lambda given: given is study) is True
    assert len(opened) == 1
    assert events[0] == ("token", ["3", "", 0, 0])


def test_a_workers_mistake_comes_back_as_its_sentence(in_a_worker) -> None:
    """What the other process cannot read would be an error of Dask's."""
    damage = DamagedFile("image missing", Path("a.png"), "no such file")

    def task(_study: Study) -> str:
        raise damage

    with pytest.raises(OpenScenesError) as caught:
        worker.in_worker(in_a_worker[0], task)
    returned = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(returned, OpenScenesError)
    assert str(returned) == str(damage)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"token": "another"}, "does not see the cache .* a folder that all machines share"),
        ({"code": "0"}, "has other code of openscenes"),
        ({"torch": "1.0"}, "has torch .* and this command 1.0"),
    ],
    ids=["cache", "code", "torch"],
)
def test_a_worker_that_is_another_refuses(in_a_worker, change, said) -> None:
    with pytest.raises(OpenScenesError, match=said):
        worker.in_worker(replace(in_a_worker[0], **change), lambda _: "")


def test_a_place_counts_its_workers() -> None:
    with pytest.raises(OpenScenesError, match="workers is 0; give a whole number"):
        Place(workers=0)


@pytest.mark.skipif(os.name != "posix", reason="asks whether a process runs")
def test_what_a_killed_command_told_its_workers_goes_with_the_next(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path))
    code = (
        "import os; from openscenes.study.graph.prepare import Place, where_of\n"
        "with where_of('smoke', Place()): os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    (left,) = (tmp_path / "workers").iterdir()
    with where_of("smoke", Place()) as first, where_of("smoke", Place()) as second:
        there = {path.name for path in (tmp_path / "workers").iterdir()}
        assert there == {first.token, second.token} and left.name not in there
    assert not list((tmp_path / "workers").iterdir())
