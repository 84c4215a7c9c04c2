"""A drawn image in few bytes: a PNG of at most 256 colours, or a JPEG.

Pages are kept, and read over slow lines; most colours of a drawing are shades along its lines.
"""

import io
from typing import Any, Literal

import numpy as np
from PIL import Image

N_COLOURS = 256  # what one byte a pixel can name
FARTHEST = 28  # between a colour and the one shown for it; black and white lie 442 apart


def fewest(image: Image.Image) -> tuple[bytes, Literal["png", "jpeg"]]:
    """The smaller of PNG and JPEG: drawings are PNG, pictures with noise JPEG."""
    png, jpeg = as_png(image), as_jpeg(image)
    return (png, "png") if len(png) <= len(jpeg) else (jpeg, "jpeg")


def as_png(image: Image.Image) -> bytes:
    """With 256 colours, where none of the image's lies farther than FARTHEST; else with all."""
    drawn = image.convert("RGB")
    return _written(_of_few_colours(drawn) or drawn, format="png")


def as_jpeg(image: Image.Image) -> bytes:
    """With colours as fine as light, or thin coloured lines would fade."""
    drawn = image.convert("RGB")
    return _written(drawn, format="jpeg", quality=80, subsampling="4:4:4", progressive=True)


def _written(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, optimize=True, **options)
    return buffer.getvalue()


def _of_few_colours(image: Image.Image) -> Image.Image | None:
    """Choose colours one by one, next always the one that those chosen serve worst.

    That is by squared distance times the root of the number of its pixels: areas keep their very
    colour, and so does a small dot, which Pillow's own methods paint like its surroundings.
    """
    packed = np.asarray(image) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    found, place, n_pixels = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255]).astype(np.float32)
    weight = np.sqrt(n_pixels, dtype=np.float32)
    distance = np.full_like(weight, 3 * 255**2)
    shown, chosen = np.zeros(len(found), dtype=np.uint8), list[int]()
    while len(chosen) < N_COLOURS and distance.any():
        worst = int((distance * weight).argmax())
        to_worst = np.square(colours - colours[:, worst, None]).sum(axis=0)
        nearer = to_worst < distance
        distance[nearer], shown[nearer] = to_worst[nearer], len(chosen)
        chosen.append(worst)
    if distance.max() > FARTHEST**2:
        return None
    few = Image.fromarray(shown[place].reshape(packed.shape))
    few.putpalette(colours[:, chosen].T.astype(np.uint8).tobytes())
    return few
