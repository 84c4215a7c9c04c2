"""A graph of tasks on Dask workers: one bar for all of it, with what runs where."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import dask
from distributed import Client, Future, KilledWorker

from openscenes.errors import InputError, OpenScenesError
from openscenes.progress import progress, say
from openscenes.study.graph.tasks import Graph, Task
from openscenes.study.graph.wanted import Outcome, Planned, Wanted
from openscenes.study.graph.worker import Where, in_worker

_POLL_S = 0.1
_SHOWN = 30  # letters of what one worker does


def by_dask(
    client: Client,
    where: Where,
    graph: Graph,
    chains: Mapping[Task, float],
    needs: Mapping[Task, Mapping[str, float]],
) -> Iterator[tuple[Task, Outcome]]:
    """Do all tasks, the longest remaining chain first; each with its line, or why it failed.

    What follows from a task that failed is left out, all else is done.

    Raises:
        InputError: if no worker has the memory that a task needs.
        OpenScenesError: if the scheduler is lost.
    """
    futures = _futures(client, where, graph, chains, _restrictions(client, needs))
    pending, failed = dict(zip(graph, futures, strict=True)), set[Task]()
    with closing(_Bar(client, where, len(graph))) as bar:
        while pending:
            time.sleep(_POLL_S)
            bar.show()
            for task, future in list(pending.items()):
                if not future.done() or any(parent in pending for parent in graph[task]):
                    continue
                del pending[task]
                if failed.intersection(graph[task]):
                    failed.add(task)
                    continue
                outcome = _outcome(future)
                if not isinstance(outcome, str):
                    failed.add(task)
                bar.one_more()
                yield task, outcome


def planned_by(client: Client, where: Where, wanted: Wanted) -> Planned:
    """What a worker finds still to be done.

    Raises:
        OpenScenesError: if the worker cannot do it, in one sentence.
    """
    if not client.scheduler_info(n_workers=-1)["workers"]:
        say("waiting for the first worker of the cluster")
    future = client.submit(in_worker, where, wanted, pure=False)
    while not future.done():
        time.sleep(_POLL_S)
    planned = _outcome(future)
    if isinstance(planned, OpenScenesError):
        raise planned
    assert isinstance(planned, Planned)
    return planned


def _futures(
    client: Client,
    where: Where,
    graph: Graph,
    chains: Mapping[Task, float],
    restrictions: Mapping[Task, Mapping[str, float]],
) -> Sequence[Future]:
    """One future per task, whose parents' are its dependencies; all are handed over at once."""
    delayed: dict[Task, Any] = {}
    work = dask.delayed(in_worker, pure=False)
    for number, (task, before) in enumerate(graph.items()):
        marks: dict[str, Any] = {"priority": chains[task]}
        if task in restrictions:
            marks["resources"] = dict(restrictions[task])
        with dask.annotate(**marks):
            parents = [delayed[parent] for parent in before]
            delayed[task] = work(where, task, *parents, dask_key_name=(where.token, number))
    futures: Sequence[Future] = client.compute(list(delayed.values()), optimize_graph=False)
    return futures


def _restrictions(
    client: Client, needs: Mapping[Task, Mapping[str, float]]
) -> dict[Task, Mapping[str, float]]:
    """The needs that not every worker meets; one that announces nothing takes everything.

    A worker does one task at a time, so that a need only decides where a task may run.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    offers = [offer for worker in workers if (offer := worker["resources"])]
    found = {}
    for task, need in needs.items():
        able = [o for o in offers if all(o.get(name, gib) >= gib for name, gib in need.items())]
        if offers and not able:
            most = {name: max(offer.get(name, 0.0) for offer in offers) for name in need}
            raise InputError(
                f"{task.label} needs {_words(need)}, but no worker has more than {_words(most)}; "
                "ask for fewer workers with WORKERS=, or train in parts with MICRO_BATCH="
            )
        if len(able) < len(offers):
            found[task] = need
    return found


def _words(need: Mapping[str, float]) -> str:
    return " and ".join(
        f"{gib:.1f} GiB of {'a GPU' if name.startswith('gpu') else 'its host'}"
        for name, gib in need.items()
    )


def _outcome(future: Future) -> Any:
    """What a task said, or why it failed.

    Raises:
        Exception: what is no mistake of the user's, as it was raised.
    """
    if future.status == "finished":
        return future.result()
    if future.status != "error":
        raise OpenScenesError("the Dask scheduler was lost; the same command goes on where it was")
    error = future.exception()
    if isinstance(error, KilledWorker):
        return OpenScenesError(
            "the processes that did it were ended by the system, most often for want of memory; "
            "the same command goes on where it was"
        )
    if isinstance(error, OpenScenesError):
        return error
    raise error


class _Bar:
    def __init__(self, client: Client, where: Where, total: int) -> None:
        self._bar, self._doing = progress("tasks", total), dict[str, str]()
        self._shown = 0.0
        client.subscribe_topic(where.token, self._told)

    def _told(self, event: tuple[float, tuple[str, str, int, int]]) -> None:
        _, (worker, label, done, total) = event
        share = f" {done}/{total}" if total else ""
        self._doing[worker] = f"{label[-_SHOWN:]}{share}" if label else ""

    def show(self) -> None:
        """Write it anew, as often as a terminal or a log wants it."""
        now = time.monotonic()
        if now - self._shown >= self._bar.mininterval:
            self._shown = now
            doing = sorted((name, what) for name, what in self._doing.items() if what)
            running = "; ".join(f"{name}: {what}" for name, what in doing)
            self._bar.set_postfix_str(running or "workers start")

    def one_more(self) -> None:
        """One task is done; the bar makes room for a line."""
        self._bar.n += 1
        self._bar.clear()

    def close(self) -> None:
        """The end."""
        self._bar.close()
