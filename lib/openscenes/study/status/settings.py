"""The page of settings: by profile, by system of Table 1, with sources and departures."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.evolution import EvolutionConfig
from openscenes.method.training import TrainConfig
from openscenes.peers.zoo import PEERS, Peer, peer_of
from openscenes.study.pages.markdown import counted, folded, grid
from openscenes.study.plan.requirements import paper_needs
from openscenes.study.profiles import PAPER, PROFILES, Profile, differences
from openscenes.study.status.decisions import settings_of
from openscenes.study.status.verification import Report


def settings_page(reports: Sequence[Report]) -> str:
    """Markdown: objects, systems of Table 1, every setting with its source, departures."""
    shown = [profile for profile in PROFILES.values() if profile.name != "smoke"]
    measured = [_counts(reports)] if reports else []
    return "\n\n".join(
        ["# Settings", *measured, _systems(), _sources(), *map(_departures, shown), paper_needs()]
    )


def _counts(reports: Sequence[Report]) -> str:
    found = {
        (report.profile, split): facts
        for report in reports
        for split, facts in report.run.get("objects", {}).items()
    }
    lines = [
        (
            *names,
            facts["images"],
            facts["objects"],
            facts.get("drawn", ""),
            ", ".join(f"{reason} {n}" for reason, n in facts["dropped"].items() if n),
        )
        for names, facts in found.items()
    ]
    head = ("profile", "split", "images", "objects", "drawn to evolve on", "left out")
    return f"## Objects per split, as found\n\n{grid(head, lines)}"


_SYSTEMS = """## Systems of Table 1

Pixels are those of a crop of 512; on smaller crops they shrink in proportion. Networks are the
published ones in profile `paper` and smaller ones elsewhere, fed alike."""


def _systems() -> str:
    peers = [peer_of(PAPER, name) for name in PEERS]
    width, offset = PAPER.clicks.heat_map_width_px, PAPER.clicks.corner_offset_px
    lines: list[tuple[str, ...]] = [
        (
            p.name,
            _looks(p),
            _SEEN[p.name](p.config),
            _learns(p),
            p.loss.__name__.replace("_", " "),
            _paced(p.train),
        )
        for p in peers
    ]
    lines.append((
        "IOG, ours", f"box with a margin of {PAPER.crop.margin_px:g} px of the source image",
        f"Gaussians, full width at half maximum {width:g} px: one at the point, four at the box's "
        f"corners, moved out by {offset:g} px; one for each correction, positive or negative",
        "the box and the point; one to three corrections, each where the last prediction errs",
        "binary cross entropy of all six outputs", _paced(PAPER.initial),
    ))  # fmt: skip
    head = (
        "system", "input", "clicks in the input", "clicks in training", "loss",
        "steps in profile `paper`",
    )  # fmt: skip
    return f"{_SYSTEMS}\n\n{grid(head, lines)}"


def _looks(peer: Peer) -> str:
    if peer.crop.region == "image":
        return "whole image"
    return f"box of the extremes with a margin of {peer.crop.margin_px:g} px; nothing outside it"


def _learns(peer: Peer) -> str:
    clicks = peer.clicks
    if clicks.kind == "extremes":
        return f"four extremes, each drawn within {clicks.slack_px:g} px; in tests without slack"
    (least, most), near = clicks.sampling.positives, clicks.sampling.near_px
    within = f" (within {near:g} px)" if isfinite(near) else ""
    extra = f", then up to {clicks.most_errors} on errors" if clicks.iterative else ""
    return f"{least} to {most} random positive, negatives around it{within} and on others{extra}"


def _paced(train: TrainConfig) -> str:
    """Optimiser, rates of backbone and heads from each epoch on, length."""
    kind = "Adam" if train.optimiser == "adamw" else f"SGD, momentum {train.momentum:g}"
    rates = [
        f"{_rates(train, *own)}" + (f" after {start:g} epochs" if start else "")
        for start, *own in train.steps or ((0, 1, 1),)
    ]
    if train.steps and train.steps[0][0]:
        rates.insert(0, _rates(train, 1, 1))
    frozen = "; the backbone's BatchNorm statistics stay" if train.freeze_batchnorm else ""
    length = f"{train.epochs} epochs in batches of {train.batch_size}"
    return f"{kind}: {', '.join(rates)}; {length}{frozen}"


def _rates(train: TrainConfig, backbone: float, heads: float) -> str:
    both = backbone * train.learning_rate, heads * train.learning_rate * train.head_factor
    return f"{both[0]:g}" if both[0] == both[1] else f"{both[0]:g} / {both[1]:g}"


_SEEN: dict[str, Callable[[Any], str]] = {
    "iFCN": lambda c: f"distance to the nearest positive and negative click, up to {c.limit_px:g}",
    "Latent diversity": lambda c: f"distances up to {c.distance_limit_px:g}, the clicked pixels",
    "ITIS": lambda c: (
        f"Gaussians of deviation {c.click_deviation_px:g} px, constant beyond {c.click_limit_px:g} "
        f"px; distance to the last mask, up to {c.guidance_limit_px:g} px"
    ),
    "FCTSFN": lambda c: f"distances up to {c.fcn.limit_px:g}, less their means in its training set",
    "DEXTR": lambda c: (
        f"one map of Gaussians, full width at half maximum {c.heat_map_width_px:g} px, at extremes"
    ),
}


def _sources() -> str:
    evolution = EvolutionConfig(
        PAPER.cityscapes.train, PAPER.augmentation, PAPER.augmentation, PAPER.ipt, PAPER.alignment
    )
    peers = [peer_of(PAPER, name) for name in PEERS]
    found = settings_of(PAPER, evolution, EvidenceConfig(), *peers)
    table = grid(
        ("setting", "default", "source"),
        [(f"`{each.name}`", _plain(each.default), each.source) for each in found],
    )
    summary = f"{counted(len(found), 'setting')} of the paper and of its peers"
    return f"## Where each setting comes from\n\n{folded(summary, table)}"


def _departures(profile: Profile) -> str:
    title = f"## Profile `{profile.name}`\n\nOn {profile.data}."
    if profile is PAPER:
        return f"{title} {_PAPER_PROFILE}"
    lines = [
        (f"`{name}`", _plain(mine), _plain(paper), profile.reason(name) or "no reason given")
        for name, (mine, paper) in differences(profile).items()
    ]
    summary = f"departs from the paper in {counted(len(lines), 'setting')}"
    return f"{title}\n\n{folded(summary, grid(('setting', 'here', 'paper', 'why'), lines))}"


_PAPER_PROFILE = f"""Every setting is the default above: the paper's; IOG's where the paper is
silent and for the initial learning rate, with which its epochs would hardly train; ours where
both are. It evolves for {PAPER.cityscapes.train.epochs} epochs onto Cityscapes and for
{PAPER.coco.train.epochs} onto {PAPER.coco.image_fraction:.0%} of COCO's images, at a learning rate
of {PAPER.coco.train.learning_rate:g} (Sec. 4.1.3)."""


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
