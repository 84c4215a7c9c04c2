"""A figure as a picture on a page: the same bytes for the same figure, and words beside it."""

from __future__ import annotations

import io

from IPython.display import Image
from matplotlib.figure import Figure


def picture(figure: Figure, alt: str) -> Image:
    """The figure as PNG for a notebook cell.

    Args:
        figure: drawn by ``figures`` or ``galleries``.
        alt: what a reader who cannot see it should know.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return Image(buffer.getvalue(), format="png", alt=alt)
