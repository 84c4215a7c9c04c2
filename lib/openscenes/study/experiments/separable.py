"""IPT's best chance, below Table 4+: F is asked to be separable by prototypes; does a vote add?"""

from openscenes.study.experiments.rows import BlockSpec, RowSpec
from openscenes.study.profiles import SCENE_NAMES, Scene
from openscenes.study.runs.recipes import (
    LITERAL_IPT,
    OURS,
    PRINTED_ON_EVIDENCE,
    SEPARABLE,
    evolved,
    initial,
)
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.results import SCENES

BEFORE, STUDENT, VOTE = "Baseline, separable F", "+ST", "+ST +IPT, the printed vote"
SEEN, SEEN_VOTE = "Ours, one round", "Ours, one round, +IPT, the printed vote"
CLAIMS = (
    (STUDENT, BEFORE), (VOTE, BEFORE), (VOTE, STUDENT), (SEEN, BEFORE), (SEEN_VOTE, SEEN)
)  # fmt: skip
PRINTED = next(variant for variant, feature in LITERAL_IPT.items() if feature == "decoder")


def blocks() -> list[BlockSpec]:
    """A block for each scene: an initial model, and what it teaches without and with the vote,
    on its own masks and on evidence masks.

    Ours: the initial model also learned ``method.beyond.prototype_contrast``, and its pixel
    predictor reads the decoder's feature, which is F of the vote as well.
    """
    return [BlockSpec(title(scene), _rows(scene), CLAIMS) for scene in SCENES]


def title(scene: Scene) -> str:
    """The block's, of a scene."""
    return f"{SCENE_NAMES[scene]}, exact boxes, F that prototypes separate"


def _rows(scene: Scene) -> tuple[RowSpec, ...]:
    first = initial("voc+sbd", 0, SEPARABLE)
    variants = {STUDENT: "st", VOTE: PRINTED, SEEN: OURS, SEEN_VOTE: PRINTED_ON_EVIDENCE}
    models = {label: evolved(first, scene, variant) for label, variant in variants.items()}
    return tuple(
        RowSpec(
            label, Evaluation(model, scene), source=True, above=STUDENT if label == SEEN else ""
        )
        for label, model in {BEFORE: first, **models}.items()
    )
