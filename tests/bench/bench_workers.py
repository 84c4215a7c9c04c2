"""How much sooner do two Dask workers end a study than one process?

Run: ``make bench``, or ``python tests/bench/bench_workers.py [seeds]``.  So many independent
initial models of the profile smoke, each with one that evolves from it and the scores of both,
from an empty cache with the scenes drawn.  No schedule of two workers is quicker than half of one
process's time, nor than its longest chain of tasks: the bound.  What comes before the first task
is told apart: Dask's start, and the import of torch and of this package by each worker.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

SEEDS, WORKERS = 12, 2


def measure(seeds, workers):
    """Seconds: of each start and of the work; of one process also of its longest chain."""
    from openscenes.study.graph.prepare import in_order
    from openscenes.study.graph.wanted import Wanted
    from openscenes.study.options import profile_named
    from openscenes.study.runs.data import open_study
    from openscenes.study.runs.recipes import evolved, initial
    from openscenes.study.scores.evaluation import Evaluation

    study = open_study(profile_named("smoke"), None, "cpu")
    firsts = [initial("voc+sbd", seed) for seed in range(seeds)]
    recipes = [*firsts, *(evolved(one, "coco", "st") for one in firsts)]
    planned = Wanted(tuple(Evaluation(recipe, "coco") for recipe in recipes))(study)
    if workers > 1:
        return _on_workers(study, planned, workers)
    ends = [time.perf_counter()]
    chains = {}
    for task, outcome in in_order(study, planned.graph):
        assert isinstance(outcome, str), outcome
        ends.append(time.perf_counter())
        before = max((chains[parent] for parent in planned.graph[task]), default=0.0)
        chains[task] = before + ends[-1] - ends[-2]
    return {
        "work": ends[-1] - ends[0],
        "chain": max(chains.values(), default=0.0),
        "tasks": len(chains),
    }


def _on_workers(study, planned, workers):
    from openscenes.study.graph.by_dask import by_dask
    from openscenes.study.graph.clusters import local_workers
    from openscenes.study.graph.prepare import where_of
    from openscenes.study.graph.wanted import Place
    from openscenes.study.graph.worker import in_worker
    from openscenes.study.graph.workers import slots_here

    slots, times = slots_here(study, asked=workers), [time.perf_counter()]
    with where_of("smoke", Place(None, "cpu")) as where, local_workers(slots) as client:
        times.append(time.perf_counter())
        ready = [
            client.submit(in_worker, where, str, workers=[address], pure=False)
            for address in client.scheduler_info()["workers"]
        ]
        assert len(client.gather(ready)) == workers
        times.append(time.perf_counter())
        for _, outcome in by_dask(client, where, planned.graph, planned.chains, planned.needs):
            assert isinstance(outcome, str), outcome
        times.append(time.perf_counter())
    names = ("dask", "imports", "work")
    return {name: times[i + 1] - times[i] for i, name in enumerate(names)}


def _run(*arguments):
    """One measurement, in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(seeds):
    """Print one process, two workers, their ratio and its bound."""
    load = os.getloadavg()[0]
    found = {}
    with TemporaryDirectory() as folder:
        for name, n in (("drawing", 0), ("one", 1), ("two", WORKERS)):
            cache = Path(folder, name)
            cache.mkdir()
            if n:
                (cache / "scenes").symlink_to(Path(folder, "drawing", "scenes"))
            os.environ["OPENSCENES_CACHE"] = str(cache)
            found[name] = _run(seeds if n else 0, n)
    one, two = found["one"], found["two"]
    bound = max(one["chain"] / one["work"], 1 / WORKERS)
    whole = sum(two.values())
    print(
        f"smoke, {seeds} seeds, {one['tasks']} tasks, {os.cpu_count()} cores, "
        f"load average {load:.1f}"
    )
    print(f"  one process: {one['work']:.1f} s, longest chain {one['chain']:.1f} s")
    print(
        f"  {WORKERS} workers: {two['work']:.1f} s, {two['work'] / one['work']:.2f} of one process "
        f"(bound {bound:.2f}); before that Dask's start {two['dask']:.1f} s, imports "
        f"{two['imports']:.1f} s, with both {whole / one['work']:.2f}"
    )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else SEEDS)
