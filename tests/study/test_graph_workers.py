"""A study on worker processes: equal to one process's, whoever is killed, whatever runs beside it.

The processes that train take seconds to start, so that each question is asked once.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from openscenes.paths import PROJECT

HERE = Path(__file__).parent
N_MODELS = 6
N_LISTENING = 6  # the scheduler, two nannies, two workers, and what they serve by HTTP
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes by their numbers")


def begun(cache, workers, *, slow_s=0.0):
    """The script on a cache of its own; steps of a training are told in the cache's slow.log."""
    path = os.pathsep.join([str(HERE / "slow"), str(PROJECT / "lib")])
    environment = {
        **os.environ, "PYTHONPATH": path, "OPENSCENES_CACHE": str(cache),
        "SLOW_S": str(slow_s), "SLOW_LOG": str(cache / "slow.log"),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, HERE / "graph_script.py", str(workers)], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process, patience_s=300.0):
    """The lines that it printed; what does not end is killed."""
    try:
        out, err = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, err[-2000:]
    return out.splitlines()


def results(cache):
    """name -> bytes of all scores and of all weights."""
    found = [*cache.glob("scores/*.json"), *cache.glob("runs/*/model.safetensors")]
    return {str(path.relative_to(cache)): path.read_bytes() for path in found}


def steps(cache):
    """(process, model, epoch, step) of every step that was kept."""
    log = cache / "slow.log"
    return [tuple(line.split()) for line in log.read_text().splitlines()] if log.exists() else []


def waited_for(condition, process):
    """Wait until something is so, while a process runs."""
    for _ in range(2000):
        if condition():
            return
        assert process.poll() is None, process.communicate()[1][-2000:]
        time.sleep(0.05)
    raise AssertionError("it never came")


def listening(process):
    """Addresses that a command and all its processes listen on."""
    command = psutil.Process(process.pid)
    return [
        connection.laddr.ip
        for one in (command, *command.children(recursive=True))
        for connection in one.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """All of it in one process."""
    cache = tmp_path_factory.mktemp("alone")
    lines = ended(begun(cache, 1))
    assert sum(line.startswith("ready: smoke") for line in lines) == N_MODELS
    return cache


def fresh(cache, alone):
    """A cache that knows the drawn scenes alone."""
    cache.mkdir()
    (cache / "scenes").symlink_to(alone / "scenes")
    return cache


def test_a_killed_worker_costs_one_task_which_goes_on_elsewhere(alone, tmp_path):
    cache = fresh(tmp_path / "killed", alone)
    process = begun(cache, 2, slow_s=0.3)
    waited_for(lambda: len(steps(cache)) >= 3, process)
    addresses = listening(process)
    assert len(addresses) >= N_LISTENING
    assert set(addresses) == {"127.0.0.1"}
    killed = steps(cache)[-1][0]
    os.kill(int(killed), signal.SIGKILL)
    ended(process)
    assert results(cache) == results(alone)
    *_, (_, model, *place) = (step for step in steps(cache) if step[0] == killed)
    after = [step[2:] for step in steps(cache) if step[1] == model and step[0] != killed]
    first = tuple(map(int, place)) if after else (0, 0)
    assert all(tuple(map(int, step)) > first for step in after)  # from the resume file on


def test_a_killed_command_goes_on_where_it_was_beside_another(alone, tmp_path):
    cache = fresh(tmp_path / "called again", alone)
    process = begun(cache, 2, slow_s=0.3)
    waited_for(lambda: len(steps(cache)) >= 3, process)
    process.kill()
    process.communicate()
    workers = {int(one) for one, *_ in steps(cache)}
    for _ in range(200):  # its workers end by themselves
        if not any(Path(f"/proc/{one}").exists() for one in workers):
            break
        time.sleep(0.05)
    assert not any(Path(f"/proc/{one}").exists() for one in workers)
    two = [begun(cache, n, slow_s=0.05) for n in (2, 1)]
    for each in two:
        ended(each)
    assert results(cache) == results(alone)
    assert max(Counter(tuple(rest) for _, *rest in steps(cache)).values()) <= 2
    trained_by = {}
    for one, model, *_ in steps(cache):
        if int(one) not in workers:
            trained_by.setdefault(model, set()).add(one)
    assert all(len(processes) == 1 for processes in trained_by.values())
