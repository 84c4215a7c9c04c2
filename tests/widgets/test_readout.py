"""The table beside an image."""

from openscenes.widgets.readout import readout


def test_rows_keep_their_order_and_the_span_says_which_drawing_it_is():
    html = readout({"IoU": "81.4 %", "pixels": "12"}, seq=7, ms=12.345)
    assert html.index("IoU") < html.index("81.4 %") < html.index("pixels")
    assert '<span class="os-seq" data-seq="7" data-ms="12.3">drawn in 12 ms</span>' in html


def test_text_is_text():
    assert "a &lt; b" in readout({"a < b": "<script>"}, 1, 1) and "<script>" not in readout(
        {"a < b": "<script>"}, 1, 1
    )
