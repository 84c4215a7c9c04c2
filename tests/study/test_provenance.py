"""A run says from which commit, versions and machine its numbers come."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from openscenes import __version__
from openscenes.study.runs.provenance import git_state, peak_memory_mb, provenance

STATUS = Path("/proc/self/status")


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """Return a git checkout with one commit."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "module.py").write_text("one = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--no-verify", "--message", "first")
    return tmp_path


def test_provenance_is_json_and_names_this_machine():
    told = provenance()
    assert json.loads(json.dumps(told)) == told
    assert told["openscenes"] == __version__
    assert told["versions"]["torch"] == torch.__version__
    assert set(told["versions"]) == {"python", "torch", "torchvision", "numpy", "opencv"}
    assert len(told["lock_digest"]) == 64
    assert told["torch"]["deterministic"] is torch.are_deterministic_algorithms_enabled()
    assert told["threads"] == torch.get_num_threads()
    assert told["started"].endswith("+00:00")
    assert len(told["device"]["accelerators"]) == torch.cuda.device_count()


def test_git_state_tells_clean_from_dirty_and_ignores_reports(checkout):
    commit = git(checkout, "rev-parse", "HEAD")
    assert git_state(checkout) == {"commit": commit, "dirty": False}
    (checkout / "reports").mkdir()
    (checkout / "reports" / "table.md").write_text("new")
    assert git_state(checkout) == {"commit": commit, "dirty": False}
    (checkout / "lib" / "new.py").write_text("two = 2\n")
    assert git_state(checkout) == {"commit": commit, "dirty": True}


def test_git_state_is_none_below_a_checkout_and_outside(checkout, tmp_path_factory):
    assert git_state(checkout / "lib") is None
    assert git_state(tmp_path_factory.mktemp("plain")) is None


@pytest.mark.skipif(not STATUS.exists(), reason="the kernel's own count is in /proc only")
def test_peak_memory_is_the_kernels_high_water_mark():
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    assert peak_memory_mb() == pytest.approx(int(line.split()[1]) / 1024, rel=0.02)
