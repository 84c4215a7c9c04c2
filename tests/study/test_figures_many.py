"""Figures of tables with many rows, many blocks, and blocks of different rows."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from openscenes.study.figures.forest import objects_figure, table_figure
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import estimate, paired_difference

LONG = "a student told of boxes and clicks; answer in the box"


def make_table(*n_rows, number="4_plus", paper=None):
    """A block for each number of rows; one seed, six objects."""
    rng, blocks, lines = np.random.default_rng(0), [], []
    for position, n in enumerate(n_rows):
        title, scores, rows = f"Scene {position}", {}, []
        for i, label in enumerate(["Baseline", *(f"{LONG} {i}" for i in range(1, n))]):
            scores[label] = rng.uniform(0.3, 0.6, (1, 6))
            first = paired_difference(scores[label], scores["Baseline"]) if i else None
            rows.append(Row(label, paper, estimate(scores[label]), first, first))
            lines += [
                {"block": title, "row": label, "seed": 0, "object_id": str(k), "iou": iou}
                for k, iou in enumerate(scores[label][0])
            ]
        blocks.append(Block(title, tuple(rows)))
    return Table(number, "mIoU.", tuple(blocks), pd.DataFrame(lines), ())


def labels_of(panel):
    return [text.get_text().replace("\n", " ") for text in panel.get_yticklabels()]


def overlaps(panel, figure):
    """Whether two labels at the left of a panel touch."""
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in panel.get_yticklabels()]
    boxes.sort(key=lambda box: box.y0)
    return any(below.y1 > above.y0 for below, above in pairwise(boxes))


@pytest.mark.parametrize("n_rows", [(14, 10), (3, 2, 3, 2, 3, 2)])
def test_each_block_keeps_its_own_rows_and_no_label_touches_another(n_rows):
    table = make_table(*n_rows)
    figure = table_figure(table)
    FigureCanvasAgg(figure).draw()
    panels = [panel for panel in figure.axes if panel.axison]
    assert len(panels) == len(n_rows)
    for panel, block in zip(panels, table.blocks, strict=True):
        assert labels_of(panel) == [row.label for row in block.rows]
        assert not overlaps(panel, figure)


def test_blocks_of_the_same_rows_share_the_labels_at_the_left():
    figure = table_figure(make_table(*[3] * 6))
    FigureCanvasAgg(figure).draw()
    assert [len(labels_of(panel)) for panel in figure.axes] == [3, 0] * 3
    assert not any(overlaps(panel, figure) for panel in figure.axes)


def test_the_key_is_titled_as_the_paper_would():
    assert table_figure(make_table(2)).get_suptitle() == "Table 4+: mIoU."
    assert objects_figure(make_table(2)).get_suptitle() == "Table 4+, object by object: mIoU."


def test_where_nothing_is_published_the_legend_does_not_mention_it():
    def legend(table):
        return [text.get_text() for text in table_figure(table).legends[0].get_texts()]

    assert legend(make_table(3)) == ["ours, 95 % interval"]
    assert legend(make_table(3, paper=70.0)) == ["ours, 95 % interval", "the paper's difference"]


def test_objects_of_blocks_with_different_rows_have_their_own_labels():
    figure = objects_figure(make_table(4, 2, 3))
    panels = [panel for panel in figure.axes if panel.axison]
    assert [len(labels_of(panel)) for panel in panels] == [3, 1, 2]
    assert labels_of(panels[0])[0] == f"{LONG} 1"
