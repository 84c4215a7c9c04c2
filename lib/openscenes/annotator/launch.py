"""``python -m openscenes annotate``: open JupyterLab at the annotator with a folder of images."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.paths import PROJECT

FOLDER = "OPENSCENES_IMAGES"  # the environment variable that tells the notebook which folder
NOTEBOOK = PROJECT / "notebooks" / "annotate.ipynb"


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add ``annotate`` to what ``ArgumentParser.add_subparsers`` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "annotate",
        help="open the annotator with a folder of your images, in JupyterLab",
        description="Open JupyterLab at notebooks/annotate.ipynb, which then takes this folder; "
        "run its cells with Run > Run All Cells. What is collected lies in its openscenes.",
    )
    parser.add_argument("folder", metavar="FOLDER_OF_IMAGES", help="your images")
    parser.add_argument(
        "options", nargs="*", metavar="OPTION", help="further ones of JupyterLab, behind --"
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace, start: Callable[..., object] = os.execve) -> int:
    """Become JupyterLab; the folder is checked before, in one sentence.

    Raises:
        InputError: if it is no folder.
    """
    folder = Path(args.folder).expanduser().absolute()
    if not folder.is_dir():
        name = one_line(str(folder))
        raise InputError(f"There is no folder {name}; give the folder that holds your images.")
    as_root = ["--allow-root"] * (hasattr(os, "geteuid") and os.geteuid() == 0)
    print(f"annotate    {one_line(str(folder))}\nin the page Run > Run All Cells", flush=True)
    quiet = f"--LabApp.app_settings_dir={PROJECT / 'lib/openscenes/lab_settings'}"
    command = [sys.executable, "-m", "jupyterlab", str(NOTEBOOK), quiet, *as_root, *args.options]
    start(sys.executable, command, os.environ | {FOLDER: str(folder)})
    return 0
