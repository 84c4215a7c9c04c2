"""How many pairs per second does the training loader make, and how often is an image decoded?

Run: ``make bench``, or ``python tests/bench/bench_loader.py``.  Synthetic images of the official
sizes, crops of 512 px, batches of 16 augmented pairs: a labelled object of VOC (500 x 375 JPEG
with 3) and an object with a pseudo mask, of Cityscapes (2048 x 1024 PNG with 17) or of COCO (640 x
480 JPEG with 7).  The first epoch begins with nothing decoded; a later one is the best of those
that follow, as a training has them.  Decodes are counted over all processes: of an image in the
first epoch, and of all together over every image and epoch.
"""

import os
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

EPOCHS, BATCH = 3, 16
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


def objects(folder, name, *, labelled):
    """Examples of a set, with their ground truth or with pseudo masks."""
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
            given = record if labelled else masks.encode(labels == label)
            middle = Point((box.row0 + box.row1) // 2, (box.col0 + box.col1) // 2)
            made.append(Example(record.object_id, path, Interaction(box, middle), given, 1))
    return made


def measure(folder, name, workers):
    """Pairs per second of the first and of the best later epoch, and decodes of an image."""
    log = Path(os.environ[LOG])
    voc, new = objects(folder, "voc", labelled=True), objects(folder, name, labelled=False)
    pairs = list(zip(islice(cycle(voc), len(new)), new, strict=True))
    seconds, decodes = [], []
    for n_pairs, spent in _epochs(pairs, workers):
        seconds.append(spent / n_pairs)
        decodes.append(len(log.read_text().splitlines()))
    n_images = len({example.image for pair in pairs for example in pair})
    later = (decodes[-1] - decodes[0]) / n_images / (EPOCHS - 1)
    return (1 / seconds[0], decodes[0] / n_images), (1 / min(seconds[1:]), later)


def _epochs(pairs, workers):
    """Pairs and seconds of each epoch, as a training loads it."""
    from openscenes.data.crops import Augmentation, CropConfig
    from openscenes.data.examples import ImageCache
    from openscenes.data.loading import CropSet, Loader, order

    twice = (Augmentation(), Augmentation())
    loader = Loader(CropSet(CropConfig(), twice, ImageCache(8 << 30), 0), workers)
    for epoch in range(EPOCHS):
        items = [(epoch, pairs[i]) for i in order(pairs, 0, epoch)]
        batches = [items[i : i + BATCH] for i in range(0, len(items), BATCH)]
        start = time.perf_counter()
        n_pairs = sum(len(made[0]) for made in loader.epoch(batches))
        yield n_pairs, time.perf_counter() - start
    loader.close()


def main():
    """Print a line for each set and number of processes, each measured by a process of its own."""
    for name in ("cityscapes", "coco"):
        with TemporaryDirectory() as folder:
            for each in ("voc", name):
                write(Path(folder), each)
            print(f"VOC + {name}, load average {os.getloadavg()[0]:.1f}", flush=True)
            for workers in WORKERS:
                own = {"OPENSCENES_CACHE": f"{folder}/cache-{workers}", LOG: f"{folder}/{workers}"}
                command = [sys.executable, __file__, folder, name, str(workers)]
                subprocess.run(command, env=os.environ | own, check=True)


def tell(folder, name, workers):
    """The line of one measurement."""
    epochs = zip(("first", "later"), measure(folder, name, workers), strict=True)
    told = (f"{epoch} epoch {rate:.0f} pairs/s, {decodes:.1f} decodes of an image"
            for epoch, (rate, decodes) in epochs)  # fmt: skip
    print(f"  {workers} workers: {'; '.join(told)}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        tell(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    else:
        main()
