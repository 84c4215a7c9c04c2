"""Table 1: every system after three clicks, and the clicks that each needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.study.experiments.rows import TITLES, in_words
from openscenes.study.profiles import LIMIT, PAPER, Profile
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.recipes import FULL, Recipe, evolved, initial, peer
from openscenes.study.runs.runs import find
from openscenes.study.scores import clicks as click_study
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score
from openscenes.study.scores.noc import MAX_CLICKS, ClickCurve, never_reached, noc
from openscenes.study.scores.results import Block, Row, Scores, Table, claims_of, long, paper_value
from openscenes.study.scores.statistics import Estimate, estimate, paired_difference

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


TARGETS = {SOURCE: 0.85, "cityscapes": 0.80, "coco": 0.85}
FIRST_CLICKS = {"DEXTR": 4, "IOG": 3, "Ours": 3}  # of the protocol, before the first answer
SYSTEMS = ("IOG", *PEERS, "Ours")  # ours is compared with what it starts from
AT = 3  # clicks of the paper's cIoU


def recipe(system: str, where: str, seed: int) -> Recipe:
    """The model of a cell; ours has evolved once onto the scene that it is tested on."""
    if system in PEERS:
        return peer(system, seed)
    first = initial("voc+sbd", seed)
    if system == "IOG" or where == SOURCE:
        return first
    return evolved(first, "cityscapes" if where == "cityscapes" else "coco", FULL)


def questions(_profile: Profile, seeds: int) -> list[Evaluation]:
    """Every system on every set, click by click."""
    return [
        Evaluation(recipe(system, where, seed), where, "clicks")
        for seed in range(seeds)
        for system in SYSTEMS
        for where in TARGETS
    ]


def curves(study: Study, seeds: int, where: str) -> dict[str, ClickCurve]:
    """IoU after each click, (n_seeds, n_objects, n_clicks) in 0-1, of every system."""
    return {
        system: ClickCurve(FIRST_CLICKS.get(system, 1), _values(study, seeds, system, where))
        for system in SYSTEMS
    }


def table(study: Study, seeds: int) -> Table:
    """All systems on three sets.

    Paper: Table 1; its NoC of DEXTR, IOG and ours is the protocol's number of clicks, marked here
    as nominal.  Ours: NoC is measured for every system by the same simulated user, whose first
    answer may cost three or four clicks; what is never reached counts 20 and is shown apart.
    """
    blocks, frames = [], []
    for where, target in TARGETS.items():
        rows, frame = _block(study, seeds, where, target)
        title = f"{TITLES[where]}@{100 * target:.0f}%"
        others = [("Ours", system) for system in SYSTEMS if system != "Ours"]
        blocks.append(Block(title, rows, claims_of(rows, frame[0], others)))
        frames.append(long(title, *frame))
    models = recipes_of(questions(study.profile, seeds))
    caption = f"mIoU after {AT} clicks (DEXTR: 4) and clicks needed, on {in_words(study, seeds)}."
    made = Table(
        "1", caption, tuple(blocks), pd.concat(frames),
        tuple(find(study, r) for r in models), study.profile.name == "paper",
    )  # fmt: skip
    about = "Parameters, and what training starts from: only like beginnings compare networks."
    networks = f"## Networks\n\n{about}\n\n{parameter_table(study.profile)}"
    return replace(made, notes=(networks, thresholds(study, seeds)))


def _block(
    study: Study, seeds: int, where: str, target: float
) -> tuple[tuple[Row, ...], tuple[dict[str, Scores], pd.DataFrame]]:
    curves = {system: _values(study, seeds, system, where) for system in SYSTEMS}
    scores = {
        system: values[:, :, max(AT - FIRST_CLICKS.get(system, 1), 0)]
        for system, values in curves.items()
    }
    rows = tuple(
        Row(
            system,
            paper_value("1", system, f"{where} cIoU"),
            estimate(scores[system]),
            paired_difference(scores[system], scores[before]) if before else None,
            paired_difference(scores[system], scores[SYSTEMS[0]]) if before else None,
            more=_needed(curves[system], target, system, where),
        )
        for before, system in zip(("", *SYSTEMS), SYSTEMS, strict=False)
    )
    frame = score(study, Evaluation(recipe("IOG", where, 0), where, "clicks"))
    return rows, (scores, frame)


def _needed(values: NDArray[np.float64], target: float, system: str, where: str) -> dict[str, str]:
    """NoC as printed, as measured, and how many objects never get there."""
    first = FIRST_CLICKS.get(system, 1)
    needed = [noc(by_seed, target, LIMIT - first + 1) + first - 1 for by_seed in values]
    failed = [never_reached(by_seed, target, LIMIT - first + 1) for by_seed in values]
    published = paper_value("1", system, f"{where} NoC")
    nominal = " (nominal)" if system in FIRST_CLICKS else ""
    return {
        "NoC, paper": "" if published is None else f"{published:g}{nominal}",
        "NoC, measured": _plain(estimate(np.stack(needed) / 100.0)),
        "never reached": f"{100 * np.mean(failed):.0f} %",
    }


def _plain(value: Estimate) -> str:
    """Clicks with their spread over seeds and their interval."""
    spread = "" if np.isnan(value.std) else f" ± {value.std:.1f}"
    return f"{value.mean:.1f}{spread} [{value.low:.1f}, {value.high:.1f}]"


def _values(study: Study, seeds: int, system: str, where: str) -> NDArray[np.float64]:
    frames = [
        score(study, Evaluation(recipe(system, where, seed), where, "clicks"))
        for seed in range(seeds)
    ]
    clicks = [f"click_{k + 1}" for k in range(study.profile.n_clicks)]
    return np.stack([frame[clicks].to_numpy() for frame in frames])


def thresholds(study: Study, seeds: int) -> str:
    """Markdown: which threshold the source's validation set gave each system."""
    lines = [
        "| system | threshold by seed | on VOC, by half | mIoU there at 0.5 | at the threshold |",
        "|---|---|---|---:|---:|",
    ]
    for system in (*PEERS, "IOG"):
        recipes = [recipe(system, SOURCE, seed) for seed in range(seeds)]
        sweeps = [click_study.threshold_sweep(study, one, find(study, one)) for one in recipes]
        chosen = [click_study.best_threshold(swept) for swept in sweeps]
        half = np.mean([swept["0.5"].mean() for swept in sweeps])
        best = np.mean([swept[f"{t:g}"].mean() for swept, t in zip(sweeps, chosen, strict=True)])
        crossed = [f"{_across(swept, 1)} / {_across(swept, 0)}" for swept in sweeps]
        words = (", ".join(f"{t:g}" for t in chosen), ", ".join(crossed))
        lines.append(f"| {system} | {' | '.join(words)} | {100 * half:.1f} | {100 * best:.1f} |")
    about = (
        "Fixed for each system on the source's validation set, after three clicks, and used on "
        "the new scenes; ours shares IOG's. On that set itself each half of the photographs has "
        "the threshold that the other half chose."
    )
    return "\n".join(["## Thresholds\n", f"{about}\n", *lines])


def _across(swept: pd.DataFrame, half: int) -> str:
    return f"{click_study.best_threshold(swept, half):g}"


def click_series(study: Study, seeds: int) -> dict[str, dict[str, ClickCurve]]:
    """Test set -> system -> IoU after each of 20 clicks, for ``curve_figures``.

    Ours: a system whose first answer takes a box is asked as often as the others; what it says
    after the twentieth click is left out here.
    """
    return {
        TITLES[where]: {
            system: upto(curve, MAX_CLICKS) for system, curve in curves(study, seeds, where).items()
        }
        for where in TARGETS
    }


def upto(curve: ClickCurve, max_clicks: int) -> ClickCurve:
    """A curve without what lies after ``max_clicks`` clicks."""
    return ClickCurve(curve.first, curve.iou[..., : max_clicks - curve.first + 1])
