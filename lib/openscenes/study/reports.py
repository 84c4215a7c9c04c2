"""Tables on disk: markdown to read, csv to compute with, and where every number comes from."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from openscenes.paths import PROJECT, atomic
from openscenes.study.material import Study, digest_of
from openscenes.study.profiles import Profile, differences
from openscenes.study.provenance import code_digest, peak_memory_mb, provenance
from openscenes.study.statistics import Estimate
from openscenes.study.tables import Block, Row, Table


def reports_folder(profile: Profile) -> Path:
    """Where a profile's reports lie: the demo's at the top, others in a folder of their name."""
    top = PROJECT / "reports"
    return top if profile.name == "demo" else top / profile.name


def write_table(table: Table, study: Study, folder: Path, *, wall_s: float) -> Path:
    """Write ``table_N.md``, ``.csv``, ``_objects.csv`` and ``_run.json``; each whole or not.

    Returns:
        The markdown file.
    """
    stem = folder / "tables" / f"table_{table.number}"
    _write(stem.with_suffix(".md"), markdown(table))
    _write(stem.with_suffix(".csv"), as_frame(table).to_csv(index=False))
    _write(Path(f"{stem}_objects.csv"), _by_object(table).to_csv(index=False))
    _write(Path(f"{stem}_run.json"), json.dumps(_run_facts(table, study, wall_s), indent=1) + "\n")
    return stem.with_suffix(".md")


def _by_object(table: Table) -> pd.DataFrame:
    """One line per block, seed and object; the IoU of every row side by side."""
    names = ["block", "seed", "object_id", "class_name", "area"]
    wide = table.objects.set_index([*names, "row"])["iou"].unstack("row")
    return wide[list(table.objects["row"].unique())].reset_index()


def as_frame(table: Table) -> pd.DataFrame:
    """One line per block and row, everything in points."""
    lines = []
    for block in table.blocks:
        for row in block.rows:
            line: dict[str, Any] = {"block": block.title, "row": row.label, "paper": row.paper}
            line |= _numbers("ours", row.ours) | _numbers("to_above", row.to_above)
            line |= _numbers("to_first", row.to_first) | _numbers("source", row.source)
            lines.append(line | {"n_seeds": row.ours.n_seeds, "n_objects": row.ours.n_objects})
    return pd.DataFrame(lines)


def _numbers(name: str, value: Estimate | None) -> dict[str, float]:
    if value is None:
        return {}
    return {
        name: round(value.mean, 3),
        f"{name}_std": round(value.std, 3),
        f"{name}_low": round(value.low, 3),
        f"{name}_high": round(value.high, 3),
    }


def markdown(table: Table) -> str:
    """The whole table as markdown, one section per block, and what it lets one conclude."""
    parts = [f"# Table {table.number}\n", f"{table.caption}\n"]
    for block in table.blocks:
        parts += [f"## {block.title}\n", _block_markdown(block), *_conclusions(block), ""]
    parts.append(
        "Ours: mean over objects, mean ± sample standard deviation over seeds. Differences are "
        "paired over the same objects and seeds; brackets hold the 95 % bootstrap interval, which "
        "draws objects and seeds.\n"
    )
    if not table.like_the_paper:
        parts.append(
            "The paper's values are from other data sets and a larger network: they show what "
            "the paper found, not what these pictures should give.\n"
        )
    return "\n".join(parts)


def _block_markdown(block: Block) -> str:
    with_source = any(row.source for row in block.rows)
    first = block.rows[0].label
    head = ["", "paper", "ours", "to the row above", f"to {first.lower()}"]
    head += ["VOC val after"] if with_source else []
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for row in block.rows:
        cells = [row.label, _paper(row), _mean(row.ours), _change(row.to_above)]
        cells.append(_change(row.to_first))
        cells += [_mean(row.source) if row.source else ""] if with_source else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + f"\n\n{block.rows[0].ours.n_objects} objects.\n"


def _paper(row: Row) -> str:
    return "" if row.paper is None else f"{row.paper:.1f}"


def _mean(value: Estimate) -> str:
    spread = "" if math.isnan(value.std) else f" ± {value.std:.1f}"
    return f"{value.mean:.1f}{spread}"


def _change(value: Estimate | None) -> str:
    if value is None:
        return ""
    bold = "**" if value.differs else ""
    return f"{bold}{value.mean:+.2f}{bold} [{value.low:+.2f}, {value.high:+.2f}]"


def _conclusions(block: Block) -> list[str]:
    """One sentence for each step of the paper that has a number: holds, fails, or open."""
    published = [row for row in block.rows if row.paper is not None]
    verdicts: dict[str, list[str]] = {
        "holds here": [],
        "does not hold here": [],
        "cannot be told": [],
    }
    for row in published[1:]:
        if row.to_first is None or published[0].paper is None or row.paper is None:
            continue
        claim = f"{row.label} ({row.paper - published[0].paper:+.1f} in the paper)"
        if not row.to_first.differs:
            verdicts["cannot be told"].append(claim)
        elif (row.to_first.mean > 0) == (row.paper > published[0].paper):
            verdicts["holds here"].append(claim)
        else:
            verdicts["does not hold here"].append(claim)
    first = block.rows[0].label.lower()
    return [
        f"- Better than {first}, {word}: {'; '.join(claims)}."
        for word, claims in verdicts.items()
        if claims
    ]


def _run_facts(table: Table, study: Study, wall_s: float) -> dict[str, Any]:
    profile = study.profile
    return {
        "table": table.number,
        "caption": table.caption,
        "profile": json.loads(json.dumps(asdict(profile), default=str)),
        "profile_digest": digest_of(profile),
        "departures": {name: list(map(str, pair)) for name, pair in differences(profile).items()},
        "code_digest": code_digest(),
        "models": [
            {key: model.facts()[key] for key in ("label", "digest", "wall_s", "peak_memory_mb")}
            for model in table.models
        ],
        "wall_s": round(wall_s, 1),
        "peak_memory_mb": round(peak_memory_mb()),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **provenance(),
    }


def _write(path: Path, text: str) -> None:
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")
