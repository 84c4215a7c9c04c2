"""``make release``: train the models that lie in the repository, and say how good they are."""

from collections.abc import Iterator
from dataclasses import replace

from openscenes.study.plan.on_demand import literal_study
from openscenes.study.profiles import DEMO
from openscenes.study.runs.data import SOURCE, Study, open_study, validation
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.released import RECIPES, Release, put
from openscenes.study.runs.runs import released_name, train
from openscenes.study.scores.masks import object_iou
from openscenes.synthetic import SceneSizes

# A few images are drawn in a second.
FEW = SceneSizes(
    voc_train=1, voc_val=8, sbd=1, cityscapes_train=1, cityscapes_val=3, coco_train=1, coco_val=6
)


def few_objects(device: str) -> Study:
    """The study of the demo with a few images, on which released models are scored."""
    return open_study(replace(DEMO, synthetic=FEW), None, device)


def few_iou(study: Study, model: Model) -> dict[str, float]:
    """Data set -> mean IoU of a model on the few objects of its validation set, in %."""
    found = {
        name: object_iou(study, model, validation(study, name))["iou"].mean()
        for name in (SOURCE, "cityscapes", "coco")
    }
    return {name: round(100 * float(iou), 2) for name, iou in found.items()}


def make_release(device: str) -> Iterator[str]:
    """Train what is missing of ``released.RECIPES``, and put all of it in the repository.

    Before them comes the model that Lesson 1 compares the first of them with: the same recipe,
    trained with the paper's clicks.
    """
    study, few = open_study(DEMO, None, device), few_objects(device)
    compared = _released(literal_study(study), literal_study(few), RECIPES[0])
    made = (_released(study, few, recipe) for recipe in RECIPES)
    yield from put([replace(compared, short=True), *made])


def _released(study: Study, few: Study, recipe: Recipe) -> Release:
    model = train(study, recipe)
    return Release(model, released_name(study, recipe), few_iou(few, model))
