"""A figure as an image on a page: the same bytes for the same figure, and words beside it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from IPython.display import Image, Markdown
from matplotlib.figure import Figure

from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.paths import atomic
from openscenes.study.pages.foreign_text import SENTENCE, in_markdown
from openscenes.study.runs.data import Study


def show_figure(figure: Figure, alt: str, path: Path | None = None) -> Image:
    """A drawn figure as PNG for a notebook cell, and as a file of its own.

    On a page alone, a figure that holds images becomes a JPEG, where that has less than half
    the bytes: pages are kept, and read over slow lines.

    Args:
        path: where the file goes; None keeps it on the page only.
    """
    drawn = _encoded(figure, "png", alt, path)
    if path is not None:
        return drawn
    compact = _encoded(figure, "jpeg", alt, None)
    return compact if 2 * len(compact.data) < len(drawn.data) else drawn


def _encoded(figure: Figure, kind: Literal["png", "jpeg"], alt: str, path: Path | None) -> Image:
    buffer = io.BytesIO()
    options = {"metadata": {"Software": None}} if kind == "png" else {"pil_kwargs": {"quality": 88}}
    figure.savefig(buffer, format=kind, dpi=100, bbox_inches="tight", **options)
    if path is not None:
        with atomic(path) as partial:
            partial.write_bytes(buffer.getvalue())
    return Image(buffer.getvalue(), format=kind, alt=one_line(alt, SENTENCE))


def show_data(
    study: Study,
    draw: Callable[..., Figure],
    *arguments: object,
    alt: str,
    keep: bool,
    path: Path | None = None,
) -> Image | Markdown:
    """A figure that shows the data itself, as JPEG, or the reason why it is not drawn.

    Synthetic scenes are always shown; real images belong to others and would be copied with
    the page, so a page keeps them only where its reader wants it.

    Args:
        draw: called as ``draw(study, *arguments)``.
        alt, path: as for ``show_figure``.
        keep: show real images, too.
    Raises:
        InputError: if ``keep`` is neither True nor False; the word "False" would count as yes.
    """
    if not isinstance(keep, bool):
        raise InputError(f"real_images is {keep!r}; give True or False, without quotes")
    if study.profile.synthetic is None and not keep:
        return Markdown(
            f"*Not drawn: {in_markdown(alt)} These images belong to others; set "
            "`real_images = True` in the second cell to see them.*"
        )
    return _encoded(draw(study, *arguments), "jpeg", alt, path)
