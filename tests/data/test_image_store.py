"""The store of decoded images: decoded once for a machine, bounded, and never needed."""

import errno
import multiprocessing
import os
import pickle
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from openscenes.data import datasets, image_store
from openscenes.data.examples import ImageCache, labelled_object
from openscenes.data.image_store import ImageStore
from openscenes.errors import DataError

# pycocotools 2.0.11 under NumPy 2; forked processes under Python 3.12
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
SHAPE = (300, 400, 3)  # 360 kB: large enough to be kept
GIB = 1 << 30


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


@pytest.fixture
def image(tmp_path):
    return drawn(tmp_path / "a.png")


def drawn(path, seed=0, shape=SHAPE):
    pixels = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")


def counted(monkeypatch, log):
    """Every decoding of an image adds a line to a file, whichever process does it."""
    read = datasets.read_image

    def read_image(path, *, upright=False):
        with log.open("a") as file:
            file.write(f"{os.getpid()} {path.name}\n")
        return read(path, upright=upright)

    monkeypatch.setattr(datasets, "read_image", read_image)
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


def in_processes(target, *args, n=2):
    fork = multiprocessing.get_context("fork")
    started = [fork.Process(target=target, args=args) for _ in range(n)]
    for one in started:
        one.start()
    return started


def test_an_image_is_decoded_once_and_mapped_for_everybody(image, folder, tmp_path, monkeypatch):
    expected = datasets.read_image(image)
    decodings = counted(monkeypatch, tmp_path / "log")
    caches = [ImageCache(GIB) for _ in range(3)]
    for cache in [*caches, pickle.loads(pickle.dumps(caches[0]))]:
        found = cache.image(image)
        assert np.array_equal(found, expected) and found.flags.c_contiguous
        assert image_store.is_mapped(found) and not found.flags.writeable
        assert cache.image(image) is found
    assert decodings() == 1 and len(files(folder)) == 1


def test_processes_at_once_decode_each_image_once(folder, tmp_path, monkeypatch):
    decodings = counted(monkeypatch, tmp_path / "log")
    images = [drawn(tmp_path / f"{i}.png", i) for i in range(8)]

    def read_all(seed_by_process):
        cache = ImageCache(GIB)
        for i in np.random.default_rng(seed_by_process and os.getpid()).permutation(8):
            assert cache.image(images[i]).shape == SHAPE

    readers = in_processes(read_all, False) + in_processes(read_all, True)
    for one in readers:
        one.join(60)
        assert one.exitcode == 0
    assert decodings() == 8 and len(files(folder)) == 8


def test_a_process_killed_while_it_decodes_holds_nobody_up(image, folder, tmp_path):
    started = tmp_path / "started"

    def decode_for_ever():
        def decode():
            started.touch()
            time.sleep(60)

        ImageStore(GIB).pixels(("a",), decode)

    (one,) = in_processes(decode_for_ever, n=1)
    while not started.exists():
        time.sleep(0.01)
    os.kill(one.pid, signal.SIGKILL)
    one.join()
    start = time.monotonic()
    assert ImageStore(GIB).pixels(("a",), lambda: np.ones(SHAPE, np.uint8)).sum() == 360_000
    assert time.monotonic() - start < 5


def test_nobody_waits_for_ever_for_a_process_that_stands_still(monkeypatch, tmp_path):
    monkeypatch.setattr(image_store, "PATIENCE_S", 0.05)
    ones, store = np.ones(SHAPE, np.uint8), ImageStore(GIB)

    def inside():  # the lock is held by the outer call
        return ImageStore(GIB).pixels(("a",), lambda: ones).copy()

    assert np.array_equal(store.pixels(("a",), inside), ones)


def test_a_file_that_changed_is_decoded_anew(image, folder):
    before = ImageCache(GIB).image(image)
    kept = before.copy()
    drawn(image, seed=1)
    after = ImageCache(GIB).image(image)
    assert np.array_equal(after, datasets.read_image(image)) and not np.array_equal(after, kept)
    assert np.array_equal(before, kept)
    assert len(files(folder)) == 2


def test_another_decoder_takes_no_file_of_the_old_one(image, folder, monkeypatch):
    ImageCache(GIB).image(image)
    monkeypatch.setattr(image_store, "_decoders", lambda: "another")
    ImageCache(GIB).image(image)
    assert len(files(folder)) == 2


DAMAGE = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "empty": lambda path: path.write_bytes(b""),
    "no pixels": lambda path: path.write_bytes(b"not one pixel" * 40),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_noticed_and_made_anew(kind, image, folder):
    expected = ImageCache(GIB).image(image).copy()
    (path,) = files(folder)
    whole = path.read_bytes()
    path.unlink()  # a file that is mapped is never cut, always replaced
    path.write_bytes(whole)
    DAMAGE[kind](path)
    assert np.array_equal(ImageCache(GIB).image(image), expected)
    assert path.read_bytes() == whole


def test_the_bound_holds_and_the_image_used_last_stays(folder, tmp_path, monkeypatch):
    decodings = counted(monkeypatch, tmp_path / "log")
    images = [drawn(tmp_path / f"{i}.png", i) for i in range(12)]
    bound, mapped = 2_000_000, []
    for i, path in enumerate(images):
        mapped.append(ImageCache(bound).image(path))
        ImageCache(bound).image(images[0])
        assert sum(file.stat().st_size for file in files(folder)) <= bound, i
    assert decodings() == 12
    for path, pixels in zip(images, mapped, strict=True):  # evicted, but still open
        assert np.array_equal(pixels, datasets.read_image(path))
    assert ImageStore(1000).pixels(("b",), lambda: np.ones(SHAPE, np.uint8)).sum() == 360_000


def test_a_disk_that_is_nearly_full_is_left_to_what_is_trained(
    folder, tmp_path, monkeypatch, capsys
):
    spare = 1_000_000

    def usage(_folder):
        taken = sum(path.stat().st_size for path in files(folder))
        return SimpleNamespace(total=1 << 40, free=image_store.SPARED_BYTES + spare - taken)

    monkeypatch.setattr(image_store.shutil, "disk_usage", usage)
    cache = ImageCache(GIB)
    images = [drawn(tmp_path / f"{seed}.png", seed) for seed in range(6)]
    for path in images:
        assert np.array_equal(cache.image(path), datasets.read_image(path))
        assert 0 < sum(path.stat().st_size for path in files(folder)) <= spare
    assert capsys.readouterr().err == ""
    spare, last = 0, drawn(tmp_path / "b.png", 9)
    assert np.array_equal(ImageCache(GIB).image(last), datasets.read_image(last))
    assert "No space left on device" in capsys.readouterr().err


def test_small_images_and_those_of_a_user_are_not_stored(folder, tmp_path):
    small, own = drawn(tmp_path / "s.png", shape=(90, 120, 3)), drawn(tmp_path / "own.png")
    cache = ImageCache(GIB)
    assert cache.image(small).shape == (90, 120, 3)
    assert cache.image(own, upright=True).shape == SHAPE
    assert ImageCache().image(own).shape == SHAPE
    assert files(folder) == []
    with pytest.raises(DataError, match="missing"):
        cache.image(tmp_path / "none.png")


def refusing(code):
    def refuse(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("step", ["write", "rename"])
def test_on_a_full_disk_images_are_decoded_which_is_said_once(
    step, folder, tmp_path, monkeypatch, capsys
):
    module, name = (np.lib.format, "write_array") if step == "write" else (Path, "replace")
    images = [drawn(tmp_path / f"{i}.png", i) for i in range(3)]
    with monkeypatch.context() as patched:
        patched.setattr(module, name, refusing(errno.ENOSPC))
        cache = ImageCache(GIB)
        for path in images:
            assert np.array_equal(cache.image(path), datasets.read_image(path))
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "(No space left on device); they are decoded again" in said
    assert files(folder) == []
    monkeypatch.setattr(image_store.time, "monotonic", lambda: sys.maxsize)  # there is room again
    cache.image(drawn(tmp_path / "late.png"))
    assert len(files(folder)) == 1


def test_a_cache_on_a_disk_that_is_read_only_is_read(image, tmp_path, monkeypatch, capsys):
    ImageCache(GIB).image(image)
    other = drawn(tmp_path / "other.png", 1)
    expected, cache = datasets.read_image(other), ImageCache(GIB)
    for module, name in ((os, "open"), (os, "utime"), (Path, "mkdir"), (image_store, "atomic")):
        monkeypatch.setattr(module, name, refusing(errno.EROFS))
    assert image_store.is_mapped(cache.image(image))
    assert np.array_equal(cache.image(other), expected)
    assert "(Read-only file system)" in capsys.readouterr().err


def test_a_label_map_is_decoded_once_for_all_its_objects(tmp_path, folder, monkeypatch):
    image = drawn(tmp_path / "a.png", shape=(600, 800, 3))
    labels = np.zeros((600, 800), np.uint8)
    labels[100:200, 300:500], labels[10, 10] = 1, 255
    Image.fromarray(labels).save(tmp_path / "m.png")
    example = labelled_object(image, tmp_path / "m.png", (90, 290, 210, 510), (150, 400), 3)
    ImageCache(GIB).supervision(example)
    monkeypatch.setattr(datasets, "label_map", lambda source: pytest.fail("decoded again"))
    cache = ImageCache(GIB)
    assert cache.box(example) == (100, 300, 200, 500)
    mask, void = cache.supervision(example, (95, 295, 205, 505))
    assert mask.sum() == 20_000 and mask.shape == void.shape == (110, 210) and not void.any()
    assert cache.void(example).sum() == 1 and np.array_equal(cache.mask(example), labels == 1)
    assert len(files(folder)) == 1
