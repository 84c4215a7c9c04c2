"""Tables on disk: markdown to read, csv to compute with, and where every number comes from."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from openscenes.method.evolution import evolve, initialise
from openscenes.paths import PROJECT, atomic
from openscenes.study.experiments.registry import experiment
from openscenes.study.pages.latex import latex
from openscenes.study.profiles import Profile, differences
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study
from openscenes.study.runs.provenance import peak_memory_mb, provenance
from openscenes.study.runs.store import digest_of
from openscenes.study.scores.results import Block, Claim, Table, cells, numbers, title_of
from openscenes.study.scores.splits import objects_as_found

IN_ONE_LINE = 3  # claims of one verdict; more are told apart by what they are compared with


def reports_folder(profile: Profile) -> Path:
    """Where a profile's reports lie: the demo's at the top, others in a folder of their name."""
    top = PROJECT / "reports"
    return top if profile.name == "demo" else top / profile.name


def write_table(table: Table, study: Study, folder: Path, *, wall_s: float) -> Path:
    """Write ``table_N.md``, ``.csv``, ``.tex``, ``_objects.csv``, ``_run.json``; each whole or not.

    Returns:
        The markdown file.
    """
    stem = folder / "tables" / f"table_{table.number}"
    _write(stem.with_suffix(".md"), markdown(table))
    _write(stem.with_suffix(".csv"), as_frame(table).to_csv(index=False))
    _write(stem.with_suffix(".tex"), latex(table))
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
            line |= numbers("ours", row.ours) | numbers("to_above", row.to_above)
            line |= numbers("to_first", row.to_first) | numbers("source", row.source)
            line |= {"paper_source": row.paper_source} | dict(row.more)
            lines.append(line | {"n_seeds": row.ours.n_seeds, "n_objects": row.ours.n_objects})
    return pd.DataFrame(lines)


def markdown(table: Table) -> str:
    """The whole table as markdown, one section per block, and what it lets one conclude."""
    parts = [f"# {title_of(table.number)}\n", f"{table.caption}\n"]
    for block in table.blocks:
        parts += [f"## {block.title}\n", _block_markdown(block), *_conclusions(block), ""]
    parts.append(f"{_reading(table.blocks[0].rows[0].ours.n_seeds)}\n")
    parts += [f"{note}\n" for note in table.notes]
    if not table.like_the_paper:
        parts.append(
            "The paper's values are from other data sets and a larger network: they show what "
            "the paper found, not what these images should give.\n"
        )
    return "\n".join(parts)


def _reading(n_seeds: int) -> str:
    """How to read the numbers, and how far they carry."""
    averaged = "Ours: mean over objects, mean ± sample standard deviation over seeds."
    if n_seeds == 1:
        return (
            "Ours: mean over objects, of one seed. Differences are paired over the same objects; "
            "brackets hold the 95 % bootstrap interval, which draws objects alone. What holds "
            "here holds of this training; another seed may turn it (`make tables SEEDS=3`)."
        )
    return (
        f"{averaged} Differences are paired over the same objects and seeds; brackets hold the "
        f"95 % bootstrap interval, which draws objects and seeds. {n_seeds} seeds say little of "
        "further trainings: where they differ much, the brackets are too narrow (Lesson 6); the "
        "status page lists each claim by seed, and with an interval over further trainings."
    )


def _block_markdown(block: Block) -> str:
    head, rows = cells(block)
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + f"\n\n{block.rows[0].ours.n_objects} objects.\n"


def _conclusions(block: Block) -> list[str]:
    """Which of the paper's claims hold, which do not, which cannot be told, which are ours."""
    verdicts: dict[str, list[Claim]] = {}
    for claim in block.claims:
        verdicts.setdefault(claim.verdict, []).append(claim)
    return [line for verdict, claims in verdicts.items() for line in _verdict(verdict, claims)]


def _verdict(verdict: str, claims: Sequence[Claim]) -> list[str]:
    """One line, or where claims are many a line for each row that they are compared with."""
    if len(claims) <= IN_ONE_LINE:
        return [f"- {verdict}: {'; '.join(claim.words for claim in claims)}."]
    lines = [f"- {verdict}"]
    for worse in dict.fromkeys(claim.worse for claim in claims):
        found = [f"{c.better} {c.differences}" for c in claims if c.worse == worse]
        lines.append(f"  - against {worse}: {'; '.join(found)}.")
    return lines


def _run_facts(table: Table, study: Study, wall_s: float) -> dict[str, Any]:
    profile = study.profile
    return {
        "table": table.number,
        "caption": table.caption,
        "profile": json.loads(json.dumps(asdict(profile), default=str)),
        "profile_digest": digest_of(profile),
        "departures": {name: list(map(str, pair)) for name, pair in differences(profile).items()},
        "code_digest": code_digest(initialise, evolve),
        "claims": [claim_facts(block.title, c) for block in table.blocks for c in block.claims],
        "objects": _objects(table, study),
        "models": [
            {key: model.facts()[key] for key in ("label", "digest", "wall_s", "peak_memory_mb")}
            for model in table.models
        ],
        "wall_s": round(wall_s, 1),
        "peak_memory_mb": round(peak_memory_mb()),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **provenance(),
    }


def claim_facts(block: str, claim: Claim) -> dict[str, Any]:
    """A claim as plain data, in points."""
    return {
        "block": block,
        "better": claim.better,
        "worse": claim.worse,
        "paper": None if claim.paper is None else round(claim.paper, 3),
        "ours": round(claim.ours.mean, 3),
        "low": round(claim.ours.low, 3),
        "high": round(claim.ours.high, 3),
        "verdict": claim.verdict,
    }


def _objects(table: Table, study: Study) -> dict[str, Any]:
    """Images and objects of every split behind a table, as found."""
    seeds = table.blocks[0].rows[0].ours.n_seeds
    return objects_as_found(study, experiment(table.number).evaluations(study.profile, seeds))


def _write(path: Path, text: str) -> None:
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_frame(frame: pd.DataFrame, folder: Path, name: str) -> str:
    """Write numbers as ``tables/<name>.csv`` of a reports folder, whole or not at all.

    Returns:
        The file's name.
    """
    path = folder / "tables" / f"{name}.csv"
    with atomic(path) as partial:
        partial.write_text(frame.round(3).to_csv(index=False), encoding="utf-8")
    return path.name
