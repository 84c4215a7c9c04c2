"""Every knob of a scene's look in one place: weather, camera, light, texture, crowding."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from openscenes.synthetic.texture import Rng

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """How images of one scene come out. Colours are RGB in [0, 1].

    All values are ours; the paper has real images. ``severity`` moves the two new looks along
    the line from ``VOC_LOOK``, so that how far away they are is one measured number.

    Attributes:
        haze: how much of the far distance is swallowed by ``haze_colour``, in [0, 1].
        haze_colour: colour of the haze.
        exposure: factor on all light.
        contrast: factor on the distance from mid grey; below 1 is flat.
        saturation: factor on the distance from grey.
        cast: factor per channel (a wet dusk is blue, a lamp is orange).
        noise: standard deviation of the sensor noise, of full scale 1.
        blur_px: standard deviation of the lens blur.
        motion_px: length of the horizontal motion blur.
        vignette: darkening of the corners.
        jpeg_quality: of the saved file, 1 to 100.
        directional: strength of the light's direction in the shading of parts; negative puts
            the light behind the object (rim instead of face).
        shadow: darkness of cast shadows.
        texture: factor on the strength of patterns on objects.
        clutter: factor on the texture of backgrounds.
        similarity: chance that an object takes the colour of what is behind it.
        crowding: chance that an object gets an overlapping look-alike neighbour.
        occluders: expected number of unlabelled things (poles, blades) in front.
        patterned: chance that an object carries a printed pattern.
    """

    haze: float
    haze_colour: Colour
    exposure: float
    contrast: float
    saturation: float
    cast: Colour
    noise: float
    blur_px: float
    motion_px: float
    vignette: float
    jpeg_quality: float
    directional: float
    shadow: float
    texture: float
    clutter: float
    similarity: float
    crowding: float
    occluders: float
    patterned: float

    def at_severity(self, severity: float) -> Look:
        """The look ``severity`` times as far from ``VOC_LOOK`` as this one (0: VOC, 1: self)."""
        origin, target = asdict(VOC_LOOK), asdict(self)
        moved = {name: _move(origin[name], target[name], severity) for name in origin}
        return Look(**moved)  # type: ignore[arg-type]

    @property
    def quality(self) -> int:
        """JPEG quality as encoders take it, 20 to 100."""
        return int(np.clip(round(self.jpeg_quality), 20, 100))

    def vary(self, rng: Rng) -> Look:
        """This look on another day: weather and camera differ a little from image to image."""
        factor = rng.uniform(0.6, 1.4, size=6)
        cast = np.asarray(self.cast) * rng.uniform(0.95, 1.05, size=3)
        return replace(
            self,
            haze=min(self.haze * float(factor[0]), 0.92),
            exposure=self.exposure * float(rng.uniform(0.88, 1.12)),
            contrast=self.contrast * float(rng.uniform(0.88, 1.12)),
            noise=self.noise * float(factor[1]),
            blur_px=self.blur_px * float(factor[2]),
            motion_px=self.motion_px * float(factor[3]),
            directional=self.directional * float(factor[4]),
            shadow=min(self.shadow * float(factor[5]), 0.8),
            cast=(float(cast[0]), float(cast[1]), float(cast[2])),
        )


def _move(origin: float | Colour, target: float | Colour, step: float) -> float | Colour:
    if isinstance(origin, tuple) and isinstance(target, tuple):
        pairs = zip(origin, target, strict=True)
        return tuple(float(np.clip(a + step * (b - a), 0, 2)) for a, b in pairs)  # type: ignore[return-value]
    assert not isinstance(origin, tuple) and not isinstance(target, tuple)
    moved = origin + step * (target - origin)
    return max(moved, 0.0) if min(origin, target) >= 0 else moved


VOC_LOOK = Look(
    haze=0.08,
    haze_colour=(0.80, 0.86, 0.92),
    exposure=1.0,
    contrast=1.05,
    saturation=1.05,
    cast=(1.02, 1.0, 0.97),
    noise=0.010,
    blur_px=0.35,
    motion_px=0.0,
    vignette=0.10,
    jpeg_quality=93,
    directional=0.55,
    shadow=0.45,
    texture=1.0,
    clutter=0.8,
    similarity=0.10,
    crowding=0.40,
    occluders=0.8,
    patterned=0.30,
)

CITYSCAPES_LOOK = Look(
    haze=0.36,
    haze_colour=(0.62, 0.66, 0.72),
    exposure=0.92,
    contrast=0.78,
    saturation=0.50,
    cast=(0.88, 0.98, 1.12),
    noise=0.022,
    blur_px=0.6,
    motion_px=1.4,
    vignette=0.25,
    jpeg_quality=93,
    directional=0.0,
    shadow=0.20,
    texture=0.8,
    clutter=1.3,
    similarity=0.15,
    crowding=0.25,
    occluders=0.9,
    patterned=0.25,
)

COCO_LOOK = Look(
    haze=0.05,
    haze_colour=(0.95, 0.82, 0.62),
    exposure=1.02,
    contrast=0.8,
    saturation=1.25,
    cast=(1.16, 0.98, 0.76),
    noise=0.018,
    blur_px=0.5,
    motion_px=0.5,
    vignette=0.30,
    jpeg_quality=72,
    directional=0.15,
    shadow=0.55,
    texture=1.6,
    clutter=1.8,
    similarity=0.15,
    crowding=0.22,
    occluders=0.7,
    patterned=0.6,
)
