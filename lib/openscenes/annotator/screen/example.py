"""A place to try the annotator at: some of the study's own pictures, in a scratch workspace."""

from __future__ import annotations

import shutil
from pathlib import Path

from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.store.workspace import Workspace, open_workspace
from openscenes.data.examples import Example
from openscenes.errors import InputError
from openscenes.paths import atomic, cache_dir
from openscenes.study.runs.data import Study, validation
from openscenes.study.runs.store import digest_of

SCENE = "coco"
N_PHOTOGRAPHS = 8
N_BEGUN = 2  # photographs on which the simulated user has clicked already


def place_of(study: Study, folder: str = "", workspace: str = "") -> Workspace:
    """The workspace of a notebook's parameters, said in a sentence.

    Args:
        folder: of photographs; empty for an example, copied from the study's validation set of
            COCO into the cache.
        workspace: where everything that is collected lies; empty for ``<folder>/openscenes``.
    """
    images = Path(folder).expanduser() if folder else example_folder(study)
    opened = open_workspace(images, workspace or None)
    if folder:
        print(f"{len(opened.list_images())} photographs in {opened.images}")
    else:
        print(
            f"No folder was given: here are {len(opened.list_images())} of the study's pictures "
            f"({study.profile.data}), copied into a scratch folder of the cache. Set folder in the "
            "second cell to annotate your own."
        )
    return opened


def example_folder(study: Study) -> Path:
    """The first photographs of the study's validation set of COCO, copied once."""
    examples = validation(study, SCENE).examples
    paths = list(dict.fromkeys(example.image for example in examples))[:N_PHOTOGRAPHS]
    name = digest_of([study.profile.name, str(study.root), [path.name for path in paths]])
    folder = cache_dir() / "annotator" / name / "photographs"
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if not (folder / path.name).exists():
            with atomic(folder / path.name) as partial:
                shutil.copyfile(path, partial)
    return folder


def begun(desk: Desk, study: Study, n_photographs: int = N_BEGUN) -> int:
    """Let the simulated user begin, on an example that nobody has touched; objects accepted.

    It draws the box, clicks inside, and accepts whatever it gets: it corrects nothing. On
    anybody's own photographs it does nothing.
    """
    if desk.annotations.objects() or desk.workspace.images != example_folder(study):
        return 0
    known = {path.name: place for place, path in enumerate(desk.photographs)}
    n_accepted = 0
    for example in validation(study, SCENE).examples:
        place = known.get(example.image.name, n_photographs)
        if place < n_photographs:
            n_accepted += _clicked(desk, place, example)
    desk.lay(min(n_photographs, len(desk.photographs) - 1))
    return n_accepted


def _clicked(desk: Desk, place: int, example: Example) -> bool:
    """One object, from box to accepted; a box that leaves the picture is left out."""
    if desk.place != place:
        desk.lay(place)
    row, col = example.interaction.point
    try:
        desk.draw(desk.shown.box_shown(example.interaction.box))
        desk.point(*desk.shown.point_shown(row, col))
    except InputError:
        desk.clear()
        return False
    desk.accept()
    return True
