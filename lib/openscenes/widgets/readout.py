"""What stands beside an image: a table of numbers with the time they took, a caption."""

from __future__ import annotations

import html
from collections.abc import Mapping


def readout(rows: Mapping[str, str], seq: int, ms: float) -> str:
    """The table as HTML, with the canvas' ``seq`` and the milliseconds that the callback took."""
    lines = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal;padding-right:1em">'
        f'{html.escape(name)}</th><td style="text-align:right">{html.escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return (
        '<div style="line-height:1.4">'  # a widget's own lines stand twice as far apart
        f'<table class="os-readout" style="font-variant-numeric:tabular-nums">{lines}</table>'
        f'<span class="os-seq" data-seq="{seq}" data-ms="{ms:.1f}">{ms:.0f} ms</span></div>'
    )


def caption(title: str, words: str) -> str:
    """A title and what colours mean, as HTML."""
    return f'<div style="line-height:1.4"><b>{title}</b>: {words}</div>'
