"""Official data sets from a small server: fetched, continued, compared, unpacked and counted."""

import errno
import hashlib
import io
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from runpy import run_path

import pytest
from torchvision.datasets import sbd, voc

from openscenes import downloads
from openscenes.__main__ import main
from openscenes.errors import DataError, InputError, WeightsError
from openscenes.networks import weights
from openscenes.study.fetch import fetch as fetching
from openscenes.study.fetch import overview as saying
from openscenes.study.fetch.catalogue import SETS
from openscenes.study.fetch.fetch import fetch, named_sets
from openscenes.study.fetch.overview import overview
from openscenes.study.fetch.unpack import unpack
from openscenes.study.fetch.whole import lacking
from openscenes.study.plan.requirements import OBJECTS
from openscenes.study.profiles import DEMO, PAPER, STUDY
from openscenes.synthetic import write_scenes
from openscenes.synthetic.generate import SceneSizes

serving = run_path(str(Path(__file__).parents[1] / "serving.py"))["serving"]
IMAGES = {
    "voc": {"train": 2, "val": 1}, "sbd": {"train": 2, "val": 1}, "coco-train": {"train2017": 2},
    "coco-val": {"val2017": 1}, "cityscapes": {"train": 1, "val": 1},
}  # fmt: skip
ARCHIVES = list(dict.fromkeys(archive for one in SETS.values() for archive in one.archives))


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Archives of synthetic scenes in the official layouts, by the official names."""
    root = tmp_path_factory.mktemp("official") / "scenes"
    write_scenes(root, sizes=SceneSizes(2, 1, 3, 1, 1, 2, 1))
    return {archive.name: packed(root, archive) for archive in ARCHIVES}


def packed(root, archive):
    """The archive's bytes: the folder as it lies in it, and a file beside that is not needed."""
    content, below = io.BytesIO(), root / archive.place
    files = {f"{archive.folder}/{p.relative_to(below)}": p.read_bytes()
             for p in sorted(below.rglob("*")) if p.is_file()}  # fmt: skip
    files["README.txt"] = b"not needed"
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(content, "w") as zipped:
            for name, text in files.items():
                zipped.writestr(name, text)
    else:
        with tarfile.open(fileobj=content, mode="w:gz" if "tgz" in archive.name else "w") as tar:
            for name, text in files.items():
                tar.addfile(header(f"./{name}", len(text)), io.BytesIO(text))
    return content.getvalue()


def header(name, size=0, **more):
    member = tarfile.TarInfo(name)
    member.size = size
    for key, value in more.items():
        setattr(member, key, value)
    return member


@pytest.fixture
def server(official, monkeypatch, tmp_path):
    """The catalogue as it would be of the small archives, which a server has."""
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(downloads.MIRROR, raising=False)
    monkeypatch.setattr(downloads, "PAUSES_S", ())
    with serving() as found:
        found.files = dict(official)
        for name, one in SETS.items():
            small = [published(archive, official[archive.name], found) for archive in one.archives]
            monkeypatch.setitem(
                SETS, name, replace(one, archives=tuple(small), images=IMAGES[name])
            )
        yield found


def published(archive, content, server):
    """An archive's entry in the catalogue."""
    algorithm = archive.checksum.partition(":")[0]
    digest = hashlib.new(algorithm, content).hexdigest()
    return replace(
        archive, url=f"{server.address}/deep/{archive.name}", n_bytes=len(content),
        checksum=f"{algorithm}:{digest}", unpacked=2 * len(content),
    )  # fmt: skip


def said(*names, data, **more):
    return "\n".join(fetch(named_sets(names), data, PAPER, **more))


def names_of(server):
    return [name for name, _ in server.asked]


def test_everything_comes_is_counted_and_comes_once(server, tmp_path):
    data = tmp_path / "new" / "data"
    text = said("voc sbd", "COCO", data=data)
    assert sorted(names_of(server)) == sorted(a.name for a in ARCHIVES if "trainval" not in a.name
                                              or "annot" in a.name or "VOC" in a.name)  # fmt: skip
    assert "voc: whole: train 2, val 1 images" in text
    assert f"objects, {OBJECTS['voc']:,} published" in text
    assert [name for name in IMAGES if name != "cityscapes" and lacking(name, data)] == []
    assert {path.name for path in data.iterdir()} == {"VOCdevkit", "benchmark_RELEASE", "coco"}
    assert not [path for path in data.rglob("*") if path.name.endswith(("partial", "README.txt"))]
    n_asked = len(server.asked)
    again = said("voc", "sbd", "coco-val", data=data)
    assert again.splitlines() == [
        "voc: whole: train 2, val 1 images", "sbd: whole: train 2, val 1 images",
        "coco-val: whole: val2017 1 images",
    ]  # fmt: skip
    assert len(server.asked) == n_asked


def test_the_right_number_of_objects_is_said_to_be_it(server, tmp_path, monkeypatch):
    text = said("coco-val", data=tmp_path / "data")
    found = int(text.rpartition("val2017: ")[2].split()[0])
    monkeypatch.setattr(fetching, "OBJECTS", {"val coco": found})
    assert said("coco-val", data=tmp_path / "other").endswith(f"{found} objects, as published")


def test_what_was_cut_off_goes_on_in_the_next_command(server, tmp_path, official):
    data, whole = tmp_path / "data", len(official["VOCtrainval_11-May-2012.tar"])
    server.ends_after = whole // 2
    with pytest.raises(DataError, match=r"2012\.tar was cut off after .*same command goes on"):
        said("voc", data=data)
    assert f"missing; {downloads.gigabytes(whole // 2)} fetched" in overview(data, PAPER)
    server.ends_after = None
    said("voc", data=data)
    assert [start for _, start in server.asked] == [0, whole // 2]
    assert server.sent == whole
    assert [path.name for path in data.iterdir()] == ["VOCdevkit"]


def test_a_wrong_checksum_is_told_and_the_file_removed(server, tmp_path, official):
    right = official["benchmark.tgz"]
    server.files["benchmark.tgz"] = bytes(len(right))
    wrong = hashlib.md5(bytes(len(right))).hexdigest()
    with pytest.raises(DataError, match=f"has the checksum {wrong} instead of md5:.*, and was rem"):
        said("sbd", data=tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())
    server.files["benchmark.tgz"] = right
    assert "sbd: whole" in said("sbd", data=tmp_path / "data")


def test_stopped_while_the_checksum_is_compared_nothing_comes_again(server, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetching.pooch.core, "hash_matches", stop)
        with pytest.raises(KeyboardInterrupt):
            said("sbd", data=tmp_path / "data")
    assert "sbd: whole" in said("sbd", data=tmp_path / "data")
    assert names_of(server) == ["benchmark.tgz"]


def test_a_mirror_is_asked_instead(server, tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.MIRROR, f"{server.address}/mirror/")
    (archive,) = SETS["sbd"].archives
    monkeypatch.setitem(SETS, "sbd", replace(SETS["sbd"], archives=(
        replace(archive, url="https://publisher.invalid/x/benchmark.tgz"),)))  # fmt: skip
    assert "sbd: whole" in said("sbd", data=tmp_path / "data")
    assert names_of(server) == ["benchmark.tgz"]


def test_too_little_room_is_told_before_anything_comes(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "free_bytes", lambda _: 1000)
    with pytest.raises(DataError, match=r"has 1\.0 kB free, and .* are needed while VOC.*room"):
        said("voc", data=tmp_path / "data")
    assert server.asked == []


@pytest.mark.parametrize("when", ["fetching", "unpacking"])
def test_a_disk_that_fills_up_leaves_what_it_holds(server, tmp_path, monkeypatch, when):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    data = tmp_path / "data"
    with monkeypatch.context() as patch:
        if when == "fetching":
            patch.setattr(downloads, "_write", full)
        else:
            patch.setattr(fetching, "unpack", full)
        with pytest.raises(DataError, match="the disk of .*data is full; make room, and the same"):
            said("sbd", data=data)
    assert "sbd: whole" in said("sbd", data=data)
    assert len(server.asked) == (2 if when == "fetching" else 1)


def test_archives_stay_where_that_is_asked_and_are_used(server, tmp_path):
    data = tmp_path / "data"
    said("voc", data=data, keep=True)
    shutil.rmtree(data / "VOCdevkit")
    said("voc", data=data)
    assert {path.name for path in data.iterdir()} == {"VOCdevkit", "VOCtrainval_11-May-2012.tar"}
    assert len(server.asked) == 1


def test_an_archive_that_was_put_there_is_compared(server, tmp_path):
    (tmp_path / "benchmark.tgz").write_bytes(b"half")
    with pytest.raises(DataError, match=r"benchmark\.tgz has 4 bytes and another checksum than"):
        said("sbd", data=tmp_path)
    assert (tmp_path / "benchmark.tgz").read_bytes() == b"half"


def test_cityscapes_is_told_then_unpacked_from_what_was_put_there(server, tmp_path, official):
    with pytest.raises(DataError, match=r"register at www\.cityscapes.*put leftImg8bit_trainva"):
        said("cityscapes", "coco-val", data=tmp_path)
    assert not lacking("coco-val", tmp_path)  # what could be fetched came first
    place = tmp_path / "cityscapes"
    place.mkdir()
    (place / "gtFine_trainvaltest.zip").write_bytes(official["gtFine_trainvaltest.zip"])
    with pytest.raises(DataError, match=r"put leftImg8bit_trainvaltest\.zip \([^)]*\) into"):
        said("cityscapes", data=tmp_path)
    name = "leftImg8bit_trainvaltest.zip"
    (tmp_path / name).write_bytes(official[name])
    assert "cityscapes: whole: train 1, val 1 images" in said("cityscapes", data=tmp_path)
    assert (tmp_path / name).exists() and "login" not in overview(tmp_path, PAPER)


def test_a_set_that_lacks_images_is_told_and_nothing_of_it_removed(server, tmp_path, monkeypatch):
    data = tmp_path / "data"
    monkeypatch.setitem(SETS, "voc", replace(SETS["voc"], images={"train": 1464, "val": 1}))
    with pytest.raises(DataError, match=r"not whole \(train 2 of 1,464 images\); move .*VOC2012"):
        said("voc", data=data)
    before = sorted(data.rglob("*"))
    for _ in range(2):
        with pytest.raises(DataError, match="is not whole"):
            said("voc", "sbd", data=data)
    assert sorted(data.rglob("*")) == before
    assert "not whole: train 2 of 1,464 images" in overview(data, PAPER)


def test_missing_annotations_of_images_that_are_there_come_alone(server, tmp_path):
    said("coco-val", data=tmp_path)
    shutil.rmtree(tmp_path / "coco/annotations")
    assert "not whole: coco/annotations/instances_val2017.json is missing" in overview(
        tmp_path, PAPER
    )
    said("coco-val", data=tmp_path)
    assert names_of(server)[2:] == ["annotations_trainval2017.zip"]


def test_one_command_at_a_time_works_in_a_folder(server, tmp_path):
    with fetching._alone(tmp_path / ".fetch"):
        with pytest.raises(InputError, match="another command fetches into .*; let it end first"):
            said("voc", data=tmp_path)
    (tmp_path / ".fetch").mkdir()
    (tmp_path / ".fetch/tmpx").touch()
    said("sbd", data=tmp_path)
    assert not (tmp_path / ".fetch").exists()


@pytest.mark.parametrize("name", ["../out", "/out", "d/../../out", "..\\out", "C:\\out"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_no_name_in_an_archive_leads_out_of_the_folder(tmp_path, name, kind):
    archive, place = tmp_path / f"a.{kind}", tmp_path / "in/d"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("d/good", b"x")
            zipped.writestr(name, b"x")
    else:
        with tarfile.open(archive, "w") as tar:
            tar.addfile(header("d/good", 1), io.BytesIO(b"x"))
            tar.addfile(header(name, 1), io.BytesIO(b"x"))
    with pytest.raises(DataError, match="The member of the archive .* does not lie in"):
        unpack(archive, "d", place)
    assert {path.name for path in tmp_path.rglob("*")} == {archive.name, "in"}


def test_links_and_devices_are_passed_over(tmp_path):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(header("d/link", type=tarfile.SYMTYPE, linkname="/etc"))
        tar.addfile(header("d/hard", type=tarfile.LNKTYPE, linkname="../../x"))
        tar.addfile(header("d/pipe", type=tarfile.FIFOTYPE))
        tar.addfile(header("d/link/passwd", 1), io.BytesIO(b"x"))
    unpack(archive, "d", tmp_path / "d")
    assert [p.relative_to(tmp_path).as_posix() for p in sorted((tmp_path / "d").rglob("*"))] == [
        "d/link", "d/link/passwd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in ("annotations_trainval2017.zip", "benchmark.tgz")
          for damage in ("no archive", "cut", "empty", "other")),
        ("annotations_trainval2017.zip", "flipped"),  # a zip has checksums of its own
    ],
)  # fmt: skip
def test_a_damaged_archive_leaves_nothing(official, tmp_path, name, damage):
    whole = official[name]
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    archive = tmp_path / name
    archive.write_bytes({"no archive": b"<html>", "cut": whole[:middle], "flipped": flipped,
                         "empty": b"", "other": whole}[damage])  # fmt: skip
    folder = {"other": "nowhere"}.get(damage, next(a.folder for a in ARCHIVES if a.name == name))
    wanted = "has no folder nowhere" if damage == "other" else r"cannot be unpacked \(.*\); remove"
    with pytest.raises(DataError, match=wanted):
        unpack(archive, folder, tmp_path / "place")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("given", [("foo",), ("voc", "sbd;coco"), ("'voc'",)])
def test_an_unknown_set_is_refused(given):
    with pytest.raises(InputError, match="there is no data set .*; choose of voc, sbd, .*, all"):
        named_sets(given)


def test_words_for_several_sets():
    assert named_sets(["", " \n"]) == []
    assert named_sets(["cityscapes,voc", "VOC coco"]) == [
        "voc", "coco-train", "coco-val", "cityscapes",
    ]  # fmt: skip
    assert named_sets(["all"]) == ["voc", "sbd", "coco-train", "coco-val", "weights", "cityscapes"]


def test_without_names_nothing_is_fetched_and_all_is_said(server, tmp_path, capsys, monkeypatch):
    data = tmp_path / "it's a folder"
    assert main(["data", "--data", str(data), ""]) == 0
    text = capsys.readouterr().out
    assert server.asked == [] and not data.exists()
    for word in (*SETS, "weights", "at 10 MB/s", "cityscapes wants a login", "owner's terms"):
        assert word.lower() in text.lower()
    assert """DATA='""" in text and 'SETS="voc sbd coco-train coco-val weights"' in text
    monkeypatch.setattr(saying, "IN_CHECKOUT", False)
    assert "openscenes data --data path/to/folder voc sbd" in overview(None, DEMO)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["voc"], "data sets need a folder to lie in; name one: DATA=path/to/folder"),
        (["foo", "--data", "x"], "there is no data set 'foo'"),
        (["voc", "--data", "{file}"], "file is no folder; give DATA=path/to/folder"),
        (["voc", "--data", "{file}/below"], "cannot be written to"),
        (["--profile", "nothing"], "there is no profile"),
    ],
    ids=["no-data", "no-set", "file", "below-a-file", "no-profile"],
)
def test_a_mistake_is_one_sentence(tmp_path, capsys, words, wanted):
    (tmp_path / "file").touch()
    assert main(["data", *(word.format(file=tmp_path / "file") for word in words)]) == 2
    told = capsys.readouterr().err
    assert wanted in told and told.count("\n") == 1


def test_weights_come_into_the_cache_with_their_checksum(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(downloads.MIRROR, server.address)
    _, path, n_bytes = weights.published_imagenet("mobilenet_v2")
    assert path.parent == tmp_path / "cache/weights" and n_bytes > 10**7
    server.files[path.name] = b"not these"
    with pytest.raises(WeightsError, match=r"has another sha256 than mobilenet_v2-.*was removed"):
        list(fetch(["weights"], None, STUDY))
    assert not path.exists() and downloads.part_of(path) is None
    monkeypatch.setattr(weights, "_is_whole", lambda *_: True)
    first, told = fetch(["weights"], None, STUDY)
    assert "to fetch into the cache" in first and told == f"mobilenet_v2: {path}"
    assert path.read_bytes() == b"not these"
    assert names_of(server) == [path.name, path.name]
    list(fetch(["weights"], None, STUDY))
    assert len(server.asked) == 2 and not (tmp_path / "torch").exists()


def test_checksums_are_torchvisions():
    (archive,) = SETS["voc"].archives
    there = voc.DATASET_YEAR_DICT["2012"]
    assert (archive.url, archive.name) == (there["url"], there["filename"])
    assert archive.checksum == f"md5:{there['md5']}"
    (archive,) = SETS["sbd"].archives
    theirs = sbd.SBDataset
    assert (archive.url, archive.name) == (theirs.url, theirs.filename)
    assert archive.checksum == f"md5:{theirs.md5}"
