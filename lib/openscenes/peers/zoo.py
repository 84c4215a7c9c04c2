"""The systems of Table 1 as rows: which network, click simulation, loss, crop and schedule.

Each peer exists in its published size and in a small one that trains on a laptop; a step of a
small one costs about what one of ours does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, cast

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
DEXTR_MARGIN_PX, IOG_MARGIN_PX = 50.0, 30.0  # published


class Scale(Protocol):
    """What a peer's size depends on: a profile has it all."""

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
        clicks: how clicks are simulated in training.
        imagenet: torchvision's name of the weights that it starts from; None in the small size,
            which no library keeps weights for.
        published_parameters: millions, where the authors or their code tell; None where not.
        crop: extremes see a box with a margin, free clicks the whole image.
    """

    name: PeerName
    network: Callable[..., nn.Module]
    config: Any
    clicks: ClickSimulation
    loss: ClickLoss
    train: TrainConfig
    imagenet: str | None
    load_imagenet: Callable[[Any, Path | None], None]
    published_parameters: float | None
    crop: CropConfig = CropConfig(margin_px=0.0, region="image")

    @property
    def code(self) -> tuple[Callable[..., Any], ...]:
        """What decides the trained peer, for its digest."""
        return self.network, self.loss, self.load_imagenet

    def build(self, generator: torch.Generator | None = None) -> nn.Module:
        """A fresh network, its weights drawn from the generator."""
        return self.network(self.config, generator=generator)


def peer_of(profile: Scale, name: str) -> Peer:
    """A peer in the size of a profile.

    Ours: DEXTR's margin stands to IOG's in each profile as in the published networks.
    Ours: all are augmented alike, as IOG and DEXTR are; ITIS changes gamma, FCTSFN turns by up to
    60 degrees, latent diversity changes nothing.

    Raises:
        KeyError: for a name that is no peer's.
    """
    published, (config, rate) = _PUBLISHED[name], _SMALL[name]
    crop = replace(published.crop, size=profile.crop.size)
    if crop.region == "box":
        margin = profile.crop.margin_px * DEXTR_MARGIN_PX / IOG_MARGIN_PX
        crop = replace(profile.crop, margin_px=margin)
    if profile.network.backbone != "resnet101":
        train = _small_training(profile.initial, rate)
        return replace(published, config=config, crop=crop, train=train, imagenet=None)
    imagenet = published.imagenet if profile.imagenet else None
    train = _at_most(published.train, profile.initial)
    return replace(published, crop=crop, train=train, imagenet=imagenet)


def _at_most(published: TrainConfig, ours: TrainConfig) -> TrainConfig:
    """The published schedule, shortened where the profile's own is shorter, as in a dry run.

    How it is computed is the profile's.
    """
    epochs, size = min(published.epochs, ours.epochs), min(published.batch_size, ours.batch_size)
    steps = tuple((start * epochs / published.epochs, *own) for start, *own in published.steps)
    return replace(
        published, epochs=epochs, batch_size=size, steps=cast(Any, steps),
        precision=ours.precision, deterministic=ours.deterministic, micro_batch=ours.micro_batch,
    )  # fmt: skip


def _small_training(ours: TrainConfig, rate: float) -> TrainConfig:
    """The profile's own schedule at a rate that suits the peer, for two thirds of its epochs.

    Ours: AdamW with one cycle, at rates that suit the small networks, where the published ones
    need hundreds of thousands of steps (profile ``paper`` has them); with a third of the epochs
    less than ours. BatchNorm, whose statistics start at random, learns.
    """
    return replace(
        ours, epochs=max(1, round(ours.epochs * 2 / 3)), learning_rate=rate,
        freeze_batchnorm=False, freeze_first_stages=False, head_factor=1.0,
    )  # fmt: skip


def fine_tuning(peer: Peer, profile: Scale, scene: TrainConfig) -> TrainConfig:
    """How a peer learns a new scene's ground truth, for as many epochs as ours.

    Paper: Table 2 fine-tunes DEXTR and names no rate.
    Ours: a peer's rate falls as ours does from the initial stage to the new scene (profile
    ``paper``: from 1e-8 to the 1e-9 of Sec. 4.1.3), and takes no steps within the scene.
    """
    rate = peer.train.learning_rate * scene.learning_rate / profile.initial.learning_rate
    return replace(peer.train, epochs=scene.epochs, learning_rate=rate, steps=())


# Adam without decay; one rate for all, as none of these publishes a faster head.
_ADAM = TrainConfig(optimiser="adamw", weight_decay=0.0, head_factor=1.0)
_FCN = TrainConfig(epochs=20, learning_rate=1e-10, momentum=0.99, head_factor=1.0)
_FREE, _ITERATIVE = ClickSimulation(sampling=IFCN_SAMPLING), ClickSimulation(iterative=True)

_PUBLISHED: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            "iFCN", IFCN, FCNConfig(), _FREE, plain_cross_entropy,
            replace(_FCN, batch_size=2), "vgg16", load_imagenet_vgg, 134.3,
        ),
        Peer(
            "Latent diversity", LatentDiversity, LatentDiversityConfig(),
            ClickSimulation(sampling=LATENT_SAMPLING), diverse_loss,
            replace(_ADAM, batch_size=2, learning_rate=1e-4),
            "vgg19", load_imagenet_vgg19, None,
        ),
        Peer(
            "ITIS", ITIS, ITISConfig(), _ITERATIVE, bootstrapped_cross_entropy,
            replace(
                _ADAM, epochs=50, batch_size=5, learning_rate=1e-5, freeze_batchnorm=True,
                steps=((9, 0.1, 0.1), (14, 0.03, 0.03)),
            ),
            "resnet101", load_imagenet_itis, 41.0,
        ),
        Peer(
            "FCTSFN", FCTSFN, FCTSFNConfig(), _FREE, plain_cross_entropy,
            # TSLFN, then MSRN; a tenth of its rate after 10,000 and 20,000 steps of 3 objects.
            replace(
                _FCN, epochs=24, batch_size=3, head_factor=100.0,
                steps=((0, 1, 0), (20, 0, 1), (21.16, 0, 0.1), (22.32, 0, 0.01)),
            ),
            "vgg16", load_imagenet_two_streams, 144.8,
        ),
        Peer(
            "DEXTR", DEXTR, DEXTRConfig(), ClickSimulation(kind="extremes"),
            balanced_cross_entropy, TrainConfig(batch_size=5),
            "resnet101", load_imagenet_dextr, 48.8, CropConfig(margin_px=DEXTR_MARGIN_PX),
        ),
    )
}  # fmt: skip

_SMALL_VGG = FCNConfig(
    widths=(16, 32, 64, 64, 128), pools=(False, True, False, True, True), stem_stride=2,
    fc_width=128, fc_kernel=3, skip_scales=(1.0, 1.0), batch_norm=True, normalise=True,
)  # fmt: skip
# The small networks, and the rate that each learns with.
_SMALL: Mapping[str, tuple[Any, float]] = {
    "iFCN": (_SMALL_VGG, 3e-3),
    "Latent diversity": (LatentDiversityConfig(
        feature_widths=(16, 24, 32, 48, 64), feature_depths=(2,) * 5, feature_norm=True,
        freeze_features=False, width=32, dilations=(1, 2, 4, 8, 16, 1),
        selection_width=16, selection_dilations=(1, 4), grid_stride=2,
    ), 1e-3),
    "ITIS": (ITISConfig(
        backbone="small_resnet", aspp_width=32, skip_width=16, decoder_width=24, normalise=True,
    ), 3e-3),
    "FCTSFN": (FCTSFNConfig(
        fcn=replace(_SMALL_VGG, widths=(12, 24, 32, 48, 96)), scale_width=12, refinement_width=16,
    ), 3e-3),
    "DEXTR": (DEXTRConfig(
        blocks=(1, 2, 2, 2), widths=(64, 96, 128, 192), stem_width=32, stem_kernel=3,
        stem_pool=False, psp_width=64, normalise=True, freeze_norms=False,
    ), 3e-3),
}  # fmt: skip
