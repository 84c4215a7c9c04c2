"""Loading: what an object's sample is does not depend on who cuts it, when and beside what."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from openscenes.data import interactions
from openscenes.data.crops import Augmentation
from openscenes.data.examples import Example, ImageCache
from openscenes.data.loading import CropSet, Loader, order, plan_of_epoch
from openscenes.data.records import Box, Point
from openscenes.data.samples import cut
from openscenes.errors import InputError, TrainingError

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))
STILL = Augmentation(flip=False, rotation_deg=0.0, zoom_min=1.0, zoom_max=1.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tiny.write_voc(tmp_path_factory.mktemp("voc"))


@pytest.fixture(scope="module")
def examples(root):
    return tiny.labelled(root)


def crop_set(examples_of_a_group=1, seed=0, **changes):
    augmentations = (tiny.AUGMENTATION,) * examples_of_a_group
    return CropSet(tiny.CROP, augmentations, ImageCache(), seed, **changes)


def loaded(groups, *, epoch=0, seed=0, positions=None, workers=0):
    """Batches of one by position, cut in the given order by so many processes."""
    loader = Loader(crop_set(len(groups[0]), seed), workers)
    positions = list(range(len(groups))) if positions is None else positions
    batches = loader.epoch([[(epoch, groups[position])] for position in positions])
    found = dict(zip(positions, batches, strict=True))
    loader.close()
    return found


def same(one, other):
    return all(
        np.array_equal(getattr(a, field.name), getattr(b, field.name))
        for a, b in zip(one, other, strict=True)
        for field in dataclasses.fields(a)
    )


def test_the_same_object_is_the_same_sample_in_any_order_and_process(examples):
    groups = [(example,) for example in examples]
    plain, backwards = loaded(groups), loaded(groups, positions=list(range(12))[::-1])
    by_two = loaded(groups, workers=2)
    for position in range(12):
        assert same(plain[position], backwards[position])
        assert same(plain[position], by_two[position])
    fewer = loaded(groups[7:])
    assert same(plain[7], fewer[0])


def test_seed_epoch_and_object_each_change_what_is_drawn(examples):
    groups = [(examples[0],), (replace(examples[0], object_id="another"),)]
    plain = loaded(groups)
    assert not same(plain[0], loaded(groups, epoch=1)[0])
    assert not same(plain[0], loaded(groups, seed=1)[0])
    assert not same(plain[0], plain[1])


def test_the_two_of_a_pair_are_drawn_apart(examples):
    (old, new), _ = loaded([(examples[0], examples[0]), (examples[1], examples[2])]).values()
    assert not same([old], [new])


def test_each_slot_has_its_own_augmentation(examples):
    pair = (examples[0], examples[0])
    cutting = replace(crop_set(), augmentations=(STILL, tiny.AUGMENTATION))
    still, turned = cutting[0, pair]
    plain = cut(examples[0], tiny.CROP, ImageCache())
    assert np.allclose(still.affine, plain.affine)
    assert not np.allclose(turned.affine, plain.affine)
    none = replace(cutting, augmentations=(None, None))[0, pair]
    assert same([replace(sample, draw=0) for sample in none], [plain, plain])


def test_clicks_are_made_of_the_samples_own_draw_and_epoch(examples):
    def clicked(sample, epoch):
        clicks = np.full((1, 3), sample.draw % 97, np.float32)
        return replace(sample, clicks=clicks, rounds=epoch)

    cutting = crop_set(clicks=clicked)
    (batch,) = cutting.__getitems__([(3, (example,)) for example in examples[:2]])
    draws = [cutting[3, (example,)][0].draw for example in examples[:2]]
    assert batch.clicks[:, 0, 0].tolist() == [draw % 97 for draw in draws]
    assert batch.rounds == (3, 3)


def pid_of(sample, _epoch):
    """In place of clicks, the process that cut the sample."""
    return replace(sample, rounds=os.getpid())


def threads_of(sample, _epoch):
    return replace(sample, rounds=100 * cv2.getNumThreads() + torch.get_num_threads())


def test_the_same_processes_serve_every_epoch_and_end_with_the_loader(examples):
    loader = Loader(crop_set(clicks=pid_of), 2)
    epochs = [
        {batch.rounds[0] for (batch,) in loader.epoch([[(epoch, (one,))] for one in examples])}
        for epoch in range(3)
    ]
    assert epochs[0] == epochs[1] == epochs[2]
    assert len(epochs[0]) == 2 and os.getpid() not in epochs[0]
    loader.close()
    assert gone(epochs[0])


def gone(pids, within_s=20.0):
    until = time.monotonic() + within_s
    while any(map(alive, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def alive(pid):
    """Whether a process runs; one that has ended and is not yet collected does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_each_process_has_one_thread(examples):
    loader = Loader(crop_set(clicks=threads_of), 1)
    ((batch,),) = loader.epoch([[(0, (examples[0],))]])
    loader.close()
    assert batch.rounds == (101,)


def test_a_killed_process_is_said_in_one_sentence(examples):
    loader = Loader(crop_set(clicks=pid_of), 1)
    batches = loader.epoch([[(0, (one,))] for one in examples])
    os.kill(next(batches)[0].rounds[0], signal.SIGKILL)
    with pytest.raises(
        TrainingError, match=r"loads crops was killed[^\n]+WORKERS=1; the same[^\n]+$"
    ):
        list(batches)
    loader.close()


DYING = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from openscenes.data import crops, examples, loading

def pid_of(sample, _epoch):
    return replace(sample, rounds=os.getpid())

if __name__ == "__main__":
    tiny = run_path(sys.argv[1])
    found = tiny["labelled"](Path(sys.argv[2]))
    cutting = loading.CropSet(tiny["CROP"], (None,), examples.ImageCache(), 0, pid_of)
    batches = loading.Loader(cutting, 2).epoch([[(0, (one,))] for one in found])
    print(*{batch.rounds[0] for (batch,) in batches}, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_processes_end_with_the_one_that_reads_however_it_dies(root, tmp_path):
    script = tmp_path / "dying.py"
    script.write_text(DYING)
    run = subprocess.run(
        [sys.executable, script, Path(__file__).parents[1] / "tiny.py", root], capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    pids = [int(pid) for pid in run.stdout.split()]
    assert len(pids) == 2 and run.returncode == -signal.SIGKILL, run.stderr
    assert gone(pids)


@pytest.mark.parametrize(
    ("n", "slots", "micro_batch", "devices", "sizes"),
    [
        (10, 1, 0, 1, [[4], [4], [2]]),
        (9, 1, 0, 1, [[4], [4]]),
        (9, 1, 3, 1, [[2, 2], [2, 2]]),
        (9, 1, 2, 2, [[4], [4]]),
        (7, 1, 2, 1, [[2, 2], [3]]),
        (5, 2, 2, 1, [[1, 1, 1, 1]]),
        (6, 2, 2, 2, [[2, 2], [2]]),
        (4, 1, 2, 4, [[4]]),
        (6, 1, 0, 4, [[4]]),
    ],
    ids=["whole", "a last one", "parts", "two devices", "no part of one", "pairs",
         "pairs on two", "one crop each", "too few for four"],
)  # fmt: skip
def test_a_plan_of_batches_in_parts(n, slots, micro_batch, devices, sizes):
    items = [(0, (number,)) for number in range(n)]
    plan = plan_of_epoch(items, slots, 4, micro_batch, devices)
    assert [[len(part) for part in batch] for batch in plan] == sizes
    flat = [item for batch in plan for part in batch for item in part]
    assert flat == items[: len(flat)]


@pytest.mark.parametrize(("n", "size", "devices"), [(1, 4, 1), (0, 4, 1), (9, 4, 5), (3, 8, 4)])
def test_a_plan_without_a_batch_is_refused(n, size, devices):
    told = f"{n} objects in batches of {size} make no batch for {devices} .*fewer devices"
    with pytest.raises(InputError, match=told):
        plan_of_epoch([(0, ())] * n, 1, size, 0, devices)


def groups_on(images):
    interaction = interactions.Interaction(Box(0, 0, 1, 1), Point(0, 0))
    return [
        (Example(f"{name}/{i}", Path(name), interaction, None),) for i, name in enumerate(images)
    ]


def test_an_epochs_order_is_a_permutation_that_seed_and_epoch_decide():
    groups = groups_on("aabbbcdeef")
    plain = order(groups, 0, 0)
    assert sorted(plain) == list(range(10))
    assert plain == order(groups, 0, 0)
    assert plain != order(groups, 0, 1)
    assert plain != order(groups, 1, 0)
    assert order([], 0, 0) == []


@pytest.mark.parametrize("window", [1, 3])
def test_an_images_objects_stay_near_each_other(window):
    groups = groups_on("abcdefgh" * 4)
    images = ["abcdefgh"[index % 8] for index in order(groups, 0, 0, window=window)]
    blocks = [set(images[start : start + 4 * window]) for start in range(0, 32, 4 * window)]
    assert all(len(block) <= window for block in blocks)
    assert set.union(*blocks) == set("abcdefgh")


def test_pairs_are_grouped_by_the_new_objects_image():
    old, new = groups_on("abcdefgh"), groups_on("xxxxyyyy")
    pairs = [(a, b) for (a,), (b,) in zip(old, new, strict=True)]
    images = ["xy"[index // 4] for index in order(pairs, 0, 0, window=1)]
    assert images in (["x"] * 4 + ["y"] * 4, ["y"] * 4 + ["x"] * 4)
