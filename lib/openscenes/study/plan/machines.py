"""Seconds per unit of work: measured on this machine once, or assumed of another by a file.

A file of assumptions is a JSON object: ``name``; ``gpus``, a list of numbers of GPUs to plan for;
``cores`` beside each GPU; ``tflops`` that one GPU sustains, by precision; ``unit_ms``, milliseconds
of a core by unit (``work``; "page" is one page, "start" a process begun); ``sources`` of all these.
What it leaves out is as in ``h200.json``.
"""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import mean
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
from openscenes.networks.weights import load_weights, save_weights
from openscenes.paths import cache_dir
from openscenes.progress import say
from openscenes.seeding import torch_generator
from openscenes.study.graph.page import pages_timed
from openscenes.study.plan.costs import PAGE, START, Machine, load_words, recorded
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study, source
from openscenes.study.runs.models import run_context
from openscenes.study.runs.provenance import cpu_model
from openscenes.study.runs.shapes import OURS
from openscenes.study.runs.store import digest_of
from openscenes.study.runs.work import CLICK, CUT, IPT, LOAD, MASK, MODEL, counted, seen, trained
from openscenes.study.scores.masks import compared, map_iou

DEFAULT = Path(str(files("openscenes.study.plan") / "h200.json"))
N_TIMED = 8  # objects of a short run
_PAGE_STARTS = 2  # a guess, until pages were made: a kernel starts, reads scores and draws


def here(study: Study, n_workers: int = 1) -> Machine:
    """This machine, by a short run of what will be done; kept, so that the next plan is quick.

    Args:
        n_workers: processes that it has room for.
    """
    profile, device = study.profile, study.fabric.device.type
    facts = [
        cpu_model(), device, study.precision, torch.get_num_threads(), str(torch.__version__),
        profile.network, profile.crop, profile.initial, 4,
    ]  # fmt: skip
    path = cache_dir() / "rates" / f"{digest_of(facts)}.json"
    if (found := kept(path)) is None:
        say("timing this machine by a short training (once)")
        keep(path, found := {"machine": cpu_model(), "seconds": _measured(study)})
    seconds = found["seconds"]
    pages = pages_timed(study)
    return Machine(
        seconds | {PAGE: mean(pages) if pages else _PAGE_STARTS * seconds[START]},
        f"Times are estimates{load_words()}. A training that was done before takes as long as it "
        f"took then, and a page as long as pages took; all else is what a short training here "
        f"({device}) took for each operation.",
        recorded=recorded(study), sides=(1, n_workers) if n_workers > 1 else (1,),
    )  # fmt: skip


def _measured(study: Study) -> dict[str, float]:
    """Seconds per unit; a network's by its operations at the speed of ours."""
    profile, context = study.profile, run_context(study)
    examples = source(study, "voc+sbd").examples[: profile.initial.batch_size]
    few = examples[:N_TIMED]
    build = partial(OpenSceneNet, profile.network, generator=torch_generator("timing"))
    network = build()
    begin = _timed(build)

    def train(epochs: int) -> float:
        config = replace(profile.initial, epochs=epochs)
        with redirect_stderr(io.StringIO()):
            return _timed(
                lambda: initialise(network, examples, config, profile.augmentation, context)
            )

    train(1)
    once, thrice = train(1), train(3)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        write = _timed(lambda: save_weights(network, path, {}))
        read = _timed(lambda: load_weights(network, path))
    cut = _per(few, lambda: list(cut_in_order(few, profile.crop, study.cache)))
    found = list(predictions(network, few, context))
    predict = _per(few, lambda: list(predictions(network, few, context)))
    pasted = [m for one in found for m in crop_maps(one.prediction.probability, one.samples)]
    pairs, (chunk, _, batch, prediction) = list(zip(few, pasted, strict=True)), found[0]

    def click(example: Example, one: CropMap) -> float:
        _, mask, truth, void = compared(study.cache, example, one, 0.5)
        next_click(mask, truth, void, [])
        return masks.iou(mask, truth, void)

    crop = max((thrice - once) / (2 * len(examples)) - cut, 1e-6)
    seconds = {
        CUT: cut,
        MASK: _per(few, lambda: [map_iou(study.cache, *pair, 0.5) for pair in pairs]),
        CLICK: _per(few, lambda: [click(*pair) for pair in pairs]),
        IPT: _per(chunk, lambda: refine_batch(
            prediction, batch, chunk, profile.ipt, feature=profile.inference.feature, seed=0
        )),
        MODEL: begin + write + max(0.0, once - len(examples) * (crop + cut)),
        LOAD: begin + read, START: _started(),
    }  # fmt: skip
    operations = counted(profile)
    speeds = {"train": crop / operations[trained(OURS)],
              "forward": max(predict - cut, 1e-6) / operations[seen(OURS)]}  # fmt: skip
    return seconds | {unit: n * speeds[unit.split()[0]] for unit, n in operations.items()}


def _started() -> float:
    """Seconds of the processor until a worker is ready."""
    code = "import time, openscenes.study.graph.worker; print(time.process_time())"
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _timed(work: Callable[[], Any]) -> float:
    """Seconds: of the processor where one thread works, so that what else runs does not count."""
    alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    clock = time.process_time if alone else time.perf_counter
    began = clock()
    work()
    return clock() - began


def _per(items: Sequence[Any], work: Callable[[], Any]) -> float:
    """Seconds per item; the first run warms up."""
    work()
    return _timed(work) / len(items)


def assumed(file: Path | None, profile: Profile) -> Machine:
    """Another machine, as a file states it; None is one H200, or eight.

    Raises:
        InputError: for a file that is no such object, an unknown key, or a value that is none.
    """
    stated = json.loads(DEFAULT.read_text(encoding="utf-8"))
    if file is not None:
        try:
            stated = _merged(file, "the whole", stated, read_json(file, "file of assumptions"))
        except DataError as error:
            raise InputError(str(error)) from None
    asked = profile.initial.precision
    precision = "bf16-mixed" if asked == "auto" else asked
    tflops, cores = stated["tflops"][precision], stated["cores"]
    units = {unit: ms / 1000 for unit, ms in stated["unit_ms"].items()}
    return Machine(
        units | {unit: n / (tflops * 1e12) for unit, n in counted(profile).items()},
        f"Times are assumed, not measured ({'h200.json' if file is None else one_line(file.name)}):"
        f" {stated['name']}, {tflops:g} TFLOP/s sustained in {precision}, {cores:g} cores beside "
        "each GPU. State another machine with ASSUME=file.",
        sides=tuple(stated["gpus"]), cores=cores,
    )  # fmt: skip


def _merged(file: Path, place: str, default: Any, given: Any) -> Any:
    """The default with what a file gives instead: values of the same kind, under the same keys."""
    if isinstance(default, dict):
        fits = isinstance(given, dict) and set(given) <= set(default)
        wanted = "an object with keys of " + ", ".join(default)
    elif isinstance(default, list):
        whole = isinstance(given, list) and all(type(n) is int and 0 < n <= 4096 for n in given)
        fits, wanted = whole and given, "a list of whole numbers from 1 to 4096"
    elif isinstance(default, str):
        fits, wanted = isinstance(given, str), "a text"
    else:
        fits, wanted = number(given, 1e-6, 1e6) is not None, "a number above 0, at most 1000000"
    if not fits:
        raise InputError(
            f"{place} in {one_line(str(file))} is {one_line(repr(given))}; give {wanted}"
        )
    if not isinstance(default, dict):
        return given
    return default | {key: _merged(file, key, default[key], given[key]) for key in given}
