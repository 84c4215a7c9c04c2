"""Pairs of an old and a new object, as training makes them, and what a network answers to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from openscenes.data import samples
from openscenes.data.examples import NO_CLASS, Example
from openscenes.data.records import ObjectRecord
from openscenes.data.samples import Batch
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.evolution import EvolutionConfig, Pool
from openscenes.method.pseudo import kept_pseudo_masks
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet
from openscenes.study.experiments.table_4 import ROWS, after
from openscenes.study.plan.on_demand import trained
from openscenes.study.profiles import InitialSet, Profile, Scene
from openscenes.study.runs.data import Labelled, Study, new_scene, source
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import FULL, Recipe, evolution_config
from openscenes.study.scores.results import SCENES

BEFORE, ALL_MODULES = "Baseline", "+ST +IPT +FA"
SHOWN = (BEFORE, "+ST", "+ST +FA", ALL_MODULES)  # rows of Table 4
UNKNOWN = "unknown"
AT_ONCE = 16  # crops in one forward pass


@dataclass(frozen=True)
class Pairing:
    """N pairs of one epoch, as training makes them but for the random warp.

    Attributes:
        old, new: N crops each; pair i is (old[i], new[i]).
        old_names: true class of each old object.
        said: class that the model said of each new object, "unknown" where it said none.
        true_names: its true class, which training never reads.
    """

    old: Batch
    new: Batch
    old_names: tuple[str, ...]
    said: tuple[str, ...]
    true_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.new)

    @property
    def known(self) -> Tensor:
        """(N,) bool: a class of the pool was said, so that Eq. 7 and 9 hold, not Eq. 8 and 10."""
        return self.new.classes != NO_CLASS

    def pair(self, i: int) -> Pairing:
        """The i-th pair alone."""
        names = (self.old_names[i],), (self.said[i],), (self.true_names[i],)
        alone = slice(i, i + 1)
        return Pairing(_rows(self.old, alone), _rows(self.new, alone), *names)


@dataclass(frozen=True)
class Seen:
    """What one network answers to the old and the new crops of a pairing, float32, on the CPU."""

    old: NetworkOutput
    new: NetworkOutput

    def pair(self, i: int) -> Seen:
        """The answers to the i-th pair alone."""
        return Seen(_output_rows(self.old, i), _output_rows(self.new, i))

    def together(self) -> NetworkOutput:
        """All answers as of one pass, first the old ones, then the new ones."""
        return _joined([self.old, self.new])


@dataclass(frozen=True)
class Alignment:
    """Pairs of the source and one new scene before several models; made when first asked for.

    Attributes:
        models: row of Table 4 -> model, see ``wanted``.
        n_pairs: taken evenly from the new scene's objects.
        seed: of the trainings, which decides who is whose partner.
    """

    study: Study
    scene: Scene
    models: Mapping[str, Model]
    n_pairs: int = 32
    seed: int = 0

    @property
    def evolution(self) -> EvolutionConfig:
        """Settings of the last row, +ST +IPT +FA."""
        return evolution_config(self.study.profile, self.scene, FULL)

    @property
    def config(self) -> AlignmentConfig:
        """Settings of the alignment losses in that row."""
        return self.study.profile.alignment

    def pairing(self, epoch: int = 0) -> Pairing:
        """The pairs of an epoch; each epoch draws other partners."""
        key = ("pairing", self.scene, self.seed, self.n_pairs, epoch)
        return self.study.remembered(key, lambda: self._paired(epoch))

    def seen(self, name: str, epoch: int = 0) -> Seen:
        """What a model answers to the pairs of an epoch; the new objects are asked about once."""
        pairing, model = self.pairing(epoch), self.models[name]

        def remembered(side: str, batch: Batch) -> NetworkOutput:
            key = ("answers", self.scene, self.seed, self.n_pairs, side, model.digest)
            return self.study.remembered(
                key, lambda: answers(self.study, self._network(name), batch)
            )

        return Seen(remembered(f"old {epoch}", pairing.old), remembered("new", pairing.new))

    def _network(self, name: str) -> OpenSceneNet:
        model = self.models[name]
        return self.study.remembered(("network", model.digest), lambda: model.load(self.study))

    def _paired(self, epoch: int) -> Pairing:
        """The new objects with the refined pseudo masks that +ST +IPT +FA learned from."""
        labelled = source(self.study, _initial_set(self.study.profile))
        scene_data = new_scene(self.study, self.scene)
        pseudo = kept_pseudo_masks(self.models[ALL_MODULES].folder, scene_data.clicked)
        places = np.linspace(0, len(pseudo) - 1, min(self.n_pairs, len(pseudo))).round().astype(int)
        new, truth = [pseudo[i] for i in places], [scene_data.truth[i] for i in places]
        return paired(self.study, labelled, new, truth, seed=self.seed, epoch=epoch)


def wanted(profile: Profile, scene: Scene, seed: int = 0) -> dict[str, Recipe]:
    """The models that are compared: row of Table 4 -> recipe."""
    return {name: after(_initial_set(profile), scene, ROWS[name], seed) for name in SHOWN}


def alignments(study: Study, n_pairs: int = 32, seed: int = 0) -> dict[str, Alignment]:
    """Both new scenes before the models of ``SHOWN``, by scene; what is missing is trained."""
    recipes = {scene: wanted(study.profile, scene, seed) for scene in SCENES}
    models = iter(trained(study, [r for named in recipes.values() for r in named.values()]))
    return {
        scene: Alignment(study, scene, {name: next(models) for name in named}, n_pairs, seed)
        for scene, named in recipes.items()
    }


def paired(
    study: Study,
    labelled: Labelled,
    new: Sequence[Example],
    truth: Sequence[Example],
    *,
    seed: int,
    epoch: int,
) -> Pairing:
    """Each new object with the partner that training gives it in an epoch."""
    pool = Pool(labelled.examples)
    known = [e if pool.knows(e.class_index) else replace(e, class_index=NO_CLASS) for e in new]
    old = [pool.partner(example, seed, epoch) for example in known]
    said = tuple(_said(labelled.index.classes, example) for example in known)
    names = tuple(map(_name, old)), said, tuple(map(_name, truth))
    return Pairing(_batch(study, old), _batch(study, known), *names)


def answers(study: Study, network: OpenSceneNet, batch: Batch) -> NetworkOutput:
    """A network's answers, with the batch statistics that evolution keeps; float32, on the CPU."""
    network.to(study.fabric.device).eval()
    parts = []
    for start in range(0, len(batch), AT_ONCE):
        part = _rows(batch, slice(start, start + AT_ONCE)).to(study.fabric.device)
        with torch.no_grad(), study.fabric.autocast():
            parts.append(_on_cpu(network(part.inputs(study.profile.clicks))))
    return _joined(parts)


def _initial_set(profile: Profile) -> InitialSet:
    return profile.initial_sets[-1]


def _said(classes: Sequence[str], example: Example) -> str:
    channel = example.class_index  # 0 is the background
    return classes[channel - 1] if channel > 0 else UNKNOWN


def _name(example: Example) -> str:
    record = example.supervision
    return record.class_name if isinstance(record, ObjectRecord) else UNKNOWN


def _batch(study: Study, examples: Sequence[Example]) -> Batch:
    cuts = [samples.cut(example, study.profile.crop, study.cache) for example in examples]
    return samples.collate(cuts)


def _rows(batch: Batch, rows: slice) -> Batch:
    return replace(batch, **{f.name: getattr(batch, f.name)[rows] for f in fields(batch)})


def _output_rows(output: NetworkOutput, i: int) -> NetworkOutput:
    rest = {name: values[i : i + 1] for name, values in _maps(output).items()}
    return NetworkOutput(coarse=tuple(logits[i : i + 1] for logits in output.coarse), **rest)


def _joined(outputs: Sequence[NetworkOutput]) -> NetworkOutput:
    coarse = tuple(torch.cat(parts) for parts in zip(*(o.coarse for o in outputs), strict=True))
    maps = [_maps(output) for output in outputs]
    rest = {name: torch.cat([each[name] for each in maps]) for name in maps[0]}
    return NetworkOutput(coarse=coarse, **rest)


def _on_cpu(output: NetworkOutput) -> NetworkOutput:
    rest = {name: values.float().cpu() for name, values in _maps(output).items()}
    return NetworkOutput(coarse=tuple(c.float().cpu() for c in output.coarse), **rest)


def _maps(output: NetworkOutput) -> dict[str, Tensor]:
    """Every answer that is one tensor, by name."""
    return {name: values for name, values in output._asdict().items() if name != "coarse"}
