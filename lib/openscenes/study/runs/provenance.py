"""Where a number comes from: commit, versions, machine and clock of one run."""

import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchvision

import openscenes
from openscenes.networks.devices import told
from openscenes.paths import PROJECT
from openscenes.study.runs.store import file_digest

PACKAGE = Path(openscenes.__file__).resolve().parent
LOCK = PROJECT / "lib" / "requirements.txt"

# What decides a number; a report that is being rewritten does not make the code dirty.
_SOURCES = ("lib", "notebooks")


def provenance() -> dict[str, Any]:
    """Return what a ``run.json`` says about the place and time of a run.

    Every value is a JSON scalar, list or dict; what cannot be known is None.

    Returns:
        ``git`` {commit, dirty} or None outside a git checkout (dirty: lib/ or notebooks/ differ
        from the commit); ``openscenes`` its version; ``lock_digest`` sha256 of the locked
        requirements; ``versions`` by package; ``device`` names; ``torch`` what it is told of
        precision and repeatability; ``threads``; ``platform``; ``started`` in UTC.
    """
    return {
        "git": git_state(PROJECT),
        "openscenes": openscenes.__version__,
        "lock_digest": file_digest(LOCK) if LOCK.is_file() else None,
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "torchvision": str(torchvision.__version__),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
        "device": {
            "cpu": cpu_model(),
            "accelerators": [
                torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())
            ],
        },
        "torch": told(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def peak_memory_mb() -> float:
    """Return the most memory (MiB) that this process ever held at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bytes_per_unit = 1 if sys.platform == "darwin" else 1024
    return peak * bytes_per_unit / 2**20


def git_state(project: Path) -> dict[str, Any] | None:
    """Return {commit, dirty} of the checkout whose root is ``project``, or None if it is none."""
    root = _git(project, "rev-parse", "--show-toplevel")
    commit = _git(project, "rev-parse", "--verify", "HEAD")
    if root is None or commit is None or Path(root).resolve() != project.resolve():
        return None
    changes = _git(project, "status", "--porcelain", "--", *_SOURCES)
    return {"commit": commit, "dirty": bool(changes)}


def _git(project: Path, *arguments: str) -> str | None:
    """What git says, or None where it is missing or refuses."""
    # A hook or a rebase exports the repository that it is about; this one is meant here.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", "-C", str(project), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def cpu_model() -> str | None:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or None
