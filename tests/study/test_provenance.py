"""Digests move with what decides a number and with nothing else."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from openscenes import __version__
from openscenes.study import provenance as module
from openscenes.study.provenance import code_digest, git_state, peak_memory_mb, provenance

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


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Yield a small package in which training reaches crops and seeding, counted instead."""
    top = tmp_path / "small"
    files = {
        "__init__.py": "from small.study import tables\n",
        "seeding.py": "one = 1\n",
        "data/crops.py": "from small import seeding\n",
        "data/__init__.py": "",
        "method/train.py": "def run():\n    import small.data.crops\n",
        "method/other.py": "one = 1\n",
        "study/tables.py": "import small.method.train\n",
    }
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    monkeypatch.setattr(module, "PACKAGE", top)
    yield top
    forget()


def forget():
    """Forget what this process has read of the sources."""
    code_digest.cache_clear()
    module._imports.cache_clear()


def digest_in_a_new_process(root: str) -> str:
    """Return the digest as a process would work it out that starts now."""
    forget()
    return code_digest((root,))


REACHED = ["__init__.py", "seeding.py", "data/__init__.py", "data/crops.py", "method/train.py"]


@pytest.mark.parametrize("path", REACHED)
def test_code_digest_moves_with_what_the_root_reaches(package, path):
    before = digest_in_a_new_process("method.train")
    (package / path).write_text((package / path).read_text() + "# why\n")
    assert digest_in_a_new_process("method.train") != before


@pytest.mark.parametrize("path", ["method/other.py", "study/tables.py", "new.py"])
def test_code_digest_stays_when_only_others_change(package, path):
    before = digest_in_a_new_process("method.train")
    (package / path).write_text("two = 2\n")
    assert digest_in_a_new_process("method.train") == before


def test_code_digest_of_a_subpackage_counts_all_its_files(package):
    before = digest_in_a_new_process("method")
    (package / "method" / "other.py").write_text("two = 2\n")
    assert digest_in_a_new_process("method") != before


def test_a_running_process_keeps_the_digest_of_the_code_that_it_runs(package):
    before = digest_in_a_new_process("method.train")
    (package / "seeding.py").write_text("two = 2\n")
    assert code_digest(("method.train",)) == before


def test_code_digest_sees_a_renamed_file(package):
    before = digest_in_a_new_process("method.train")
    (package / "seeding.py").rename(package / "seeds.py")
    assert digest_in_a_new_process("method.train") != before


def test_the_evolution_reaches_the_equations_and_no_peer_of_table_1():
    reached = {path.stem for path in module._reached(("method.evolution",))}
    assert {"alignment", "ipt", "prototypes", "samples", "openscene", "seeding"} <= reached
    assert not {"dextr", "ifcn", "tables", "prediction"} & reached


@pytest.mark.skipif(not STATUS.exists(), reason="the kernel's own count is in /proc only")
def test_peak_memory_is_the_kernels_high_water_mark():
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    assert peak_memory_mb() == pytest.approx(int(line.split()[1]) / 1024, rel=0.02)
