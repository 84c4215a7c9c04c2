"""One thread per process, a cache of the session's own, no accelerator that tests depend on."""

import os

# They count only when set before torch is imported, and kernels that tests start inherit them.
os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0", OMP_NUM_THREADS="1")

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _session_cache(tmp_path_factory):
    """Keep what tests compute out of the user's cache; parallel workers share one folder."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    os.environ["OPENSCENES_CACHE"] = str(root / "openscenes-cache")
    yield
    del os.environ["OPENSCENES_CACHE"]
