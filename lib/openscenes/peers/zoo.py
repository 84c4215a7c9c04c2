"""The systems of Table 1 as rows: which network, how it is clicked on, which loss, what crop.

Each peer exists in its published size and in a small one that trains on a laptop.  The sizes of
the small ones are chosen so that a step costs about what one of ours does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import nn

from openscenes.data.crops import CropConfig
from openscenes.method.training import TrainConfig
from openscenes.networks.config import NetworkConfig
from openscenes.peers.click_sampling import IFCN_SAMPLING, LATENT_SAMPLING
from openscenes.peers.losses import (
    balanced_cross_entropy,
    bootstrapped_cross_entropy,
    diverse_loss,
    plain_cross_entropy,
)
from openscenes.peers.networks.dextr import DEXTR, DEXTRConfig, load_imagenet_dextr
from openscenes.peers.networks.fctsfn import FCTSFN, FCTSFNConfig, load_imagenet_two_streams
from openscenes.peers.networks.ifcn import IFCN, FCNConfig, load_imagenet_vgg
from openscenes.peers.networks.itis import ITIS, ITISConfig, load_imagenet_itis
from openscenes.peers.networks.latent_diversity import (
    LatentDiversity,
    LatentDiversityConfig,
    load_imagenet_vgg19,
)
from openscenes.peers.training import ClickLoss, ClickSimulation

PeerName = Literal["iFCN", "Latent diversity", "ITIS", "FCTSFN", "DEXTR"]
PEERS: tuple[PeerName, ...] = ("iFCN", "Latent diversity", "ITIS", "FCTSFN", "DEXTR")
DEXTR_MARGIN_PX = 50.0  # published; ours widens IOG's margin in the same proportion


class Scale(Protocol):
    """What a study tells a peer of its size: a profile has it all."""

    @property
    def network(self) -> NetworkConfig:
        """Of our own network; its backbone decides which size the peers have."""

    @property
    def crop(self) -> CropConfig:
        """Of our own network."""

    @property
    def initial(self) -> TrainConfig:
        """How our own initial model is trained."""

    @property
    def imagenet(self) -> bool:
        """Networks start from ImageNet weights."""


@dataclass(frozen=True)
class Peer:
    """One row of Table 1.

    Attributes:
        network: class of the network; its configuration follows.
        crop: extremes look at a box with a margin, free clicks at the whole image.
        imagenet: torchvision's name of the weights that it starts from; None in the small size,
            which no library keeps weights for.
        published_parameters: millions, where the authors or their code tell; None where not.
    """

    name: PeerName
    network: Callable[..., nn.Module]
    config: Any
    clicks: ClickSimulation
    loss: ClickLoss
    crop: CropConfig
    train: TrainConfig
    imagenet: str | None
    load_imagenet: Callable[[Any, Path | None], None]
    published_parameters: float | None

    @property
    def code(self) -> tuple[Callable[..., Any], ...]:
        """What decides the trained peer, for its digest."""
        return self.network, self.loss, self.load_imagenet

    def build(self, generator: torch.Generator | None = None) -> nn.Module:
        """A fresh network, its weights drawn from the generator."""
        return self.network(self.config, generator=generator)


def peer_of(profile: Scale, name: str) -> Peer:
    """A peer in the size of a profile.

    Raises:
        KeyError: for a name that is no peer's.
    """
    small = profile.network.backbone != "resnet101"
    row = _ROWS[name]
    box = replace(profile.crop, margin_px=profile.crop.margin_px * DEXTR_MARGIN_PX / 30.0)
    image = CropConfig(profile.crop.size, margin_px=0.0, region="image")
    return Peer(
        name=row.name,
        network=row.network,
        config=row.small if small else row.published,
        clicks=row.clicks,
        loss=row.loss,
        crop=box if row.clicks.kind == "extremes" else image,
        train=_small_training(profile, row) if small else _at_most(row.train, profile.initial),
        imagenet=row.imagenet if profile.imagenet and not small else None,
        load_imagenet=row.load_imagenet,
        published_parameters=row.millions,
    )


@dataclass(frozen=True)
class _Row:
    name: PeerName
    network: Callable[..., nn.Module]
    published: Any
    small: Any
    clicks: ClickSimulation
    loss: ClickLoss
    train: TrainConfig
    rate: float
    imagenet: str
    load_imagenet: Callable[[Any, Path | None], None]
    millions: float | None


def _at_most(published: TrainConfig, ours: TrainConfig) -> TrainConfig:
    """The published schedule, cut where the profile's own is shorter, as in a dry run."""
    return replace(
        published,
        epochs=min(published.epochs, ours.epochs),
        batch_size=min(published.batch_size, ours.batch_size),
        workers=ours.workers,
    )


def _small_training(profile: Scale, row: _Row) -> TrainConfig:
    """The profile's own schedule at a rate that suits the peer, for two thirds of its epochs.

    Ours: peers learn as long as our time allows; with a third of the epochs less than ours.
    """
    ours = profile.initial
    epochs = max(1, round(ours.epochs * 2 / 3))
    return replace(
        ours, epochs=epochs, learning_rate=row.rate, freeze_batchnorm=False,
        freeze_first_stages=False, head_factor=1.0,
    )  # fmt: skip


_SMALL_VGG = FCNConfig(
    widths=(16, 32, 64, 64, 128), pools=(False, True, False, True, True), stem_stride=2,
    fc_width=128, fc_kernel=3, batch_norm=True, normalise=True,
)  # fmt: skip
_ADAM = TrainConfig(epochs=20, batch_size=8, optimiser="adamw", learning_rate=1e-5, workers=8)

_ROWS: Mapping[str, _Row] = {
    row.name: row
    for row in (
        _Row(
            "iFCN", IFCN, FCNConfig(), _SMALL_VGG,
            ClickSimulation(sampling=IFCN_SAMPLING), plain_cross_entropy,
            TrainConfig(epochs=20, learning_rate=1e-10, momentum=0.99, workers=8), 3e-3,
            "vgg16", load_imagenet_vgg, 134.3,
        ),
        _Row(
            "Latent diversity", LatentDiversity, LatentDiversityConfig(),
            LatentDiversityConfig(
                feature_widths=(16, 24, 32, 48, 64), feature_depths=(2,) * 5, feature_norm=True,
                freeze_features=False, width=32, dilations=(1, 2, 4, 8, 16, 1),
                selection_width=16, selection_dilations=(1, 4), grid_stride=2,
            ),
            ClickSimulation(sampling=LATENT_SAMPLING), diverse_loss,
            replace(_ADAM, epochs=100, batch_size=2, learning_rate=1e-4), 1e-3,
            "vgg19", load_imagenet_vgg19, None,
        ),
        _Row(
            "ITIS", ITIS, ITISConfig(),
            ITISConfig(
                backbone="small_resnet", aspp_width=32, skip_width=16, decoder_width=24,
                normalise=True,
            ),
            ClickSimulation(sampling=IFCN_SAMPLING, iterative=True),
            bootstrapped_cross_entropy, _ADAM, 3e-3, "resnet101", load_imagenet_itis, 41.0,
        ),
        _Row(
            "FCTSFN", FCTSFN, FCTSFNConfig(),
            FCTSFNConfig(
                fcn=replace(_SMALL_VGG, widths=(12, 24, 32, 48, 96)), scale_width=12,
                refinement_width=16,
            ),
            ClickSimulation(sampling=IFCN_SAMPLING), plain_cross_entropy,
            # Published: 1e-10 with momentum .99, which goes as far, and 1e-8 for the refinement.
            TrainConfig(epochs=20, learning_rate=1e-9, workers=8), 3e-3,
            "vgg16", load_imagenet_two_streams, 144.8,
        ),
        _Row(
            "DEXTR", DEXTR, DEXTRConfig(),
            DEXTRConfig(
                blocks=(1, 2, 2, 2), widths=(64, 96, 128, 192), stem_width=32, stem_kernel=3,
                stem_pool=False, psp_width=64, normalise=True, freeze_norms=False,
            ),
            ClickSimulation(kind="extremes"), balanced_cross_entropy,
            TrainConfig(batch_size=5, workers=8), 3e-3, "resnet101", load_imagenet_dextr, 48.8,
        ),
    )
}  # fmt: skip
