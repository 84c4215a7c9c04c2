"""A few kills and two windows, of which ``make kills`` has many: nothing is lost or left half."""

import os
import subprocess
import sys
from pathlib import Path

from openscenes.paths import PROJECT

RUN = Path(__file__).with_name("run.py")
NAMES = ("log writing", "export coco", "export voc", "two windows", "two scenes into one folder")


def test_nothing_is_lost_by_a_few_kills() -> None:
    made = subprocess.run(
        [sys.executable, str(RUN), "--kills", "4", *NAMES], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "lib")}, check=False, timeout=900,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    assert [line.partition(":")[0] for line in made.stdout.splitlines()] == list(NAMES)
