"""Life-long evolution of an interactive segmentation model: a reproducible study.

Paper: Gan et al., *Interact with Open Scenes: A Life-long Evolution Framework for Interactive
Segmentation Models*, MM '22.

Imports go one way: ``synthetic`` -> ``data`` -> ``networks`` -> ``method`` -> ``peers``,
``prediction`` -> ``study`` -> ``widgets`` -> ``lessons``, ``annotator``.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Two OpenMP threads that spin while a third process wants a core are nine times slower than
# two that sleep; the variables count only when set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from openscenes.method.evolution import evolve, initialise
    from openscenes.method.ipt import refine
    from openscenes.method.prototypes import confidence_maps
    from openscenes.prediction.predict import predict

__all__ = ["__version__", "confidence_maps", "evolve", "initialise", "predict", "refine"]

_MODULES = {
    "confidence_maps": "openscenes.method.prototypes",
    "evolve": "openscenes.method.evolution",
    "initialise": "openscenes.method.evolution",
    "predict": "openscenes.prediction.predict",
    "refine": "openscenes.method.ipt",
}


def __getattr__(name: str) -> Any:
    """Import torch and the rest of the package only for those who use it."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
