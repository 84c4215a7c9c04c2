"""How many objects per second are scored, where the network costs nothing?

Run: ``make bench``, or ``BASE=path/to/another/checkout python tests/bench/bench_scoring.py``.
Synthetic images of the official sizes (2048 x 1024 PNG with 17 objects, 640 x 480 JPEG with 7),
crops of 512 px, all of an image's ellipses predicted a little beside their place.  Masks: read,
cut, paste, compare.  Clicks: the same, and five corrections of a simulated user.  Each line is the
best of several passes with a new image cache, by processes that alternate; with BASE that
checkout's code takes its turns too, and ratios to it are printed.
"""

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

ROUNDS, PASSES, SIZE, CORRECTIONS = 2, 2, 512, 5
SETS = {"2048x1024, 17 objects": (1024, 2048, 17, 10), "640x480, 7 objects": (480, 640, 7, 30)}
LIB = Path(__file__).resolve().parents[2] / "lib"


def write(folder, height, width, n_objects, n_images):
    """Noisy images, and label maps of ellipses, in small images with void around them."""
    import cv2
    import numpy as np

    for number in range(n_images):
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 128, (height // 8, width // 8, 3), np.uint8)
        fine = rng.integers(0, 60, (height, width, 3), np.uint8)
        image = cv2.resize(coarse, (width, height)) + fine
        labels = np.zeros((height, width), np.uint8)
        for label in range(1, n_objects + 1):
            axes = (rng.uniform(0.02, 0.14, 2) * [width, height]).astype(int) + 6
            centre = rng.uniform(0.1, 0.9, 2) * [width, height]
            shape = centre.astype(int).tolist(), axes.tolist(), 0, 0, 360
            cv2.ellipse(labels, *shape, label, -1)
            if height < 500:
                cv2.ellipse(labels, *shape, 255, 5)
        cv2.imwrite(str(folder / f"{number}.png"), labels)
        cv2.imwrite(str(folder / f"{number}-image{'.png' if height > 500 else '.jpg'}"), image)


def objects(folder, kind):
    """The examples of a folder's images."""
    import numpy as np

    from openscenes.data.datasets.labels import read_labels, regions
    from openscenes.data.examples import Example
    from openscenes.data.records import Interaction, MaskSource, ObjectRecord, Point

    made = []
    for path in sorted(folder.glob("*-image.*")):
        mask = folder / f"{path.stem.removesuffix('-image')}.png"
        for label, box, area in regions(read_labels(mask)):
            if label == 255:
                continue
            name = f"{mask.stem}/{label}"
            record = ObjectRecord("bench", mask.stem, name, "thing", box, area, path,
                                  MaskSource(kind, mask, label))  # fmt: skip
            middle = Point(*np.round([(box.row0 + box.row1) / 2, (box.col0 + box.col1) / 2]))
            made.append(Example(name, path, Interaction(box, middle), record, 1))
    return made


def ellipses():
    """Soft ellipses in the middle of a crop, (1, SIZE, SIZE) each, another after each click."""
    import torch

    grid = torch.linspace(-1, 1, SIZE)
    made = []
    for shift in (0.1, -0.07, 0.05, -0.03, 0.02):
        radius = ((grid[:, None] - shift) / 0.8).square() + ((grid + shift) / 0.8).square()
        made.append(torch.sigmoid(12 * (1 - radius))[None])
    return made


def measure(folder, kind, workers):
    """Objects per second of masks and of clicks, and a sum of all scores."""
    from openscenes.data.examples import ImageCache
    from openscenes.method import inference
    from openscenes.networks.devices import make_fabric
    from openscenes.study.runs.data import Study

    profile = _profile(workers)
    examples, answers = objects(folder, kind), ellipses()
    network = SimpleNamespace(config=None)
    network.to, network.eval = lambda _device: network, lambda: network
    model = SimpleNamespace(load=lambda _study: network, label="nothing")
    labelled = SimpleNamespace(examples=examples, index=SimpleNamespace(scene="bench"))

    def answer(_network, batch, *_):
        probability = answers[0].expand(len(batch), 1, SIZE, SIZE)
        mask = probability > 0.5
        return inference.Prediction(probability, mask, probability, None, None, probability)

    inference._predict = answer
    best, total = {"masks": 0.0, "clicks": 0.0}, 0.0
    for _ in range(1 + PASSES):
        study = Study(profile, folder, make_fabric("cpu"), ImageCache())
        for name, score in (("masks", _masks), ("clicks", _clicks)):
            start = time.perf_counter()
            scores = score(study, model, labelled, answers)
            best[name] = max(best[name], len(examples) / (time.perf_counter() - start))
            total += math.fsum(scores.ravel())
    return best | {"sum": total}


def _profile(workers):
    try:
        from openscenes.study.options import profile_named
    except ImportError:
        from openscenes.study.profiles import profile_named
    profile = profile_named("paper")
    return replace(profile, workers=workers) if hasattr(profile, "workers") else profile


def _masks(study, model, labelled, _answers):
    from openscenes.study.scores import masks

    return masks._score(study, model, labelled, {}, study.profile.inference)["iou"].to_numpy()


def _clicks(study, _model, labelled, answers):
    import numpy as np
    import torch

    from openscenes.study.scores import click_systems, clicks

    class Predictor:
        def __init__(self, chunk, pool=()):
            self.crops, self.given = (
                click_systems._Crops(study, study.profile.crop, chunk, *pool),
                0,
            )

        def predict(self, given, _thresholds=()):
            with torch.inference_mode():
                self.given += 1
                maps = answers[self.given % len(answers)].expand(len(given), 1, SIZE, SIZE)
                return getattr(self.crops, "maps", getattr(self.crops, "pasted", None))(maps)

    system = SimpleNamespace(protocol_clicks=3, corrects=True)
    curves = []
    old = not hasattr(click_systems._Crops, "maps")
    system.look = lambda chunk, *pool: Predictor(chunk, pool)
    with _nothing() if old else _pool(study) as pool:
        for start in range(0, len(labelled.examples), 32):
            chunk = labelled.examples[start : start + 32]
            args = (study if old else pool, system, chunk, [0.5] * len(chunk), 1 + CORRECTIONS)
            curves.append(clicks._curves(*args))
    return np.concatenate(curves)


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


def _pool(study):
    from openscenes.study.runs.models import run_context

    return run_context(study).pool()


def run(lib, *arguments, script=__file__):
    """One measurement by the code of a checkout, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(lib)}
    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Print a line per set, code and number of processes."""
    base = os.environ.get("BASE")
    codes = {"0 workers": (LIB, 0), "2 workers": (LIB, 2)}
    if base:
        codes = {"BASE": (Path(base).resolve() / "lib", 0)} | codes
    for name, (height, width, n_objects, n_images) in SETS.items():
        kind = "cityscapes" if height > 500 else "voc"
        with TemporaryDirectory() as folder:
            os.environ["OPENSCENES_CACHE"] = f"{folder}/cache"
            write(Path(folder), height, width, n_objects, n_images)
            rounds = [
                {code: run(lib, folder, kind, n) for code, (lib, n) in codes.items()}
                for _ in range(ROUNDS)
            ]
        print(f"{name}, {SIZE} px crops, load average {os.getloadavg()[0]:.1f}")
        assert len({one["sum"] for each in rounds for one in each.values()}) == 1, rounds
        for code in codes:
            rates = {kind: max(each[code][kind] for each in rounds) for kind in ("masks", "clicks")}
            first = {kind: max(each[next(iter(codes))][kind] for each in rounds) for kind in rates}
            print("  " + code + "".join(
                f"; {kind} {rate:.0f} objects/s ({rate / first[kind]:.1f} times)"
                for kind, rate in rates.items()
            ))  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
    else:
        main()
