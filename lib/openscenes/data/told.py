"""All clicks on a batch of crops: the first three (Sec. 3.1), and later ones that correct."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from openscenes.data.interactions import (
    REFERENCE_PX,
    ClickConfig,
    corner_clicks,
    gaussian_maps,
    heat_maps,
)


class Told(NamedTuple):
    """All clicks on B crops, as their list and as maps.

    Attributes:
        clicks: (B, K, 3) float32 (row, col, sign) in pixels of the crop; sign 0 is no click.
        maps: (B, 2, S, S) float32 in 0..255, as the network sees them; channel 0 is inside.
    """

    clicks: Tensor
    maps: Tensor

    @torch.no_grad()
    def and_then(self, clicks: Tensor, config: ClickConfig) -> Told:
        """What was told before, and (B, K', 3) later clicks, drawn into the maps by the maximum."""
        size = self.maps.shape[-1]
        drawn = gaussian_maps(clicks, size, config.heat_map_width_px * size / REFERENCE_PX)
        maps = torch.maximum(self.maps, 255.0 * drawn)
        return Told(torch.cat((self.clicks, clicks), dim=1), maps)

    def of(self, chosen: Tensor) -> Told:
        """Those of some of the crops, (n,) int64."""
        return Told(self.clicks[chosen], self.maps[chosen])


def first_told(points: Tensor, boxes: Tensor, size: int, config: ClickConfig) -> Told:
    """The inside point and the box's corners, as ``heat_maps`` has them.

    Args and Returns: as ``heat_maps``; a point and four corners are the five clicks.
    """
    corners = corner_clicks(boxes, size, config)
    pairs = corners[:, [[0, 1], [0, 3], [2, 1], [2, 3]]]
    places = torch.cat((points[:, None], pairs), dim=1)
    signs = places.new_tensor([1.0, -1.0, -1.0, -1.0, -1.0]).expand(len(places), -1)
    clicks = torch.cat((places, signs[..., None]), dim=2)
    return Told(clicks, heat_maps(points, boxes, size, config))
