"""Two tiny data sets and a model that has learned the first, made once per session."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from openscenes.data.crops import Augmentation
from openscenes.method.evolution import initialise
from openscenes.method.training import TrainConfig


@pytest.fixture(scope="session")
def tiny():
    return SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))


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
    return initialise(tiny.network(), examples, config, Augmentation(), tiny.shared())
