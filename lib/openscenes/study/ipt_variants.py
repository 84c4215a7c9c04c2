"""The rows of Table 3, and the readings of IPT that the paper leaves open."""

from __future__ import annotations

from dataclasses import replace

from openscenes.method.ipt import IPTConfig
from openscenes.study.evaluation import IPTVariant
from openscenes.study.profiles import Profile

PAPER_ROWS = ("global", "center", "edge", "all three", "merge and vote")
CHOSEN = "as in Table 4 here"


def ipt_variants(profile: Profile) -> dict[str, IPTVariant]:
    """Rows of Table 3, whole readings, what Table 4 uses, then one setting changed at a time.

    Paper: Table 3, Sec. 4.3.1.
    Ours: the last row of the paper leaves Center unticked although merging needs it: a misprint.
    """
    return _paper_rows() | _readings(profile) | {
        f"{group}: {label}": IPTVariant("layer4", config)
        for group, options in sensitivity().items()
        for label, config in options.items()
    }  # fmt: skip


def _paper_rows() -> dict[str, IPTVariant]:
    literal = IPTConfig()
    summed = replace(literal, fusion="weighted_sum")
    return {
        "global": IPTVariant("layer4", replace(summed, prototypes=("global",))),
        "center": IPTVariant("layer4", replace(summed, prototypes=("center",))),
        "edge": IPTVariant("layer4", replace(summed, prototypes=("edge",))),
        "all three": IPTVariant("layer4", summed),
        "merge and vote": IPTVariant("layer4", literal),
    }


def _readings(profile: Profile) -> dict[str, IPTVariant]:
    outside = IPTConfig(background="outside_coarse")
    return {
        "F from the decoder": IPTVariant("decoder", IPTConfig()),
        "decoder, c̄ outside": IPTVariant("decoder", outside),
        "decoder, c̄ outside, soft vote": IPTVariant(
            "decoder", replace(outside, vote="weighted_sum")
        ),
        CHOSEN: IPTVariant(profile.inference.feature, profile.ipt),
    }


def sensitivity() -> dict[str, dict[str, IPTConfig]]:
    """Settings that the paper gives without a reason or leaves open, one changed at a time.

    Paper: Sec. 4.1.2 gives kernel, iterations, m, n, weights and x. Ours: everything else.
    """
    literal = IPTConfig()
    return {
        "temperature": {
            f"{t:g}": replace(literal, temperature=float(t)) for t in (8, 32, 192)
        },
        "erosion": {
            "1 iteration": replace(literal, iterations=1),
            "6 iterations": replace(literal, iterations=6),
            "the eroded mask itself": replace(literal, edge="inner"),
        },
        "center": {
            "radius 32 px": replace(literal, center_radius_px=32.0),
            "click alone": replace(literal, center_points=0),
        },
        "c̄": {"outside M_p": replace(literal, background="outside_coarse")},
        "vote": {
            "soft": replace(literal, vote="weighted_sum"),
        },
        "thresholds": {
            "m = n = 0.5": replace(literal, m=0.5, n=0.5),
            "m = n = 0.9": replace(literal, m=0.9, n=0.9),
        },
    }  # fmt: skip
