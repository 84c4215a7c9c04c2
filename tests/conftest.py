"""One thread per process, a cache of the session's own, no accelerator; two tiny data sets."""

import os

# They count only when set before torch is imported, and kernels that tests start inherit them.
os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0", OMP_NUM_THREADS="1")
# A hundred processes start: each would compile the package anew, which takes two seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
import torch

from openscenes.data.crops import Augmentation
from openscenes.method.evolution import initialise
from openscenes.method.training import TrainConfig

torch.set_num_threads(1)

LONGEST = ("test_table_notebooks.py", "test_launch.py")  # they begin first


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One more than cores: kernels, browsers and killed processes are mostly waited for."""
    return min(4, 1 + (os.cpu_count() or 1))


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session", autouse=True)
def _session_cache(tmp_path_factory):
    """Keep what tests compute out of the user's cache; parallel workers share one folder."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    os.environ["OPENSCENES_CACHE"] = str(root / "openscenes-cache")
    yield
    del os.environ["OPENSCENES_CACHE"]


@pytest.fixture(scope="session")
def tiny():
    return SimpleNamespace(**run_path(str(Path(__file__).with_name("tiny.py"))))


@pytest.fixture(scope="session")
def old_root(tiny, tmp_path_factory):
    return tiny.write_voc(tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="session")
def new_root(tiny, tmp_path_factory):
    """The same blobs in the dark; none of its files may be changed."""
    return tiny.write_voc(tmp_path_factory.mktemp("new"), seed=1, darkness=0.5)


@pytest.fixture(scope="session")
def initial(tiny, old_root):
    """A step whose network must be copied before it is evolved twice."""
    config = TrainConfig(
        epochs=20, batch_size=4, learning_rate=3e-3, head_factor=1.0, optimiser="adamw",
        schedule="one_cycle", reduction="mean",
    )  # fmt: skip
    examples = tiny.labelled(old_root)
    return initialise(tiny.network(), examples, config, Augmentation(), tiny.context())
