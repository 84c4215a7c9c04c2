"""``python -m openscenes predict``: an image, a box and a point in; masks as PNG files out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openscenes.files import one_line
from openscenes.prediction.outputs import check_outputs, write_pngs

if TYPE_CHECKING:
    from openscenes.prediction.predict import PredictionResult


OUTPUTS = ("out", "probability", "overlay")
OBJECT_COLOUR, CLICK_COLOUR = (0, 114, 178), (230, 159, 0)  # safe for colour blindness


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add ``predict`` to what ``ArgumentParser.add_subparsers`` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "predict",
        help="segment the object in a box with one click inside it",
        description="Segment the object in a box with one click inside it. Positions are (row, "
        "col) pixels of the image as viewers show it: an orientation tag is applied, and masks and "
        "overlay lie on the turned image. What is transparent lies on white; grey of 16 bits is "
        "scaled by its format's range, of 32 bits and floating point by percentiles.",
    )
    parser.add_argument("image", type=Path, metavar="IMAGE", help="JPEG, PNG, BMP, WEBP or TIFF")
    parser.add_argument(
        "--box", type=float, nargs=4, required=True, metavar=("R0", "C0", "R1", "C1"),
        help="first row and column, one beyond the last row and column",
    )  # fmt: skip
    parser.add_argument("--point", type=float, nargs=2, required=True, metavar=("R", "C"))
    parser.add_argument(
        "--click", type=float, nargs=3, action="append", default=[], metavar=("R", "C", "SIGN"),
        help="a correction: 1 inside the object, -1 outside; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--evidence", action="store_true",
        help="weigh the network's mask with cuts of the image that fill the box",
    )  # fmt: skip
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--model", type=Path, metavar="FILE", help="default: newest demo model")
    source.add_argument(
        "--published-iog", type=Path, metavar="FILE", help="IOG's published weights"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "bf16", "fp32"), help="auto, bf16 or fp32"
    )
    parser.add_argument("--out", type=Path, metavar="PNG", help="mask, 0 or 255")
    parser.add_argument("--probability", type=Path, metavar="PNG", help="0-255 for 0-1")
    parser.add_argument("--overlay", type=Path, metavar="PNG", help="mask, box and point on IMAGE")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run one command line; what the user can mend raises in one sentence."""
    wanted = {name: path for name in OUTPUTS if (path := getattr(args, name)) is not None}
    given = [path for path in (args.image, args.model, args.published_iog) if path is not None]
    check_outputs(list(wanted.values()), given)
    # torch takes seconds to import, which `--help` need not wait for
    from openscenes.data.datasets import read_image
    from openscenes.prediction.model_files import model_from_file, newest_demo_model
    from openscenes.prediction.predict import checked_interaction, predict

    image = read_image(args.image, upright=True)
    checked_interaction(image, args.box, args.point)
    model = model_from_file(
        args.published_iog or args.model or newest_demo_model(),
        device=args.device,
        precision=args.precision,
        published_iog=args.published_iog is not None,
    )
    result = predict(image, args.box, args.point, args.click, evidence=args.evidence, model=model)
    write_pngs({path: _pixels(name, args, image, result) for name, path in wanted.items()})
    height, width = result.mask.shape
    print(f"model       {one_line(model.label)} ({model.device}, {model.precision})")
    print(f"mask area   {int(result.mask.sum())} px of {height} x {width}")
    print(f"confidence  {result.confidence:.3f}")
    return 0


def _pixels(name: str, args: argparse.Namespace, image: Any, result: PredictionResult) -> Any:
    """(H, W) or (H, W, 3) uint8 of one output."""
    import numpy as np

    if name == "out":
        return result.mask * np.uint8(255)
    if name == "probability":
        return np.rint(result.probability * 255).astype(np.uint8)
    return overlay(image, result.mask, args.box, args.point)


def overlay(image: Any, mask: Any, box: list[float], point: list[float]) -> Any:
    """(H, W, 3) uint8: the object tinted, the box and the point drawn."""
    import cv2
    import numpy as np

    tinted = (image.astype(np.uint16) + np.array(OBJECT_COLOUR, np.uint16)) // 2
    drawn = np.where(mask[..., None], tinted, image).astype(np.uint8)
    row0, col0, row1, col1 = (round(side) for side in box)
    line = max(1, round(max(image.shape) / 400))
    cv2.rectangle(drawn, (col0, row0), (col1 - 1, row1 - 1), CLICK_COLOUR, line)
    cv2.circle(drawn, (round(point[1]), round(point[0])), 2 * line, CLICK_COLOUR, -1)
    return drawn
