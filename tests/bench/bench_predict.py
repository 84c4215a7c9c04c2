"""How long does one answer take, cold and warm, in bf16 and in fp32?

Run: ``make bench``, or ``python tests/bench/bench_predict.py [threads]``.  A ResNet-101 at 512 px
with random weights is written as a model file and asked about a 512 x 512 picture.  Cold is the
first call: reading the file, building the network, the first kernels.  Warm is the median of
calls that alternate between the precisions, so that another program's load falls on both.  The
process's own CPU seconds divided by its threads stand beside: on a busy machine they come near
to what the clock would show on a quiet one.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from openscenes import predict
from openscenes.data.crops import CropConfig
from openscenes.data.interactions import ClickConfig
from openscenes.networks.config import NetworkConfig
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import save_weights
from openscenes.prediction.model_files import description

SIDE, WARM_CALLS = 512, 12
BOX, POINT = (100, 120, 400, 420), (250, 270)
PRECISIONS = ("bf16", "fp32")


def model_file(folder):
    """A file of random weights."""
    config = NetworkConfig()
    path = Path(folder) / "model.safetensors"
    about = description(config, CropConfig(), ClickConfig())
    save_weights(OpenSceneNet(config), path, about)
    return path


def timed(call):
    """Seconds by the clock, and CPU seconds per thread."""
    clock, cpu = time.perf_counter(), time.process_time()
    call()
    threads = torch.get_num_threads()
    return time.perf_counter() - clock, (time.process_time() - cpu) / threads


def main(threads):
    """Print one line per precision, and their ratio."""
    torch.set_num_threads(threads)
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = model_file(folder)

        def ask(precision):
            return timed(
                lambda: predict(image, BOX, POINT, model=path, device="cpu", precision=precision)
            )

        cold = {precision: ask(precision)[0] for precision in PRECISIONS}
        warm = {precision: [] for precision in PRECISIONS}
        for _ in range(WARM_CALLS):
            for precision in PRECISIONS:
                warm[precision].append(ask(precision))
    print(f"ResNet-101, {SIDE} px, {threads} thread(s), load average {os.getloadavg()[0]:.1f}")
    median = {}
    for precision, calls in warm.items():
        median[precision], cpu = (statistics.median(times) for times in zip(*calls, strict=True))
        print(
            f"{precision}: cold {cold[precision]:.2f} s, warm {median[precision]:.3f} s (median "
            f"of {WARM_CALLS}, best {min(calls)[0]:.3f}), CPU per thread {cpu:.3f} s"
        )
    print(f"fp32 / bf16, warm: {median['fp32'] / median['bf16']:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1)
