"""How many pairs per second does the training loader make, and how often is an image decoded?

Run: ``make bench``, or ``BASE=path/to/another/checkout python tests/bench/bench_loader.py``.
Synthetic images of the official sizes, crops of 512 px, batches of 16 augmented pairs: a labelled
object of VOC (500 x 375 JPEG with 3) and an object with a pseudo mask, of Cityscapes (2048 x 1024
PNG with 17) or of COCO (640 x 480 JPEG with 7).  The first epoch begins with nothing decoded; a
later one is the best of those that follow, as a training has them.  Decodes are counted over all
processes: of an image in the first epoch, and of all together over every image and epoch.  With
BASE that checkout's code takes its turns, and ratios to it are printed.  A loader without
processes keeps what it decoded, in both, since so few images fit into memory.
"""

import json
import os
import sys
import time
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from bench_scoring import LIB, run

ROUNDS, EPOCHS, BATCH = 2, 3, 16
WORKERS = (0, 2, 4)
SIZES = {"voc": (375, 500, 3, 60), "cityscapes": (1024, 2048, 17, 12), "coco": (480, 640, 7, 24)}
LOG = "BENCH_DECODES"  # the file in which processes tell what they decode


def counted():
    """Let this process tell of every image that it decodes."""
    from openscenes.data import datasets

    read = datasets.read_image

    def read_image(path, **how):
        with Path(os.environ[LOG]).open("a", encoding="utf-8") as log:
            log.write(f"{path}\n")
        return read(path, **how)

    datasets.read_image = read_image


if LOG in os.environ:  # loader processes import this file again
    counted()


def write(folder, name):
    """Pictures with detail at three scales, and label maps of ellipses."""
    import cv2

    height, width, n_objects, n_images = SIZES[name]
    for number in range(n_images):
        rng = np.random.default_rng(number)
        image = rng.normal(120, 1.2, (height, width, 3)).astype(np.float32)
        for step, spread in ((128, 40), (32, 30), (8, 15)):
            coarse = rng.normal(0, spread, (height // step + 2, width // step + 2, 3))
            image += cv2.resize(coarse.astype(np.float32), (width, height), interpolation=2)
        labels = np.zeros((height, width), np.uint8)
        for label in range(1, n_objects + 1):
            axes = (rng.uniform(0.02, 0.14, 2) * [width, height]).astype(int) + 6
            centre = (rng.uniform(0.1, 0.9, 2) * [width, height]).astype(int)
            cv2.ellipse(labels, centre.tolist(), axes.tolist(), 0, 0, 360, label, -1)
        suffix = "png" if name == "cityscapes" else "jpg"
        cv2.imwrite(str(folder / f"{name}-{number}.png"), labels)
        cv2.imwrite(
            str(folder / f"{name}-{number}-image.{suffix}"), image.clip(0, 255).astype(np.uint8)
        )


def objects(folder, name):
    """Examples of a set: labelled ones of VOC, pseudo masks of the others."""
    from openscenes import masks
    from openscenes.data.datasets.labels import read_labels, regions
    from openscenes.data.examples import Example
    from openscenes.data.records import Interaction, MaskSource, ObjectRecord, Point

    made = []
    for path in sorted(folder.glob(f"{name}-*-image.*")):
        mask = folder / f"{path.stem.removesuffix('-image')}.png"
        labels = read_labels(mask)
        for label, box, area in regions(labels):
            source = MaskSource("voc", mask, label)
            record = ObjectRecord("bench", mask.stem, f"{mask.stem}/{label}", "thing", box, area,
                                  path, source)  # fmt: skip
            given = record if name == "voc" else masks.encode(labels == label)
            middle = Point((box.row0 + box.row1) // 2, (box.col0 + box.col1) // 2)
            made.append(Example(record.object_id, path, Interaction(box, middle), given, 1))
    return made


def measure(folder, name, workers):
    """Pairs per second of the first and of the best later epoch, decodes, a sum of all crops."""
    log = Path(os.environ[LOG])
    log.unlink(missing_ok=True)
    voc, new = objects(folder, "voc"), objects(folder, name)
    pairs = list(zip(islice(cycle(voc), len(new)), new, strict=True))
    seconds, first, total = [], 0, 0
    for n_pairs, spent, checksum in _epochs(pairs, workers):
        seconds.append(spent / n_pairs)
        total += checksum
        if len(seconds) == 1:
            first = len(log.read_text().splitlines())
    n_images = len({example.image for pair in pairs for example in pair})
    every = len(log.read_text().splitlines())
    return {
        "first": 1 / seconds[0], "later": 1 / min(seconds[1:]), "decodes": first / n_images,
        "decodes later": (every - first) / n_images / (EPOCHS - 1), "sum": total,
    }  # fmt: skip


def _epochs(pairs, workers):
    """Pairs, seconds and a sum of each epoch, as a training loads it."""
    from openscenes.data.crops import Augmentation, CropConfig
    from openscenes.data.examples import ImageCache

    cache, twice = ImageCache(8 << 30), (Augmentation(), Augmentation())
    try:
        from openscenes.data.loading import CropSet, Loader, order
    except ImportError:
        yield from _old_epochs(pairs, workers, cache, twice)
        return
    loader = Loader(CropSet(CropConfig(), twice, cache, 0), workers)
    for epoch in range(EPOCHS):
        items = [(epoch, pairs[i]) for i in order(pairs, 0, epoch)]
        batches = [items[i : i + BATCH] for i in range(0, len(items), BATCH)]
        yield _timed(partial(loader.epoch, batches))
    loader.close()


def _old_epochs(pairs, workers, cache, twice):
    """The same by a loader for each epoch, as before there was ``data.loading``."""
    from torch.utils.data import DataLoader

    from openscenes.data.crops import CropConfig
    from openscenes.data.samples import CropSet, collate, order

    def slots(items):
        return [collate(slot) for slot in zip(*items, strict=True)]

    for epoch in range(EPOCHS):
        crops, at = CropSet(pairs, CropConfig(), twice, cache, 0, epoch), order(pairs, 0, epoch)
        batches = [at[i : i + BATCH] for i in range(0, len(at), BATCH)]
        how = {"num_workers": workers, "collate_fn": slots}
        yield _timed(partial(DataLoader, crops, batch_sampler=batches, **how))


def _timed(load):
    start, n_pairs, checksum = time.perf_counter(), 0, 0
    for batches in load():
        n_pairs += len(batches[0])
        checksum += sum(int(batch.images[:, :, ::9, ::9].sum()) for batch in batches)
        checksum += sum(int(batch.masks.sum()) for batch in batches)
    return n_pairs, time.perf_counter() - start, checksum


def best(rounds, code):
    """Of a code's turns, the highest rates and the most decodes."""
    return {name: max(each[code][name] for each in rounds) for name in rounds[0][code]}


def main():
    """Print a line for each set, number of processes and code."""
    base = os.environ.get("BASE")
    codes = ({"BASE": Path(base).resolve() / "lib"} if base else {}) | {"this": LIB}
    for name in ("cityscapes", "coco"):
        with TemporaryDirectory() as folder:
            for each in ("voc", name):
                write(Path(folder), each)
            print(f"VOC + {name}, load average {os.getloadavg()[0]:.1f}", flush=True)
            for workers in WORKERS:
                rounds = [
                    {code: _turn(lib, folder, name, workers) for code, lib in codes.items()}
                    for _ in range(ROUNDS)
                ]
                assert len({one["sum"] for each in rounds for one in each.values()}) == 1, rounds
                for code in codes:
                    _print(
                        f"{workers} workers, {code}",
                        best(rounds, code),
                        best(rounds, next(iter(codes))),
                    )


def _turn(lib, folder, name, workers):
    with TemporaryDirectory() as cache:
        os.environ |= {"OPENSCENES_CACHE": cache, LOG: f"{cache}/decodes"}
        return run(lib, folder, name, workers, script=__file__)


def _print(title, found, base):
    """A line of rates, each with how many times that of the first code it is."""
    print(f"  {title}: " + "; ".join(
        f"{epoch} epoch {found[epoch]:.0f} pairs/s ({found[epoch] / base[epoch]:.1f} times), "
        f"{found[decodes]:.1f} decodes of an image"
        for epoch, decodes in (("first", "decodes"), ("later", "decodes later"))
    ), flush=True)  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
    else:
        main()
