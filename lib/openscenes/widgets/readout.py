"""What stands beside an image: a table of numbers with the time they took, a caption."""

from collections.abc import Mapping

from openscenes.study.pages.foreign_text import in_html


def readout(rows: Mapping[str, str], seq: int, ms: float) -> str:
    """The table as HTML, with the canvas' ``seq`` and the milliseconds that the callback took."""
    lines = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal;white-space:nowrap;'
        f'padding-right:1em">'
        f'{in_html(name)}</th><td style="text-align:right">{in_html(value)}</td></tr>'
        for name, value in rows.items()
    )
    return (
        '<div style="line-height:1.4">'  # a widget's own lines stand twice as far apart
        f'<table class="os-readout" style="font-variant-numeric:tabular-nums">{lines}</table>'
        f'<span class="os-seq" data-seq="{seq}" data-ms="{ms:.1f}">'
        f"drawn in {ms:.0f} ms</span></div>"
    )


def caption(title: str, words: str, swatches: str = "") -> str:
    """A title and what colours mean, as HTML; ``swatches`` is HTML of ours before the words."""
    said = f"<b>{in_html(title)}</b>: {swatches}{in_html(words)}"
    return f'<div style="line-height:1.4">{said}</div>'
