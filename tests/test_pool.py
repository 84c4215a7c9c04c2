"""Processes beside the network: results in order, few on their way, errors in one sentence."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from openscenes.errors import DataError, TrainingError
from openscenes.pool import Pool, Sent


def added(shared, task):
    number, sent = task
    time.sleep(0.002 * (number % 3))  # so that they do not end in their order
    return number, Sent(sent.array + shared)


def failed(_shared, task):
    if task == 3:
        raise DataError("mask missing: a.png; restore the file.")
    return task


def killed(_shared, _task):
    os.kill(os.getpid(), signal.SIGKILL)


def threads(_shared, _task):
    import cv2
    import torch

    return cv2.getNumThreads(), torch.get_num_threads(), os.getpid()


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("side", [2, 200])
def test_results_come_in_order_with_their_arrays(workers, side):
    tasks = [(n, Sent(np.full((side, side), n, np.float32))) for n in range(20)]
    with Pool(workers, 1.0) as pool:
        found = list(pool.ordered(added, tasks))
    assert [number for number, _ in found] == list(range(20))
    assert all((sent.array == n + 1).all() for n, sent in found)
    assert all(sent.array.flags.writeable for _, sent in found)


def test_few_tasks_are_on_their_way():
    taken = []

    def tasks():
        for number in range(50):
            taken.append(number)
            yield number, Sent(np.zeros(1))

    with Pool(2, 0.0) as pool:
        next(iter(pool.ordered(added, tasks())))
        assert len(taken) <= 6
    with Pool(0, 0.0) as pool:
        taken.clear()
        next(iter(pool.ordered(added, tasks())))
        assert taken == [0]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_arrives_as_its_sentence(workers):
    with Pool(workers, None) as pool:
        results = pool.ordered(failed, range(6))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(DataError, match=r"^mask missing: a.png; restore the file\.$") as found:
            next(results)
    assert found.value.__cause__ is None


def test_a_killed_process_is_said():
    with (
        pytest.raises(
            TrainingError, match=r"was killed, most often for want of memory.*WORKERS=1; the same"
        ),
        Pool(1, None) as pool,
    ):
        list(pool.ordered(killed, range(4)))


def test_a_process_has_one_thread_and_is_another():
    with Pool(1, None) as pool:
        ((of_opencv, of_torch, number),) = pool.ordered(threads, [0])
    assert (of_opencv, of_torch) == (1, 1)
    assert number != os.getpid()


ENDLESS = """
import os, time
from openscenes.pool import Pool
from tests.test_pool import threads
if __name__ == "__main__":
    with Pool(1, None) as pool:
        ((_, _, number),) = pool.ordered(threads, [0])
        print(number, flush=True)
        time.sleep(60)
"""


def test_processes_end_with_the_one_that_started_them(tmp_path, monkeypatch):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    top = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": f"{top}/lib{os.pathsep}{top}"}
    with subprocess.Popen(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE
    ) as main:
        number = int(main.stdout.readline())
        main.kill()
    for _ in range(600):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {number} goes on without the one that started it")
