"""Python reads this first where the folder is on its path: each step of a training is slow.

Each is kept, writes "process, folder, epoch, step" to $SLOW_LOG and waits $SLOW_S seconds.
"""

import os
import sys
import time
from importlib.machinery import PathFinder
from pathlib import Path

NAME = "openscenes.networks.checkpoints"


class Slow:
    """Changes the module once it is imported, so that all else stays quick."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """The usual way to the module, and what is changed of it afterwards."""
        if name != NAME or float(os.environ.get("SLOW_S", "0")) == 0:
            return None
        spec = PathFinder.find_spec(name, path, target)
        usual = spec.loader.exec_module

        def exec_module(module):
            usual(module)
            slow(module)

        spec.loader.exec_module = exec_module
        return spec


def slow(module):
    """Every step is kept, told and waited for."""
    module.PAUSE_S, module.WRITING_SHARE = 0.0, float("inf")
    keep = module.Keeper.keep

    def kept(keeper, state):
        keep(keeper, state)
        with Path(os.environ["SLOW_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()} {keeper.path.parent.name} {state.epoch} {state.step}\n")
        time.sleep(float(os.environ["SLOW_S"]))

    module.Keeper.keep = kept


sys.meta_path.insert(0, Slow)
