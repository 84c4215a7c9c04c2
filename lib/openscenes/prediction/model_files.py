"""Model files: weights that say themselves for which crop and which click they were trained.

A ``.safetensors`` file written by our runs carries the configurations of network, crop and click
in its header, so one file is enough to predict.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from openscenes.data.crops import CropConfig
from openscenes.data.interactions import ClickConfig
from openscenes.data.samples import Batch
from openscenes.errors import DataError, InputError, WeightsError
from openscenes.files import as_path, one_line, read_json, reason, require_regular
from openscenes.method.inference import InferenceConfig, Prediction, forward
from openscenes.networks.config import NetworkConfig
from openscenes.networks.devices import multiplies_bf16_fast, tell, why_no_gpu
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import load_published, load_weights
from openscenes.paths import RELEASED, cache_dir

Precision = Literal["auto", "bf16", "fp32"]
PRECISIONS: tuple[Precision, ...] = ("auto", "bf16", "fp32")
DEVICES = ("auto", "cpu", "cuda")
CONFIGURATION = "configuration"
DEMO = "demo "  # how the label of every model of that profile begins
Parts = tuple[OpenSceneNet, CropConfig, ClickConfig, str]  # a network and its label


@dataclass(frozen=True)
class LoadedModel:
    """A network ready to predict: on its device, in its precision, with its crop and click.

    ``loaded_model`` makes one from a network, ``model_from_file`` from a file.

    Attributes:
        network: in evaluation mode; not to be trained, its kernels may be bfloat16.
        crop, clicks: as it was trained.
        device: where it lies.
        precision: of the convolutions, "bf16" or "fp32"; masks and probabilities are float32.
        label: what it is, in words.
    """

    network: OpenSceneNet
    crop: CropConfig
    clicks: ClickConfig
    device: torch.device
    precision: Literal["bf16", "fp32"]
    label: str = "a network"

    def predict(self, batch: Batch, config: InferenceConfig) -> Prediction:
        """The network's prediction for B crops of ``crop.size``."""
        bf16 = self.precision == "bf16"
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)
        return forward(self.network, batch.to(self.device).inputs(self.clicks), config, autocast)


def loaded_model(
    network: OpenSceneNet,
    crop: CropConfig | None = None,
    clicks: ClickConfig | None = None,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    label: str = "a network",
) -> LoadedModel:
    """A copy of a network, ready to predict; the network itself stays as it is.

    Args:
        network: of any size.
        crop, clicks: as it was trained; None: the paper's margin and the network's crop size,
            the paper's click.
        device: "auto", "cpu" or "cuda".
        precision: "bf16", "fp32", or "auto" for bf16 where the device multiplies it fast.
        label: what it is, in words.
    Raises:
        InputError: for another device or precision, or a crop of another size.
    """
    crop = crop or CropConfig(size=network.config.crop_size)
    _check_sizes(network.config, crop)
    parts = copy.deepcopy(network), crop, clicks or ClickConfig(), label
    return _ready(parts, device, precision)


def description(network: NetworkConfig, crop: CropConfig, clicks: ClickConfig) -> dict[str, str]:
    """The metadata that make a weight file a model file."""
    parts = {"network": asdict(network), "crop": asdict(crop), "clicks": asdict(clicks)}
    return {CONFIGURATION: json.dumps(parts, sort_keys=True)}


def model_from_file(
    path: Path | str,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    published_iog: bool = False,
) -> LoadedModel:
    """The model of a file; the last two are kept, and not read again.

    Args:
        path: a model file of our runs; with ``published_iog`` IOG's published state dict
            (.pth or .safetensors), a ResNet-101 at 512 px.
    Raises:
        WeightsError: if the file is missing, damaged, or not what it should be.
        InputError: for an unknown device or precision.
    """
    _resolved(precision, _device(device))
    path = _expanded(path)
    try:
        require_regular(path, "model file")
        facts = path.stat()
    except (DataError, OSError) as error:  # OSError: it has just been taken away
        raise WeightsError(f"{error}") from None
    build = _published if published_iog else _described
    return _kept(build, path, facts.st_mtime_ns, facts.st_size, device, precision)


def _expanded(path: Path | str) -> Path:
    try:
        return as_path(path, "model file").expanduser().absolute()
    except RuntimeError as error:  # nobody knows the home of ~ or ~somebody
        raise WeightsError(f"There is no model file {path} ({error}); check the path.") from error


def newest_demo_model() -> Path:
    """The newest demo model that saw no ground truth of a new scene, or WeightsError.

    Where the cache has none, one that the repository holds.
    """
    folder = cache_dir() / "runs"
    found = {path: time for path in folder.glob("*/*.safetensors") if (time := _demo_since(path))}
    if not found and (RELEASED / "released.json").is_file():
        name = read_json(RELEASED / "released.json")["predicts"]
        return RELEASED / str(name) / "model.safetensors"
    if not found:
        raise WeightsError(
            f"There is no demo model in {folder}; `make table-4` trains one, "
            "OPENSCENES_CACHE names its cache, or name a model file."
        )
    return max(found, key=lambda path: found[path])


@lru_cache(maxsize=2)
def _kept(
    build: Callable[[Path], Parts],
    path: Path,
    _mtime_ns: int,
    _n_bytes: int,
    device: str,
    precision: Precision,
) -> LoadedModel:
    return _ready(build(path), device, precision)


def _published(path: Path) -> Parts:
    network = OpenSceneNet(NetworkConfig())
    load_published(network.iog, path)
    return network, CropConfig(), ClickConfig(), "published IOG"


def _described(path: Path) -> Parts:
    about = _metadata(path)
    network_config, crop, clicks = _configurations(path, about)
    network = OpenSceneNet(network_config)
    load_weights(network, path)
    return network, crop, clicks, one_line(about.get("label", path.name))


def _metadata(path: Path) -> dict[str, str]:
    try:
        require_regular(path, "model file")
        with safe_open(path, "pt") as opened:
            return dict(opened.metadata() or {})
    except (DataError, SafetensorError, OSError) as error:
        raise WeightsError(
            f"{one_line(str(path))} is not a readable .safetensors file ({reason(error)}); name a "
            "model file that our runs wrote."
        ) from error


def _configurations(
    path: Path, about: dict[str, str]
) -> tuple[NetworkConfig, CropConfig, ClickConfig]:
    """Network, crop and click configuration of a file's metadata."""
    if CONFIGURATION not in about:
        raise WeightsError(
            f"{path} does not say for which network and crop it was trained; name a model file "
            "that our runs wrote, or published weights of IOG as such (--published-iog)."
        )
    try:
        parts: dict[str, Any] = json.loads(about[CONFIGURATION])
        network, crop = NetworkConfig(**parts["network"]), CropConfig(**parts["crop"])
        _check_sizes(network, crop)
        return network, crop, ClickConfig(**parts["clicks"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(
            f"{one_line(str(path))} was written for another version of openscenes "
            f"({reason(error)}); train it again."
        ) from error


def _check_sizes(network: NetworkConfig, crop: CropConfig) -> None:
    if crop.size != network.crop_size:
        raise InputError(
            f"The crop is {crop.size} px but the network is built for {network.crop_size}; "
            "make them equal."
        )


def _demo_since(path: Path) -> int:
    """When a model of profile demo that saw no ground truth of a new scene was written, in ns.

    0 for any other file.
    """
    try:
        about, time = _metadata(path), path.stat().st_mtime_ns
    except (WeightsError, OSError):
        return 0
    label = about.get("label", "")
    known = CONFIGURATION in about and label.startswith(DEMO) and "ground truth" not in label
    return time if known else 0


def _ready(parts: Parts, device: str, precision: Precision) -> LoadedModel:
    """Bring a network, in place, to its device and precision.

    Kernels are stored as bfloat16 once, where autocast would round them in every call to the
    same values.
    """
    network, crop, clicks, label = parts
    place = _device(device)
    resolved = _resolved(precision, place)
    tell("32-true", place.type, None)
    network.eval().requires_grad_(False).to(place)
    if resolved == "bf16":
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.to(torch.bfloat16)
    network.to(memory_format=torch.channels_last)
    return LoadedModel(network, crop, clicks, place, resolved, label)


def _device(name: str) -> torch.device:
    if not isinstance(name, str) or name not in DEVICES:
        raise InputError(f"The device is {name!r}; choose one of {', '.join(DEVICES)}.")
    missing = "" if name == "cpu" else why_no_gpu()
    if name == "cuda" and missing:
        raise InputError(f'The device is "cuda", but {missing}; choose "cpu" or "auto".')
    return torch.device("cpu" if name == "cpu" or missing else "cuda")


def _resolved(precision: Precision, device: torch.device) -> Literal["bf16", "fp32"]:
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise InputError(f"The precision is {precision!r}; choose one of {', '.join(PRECISIONS)}.")
    if precision == "auto":
        return "bf16" if multiplies_bf16_fast(device) else "fp32"
    return precision
