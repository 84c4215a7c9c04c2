"""What the tables on disk reproduce: an overview, every published value, every claim."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
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
    direction,
    gains_of,
    names,
    repeatable,
    set_of,
    unlike_the_paper,
    verified,
    with_first,
)

MIOU, NOC, KEPT = "mIoU", "NoC", "mIoU, VOC val after"
VALUES = ("table", "profile", "column", "row", "measure", "paper", "ours", "ours - paper",
          "verified", "direction agrees")  # fmt: skip
CLAIMS = ("table", "profile", "verdict", "column", "better", "worse", "paper", "ours", "low",
          "high", "by_seed", "further_low", "further_high")  # fmt: skip


def overview(reports: Sequence[Report], values: pd.DataFrame, claims: pd.DataFrame) -> str:
    """A line for each table and profile: how much was reproduced."""
    lines = []
    for key, found in EXPERIMENTS.items():
        mine = [report for report in reports if report.key == key]
        if found.table is not None:
            shown = [_of_run(report, _of(values, report), _of(claims, report)) for report in mine]
            lines += [(title_of(key), found.about, *each) for each in shown or [("not made yet",)]]
    head = ("table", "what", "profile", "measured", "verified", "claims: hold", "open",
            "do not hold", "further trainings")  # fmt: skip
    return f"{_OVERVIEW}\n\n" + grid(head, [(*x, *[""] * (len(head) - len(x))) for x in lines])


_OVERVIEW = """*Measured*: how many of the paper's printed values have one of ours beside them.
*Verified*: how many of them profile `paper` reproduced on the official data. A *claim* is that one
row beats another by at least 0.1 points. It *holds* where our difference has the same sign and its
95 % interval excludes zero, *does not hold* where the sign is the other one, and is *open* where
the interval contains zero. *Further trainings*: how many of the claims that hold would also hold
for other seeds, by Student's t over seeds and images (Hillis 2007); of three seeds its intervals
are wide."""


def _of(frame: pd.DataFrame, report: Report) -> pd.DataFrame:
    return frame[(frame["table"] == report.key) & (frame["profile"] == report.profile)]


def _of_run(report: Report, values: pd.DataFrame, claims: pd.DataFrame) -> tuple[str, ...]:
    published = _published(report.key)
    link = f"[{report.profile}]({report.file})"
    if not published:
        return (link, "nothing published")
    mine = Counter(zip(values["column"].map(set_of), values["measure"], values["row"],
                       values["paper"], strict=True))  # fmt: skip
    told = claims[claims["paper"].fillna(0) != 0]
    verdicts = told["verdict"].value_counts()
    holding = told[(told["verdict"] == HOLDS) & told["further_low"].notna()]
    again = int(((holding["further_low"] > 0) | (holding["further_high"] < 0)).sum())
    return (
        link, f"{(published & mine).total()} of {published.total()}",
        str((values["verified"] == "yes").sum()),
        *(str(verdicts.get(word, 0)) for word in (HOLDS, OPEN, FAILS)),
        f"{again} of {verdicts.get(HOLDS, 0)}" if len(holding) else "",
    )  # fmt: skip


def _published(key: str) -> Counter[tuple[str, str, str, float]]:
    """Every value that the paper prints in a table: validation set, measure, row, value."""
    frame = pd.read_csv(PAPER_VALUES, dtype={"table": str}, keep_default_na=False)
    mine = frame[frame["table"] == key]
    sets = {"voc": "VOC", "cityscapes": "Cityscapes", "coco": "COCO"}
    measures = {"NoC": NOC, "source": KEPT}
    return Counter(
        (sets[column.partition(" ")[0]], measures.get(column.rpartition(" ")[2], MIOU), row,
         float(value))
        for column, row, value in zip(mine["column"], mine["row"], mine["value"], strict=True)
    )  # fmt: skip


def published_values(reports: Sequence[Report]) -> pd.DataFrame:
    """Every published value beside ours, one line each, in the columns of ``VALUES``."""
    lines = [
        (report.key, report.profile, line["block"], line["row"], *value)
        for report in reports
        for line, first in with_first(report.cells)
        for value in _values(line, first, report)
    ]
    return pd.DataFrame(lines, columns=list(VALUES))


def _values(line: pd.Series, first: pd.Series, report: Report) -> list[tuple[Any, ...]]:
    """Measure, paper, ours, ours - paper, verified, direction, as often as the row has them."""
    found = []
    if not pd.isna(line["paper"]):
        agrees = direction(line, first) or _beaten(line, report)
        found.append(_value(MIOU, line, line, "ours", report, agrees))
    if not pd.isna(line.get("paper_source")):
        # The objects of the source are not the block's; the run has counted them.
        n_objects = report.run.get("objects", {}).get("voc/val", {}).get("objects", 0)
        ends = {"ours_low": line["source_low"], "ours_high": line["source_high"]}
        as_source = {"block": "VOC", "paper": line["paper_source"], "n_objects": n_objects}
        found.append(_value(KEPT, line, pd.Series(as_source | ends), "source", report, ""))
    if str(line.get("NoC, paper", "nan")) != "nan":
        found.append(_clicks(line, report.run))
    return found


def _value(
    measure: str, line: pd.Series, beside: pd.Series, name: str, report: Report, agrees: str
) -> tuple[Any, ...]:
    spread = "" if pd.isna(line[f"{name}_std"]) else f" ± {line[f'{name}_std']:.1f}"
    paper, proven = float(beside["paper"]), verified(beside, report.run)
    ours = f"{line[name]:.1f}{spread}{_seeds(line)}"
    return measure, paper, ours, f"{line[name] - paper:+.1f}", proven, agrees


def _seeds(line: pd.Series) -> str:
    return f" ({counted(int(line['n_seeds']), 'seed')})"


def _beaten(line: pd.Series, report: Report) -> str:
    """The claim that another row is better than this one, where there is just one such."""
    mine = (line["block"], line["row"])
    found = [c for c in report.claims if (c["block"], c["worse"]) == mine and c["paper"]]
    return f"{WORDS[found[0]['verdict']]}, {found[0]['better']} over it" if len(found) == 1 else ""


def _clicks(line: pd.Series, run: dict[str, Any]) -> tuple[Any, ...]:
    """NoC; the paper's 3 and 4 are what the protocol spends, not a measurement."""
    number, _, nominal = str(line["NoC, paper"]).partition(" ")
    measured, _, interval = str(line["NoC, measured"]).partition(" [")
    low, high = map(float, interval.rstrip("]").split(", ")) if interval else (np.nan, np.nan)
    clicks = line.to_dict() | {"paper": float(number), "ours_low": low, "ours_high": high}
    spent = "no: nominal, the protocol's own clicks" if nominal else ""
    proven = unlike_the_paper(run) or spent or verified(pd.Series(clicks), run)
    difference = "nominal" if nominal else f"{float(measured.split()[0]) - float(number):+.1f}"
    return NOC, float(number), f"{measured}{_seeds(line)}", difference, proven, ""


def every_claim(reports: Sequence[Report]) -> pd.DataFrame:
    """What the tables compare, one line for each claim, in the columns of ``CLAIMS``."""
    lines = [_claim(report, claim) for report in reports for claim in report.claims]
    return pd.DataFrame(lines, columns=list(CLAIMS)).astype({"paper": float})


def _claim(report: Report, claim: Mapping[str, Any]) -> tuple[Any, ...]:
    gains = gains_of(report, claim)
    by_seed = [] if gains is None else 100.0 * gains[0].mean(axis=1)
    further = repeatable(gains)
    return (
        report.key, report.profile, claim["verdict"], claim["block"], *names(claim),
        claim["paper"], claim["ours"], claim["low"], claim["high"],
        ", ".join(f"{gain:+.2f}" for gain in by_seed),
        *((further.low, further.high) if further else (np.nan, np.nan)),
    )  # fmt: skip


def findings(reports: Sequence[Report], values: pd.DataFrame, claims: pd.DataFrame) -> str:
    """The page of every claim and every published value, folded by run."""
    parts = [_FINDINGS]
    for report in reports:
        mine = _of(claims, report)
        order = list(dict.fromkeys((HOLDS, FAILS, OPEN, *mine["verdict"])))
        mine = mine.sort_values("verdict", key=lambda words: words.map(order.index), kind="stable")
        counts = Counter(mine["verdict"])
        summary = ", ".join(f"{word.lower()} {n}" for word, n in counts.items()) or "no claims"
        head = ("verdict", "column", "claim", "paper", "ours", "by seed", "further trainings")
        parts.append(
            folded(f"{report.name}: {summary}", grid(head, map(_words, mine.itertuples())))
        )
    parts.append(_PUBLISHED)
    for report in reports:
        mine = _of(values, report)
        if len(mine):
            body = grid(VALUES[2:], mine[list(VALUES[2:])].itertuples(index=False))
            parts.append(folded(f"{report.name}: {counted(len(mine), 'value')} published", body))
    return "\n\n".join(parts)


_FINDINGS = """# What the tables confirm and deny

Differences in points of mIoU, paired over the same objects and seeds, with their 95 % bootstrap
intervals, which draw images, each with all its objects, and seeds; as numbers in
[claims.csv](claims.csv). What cannot be told here may still be true: the interval holds zero. *By
seed* is the difference in each training. A bootstrap of few trainings says little of further ones;
*further trainings* is the interval that does, by Student's t with seeds and images as crossed
random factors. Where it holds zero, a verdict speaks of these trainings alone."""

_PUBLISHED = """## Published values

Also in [values.csv](values.csv). mIoU in points, NoC in clicks; ours ± sample standard deviation
over seeds. *Direction* is that of the gain over the first row of the same column, where the paper
prints both: the paper's sign (yes), the other sign (no), or an interval that holds zero (open). *X
over it* is the gain of row X over this one instead. *Nominal* clicks: what the protocol spends."""


def _words(claim: Any) -> tuple[str, ...]:
    further = "" if pd.isna(claim.further_low) else (
        f"[{claim.further_low:+.2f}, {claim.further_high:+.2f}]"
    )  # fmt: skip
    return (
        claim.verdict, claim.column, f"{claim.better} against {claim.worse}",
        "" if pd.isna(claim.paper) else f"{claim.paper:+.1f}",
        f"{claim.ours:+.2f} [{claim.low:+.2f}, {claim.high:+.2f}]", claim.by_seed, further,
    )  # fmt: skip
