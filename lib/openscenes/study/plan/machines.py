"""Seconds per unit of work: measured on this machine once, or assumed for another by a file.

A file of assumptions is a JSON object: ``name``; ``gpus``, a list of numbers of GPUs to plan for;
``gpu_gib`` of each; ``cores`` and ``host_gib`` beside each GPU; ``tflops`` that one GPU sustains,
by precision; ``decode_ms`` of one image, by data set; ``unit_ms`` of a core, by unit (``work``;
"page" is one page, "start" a process begun); ``sources``, where each
figure comes from. What it leaves out is as in ``h200.json``.
"""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from openscenes import masks
from openscenes.data.examples import Example
from openscenes.data.interactions import next_click
from openscenes.errors import DataError, InputError
from openscenes.files import number, one_line, read_json
from openscenes.kept import keep, kept
from openscenes.method.cutting import CropMap, crop_maps, cut_in_order
from openscenes.method.evolution import initialise
from openscenes.method.inference import predictions
from openscenes.method.pseudo import refine_batch
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import save_weights
from openscenes.paths import cache_dir
from openscenes.progress import say
from openscenes.seeding import torch_generator
from openscenes.study.plan.costs import PAGE, START, Machine, recorded
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study, source
from openscenes.study.runs.models import run_context
from openscenes.study.runs.provenance import cpu_model
from openscenes.study.runs.shapes import OURS
from openscenes.study.runs.store import digest_of
from openscenes.study.runs.work import (
    CLICK,
    CODE,
    CUT,
    IPT,
    LOAD,
    MASK,
    MODEL,
    counted,
    seen,
    trained,
)
from openscenes.study.scores.masks import compared, map_iou

DEFAULT = Path(str(files("openscenes.study.plan") / "h200.json"))
PRECISIONS, SETS = ("32-true", "tf32", "bf16-mixed"), ("voc", "cityscapes", "coco")
_UNITS = (CUT, MASK, CLICK, CODE, IPT, LOAD, MODEL, PAGE, START)
_GROUPS = {"tflops": PRECISIONS, "decode_ms": SETS, "unit_ms": _UNITS}
_NUMBERS = ("gpu_gib", "cores", "host_gib")
_MOST = 1e6
N_TIMED = 8  # objects of a short run
PAGE_S = 9.0  # of one core, with its kernel: measured at smoke and demo size, most of it imports


def here(study: Study, n_workers: int = 1) -> Machine:
    """This machine, by a short run of what will be done; kept, so that the next plan is quick.

    Args:
        n_workers: processes that it has room for.
    """
    profile = study.profile
    facts = [
        cpu_model(), study.fabric.device.type, study.precision, torch.get_num_threads(),
        str(torch.__version__), profile.network, profile.crop, profile.initial, 1,
    ]  # fmt: skip
    path = cache_dir() / "rates" / f"{digest_of(facts)}.json"
    if (found := kept(path)) is None:
        say("timing this machine by a short training (once)")
        keep(path, found := {"machine": cpu_model(), "seconds": _measured(study)})
    return Machine(
        f"this machine ({study.fabric.device.type})", found["seconds"],
        "Seconds are those of earlier trainings in this cache; of what was never trained here, of "
        f"a short run on this machine ({study.fabric.device.type}), by counted operations.",
        recorded=recorded(study), sides=(1, n_workers) if n_workers > 1 else (1,),
    )  # fmt: skip


def _measured(study: Study) -> dict[str, float]:
    """Seconds per unit; a network's by its operations at the speed of ours."""
    profile, context, began = study.profile, run_context(study), time.process_time()
    examples = source(study, "voc+sbd").examples[: profile.initial.batch_size]
    few = examples[:N_TIMED]
    build = partial(OpenSceneNet, profile.network, generator=torch_generator("timing"))
    network = build()
    begin, _ = _timed(build)

    def train(epochs: int) -> float:
        config = replace(profile.initial, epochs=epochs)
        with redirect_stderr(io.StringIO()):
            return _timed(
                lambda: initialise(network, examples, config, profile.augmentation, context)
            )[0]

    train(1)
    once, thrice = train(1), train(3)
    with TemporaryDirectory() as folder:
        write, _ = _timed(lambda: save_weights(network, Path(folder) / "weights", {}))
    cut = _per(few, lambda: list(cut_in_order(few, profile.crop, study.cache)))
    found = list(predictions(network, few, context))
    predict = _per(few, lambda: list(predictions(network, few, context)))
    pasted = [m for one in found for m in crop_maps(one.prediction.probability, one.samples)]
    pairs, (chunk, _, batch, prediction) = list(zip(few, pasted, strict=True)), found[0]

    def click(example: Example, one: CropMap) -> float:
        _, mask, truth, void = compared(study.cache, example, one, 0.5)
        next_click(mask, truth, void, [])
        return masks.iou(mask, truth, void)

    def code(one: CropMap) -> dict[str, Any]:
        part = one.pasted(above=0.5)
        return masks.encode_part(part.values >= 0.5, part.row0, part.col0, one.shape)

    crop = max((thrice - once) / (2 * len(examples)) - cut, 1e-6)
    seconds = {
        CUT: cut,
        MASK: _per(few, lambda: [map_iou(study.cache, *pair, 0.5) for pair in pairs]),
        CLICK: _per(few, lambda: [click(*pair) for pair in pairs]),
        CODE: _per(few, lambda: [code(one) for one in pasted]),
        IPT: _per(chunk, lambda: refine_batch(
            prediction, batch, chunk, profile.ipt, feature=profile.inference.feature, seed=0
        )),
        MODEL: begin + write + max(0.0, once - len(examples) * (crop + cut)),
        LOAD: 2 * begin, PAGE: PAGE_S, START: began,
    }  # fmt: skip
    operations = counted(profile)
    speeds = {"train": crop / operations[trained(OURS)],
              "forward": max(predict - cut, 1e-6) / operations[seen(OURS)]}  # fmt: skip
    return seconds | {unit: n * speeds[unit.split()[0]] for unit, n in operations.items()}


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds: of the processor where one thread works, so that what else runs does not count."""
    alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    clock = time.process_time if alone else time.perf_counter
    began = clock()
    made = work()
    return clock() - began, made


def _per(items: Sequence[Any], work: Callable[[], Any]) -> float:
    """Seconds per item; the first run warms up."""
    work()
    return _timed(work)[0] / len(items)


def assumed(file: Path | None, profile: Profile) -> Machine:
    """Another machine, as a file states it; None is one H200, or eight.

    Raises:
        InputError: for a file that is no such object, an unknown key, or a value that is none.
    """
    stated = _stated(DEFAULT)
    if file is not None:
        given = _stated(file)
        stated |= {key: stated[key] | value if key in _GROUPS else value
                   for key, value in given.items()}  # fmt: skip
    precision = profile.initial.precision
    precision = "bf16-mixed" if precision == "auto" else precision
    speed = stated["tflops"][precision] * 1e12
    units = {unit: ms / 1000 for unit, ms in stated["unit_ms"].items()}
    return Machine(
        stated["name"], units | {unit: n / speed for unit, n in counted(profile).items()},
        f"Assumed, not measured ({'h200.json' if file is None else one_line(file.name)}): "
        f"{stated['name']}, {stated['tflops'][precision]:g} TFLOP/s sustained in {precision}, "
        f"{stated['cores']:g} cores beside each GPU.",
        decode={name: ms / 1000 for name, ms in stated["decode_ms"].items()},
        sides=tuple(stated["gpus"]), on_gpus=True, cores=int(stated["cores"]),
        gpu_gib=stated["gpu_gib"], host_gib=stated["host_gib"],
    )  # fmt: skip


def _stated(file: Path) -> dict[str, Any]:
    """What a file of assumptions says, checked."""
    try:
        stated = read_json(file, "file of assumptions")
    except DataError as error:
        raise InputError(str(error)) from None
    known = ("name", "gpus", "sources", *_NUMBERS, *_GROUPS)
    if not isinstance(stated, dict):
        raise _wrong(file, "the whole", stated, "an object with keys of " + ", ".join(known))
    for key, value in stated.items():
        if key not in known:
            raise InputError(
                f"{one_line(str(file))} has the unknown key {one_line(repr(key))}; choose of "
                f"{', '.join(known)}"
            )
        if key in _GROUPS or key == "sources":
            _check_group(file, key, value, _GROUPS.get(key, known))
        elif key == "gpus":
            whole = isinstance(value, list) and all(type(n) is int and 0 < n <= 4096 for n in value)
            if not whole or not value:
                raise _wrong(file, key, value, "a list of whole numbers from 1 to 4096")
        elif key == "name":
            if not isinstance(value, str):
                raise _wrong(file, key, value, "a text")
        elif not number(value, 1, _MOST):
            raise _wrong(file, key, value, "a number from 1 to 1000000")
    return stated


def _check_group(file: Path, key: str, group: object, names: Sequence[str]) -> None:
    wanted = f"an object with keys of {', '.join(names)}"
    if not isinstance(group, Mapping) or not set(group) <= set(names):
        raise _wrong(file, key, group, wanted)
    for name, value in group.items():
        place = f"{key}.{name}"
        if key == "sources":
            if not isinstance(value, str):
                raise _wrong(file, place, value, "a text")
        elif not number(value, 1e-6, _MOST):
            raise _wrong(file, place, value, "a number above 0")


def _wrong(file: Path, what: str, got: object, wanted: str) -> InputError:
    return InputError(f"{what} in {one_line(str(file))} is {one_line(repr(got))}; give {wanted}")
