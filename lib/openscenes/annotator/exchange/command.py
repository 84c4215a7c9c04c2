"""``python -m openscenes import`` and ``export``: what was annotated, from files and into files."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openscenes.errors import InputError
from openscenes.files import one_line

if TYPE_CHECKING:
    from openscenes.annotator.store.log import Log
    from openscenes.annotator.store.workspace import Workspace

KINDS = ("coco", "voc", "png", "labelme", "yolo")  # as in export, which takes seconds to import


def add_parsers(subparsers: Any) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Add ``import`` and ``export`` to what ``ArgumentParser.add_subparsers`` returned."""
    importing: argparse.ArgumentParser = subparsers.add_parser(
        "import",
        help="add objects from an export, or COCO or VOC files, to a folder of images",
        description="Add the objects of an export of the annotator, or of COCO or PASCAL VOC "
        "files of any tool, to the log of a folder of images: masks as accepted, boxes with masks "
        "that the model in use draws, to be accepted. Masks drawn on an image without its "
        "orientation tag are turned upright. A second import adds nothing.",
    )
    exporting: argparse.ArgumentParser = subparsers.add_parser(
        "export",
        help="write what was accepted in the annotator as COCO, VOC, PNG, labelme or YOLO files",
        description="Write all accepted objects; if that fails, no export is left half written. "
        "All but PNG hold copies of the images, never links; an image with an orientation tag is "
        "written upright without it. PNG holds masks alone. An older export of the same kind is "
        "replaced, unless one of its files was changed.",
    )
    for parser in (importing, exporting):
        parser.add_argument("folder", metavar="FOLDER_OF_IMAGES", help="your images")
    importing.add_argument(
        "file", metavar="FILE", help="a COCO or VOC file, or the folder of an export or of VOC"
    )
    exporting.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    exporting.add_argument(
        "--to", metavar="FOLDER", default=None, help="default: exports/KIND in the workspace"
    )
    for parser, run in ((importing, run_import), (exporting, run_export)):
        parser.add_argument(
            "--workspace", type=Path, default=None, help="default: openscenes in that folder"
        )
        parser.set_defaults(run=run)
    return importing, exporting


def run_import(args: argparse.Namespace) -> int:
    """Run one command line; what the user can mend raises in one sentence."""
    from openscenes.annotator.evolve.session import session_at_once
    from openscenes.annotator.exchange.imports import import_objects
    from openscenes.annotator.store.log import Log
    from openscenes.annotator.store.objects import Annotations
    from openscenes.annotator.store.workspace import open_workspace

    workspace = open_workspace(args.folder, args.workspace)
    log = Log(workspace.log_path)
    model = partial(session_at_once, workspace)
    print(import_objects(Annotations(log), workspace, args.file, model))
    _complain(log)
    return 0


def run_export(args: argparse.Namespace) -> int:
    """The same for an export; where there is no workspace, none is made."""
    from openscenes.annotator.exchange.export import export
    from openscenes.annotator.store.log import Log
    from openscenes.annotator.store.objects import Annotations

    workspace = _annotated(args.folder, args.workspace)
    log = Log(workspace.log_path)
    print(export(Annotations(log), workspace, args.kind, args.to))
    _complain(log)
    return 0


def _annotated(images: str, folder: Path | None) -> Workspace:
    from openscenes.annotator.store import workspace as store

    place = Path(images).expanduser() / store.DEFAULT_NAME if folder is None else folder
    if not (place.expanduser() / store.WORKSPACE_FILE).is_file():
        raise InputError(
            f"Nothing was annotated in {one_line(images)} (there is no workspace "
            f"{one_line(str(place))}); annotate or "
            "import first, or name its workspace with --workspace."
        )
    return store.open_workspace(images, folder)


def _complain(log: Log) -> None:
    """Say which lines of the log could not be used."""
    if complaint := log.complaint():
        print(complaint, file=sys.stderr)
