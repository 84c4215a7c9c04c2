"""Colours of all figures, overlays and widgets."""

# Okabe and Ito's colours, distinct with every kind of colour vision; one meaning each.
PALETTE = {
    "ours": "#0072B2", "paper": "#D55E00", "neutral": "#8C8C8C",
    "truth": "#009E73", "mask": "#E69F00", "click": "#CC79A7", "box": "#FFFFFF",
    "right": "#56B4E9", "too much": "#D55E00", "missed": "#F0E442",
}  # fmt: skip
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
