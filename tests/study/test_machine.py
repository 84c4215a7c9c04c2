"""Memory and cores that a container or a queue leaves to a process."""

import os
import subprocess
import sys

import pytest

from openscenes.study.runs import machine
from openscenes.study.runs.machine import GIB, cores, memory_gib


@pytest.mark.parametrize(
    ("own", "files", "gib"),
    [
        ("0::/", {"memory.max": "max\n"}, None),
        ("0::/", {"memory.max": f"{GIB // 2}\n"}, 0.5),
        ("0::/job/step", {"job/memory.max": f"{GIB // 4}\n", "job/step/memory.max": "max\n"}, 0.25),
        ("3:cpu:/\n4:memory:/job", {"memory/job/memory.limit_in_bytes": f"{GIB}\n"}, 1.0),
        ("4:memory:/job", {"memory/job/memory.limit_in_bytes": f"{2**63 - 4096}\n"}, None),
        ("nonsense", {}, None),
    ],
    ids=["none", "container", "slurm", "version 1", "no limit", "nonsense"],
)
def test_memory_is_that_of_the_control_groups(tmp_path, monkeypatch, own, files, gib):
    monkeypatch.setattr(machine, "_OWN", tmp_path / "own")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    (tmp_path / "own").write_text(f"{own}\n")
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    assert memory_gib() == pytest.approx(whole if gib is None else gib)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds to no core")
def test_cores_are_those_that_a_queue_leaves_to_a_process():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from openscenes.study.runs.machine import cores; print(cores())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    made = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert made.stdout == b"1\n" and cores() >= 1
