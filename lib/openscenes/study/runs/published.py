"""Published weights to begin with: IOG's under the initial model on VOC+SBD, DEXTR's as the peer.

A file counts by its bytes: its sha256 is in the digest of the model, its folder on no page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from openscenes.errors import DataError, InputError, WeightsError
from openscenes.files import one_line, require_regular
from openscenes.method.training import TrainConfig
from openscenes.networks.iog import IOG
from openscenes.networks.weights import misfit, published_state
from openscenes.paths import expanded
from openscenes.peers.zoo import peer_of
from openscenes.study.profiles import InitialSet, Profile
from openscenes.study.runs.names import plain_name
from openscenes.study.runs.store import file_digest

if TYPE_CHECKING:
    from openscenes.study.runs.recipes import Recipe

INITIAL_SET: InitialSet = "voc+sbd"  # what IOG's and DEXTR's published networks learned


@dataclass(frozen=True)
class Published:
    """A file of published weights, and the sha256 of its bytes."""

    path: Path
    sha256: str

    @property
    def words(self) -> str:
        """Its name without its folder, and the first digits of its digest."""
        return f"{plain_name(self.path)} (sha256 {self.sha256[:12]})"


def iog_weights(profile: Profile) -> Published | None:
    """IOG's published weights, where the profile begins with them.

    Raises:
        WeightsError: if there is no such file, as for all of this module.
    """
    return _published(profile.initial_weights)


def dextr_weights(profile: Profile) -> Published | None:
    """DEXTR's published weights, where the profile takes them."""
    return _published(profile.dextr_weights)


def beginning(profile: Profile, recipe: Recipe) -> Published | None:
    """The published weights that a model starts from; None where it starts from none.

    Ours: the initial model on VOC alone (Tables 6 and 7) is always trained here, and so is every
    peer but DEXTR.
    """
    if recipe.kind == "initial" and recipe.name == INITIAL_SET:
        return iog_weights(profile)
    return dextr_weights(profile) if (recipe.kind, recipe.name) == ("peer", "DEXTR") else None


def initial_training(profile: Profile, begun: Published | None) -> TrainConfig:
    """How an initial model is trained: whole, or only what published weights lack.

    Ours: IOG has neither pixel predictor nor class head. They are drawn and trained on the labelled
    source at the profile's rates, all of IOG frozen with its BatchNorm statistics.
    """
    if begun is None:
        return profile.initial
    return replace(profile.initial, epochs=profile.head_epochs, heads_only=True)


def require_published(profile: Profile) -> None:
    """Refuse files that the networks of a profile cannot take, before anything is trained.

    Raises:
        WeightsError: if a file is missing, damaged, or holds more than tensors.
        InputError: if its tensors are not those of the network.
    """
    if (iog := iog_weights(profile)) is not None:
        wrong = _misfit(iog, lambda: IOG(profile.network), f"{profile.network}")
        network = f"{profile.network.backbone} at {profile.crop.size} px"
        _require("IOG", iog, wrong, f"{network} of profile {profile.kind}")
    if (dextr := dextr_weights(profile)) is not None:
        peer = peer_of(profile, "DEXTR")
        wrong = _misfit(dextr, peer.build, f"{peer.config}")
        _require("DEXTR", dextr, wrong, f"DEXTR of profile {profile.kind}")


def _require(name: str, file: Published, wrong: str, network: str) -> None:
    if wrong:
        raise InputError(
            f"{one_line(str(file.path))} does not fit the {network} ({wrong}); {name}'s published "
            "weights fit the networks of profile paper, other files those that they were saved from"
        )


_fits: dict[tuple[Published, str], str] = {}  # a file is read once


def _misfit(file: Published, build: Callable[[], nn.Module], key: str) -> str:
    if (file, key) not in _fits:
        with torch.device("meta"):
            module = build()
        _fits[file, key] = misfit(module, published_state(module, file.path))
    return _fits[file, key]


def sentences(profile: Profile, recipes: Iterable[Recipe]) -> str:
    """For captions: which of these models start from published weights; "" for none."""
    firsts = dict.fromkeys(recipe.lineage()[0].with_seed(0) for recipe in recipes)
    begun = {one.name: found for one in firsts if (found := beginning(profile, one)) is not None}
    said = []
    if INITIAL_SET in begun:
        epochs = "1 epoch" if profile.head_epochs == 1 else f"{profile.head_epochs} epochs"
        said.append(
            f"The initial model on VOC+SBD starts from {begun[INITIAL_SET].words}, published; its "
            f"two heads on F alone were trained here, for {epochs}, and seeds differ in them alone."
        )
        if any((one.kind, one.name) == ("initial", "voc") for one in firsts):
            said.append("The initial model on VOC was trained here.")
    if "DEXTR" in begun:
        said.append(f"DEXTR starts from {begun['DEXTR'].words}, published, not trained here.")
    return " ".join(said)


def told(profile: Profile) -> Profile:
    """A profile for files that leave this machine: published weights by name and digest."""
    iog, dextr = iog_weights(profile), dextr_weights(profile)
    return replace(
        profile, spelling="", initial_weights="" if iog is None else iog.words,
        dextr_weights="" if dextr is None else dextr.words,
    )  # fmt: skip


def _published(text: str) -> Published | None:
    if not text:
        return None
    path = expanded(text)
    try:
        require_regular(path, "weight file")
        facts = path.stat()
    except (DataError, OSError) as error:  # OSError: it has just been taken away
        raise WeightsError(f"{error}") from None
    return Published(path, _sha256(f"{path.absolute()}", facts.st_mtime_ns, facts.st_size))


@lru_cache
def _sha256(path: str, _mtime_ns: int, _n_bytes: int) -> str:
    return file_digest(Path(path))
