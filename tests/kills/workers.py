"""Workers and commands of a study are killed at random moments, all on one cache."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from runpy import run_path

import psutil
from killing import left_over

STUDY = run_path(str(Path(__file__).parents[1] / "study" / "test_graph_workers.py"))
KILLED, MOST = "workers killed", 40  # the race's name, and its kills at most
SLOW_S = 0.1  # of each step of a training, so that many kills fall into one
IN_A_ROW = 2  # kills of workers in one command, which gives a task up that ended three processes
PATIENCE_S = 900.0  # with a whole study: on a busy core two workers took more than 300
ENDS_S = 20.0  # after which a process that lost its command must have ended


def killed_workers(kills: int) -> Callable[[Path, Path], Counter[str]]:
    """A study on two workers, killed so many times: as if one process had made it."""

    def race(_template: Path, place: Path) -> Counter[str]:
        place.mkdir(parents=True)
        rng, found, alone = random.Random(f"workers {kills}"), Counter[str](), place / "alone"
        alone.mkdir()
        STUDY["ended"](STUDY["begun"](alone, 1), PATIENCE_S)
        began = time.monotonic()
        STUDY["ended"](_begun(place / "undisturbed", alone), PATIENCE_S)
        seconds, wanted = time.monotonic() - began, STUDY["results"](alone)
        found["s undisturbed"] = round(seconds)
        while found["kills"] < kills:
            cache = place / str(found["studies"])
            orphans = _made(cache, alone, rng, seconds, kills, found)
            patience = time.monotonic() + ENDS_S
            while any(map(_runs, orphans)) and time.monotonic() < patience:
                time.sleep(0.1)
            found["hang"] += sum(map(_runs, orphans))
            found["studies"] += 1
            found["differ"] += STUDY["results"](cache) != wanted
            found["left over"] += len(left_over(cache))
        return found

    return race


def _begun(cache: Path, alone: Path):
    return STUDY["begun"](STUDY["fresh"](cache, alone), 2, slow_s=SLOW_S)


def _made(
    cache: Path, alone: Path, rng: random.Random, seconds: float, kills: int, found: Counter[str]
) -> list[psutil.Process]:
    """Make a study, its command called again whenever it was killed; processes that lost theirs."""
    orphans: list[psutil.Process] = []
    process, in_a_row = _begun(cache, alone), 0
    while True:
        moment = time.monotonic() + rng.uniform(0.0, seconds)
        while process.poll() is None and time.monotonic() < moment:
            time.sleep(0.01)
        if process.poll() is None and found["kills"] < kills:
            below = psutil.Process(process.pid).children(recursive=True)
            workers = [one for one in below if _is_worker(one)]
            if workers and in_a_row < IN_A_ROW and rng.random() < 0.6:
                rng.choice(workers).kill()
                found["workers killed"] += 1
                in_a_row += 1
            else:
                process.kill()
                found["commands killed"] += 1
                orphans += below
            found["kills"] += 1
        elif process.poll() is None:
            process.wait(timeout=PATIENCE_S)
        if process.poll() is None and found["kills"] < kills:
            continue
        _, errors = process.communicate(timeout=PATIENCE_S)
        if process.returncode == 0:
            return orphans
        if process.returncode > 0:
            found["raised"] += 1
            print(errors[-1000:], flush=True)
            return orphans
        process, in_a_row = STUDY["begun"](cache, 2, slow_s=SLOW_S), 0


def _is_worker(one: psutil.Process) -> bool:
    try:
        return any("spawn_main" in word for word in one.cmdline())
    except psutil.Error:
        return False


def _runs(one: psutil.Process) -> bool:
    try:
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
