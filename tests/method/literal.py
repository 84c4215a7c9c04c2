"""Eq. 1-6 word for word: F is enlarged, Q_bar = 1 - Q is a mask, exp(-d) is an exponential.

Slow and hungry on purpose; in float64 this is what the fast version has to agree with. One object
at a time: features (C, h, w), masks (H, W).
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F


def enlarge(features, size):
    """F at (H, W), align_corners=True."""
    return F.interpolate(features[None], size=size, mode="bilinear", align_corners=True)[0]


def prototype(enlarged, selection):
    """Eq. 1."""
    weights = selection.to(enlarged.dtype)
    return (weights * enlarged).sum((1, 2)) / weights.sum()


def distance(center, enlarged):
    """Eq. 2."""
    return (center[:, None, None] - enlarged).square().sum(0)


def confidence(enlarged, selection, background=None):
    """Eq. 3; the background is 1 - Q unless another is given."""
    weights = selection.to(enlarged.dtype)
    other = 1 - weights if background is None else background
    near = torch.exp(-distance(prototype(enlarged, weights), enlarged))
    far = torch.exp(-distance(prototype(enlarged, other), enlarged))
    return near / (near + far)


def mean_confidence(confidence_map, coarse):
    """Eq. 4."""
    return confidence_map[coarse].mean()


def eroded(mask, kernel_px=5, iterations=3):
    """OpenCV's erosion, Sec. 4.1.2."""
    kernel = np.ones((kernel_px, kernel_px), np.uint8)
    image = cv2.erode(mask.numpy().astype(np.uint8), kernel, iterations=iterations)
    return torch.from_numpy(image).bool()


def vote(coarse, label_global, label_merged):
    """Eq. 5-6."""
    votes = coarse.double() + label_global.double() + label_merged.double()
    delta = torch.where(votes >= 2, 1 / votes, 0)
    return (delta * votes).bool()


def refine(
    features, coarse, predicted, center, kernel=(5, 3), weights=(0.3, 0.7), cuts=(0.7, 0.75)
):
    """The whole module for one object; the center points are given, as they are random."""
    enlarged = enlarge(features, tuple(coarse.shape))
    edge = coarse & ~eroded(coarse, *kernel)
    maps = {
        "global": confidence(enlarged, coarse & predicted),
        "center": confidence(enlarged, center),
        "edge": confidence(enlarged, edge),
    }
    maps["merged"] = weights[0] * maps["center"] + weights[1] * maps["edge"]
    thresholds = [
        cut * mean_confidence(maps[name], coarse)
        for cut, name in zip(cuts, ("global", "merged"), strict=True)
    ]
    labels = [maps["global"] > thresholds[0], maps["merged"] > thresholds[1]]
    return {
        "maps": maps,
        "thresholds": thresholds,
        "labels": labels,
        "mask": vote(coarse, *labels),
    }
