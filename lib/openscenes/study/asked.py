"""What a command line asks for, checked before torch is imported: a slip is answered at once."""

import argparse
import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISDIR
from urllib.parse import parse_qsl, urlencode

from openscenes.errors import DataError, InputError
from openscenes.files import one_line, reason
from openscenes.paths import expanded, folder_of, is_folder, require_writable
from openscenes.settings import count_parameter
from openscenes.study.runs.finished import FILES, TABLES

PROFILE_NAMES = ("demo", "study", "paper", "smoke")  # of ``profiles``, which takes torch
ON_IMAGES = ("study", "paper")
FOLDER = "folder that holds VOCdevkit, benchmark_RELEASE, cityscapes and coco"
OTHER_REPORTS = "name another folder: --reports path/to/folder"
MOST_SEEDS = 100
MOST_DEVICES = 64
MOST_CROPS = 4096
MOST_WORKERS = 256
PRECISIONS = ("auto", "32-true", "tf32", "bf16-mixed")
_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,2})?")  # as in ``networks.devices``
_TRAIN = ("table", "models", "reports", "lessons")  # need their data


def add_study(command: argparse.ArgumentParser, *, seeds: bool = True) -> None:
    """Which study: the same options wherever models are trained or counted."""
    command.add_argument("--profile", default="demo")
    command.add_argument(
        "--data", type=folder_of, default=None, help="folder of the four data sets"
    )
    if seeds:
        command.add_argument("--seeds", type=int, default=1, help="how many seeds")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    command.add_argument("--precision", default="", help="auto, 32-true, tf32 or bf16-mixed")
    command.add_argument(
        "--deterministic", default="", help="1: only operations that repeat to the last bit"
    )
    command.add_argument(
        "--ablations", default="", help="1: more models, to see what each ingredient brings"
    )
    command.add_argument("--micro-batch", default="", help="crops that one pass of training holds")
    command.add_argument("--devices-per-model", default="", help="GPUs that share one training")
    command.add_argument("--initial", default="", help="IOG's published weights to begin with")
    command.add_argument("--dextr", default="", help="DEXTR's published weights to begin with")


def add_place(command: argparse.ArgumentParser) -> None:
    """Where its models are trained."""
    command.add_argument("--workers", default="", help="processes here; default: what fits")
    command.add_argument(
        "--cluster", default="", help="tcp://host:8786 of a Dask scheduler, or a cluster's file"
    )
    command.add_argument(
        "--dashboard", action="store_true", help="show what Dask does in a browser (needs bokeh)"
    )


def spelled_profile(parsed: argparse.Namespace) -> str:
    """The profile with the options of the command line (``study.options``)."""
    given = {option: getattr(parsed, option, "") for option in (*VALUES, *FILES)}
    for option in FILES:  # a distant worker may stand in another folder
        given[option] = given[option] and f"{expanded(given[option]).absolute()}"
    return spelled(parsed.profile, given)


def table_key(word: str) -> str:
    """A table as people and make type it, "4+" or "table-4-plus", to its key, "4_plus"."""
    return re.sub("^table[-_ ]", "", word).replace("-plus", "_plus").replace("+", "_plus")


def check(parsed: argparse.Namespace) -> None:
    """Refuse what a command cannot do; the later checks of the same values say the same.

    Raises:
        InputError, DataError: for a table, profile, number, device, option or folder.
    """
    given = vars(parsed)
    for key in given.get("keys", ()):
        known_table(key)
    if "profile" in given:
        known_profile(parsed.profile)
    if "seeds" in given:
        count_parameter("seeds", parsed.seeds, 1, MOST_SEEDS)
    if "device" in given:
        known_device(parsed.device)
    if "workers" in given:
        workers(parsed.workers)
    for option, text in given.items():
        if text and "micro_batch" in given and option in VALUES:
            VALUES[option](text)
    if given.get("reports") is not None:
        require_writable(parsed.reports, OTHER_REPORTS)
    for name in ("image", "log"):
        if given.get(name) and not os.path.lexists(expanded(str(given[name]))):
            got = one_line(str(given[name]))
            raise InputError(f"{name} missing: {got} (no such file); check the path")
    command = given.get("command")
    if command in ("import", "export") and not is_folder(expanded(parsed.folder)):
        raise InputError(
            f"there is no folder {one_line(parsed.folder)}; give the folder of your images"
        )
    if given.get("data") is not None and command in (*_TRAIN, "evolve"):
        folder_of_data(parsed.data)
    elif command in _TRAIN and known_profile(parsed.profile) in ON_IMAGES:
        raise no_images(parsed.profile)


def known_table(key: str) -> str:
    """The key of a table; InputError, which suggests one that is written alike, for another."""
    if key not in TABLES:
        keys, got = ", ".join(map(key_words, TABLES)), one_line(key_words(key))
        near = get_close_matches(re.sub(r"^table|[\W_]", "", key.lower()), TABLES, 1)
        hint = f'; "{key_words(near[0])}" is one' if near else ""
        raise InputError(f'there is no table "{got}"{hint}; choose one of {keys}')
    return key


def key_words(key: str) -> str:
    """A key as people type it: "4+" for "4_plus"."""
    return key.replace("_plus", "+")


def known_profile(spelling: str) -> str:
    """The name in a profile's spelling; InputError where there is no such profile."""
    name = spelling.partition("?")[0] if isinstance(spelling, str) else spelling
    if name not in PROFILE_NAMES:
        choices, got = ", ".join(PROFILE_NAMES), one_line(str(name))
        raise InputError(f'there is no profile "{got}"; choose one of {choices}')
    return name


def known_device(device: str) -> None:
    """Refuse a word that names no device; whether that device is there, torch alone knows."""
    if _DEVICE.fullmatch(device) is None:
        raise InputError(
            'device must be "auto", "cpu", "cuda" or "cuda:K", where K is the number of a GPU, '
            f"got {one_line(device)!r}"
        )


def workers(text: str) -> int | None:
    """How many processes are asked for; None where that is left open."""
    return _whole("workers", text, 1, MOST_WORKERS) if text else None


def no_images(profile: str) -> DataError:
    """What a profile of real images says that gets no folder of them."""
    return DataError(
        f"profile {profile} works on real images and needs to know where they lie: give the "
        f"{FOLDER}, as in: make tables PROFILE={profile} DATA=path/to/folder"
    )


def folder_of_data(data: Path | str) -> None:
    """Refuse what is no folder of images."""
    got = one_line(str(data))
    try:
        is_folder = S_ISDIR(expanded(str(data)).stat().st_mode)
    except (OSError, ValueError) as error:  # ValueError: a zero byte
        raise DataError(
            f"the data folder {got} cannot be opened ({reason(error)}); give the {FOLDER}"
        ) from error
    if not is_folder:
        raise DataError(f"the data folder {got} is no folder; give the {FOLDER}")


def spelled(name: str, options: Mapping[str, object]) -> str:
    """The spelling of a profile with options; those that are None, False or "" are left out."""
    given = {key: 1 if value is True else value for key, value in options.items() if value}
    try:
        mark = "&" if "?" in name else "?"
        return f"{name}{mark}{urlencode(given, safe='/')}" if given else name
    except UnicodeEncodeError:
        raise InputError(
            f"the options of a profile hold what no text has ({one_line(repr(given))}); rename "
            "that file, or lead to it by a link"
        ) from None


def without_ablations(spelling: str) -> str:
    """A profile's spelling as what shows none of their rows takes it, such as a lesson."""
    name, _, query = spelling.partition("?")
    return spelled(name, {key: text for key, text in parse_qsl(query) if key != "ablations"})


def precision(text: str) -> str:
    """A precision of training."""
    if text not in PRECISIONS:
        raise InputError(f'precision is "{one_line(text)}"; choose one of {", ".join(PRECISIONS)}')
    return text


def _switch(name: str) -> Callable[[str], bool]:
    def on(text: str) -> bool:
        if text != "1":
            raise InputError(f'{name} is "{one_line(text)}"; give 1, or leave it out')
        return True

    return on


deterministic, ablations = _switch("deterministic"), _switch("ablations")


def micro_batch(text: str) -> int:
    """Crops of one pass of training."""
    return _whole("micro_batch", text, 2, MOST_CROPS)


def devices_per_model(text: str) -> int:
    """Devices that share one training."""
    return _whole("devices_per_model", text, 1, MOST_DEVICES)


# Options of a profile -> what makes their value of a text; "initial" and "dextr" name files.
VALUES: Mapping[str, Callable[[str], object]] = {
    "precision": precision,
    "deterministic": deterministic,
    "ablations": ablations,
    "micro_batch": micro_batch,
    "devices_per_model": devices_per_model,
}


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit():
        raise InputError(f"{name} is {one_line(repr(text))}; give a whole number")
    return count_parameter(name, int(text[:9]), low, high)
