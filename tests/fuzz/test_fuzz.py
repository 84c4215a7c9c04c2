"""A seeded share of all malformed inputs; ``make fuzz`` tries them all."""

import os
import subprocess
import sys
from pathlib import Path

from openscenes.paths import PROJECT

SHARE = "0.1"
OPEN: tuple[str, ...] = ()


def fuzz(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run cases as ``make fuzz`` does."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "lib"), "TMPDIR": str(folder)}
    environment.pop("OPENSCENES_CACHE", None)
    command = [sys.executable, "-m", "tests.fuzz", "--workers", "2", *words]
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=600
    )


def test_no_door_breaks_lies_or_loses(tmp_path):
    done = fuzz("--share", SHARE, "--without", *OPEN, folder=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert not list(tmp_path.iterdir())
