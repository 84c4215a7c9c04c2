"""An alignment of the smoke study whose networks are untrained, for the tests of the explorer."""

from openscenes import masks
from openscenes.data.examples import NO_CLASS
from openscenes.kept import keep
from openscenes.lessons.alignment import pairs
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import save_weights
from openscenes.seeding import torch_generator
from openscenes.study.options import profile_named
from openscenes.study.runs.data import new_scene, open_study, source
from openscenes.study.runs.models import Model
from openscenes.study.runs.pseudo import pseudo_file


def untrained(folder):
    """Six pairs of COCO; every second object of the scene has a class that the pool knows."""
    study = open_study(profile_named("smoke"), None, "cpu")
    models = {name: _model(study, folder / str(i), name) for i, name in enumerate(pairs.SHOWN)}
    known, truth = source(study, "voc+sbd").examples[0].class_index, new_scene(study, "coco").truth
    kept = [
        [masks.encode(study.cache.supervision(example)[0]), known if i % 2 else NO_CLASS]
        for i, example in enumerate(truth)
    ]
    step = pairs.compared_recipes(study.profile, "coco")[pairs.ALL_MODULES]
    keep(pseudo_file(study, step, models[pairs.BEFORE]), {"masks": kept})
    return pairs.Alignment(study, "coco", models, n_pairs=6)


def _model(study, folder, name):
    folder.mkdir()
    network = OpenSceneNet(study.profile.network, generator=torch_generator("test", name))
    save_weights(network, folder / "model.safetensors", {})
    return Model(f"untrained {name}", folder, name)
