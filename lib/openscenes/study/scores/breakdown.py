"""IoU by object size and by class, from the scores of single objects."""

import math
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from openscenes.errors import InputError
from openscenes.study.pages.foreign_text import in_markdown
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import Profile
from openscenes.study.scores.continual import Means, Values, bootstrap
from openscenes.study.scores.statistics import images_of

COCO_LIMITS = (32**2, 96**2)  # in px of the image: small < 1,024 <= medium < 9,216 <= large
MIN_OBJECTS = 5
OTHERS = "others"
COLUMNS = ("block", "group", "n_objects", "row", "mean", "std", "change", "low", "high")
_SHOWN = ["mean", "change", "low", "high"]

Limits = Literal["coco", "terciles"]


def by_size(objects: pd.DataFrame, limits: Limits = "coco") -> pd.DataFrame:
    """Mean IoU of small, medium and large objects, and its change to the first row.

    COCO's limits are for images of about 640 x 480 px; where images are small nearly
    everything is small, so that terciles of each block's areas tell more there.

    Args:
        objects: long: block, row, seed, object_id, class_name, area (px), iou in 0-1.
        limits: COCO's, or terciles, which leave equally many objects in each size.
    Returns:
        One line per block, size and row: block, group, n_objects, row; in points mean, std (over
        seeds) and, except in a block's first row, change, low, high (95 % interval). Sizes
        without objects have no line; a size's name says its limits.
    Raises:
        InputError: if a row of a block lacks scores, or limits are neither.
    """
    if limits not in ("coco", "terciles"):
        raise InputError(f'limits of sizes are "coco" or "terciles", got "{limits}"; choose one')
    return _by_block(objects, partial(_sizes, limits=limits))


def by_class(objects: pd.DataFrame, min_objects: int = MIN_OBJECTS) -> pd.DataFrame:
    """Mean IoU of each class, and its change to the first row.

    Classes of few objects are pooled, since their means say little; the most frequent class
    comes first, the pool last.

    Args:
        min_objects: classes with fewer objects in a block are "others" there.
    Returns:
        As for ``by_size``, a group being a class.
    """
    return _by_block(objects, partial(_classes, min_objects=min_objects))


def _by_block(objects: pd.DataFrame, grouping: Callable[[pd.DataFrame], pd.Series]) -> pd.DataFrame:
    pieces = [
        _broken_down(block, grouping(block.drop_duplicates("object_id").set_index("object_id")))
        for _, block in objects.groupby("block", sort=False)
    ]
    return pd.concat(pieces, ignore_index=True)


def _sizes(objects: pd.DataFrame, limits: Limits) -> pd.Series:
    """object_id -> size, ordered from small to large; ``objects`` has one line per object."""
    area = objects["area"].to_numpy()
    low, high = COCO_LIMITS if limits == "coco" else np.ceil(np.quantile(area, [1 / 3, 2 / 3]))
    names = [f"small, < {low:,.0f} px", "medium", f"large, ≥ {high:,.0f} px"]
    codes = np.searchsorted([low, high], area, side="right")
    sizes = pd.Categorical([names[code] for code in codes], categories=names, ordered=True)
    return pd.Series(sizes, index=objects.index).cat.remove_unused_categories()


def _classes(objects: pd.DataFrame, min_objects: int) -> pd.Series:
    """object_id -> class, ordered from frequent to rare; ``objects`` has one line per object."""
    counts = objects["class_name"].value_counts()
    ordered = sorted(counts.index, key=lambda name: (-counts[name], name))
    kept = [name for name in ordered if counts[name] >= min_objects]
    names = objects["class_name"].where(objects["class_name"].isin(kept), OTHERS)
    present = [name for name in [*kept, OTHERS] if (names == name).any()]
    return names.astype(pd.CategoricalDtype(list(dict.fromkeys(present)), ordered=True))


def _broken_down(block: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """The lines of one block; ``groups`` is object_id -> ordered category."""
    rows = list(block["row"].unique())
    tables = {row: lines.pivot(index="seed", columns="object_id", values="iou")
              for row, lines in block.groupby("row")}  # fmt: skip
    scores = {
        (row, group): _scores(tables[row], groups.index[groups == group], str(row))
        for group in groups.cat.categories
        for row in rows
    }
    first = rows[0]
    members = {group: groups.index[groups == group] for group in groups.cat.categories}
    changes = bootstrap(
        scores, {key: partial(_change, key=key, first=first) for key in scores},
        {group: images_of(names) for group, names in members.items()},
    )  # fmt: skip
    lines = []
    for (row, group), values in scores.items():
        change = changes[row, group]
        numbers = [math.nan] * 3 if row == first else [change.mean, change.low, change.high]
        by_seed = 100.0 * values.mean(axis=1)
        std = by_seed.std(ddof=1) if len(by_seed) > 1 else math.nan
        lines.append([block["block"].iloc[0], group, values.shape[1], row, by_seed.mean(), std,
                      *numbers])  # fmt: skip
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _scores(table: pd.DataFrame, members: pd.Index, row: str) -> Values:
    """(n_seeds, n_members) IoU of one row of a block."""
    values = table.reindex(columns=members).to_numpy(dtype=np.float64)
    if np.isnan(values).any():
        raise InputError(
            f'row "{row}" lacks {int(np.isnan(values).sum())} scores that other rows have; score '
            "every row on the same objects and seeds"
        )
    return values


def _change(means: Means, key: tuple[Hashable, Hashable], first: Hashable) -> Values:
    return means[key] - means[first, key[1]]


def breakdown_markdown(frame: pd.DataFrame, word: str) -> str:
    """One table per block, a line per group, and how to read it."""
    shown = in_markdown if word == "class" else str  # a class is named by somebody else
    parts = []
    for title, block in frame.groupby("block", sort=False):
        lines = [
            (
                shown(str(group)),
                row["n_objects"].iloc[0],
                *(_cell(*shown) for shown in row[_SHOWN].to_numpy()),
            )
            for group, row in block.groupby("group", sort=False)
        ]
        table = grid((word, "objects", *block["row"].unique()), lines)
        parts.append(f"## {title}\n\n{table}\n")
    n_changes = int(frame["change"].notna().sum())
    parts.append(
        "Mean IoU in points; in brackets the change to the first column and its 95 % bootstrap "
        f"interval, bold where it leaves out zero. Of {n_changes} such intervals about "
        f"{n_changes / 20:.0f} would do so by chance alone if nothing had changed, and more where "
        "objects are few, since their intervals are too narrow.\n"
    )
    return "\n".join(parts)


def _cell(mean: float, change: float, low: float, high: float) -> str:
    if math.isnan(change):
        return f"{mean:.1f}"
    bold = "**" if low > 0 or high < 0 else ""
    return f"{mean:.1f} ({bold}{change:+.1f}{bold} [{low:+.1f}, {high:+.1f}])"


def rows_of(objects: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Some rows of a long per-object table, in this order; the first is what others are held to."""
    missing = [label for label in labels if label not in set(objects["row"])]
    if missing:
        raise InputError(
            f"the table has no row {', '.join(missing)}; choose among "
            f"{', '.join(objects['row'].unique())}"
        )
    return pd.concat([objects[objects["row"] == label] for label in labels])


def size_limits(profile: Profile) -> Limits:
    """COCO's limits for images; terciles for generated images, which are small."""
    return "coco" if profile.synthetic is None else "terciles"
