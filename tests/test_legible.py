"""Every figure of reports and pages can be read where it is 900 px wide."""

import ast
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from tests.drawn import lesson_figures, study_figures

import openscenes

DPI, PAGE_PX, SMALLEST_PX, TOUCH_PX = 100, 900, 9.0, 1.0
DRAWN = study_figures.DRAWN | lesson_figures.DRAWN
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)
# Drawn by those above, or of the folder that a user brings.
LEFT_OUT = {
    "pair_view.clouds_page", "pair_view.pair_page", "interval_figures.studies_frame",
    "judgement_page.objects_figure", "loop_figure.desk_figure",
}  # fmt: skip


@pytest.fixture
def written(monkeypatch):
    """Draws a figure: every text that is seen, and what the page shrinks the picture by."""
    texts, draw = {}, Text.draw

    def drawn(text, renderer):
        if text.get_visible() and text.get_text().strip():
            texts[id(text)] = text
        draw(text, renderer)

    def of(figure):
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # lays it out
        monkeypatch.setattr(Text, "draw", drawn)
        canvas.draw()
        width_px = DPI * (figure.get_tightbbox().width + 0.2)  # with the margin of savefig
        return list(texts.values()), min(1.0, PAGE_PX / width_px)

    return of


@pytest.mark.parametrize("name", DRAWN)
def test_text_can_be_read_and_covers_no_other(name, written):
    texts, shrunk = written(DRAWN[name]())
    px = {text.get_text(): round(shrunk * text.get_fontsize() * DPI / 72, 1) for text in texts}
    assert px and {text: size for text, size in px.items() if size < SMALLEST_PX} == {}
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts if not t.get_clip_on()]
    assert [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if meet(a, b)] == []


def meet(a, b):
    across = min(a.x1, b.x1) - max(a.x0, b.x0)
    return across > TOUCH_PX and min(a.y1, b.y1) - max(a.y0, b.y0) > TOUCH_PX


def test_every_figure_is_drawn():
    found = set()
    for path in Path(openscenes.__file__).parent.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            returns = getattr(node, "returns", None)
            if isinstance(returns, ast.Name) and returns.id == "Figure" and node.name[0] != "_":
                found.add(f"{path.stem}.{node.name}")
    assert found - LEFT_OUT == {name.replace(",", "").split()[0] for name in DRAWN}
    assert found > LEFT_OUT
