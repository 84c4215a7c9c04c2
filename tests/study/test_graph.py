"""What is trained for a table, in which order, how many at once, and what is not done twice."""

import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from openscenes.data.datasets.layout import DamagedFile
from openscenes.errors import OpenScenesError
from openscenes.paths import PROJECT
from openscenes.study.graph import prepare as scheduler
from openscenes.study.graph.prepare import (
    Scoring,
    Training,
    _by_model,
    _ready,
    prepare,
    workers_here,
)
from openscenes.study.options import profile_named
from openscenes.study.runs.data import Study, open_study
from openscenes.study.runs.recipes import evolved, in_parts, initial, peer
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation

FIRST = initial("voc+sbd", 0)
SECOND = evolved(FIRST, "coco", "st")


@pytest.fixture(scope="module")
def study() -> Study:
    return open_study(profile_named("smoke"), None, "cpu")


@pytest.fixture
def alone(study: Study) -> Study:
    """As if the machine had one core, so that everything happens in this process."""
    return replace(study, profile=replace(study.profile, cpu_threads=0))


def test_jobs_share_the_cores(study: Study, alone: Study, monkeypatch) -> None:
    monkeypatch.setattr(scheduler, "_memory_gib", lambda: float("inf"))
    assert workers_here(study) == os.cpu_count()
    assert workers_here(alone) == 1


@pytest.mark.parametrize(("memory_gib", "jobs"), [(0.5, 1), (4.0, 2), (7.9, 3), (64.0, 4)])
def test_no_more_jobs_begin_than_memory_holds(study: Study, monkeypatch, memory_gib, jobs) -> None:
    monkeypatch.setattr(scheduler, "_memory_gib", lambda: memory_gib)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert study.profile.job_gib == 2.0
    assert workers_here(study) == jobs


def test_a_task_is_ready_when_its_parent_neither_waits_nor_runs() -> None:
    steps = in_parts(FIRST, "coco", 2, "st")
    first, one, two, other = map(Training, (FIRST, *steps, peer("DEXTR", 0)))
    scoring = Scoring((Evaluation(FIRST, "coco"),))
    assert _ready([first, one, two, other], []) == [first, other]
    assert _ready([one, two, scoring], [first]) == [scoring]
    assert _ready([one, two], []) == [one]
    assert _ready([two], []) == [two]
    assert _ready([], [first]) == []


def test_what_many_wait_for_begins_first() -> None:
    lonely, scoring = Training(peer("DEXTR", 0)), Scoring((Evaluation(FIRST, "coco"),))
    first, second = initial("voc", 0), initial("voc+sbd", 0)
    heirs = [
        Training(step)
        for step in (*in_parts(first, "coco", 2, "st"), *in_parts(second, "coco", 4, "st"))
    ]
    waiting = [scoring, lonely, Training(first), Training(second), *heirs]
    assert _ready(waiting, []) == [Training(second), Training(first), lonely, scoring]


def test_evaluations_of_one_model_are_one_task() -> None:
    asked = [
        Evaluation(FIRST, "coco"), Evaluation(SECOND, "coco"), Evaluation(FIRST, "voc"),
        Evaluation(FIRST, "coco"),
    ]  # fmt: skip
    assert _by_model(asked) == [(asked[0], asked[2]), (asked[1],)]


def test_parents_are_trained_first_and_then_every_score_is_computed(
    alone: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluations = [Evaluation(SECOND, "coco"), Evaluation(SECOND, "voc"), Evaluation(FIRST, "coco")]
    scored, real = [], scheduler.score

    def counting(study: Study, evaluation: Evaluation) -> object:
        scored.append(evaluation)
        return real(study, evaluation)

    monkeypatch.setattr(scheduler, "score", counting)
    lines = list(prepare(alone, evaluations, None, "cpu"))
    ready = [line.split(" (")[0] for line in lines if line.startswith("ready")]
    # another test may have trained them already
    wanted = [f"ready: smoke seed 0 {recipe.words()}" for recipe in (FIRST, SECOND)]
    assert ready == wanted[2 - len(ready) :]
    assert lines[len(ready) :] == [
        f"scored: {SECOND.words()} seed 0", f"scored: {FIRST.words()} seed 0",
    ]  # fmt: skip
    assert sorted(map(repr, scored)) == sorted(map(repr, evaluations))
    assert list(prepare(alone, evaluations, None, "cpu")) == []
    assert len(scored) == 3


def test_models_that_were_removed_are_trained_again(alone: Study) -> None:
    lonely = initial("voc", 64)
    evaluations = [Evaluation(lonely, "coco")]
    list(prepare(alone, evaluations, None, "cpu"))
    find(alone, lonely).weights.unlink()
    assert len(list(prepare(alone, evaluations, None, "cpu"))) == 2
    assert find(alone, lonely).is_trained


def test_what_decides_a_score_is_prepared_again(alone: Study) -> None:
    asked = [Evaluation(FIRST, "coco")]
    digests = {scheduler._digest(alone, asked)}
    digests.add(scheduler._digest(alone, [replace(asked[0], clipped=True)]))
    digests.add(scheduler._digest(alone, [replace(asked[0], user="human")]))
    digests.add(scheduler._digest(alone, [replace(asked[0], where="voc")]))
    digests.add(scheduler._digest(alone, [Evaluation(initial("voc", 0), "coco")]))
    inference = replace(alone.profile.inference, threshold=0.4)
    profile = replace(alone.profile, inference=inference,
                      reasons={**alone.profile.reasons, "inference": "test"})  # fmt: skip
    digests.add(scheduler._digest(replace(alone, profile=profile), asked))
    assert len(digests) == 6


def test_side_by_side_no_child_starts_before_its_parent_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads stand for the processes, whose start takes seconds."""
    events: list[tuple[str, str]] = []

    def work(where: object, task: Training) -> str:
        events.append(("begin", task.recipe.words()))
        time.sleep(0.01)
        events.append(("end", task.recipe.words()))
        return f"ready: {task.recipe.words()}"

    monkeypatch.setattr(scheduler, "_in_process", work)
    monkeypatch.setattr(scheduler, "ProcessPoolExecutor", lambda n, *_, **__: ThreadPoolExecutor(n))
    steps = in_parts(FIRST, "coco", 3, "st")
    recipes = (FIRST, *steps, SECOND, peer("DEXTR", 0), peer("ITIS", 0))
    lines = list(scheduler._side_by_side(list(map(Training, recipes)), 2, ("smoke", None, "cpu")))
    assert sorted(lines) == sorted(f"ready: {recipe.words()}" for recipe in recipes)
    for recipe in recipes:
        if recipe.parent is not None:
            begun = events.index(("begin", recipe.words()))
            assert events.index(("end", recipe.parent.words())) < begun
    n_running, most = 0, 0
    for kind, _ in events:
        n_running += 1 if kind == "begin" else -1
        most = max(most, n_running)
    assert most == 2


def test_a_worker_opens_its_study_once(alone: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(scheduler, "open_study", lambda *where: opened.append(where) or alone)
    monkeypatch.setattr(scheduler, "_opened", {})
    asked = []
    for _ in range(2):
        scheduler._in_process(("smoke", None, "cpu"), lambda study: asked.append(study) or "")
    assert len(opened) == 1
    assert asked == [alone, alone]


def test_a_workers_mistake_comes_back_as_its_sentence(
    alone: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read by the other process would end as a broken pool."""
    damage = DamagedFile("image missing", Path("a.png"), "no such file")
    monkeypatch.setattr(scheduler, "_opened", {("smoke", None, "cpu"): alone})

    def task(_study: Study) -> str:
        raise damage

    with pytest.raises(OpenScenesError) as caught:
        scheduler._in_process(("smoke", None, "cpu"), task)
    returned = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(returned, OpenScenesError)
    assert str(returned) == str(damage)


def test_a_worker_that_the_system_ended_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(ThreadPoolExecutor):
        def __init__(self, n_jobs: int, _context: object, **_options: object) -> None:
            super().__init__(n_jobs)

    def ended(_where: object, _task: object) -> str:
        raise BrokenProcessPool("A process in the process pool was terminated abruptly")

    monkeypatch.setattr(scheduler, "ProcessPoolExecutor", Ended)
    monkeypatch.setattr(scheduler, "_in_process", ended)
    tasks = [scheduler.Training(initial("voc", seed)) for seed in range(2)]
    with pytest.raises(OpenScenesError, match="ended by the system.* goes on where it was"):
        list(scheduler._side_by_side(tasks, 2, ("smoke", None, "cpu")))


WAITING = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from openscenes.study.graph.prepare import _end_with_parent
with ProcessPoolExecutor(1, get_context("spawn"), initializer=_end_with_parent) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(os.name != "posix", reason="asks the system for a process by its number")
def test_a_worker_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "lib")},
    )  # fmt: skip
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    with pytest.raises(ProcessLookupError):
        for _ in range(600):
            os.kill(worker, 0)
            time.sleep(0.05)
