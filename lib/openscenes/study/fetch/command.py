"""``openscenes data``: says what of the official data sets is there, and fetches what is named."""

import argparse
from typing import Any

from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.paths import folder_of
from openscenes.study.fetch.catalogue import SETS


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add ``data`` to what ``ArgumentParser.add_subparsers`` returned."""
    names = ", ".join([*SETS, "weights"])
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "data",
        help="say which official data sets are there, and fetch those that are named",
        description="Without SET it says what is there, what is missing, how large it is and what "
        "to type. What is named is fetched (and continued where it was cut off), compared with "
        "its checksum, unpacked in the official layout, and its images are counted. "
        "OPENSCENES_MIRROR=address names another place of the archives.",
    )
    parser.add_argument(
        "sets", nargs="*", metavar="SET", help=f"{names}; coco and all name several"
    )
    parser.add_argument("--data", type=folder_of, default=None, help="folder of the data sets")
    parser.add_argument("--profile", default="paper", help="whose ImageNet weights (paper)")
    parser.add_argument("--keep", action="store_true", help="archives stay in the folder")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run one command line; what the user can mend raises in one sentence."""
    from openscenes.data.datasets.layout import data_root
    from openscenes.study.fetch.fetch import fetch, named_sets
    from openscenes.study.fetch.overview import overview
    from openscenes.study.options import profile_named

    profile, names = profile_named(args.profile), named_sets(args.sets)
    data = None if args.data is None else data_root(args.data)
    if data is not None and data.exists() and not data.is_dir():
        raise InputError(f"{one_line(str(data))} is no folder; give DATA=path/to/folder")
    if not names:
        print(overview(data, profile))
    for line in fetch(names, data, profile, keep=args.keep):
        print(line, flush=True)
    return 0
