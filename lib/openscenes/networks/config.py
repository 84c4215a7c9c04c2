"""What fixes a network's shape."""

from dataclasses import dataclass
from typing import Literal

from openscenes.data.crops import MAX_CROP_PX
from openscenes.errors import InputError
from openscenes.settings import require_kind, require_one_of, require_whole, setting

Corrector = Literal["image", "iog"]
Feature = Literal["layer4", "decoder"]
Backbone = Literal["resnet101", "resnet50", "mobilenet_v2", "small_resnet"]
LAYER1_STRIDES = {"small_resnet": 2}  # of the others it is 4
OUTPUT_STRIDES: dict[str, tuple[int, ...]] = {
    "resnet101": (16, 8),
    "resnet50": (16, 8),
    "mobilenet_v2": (16, 8),
    "small_resnet": (4,),
}


@dataclass(frozen=True)
class NetworkConfig:
    """The network of one profile; the defaults are the paper's (Sec. 4.1.3).

    Attributes:
        backbone: which convolutional net gives the four stages.
        crop_size: side of the square crop, in pixels.
        output_stride: crop pixels per cell of F.
        n_classes: n; the background channel counts (VOC: 21).
        head_width: channels of CoarseNet and FineNet (IOG: 256).
        psp_width: channels of each pyramid pool and of their fusion (IOG: 512).
        normalise: feed ImageNet-standardised colours and clicks in 0..1; IOG feeds raw 0..255.
        unknown_class: the class head has one more channel, for "unknown" (Sec. 3.3).
        corrector: what takes the fourth and later clicks: ``corrector`` or ``iog_refinement``.
        previous_mask: whether ours sees the mask before the last click.
        predictor: the feature that the pixel predictor reads, on whose grid it answers.
    """

    backbone: Backbone = setting("resnet101", "Sec. 4.1.3")
    crop_size: int = setting(512, "Sec. 4.1.3")
    output_stride: int = setting(16, "IOG")
    n_classes: int = setting(21, "Sec. 4.1.3")
    head_width: int = setting(256, "IOG")
    psp_width: int = setting(512, "IOG")
    normalise: bool = setting(False, "IOG feeds raw 0..255")
    unknown_class: bool = setting(False, "Sec. 3.3: the unknown class comes with evolution")
    corrector: Corrector = setting(
        "image", "Ours: further clicks also see the image's features; IOG's branch the clicks alone"
    )
    previous_mask: bool = setting(True, "RITM: the last mask is an input of the next correction")
    predictor: Feature = setting("layer4", "Sec. 3.2: a layer after the fourth ResNet block")

    def __post_init__(self) -> None:
        """Refuse what no network can be built from."""
        require_one_of(self, "backbone", tuple(OUTPUT_STRIDES))
        strides = OUTPUT_STRIDES[self.backbone]
        if self.output_stride not in strides:
            choices = " or ".join(str(stride) for stride in strides)
            raise InputError(
                f"output_stride is {self.output_stride}, but {self.backbone} is built for "
                f"{choices}; set output_stride to that."
            )
        require_whole(self, 16, MAX_CROP_PX, "crop_size")
        require_whole(self, 1, 2048, "head_width", "psp_width")
        require_whole(self, 2, 10_000, "n_classes")
        require_one_of(self, "corrector", ("image", "iog"))
        require_one_of(self, "predictor", ("layer4", "decoder"))
        for name in ("normalise", "unknown_class", "previous_mask"):
            require_kind(getattr(self, name), bool, f"NetworkConfig.{name}")
        if self.head_width % 4:
            raise InputError(
                f"head_width is {self.head_width}; choose a positive multiple of four, "
                "as the heads' bottlenecks divide it."
            )

    @property
    def layer1_stride(self) -> int:
        """Crop pixels per cell of layer1 and of all logits."""
        return LAYER1_STRIDES.get(self.backbone, 4)

    @property
    def class_channels(self) -> int:
        """Channels of the class head: n, or n + 1 once the unknown class is there."""
        return self.n_classes + int(self.unknown_class)
