"""A place to try the annotator at: some of the study's own images, in a scratch workspace."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from openscenes.annotator.evolve.opening import LateStudy
from openscenes.annotator.launch import FOLDER
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.store.workspace import Workspace, open_workspace
from openscenes.data.examples import Example
from openscenes.errors import DataError, InputError
from openscenes.files import one_line
from openscenes.paths import atomic, cache_dir
from openscenes.settings import folder_parameter, text_parameter
from openscenes.study.runs.data import Study, validation
from openscenes.study.runs.store import digest_of

SCENE = "coco"
N_IMAGES = 8
N_BEGUN = 2  # images on which the simulated user has clicked already


def place_of(study: LateStudy, folder: str = "", workspace: str = "") -> Workspace:
    """The workspace of a notebook's parameters, said in a sentence.

    Args:
        folder: of images; empty for that of ``openscenes annotate FOLDER``, and without one for an
            example, copied from the study's validation set of COCO into the cache.
        workspace: where everything that is collected lies; empty for ``<folder>/openscenes``.
    Raises:
        InputError: if one is no text, as papermill makes a number of 2024, or cannot be used.
    """
    given = folder_parameter("folder", folder) or os.environ.get(FOLDER, "")
    kept = text_parameter("workspace", workspace) or None
    opened = open_workspace(Path(given).expanduser() if given else example_folder(study()), kept)
    n = len(opened.list_images())
    print(
        f"{n} images in {one_line(str(opened.images))}" if given else
        f"No folder was given: here are {n} of the study's images ({study().profile.data}), copied "
        "into a scratch folder of the cache. Set folder in the second cell to annotate your own."
    )  # fmt: skip
    return opened


def example_folder(study: Study) -> Path:
    """The first images of the study's validation set of COCO, copied once."""
    examples = validation(study, SCENE).examples
    paths = list(dict.fromkeys(example.image for example in examples))[:N_IMAGES]
    name = digest_of([study.profile.name, str(study.root), [path.name for path in paths]])
    folder = _examples() / name / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if not (folder / path.name).exists():
            with atomic(folder / path.name) as partial:
                shutil.copyfile(path, partial)
    return folder


def begun(desk: Desk, late: LateStudy, n_images: int = N_BEGUN) -> int:
    """Let the simulated user begin, on an untouched example; objects accepted.

    It draws the box, clicks inside, and accepts whatever it gets: it corrects nothing. On
    a user's own images it does nothing.
    """
    if desk.annotations.objects() or not desk.workspace.images.is_relative_to(_examples()):
        return 0
    study = late()
    known = {path.name: place for place, path in enumerate(desk.images)}
    n_accepted = 0
    for example in validation(study, SCENE).examples:
        place = known.get(example.image.name, n_images)
        if place < n_images:
            n_accepted += _clicked(desk, place, example)
    with suppress(DataError):
        desk.lay(min(n_images, len(desk.images) - 1))
    return n_accepted


def _examples() -> Path:
    return cache_dir() / "annotator"


def _clicked(desk: Desk, place: int, example: Example) -> bool:
    """One object, from box to accepted; a box that leaves a readable image is left out."""
    row, col = example.interaction.point
    try:
        if desk.place != place:
            desk.lay(place)
        desk.draw(example.interaction.box)
        desk.point(row, col)
    except (InputError, DataError):
        desk.clear()
        return False
    desk.accept()
    return True
