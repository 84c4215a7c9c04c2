"""Does the method work? Seven claims and two sentences, computed from the tables on disk.

README, the status page and the site's front page show this one text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from openscenes.study.experiments.table_4 import CONTROL
from openscenes.study.experiments.table_4_plus import OUR_ROW, SEEN
from openscenes.study.pages.markdown import grid
from openscenes.study.scores.results import Claim
from openscenes.study.status.verification import Report

SUMMARY = "does it work"  # name of the block on every page that shows it
# Profiles with each kind of data; the first that has the table is read.
DATA = {"synthetic scenes": ("demo",), "real images": ("paper", "study")}
NEW_SCENES = ("Cityscapes, initial model on VOC+SBD", "COCO, initial model on VOC+SBD")
EXACT_BOXES = ("Cityscapes, exact boxes", "COCO, exact boxes")
BASELINE = "Baseline"
HOLDS, IN_PART, FAILS = "holds", "in part", "does not hold"


@dataclass(frozen=True)
class Statement:
    """That one row is better than another in two blocks of a table.

    Attributes:
        words: a sentence without its full stop.
        blocks: what the titles of the two blocks begin with.
    """

    words: str
    table: str
    better: str
    worse: str
    blocks: tuple[str, str] = NEW_SCENES


STATEMENTS = (
    Statement("self-training improves the initial model", "4", "+ST", BASELINE),
    Statement("self-training beats BN re-estimation alone", "4", "+ST", CONTROL),
    Statement("IPT and FA improve self-training", "4", "+ST +IPT +FA", "+ST"),
    Statement("IPT as printed refines pseudo masks", "3", "merge and vote", "coarse mask"),
    Statement("the method forgets less than supervised fine-tuning",
              "2", "Ours", "IOG", ("VOC, t = 1", "VOC, t = 2")),
    Statement("ours: evidence masks beat the network's",
              "4_plus", SEEN, BASELINE, EXACT_BOXES),
    Statement("ours: learning from evidence masks improves the initial model",
              "4_plus", OUR_ROW, BASELINE, EXACT_BOXES),
)  # fmt: skip
Pair = list[Claim | None]  # of the two blocks; None where nothing was measured


def summary(reports: Sequence[Report], n_verified: int, folder: str = "") -> str:
    """Markdown: a line for each statement, then what holds and what does not.

    Args:
        reports: of all profiles.
        n_verified: how many published values they verify.
        folder: of the reports, from the page that shows this, such as "reports/".
    """
    found = {each: _by_data(each, reports) for each in STATEMENTS}
    verdicts = {each: _verdict(pairs) for each, pairs in found.items()}
    head = ("claim", "paper", *DATA, "significant here")
    lines = [
        (_linked(each, reports, folder), _published(pairs), *map(_gains, pairs.values()), words)
        for (each, pairs), words in zip(found.items(), verdicts.values(), strict=True)
    ]
    holding = [each.words for each in STATEMENTS if verdicts[each].startswith(HOLDS)]
    holding += [
        f"{_where(found[each])}: {each.words}"
        for each in STATEMENTS
        if verdicts[each].startswith(IN_PART)
    ]
    failing = [each.words for each in STATEMENTS if verdicts[each].startswith(FAILS)]
    sentences = (
        f"- **Holds:** {'; '.join(holding) or 'nothing'}.",
        f"- **Does not hold:** {'; '.join(failing) or 'nothing'}.",
    )
    counts = sorted({report.n_seeds for report in reports}) or [0]
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    reading = _READING.format(seeds=seeds, verified=n_verified or "none")
    return "\n\n".join([grid(head, lines), "\n".join(sentences), reading])


_READING = """Gains in points of mIoU on Cityscapes and COCO (forgetting: on VOC after each).
**Bold**, and counted in the last column: the 95 % interval over images and {seeds} seeds excludes
zero. Data and networks are far smaller than the paper's. Values verified: {verified}."""


def _by_data(statement: Statement, reports: Sequence[Report]) -> dict[str, Pair]:
    mine = {report.profile: report for report in reports if report.key == statement.table}
    pairs: dict[str, Pair] = {}
    for data, profiles in DATA.items():
        report = next((mine[name] for name in profiles if name in mine), None)
        rows = (statement.better, statement.worse)
        pairs[data] = [report.gain(b, *rows) if report else None for b in statement.blocks]
    return pairs


def _linked(statement: Statement, reports: Sequence[Report], folder: str) -> str:
    files = [report.file for report in reports if report.key == statement.table]
    return f"[{statement.words}]({folder}{files[0]})" if files else statement.words


def _published(pairs: dict[str, Pair]) -> str:
    both = zip(*pairs.values(), strict=True)
    values = [next((c.paper for c in found if c and c.paper is not None), None) for found in both]
    return ", ".join("–" if value is None else f"{value:+.1f}" for value in values)


def _gains(pair: Pair) -> str:
    return ", ".join(map(_gain, pair)) if any(pair) else "not measured"


def _gain(claim: Claim | None) -> str:
    bold = "**" if claim and claim.ours.differs else ""
    return f"{bold}{claim.ours.mean:+.1f}{bold}" if claim else "–"


def _verdict(pairs: dict[str, Pair]) -> str:
    gains = [claim.ours for pair in pairs.values() for claim in pair if claim]
    up, down = sum(gain.low > 0 for gain in gains), sum(gain.high < 0 for gain in gains)
    if not gains:
        return "not measured"
    word = HOLDS if 2 * up > len(gains) and not down else IN_PART if up else FAILS
    return f"{word}: {up} of {len(gains)}" + (f", {down} worse" if down else "")


def _where(pairs: dict[str, Pair]) -> str:
    """The kind of data on whose every set a gain is significant, if there is none on the others."""
    gains = {data: [bool(one and one.ours.low > 0) for one in pair] for data, pair in pairs.items()}
    found = [data for data, each in gains.items() if any(each)]
    everywhere = len(found) < len(pairs) and all(all(gains[data]) for data in found)
    return f"on {' and '.join(found)} only" if everywhere else "in part"
