"""The paper's symbols and the names that they have in this package.

A test holds that every name exists in the module that is given for it, and that the paper's
eleven equations are all there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

EQUATIONS = range(1, 12)


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol of the paper.

    Attributes:
        name: the identifier in the code.
        glyph: the paper's symbol, as LaTeX without dollar signs.
        shape: of the value, with B objects, K maps, C channels, h x w cells, H x W pixels.
        meaning: in words.
        equations: numbers of the paper's equations that it stands in.
        section: where the paper speaks of it.
        module: below ``openscenes``, where the name is found.
    """

    name: str
    glyph: str
    shape: str
    meaning: str
    equations: tuple[int, ...]
    section: str
    module: str

    @property
    def where(self) -> str:
        """The place in the paper: "Eq. 1, 3", or the section of a symbol without equation."""
        numbers = ", ".join(str(number) for number in self.equations)
        return f"Eq. {numbers}" if numbers else self.section


_FRAMEWORK = (
    Symbol("pool", r"\mathcal{A}", "objects",
           "everything learned before, whose oldest part has ground truth", (), "Sec. 3.1",
           "method.evolution"),
    Symbol("scene", r"\mathcal{B}", "objects", "the new scene: images and interactions, no masks",
           (), "Sec. 3.1", "method.evolution"),
    Symbol("heat_maps", r"-", "(B, 2, S, S)",
           "the two Gaussian maps that join the colours as channels 4 and 5", (), "Sec. 3.1",
           "data.interactions"),
    Symbol("coarse_mask", r"\mathcal{M}_p", "(B, 1, H, W) bool",
           "coarse pseudo mask: what the network segments", (4,), "Sec. 3.2", "method.ipt"),
    Symbol("predicted_mask", r"\hat{\mathcal{M}}_b", "(B, 1, H, W) bool",
           "binarised pixel predictor on F, also written M_b", (1,), "Sec. 3.2", "method.ipt"),
    Symbol("features", "F", "(B, C, h, w)", "output of the fourth ResNet stage", (1, 2, 3),
           "Sec. 3.2", "method.prototypes"),
)  # fmt: skip

_PROTOTYPES = (
    Symbol("selections", "Q", "(B, K, H, W)", "the pixels that a prototype averages", (1,),
           "Sec. 3.2", "method.prototypes"),
    Symbol("backgrounds", r"\bar{Q}", "(B, 1 or K, H, W)",
           "the pixels that the opposed prototype averages; the paper's is 1 - Q", (3,), "Sec. 3.2",
           "method.prototypes"),
    Symbol("totals", "Z", "(B, K)", "sum of Q", (1,), "Sec. 3.2", "method.prototypes"),
    Symbol("prototypes", "c", "(B, K, C)", "mean feature of the selected pixels", (1,), "Sec. 3.2",
           "method.prototypes"),
    Symbol("chosen", "c", "(B, K, C)", "the prototype of Q, as one of two opponents", (2, 3),
           "Sec. 3.2", "method.prototypes"),
    Symbol("other", r"\bar{c}", "(B, K, C)", "the prototype of the pixels that Q leaves out", (3,),
           "Sec. 3.2", "method.prototypes"),
    Symbol("_logits", r"d(\bar{c}, F_i) - d(c, F_i)", "(B, K, h, w)",
           "difference of the squared distances d, of which the square of F drops out", (2, 3),
           "Sec. 3.2", "method.prototypes"),
    Symbol("confidence_maps", "P", "(B, K, H, W) in [0, 1]",
           "confidence that a pixel is nearer to c than to its opponent", (3,), "Sec. 3.2",
           "method.prototypes"),
    Symbol("global_mask", r"Q^{(g)}", "(B, 1, H, W)", "what segmentation and predictor agree upon",
           (1,), "Sec. 3.2", "method.ipt"),
    Symbol("center_mask", r"Q^{(c)}", "(B, 1, H, W) bool", "the click and x points around it", (1,),
           "Sec. 3.2", "method.ipt"),
    Symbol("edge_mask", r"\mathcal{M}_e", "(B, 1, H, W) bool", "what erosion takes from the mask",
           (1,), "Sec. 3.2", "method.ipt"),
    Symbol("center_points", "x", "number", "foreground points besides the click", (), "Sec. 3.2",
           "method.ipt"),
)  # fmt: skip

_VOTING = (
    Symbol("confidence", r"P^{(g)}, P^{(c)}, P^{(e)}, P^{(m)}", "(B, 1, H, W) each",
           "confidence maps by prototype; merged is alpha center + beta edge", (3, 4), "Sec. 3.2",
           "method.ipt"),
    Symbol("alpha", r"\alpha", "number", "weight of the center map in the merged map", (),
           "Sec. 3.2", "method.ipt"),
    Symbol("beta", r"\beta", "number", "weight of the edge map in the merged map", (), "Sec. 3.2",
           "method.ipt"),
    Symbol("mean_confidence", "k", "(B, K)", "mean of P over the coarse mask", (4,), "Sec. 3.2",
           "method.voting"),
    Symbol("m", "m", "number in [0, 1]", "factor on k of the global map", (), "Sec. 3.2",
           "method.ipt"),
    Symbol("n", "n", "number in [0, 1]", "factor on k of the merged map", (), "Sec. 3.2",
           "method.ipt"),
    Symbol("threshold_global", r"m \, k_c", "(B,)", "what the global map must exceed", (4,),
           "Sec. 3.2", "method.ipt"),
    Symbol("threshold_merged", r"n \, k_m", "(B,)", "what the merged map must exceed", (4,),
           "Sec. 3.2", "method.ipt"),
    Symbol("label_global", r"\mathcal{M}_c", "(B, 1, H, W) bool",
           "label map of the global prototype, although c elsewhere means center", (5,), "Sec. 3.2",
           "method.ipt"),
    Symbol("label_merged", r"\mathcal{M}_m", "(B, 1, H, W) bool",
           "label map of the merged prototypes", (5,), "Sec. 3.2", "method.ipt"),
    Symbol("votes", "p", "(B, 1, H, W) in 0..3", "how many of the three maps say foreground",
           (5, 6), "Sec. 3.2", "method.voting"),
    Symbol("majority", r"\delta_i \times p_i", "(B, 1, H, W) bool",
           "1 where at least two maps say so: delta is 1 / p there and 0 elsewhere", (5, 6),
           "Sec. 3.2", "method.voting"),
    Symbol("mask", r"\mathcal{M}", "(B, 1, H, W) bool", "the refined pseudo mask", (5,), "Sec. 3.2",
           "method.ipt"),
)  # fmt: skip

_ALIGNMENT = (
    Symbol("n_classes", "n", "number", "classes of the initial data set, background included", (),
           "Sec. 3.3", "networks.config"),
    Symbol("class_channels", "n + 1", "number",
           "channels of the class head; the last one is unknown", (), "Sec. 3.3",
           "networks.config"),
    Symbol("features_a", "F_a", "(B, C, h, w)", "features of the old objects", (7, 8), "Sec. 3.3",
           "method.alignment"),
    Symbol("features_b", "F_b", "(B, C, h, w)", "features of the new objects", (7, 8), "Sec. 3.3",
           "method.alignment"),
    Symbol("partner", "c_a", "(B, C)", "global prototype of the old object", (7, 8), "Sec. 3.3",
           "method.alignment"),
    Symbol("own", "c_b", "(B, C)", "global prototype of the new object", (7, 8), "Sec. 3.3",
           "method.alignment"),
    Symbol("probability_b", r"\mathcal{M}'_b", "(B, 1, h, w) in [0, 1]",
           "predictor output of the new object, not binarised", (7,), "Sec. 3.3",
           "method.alignment"),
    Symbol("proto_term", r"A = \lVert c_a - c_b \rVert^2", "(B,)", "alignment of prototypes",
           (7, 8), "Sec. 4.3", "method.alignment"),
    Symbol("pixel_term", r"B = \sum_i \frac{1}{\mathcal{M}'_{bi}} \lVert F_{bi} - c_a \rVert^2",
           "(B,)", "alignment of pixels", (7,), "Sec. 4.3", "method.alignment"),
    Symbol("feature_alignment_loss", r"\mathcal{L}_{feat}", "(B,)",
           "A + B, or A for unknown classes", (7, 8, 11), "Sec. 3.3", "method.alignment"),
    Symbol("class_probability", r"p^{i,c}", "(B, C, h, w) in [0, 1]",
           "probability of class c at pixel i", (9,), "Sec. 3.3", "method.alignment"),
    Symbol("foreground_probability", "p_i", "(B, 1, h, w) in [0, 1]",
           "probability of foreground at pixel i", (10,), "Sec. 3.3", "method.alignment"),
    Symbol("maximum_squares_loss", r"\mathcal{L}_{max}", "(B,)",
           "maximum squares against indecision", (9, 10, 11), "Sec. 3.3", "method.alignment"),
    Symbol("mask_cross_entropy", r"\mathcal{L}_{ce}^a, \mathcal{L}_{ce}^b", "(B,)",
           "binary cross entropy of the old and of the new objects", (11,), "Sec. 3.3",
           "method.objective"),
    Symbol("pair_losses", r"\mathcal{L}", "name to (B,)", "the terms whose sum is minimised", (11,),
           "Sec. 3.3", "method.evolution"),
)  # fmt: skip

SYMBOLS: tuple[Symbol, ...] = (*_FRAMEWORK, *_PROTOTYPES, *_VOTING, *_ALIGNMENT)


def as_markdown(symbols: Sequence[Symbol] = SYMBOLS) -> str:
    """The symbols as a Markdown table, one row each, in the order of the paper."""
    rows = ["| Paper | Code | Shape | Meaning | Where |", "| --- | --- | --- | --- | --- |"]
    rows += [_row(symbol) for symbol in symbols]
    return "\n".join(rows) + "\n"


def _row(symbol: Symbol) -> str:
    glyph = "" if symbol.glyph == "-" else f"${symbol.glyph}$"
    code = f"`{symbol.module}`: `{symbol.name}`"
    return f"| {glyph} | {code} | {symbol.shape} | {symbol.meaning} | {symbol.where} |"


GLOSSARY: dict[str, str] = {
    "interaction": "a box around an object and one click inside it",
    "initial model": "trained with ground truth on VOC, with or without SBD",
    "pseudo mask": "a prediction on a new scene that the model then trains on",
    "ST": "self-training on pseudo masks",
    "IPT": "interactive prototypes: three prototypes and a vote refine a mask (Eq. 1-6)",
    "FA": "feature alignment of old and new objects (Eq. 7-10)",
    "pool": "replay buffer of everything learned before",
    "task sequence": "scenes learned one after another",
    "BN re-estimation": "new batch-norm statistics, no weight trained (AdaBN); a control",
    "NoC": "number of clicks to a target IoU",
    "significant": "the 95 % interval of a paired difference leaves out zero",
}


def glossary() -> str:
    """The words of the study as a Markdown list."""
    return "\n".join(f"- **{word}**: {meaning}" for word, meaning in GLOSSARY.items())
