"""How long does an evidence mask take, per object on one core, beside what the network takes?

Run: ``make bench``, or ``python tests/bench/bench_evidence.py [objects]``.  Crops of the demo's
training objects of both scenes, and the maps of its initial model: one view, and six. Times are the
CPU's, one thread, so that others hardly count: the shortest of three calls for each object, and the
median and longest of objects. The aim is 0.1 s for an object.
"""

import statistics
import sys
import time

import cv2
import torch

from openscenes.method.evidence import evidence_of
from openscenes.method.inference import predictions
from openscenes.study.options import profile_named
from openscenes.study.runs.data import new_scene, open_study
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import inference_config, initial
from openscenes.study.runs.runs import find

CALLS, AIM_S = 3, 0.1


def seconds(call):
    """The CPU's, of the shortest call."""
    times = []
    for _ in range(CALLS):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return min(times)


def main(n_objects):
    """Print a line for each scene."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    study = open_study(profile_named("demo"), None, "cpu")
    network = find(study, initial("voc+sbd", 0)).load(study)
    config = inference_config(study.profile, False, True)
    for scene in ("cityscapes", "coco"):
        objects = new_scene(study, scene).truth[:n_objects]
        context = run_context(study)
        views = seconds(lambda: list(predictions(network, objects, context, config)))  # noqa: B023
        times, flags = [], 0
        for _, cuts, _, found in predictions(network, objects, context, config):
            for cut, one_view, six in zip(cuts, *found.two_maps(), strict=True):
                flags += bool(evidence_of(cut, one_view, six).flag)
                times.append(seconds(lambda c=cut, o=one_view, s=six: evidence_of(c, o, s)))
        middle, network_s = statistics.median(times), views / len(objects)
        said = "" if middle <= AIM_S else f", over {AIM_S:g}"
        print(
            f"{scene}: evidence {middle:.3f} s an object (longest {max(times):.3f}){said}, six "
            f"views {network_s:.3f} s, ratio {middle / network_s:.2f}; {flags} of {len(times)} "
            "fell back",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 24)
