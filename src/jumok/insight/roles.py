"""What each head does over a corpus: to the neighbour, to a sink, to rare words, to all alike - and its name for that.

The kinds are those of Voita et al. 2019, "Analyzing Multi-Head Self-Attention", section 5 (positional, rare words), and
Clark et al. 2019, "What Does BERT Look At?", section 3 (sinks, focused and broad); the thresholds of `RULES` are ours.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from jumok.insight.figures import PALETTE, canvas
from jumok.insight.maps import SPECIAL, Map, Weights, as_map, entropy, sinks
from jumok.insight.recorded import kind_of
from jumok.insight.reductions import mean_distance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Sums = npt.NDArray[np.float64]


class HeadFigures(NamedTuple):
    """One head over a corpus, all queries alike; nan where it cannot be said, as of neighbours in cross-attention.

    Attributes:
        previous, itself, following: share (0-100) of weight on keys i - 1, i and i + 1 of query i, of the queries that
            have one. In a decoder's self-attention i itself is the piece just read.
        sinks: share (0-100) of weight on special pieces and on signs that take more than twice the even share.
        rare: share (0-100) of weight on rare pieces, in sentences with one; rare_even: what even weights would give.
        distance: ``sum_j w_ij |i - j|`` in tokens.
        entropy: bits; evenness: the same as a share (0-100) of what even weights have.
    """

    previous: float
    itself: float
    following: float
    sinks: float
    rare: float
    rare_even: float
    distance: float
    entropy: float
    evenness: float


class Rule(NamedTuple):
    """A role: its name and colour, what is measured of a head, how much of it makes the role, and what that means."""

    name: str
    color: str
    measure: Callable[[HeadFigures], float]
    least: float
    meaning: str


# the first that holds names the head
RULES = (
    Rule("positional: previous", PALETTE[0], lambda head: head.previous, 50, "weight on the piece before"),
    Rule("positional: next", PALETTE[2], lambda head: head.following, 50, "weight on the piece after"),
    Rule("sink", PALETTE[4], lambda head: head.sinks, 50, "weight on special pieces and signs"),
    Rule("itself", PALETTE[5], lambda head: head.itself, 50, "weight on the piece itself"),
    Rule(
        "rare words", PALETTE[1], lambda head: head.rare if head.rare >= 2 * head.rare_even else np.nan, 50,
        "weight on rare pieces, twice what is even",
    ),
    Rule(
        "nearby", PALETTE[3], lambda head: head.previous + head.itself + head.following, 60,
        "weight on the piece and its two neighbours",
    ),
    Rule("broad", PALETTE[7], lambda head: head.evenness, 85, "entropy, of what even weights have"),
    Rule("focused", PALETTE[6], lambda head: 100 - head.evenness, 60, "entropy missing to even weights; on few keys"),
    Rule(
        "mixed", "#FFFFFF", lambda head: head.evenness, -np.inf,
        "no rule holds; the figure is entropy, of what even weights have",
    ),
)  # fmt: skip


class HeadCounts:
    """Adds up what every head does, sentence by sentence, in one pass over a corpus.

    Args:
        frequencies: piece -> how often the training text has it.
        rare_from: a piece is rare when this many others are more frequent (Voita et al. 2019, section 5.3: 500).
    """

    def __init__(self, frequencies: Mapping[str, int], rare_from: int = 500) -> None:
        ranked = sorted(frequencies, key=lambda piece: -frequencies[piece])
        self._common = frozenset(ranked[:rare_from]) | SPECIAL
        self._sums: dict[str, Sums] = {}

    def add(self, maps: Mapping[str, Weights], keys: Sequence[str]) -> None:
        """One sentence: layers ``(H, Q, K)`` by their module paths, and the K pieces that are the keys of them all.

        The three kinds of a translation have different keys, so each is added with its own: the source pieces for the
        encoder and cross-attention, the begin token and the pieces before the last for the decoder.

        Raises:
            ValueError: a map has other keys, or a self-attention other queries than keys.
        """
        for name, weights in maps.items():
            found = self._measured(name, as_map(weights), keys)
            self._sums[name] = self._sums[name] + found if name in self._sums else found

    def figures(self) -> dict[str, list[HeadFigures]]:
        """Layer -> the figures of each of its heads. Raises ValueError before the first sentence."""
        if not self._sums:
            raise ValueError("there are no figures of heads before the first sentence")
        found = {}
        for name, (total, weight) in self._sums.items():
            mean = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
            found[name] = [HeadFigures(*map(float, head)) for head in mean.T]
        return found

    def _measured(self, name: str, weights: Map, keys: Sequence[str]) -> Sums:
        """Sums and what to divide them by, of each of `HeadFigures` and each head: ``(2, 9, H)``."""
        heads, queries, count = weights.shape
        kind = kind_of(name)
        if count != len(keys) or (kind != "cross" and queries != count):
            raise ValueError(f"{name} is {weights.shape} (H, Q, K), and there are {len(keys)} keys")
        may = np.ones((queries, count), dtype=bool)
        if kind == "decoder":
            may = np.tril(may)
        even = may / may.sum(-1, keepdims=True)
        most = np.log2(may.sum(-1)).sum()  # bits of even weights, over all queries
        bits = entropy(weights) * queries
        far = np.full(heads, np.nan) if kind == "cross" else mean_distance(weights) * queries
        rests = [100 * head[:, sinks(keys, head)].sum() for head in weights]
        rare = [at for at, key in enumerate(keys) if key not in self._common]
        queries_rare = queries if rare else 0
        # in the order of HeadFigures
        return np.stack(
            [
                *(
                    _column(100 * _diagonal(weights, k).sum(-1), _diagonal(weights, k).shape[-1], kind)
                    for k in (-1, 0, 1)
                ),
                _column(rests, queries),
                _column(100 * weights[..., rare].sum((1, 2)), queries_rare),
                _column([100 * even[:, rare].sum()] * heads, queries_rare),
                _column(far, queries, kind),
                _column(bits, queries),
                _column(100 * bits, most),
            ],
            axis=1,
        )


def role(figures: HeadFigures) -> str:
    """The name of the first of `RULES` that holds."""
    return leading(figures)[0].name


def leading(figures: HeadFigures) -> tuple[Rule, float]:
    """The first of `RULES` that holds, and how much of what it measures the head has."""
    for rule in RULES[:-1]:
        measured = rule.measure(figures)
        if measured >= rule.least:  # nan is not
            return rule, measured
    return RULES[-1], RULES[-1].measure(figures)


def draw_roles(layers: Mapping[str, Sequence[HeadFigures]]) -> "Figure":
    """Layers x heads, coloured by role, each cell with the figure that made it; the legend says what it means."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    most = max(map(len, layers.values()))
    figure, axis = canvas(width=max(1.4 + 0.85 * most, 5.6), height=2.3 + 0.55 * len(layers))
    seen: set[str] = set()
    picture = np.ones((len(layers), most, 3))
    for layer, heads in enumerate(layers.values()):
        for head, figures in enumerate(heads):
            rule, measured = leading(figures)
            seen.add(rule.name)
            picture[layer, head] = to_rgb(rule.color)
            text = rule.name.rpartition(": ")[2] + ("" if np.isnan(measured) else f"\n{measured:.0f} %")
            ink = "white" if picture[layer, head] @ (0.3, 0.59, 0.11) < 0.5 else "black"
            axis.text(head, layer, text, ha="center", va="center", color=ink, fontsize=8)
    axis.imshow(picture, aspect="auto", interpolation="nearest")
    axis.grid(False)
    axis.set_xticks(np.arange(most + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(layers) + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="#BBBBBB", linewidth=1)
    axis.spines[:].set_visible(False)
    axis.tick_params(which="both", length=0)
    axis.set_xticks(range(most), [str(number) for number in range(1, most + 1)])
    axis.set_yticks(range(len(layers)), _names(list(layers)))
    axis.set_xlabel("head")
    used = [rule for rule in RULES if rule.name in seen]
    figure.legend(
        handles=[Patch(facecolor=rule.color, edgecolor="#BBBBBB", label=_explained(rule)) for rule in used],
        loc="outside lower center", frameon=False, fontsize=8,
    )  # fmt: skip
    return figure


def _diagonal(weights: Map, offset: int) -> Map:
    return as_map(np.diagonal(weights, offset, 1, 2))


def _column(totals: Sequence[float] | Map, weight: float, kind: str = "") -> Sums:
    """``(2, H)``: the sums of a figure, and what they are divided by: 0, for "not known", where keys are elsewhere."""
    sums = np.asarray(totals, dtype=np.float64)
    return np.stack([sums, np.full_like(sums, 0 if kind == "cross" else weight)])


def _names(paths: Sequence[str]) -> list[str]:
    """``encoder.blocks.3.attention`` -> "encoder 4": its kind, and its number among the layers of that kind."""
    kinds = [kind_of(path) for path in paths]
    return [f"{kind} {kinds[: at + 1].count(kind)}" for at, kind in enumerate(kinds)]


def _explained(rule: Rule) -> str:
    return f"{rule.name} – {rule.meaning}" + (f" (at least {rule.least:.0f} %)" if rule.least > 0 else "")
