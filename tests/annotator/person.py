"""A simulated person who has annotated twelve small images, half of which are held out."""

from pathlib import Path
from runpy import run_path

import numpy as np

from openscenes.annotator.evolve.scene import is_held_out
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import digest_of, open_workspace
from openscenes.data import datasets
from openscenes.data.interactions import simulate

TINY = run_path(str(Path(__file__).parents[1] / "tiny.py"))


def annotated(root):
    """The workspace; of each image's two objects, the second was corrected.

    Bytes after a JPEG's end are no part of the image, but of its digest: so every image
    lands on the side that a test wants.
    """
    images = root / "images"
    images.mkdir(parents=True)
    records = []
    for seed in (0, 1):
        records += TINY["index"](TINY["write_voc"](root / str(seed), seed=seed)).records
    workspace = None
    for number, record in enumerate(records):
        path = images / f"{record.image_id}.jpg"
        if not path.exists():
            path.write_bytes(record.image.read_bytes())
            _put_on_side(path, held_out=(number // 2) % 2 == 1)
        workspace = workspace or open_workspace(images)
        _accept(workspace, record, path, corrected=number % 2 == 1)
    return workspace


def accepted(workspace):
    """As another window reads them."""
    return Annotations(Log(workspace.log_path)).accepted()


def _put_on_side(path, *, held_out):
    content = path.read_bytes()
    for n in range(100):
        path.write_bytes(content + bytes(n))
        if is_held_out(digest_of(path)) == held_out:
            return


def _accept(workspace, record, path, *, corrected):
    annotations = Annotations(Log(workspace.log_path))
    truth = datasets.read_mask(record)
    config, crop = TINY["CLICKS"], TINY["CROP"]
    interaction = simulate(truth, config, crop, np.random.default_rng(0))
    draft = truth.copy()
    draft[: truth.shape[0] // 2] = False
    facts = workspace.facts(path.name)
    made = annotations.begin(facts, interaction, draft if corrected else truth, model="first")
    if corrected:
        row, col = np.argwhere(truth)[0]
        annotations.correct(made.object_id, (float(row), float(col), 1), truth, model="first")
    annotations.accept(made.object_id)
