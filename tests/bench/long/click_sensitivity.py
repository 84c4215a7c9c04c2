"""Is a network click-sensitive? First models with the paper's clicks, and with wider Gaussians.

Run: ``python tests/bench/long/click_sensitivity.py --profile demo`` (not part of
``make bench``: it trains a first model for each row, one after the other; five minutes each in the
demo). Everything but the clicks is the profile's own. Scored are objects of the three validation
sets, with the deepest click, with clicks elsewhere, without the click, and with human boxes.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

import openscenes  # noqa: F401  (sets what must be set before torch is imported)
from openscenes.data.interactions import ClickConfig
from openscenes.lessons.interactions import trials, user_inputs
from openscenes.lessons.interactions.segmentation import Training
from openscenes.method.evolution import initialise
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import load_imagenet
from openscenes.seeding import torch_generator
from openscenes.study.options import profile_named, with_literal_clicks
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import open_study, source
from openscenes.study.runs.models import local_imagenet, run_context

HUMAN_JITTER = ClickConfig().box_jitter


def profiles(profile: Profile) -> dict[str, Profile]:
    """The profile with the paper's clicks, with its own width alone, and as it is."""
    literal, own = with_literal_clicks(profile), profile.clicks.heat_map_width_px
    return {
        f"{literal.clicks.heat_map_width_px:g} px, one user": literal,
        f"{own:g} px, one user": replace(profile, augmentation=literal.augmentation),
        f"{own:g} px, many users": profile,
    }


def trained(profile: Profile, seed: int, data: Path | None) -> pd.DataFrame:
    """Mean IoU by scene of one first model, a row for each way to vary the input."""
    study = open_study(profile, data)
    network = OpenSceneNet(profile.network, generator=torch_generator("network", seed))
    if profile.imagenet:
        load_imagenet(network, local_imagenet(study.root, profile.network.backbone))
    initialise(
        network, source(study, profile.initial_sets[0]).examples, profile.initial,
        profile.augmentation, run_context(study, seed),
        class_loss_weight=profile.class_loss_weight, label=f"seed {seed}",
    )  # fmt: skip
    training = {"": Training(study, network.eval().to(study.fabric.device))}
    objects = user_inputs.flat(user_inputs.validation_objects(study, 60))
    jittered = trials.varied("jitter", [HUMAN_JITTER])[HUMAN_JITTER]
    no_click = "no click (channel 4 is 0)"
    ways = {
        **trials.at_places(),
        no_click: trials.without_channels()[no_click],
        f"box missed by {HUMAN_JITTER:.0%}": jittered,
    }
    return trials.means(trials.scores(training, objects, ways)).droplevel("network")


def main() -> None:
    """Train and score, one profile after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=None)
    parsed = parser.parse_args()
    for name, profile in profiles(profile_named(parsed.profile)).items():
        print(f"== {name}, seed {parsed.seed}, {profile.data}", flush=True)
        print(trained(profile, parsed.seed, parsed.data), flush=True)


if __name__ == "__main__":
    main()
