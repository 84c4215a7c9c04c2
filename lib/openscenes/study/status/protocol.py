"""What reproductions leave open: the literal protocol of every run, with its counts as found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from openscenes.peers.zoo import PEERS, Peer, peer_of
from openscenes.study.experiments.rows import TITLES
from openscenes.study.experiments.table_1 import AT, FIRST_CLICKS, TARGETS
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import LIMIT, PAPER, PROFILES
from openscenes.study.runs.recipes import HUMAN_MARGIN
from openscenes.study.scores.clicks import THRESHOLDS
from openscenes.study.status.verification import Report

_TARGETS = ", ".join(
    f"{100 * target:.0f} % on {TITLES[where]}" for where, target in TARGETS.items()
)
_CHOICES = ", ".join(f"{t:g}" for t in THRESHOLDS)
_SPENT = ", ".join(f"{name} {n}" for name, n in FIRST_CLICKS.items())

_RULES = f"""## What reproductions leave open

- **IoU** is counted in pixels of the source image: the crop's probability is pasted back
  (bicubic) and compared with one absolute threshold, the same for all objects.
- **Threshold**: 0.5 unless the table below says otherwise. In Table 1 each system has its own,
  the best of {_CHOICES} after three clicks on the *source's* validation set, fixed
  there and used on the new scenes; the notes of Table 1 list them. On that set itself each half of
  the photographs has the threshold that is best on the other half: never the best of several on the
  objects that are reported, and never relative to a map's own maximum.
- **Void** pixels (VOC's borders) count neither as right nor as wrong, for clicks and for IoU.
  Cityscapes and COCO have none: what their readers leave out is background.
- **Average**: the mean over objects, then over seeds; not over images or classes. Two empty masks
  agree (IoU 1). Intervals draw objects and seeds.
- **The user of Tables 2 to 7** gives one box and one point, once; the mask is never corrected.
  The point follows the object through every augmentation; only in training on labels, where the
  table below says so, others click and draw the box. Where Table 4+ confines masks to a
  jittered box, that box is first widened by {HUMAN_MARGIN:g} times the typical error.
- **The user of Table 1** clicks on the deepest pixel of the larger kind of error, missing or
  superfluous, without void; on an empty answer that is the deepest pixel of the object. Equally
  deep: the first in raster order, and a negative click wins. No pixel is clicked twice.
- **IoU@{AT}** is read after {AT} clicks; a box with a point counts three, four extremes count four,
  so DEXTR's stands after four.
- **NoC** is the number of clicks until the IoU first reaches {_TARGETS}. Success at the
  last click, the {LIMIT}th, is a success. An object that never gets there counts {LIMIT}, and the
  share of such objects is shown apart. Nobody stops early: NoC and IoU come from the same curves.
- **NoC of systems with a box or extremes**: the paper prints what the protocol spends
  ({_SPENT}), marked *nominal*. Here it is measured: the first answer
  costs as much, IOG and ours are then corrected click by click by the refinement branch, and
  DEXTR, which takes no corrections, keeps its first answer."""


def protocol(reports: Sequence[Report]) -> str:
    """The section: rules that hold everywhere, then what differs by profile and by system."""
    parts = [_RULES]
    if reports:
        parts += [_by_profile(reports), _counts(reports)]
    return "\n\n".join([*parts, _SYSTEMS, grid(_SYSTEM_HEAD, _system_lines())])


def _by_profile(reports: Sequence[Report]) -> str:
    profiles = {report.profile: report.run["profile"] for report in reports}
    lines = [(name, *(read(p) for p in profiles.values())) for name, read in _DETAILS.items()]
    return f"### By profile\n\n{grid(('detail', *profiles), lines)}"


_USERS = {
    "iog": "deepest pixel of the crop, tight box",
    "human": "drawn near the core, jittered box",
}


def _margin(crop: dict[str, Any]) -> str:
    share = crop.get("margin_share", 0.0)
    more = f" and {share:.0%} of the box's side" if share else ""
    return f"{round(crop['margin_px'], 1):g} px of the source image{more}"


def _dextr_margin(profile: dict[str, Any]) -> str:
    if profile["name"] not in PROFILES:
        return ""
    crop = peer_of(PROFILES[profile["name"]], "DEXTR").crop
    return _margin({"margin_px": crop.margin_px, "margin_share": crop.margin_share})


def _training_users(augmentation: dict[str, Any]) -> str:
    core, jitter = augmentation.get("click_core", 1.0), augmentation.get("box_jitter", 0.0)
    if core == 1 and jitter == 0:
        return "the same"
    return f"click over {core:.0%} of the deepest depth, box sides miss by {jitter:.0%}"


def _evolves_on(profile: dict[str, Any]) -> str:
    drawn = {name: profile[name].get("max_objects") for name in ("cityscapes", "coco")}
    return ", ".join(f"{TITLES[name]} {n or 'all'}" for name, n in drawn.items())


_DETAILS: dict[str, Callable[[dict[str, Any]], str]] = {
    "crop": lambda p: f"{p['crop']['size']} px square, aspect ratio not kept",
    "margin around the box": lambda p: _margin(p["crop"]),
    "margin of DEXTR's crop": _dextr_margin,
    "crop of systems with free clicks": lambda p: f"whole image, {p['crop']['size']} px square",
    "click and box": lambda p: _USERS[p["clicks"]["user"]],
    "width of a click's heat map": lambda p: f"{p['clicks']['heat_map_width_px']:g} px at 512",
    "users in training on labels": lambda p: _training_users(p["augmentation"]),
    "jittered box (Table 4+)": lambda p: (
        f"each side moves by a normal error of {p['clicks']['box_jitter']:.0%} of the side"
    ),
    "click beside a jittered box": lambda p: (
        f"uniform where the depth is over {p['clicks']['core']:.0%} of the deepest"
    ),
    "threshold, Tables 2 to 7": lambda p: f"{p['inference']['threshold']:g}",
    "feature F": lambda p: p["inference"]["feature"],
    "smallest object, Cityscapes": lambda p: f"{p['cityscapes']['min_area']} px",
    "smallest object, COCO": lambda p: f"{p['coco']['min_area']} px",
    "share of COCO's images": lambda p: f"{p['coco'].get('image_fraction', 1.0):.0%}",
    "objects in a step of evolution": _evolves_on,
}  # fmt: skip


def _counts(reports: Sequence[Report]) -> str:
    """Objects per split, as the runs counted them; before they did, as the tables' blocks say."""
    counted: dict[tuple[str, str], tuple[str, ...]] = {}
    for report in reports:
        for split, facts in report.run.get("objects", {}).items():
            counted[report.profile, split] = _count(facts)
        for block, n in zip(report.cells["block"], report.cells["n_objects"], strict=True):
            named = f"{block.partition(',')[0]}, validation"
            if "objects" not in report.run:
                counted.setdefault((report.profile, named), ("", str(n), "", ""))
    lines = [(*names, *facts) for names, facts in counted.items()]
    head = ("profile", "split", "images", "objects", "drawn to evolve on", "left out")
    return f"### Objects per split, as found\n\n{grid(head, lines)}"


def _count(facts: dict[str, Any]) -> tuple[str, ...]:
    left_out = ", ".join(f"{reason} {n}" for reason, n in facts["dropped"].items() if n)
    return str(facts["images"]), str(facts["objects"]), str(facts.get("drawn", "")), left_out


_SYSTEMS = """### Systems of Table 1

Pixels are those of a crop of 512; on smaller crops they shrink in proportion. Networks are the
published ones in profile `paper` and smaller ones elsewhere, fed alike."""
_SYSTEM_HEAD = ("system", "looks at", "sees the clicks as", "learns from clicks", "loss")


def _system_lines() -> list[tuple[str, ...]]:
    peers = [peer_of(PAPER, name) for name in PEERS]
    lines = [
        (p.name, _looks(p), _SEEN[p.name](p.config), _learns(p), p.loss.__name__.replace("_", " "))
        for p in peers
    ]
    width, offset = PAPER.clicks.heat_map_width_px, PAPER.clicks.corner_offset_px
    seen = (
        f"Gaussian, full width at half maximum {width:g} px, at the point; as many at the four "
        f"corners of the box, moved out by {offset:g} px; corrections: Gaussians, positive and "
        "negative"
    )
    looks = f"box with a margin of {_margin({'margin_px': PAPER.crop.margin_px})}"
    learns = "the box and the point; one to three corrections, each where the last answer errs"
    return [*lines, ("IOG, ours", looks, seen, learns, "binary cross entropy of all six outputs")]


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
    drawn = f"{least} to {most} random positive clicks, negatives around it{within} and on others"
    extra = f", then up to {clicks.most_errors} on errors" if clicks.iterative else ""
    return f"{drawn}{extra}"


_SEEN: dict[str, Callable[[Any], str]] = {
    "iFCN": lambda c: f"distance to the nearest positive and negative click, up to {c.limit_px:g}",
    "Latent diversity": lambda c: (
        f"distances up to {c.distance_limit_px:g}, and the clicked pixels themselves"
    ),
    "ITIS": lambda c: (
        f"Gaussians of deviation {c.click_deviation_px:g} px, constant beyond "
        f"{c.click_limit_px:g} px, positive and negative; distance to the last mask, up to "
        f"{c.guidance_limit_px:g} px"
    ),
    "FCTSFN": lambda c: (
        f"distances as iFCN's, up to {c.fcn.limit_px:g}, less their means over its training set"
    ),
    "DEXTR": lambda c: (
        f"one map of Gaussians, full width at half maximum {c.heat_map_width_px:g} px, at the four "
        "extremes"
    ),
}
