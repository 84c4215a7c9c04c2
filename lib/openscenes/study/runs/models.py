"""A trained model on disk, how it is loaded, and what the method must know of a study."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from openscenes.errors import WeightsError
from openscenes.files import one_line
from openscenes.kept import keep, kept
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.inference import RunContext
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.tensor_files import State, read_tensors
from openscenes.networks.weights import load_strictly, save_weights
from openscenes.paths import PROJECT
from openscenes.prediction.model_files import description
from openscenes.study.runs import store
from openscenes.study.runs.data import Study
from openscenes.study.runs.provenance import peak_memory_mb, provenance
from openscenes.study.runs.recipes import profile_of

RUN = "run.json"  # beside the weights: what was trained, how long, where
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Model:
    """A network on disk, trained or still to be; its name is the digest of all that makes it.

    Attributes:
        ablation: as ``Recipe.ablation``, which its network has.
    """

    digest: str
    folder: Path
    label: str
    ablation: str = ""

    @property
    def weights(self) -> Path:
        """The network's safetensors file, which is written last."""
        return self.folder / "model.safetensors"

    @property
    def is_trained(self) -> bool:
        """Whether its weights are there, and what its run was."""
        return self.weights.is_file() and kept(self.folder / RUN) is not None

    def load(self, study: Study) -> OpenSceneNet:
        """The network, on the CPU, in evaluation mode, grown by an unknown class or not."""
        config, state = profile_of(study.profile, self.ablation).network, self._state()
        plain = replace(config, unknown_class=False)
        n_classes = len(state.get("classifier.weight", ()))
        grown = replace(config, unknown_class=n_classes > plain.class_channels)
        return self._loaded(OpenSceneNet(grown), state).eval()

    def load_into(self, network: Network) -> Network:
        """The network with these weights."""
        return self._loaded(network, self._state())

    def _loaded(self, network: Network, state: State) -> Network:
        load_strictly(network, state, f"the model of {self.label}")
        return network

    def _state(self) -> State:
        if not self.weights.is_file():
            raise WeightsError(self._untrained())
        try:
            return read_tensors(self.weights)[0]
        except WeightsError as error:
            raise WeightsError(
                f"{one_line(str(self.weights))} is damaged; remove it, and the same command trains "
                "the model again"
            ) from error

    def facts(self) -> dict[str, Any]:
        """What its ``run.json`` says."""
        if (facts := kept(self.folder / RUN)) is None:
            raise WeightsError(self._untrained())
        return facts

    def _untrained(self) -> str:
        return (
            f"The model of {self.label} is not trained yet; `make models`, or the `make "
            "table-N` that shows it, trains it with the same PROFILE, DATA and SEEDS."
        )


def run_context(study: Study, seed: int = 0) -> RunContext:
    """What the method needs to know of a study."""
    profile = study.profile
    return RunContext(
        profile.crop, profile.clicks, profile.inference, study.cache, study.fabric, seed,
        profile.workers,
    )  # fmt: skip


def local_imagenet(root: Path, kind: str) -> Path | None:
    """A file of ImageNet weights near the data, or None for torchvision's own.

    Args:
        kind: torchvision's name of the network, such as "vgg16".
    """
    name = f"{kind}-imagenet.safetensors"
    folders = (root / "weights", root.parent / "weights", PROJECT / ".cache/weights")
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def keep_model(
    study: Study,
    model: Model,
    network: nn.Module,
    made_of: dict[str, Any],
    history: list[dict[str, float]],
    wall_s: float,
    evidence: EvidenceConfig | None = None,
) -> None:
    """Write a trained network with what is known of its run.

    A box-and-point network says in its file how to cut and click, for ``predict``.
    """
    facts = {
        "label": model.label,
        "digest": model.digest,
        "images": study.profile.data,
        "made_of": store.plain(made_of),
        "wall_s": wall_s,
        "peak_memory_mb": round(peak_memory_mb()),
        "history": history,
        **({} if evidence is None else {"evidence": store.plain(evidence)}),
        **provenance(),
    }
    keep(model.folder / RUN, facts)
    about = {"digest": model.digest, "label": model.label}
    if isinstance(network, OpenSceneNet):
        about |= description(network.config, study.profile.crop, study.profile.clicks)
    save_weights(network, model.weights, about)
    (model.folder / store.SPENT).unlink(missing_ok=True)
