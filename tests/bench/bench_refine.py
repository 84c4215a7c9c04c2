"""How much faster is ``refine`` than Eq. 1-6 word for word, per object, and how far off?

Run: ``make bench``, or ``python tests/bench/bench_refine.py [threads ...]``.  The literal version
runs in float32 for the times and in float64 for the errors; at 512 x 512 with 2048 channels it
needs about 7 GB. Times are the best of several calls in this one run.
"""

import sys
import time
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import torch

from openscenes.method.ipt import IPTConfig, refine

literal = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "method" / "literal.py")))
CHANNELS, CELLS = 2048, 32


def best_seconds(call, seconds=1.0):
    """Shortest of the calls that fit into the given time; the first call counts as well."""
    times = []
    while not times or sum(times) < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def scene(size):
    """One object with ReLU-like features that tell it from its background: |z| reaches 100."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[size // 5 : size * 4 // 5, size // 4 : size * 3 // 4] = True
    inside = torch.nn.functional.adaptive_avg_pool2d(mask[None].float(), CELLS)
    shift = 0.35 * torch.randn(CHANNELS, 1, 1, generator=generator)
    noise = torch.randn(CHANNELS, CELLS, CELLS, generator=generator)
    features = (0.3 + noise * 0.7 + inside * shift).relu()
    predicted = mask.clone()
    predicted[: size // 3] = False
    return features, mask, predicted


def fast(features, mask, predicted):
    """Our version of one object."""
    size = mask.shape[0]
    return refine(
        features[None],
        mask[None, None],
        predicted[None, None],
        torch.tensor([[size // 2, size // 2]]),
        IPTConfig(reference_px=size),
        generator=torch.Generator().manual_seed(1),
    )


def slow(features, mask, predicted, center):
    """The literal version of the same object."""
    return literal.refine(features, mask, predicted, center)


def errors(size):
    """Largest differences in confidence from float64, and what literal float32 makes of it."""
    features, mask, predicted = scene(size)
    ours, ours64 = fast(features, mask, predicted), fast(features.double(), mask, predicted)
    truth = slow(features.double(), mask, predicted, ours.center_mask[0, 0])["maps"]
    naive = slow(features, mask, predicted, ours.center_mask[0, 0])["maps"]
    names = tuple(truth)
    far = [max(float((r.confidence[n][0, 0] - truth[n]).abs().max()) for n in names)
           for r in (ours, ours64)]  # fmt: skip
    lost = sum(float(naive[n].isnan().float().mean()) for n in names) / len(names)
    return far[0], far[1], lost


def main(threads):
    """Print one line per number of threads and size."""
    for size in (32, 128):
        single, double, lost = errors(size)
        print(
            f"{CHANNELS} x {CELLS} x {CELLS} -> {size} x {size}: error float32 {single:.1e}, "
            f"float64 {double:.1e}; literal float32 is NaN in {lost:.0%} of the pixels"
        )
    for n_threads in threads:
        torch.set_num_threads(n_threads)
        for size in (32, 512):
            inputs = scene(size)
            center = fast(*inputs).center_mask[0, 0]
            ours = best_seconds(lambda inputs=inputs: fast(*inputs))
            theirs = best_seconds(lambda inputs=inputs, center=center: slow(*inputs, center))
            print(
                f"{n_threads} thread(s), {size} x {size}: refine {1e3 * ours:.2f} ms, literal "
                f"{1e3 * theirs:.1f} ms, ratio {theirs / ours:.0f}"
            )


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [1])
