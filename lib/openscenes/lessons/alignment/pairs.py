"""Pairs of an old and a new object, as training makes them, and a network's outputs for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from openscenes.data import samples
from openscenes.data.examples import NO_CLASS, Example
from openscenes.data.records import ObjectRecord
from openscenes.data.samples import Batch
from openscenes.lessons.loading import loaded
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.evolution import EvolutionConfig, Pool
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet
from openscenes.settings import count_parameter
from openscenes.study.experiments.table_4 import ROWS, after
from openscenes.study.plan.on_demand import trained
from openscenes.study.profiles import Profile, Scene
from openscenes.study.runs.data import Labelled, Study, new_scene, source
from openscenes.study.runs.models import Model
from openscenes.study.runs.pseudo import pseudo_masks
from openscenes.study.runs.recipes import FULL, Recipe, evolution_config
from openscenes.study.scores.results import SCENES

BEFORE, ALL_MODULES = "Baseline", "+ST +IPT +FA"
SHOWN = (BEFORE, "+ST", "+ST +FA", ALL_MODULES)  # rows of Table 4
UNKNOWN = "unknown"
AT_ONCE = 16  # crops in one forward pass
SEED = 0  # of the trainings, which decides the partners
T = TypeVar("T")


@dataclass(frozen=True)
class Pairing:
    """N pairs of one epoch, as training makes them but for the random warp.

    Attributes:
        old, new: N crops each; pair i is (old[i], new[i]).
        old_names: true class of each old object.
        predicted: the class predicted for each new object, "unknown" where none was.
        true_names: its true class, which training never reads.
    """

    old: Batch
    new: Batch
    old_names: tuple[str, ...]
    predicted: tuple[str, ...]
    true_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.new)

    @property
    def known(self) -> Tensor:
        """(N,) bool: a class of the replay buffer was predicted: Eq. 7 and 9, not Eq. 8 and 10."""
        return self.new.classes != NO_CLASS

    def pair(self, i: int) -> Pairing:
        """The i-th pair alone."""
        names = (self.old_names[i],), (self.predicted[i],), (self.true_names[i],)
        alone = slice(i, i + 1)
        return Pairing(_rows(self.old, alone), _rows(self.new, alone), *names)


@dataclass(frozen=True)
class Outputs:
    """A network's outputs for the old and the new crops of a pairing, float32, on the CPU."""

    old: NetworkOutput
    new: NetworkOutput

    def pair(self, i: int) -> Outputs:
        """The outputs for the i-th pair alone."""
        old, new = (_mapped(lambda parts: parts[0][i : i + 1], [o]) for o in (self.old, self.new))
        return Outputs(old, new)

    def together(self) -> NetworkOutput:
        """All outputs as of one pass, first the old ones, then the new ones."""
        return _mapped(torch.cat, [self.old, self.new])


@dataclass(frozen=True)
class Alignment:
    """Pairs of the source and one new scene before several models; made when first needed.

    Attributes:
        models: row of Table 4 -> model, see ``compared_recipes``.
    """

    study: Study
    scene: Scene
    models: Mapping[str, Model]
    n_pairs: int = 32

    @property
    def evolution(self) -> EvolutionConfig:
        """Settings of the last row, +ST +IPT +FA."""
        return evolution_config(self.study.profile, self.scene, FULL)

    @property
    def config(self) -> AlignmentConfig:
        """Settings of the alignment losses in that row."""
        return self.study.profile.alignment

    def remembered(self, make: Callable[[], T], *key: object) -> T:
        """What was made for this key and these pairs before, or is made now."""
        first = self.models[BEFORE].digest
        return self.study.remembered((self.scene, self.n_pairs, first, *key), make)

    def pairing(self, epoch: int = 0) -> Pairing:
        """The pairs of an epoch; each epoch draws other partners."""
        return self.remembered(lambda: self._paired(epoch), "pairing", epoch)

    def outputs(self, name: str, epoch: int = 0) -> Outputs:
        """A model's outputs for the pairs of an epoch; the new objects are predicted once."""
        pairing, model = self.pairing(epoch), self.models[name]

        def remembered(batch: Batch, *side: object) -> NetworkOutput:
            return self.remembered(
                lambda: network_outputs(self.study, loaded(self.study, model), batch),
                "outputs", *side, model.digest,
            )  # fmt: skip

        return Outputs(remembered(pairing.old, "old", epoch), remembered(pairing.new, "new"))

    def _paired(self, epoch: int) -> Pairing:
        """The new objects with the refined pseudo masks that +ST +IPT +FA learned from."""
        labelled = source(self.study, self.study.profile.initial_sets[-1])
        scene_data = new_scene(self.study, self.scene)
        step = compared_recipes(self.study.profile, self.scene)[ALL_MODULES]
        pseudo = pseudo_masks(self.study, step, self.models[BEFORE])
        places = np.linspace(0, len(pseudo) - 1, min(self.n_pairs, len(pseudo))).round().astype(int)
        new, truth = [pseudo[i] for i in places], [scene_data.truth[i] for i in places]
        return paired(self.study, labelled, new, truth, epoch)


def compared_recipes(profile: Profile, scene: Scene) -> dict[str, Recipe]:
    """The models that are compared: row of Table 4 -> recipe."""
    return {name: after(profile.initial_sets[-1], scene, ROWS[name], SEED) for name in SHOWN}


def alignments(study: Study, n_pairs: int = 32) -> dict[str, Alignment]:
    """Both new scenes before the models of ``SHOWN``, by scene; what is missing is trained."""
    n_shown = count_parameter("n_pairs", n_pairs)
    recipes = {scene: compared_recipes(study.profile, scene) for scene in SCENES}
    models = iter(trained(study, [r for named in recipes.values() for r in named.values()]))
    return {
        scene: Alignment(study, scene, {name: next(models) for name in named}, n_shown)
        for scene, named in recipes.items()
    }


def paired(
    study: Study, labelled: Labelled, new: Sequence[Example], truth: Sequence[Example], epoch: int
) -> Pairing:
    """Each new object with the partner that training gives it in an epoch."""
    pool = Pool(labelled.examples)
    known = [pool.restrict_class(example) for example in new]
    old = [pool.partner(example, SEED, epoch) for example in known]
    predicted = tuple(_predicted_name(labelled.index.classes, example) for example in known)
    names = tuple(map(_name, old)), predicted, tuple(map(_name, truth))
    old_batch, new_batch = (
        samples.collate([samples.cut(e, study.profile.crop, study.cache) for e in examples])
        for examples in (old, known)
    )
    return Pairing(old_batch, new_batch, *names)


def network_outputs(study: Study, network: OpenSceneNet, batch: Batch) -> NetworkOutput:
    """Outputs with the batch statistics that evolution keeps; float32, on the CPU."""
    network.to(study.fabric.device).eval()
    parts = []
    for start in range(0, len(batch), AT_ONCE):
        part = _rows(batch, slice(start, start + AT_ONCE)).to(study.fabric.device)
        with torch.no_grad(), study.fabric.autocast():
            parts.append(network(part.inputs(study.profile.clicks)))
    return _mapped(lambda tensors: torch.cat(tensors).float().cpu(), parts)


def _predicted_name(classes: Sequence[str], example: Example) -> str:
    channel = example.class_index  # 0 is the background
    return classes[channel - 1] if channel > 0 else UNKNOWN


def _name(example: Example) -> str:
    record = example.supervision
    return record.class_name if isinstance(record, ObjectRecord) else UNKNOWN


def _rows(batch: Batch, rows: slice) -> Batch:
    return replace(batch, **{f.name: getattr(batch, f.name)[rows] for f in fields(batch)})


def _mapped(
    make: Callable[[list[Tensor]], Tensor], outputs: Sequence[NetworkOutput]
) -> NetworkOutput:
    """One output, each tensor of which is made of the outputs' tensors of its name."""
    coarse = tuple(make(list(parts)) for parts in zip(*(o.coarse for o in outputs), strict=True))
    names = [name for name in NetworkOutput._fields if name not in ("coarse", "corrected")]
    rest = {name: make([getattr(output, name) for output in outputs]) for name in names}
    return NetworkOutput(coarse=coarse, **rest)
