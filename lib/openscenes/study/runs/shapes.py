"""The networks of a profile without memory behind their weights, to count what they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from openscenes.data.told import Told
from openscenes.kept import keep, kept
from openscenes.networks.backbones import INPUT_CHANNELS
from openscenes.networks.corrector import CLICK_CHANNELS, Seen
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet
from openscenes.paths import cache_dir
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.recipes import ABLATIONS, EXTENDED, Recipe, profile_of
from openscenes.study.runs.store import digest_of

OURS, PAIRS, CORRECTION = "ours", "pairs", "correction"
NETWORKS = (OURS, PAIRS, *ABLATIONS, *EXTENDED, *PEERS)
COUNTED_CROPS = 2  # of one pass that is counted: BatchNorm wants two


def network_of(recipe: Recipe) -> str:
    """Which of ``NETWORKS`` a training trains; pairs are ours with an old and a new crop each."""
    first = recipe.lineage()[0]
    if first.kind == "peer":
        return first.name
    return PAIRS if recipe.kind in ("evolved", "re-estimated") else recipe.ablation or OURS


def shape_of(profile: Profile, name: str) -> tuple[nn.Module, tuple[Any, ...]]:
    """One of ``NETWORKS`` on the meta device, and the inputs of ``COUNTED_CROPS`` crops."""
    size = profile.crop.size
    if name in PEERS:
        with torch.device("meta"):
            peer: Any = peer_of(profile, name).build()
        images = torch.zeros(COUNTED_CROPS, 3, size, size, dtype=torch.uint8)
        clicks = torch.zeros(COUNTED_CROPS, 4, 3)
        return peer, (peer.inputs(images, clicks, None).to("meta"),)
    with torch.device("meta"):
        network = OpenSceneNet(profile_of(profile, name).network)
        seen = torch.empty(COUNTED_CROPS, INPUT_CHANNELS, size, size)
        return network, (seen, one_click)


def one_click(_seen: Seen, output: NetworkOutput) -> tuple[Told, Tensor]:
    """A correction of each crop, so that its answer counts."""
    n, size = len(output.fine), 2 * output.fine.shape[-1]
    maps = output.fine.new_empty(n, CLICK_CHANNELS, size, size)
    return Told(output.fine.new_empty(n, 6, 3), maps), output.fine.detach()


def kept_count(
    of: Callable[..., Any], made_of: Sequence[object], count: Callable[[], dict[str, float]]
) -> dict[str, float]:
    """What ``count`` finds of the networks, once for what makes it and the code of ``of``."""
    name = digest_of([*made_of, str(torch.__version__), code_digest(of, shape_of)])
    path = cache_dir() / "counted" / f"{name}.json"
    if (found := kept(path)) is None:
        keep(path, found := count())
    return found


def tensors_of(output: Any) -> Iterator[Tensor]:
    """Every tensor of a network's output."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, tuple):
        for part in output:
            yield from tensors_of(part)
