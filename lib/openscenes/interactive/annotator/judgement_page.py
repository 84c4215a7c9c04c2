"""A judgement as a part of a page: the advice, the numbers, the pictures, each with its words."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass

from openscenes.interactive.annotator.candidates import Candidate
from openscenes.interactive.annotator.judgement import Judgement
from openscenes.interactive.annotator.judgement_figures import (
    differences_figure,
    differences_text,
    objects_figure,
    objects_text,
)
from openscenes.interactive.annotator.workspace import Workspace
from openscenes.study.material import Study
from openscenes.study.pictures import picture

NOTHING = "–"


@dataclass(frozen=True)
class JudgementPage:
    """A candidate and the HTML that shows its judgement."""

    candidate: Candidate
    html: str


def page_of(workspace: Workspace, study: Study, candidate: Candidate) -> JudgementPage:
    """Draw a judgement; this takes seconds, as the versions may be asked again."""
    judgement = candidate.judgement
    shown = [(differences_figure(judgement), differences_text(judgement))]
    if candidate.held_out:
        versions = candidate.old, candidate.new
        gallery = objects_figure(workspace, study, versions, candidate.held_out, judgement)
        shown.append((gallery, objects_text(judgement)))
    parts = [_advice(judgement), _table(judgement)]
    parts += [_image(bytes(picture(figure, alt).data), alt) for figure, alt in shown]
    return JudgementPage(candidate, "\n".join(parts))


def _advice(judgement: Judgement) -> str:
    return (
        f'<p class="os-verdict" style="line-height:1.4"><b>{html.escape(judgement.advice)}</b></p>'
    )


def _table(judgement: Judgement) -> str:
    """One row per measure: objects, old, new, change with its interval, in points."""
    rows = []
    for title, row in judgement.table().iterrows():
        change = NOTHING
        if row["change"] == row["change"]:
            change = f"{row['change']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})"
        means = "".join(f"<td>{_points(row[name])}</td>" for name in ("old", "new"))
        first = f'<th scope="row" style="text-align:left">{html.escape(str(title))}</th>'
        rows.append(f"<tr>{first}<td>{row['objects']:.0f}</td>{means}<td>{change}</td></tr>")
    names = ("measure, in points", "objects", "in use", "new", "change (95 % interval)")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        '<table class="os-judgement" cellpadding="3" '
        'style="font-variant-numeric:tabular-nums;line-height:1.3">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _points(value: float) -> str:
    return f"{value:.1f}" if value == value else NOTHING


def _image(png: bytes, alt: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<img style="max-width:100%;height:auto" alt="{html.escape(alt)}" '
        f'src="data:image/png;base64,{data}">'
    )
