"""The official archives: where they come from, how large they are, what must be in them.

Checksums of VOC and SBD are those of torchvision's data sets. COCO's pages state none, so those of
torchvision's prototype data sets are taken; Cityscapes' are those that public code quotes from its
download page, which only a login shows. Sizes are those that servers and listings state; what a
folder takes unpacked is about that, and was not measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A file that a publisher offers.

    Attributes:
        url: its address; of Cityscapes the page that asks for a login.
        n_bytes: its size.
        checksum: "md5:..." or "sha256:...", as pooch writes it.
        folder: the one folder in it that is needed.
        place: where that folder lies below the data folder.
        unpacked: bytes that the folder takes, about.
    """

    url: str
    name: str
    n_bytes: int
    checksum: str
    folder: str
    place: str
    unpacked: int


@dataclass(frozen=True)
class DataSet:
    """What one word of ``SETS`` means.

    Attributes:
        images: published number of images of each split, with their masks.
        objects: split -> name of its published count of objects in ``requirements.OBJECTS``,
            where counting takes seconds.
        by_hand: where to get the archives, where no program may.
        owner: whose terms hold.
    """

    title: str
    archives: tuple[Archive, ...]
    images: Mapping[str, int]
    objects: Mapping[str, str]
    owner: str
    by_hand: str = ""


_COCO = "http://images.cocodataset.org/"
_ANNOTATIONS = Archive(
    f"{_COCO}annotations/annotations_trainval2017.zip",
    "annotations_trainval2017.zip",
    252_907_541,
    "sha256:113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
    "annotations",
    "coco/annotations",
    820_000_000,
)


def _coco(split: str, n_bytes: int, sha256: str, unpacked: int) -> Archive:
    return Archive(
        f"{_COCO}zips/{split}.zip", f"{split}.zip", n_bytes, f"sha256:{sha256}",
        split, f"coco/{split}", unpacked,
    )  # fmt: skip


def _cityscapes(folder: str, package: int, n_bytes: int, md5: str, unpacked: int) -> Archive:
    return Archive(
        f"https://www.cityscapes-dataset.com/file-handling/?packageID={package}",
        f"{folder}_trainvaltest.zip", n_bytes, f"md5:{md5}", folder, f"cityscapes/{folder}",
        unpacked,
    )  # fmt: skip


WEIGHTS = "weights"  # of ImageNet, which SETS may name as well
SETS: Mapping[str, DataSet] = {
    "voc": DataSet(
        "PASCAL VOC 2012",
        (
            Archive(
                "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                "VOCtrainval_11-May-2012.tar",
                1_999_639_040,
                "md5:6cd6e144f989b92b3379bac3b3de84fd",
                "VOCdevkit/VOC2012",
                "VOCdevkit/VOC2012",
                2_010_000_000,
            ),
        ),
        {"train": 1_464, "val": 1_449},
        {"train": "voc", "val": "val voc"},
        "host.robots.ox.ac.uk/pascal/VOC/voc2012",
    ),
    "sbd": DataSet(
        "SBD",
        (
            Archive(
                "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/"
                "semantic_contours/benchmark.tgz",
                "benchmark.tgz",
                1_419_539_633,
                "md5:82b4d87ceb2ed10f6038a1cba92111cb",
                "benchmark_RELEASE/dataset",
                "benchmark_RELEASE/dataset",
                1_600_000_000,
            ),
        ),
        {"train": 8_498, "val": 2_857},
        {},
        "home.bharathh.info/pubs/codes/SBD/download.html",
    ),
    "coco-train": DataSet(
        "COCO 2017, train",
        (
            _coco("train2017", 19_336_861_798,
                  "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
                  19_500_000_000),
            _ANNOTATIONS,
        ),
        {"train2017": 118_287},
        {},
        "cocodataset.org",
    ),
    "coco-val": DataSet(
        "COCO 2017, val",
        (
            _coco("val2017", 815_585_330,
                  "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
                  825_000_000),
            _ANNOTATIONS,
        ),
        {"val2017": 5_000},
        {"val2017": "val coco"},
        "cocodataset.org",
    ),
    "cityscapes": DataSet(
        "Cityscapes",
        (
            _cityscapes("leftImg8bit", 3, 11_592_327_197, "0a6e97e94b616a514066c9e2adb0c97f",
                        11_700_000_000),
            _cityscapes("gtFine", 1, 252_567_705, "4237c19de34c8a376e9ba46b495d6f66",
                        1_200_000_000),
        ),
        {"train": 2_975, "val": 500},
        {},
        "www.cityscapes-dataset.com",
        "www.cityscapes-dataset.com/downloads",
    ),
}  # fmt: skip
GROUPS = {"coco": ("coco-train", "coco-val"), "all": (*SETS, WEIGHTS)}  # words for several
