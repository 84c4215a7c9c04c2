"""How large every network of Table 1 is, here and as published."""

from __future__ import annotations

import torch
from torch import nn

from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.peers import PEERS, peer_of
from openscenes.study.profiles import PAPER, Profile

PUBLISHED_IOG = 52.1  # millions, counted in the published state dict


def n_parameters(network: nn.Module) -> int:
    """All parameters, used or not."""
    return sum(parameter.numel() for parameter in network.parameters())


def parameter_table(profile: Profile) -> str:
    """Markdown: parameters in this profile, in the published size here, and as published.

    The last column tells what a network starts from, as only like beginnings compare networks.
    """
    lines = [
        "| system | this profile | published size, here | published | starts from, this profile |",
        "|---|---:|---:|---:|---|",
    ]
    for name in PEERS:
        here, full = (_count_peer(p, name) for p in (profile, PAPER))
        published = peer_of(PAPER, name).published_parameters
        first = _first_weights(peer_of(profile, name).imagenet is not None)
        lines.append(_line(name, here, full, published, first))
    (here, refined), (full, full_refined) = _count_iog(profile), _count_iog(PAPER)
    first = _first_weights(profile.imagenet)
    lines.append(_line("IOG (with both heads on F)", here, full, PUBLISHED_IOG, first))
    lines.append(_line("IOG with refinement branch", refined, full_refined, None, first))
    return "\n".join(lines)


def _first_weights(imagenet: bool) -> str:
    return "ImageNet" if imagenet else "random weights"


def _count_peer(profile: Profile, name: str) -> int:
    with torch.device("meta"):
        return n_parameters(peer_of(profile, name).build())


def _count_iog(profile: Profile) -> tuple[int, int]:
    with torch.device("meta"):
        network = OpenSceneNet(profile.network)
        return n_parameters(network), n_parameters(RefinableIOG(network, profile.clicks))


def _line(name: str, here: int, full: int, published: float | None, first: str) -> str:
    told = "not stated" if published is None else f"{published:.1f} M"
    return f"| {name} | {here:,} | {full:,} | {told} | {first} |"
