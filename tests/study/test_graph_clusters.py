"""Jobs of Slurm, PBS and LSF: stand-ins for their commands run the job's script on this machine."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from openscenes.paths import PROJECT

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


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="runs jobs by bash")
@pytest.mark.parametrize("queue", QUEUES)
def test_a_table_is_made_by_jobs_of_a_queue(queue, tmp_path):
    submit, cancel, printed, read = QUEUES[queue]
    for name, script in ((submit, SUBMIT), (cancel, CANCEL)):
        path = tmp_path / name
        text = script.replace("{read}", read).replace("{printed}", printed.format("%s"))
        path.write_text(text)
        path.chmod(0o755)
    example = PROJECT / "lib/openscenes/study/graph/queues" / f"{queue[:-7].lower()}.yaml"
    said = yaml.safe_load(example.read_text())
    said["arguments"] |= {"cores": 1, "memory": "4GB", "interface": "lo",
                          "python": sys.executable, "log_directory": str(tmp_path)}  # fmt: skip
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text(yaml.safe_dump(said | {"jobs": 1, "gpu_gib": 0}))
    environment = {
        **os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "JOBS": str(tmp_path),
        "PYTHONPATH": str(PROJECT / "lib"),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "openscenes", "table", "6", "--profile", "smoke",
        "--device", "cpu", "--cluster", cluster, "--reports", tmp_path / "reports",
    ]  # fmt: skip
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr[-3000:]
    assert (tmp_path / "reports" / "tables" / "table_6.md").is_file()
    jobs = (tmp_path / "numbers").read_text().split()
    assert len(jobs) == 1
    for _ in range(200):  # it is ended as the command ends
        if not Path(f"/proc/{jobs[0]}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the job goes on")
