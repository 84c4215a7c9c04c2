"""The files of a finished table, read back: each is what ``write_table`` writes, or a sentence."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from openscenes.errors import DataError
from openscenes.files import number, one_line, read_json, read_text
from openscenes.study.runs.store import read_scores

_NONE, _LARGEST = type(None), 1e12
_WORDS = {str: "text", bool: "truth value", dict: "group of names"}
# What a run must say; "?" ends a name that may be missing.
_RUN: Mapping[str, Any] = {
    "table": (int, str), "wall_s": float, "code_digest": str, "threads": float,
    "peak_memory_mb?": float,
    "profile": {"name": str, "data": str, "synthetic": (_NONE, dict)},
    "git": (_NONE, {"commit": str, "dirty": bool}),
    "device": {"cpu": (_NONE, str), "accelerators": [str]},
    "models": [{"wall_s": float}],
    "claims?": [{"block": str, "better": str, "worse": str, "paper": (_NONE, float), "ours": float,
                 "low": float, "high": float, "verdict": str}],
    "objects?": {"*": {"images": float, "objects": float, "dropped": {"*": float}}},
}  # fmt: skip
_WANTED = ("block", "row", "paper", "ours", "ours_std", "ours_low", "ours_high", "to_first",
           "to_first_low", "to_first_high", "n_seeds", "n_objects")  # fmt: skip
_OF_SOURCE = ("source", "source_std", "source_low", "source_high")
_NUMBERS = re.compile(r"(paper|ours|source|to_above|to_first|paper_source)(_std|_low|_high)?")
_NUMBER = r"\d+(\.\d+)?"
_CLICKS = {
    "NoC, paper": re.compile(rf"{_NUMBER}( .*)?"),
    "NoC, measured": re.compile(rf"{_NUMBER}( ± {_NUMBER})?( \[-?{_NUMBER}, -?{_NUMBER}\])?"),
}


def read_run(path: Path) -> dict[str, Any]:
    """The facts of ``table_N_run.json``; DataError where they are not all there."""
    run = read_json(path, "account of a run")
    if wrong := _unlike(run, _RUN, "it"):
        raise _damaged(path, wrong)
    return dict(run)


def _unlike(value: Any, shape: Any, name: str) -> str:
    """What is not as it should be, in words; "" where all is."""
    if isinstance(shape, tuple):
        found = [_unlike(value, one, name) for one in shape]
        return "" if "" in found else found[-1]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{name} is no list"
        return next(filter(None, (_unlike(one, shape[0], f"one of {name}") for one in value)), "")
    if isinstance(shape, Mapping):
        return (
            _unlike_names(value, shape, name)
            if isinstance(value, dict)
            else f"{name} is no group of names"
        )
    if shape is float:
        fits = number(value, -_LARGEST, _LARGEST) is not None or value != value
        return "" if fits else f"{name} is no number"
    return "" if isinstance(value, shape) else f"{name} is no {_WORDS.get(shape, shape.__name__)}"


def _unlike_names(value: dict[str, Any], shape: Mapping[str, Any], name: str) -> str:
    if "*" in shape:
        wanted = {key: shape["*"] for key in value}
    else:
        wanted = {
            k.rstrip("?"): s for k, s in shape.items() if not k.endswith("?") or k[:-1] in value
        }
    missing = [key for key in wanted if key not in value]
    if missing:
        return f"{name} lacks {missing[0]}"
    return next(
        filter(None, (_unlike(value[key], s, one_line(key)) for key, s in wanted.items())), ""
    )


def read_cells(path: Path) -> pd.DataFrame:
    """The rows of ``table_N.csv``; DataError where a column or a number is missing."""
    text = read_text(path, "table")
    try:
        names = pd.read_csv(io.StringIO(text), nrows=0).columns
        gaps = {name: [""] for name in names if name not in ("block", "row")}
        cells = pd.read_csv(
            io.StringIO(text), dtype={"block": str, "row": str}, keep_default_na=False,
            na_values=gaps,
        )  # fmt: skip
        _require(cells, _WANTED)
        _require(cells, _OF_SOURCE if _says(cells, "paper_source") else ())
        for name in filter(_NUMBERS.fullmatch, cells.columns):
            cells[name] = pd.to_numeric(cells[name])
        for name in ("n_seeds", "n_objects"):
            counts = pd.to_numeric(cells[name])
            if not ((counts >= 1) & (counts < _LARGEST)).all() or counts.empty:
                raise ValueError(f"{name} holds what is no count")
        for name, pattern in _CLICKS.items():
            said = cells[name].dropna().astype(str) if name in cells else ()
            if not all(map(pattern.fullmatch, said)):
                raise ValueError(f"{name} holds what is no number of clicks")
        if _says(cells, "NoC, paper") and not _says(cells, "NoC, measured"):
            raise ValueError("it lacks NoC, measured")
    except (
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:  # pandas' own errors, too
        raise _damaged(path, str(error)) from error
    return cells


def read_objects(path: Path, claims: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The scores of ``table_N_objects.csv``, with every row that the claims compare."""
    text = read_text(path, "scores of objects")
    try:
        scores = read_scores(text)
        _require(scores, ("block", "seed", "object_id"))
        for claim in claims:
            _require(scores, (claim["better"], claim["worse"]))
            mine = scores[scores["block"] == claim["block"]]
            gains = np.asarray(mine[[claim["better"], claim["worse"]]], dtype=float)
            if not len(gains) or mine.groupby("seed").size().nunique() != 1:
                raise ValueError(f"block {claim['block']} has not as many objects for each seed")
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    return scores


def _says(cells: pd.DataFrame, name: str) -> bool:
    return name in cells and bool(cells[name].notna().any())


def _require(frame: pd.DataFrame, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ValueError(f"it lacks {missing[0]}")


def _damaged(path: Path, why: str) -> DataError:
    said = one_line(" ".join(why.split()), 150)
    return DataError(
        f"{one_line(str(path))} is damaged ({said}); make the table again, or delete its files"
    )
