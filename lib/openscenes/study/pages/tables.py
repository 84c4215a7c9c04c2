"""Tables on disk: markdown to read, csv to compute with, and where every number comes from."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from openscenes.method.evolution import evolve, initialise
from openscenes.paths import OWN, SHOWN, atomic
from openscenes.settings import folder_parameter
from openscenes.study.experiments.registry import experiment
from openscenes.study.pages.latex import latex
from openscenes.study.profiles import Profile, differences
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study
from openscenes.study.runs.provenance import peak_memory_mb, provenance
from openscenes.study.runs.published import told
from openscenes.study.runs.store import digest_of
from openscenes.study.scores.results import Block, Claim, Table, cells, numbers, title_of
from openscenes.study.scores.splits import objects_as_found

IN_ONE_LINE = 3  # claims of one verdict; more are told apart by what they are compared with


def reports_folder(profile: Profile, given: Path | str | None = None) -> Path:
    """Where reports go: as given, or to ``reports/own``, which the repository does not hold."""
    if given is not None and given != "":
        return Path(folder_parameter("reports", given))
    return shown_folder(profile, OWN)


def shown_folder(profile: Profile, top: Path = SHOWN) -> Path:
    """Where README, status and lessons look: the demo's at the top, others below their name."""
    return top if profile.name == "demo" else top / profile.name


def only_with_ablations(*earlier: Path) -> str:
    """What a page says in their place; files of an earlier run that had them go."""
    for path in earlier:
        path.unlink(missing_ok=True)
    return "Only with `ABLATIONS=1`."


def write_table(table: Table, study: Study, folder: Path, *, wall_s: float) -> Path:
    """Write ``table_N.md``, ``.csv``, ``.tex``, ``_objects.csv``, ``_run.json``, each whole."""
    stem = folder / "tables" / f"table_{table.number}"
    _write(stem.with_suffix(".md"), markdown(table))
    _write(stem.with_suffix(".csv"), as_frame(table).to_csv(index=False))
    _write(stem.with_suffix(".tex"), latex(table))
    _write(Path(f"{stem}_objects.csv"), _by_object(table).to_csv(index=False))
    _write(Path(f"{stem}_run.json"), json.dumps(_run_facts(table, study, wall_s), indent=1) + "\n")
    return stem.with_suffix(".md")


def _by_object(table: Table) -> pd.DataFrame:
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
    if n_seeds == 1:
        return (
            "Ours: mean over objects, of one seed. Differences are paired over the same objects; "
            "brackets hold the 95 % bootstrap interval, which draws images alone, each with all "
            "its objects. What holds here holds of this training; another seed may turn it "
            "(`make tables SEEDS=3`)."
        )
    return (
        "Ours: mean over objects, mean ± sample standard deviation over seeds. Differences are "
        "paired over the same objects and seeds; brackets hold the 95 % bootstrap interval, which "
        "draws images, each with all its objects, and seeds. "
        f"{n_seeds} seeds say little of further trainings: where they "
        "differ much, the brackets are too narrow (Lesson 6); the status page lists each claim by "
        "seed, and with an interval over further trainings."
    )


def _block_markdown(block: Block) -> str:
    head, rows = cells(block)
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + f"\n\n{block.rows[0].ours.n_objects} objects.\n"


def _conclusions(block: Block) -> list[str]:
    """Which of the paper's claims hold, which do not, which cannot be told, which are ours.

    One line for each verdict, or where claims are many a line for each row compared with.
    """
    lines = []
    for verdict in dict.fromkeys(claim.verdict for claim in block.claims):
        claims = [claim for claim in block.claims if claim.verdict == verdict]
        if len(claims) <= IN_ONE_LINE:
            lines.append(f"- {verdict}: {'; '.join(claim.words for claim in claims)}.")
            continue
        lines.append(f"- {verdict}")
        for worse in dict.fromkeys(claim.worse for claim in claims):
            found = [f"{c.better} {c.differences}" for c in claims if c.worse == worse]
            lines.append(f"  - against {worse}: {'; '.join(found)}.")
    return lines


def _run_facts(table: Table, study: Study, wall_s: float) -> dict[str, Any]:
    profile, seeds = told(study.profile), table.blocks[0].rows[0].ours.n_seeds
    evaluations = experiment(table.number).evaluations(profile, seeds)
    return {
        "table": table.number,
        "caption": table.caption,
        "profile": json.loads(json.dumps(asdict(profile), default=str)),
        "profile_digest": digest_of(profile),
        "departures": {name: list(map(str, pair)) for name, pair in differences(profile).items()},
        "code_digest": code_digest(initialise, evolve),
        "claims": [_claim_facts(block.title, c) for block in table.blocks for c in block.claims],
        "objects": objects_as_found(study, evaluations),
        "models": [
            {key: model.facts()[key] for key in ("label", "digest", "wall_s", "peak_memory_mb")}
            for model in table.models
        ],
        "wall_s": round(wall_s, 1),
        "peak_memory_mb": round(peak_memory_mb()),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **provenance(),
    }


def _claim_facts(block: str, claim: Claim) -> dict[str, Any]:
    points = {"paper": claim.paper, "ours": claim.ours.mean, "low": claim.ours.low,
              "high": claim.ours.high}  # fmt: skip
    rounded = {name: None if x is None else round(x, 3) for name, x in points.items()}
    rows = {"block": block, "better": claim.better, "worse": claim.worse}
    return rows | rounded | {"verdict": claim.verdict}


def _write(path: Path, text: str) -> None:
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_frame(frame: pd.DataFrame, folder: Path, name: str) -> str:
    """Write numbers as ``tables/<name>.csv`` of a reports folder, whole or not at all.

    Returns:
        The file's name.
    """
    _write(folder / "tables" / f"{name}.csv", frame.round(3).to_csv(index=False))
    return f"{name}.csv"
