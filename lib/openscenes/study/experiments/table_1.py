"""Table 1: every system after three clicks, and the clicks that each needs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.study.experiments import corrections
from openscenes.study.experiments.rows import TITLES, BlockSpec, RowSpec, data_and_seeds, table_of
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import PAPER, Profile
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.published import Published, beginning, iog_weights
from openscenes.study.runs.recipes import FULL, Recipe, evolved, initial, peer
from openscenes.study.runs.runs import find
from openscenes.study.scores.clicks import best_threshold, threshold_sweep
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score, score_seeds
from openscenes.study.scores.noc import MAX_CLICKS, ClickCurve
from openscenes.study.scores.results import Row, Table, paper_value
from openscenes.study.scores.statistics import Estimate, estimate, images_of

TARGETS = {SOURCE: 0.85, "cityscapes": 0.80, "coco": 0.85}
FIRST_CLICKS = {"DEXTR": 4, "IOG": 3, "Ours": 3}  # of the protocol, before the first prediction
SYSTEMS = ("IOG", *PEERS, "Ours")  # ours is compared with what it starts from
AT = 3  # clicks of the paper's cIoU
PUBLISHED_IOG = 52.1  # millions, counted in the published state dict


def recipe(system: str, where: str, seed: int = 0) -> Recipe:
    """The model of a cell; ours has evolved once onto the scene that it is scored on."""
    if system in PEERS:
        return peer(system, seed)
    first = initial("voc+sbd", seed)
    if system == "IOG" or where == SOURCE:
        return first
    return evolved(first, "cityscapes" if where == "cityscapes" else "coco", FULL)


def blocks(_profile: Profile) -> list[BlockSpec]:
    """Every system on every set, click by click; a row shows the prediction after three."""
    claims = tuple(("Ours", system) for system in SYSTEMS if system != "Ours")
    return [
        BlockSpec(
            f"{TITLES[where]}@{100 * target:.0f}%",
            tuple(
                RowSpec(system, _clicked(system, where), column=f"{where} cIoU",
                        values=f"click_{max(AT - FIRST_CLICKS.get(system, 1), 0) + 1}")
                for system in SYSTEMS
            ),
            claims,
        )
        for where, target in TARGETS.items()
    ]  # fmt: skip


def _clicked(system: str, where: str) -> Evaluation:
    return Evaluation(recipe(system, where), where, "clicks")


def table(study: Study, seeds: int) -> Table:
    """All systems on three sets.

    Paper: Table 1; its NoC of DEXTR, IOG and ours is the protocol's number of clicks, marked here
    as nominal. NoC is measured for every system by the same simulated user, whose first
    prediction may cost three or four clicks; what is never reached counts 20 and is shown apart.
    """
    specs = blocks(study.profile)
    images = data_and_seeds(study, specs, seeds)
    caption = f"mIoU after {AT} clicks (DEXTR: 4) and clicks needed, on {images}."
    made = table_of(study, "1", caption, specs, seeds)
    with_noc = tuple(
        replace(block, rows=tuple(_with_noc(study, seeds, row, where) for row in block.rows))
        for block, where in zip(made.blocks, TARGETS, strict=True)
    )
    about = (
        "Parameters, and what training starts from: only like beginnings compare networks. iFCN's "
        "published graph cut after the network is left out here; its own mask is scored."
    )
    networks = f"## Networks\n\n{about}\n\n{parameter_table(study.profile)}"
    others = recipes_of(corrections.evaluations(study.profile, seeds))
    models = dict.fromkeys((*made.models, *(find(study, one) for one in others)))
    return replace(
        made,
        blocks=with_noc,
        models=tuple(models),
        notes=(corrections.page(study, seeds), networks, thresholds(study, seeds)),
    )


def _with_noc(study: Study, seeds: int, row: Row, where: str) -> Row:
    """NoC as printed, as measured, and how many objects never get there."""
    system, target, curve = row.label, TARGETS[where], _curve(study, seeds, row.label, where)
    published = paper_value("1", system, f"{where} NoC")
    nominal = " (nominal)" if system in FIRST_CLICKS else ""
    more = {
        "NoC, paper": "" if published is None else f"{published:g}{nominal}",
        "NoC, measured": _in_clicks(estimate(curve.noc(target) / 100.0, curve.images)),
        "never reached": f"{100 * np.mean(curve.never_reached(target)):.0f} %",
        "starts from": beginnings(study.profile)[system],
    }
    return replace(row, more=more)


def _in_clicks(value: Estimate) -> str:
    spread = "" if np.isnan(value.std) else f" ± {value.std:.1f}"
    return f"{value.mean:.1f}{spread} [{value.low:.1f}, {value.high:.1f}]"


def _curve(study: Study, seeds: int, system: str, where: str) -> ClickCurve:
    columns = [f"click_{k + 1}" for k in range(study.profile.n_clicks)]
    asked = _clicked(system, where)
    iou = score_seeds(study, asked, seeds, columns)
    images = images_of(score(study, asked)["object_id"])
    return ClickCurve(FIRST_CLICKS.get(system, 1), iou, images)


def click_curves(study: Study, seeds: int) -> dict[str, dict[str, ClickCurve]]:
    """Test set -> system -> IoU after each of 20 clicks, for ``figures.curves``.

    A system whose first prediction takes a box gets as many corrections as the others; what comes
    after the twentieth click is left out.
    """
    return {
        TITLES[where]: {s: _curve(study, seeds, s, where).upto(MAX_CLICKS) for s in SYSTEMS}
        for where in TARGETS
    }


def curves_frame(study: Study, seeds: int) -> pd.DataFrame:
    """Mean IoU in points: a line for each set and system, and each row of the corrections.

    Returns:
        Columns set, system, and after 1 to 20 clicks "1" to "20", empty before its first answer.
    """
    drawn, beside = click_curves(study, seeds), corrections.click_curves(study, seeds)
    lines = [
        {"set": where, "system": name}
        | {str(curve.first + i): 100 * x for i, x in enumerate(curve.iou.mean(axis=(0, 1)))}
        for where in drawn
        for name, curve in (drawn[where] | beside[where]).items()
    ]
    clicks = [str(k + 1) for k in range(MAX_CLICKS)]
    return pd.DataFrame(lines).reindex(columns=["set", "system", *clicks])


def thresholds(study: Study, seeds: int) -> str:
    """Markdown: which threshold the source's validation set gave each system."""
    head = (
        "system",
        "threshold by seed",
        "on VOC, by half",
        "mIoU there at 0.5",
        "at the threshold",
    )
    lines = []
    for system in (*PEERS, "IOG"):
        recipes = [recipe(system, SOURCE, seed) for seed in range(seeds)]
        sweeps = [threshold_sweep(study, one, find(study, one)) for one in recipes]
        chosen = [best_threshold(swept) for swept in sweeps]
        half = np.mean([swept["0.5"].mean() for swept in sweeps])
        best = np.mean([swept[f"{t:g}"].mean() for swept, t in zip(sweeps, chosen, strict=True)])
        crossed = ", ".join(f"{_across(swept, 1)} / {_across(swept, 0)}" for swept in sweeps)
        fixed = ", ".join(f"{t:g}" for t in chosen)
        lines.append((system, fixed, crossed, f"{100 * half:.1f}", f"{100 * best:.1f}"))
    about = (
        "Fixed for each system on the source's validation set, after three clicks, and used on "
        "the new scenes; ours shares IOG's. On that set itself each half of the images has "
        "the threshold that the other half chose."
    )
    return f"## Thresholds\n\n{about}\n\n{grid(head, lines)}"


def _across(swept: pd.DataFrame, half: int) -> str:
    return f"{best_threshold(swept, half):g}"


def n_parameters(network: nn.Module) -> int:
    """All parameters, used or not."""
    return sum(parameter.numel() for parameter in network.parameters())


def parameter_table(profile: Profile) -> str:
    """Markdown: parameters in this profile, in the published size here, and as published.

    The last column is the initialisation: only networks of the same one are comparable.
    """
    lines = []
    for name in PEERS:
        here, full = (_count_peer(p, name) for p in (profile, PAPER))
        published = peer_of(PAPER, name).published_parameters
        lines.append(_line(name, here, full, published, beginnings(profile)[name]))
    (here, corrector), (full, full_corrector) = _count_iog(profile), _count_iog(PAPER)
    starts = beginnings(profile)["IOG"]
    lines.append(_line("IOG (with both heads on F)", here, full, PUBLISHED_IOG, starts))
    lines.append(_line("its corrector, included", corrector, full_corrector, None, starts))
    head = (
        "system", "this profile", "published size, here", "published", "starts from, this profile",
    )  # fmt: skip
    return grid(head, lines)


def _line(name: str, here: int, full: int, published: float | None, starts: str) -> tuple[str, ...]:
    told = "not stated" if published is None else f"{published:.1f} M"
    return name, f"{here:,}", f"{full:,}", told, starts


def beginnings(profile: Profile) -> dict[str, str]:
    """What the first training of each system starts from; ours evolves from IOG's."""
    ours = _starts(iog_weights(profile), profile.imagenet)
    peers: dict[str, str] = {
        name: _starts(
            beginning(profile, peer(name, 0)), peer_of(profile, name).imagenet is not None
        )
        for name in PEERS
    }
    return {"IOG": ours, **peers, "Ours": ours}


def _starts(begun: Published | None, imagenet: bool) -> str:
    return begun.words if begun is not None else "ImageNet" if imagenet else "random weights"


def _count_peer(profile: Profile, name: str) -> int:
    with torch.device("meta"):
        return n_parameters(peer_of(profile, name).build())


def _count_iog(profile: Profile) -> tuple[int, int]:
    with torch.device("meta"):
        network = OpenSceneNet(profile.network)
        return n_parameters(network), n_parameters(network.corrector)
