"""How long the tasks of a graph take on a machine, one after the other and side by side."""

import heapq
from collections.abc import Mapping

from openscenes.study.graph.page import Page
from openscenes.study.graph.tasks import Graph, PseudoMasks, Task, Training, chains
from openscenes.study.plan.costs import PAGE, Machine, Time, scoring_work, time_of, training_time
from openscenes.study.profiles import Profile
from openscenes.study.runs.work import Work, masks_work, training_work


def work_of(profile: Profile, task: Task, objects: Mapping[str, int]) -> Work:
    """The units of a task.

    Args:
        objects: to learn and to test on, as ``requirements.OBJECTS``.
    """
    if isinstance(task, Training):
        return training_work(profile, task.recipe, objects)
    if isinstance(task, PseudoMasks):
        return masks_work(profile, task.step, objects)
    if isinstance(task, Page):
        return Work({PAGE: 1})
    return sum((scoring_work(profile, e, objects) for e in task.evaluations), Work())


def task_time(profile: Profile, task: Task, objects: Mapping[str, int], machine: Machine) -> Time:
    """Seconds of a task."""
    if isinstance(task, Training):
        return training_time(profile, task.recipe, objects, machine)
    return time_of(profile, work_of(profile, task, objects), machine)


def all_before(graph: Graph, task: Task) -> set[Task]:
    """A task and all that must be done before it."""
    found, left = set[Task](), [task]
    while left:
        if (one := left.pop()) not in found:
            found.add(one)
            left += graph[one]
    return found


def longest_chain(graph: Graph, seconds: Mapping[Task, float]) -> float:
    """Seconds of the longest chain of tasks that wait for each other: no machine is quicker."""
    return max(chains(graph, seconds).values(), default=0.0)


def makespan(graph: Graph, seconds: Mapping[Task, float], n: int) -> float:
    """Seconds until ``n`` processes have done all tasks, the longest remaining chain first."""
    behind, left = chains(graph, seconds), {task: len(before) for task, before in graph.items()}
    heirs: dict[Task, list[Task]] = {task: [] for task in graph}
    for task, before in graph.items():
        for parent in before:
            heirs[parent].append(task)
    place, now = {task: i for i, task in enumerate(graph)}, 0.0
    ready = [(-behind[task], place[task], task) for task in graph if not left[task]]
    heapq.heapify(ready)
    running: list[tuple[float, int, Task]] = []
    while ready or running:
        while ready and len(running) < n:
            _, number, task = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[task], number, task))
        now, _, done = heapq.heappop(running)
        for heir in heirs[done]:
            left[heir] -= 1
            if not left[heir]:
                heapq.heappush(ready, (-behind[heir], place[heir], heir))
    return now
