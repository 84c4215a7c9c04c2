"""Doors ``weights``, ``model`` and ``resume``: tensors from files."""

import copy
import json
import os
import pickle
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.fuzz.frame import Place, check
from tests.fuzz.mutations import BYTES, NO_FILE, each, odd_json, to_text
from torch import nn

from openscenes.data.crops import CropConfig
from openscenes.data.interactions import ClickConfig
from openscenes.networks.checkpoints import TrainState, restore, save
from openscenes.networks.config import NetworkConfig
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import (
    load_imagenet,
    load_published,
    load_weights,
    read_state,
    save_weights,
)
from openscenes.prediction.model_files import description, model_from_file

CONFIG = NetworkConfig(
    backbone="small_resnet", crop_size=32, output_stride=4, head_width=4, psp_width=4,
    n_classes=3, normalise=True,
)  # fmt: skip
CROP, CLICKS = CropConfig(size=32, margin_px=4.0), ClickConfig(heat_map_width_px=40.0)


def network(seed: int = 1) -> OpenSceneNet:
    """A tiny network whose answers are neither all 0 nor all 1."""
    made = OpenSceneNet(CONFIG, generator=torch.Generator().manual_seed(seed))
    noise = torch.rand(4, 5, 32, 32, generator=torch.Generator().manual_seed(2)) * 255
    for _ in range(10):
        made(noise)
    return made.eval()


NETWORK = network()


def write_model(path: Path, **more: str) -> Path:
    """A model file of the tiny network."""
    save_weights(NETWORK, path, description(CONFIG, CROP, CLICKS) | {"label": "tiny"} | more)
    return path


def same(state: dict, other: dict) -> bool:
    """Whether the tensors are equal; what is not a number equals itself."""
    return state.keys() == other.keys() and all(
        torch.equal(state[name].nan_to_num(), other[name].nan_to_num()) for name in state
    )


class _Trap:
    """Unpickling it leaves a file."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("pwned",)


def _state(kind: str, place: Place) -> dict:
    """A state dict that is odd in one way."""
    state = {name: tensor.clone() for name, tensor in NETWORK.state_dict().items()}
    name = place.random.choice([name for name in state if state[name].ndim > 1])
    changes = {
        "missing": lambda: state.pop(name), "unknown": lambda: {"other": torch.zeros(2)},
        "shape": lambda: {name: state[name][:1] if len(state[name]) > 1 else torch.zeros(3, 3)},
        "scalar": lambda: {name: torch.tensor(1.0)}, "empty": lambda: {name: torch.zeros(0)},
        "nan": lambda: {name: state[name] * float("nan")},
        "half": lambda: {name: state[name].half()}, "integers": lambda: {name: state[name].long()},
        "complex": lambda: {name: state[name].to(torch.complex64)},
        "sparse": lambda: {name: state[name].to_sparse()},
        "none": lambda: {name: None}, "text": lambda: {name: "x"}, "trap": lambda: {name: _Trap()},
        "number-key": lambda: {5: torch.zeros(2)}, "nested": lambda: {"state": dict(state)},
        "list": lambda: None,
    }  # fmt: skip
    change = changes[kind]()
    return state | change if isinstance(change, dict) else state


def _odd_state(kind: str, place: Place) -> None:
    """A .pth whose tensors are not this network's; nothing in it may run."""
    path, target = place.work / "w.pth", network(2)
    state, before = _state(kind, place), copy.deepcopy(target.state_dict())
    torch.save(list(state.values()) if kind == "list" else state, path)
    place.protect(path)
    loaded = place.try_(load_weights_of, target, path)
    check(not (place.work / "pwned").exists(), "a pickle ran")
    if loaded is None:
        check(same(before, target.state_dict()), "a refused file changed the network")
    else:
        # Numbers that are none are noticed when they predict.
        check(kind in ("half", "nan", "nested"), "weights of another kind were loaded")
        taken = kind != "nested" or same(target.state_dict(), NETWORK.state_dict())
        check(taken, "other weights than the file's were loaded")


def _published(kind: str, place: Place) -> None:
    """Published weights as old programs save them: all of these are good."""
    state = dict(NETWORK.iog.state_dict())
    if "old" in kind:
        state = {name: tensor for name, tensor in state.items() if not name.endswith("tracked")}
    if "parallel" in kind:
        state = {f"module.{name}": tensor for name, tensor in state.items()}
    path, target = place.work / "w.pth", network(2)
    torch.save(state, path, _use_new_zipfile_serialization="legacy" not in kind)
    place.good(load_published, target.iog, path)
    loaded = {
        f"module.{n}" * ("parallel" in kind) or n: t for n, t in target.iog.state_dict().items()
    }
    check(same(state, {name: loaded[name] for name in state}), "other weights")


def load_weights_of(target: nn.Module, path: Path) -> bool:
    """As the package reads a state dict of others: strictly."""
    from openscenes.networks.weights import load_strictly

    load_strictly(target, read_state(path), f"{path}")
    return True


def _damaged(kind: str, place: Place) -> None:
    """Changed bytes: refused, or the tensors are those of the file before."""
    form, how = kind.split("-")
    path, small = place.work / f"w.{form}", {"a": torch.arange(6.0).reshape(2, 3)}
    if form == "safetensors":
        save_file(small, path, {"label": "x"})
    else:
        old = {"_use_new_zipfile_serialization": False} if form == "pt" else {}
        torch.save(small, path, **old)
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little") if form == "safetensors" else len(content)
    head = BYTES[how](place.random, content[:end])
    path.write_bytes(head + (b"" if how == "cut" else content[end:]))
    got = place.try_(read_state, path)
    if got is not None:
        check(all(tensor.numel() <= 1000 for tensor in got.values()), "tensors out of nothing")


def _no_file(kind: str, place: Place) -> None:
    for name in ("m.safetensors", "m.pth"):
        path = write_model(place.work / name)
        NO_FILE[kind](path)
        place.bad(model_from_file, path, device="cpu")
        place.bad(read_state, path)
        place.bad(load_weights, NETWORK, path)
        place.bad(
            load_imagenet,
            OpenSceneNet(
                NetworkConfig(
                    backbone="mobilenet_v2",
                    output_stride=8,
                    head_width=4,
                    psp_width=4,
                    crop_size=32,
                )
            ),
            path,
        )


def _pickle(kind: str, place: Place) -> None:
    """Pickles of others: never run."""
    contents = {
        "plain": pickle.dumps(_Trap()), "numbers": pickle.dumps({"a": [1.0]}), "text": b"weights",
        "html": b"<!doctype html>", "bomb": pickle.dumps({"a": b"x" * 9}).replace(b"x", b"."),
    }  # fmt: skip
    path = place.work / "w.pth"
    path.write_bytes(contents[kind])
    place.bad(read_state, path)
    check(not (place.work / "pwned").exists(), "a pickle ran")


def _description(kind: str, place: Place) -> None:
    """A model file whose header says something odd of its network."""
    parts = {"network": asdict(CONFIG), "crop": asdict(CROP), "clicks": asdict(CLICKS)}
    about = {"label": "tiny", "configuration": json.dumps(parts)}
    if kind == "tree":
        changed, _ = odd_json(place.random, {"all": parts})
        about["configuration"] = to_text(changed.get("all"))
    elif kind == "label":
        about["label"] = place.random.choice(["", "<b>x</b>", "a\nb", "x" * 5000])
    else:
        text = about["configuration"].encode()
        about["configuration"] = BYTES[kind](place.random, text).decode("utf-8", "replace")
    path = place.work / "m.safetensors"
    save_file(dict(NETWORK.state_dict()), path, about)
    place.protect(path)
    model = place.try_(model_from_file, path, device="cpu", precision="fp32")
    if model is not None:
        check(same(model.network.state_dict(), NETWORK.state_dict()), "other weights")
        said = json.loads(about["configuration"])
        check(asdict(model.crop)["size"] == said["crop"]["size"], "another crop than the file says")


def _training(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for parameter in made.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(seed))
    return made, torch.optim.AdamW(made.parameters(), lr=0.1)


def _resume(kind: str, place: Place) -> None:
    """A resume file is taken up whole, or the run begins anew with nothing changed."""
    path, position = place.work / "resume.safetensors", TrainState(4, 7, {"ce": 0.5}, [{"ce": 1.0}])
    trained, its = _training(0)
    trained(torch.ones(2, 3, 6, 6)).square().mean().backward()
    its.step()
    save(path, trained, its, position)
    tensors = load_file(path)
    if kind in NO_FILE:
        NO_FILE[kind](path)
    elif kind == "position":
        with safe_open(path, "pt") as file:
            told = json.loads(file.metadata()["position"])
        changed, _ = odd_json(place.random, {"all": told})
        save_file(tensors, path, {"position": to_text(changed.get("all"))})
    elif kind == "tensors":
        name = place.random.choice(list(tensors))
        changes = (lambda t: t.flatten()[:0], lambda t: t.double(), lambda t: t[None],
                   lambda t: torch.cat([t.flatten()] * 2))  # fmt: skip
        change = place.random.choice(changes)
        new = place.random.choice([name, "optimiser.99.step", "optimiser.x.y", "network.q"])
        save_file(tensors | {new: change(tensors[name]).contiguous().clone()}, path,
                  {"position": json.dumps(asdict(position))})  # fmt: skip
    else:
        path.write_bytes(BYTES[kind](place.random, path.read_bytes()))
    again, other = _training(3)
    before = copy.deepcopy(again.state_dict())
    state = restore(path, again, other)
    if state == TrainState():
        check(same(before, again.state_dict()) and not other.state, "a beginning that is none")
    elif kind not in ("flip", "zero", "position", "tensors"):
        check(state == position and same(again.state_dict(), trained.state_dict()), "another state")
    else:
        steps = state.epoch, state.step
        whole = all(isinstance(step, int) and step >= 0 for step in steps)
        check(whole and isinstance(state.history, list), f"an odd position {steps}"[:200])
        numbers = [
            *again.state_dict().values(),
            *(v for s in other.state.values() for v in s.values()),
        ]
        check(kind in ("flip", "zero") or all(v.isfinite().all() for v in numbers), "not finite")


_STATES = (
    "missing", "unknown", "shape", "scalar", "empty", "nan", "half", "integers", "complex",
    "sparse", "none", "text", "trap", "number-key", "nested", "list",
)  # fmt: skip
_DAMAGES = [f"{form}-{how}" for form in ("safetensors", "pth", "pt") for how in BYTES]
DOORS = {
    "weights": each(1, _odd_state, _STATES) | each(4, _damaged, _DAMAGES)
    | each(1, _no_file, NO_FILE) | each(1, _pickle, ("plain", "numbers", "text", "html", "bomb"))
    | each(1, _published, ("new", "old", "parallel", "old-parallel", "old-legacy")),
    "model": each(45, _description, ("tree",)) | each(4, _description, ("label",))
    | each(4, _description, BYTES),
    "resume": each(5, _resume, BYTES) | each(12, _resume, ("position", "tensors"))
    | each(1, _resume, NO_FILE),
}  # fmt: skip
