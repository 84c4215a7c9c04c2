"""What the tables on disk reproduce: an overview, every published cell, every claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import Any, NamedTuple

import pandas as pd

from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.pages.markdown import counted, folded, grid
from openscenes.study.scores.results import PAPER_VALUES, title_of
from openscenes.study.status.verification import (
    FAILS,
    HOLDS,
    OPEN,
    WORDS,
    Report,
    claims,
    direction,
    gains_of,
    repeatable,
    set_of,
    unlike_the_paper,
    verified,
    with_first,
)

Published = Counter[tuple[str, str, str, float]]  # of (validation set, measure, row, value)


class Cell(NamedTuple):
    """One published value beside ours, in words."""

    block: str
    row: str
    measure: str
    paper: float
    ours: str
    difference: str
    verified: str
    direction: str


def overview(reports: Sequence[Report]) -> str:
    """The section that counts, for each table and profile, what was reproduced."""
    lines = []
    for key, found in EXPERIMENTS.items():
        if found.table is None:
            continue
        mine = [report for report in reports if report.key == key]
        lines += [_overview_line(key, report) for report in mine]
        if not mine:
            blank = ("not made yet", _printed(key), *[""] * 7)
            lines.append((title_of(key), found.about, *blank))
    head = ("table", "what", "profile", "cells published", "measured", "verified",
            "claims published", "hold here", "open", "do not hold",
            "further trainings")  # fmt: skip
    return f"## Overview\n\n{_OVERVIEW}\n\n{grid(head, lines)}"


_OVERVIEW = """*Measured* counts the published cells that a table here has a value beside (Table 4
of the paper starts from VOC on Cityscapes; profiles with one initial set measure its other half,
and have on Cityscapes three values of the paper's Table 6 beside them, with their claims);
*verified* those that profile `paper` reproduced on the official data. A *claim* is that one row is
better than another by at least 0.1 points in the paper; it *holds here* if our difference has the
same sign and its 95 % interval leaves out zero, *does not hold* if the sign is the other one, and
is *open* if the interval holds zero. *Further trainings*: how many of those that hold do so by
Student's t over seeds and objects, too (Hillis 2007), which knows how little two or three seeds say
of the next one: far wider than the bootstrap where they part, at times narrower where not."""


def _printed(key: str) -> str:
    return str(_published(key).total()) if _published(key) else "nothing published"


def _overview_line(key: str, report: Report) -> tuple[str, ...]:
    cells = list(published_cells(report))
    mine: Published = Counter((set_of(c.block), c.measure, c.row, c.paper) for c in cells)
    proven = sum(cell.verified == "yes" for cell in cells)
    verdicts = Counter(claim["verdict"] for claim in claims(report) if claim["paper"])
    measured = (_published(key) & mine).total()
    counts = (
        measured, proven, verdicts.total(), verdicts[HOLDS], verdicts[OPEN], verdicts[FAILS],
        _held_again(report),
    )  # fmt: skip
    shown = map(str, counts) if _published(key) else [""] * len(counts)
    about = EXPERIMENTS[key].about
    return (title_of(key), about, f"[{report.profile}]({report.file})", _printed(key), *shown)


def _held_again(report: Report) -> str:
    """How many of the published claims that hold do so for further trainings; "" with one seed."""
    holding = [c for c in claims(report) if c["paper"] and c["verdict"] == HOLDS]
    found = [each for claim in holding if (each := repeatable(report, claim))]
    return f"{sum(each.differs for each in found)} of {len(holding)}" if found else ""


def _published(key: str) -> Published:
    """Every value that the paper prints in a table."""
    frame = pd.read_csv(PAPER_VALUES, dtype={"table": str}, keep_default_na=False)
    mine = frame[frame["table"] == key]
    names = {"voc": "VOC", "cityscapes": "Cityscapes", "coco": "COCO"}
    return Counter(
        (names[column.partition(" ")[0]], _measure(column), row, float(value))
        for column, row, value in zip(mine["column"], mine["row"], mine["value"], strict=True)
    )


def _measure(column: str) -> str:
    return {"NoC": NOC, "source": KEPT}.get(column.rpartition(" ")[2], MIOU)


MIOU, NOC, KEPT = "mIoU", "NoC", "mIoU, VOC val after"


def published_cells(report: Report) -> Iterator[Cell]:
    """Every cell of a report that stands beside a published value."""
    for line, first in with_first(report.cells):
        if not pd.isna(line["paper"]):
            difference = f"{line['ours'] - line['paper']:+.1f}"
            agrees = direction(line, first) or _beaten(line, report)
            words = (verified(line, report.run), agrees)
            yield _cell(line, MIOU, line["paper"], _ours(line, "ours"), difference, *words)
        if not pd.isna(line.get("paper_source")):
            yield _kept(line, report.run)
        if str(line.get("NoC, paper", "nan")) != "nan":
            yield _clicks(line, report.run)


def _cell(line: pd.Series, measure: str, paper: float, *words: str) -> Cell:
    ours, difference, proven, agrees = words
    return Cell(line["block"], line["row"], measure, float(paper), ours, difference, proven, agrees)


def _beaten(line: pd.Series, report: Report) -> str:
    """The claim that another row is better than this one, where there is just one such."""
    found = [
        claim
        for claim in claims(report)
        if (claim["block"], claim["worse"]) == (line["block"], line["row"]) and claim["paper"]
    ]
    if len(found) != 1:
        return ""
    return f"{WORDS[found[0]['verdict']]}, {found[0]['better']} over it"


def _kept(line: pd.Series, run: dict[str, Any]) -> Cell:
    """What is left on the source's validation set, whose objects the run has counted."""
    n_objects = run.get("objects", {}).get("voc/val", {}).get("objects", 0)
    as_source = pd.Series(
        {"block": "VOC", "paper": line["paper_source"], "n_objects": n_objects,
         "ours_low": line["source_low"], "ours_high": line["source_high"]}
    )  # fmt: skip
    difference = f"{line['source'] - line['paper_source']:+.1f}"
    proven = verified(as_source, run)
    return _cell(line, KEPT, line["paper_source"], _ours(line, "source"), difference, proven, "")


def _clicks(line: pd.Series, run: dict[str, Any]) -> Cell:
    """NoC; the paper's 3 and 4 are what the protocol spends, not a measurement."""
    number, _, nominal = str(line["NoC, paper"]).partition(" ")
    measured, _, interval = str(line["NoC, measured"]).partition(" [")
    difference = "nominal" if nominal else f"{float(measured.split()[0]) - float(number):+.1f}"
    low, high = map(float, interval.rstrip("]").split(", ")) if interval else (nan, nan)
    counted_clicks = pd.Series(
        {"block": line["block"], "paper": float(number), "n_objects": line["n_objects"],
         "ours_low": low, "ours_high": high}
    )  # fmt: skip
    spent = "no: nominal, the protocol's own clicks" if nominal else ""
    proven = unlike_the_paper(run) or spent or verified(counted_clicks, run)
    return _cell(line, NOC, float(number), f"{measured}{_seeds(line)}", difference, proven, "")


def _ours(line: pd.Series, name: str) -> str:
    spread = "" if pd.isna(line[f"{name}_std"]) else f" ± {line[f'{name}_std']:.1f}"
    return f"{line[name]:.1f}{spread}{_seeds(line)}"


def _seeds(line: pd.Series) -> str:
    return f" ({counted(int(line['n_seeds']), 'seed')})"


def every_cell(reports: Sequence[Report]) -> str:
    """The section that lists every published value beside ours, a fold for each run."""
    parts = [f"## Values\n\n{_VALUES}" if reports else "## Values\n\nNothing was measured yet."]
    head = ("column", "row", "measure", "paper", "ours", "ours - paper", "verified",
            "direction agrees")  # fmt: skip
    for report in reports:
        cells = list(published_cells(report))
        others = len(report.cells) - sum(cell.measure == MIOU for cell in cells)
        summary = f"{report.name}: {counted(len(cells), 'cell')} published"
        more = f"{counted(others, 'further row')} with nothing published: [{report.name}]"
        body = grid(head, [_words(cell) for cell in cells]) if cells else ""
        ending = f"{more}({report.file})." if others else ""
        parts.append(folded(summary, "\n\n".join(filter(None, (body, ending)))))
    return "\n\n".join(parts)


_VALUES = """mIoU in points, NoC in clicks; ours ± sample standard deviation over seeds.
*Direction* is that of the gain over the first row of the same column, where the paper prints both:
it has the paper's sign (yes), the other sign (no), or an interval that holds zero (open). *X over
it* is the gain of row X over this one instead. *Nominal* clicks are what the protocol spends."""


def _words(cell: Cell) -> tuple[str, ...]:
    return (cell.block, cell.row, cell.measure, f"{cell.paper:g}", *cell[4:])


def every_claim(reports: Sequence[Report]) -> str:
    """The section that says, for each run, which claims hold, which do not, which are open."""
    title = "## What the tables confirm and deny"
    if not reports:
        return f"{title}\n\nNothing was measured yet."
    parts = [title, _CLAIMS]
    for report in reports:
        found = claims(report)
        verdicts = Counter(claim["verdict"] for claim in found)
        words = dict.fromkeys((HOLDS, FAILS, OPEN, *verdicts))
        counts = ", ".join(f"{word.lower()} {verdicts[word]}" for word in words if verdicts[word])
        parts.append(folded(f"{report.name}: {counts or 'no claims'}", _claim_lines(report, found)))
    return "\n\n".join(parts)


_CLAIMS = """Differences in points of mIoU, paired over the same objects and seeds, with their 95 %
bootstrap intervals, which draw both. What cannot be told here may still be true: the interval holds
zero. *By seed* is the difference in each training. A bootstrap of few trainings says little of
further ones; *further trainings* is the interval that does, by Student's t with seeds and objects
as crossed random factors. Where it holds zero, a verdict speaks of these trainings alone."""


def _claim_lines(report: Report, found: Sequence[dict[str, Any]]) -> str:
    order = list(dict.fromkeys((HOLDS, FAILS, OPEN, *(claim["verdict"] for claim in found))))
    lines = [
        (
            claim["verdict"], claim["block"], f"{claim['better']} against {claim['worse']}",
            "" if claim["paper"] is None else f"{claim['paper']:+.1f}",
            f"{claim['ours']:+.2f} [{claim['low']:+.2f}, {claim['high']:+.2f}]",
            *_trainings(report, claim),
        )
        for claim in sorted(found, key=lambda claim: order.index(claim["verdict"]))
    ]  # fmt: skip
    head = ("verdict", "column", "claim", "paper", "ours", "by seed", "further trainings")
    return grid(head, lines)


def _trainings(report: Report, claim: Mapping[str, Any]) -> tuple[str, str]:
    """A claim's difference in each training, and its interval over further ones."""
    gains, further = gains_of(report, claim), repeatable(report, claim)
    by_seed = () if gains is None else 100.0 * gains.mean(axis=1)
    interval = "" if further is None else f"[{further.low:+.2f}, {further.high:+.2f}]"
    return ", ".join(f"{gain:+.2f}" for gain in by_seed), interval
