"""Randomness as an argument: one stable seed for each (purpose, thing) pair."""

import hashlib

import numpy as np
import torch


def derive_seed(*parts: object) -> int:
    """Return a seed in [0, 2**63) that depends on every part and on nothing else.

    The same parts give the same seed on every machine and Python version (``hash`` would not).
    """
    text = "\x1f".join(str(part) for part in parts)
    return (
        int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8], "little")
        >> 1
    )


def torch_generator(*parts: object) -> torch.Generator:
    """Return a CPU ``torch.Generator`` seeded by ``derive_seed(*parts)``."""
    return torch.Generator().manual_seed(derive_seed(*parts))


def numpy_generator(*parts: object) -> np.random.Generator:
    """Return a ``numpy.random.Generator`` seeded by ``derive_seed(*parts)``."""
    return np.random.Generator(np.random.PCG64(derive_seed(*parts)))
