"""Evolution on what a person accepted, beside the version in use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from openscenes.annotator.evolve.scene import (
    Split,
    clicked,
    image_paths,
    placed,
    split,
    there_and_fitting,
)
from openscenes.annotator.store.lines import writing
from openscenes.annotator.store.snapshot import Rle, Snapshot
from openscenes.annotator.store.versions import ABOUT, WEIGHTS, Version, Versions, about_initial
from openscenes.annotator.store.workspace import Workspace
from openscenes.data import clicks
from openscenes.data.examples import Example, from_clicks
from openscenes.data.records import ClickedObject
from openscenes.errors import InputError
from openscenes.kept import kept
from openscenes.masks import code_box
from openscenes.method.evolution import EvolutionConfig, Pool, evolve
from openscenes.method.inference import RunContext
from openscenes.method.pseudo import (
    PSEUDO_MASKS,
    keep_masks,
    kept_pseudo_masks,
    pseudo_examples,
)
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import save_weights
from openscenes.prediction.model_files import description
from openscenes.study.runs import store
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Labelled, Study, source
from openscenes.study.runs.models import run_context
from openscenes.study.runs.provenance import provenance
from openscenes.study.runs.recipes import OURS, ROUNDS, VARIANTS, evolution_config, initial
from openscenes.study.runs.runs import train

_CODE = (evolve, kept_pseudo_masks, Pool)  # what decides a candidate
SEED = 0
CLICKS = "clicks.jsonl"
FEWEST = 2  # a batch of one cannot train: BatchNorm has nothing to average over


def version_in_use(workspace: Workspace, study: Study) -> Version:
    """The version in use; a new workspace begins with the study's initial model.

    The initial model is trained first if the cache does not hold it; a damaged copy of it is made
    anew. A workspace that cannot be written to borrows it.

    Raises:
        InputError: if the workspace belongs to another profile.
    """
    versions = Versions(workspace.folder)
    current = versions.current()
    if current is None:
        current = _initial(versions, study, read_only=bool(workspace.read_only))
    if current.about["profile"] != study.profile.name:
        raise InputError(
            f"The model in use was made with profile {current.about['profile']}, not "
            f"{study.profile.name}; give --profile {current.about['profile']}, or annotate in "
            "another workspace."
        )
    return current


def _initial(versions: Versions, study: Study, *, read_only: bool) -> Version:
    """The study's initial model as a version, adopted where the workspace can be written to."""
    initial_set = study.profile.initial_sets[-1]
    model = train(study, initial(initial_set, SEED))
    if read_only:
        return Version(model.digest, model.folder, about_initial(study, model, initial_set))
    return versions.adopt(study, model, initial_set=initial_set)


def split_for(workspace: Workspace, version: Version, accepted: Sequence[Snapshot]) -> Split:
    """Accepted objects, divided for a step that begins at a version."""
    lineage = Versions(workspace.folder).lineage(version)
    learned = {item.object_id for earlier in lineage for item in _clicks_of(earlier)}
    there, fits = there_and_fitting(workspace, accepted)
    return split(accepted, there, learned, fits)


def evolve_on(
    workspace: Workspace,
    study: Study,
    accepted: Sequence[Snapshot],
    *,
    variant: str = OURS,
    clicks_only: bool = False,
) -> Version:
    """Evolve the version in use on accepted objects: a candidate, in use only once accepted.

    Paper: Sec. 3.1-3.4. The pool is the labelled source and what earlier versions of the lineage
    learned, with the masks that they learned from.
    Ours: masks that the person accepted are learned as they are (``recipes.ACCEPTED``); where
    such a mask is empty, and for all with ``clicks_only``, a pseudo mask is. From clicks alone ours
    takes ``recipes.ROUNDS`` rounds, of which only the last counts as a version; each learns the
    weights of its evidence anew, where Table 4+ keeps those of the initial model.
    What is held out, or was learned before, is left out; a second call with the same
    objects finds the candidate, and after a kill it goes on where it was.

    Args:
        study: on whose labelled source the model began.
        accepted: objects of a log.
        variant: of ``recipes.VARIANTS``; ours by default, as Table 4+ has it.
        clicks_only: the paper's rule, images and clicks alone: no accepted mask is looked at.
    Raises:
        InputError: if too little is left to learn, or there is no such variant.
    """
    if variant not in VARIANTS:
        raise InputError(f"There is no variant {variant!r}; choose one of {', '.join(VARIANTS)}.")
    parent, versions = version_in_use(workspace, study), Versions(workspace.folder)
    parts = split_for(workspace, parent, accepted)
    if len(parts.learnable) < FEWEST:
        raise InputError(_too_few(parts))
    scene = tuple(clicked(item) for item in parts.learnable)
    own = {} if clicks_only else {one.object_id: one.mask for one in parts.learnable}
    own = {name: code for name, code in own.items() if code_box(code) is not None}
    version, n_rounds = parent, ROUNDS if variant == OURS and not own else 1
    for n in range(1, n_rounds + 1):
        lineage = tuple(versions.lineage(version))
        which = f", round {n} of {n_rounds}" if n_rounds > 1 else ""
        task = _Task(workspace, study, lineage, scene, variant, own, parent, which)
        folder = versions.folder / task.name
        with writing(folder), store.locked(folder):
            if not versions.is_whole(task.name):
                task.train(folder)
        version = versions.read(task.name)
    return versions.add(version.name)


@dataclass(frozen=True)
class _Task:
    """A candidate still to be trained, or a round of it.

    Attributes:
        own: accepted masks, by their object.
        before: the version in use, from which the first round started.
        which: of the rounds, in words; "" for an only one.
    """

    workspace: Workspace
    study: Study
    lineage: tuple[Version, ...]
    scene: tuple[ClickedObject, ...]
    variant: str
    own: Mapping[str, Rle]
    before: Version
    which: str

    @property
    def parent(self) -> Version:
        return self.lineage[-1]

    @property
    def config(self) -> EvolutionConfig:
        return evolution_config(self.study.profile, "coco", self.variant, "human")

    @cached_property
    def source(self) -> Labelled:
        """The labelled objects that the task sequence began with."""
        return source(self.study, self.parent.initial_set)

    @cached_property
    def made_of(self) -> dict[str, Any]:
        """All that decides the candidate, as for the models of a study."""
        profile = self.study.profile
        return {
            "stage": "evolved on annotations",
            "parent": self.parent.name,
            "objects": [[o.image_id, o.object_id, *o.interaction.box, *o.interaction.point]
                        for o in self.scene],
            "masks": {name: code["counts"] for name, code in self.own.items()},
            "pool": [self.source.digest, [e.object_id for e in self.learned_before]],
            "config": self.config,
            "inference": profile.inference,
            "crop": profile.crop,
            "clicks": profile.clicks,
            "seed": SEED,
            "code": code_digest(*_CODE),
            "torch": str(torch.__version__).partition("+")[0],
            "device": self.study.fabric.device.type,
            "precision": self.study.precision,
        }  # fmt: skip

    @property
    def name(self) -> str:
        return store.digest_of(self.made_of)

    @property
    def step(self) -> str:
        rule = "" if self.own else ", clicks alone"
        return f"{len(self.scene)} annotations {self.variant}{rule}{self.which}"

    @cached_property
    def learned_before(self) -> list[Example]:
        """What earlier steps learned, with their pseudo masks, where the images are still there."""
        examples: list[Example] = []
        for version in self.lineage[1:]:
            scene = _clicks_of(version)
            there = image_paths(self.workspace, scene)
            examples += [replace(kept, image=there[one.image_id])
                         for one, kept in zip(scene, kept_pseudo_masks(version.folder, scene),
                                              strict=True)
                         if one.image_id in there]  # fmt: skip
        return examples

    def train(self, folder: Path) -> None:
        """Evolve in a folder, where an interrupted run goes on; weights come last, and count.

        Paper: Sec. 3.4: the pool is all that was learned before.
        """
        study, profile, seconds = self.study, self.study.profile, store.stopwatch(folder)
        pool = Pool(self.source.examples).merged_with(self.learned_before)
        scene = placed(self.scene, image_paths(self.workspace, self.scene))
        network, context = self.parent.load(study), run_context(study, SEED)
        if self.own and kept(folder / PSEUDO_MASKS) is None:
            self._keep_own(scene, network, context, pool, folder / PSEUDO_MASKS)
        step = evolve(network, pool, scene, self.config, context, folder=folder, label=self.step)
        clicks.save(self.scene, folder / CLICKS)
        about = {
            "label": f"{self.before.label} > {self.step}",
            "parent": self.parent.name,
            "before": self.before.name,
            "profile": profile.name,
            "initial_set": self.parent.initial_set,
            "variant": self.variant,
            "n_objects": len(self.scene),
            "n_masks": len(self.own),
            "made_of": store.plain(self.made_of),
            "wall_s": seconds(),
            "history": step.history,
        }
        store.put_json(folder / ABOUT, about | provenance())
        metadata = description(step.network.config, profile.crop, profile.clicks)
        metadata |= {"digest": folder.name, "label": about["label"]}
        save_weights(step.network, folder / WEIGHTS, metadata)
        (folder / store.SPENT).unlink(missing_ok=True)

    def _keep_own(
        self, scene: Sequence[ClickedObject], network: OpenSceneNet, context: RunContext,
        pool: Pool, file: Path,
    ) -> None:  # fmt: skip
        """Write down what is learned from: accepted masks, and pseudo masks of the rest.

        Classes are predicted for all; evidence is not asked where every object has its mask.
        """
        inference = self.config.teacher or context.inference
        if len(self.own) == len(scene):
            inference = replace(inference, evidence=None, tta="none")
        made = pseudo_examples(
            network, [from_clicks(one) for one in scene], context, self.config.ipt, inference,
            label=f"{self.step}: classes", labelled=pool.examples, gate=self.config.gate,
        )  # fmt: skip
        own = [
            self.own.get(one.object_id, seen.supervision)
            for one, seen in zip(scene, made, strict=True)
        ]
        keep_masks(
            file, [replace(seen, supervision=code) for seen, code in zip(made, own, strict=True)]
        )


def _clicks_of(version: Version) -> tuple[ClickedObject, ...]:
    path = version.folder / CLICKS
    return clicks.load(path) if path.exists() else ()


def _too_few(parts: Split) -> str:
    left_out = {"held out to judge with": parts.held_out, "learned already": parts.learned,
                "without their image": parts.missing}  # fmt: skip
    said = [f"{len(some)} {reason}" for reason, some in left_out.items() if some]
    why = ", ".join(said) or "no others accepted"
    n = len(parts.learnable)
    return (
        f"There {'is 1 object' if n == 1 else f'are {n} objects'} to evolve on ({why}), and at "
        f"least {FEWEST} are wanted; accept more objects, best some twenty in several images."
    )
