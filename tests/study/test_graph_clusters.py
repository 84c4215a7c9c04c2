"""Jobs of Slurm, PBS and LSF: stand-ins for their commands run the job's script on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import dask
import pytest
import yaml

from openscenes.errors import InputError
from openscenes.paths import PROJECT
from openscenes.study.graph import clusters
from openscenes.study.graph.clusters import cluster_workers, local_workers
from openscenes.study.graph.workers import Slot

# How each queue is given a job and told to end one; its name for the file and what it prints.
QUEUES = {
    "SLURMCluster": ("sbatch", "scancel", "Submitted batch job {}", 'cat "$1"'),
    "PBSCluster": ("qsub", "qdel", "{}.here", 'cat "$1"'),
    "LSFCluster": ("bsub", "bkill", "Job <{}> is submitted to queue <normal>.", "cat"),
}
SUBMIT = """#!/bin/bash
script=$(mktemp "$JOBS/job.XXXXXX")
{read} > "$script"
setsid bash "$script" > "$script.log" 2>&1 < /dev/null &
echo $! >> "$JOBS/numbers"
printf '{printed}\\n' $!
"""
CANCEL = """#!/bin/bash
for job in "$@"; do kill -- "-${job%%.*}" 2> /dev/null; done
true
"""

ON_LINUX = pytest.mark.skipif(not Path("/proc/self").exists(), reason="runs jobs by bash")

SLURM = "class: SLURMCluster\njobs: 1\narguments: {cores: 1, memory: 4GB, %s}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SLURM % "interface: lo", r"takes no job \(.*sbatch.*\); call this command where jobs are"),
        (SLURM % "interface: nope0", "refuses the cluster file .*'nope0' is not a valid network"),
        (SLURM % "processes: 0", "refuses the cluster file .*: division by zero; write the class"),
        (SLURM % "job_script_prologue: module load x", "prologue is a text instead of a list"),
        ("class: SLURMCluster\narguments: none", "refuses the cluster file .*; write the class"),
    ],
    ids=["no sbatch", "interface", "processes", "prologue", "arguments"],
)
def test_what_no_queue_takes_is_one_sentence(text, said, tmp_path, monkeypatch, caplog, capfd):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as told:
        with cluster_workers(str(path)):
            raise AssertionError("nobody would ever come")
    assert "\n" not in str(told.value)
    assert "Traceback" not in capfd.readouterr().err + caplog.text


def test_ctrl_c_stays_what_it_was(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)  # it is its import that changes it
    path, before = tmp_path / "cluster.yaml", signal.getsignal(signal.SIGINT)
    path.write_text(SLURM % "processes: 0")
    with pytest.raises(InputError, match="division"), cluster_workers(str(path)):
        raise AssertionError("nobody would ever come")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_site_that_encrypts_its_clusters_does_not_stop_workers_here():
    site = {"distributed.comm.require-encryption": True, "distributed.comm.default-scheme": "tls"}
    with dask.config.set(site), local_workers([Slot({})]) as client:
        assert client.submit(int, "3").result(timeout=60) == 3


def test_an_address_without_its_scheme_is_told_it():
    with pytest.raises(InputError, match="write the address of a scheduler as tcp://node7:8786$"):
        with cluster_workers("node7:8786"):
            raise AssertionError("there is no such file")


@pytest.mark.parametrize("who", ["scheduler", "tcp://127.0.0.1:1"])
def test_another_version_of_dask_is_refused(who):
    host = {"host": {"python": "3.11.2.final.0"}}
    ours = host | {"packages": {"dask": "2026.8.0", "distributed": "2026.8.0"}}
    theirs = host | {"packages": {"dask": "2026.8.0", "distributed": "2025.1.0"}}
    found = {"client": ours, "scheduler": ours, "workers": {"tcp://127.0.0.1:1": ours}}
    if who == "scheduler":
        found["scheduler"] = theirs
    else:
        found["workers"][who] = theirs
    client = SimpleNamespace(get_versions=lambda: found)
    with pytest.raises(InputError, match=f"{who} of tcp://x:1 has distributed 2025.1.0 and this"):
        clusters._require_versions(client, "tcp://x:1")


@pytest.fixture
def queue(request, tmp_path, monkeypatch):
    """The file of a cluster whose queue is pretended; its jobs' numbers come into a file."""
    submit, cancel, printed, read = QUEUES[request.param]
    for name, script in ((submit, SUBMIT), (cancel, CANCEL)):
        path = tmp_path / name
        text = script.replace("{read}", read).replace("{printed}", printed.format("%s"))
        path.write_text(text)
        path.chmod(0o755)
    example = PROJECT / "lib/openscenes/study/graph/queues" / f"{request.param[:-7].lower()}.yaml"
    said = yaml.safe_load(example.read_text())
    said["arguments"] |= {"cores": 1, "memory": "4GB", "interface": "lo",
                          "python": sys.executable, "log_directory": str(tmp_path)}  # fmt: skip
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text(yaml.safe_dump(said | {"jobs": 1, "gpu_gib": 0}))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("JOBS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "lib"))
    return cluster


def assert_one_job_that_ended(folder):
    """It is ended as the command ends."""
    (job,) = (folder / "numbers").read_text().split()
    for _ in range(200):
        if not Path(f"/proc/{job}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the job goes on")


@ON_LINUX
@pytest.mark.parametrize("queue", [*QUEUES][1:], indirect=True)
def test_work_is_done_by_a_job_of_a_queue(queue, tmp_path):
    with cluster_workers(str(queue)) as client:
        assert client.submit(int, "3").result(timeout=120) == 3
    assert_one_job_that_ended(tmp_path)


@ON_LINUX
@pytest.mark.parametrize("queue", ["SLURMCluster"], indirect=True)
def test_a_table_is_made_by_jobs_of_a_queue(queue, tmp_path):
    command = [
        sys.executable, "-m", "openscenes", "table", "6", "--profile", "smoke",
        "--device", "cpu", "--cluster", queue, "--reports", tmp_path / "reports",
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-3000:]
    assert (tmp_path / "reports" / "tables" / "table_6.md").is_file()
    assert_one_job_that_ended(tmp_path)
