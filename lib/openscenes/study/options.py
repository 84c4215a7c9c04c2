"""What a command changes of a profile, spelled behind its name: "paper?precision=tf32".

One text says all, so that notebooks and distant processes work on the same profile.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any
from urllib.parse import parse_qsl

from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.settings import count_parameter
from openscenes.study import asked
from openscenes.study.asked import MOST_SEEDS, known_profile, spelled
from openscenes.study.profiles import PAPER, PROFILES, Profile

LITERAL = "papers-clicks"  # behind a profile's name, in the labels of its models
_WHY = "Ours: asked for on the command line"


def profile_named(spelling: str, seeds: int = 1) -> Profile:
    """A profile with the options behind its name, for so many seeds.

    Args:
        spelling: such as "demo", or "paper?precision=tf32&micro_batch=8"; see ``OPTIONS``.
    Raises:
        InputError: for another name, option or value, or for no seed.
    """
    count_parameter("seeds", seeds, 1, MOST_SEEDS)
    name, query = known_profile(spelling), spelling.partition("?")[2]
    if not query:
        return PROFILES[name]
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        raise InputError(
            f'the options of a profile are "{one_line(query)}"; write them as in '
            f'"{name}?precision=tf32&micro_batch=8"'
        ) from None
    return _with_options(PROFILES[name], options)


def _with_options(profile: Profile, options: Mapping[str, str]) -> Profile:
    changed, name = profile, profile.name
    for option, text in options.items():
        if option not in OPTIONS:
            raise InputError(
                f'there is no option "{one_line(option)}" of a profile; choose of '
                f"{', '.join(OPTIONS)}"
            )
        changed, word = OPTIONS[option](changed, text)
        name += word and f"-{word}"
    spelling = spelled(profile.name, options)
    return replace(changed, name=name, base=profile.name, spelling=spelling)


def _precision(profile: Profile, text: str) -> tuple[Profile, str]:
    return _trained(profile, precision=asked.precision(text)), text


def _deterministic(profile: Profile, text: str) -> tuple[Profile, str]:
    return _trained(profile, deterministic=asked.deterministic(text)), "deterministic"


def _ablations(profile: Profile, text: str) -> tuple[Profile, str]:
    """More rows of the same models, which keep their names."""
    return replace(profile, ablations=asked.ablations(text)), ""


def _micro_batch(profile: Profile, text: str) -> tuple[Profile, str]:
    crops = asked.micro_batch(text)
    return _trained(profile, micro_batch=crops), f"micro-batch-{crops}"


def _devices_per_model(profile: Profile, text: str) -> tuple[Profile, str]:
    n = asked.devices_per_model(text)
    trained = (profile.initial, profile.cityscapes.train, profile.coco.train)
    if n > (least := min(train.batch_size for train in trained)):
        raise InputError(
            f"devices_per_model is {n}, but the smallest batch of profile {profile.kind} has "
            f"{least} crops, and each device needs one; give at most {least}"
        )
    return replace(profile, devices_per_model=n), f"{n}-devices"


def _initial(profile: Profile, text: str) -> tuple[Profile, str]:
    """Table 4 is then made for the set that IOG's weights stand for alone."""
    sets = profile.initial_sets[-1:]
    return replace(profile, initial_weights=text, initial_sets=sets), f"from-{_stem(text)}"


def _dextr(profile: Profile, text: str) -> tuple[Profile, str]:
    return replace(profile, dextr_weights=text), f"with-{_stem(text)}"


def _stem(path: str) -> str:
    """A file's name without its ending, as a part of a folder's name."""
    return re.sub(r"[^\w&+.-]", "-", PurePath(path).stem)[:40]


# Option -> (profile, text) -> the changed profile, and a word for names of folders, or none.
OPTIONS: dict[str, Callable[[Profile, str], tuple[Profile, str]]] = {
    "precision": _precision,
    "deterministic": _deterministic,
    "ablations": _ablations,
    "micro_batch": _micro_batch,
    "devices_per_model": _devices_per_model,
    "initial": _initial,
    "dextr": _dextr,
}


def _trained(profile: Profile, **changes: Any) -> Profile:
    cityscapes, coco = profile.cityscapes, profile.coco
    stages = ("initial", "cityscapes.train", "coco.train")
    reasons = {f"{stage}.{name}": _WHY for stage in stages for name in changes}
    return replace(
        profile,
        initial=replace(profile.initial, **changes),
        cityscapes=replace(cityscapes, train=replace(cityscapes.train, **changes)),
        coco=replace(coco, train=replace(coco.train, **changes)),
        reasons={**profile.reasons, **{k: v for k, v in reasons.items()
                                       if k not in profile.reasons}},
    )  # fmt: skip


def with_literal_clicks(profile: Profile) -> Profile:
    """The same profile with the paper's clicks (Sec. 3.1, 4.1.2), which Lesson 1 compares."""
    augmentation = replace(
        profile.augmentation, click_core=PAPER.augmentation.click_core,
        box_jitter=PAPER.augmentation.box_jitter,
    )  # fmt: skip
    return replace(
        profile, clicks=PAPER.clicks, augmentation=augmentation,
        name=f"{profile.name}-{LITERAL}", base=profile.kind,
    )  # fmt: skip
