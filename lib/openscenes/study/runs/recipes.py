"""What a study trains: every model as a recipe that names its parent, so that tables share them.

A recipe is data, not a run: two tables that ask for the same recipe get the same model, and the
plan of a study is the union of its tables' recipes in the order in which they can be trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.evolution import EvolutionConfig
from openscenes.method.inference import Feature, InferenceConfig
from openscenes.method.ipt import IPTConfig
from openscenes.study.profiles import InitialSet, Profile, Scene, User

Kind = Literal["initial", "evolved", "re-estimated", "fine-tuned", "peer", "fine-tuned peer"]


@dataclass(frozen=True)
class Recipe:
    """One model to train.

    Attributes:
        kind: how it is trained; "fine-tuned" learns a scene's ground truth alone, "re-estimated"
            only re-estimates the BN statistics on a scene.
        name: the initial set, the scene, or the peer.
        seed: of everything drawn.
        parent: what it starts from; for a peer None.
        variant: of an evolution, one of ``VARIANTS``; of an initial model, of ``ABLATIONS`` or
            ``EXTENDED``.
        part: (i, n), the i-th of n random parts of the scene; None is all of it.
        user: who clicks on the new scene.
    """

    kind: Kind
    name: str
    seed: int
    parent: Recipe | None = None
    variant: str = ""
    part: tuple[int, int] | None = None
    user: User = "iog"

    @property
    def scene(self) -> Scene:
        """The scene that the last step learned."""
        return "cityscapes" if self.name == "cityscapes" else "coco"

    @property
    def ablation(self) -> str:
        """What its first model goes without or has more, of ``ABLATIONS`` or ``EXTENDED``."""
        return self.lineage()[0].variant

    @property
    def learns_masks(self) -> bool:
        """Whether its training begins with its parent's predictions on the new scene."""
        return self.kind in ("evolved", "re-estimated")

    def lineage(self) -> tuple[Recipe, ...]:
        """This recipe and all it starts from, the oldest first."""
        return (*(self.parent.lineage() if self.parent else ()), self)

    def with_seed(self, seed: int) -> Recipe:
        """The same model of another training, from the first step on."""
        parent = None if self.parent is None else self.parent.with_seed(seed)
        return replace(self, seed=seed, parent=parent)

    def words(self) -> str:
        """What it is, in words for labels and plans."""
        part = "" if self.part is None else f" part {self.part[0] + 1}/{self.part[1]}"
        user = " human" if self.user == "human" else ""
        step = f"{self.name} {self.variant}{part}{user}"
        own = {
            "initial": f"initial {self.name} {self.variant}".rstrip(),
            "evolved": step,
            "re-estimated": step,
            "fine-tuned": f"{self.name} ground truth{user}",
            "peer": f"peer {self.name}",
            "fine-tuned peer": f"{self.name} ground truth",
        }[self.kind]
        return own if self.parent is None else f"{self.parent.words()} > {own}"


def initial(initial_set: InitialSet, seed: int, ablation: str = "") -> Recipe:
    """The model trained on labelled source objects (t = 0 of the paper)."""
    return Recipe("initial", initial_set, seed, variant=ablation)


def evolved(
    parent: Recipe,
    scene: Scene,
    *variants: str,
    user: User = "iog",
    part: tuple[int, int] | None = None,
) -> Recipe:
    """A model after more steps of evolution onto a scene, one for each variant in turn."""
    made = parent
    for variant in variants:
        kind: Kind = "re-estimated" if variant == BN_ONLY else "evolved"
        made = Recipe(kind, scene, parent.seed, made, variant, part, user)
    return made


def finetuned(parent: Recipe, scene: Scene) -> Recipe:
    """A model that learned a scene's ground truth alone: the bound of Table 4, IOG in Table 2."""
    kind: Kind = "fine-tuned peer" if "peer" in parent.kind else "fine-tuned"
    return Recipe(kind, scene, parent.seed, parent)


def in_parts(parent: Recipe, scene: Scene, n_parts: int, *variants: str) -> tuple[Recipe, ...]:
    """The task sequence of Table 7: n random parts of a scene, one after the other.

    Returns:
        The model after each part.
    """
    after: list[Recipe] = []
    for i in range(n_parts):
        before = after[-1] if after else parent
        after.append(evolved(before, scene, *variants, part=(i, n_parts)))
    return tuple(after)


def peer(name: str, seed: int) -> Recipe:
    """A system of Table 1, trained on the labelled source."""
    return Recipe("peer", name, seed)


def source_set(recipe: Recipe) -> InitialSet:
    """What the first model of a task sequence learned."""
    return "voc" if recipe.lineage()[0].name == "voc" else "voc+sbd"


def in_order(recipes: Iterable[Recipe]) -> tuple[Recipe, ...]:
    """Each recipe once, and every parent before its children."""
    return tuple(dict.fromkeys(step for recipe in recipes for step in recipe.lineage()))


FULL = "st+ipt+fa"
TABLE_4_VARIANTS = ("st", "st+ipt", "st+fa", FULL)
TABLE_5_VARIANTS = (f"{FULL}, pixels of unseen classes too", f"{FULL}, unseen classes left out")
CLAMP_VARIANTS = (f"{FULL}, 1/M' up to 1000",)
TRUE_NAMES = f"{FULL}, true class names"  # a bound: what a perfect gate brings
LITERAL_IPT: dict[str, Feature] = {  # which F the printed vote reads
    "st+ipt as printed": "layer4", "st+ipt as printed, decoder": "decoder",
}  # fmt: skip
CLIPPED_VIEWS = "clipped, TTA"
EVIDENCE = "evidence"  # masks of evidence, and else the paper's +ST
KEPT = f"{EVIDENCE}, old data kept"  # their weight does not fall
OURS = f"{EVIDENCE}, source kept"  # and the weights lie between those before and after
CAUTIOUS = f"{OURS}, cautious"
ON_EVIDENCE = f"{OURS}, ipt"
PRINTED_ON_EVIDENCE = f"{OURS}, ipt as printed, decoder"
# Share of the scene's objects of which users accepted the mask, once it was right.
DISTILLED = f"{KEPT}, old answers too"
OWN_STATISTICS = f"{KEPT}, statistics of each half"
ACCEPTED = {f"{OURS}, {share} % accepted": share / 100 for share in (10, 25, 50, 100)}
# +ST on masks of which some are the truth, so that they are better by so many points of mean IoU.
DOSES = {f"st, masks better by {points}": float(points) for points in (1, 2, 5, 10)}
EVIDENCE_VARIANTS = (
    EVIDENCE, KEPT, OURS, CAUTIOUS, ON_EVIDENCE, PRINTED_ON_EVIDENCE, DISTILLED, OWN_STATISTICS,
    *ACCEPTED,
)  # fmt: skip
ROUNDS = 3  # of ours onto a scene, each on masks of the last student: tests/bench/long/rounds.py
BETWEEN = 0.75  # share of the way that the weights go where the source is kept
BN_ONLY = "BN re-estimation"
LIFE = OURS  # of each step of a long task sequence, so that it grows and keeps its source
FULL_KEPT = f"{FULL}, source kept"  # the paper's masks and losses on the schedule of ``OURS``
VARIANTS = (
    *TABLE_4_VARIANTS, *TABLE_5_VARIANTS, *CLAMP_VARIANTS,
    *EVIDENCE_VARIANTS, CLIPPED_VIEWS, TRUE_NAMES, FULL_KEPT, *LITERAL_IPT, *DOSES, BN_ONLY,
)  # fmt: skip
# Of an initial model's corrections: what each changes of the profile.
ABLATIONS: dict[str, tuple[str, str, Any]] = {
    "without the previous mask": ("network", "previous_mask", False),
    "without joint training": ("corrections", "joint", False),
    "with IOG's branch": ("network", "corrector", "iog"),
}
# An initial model whose feature prototypes can separate, which is IPT's best chance.
SEPARABLE = "separable by prototypes"
EXTENDED: dict[str, tuple[tuple[str, str, Any], ...]] = {
    SEPARABLE: (("network", "predictor", "decoder"), ("contrast", "weight", 1.0)),
}
HUMAN_MARGIN = 2.0  # a human's box is widened by twice the typical error before it clips
# Eq. 8 with both terms, with none, and Eq. 7 with a weight that is hardly clamped.
_ALIGNMENT: dict[str, dict[str, Any]] = {
    TABLE_5_VARIANTS[0]: {"class_agnostic_pixel_term": True},
    TABLE_5_VARIANTS[1]: {"class_agnostic_proto_term": False},
    CLAMP_VARIANTS[0]: {"probability_floor": 0.001},
}


def profile_of(profile: Profile, ablation: str) -> Profile:
    """The profile of a model with this ``Recipe.ablation``: it decides network and training."""
    changes = EXTENDED.get(ablation) or [ABLATIONS[one] for one in (ablation,) if one in ABLATIONS]
    for part, name, value in changes:
        changed = {part: replace(getattr(profile, part), **{name: value})}
        reasons = {**profile.reasons, f"{part}.{name}": f"Ours: {ablation}, to see what it brings"}
        profile = replace(profile, **changed, reasons=reasons)
    return profile


def evolution_config(
    profile: Profile, scene: Scene, variant: str, user: User = "iog"
) -> EvolutionConfig:
    """The rows of Tables 4 and 5 and those beyond the paper, as parameters of one function.

    Paper: Table 4, Table 5.  Everything that is not one of their rows is ours. ``BN_ONLY`` is the
    control of +ST (``method.beyond.bn_adaptation``), which moves no weight.
    """
    plain = EvolutionConfig(
        train=profile.evolving(scene).train,
        augmentation_old=profile.augmentation,
        augmentation_new=profile.evolving(scene).augmentation_new,
        class_loss_weight=profile.class_loss_weight,
        class_reaches_backbone=profile.class_reaches_backbone,
        corrections=profile.corrections,
    )
    full = replace(plain, ipt=profile.ipt, alignment=profile.alignment)
    if variant in TABLE_4_VARIANTS:
        return replace(
            plain,
            ipt=profile.ipt if "ipt" in variant else None,
            alignment=profile.alignment if "fa" in variant else None,
        )
    if variant in _ALIGNMENT:
        return replace(full, alignment=replace(profile.alignment, **_ALIGNMENT[variant]))
    if variant == TRUE_NAMES:
        return replace(full, gate="given")
    if variant == FULL_KEPT:
        return replace(full, old_loss_end=1.0, between=BETWEEN)
    if variant == BN_ONLY or variant in DOSES:
        return plain
    if feature := LITERAL_IPT.get(variant):
        return replace(plain, ipt=IPTConfig(), teacher=replace(profile.inference, feature=feature))
    if variant in EVIDENCE_VARIANTS:
        return _on_evidence(plain, profile, variant, user)
    return replace(plain, teacher=inference_config(profile, True, True, user))  # CLIPPED_VIEWS


def _on_evidence(
    plain: EvolutionConfig, profile: Profile, variant: str, user: User
) -> EvolutionConfig:
    """Self-training on masks that image and box make (``method.evidence``)."""
    teacher = inference_config(profile, False, True, user, evidence=True)
    if variant == CAUTIOUS and teacher.evidence is not None:
        teacher = replace(teacher, evidence=replace(teacher.evidence, cautious=True))
    if variant == PRINTED_ON_EVIDENCE:
        teacher = replace(teacher, feature="decoder")
    return replace(
        plain,
        teacher=teacher,
        old_loss_end=plain.old_loss_end if variant == EVIDENCE else 1.0,
        between=1.0 if variant in (EVIDENCE, KEPT, DISTILLED, OWN_STATISTICS) else BETWEEN,
        distillation=1.0 if variant == DISTILLED else 0.0,
        statistics="scene" if variant == OWN_STATISTICS else "shared",
        ipt={ON_EVIDENCE: profile.ipt, PRINTED_ON_EVIDENCE: IPTConfig()}.get(variant),
    )


def inference_config(
    profile: Profile, clipped: bool, tta: bool, user: User = "iog", evidence: bool = False
) -> InferenceConfig:
    """A prediction clipped to the box, a mean over six views, both, or neither; or evidence.

    The weights of evidence are still to be learned (``runs.evidence``).
    """
    margin = HUMAN_MARGIN * box_error(profile, user)
    return replace(
        profile.inference,
        clip_to_box=clipped,
        clip_margin=margin if clipped else 0.0,
        tta="six views" if tta else "none",
        evidence=EvidenceConfig(box_error=box_error(profile, user)) if evidence else None,
    )


def box_error(profile: Profile, user: User) -> float:
    """By how much a side of the user's box typically errs, as a share of the box's side."""
    return profile.clicks.box_jitter if user == "human" else 0.0
