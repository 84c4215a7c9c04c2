"""A figure as an image on a page: the same bytes for the same figure, and words beside it."""

import io
from collections.abc import Callable
from pathlib import Path

import PIL.Image
from IPython.display import Image, Markdown
from matplotlib.figure import Figure

from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.paths import atomic
from openscenes.study.figures.few_bytes import as_jpeg, as_png, fewest
from openscenes.study.pages.foreign_text import SENTENCE, in_markdown
from openscenes.study.runs.data import Study


def show_figure(figure: Figure, alt: str, path: Path | None = None) -> Image:
    """A drawn figure for a notebook cell, in few bytes, and as a PNG file of its own.

    On a page alone, it is the smaller of a PNG and a JPEG: see ``few_bytes``.

    Args:
        path: where the file goes; None keeps it on the page only.
    """
    drawn = _drawn(figure)
    content, kind = fewest(drawn) if path is None else (as_png(drawn), "png")
    return _shown(content, kind, alt, path)


def _drawn(figure: Figure) -> PIL.Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    return PIL.Image.open(buffer)


def _shown(content: bytes, kind: str, alt: str, path: Path | None) -> Image:
    if path is not None:
        with atomic(path) as partial:
            partial.write_bytes(content)
    return Image(content, format=kind, alt=one_line(alt, SENTENCE))


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
    return _shown(as_jpeg(_drawn(draw(study, *arguments))), "jpeg", alt, path)
