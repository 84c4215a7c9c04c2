"""Settings of one step of evolution (Sec. 3.1, 4.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openscenes.data import crops
from openscenes.errors import InputError
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.corrections import DEFAULT_CORRECTIONS, CorrectionConfig
from openscenes.method.evidence_config import FOR_PEOPLE
from openscenes.method.gate import Gate
from openscenes.method.inference import InferenceConfig
from openscenes.method.ipt import IPTConfig
from openscenes.method.training import TrainConfig
from openscenes.settings import require_between, require_one_of, setting


@dataclass(frozen=True)
class EvolutionConfig:
    """One step of evolution; the rows of Table 4 are values of these fields.

    ``ipt=None`` trains on coarse masks, ``alignment=None`` leaves out L_feat and L_max.
    """

    train: TrainConfig = TrainConfig(epochs=20, learning_rate=1e-9)  # Sec. 4.1.3
    augmentation_old: crops.Augmentation = crops.Augmentation()
    augmentation_new: crops.Augmentation = setting(
        crops.Augmentation(rotation_deg=0.0),
        "Ours: not turned; a turned box, which no mask shrinks, is looser than those tested on",
    )
    ipt: IPTConfig | None = setting(None, "Table 4: +IPT")
    alignment: AlignmentConfig | None = setting(None, "Table 4: +FA")
    old_data: bool = setting(True, "Sec. 3.1: fine-tuned on images of both A and B")
    old_loss_end: float = setting(0.1, "Sec. 4.1.3: decays linearly from 1 to 0.1")
    between: float = setting(
        1.0, "Ours: how far the weights go from those before the step to those after (WiSE-FT)"
    )
    distillation: float = setting(
        0.0, "Ours: weight of the old objects' answers from before the step (``beyond.keeping``)"
    )
    statistics: Literal["shared", "scene", "source"] = setting(
        "shared",
        "Sec. 3.3; Ours: old and new crops have BN statistics of their own, and those of the "
        "scene or of the source stay",
    )
    class_loss_weight: float = setting(1.0, "Ours: Eq. 11 has no term for the class head")
    class_reaches_backbone: bool = setting(
        True, "Sec. 3.3; Ours: False trains the class head on features that it does not change"
    )
    teacher: InferenceConfig | None = setting(
        None, "Ours: how pseudo masks are predicted; None: as all masks are"
    )
    corrections: CorrectionConfig | None = setting(
        DEFAULT_CORRECTIONS, "Ours: masks, true and predicted, also teach further clicks"
    )
    gate: Gate = setting(
        "calibrated",
        "Ours: calibrated: on source objects whose class is taken out; constant: unknown_below; "
        "given: true classes, for a bound",
    )

    def __post_init__(self) -> None:
        require_between(self, 0.0, 1.0, "between")
        require_between(self, 0.0, 1e6, "distillation")
        require_one_of(self, "statistics", ("shared", "scene", "source"))
        if not self.old_data and (self.distillation > 0 or self.statistics != "shared"):
            raise InputError(
                f"old_data is False, but distillation ({self.distillation:g}) and statistics "
                f'("{self.statistics}") keep what old data say; set them to 0 and "shared"'
            )
        require_one_of(self, "gate", ("calibrated", "constant", "given"))


FULL_METHOD = EvolutionConfig(ipt=IPTConfig(), alignment=AlignmentConfig())
# Ours, of people's boxes: Table 4+ shows what each part brings.
OURS = EvolutionConfig(
    old_loss_end=1.0, between=0.75, teacher=InferenceConfig(tta="six views", evidence=FOR_PEOPLE)
)


def old_weight(config: EvolutionConfig, epoch: int) -> float:
    """Weight of the old data's cross entropy in an epoch, counted from 0.

    Paper: Sec. 4.1.3 ("linearly decreasing to 0.1 throughout the training epochs").
    """
    last = max(config.train.epochs - 1, 1)
    return 1.0 + (config.old_loss_end - 1.0) * min(epoch / last, 1.0)
