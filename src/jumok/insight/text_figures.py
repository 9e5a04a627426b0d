"""The attention of a sentence for a paper: a map of words, the mean of what is looked at, or one head."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jumok.insight.choice import Chosen
from jumok.insight.figures import canvas, drawable, fonts
from jumok.insight.maps import Map, Weights, as_map, average, join_words, word_labels
from jumok.insight.recorded import Kind, kind_of
from jumok.insight.viewer import SIDES, AttentionView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#f4f2ec", "#a8d0d6", "#32839e", "#0b3550")  # the scale of page.css on white paper, least first
_LABELS = 60  # words on a side, past which only some are named
_TITLES: dict[str, str] = {
    "cross": "cross-attention",
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
}
_NAMES = {"source": "source", "target": "output", "read": "what was written so far"}


def attention_figures(view: AttentionView) -> dict[str, "Figure"]:
    """By name a figure of each kind of attention, the mean of what is looked at: "cross", "encoder", "decoder".

    Where heads were chosen each of them has its own beside it: "cross-layer-2-head-1". Words are joined as in
    `maps.join_words`. Raises `UserError` if matplotlib is not installed.
    """
    figures: dict[str, Figure] = {}
    for kind in SIDES:
        if (mean := mean_look(view, kind)) is None:
            continue
        figures[kind] = look_figure(view, kind, *mean)
        for layer in _of_kind(view, kind) if view.choice.heads is not None else ():
            for head, weights in zip(layer.heads, layer.weights, strict=True):
                name = f"{kind}-layer-{layer.layer}-head-{head}"
                figures[name] = look_figure(view, kind, weights, f"layer {layer.layer}, head {head}")
    return figures


def mean_look(view: AttentionView, kind: Kind) -> tuple[Map, str] | None:
    """The mean of what is looked at of a kind ``(Q, K)``, and of what it is the mean; None where there is nothing."""
    own = _of_kind(view, kind)
    return (average([layer.weights for layer in own]), _mean_of(own)) if own else None


def look_figure(view: AttentionView, kind: Kind, weights: Weights, what: str, most: float | None = None) -> "Figure":
    """A map ``(Q, K)`` of this kind in words, `what` in its title, dark at `most` as in `draw_map`."""
    down, across = (_NAMES[side] for side in SIDES[kind])
    return draw_map(*in_words(view, kind, weights), f"{_TITLES[kind]}, {what}", down, across, most)


def in_words(view: AttentionView, kind: Kind, weights: Weights) -> tuple[Map, list[str], list[str]]:
    """A map ``(Q, K)`` of this kind joined to words as in `maps.join_words`, with the labels of its rows and keys."""
    sides = view.sides()
    (rows, row_words), (keys, key_words) = (sides[name] for name in SIDES[kind])
    joined = join_words(weights, row_words, key_words)
    return joined, word_labels(rows, row_words), word_labels(keys, key_words)


def draw_map(
    weights: Weights,
    rows: Sequence[str],
    keys: Sequence[str],
    title: str,
    down: str = "",
    across: str = "",
    most: float | None = None,
) -> "Figure":
    """A map ``(Q, K)`` with its words beside the rows and above the columns, dark at `most` (the largest weight)."""
    seen = as_map(weights)
    scale = (float(seen.max()) if most is None else most) or 1.0
    # an image of a very long text has its end; a title has its width
    width, height = min(30.0, max(4.6, 2.2 + 0.3 * len(keys))), min(30.0, 1.7 + 0.27 * len(rows))
    figure, axis = canvas(width=width, height=height)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    # "none": cells stay sharp, and an SVG holds them as they are
    shown = axis.imshow(seen, vmin=0, vmax=scale, cmap=_scale(), interpolation="none", aspect="auto")
    axis.xaxis.tick_top()
    axis.xaxis.set_label_position("top")
    axis.tick_params(length=0)
    style: dict[str, Any] = {"fontsize": 10, "fontfamily": fonts(), "parse_math": False}
    axis.set_xticks(*_named(keys), rotation=90, **style)
    axis.set_yticks(*_named(rows), **style)
    axis.set_xlabel(across)
    axis.set_ylabel(down)
    figure.colorbar(shown, ax=axis, label="weight")
    figure.suptitle(title, fontsize=11)
    return figure


def _of_kind(view: AttentionView, kind: Kind) -> list[Chosen]:
    return [layer for layer in view.choice.pick(view.maps) if kind_of(layer.name) == kind]


def _named(words: Sequence[str]) -> tuple[list[int], list[str]]:
    places = list(range(0, len(words), -(-len(words) // _LABELS)))
    return places, [drawable(words[place]) for place in places]


def _mean_of(layers: Sequence[Chosen]) -> str:
    """ "mean of layers 1-6, 8 heads each"."""
    first, last = layers[0], layers[-1]
    heads = f"head {first.heads[0]}" if len(first.heads) == 1 else f"mean of {len(first.heads)} heads"
    if first is last:
        return f"layer {first.layer}, {heads}"
    return f"mean of {len(layers)} layers ({first.layer} to {last.layer}), {heads}"


def _scale() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("page", COLORS)
