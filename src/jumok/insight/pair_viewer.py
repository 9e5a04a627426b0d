"""One self-contained page that shows why two sentences are near: token beside token, and the attention of each."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jumok.files import atomic_write
from jumok.insight.choice import EVERYTHING, Choice, Chosen
from jumok.insight.figures import canvas, drawable, fonts, png
from jumok.insight.maps import SPECIAL, Map, Weights, as_map, join_words, word_ids, word_labels
from jumok.insight.viewer import fill_page, pack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# takes away (orange) - nothing - adds (blue), for all eyes; those of pair.css in the light
COLORS = ("#7a3100", "#c05f10", "#f2c48f", "#f7f5f0", "#a9d2e0", "#32839e", "#0b3550")
_OFF = 0.01  # how far the sum of the contributions may be from the similarity: rounding of half precision


@dataclass(frozen=True)
class PairView:
    """Two sentences and why their vectors are near, ready to be drawn.

    Attributes:
        texts: the two sentences.
        pieces: subword pieces of each, N and M of them, as in `AttentionView`.
        similarity: cosine of the two sentence vectors, -1 to 1.
        cosines: ``(N, M)``, cosine of every token of the first with every token of the second.
        contributions: ``(N, M)``, what each pair of tokens adds to `similarity`; with `rest` they sum to it. None
            where the vectors are no sum over tokens.
        maps: for each sentence module path -> ``(H, N, N)``, its self-attention, of the same modules; both empty for a
            model without (a DAN).
        rest: what belongs to no pair of tokens, a bias for example.
        model: a line on the model, shown under the title.
        words: for each sentence the word number of each piece; by default by the rule of `maps.word_ids`.
        choice: which of the maps are shown.
    """

    texts: tuple[str, str]
    pieces: tuple[Sequence[str], Sequence[str]]
    similarity: float
    cosines: Weights
    contributions: Weights | None
    maps: tuple[Mapping[str, Weights], Mapping[str, Weights]]
    rest: float = 0.0
    model: str = ""
    words: tuple[Sequence[int], Sequence[int]] | None = None
    choice: Choice = EVERYTHING

    def chosen(self) -> list[tuple[Chosen, Chosen]]:
        """What is shown of each layer, for the first and for the second sentence."""
        first, second = map(self.choice.pick, self.maps)
        return list(zip(first, second, strict=True))

    def shapes(self) -> list[tuple[int, ...]]:
        """``(H, N, M)`` of all that is shown: of the pairs of tokens, and ``(H, N, N)`` of each sentence's maps."""
        between = (self.cosines, self.contributions)
        tokens = [(1, len(self.pieces[0]), len(self.pieces[1])) for values in between if values is not None]
        return [*tokens, *(side.weights.shape for layer in self.chosen() for side in layer)]

    def word_numbers(self) -> tuple[list[int], list[int]]:
        """The word number of each piece of the first sentence, and of the second."""
        first, second = map(word_ids, self.pieces) if self.words is None else map(list, self.words)
        return first, second


def write_pair_page(path: Path, views: Sequence[PairView], title: str) -> None:
    """Write `pair_page` to `path`, whole or not at all; `UserError` where that is not possible."""
    atomic_write(path, pair_page(views, title))


def pair_page(views: Sequence[PairView], title: str) -> str:
    """A page of HTML that needs nothing but itself.

    Values of pairs are kept to 1/65534 of the largest, attention to 1/255. Raises `ValueError` if there is no pair, a
    sentence has no pieces, shapes do not fit, or the contributions do not sum to the similarity.
    """
    if not views:
        raise ValueError("a page needs at least one pair of sentences")
    data = {"title": title, "pairs": [_pair(view) for view in views]}
    styles, scripts = (
        ["page.css", "pair.css"],
        ["common.js", "data.js", "views.js", "pair_views.js", "link.js", "pair.js"],
    )
    return fill_page("pair.html", styles, scripts, title, data)


def pair_png(view: PairView) -> bytes:
    """`pair_figure` as a PNG file."""
    return png(pair_figure(view))


def pair_values(view: PairView) -> Map:
    """What each pair of words adds to the similarity (without contributions: its cosine), ``(N, M)`` of the words.

    Raises `ValueError` as `pair_page` does.
    """
    _check(view)
    numbers = view.word_numbers()
    if view.contributions is None:
        return mean_words(view.cosines, *numbers)
    return sum_words(view.contributions, *numbers)


def pair_figure(view: PairView, most: float | None = None) -> "Figure":
    """`pair_values` as a map, its colours deepest at the size `most`, by default that of the largest value.

    Raises `ValueError` as `pair_page` does, `UserError` if matplotlib is not installed.
    """
    values, what = pair_values(view), "cosine of each pair of words"
    if view.contributions is not None:
        what = "what each pair of words adds"
        if abs(view.rest) >= 0.005:
            what += f", rest {_signed(view.rest)}"
    numbers = view.word_numbers()
    rows, columns = (word_labels(*side) for side in zip(view.pieces, numbers, strict=True))
    # a title has its width, and an image of very long sentences its end
    figure, axis = canvas(width=min(30, max(5.6, 2.9 + 0.5 * len(columns))), height=min(30, 1.9 + 0.5 * len(rows)))
    _draw(axis, values, rows, columns, float(np.abs(values).max()) if most is None else most)
    figure.suptitle(f"similarity {_signed(view.similarity)}: {what}", fontsize=11)
    figure.colorbar(axis.images[0], ax=axis, shrink=0.8, panchor=False)
    return figure


def sum_words(values: Weights, rows: Sequence[int], columns: Sequence[int]) -> Map:
    """Pieces joined to words by the sum, ``c[a, b] = sum_{i in a} sum_{j in b} c[i, j]``: the total stays the same.

    Args:
        values: ``(N, M)``.
        rows: word number of each piece of the first sentence, every number from 0 on used; columns: of the second.
    """
    return join_words(join_words(values, keys=columns).T, keys=rows).T


def mean_words(values: Weights, rows: Sequence[int], columns: Sequence[int]) -> Map:
    """Pieces joined to words by the mean, ``1/(|a| |b|) sum_{i in a} sum_{j in b}``; arguments as in `sum_words`."""
    return join_words(join_words(values, rows=rows).T, rows=columns).T


def pack_signed(values: Map) -> str:
    """``(N, M)`` as base64 of deflate of: one float32 scale (the largest size of a value), N x M int16, low byte first.

    A value is ``step * scale / 32767``, off by at most ``scale / 65534``; sums over words stay true to three digits,
    as they would not with a byte.
    """
    scale = np.abs(values).max(initial=0.0)
    steps = np.rint(values.astype(np.float64) * (32767 / (scale or 1.0)))
    content = np.float32(scale).astype("<f4").tobytes() + steps.astype("<i2").tobytes()
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _pair(view: PairView) -> dict[str, Any]:
    _check(view)
    return {
        "texts": list(view.texts),
        "model": view.model,
        "similarity": round(float(view.similarity), 5),
        "rest": round(float(view.rest), 5),
        "sides": [_side(pieces, numbers) for pieces, numbers in zip(view.pieces, view.word_numbers(), strict=True)],
        "cosines": pack_signed(as_map(view.cosines)),
        "contributions": None if view.contributions is None else pack_signed(as_map(view.contributions)),
        "layers": [
            {
                "name": first.name,
                "number": first.layer,
                "heads": len(first.heads),
                "numbers": list(first.heads),
                "data": [pack(first.weights), pack(second.weights)],
            }
            for first, second in view.chosen()
        ],
    }


def _side(pieces: Sequence[str], numbers: list[int]) -> dict[str, Any]:
    special = [int(piece in SPECIAL) for piece in pieces]
    return {"pieces": list(pieces), "words": numbers, "labels": word_labels(pieces, numbers), "special": special}


def _check(view: PairView) -> None:
    size = (len(view.pieces[0]), len(view.pieces[1]))
    if not all(size):
        raise ValueError("a pair needs a piece in each of its sentences")
    for name, values in (("cosines", view.cosines), ("contributions", view.contributions)):
        if values is None:
            continue
        array = as_map(values)
        if array.shape != size or not np.isfinite(array).all():
            raise ValueError(f"{name} are {array.shape}, but must be {size} finite numbers (N, M)")
        sum_words(array, *view.word_numbers())  # the word numbers fit
    if view.contributions is not None:
        total = float(as_map(view.contributions).sum(dtype=np.float64)) + view.rest
        if abs(total - view.similarity) > _OFF:
            raise ValueError(f"contributions and rest sum to {total:.4f}, but similarity is {view.similarity:.4f}")
    if view.maps[0].keys() != view.maps[1].keys():
        raise ValueError(f"the sentences have maps of {list(view.maps[0])} and of {list(view.maps[1])}")
    for name in view.maps[0]:
        shapes = [as_map(maps[name]).shape for maps in view.maps]
        if shapes != [(*shapes[0][:1], length, length) for length in size]:
            raise ValueError(f"{name} is {shapes[0]} and {shapes[1]}, but there are {size} pieces (H, N, N)")


def _draw(axis: "Axes", values: Map, rows: Sequence[str], columns: Sequence[str], most: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    most = most or 1.0
    colors = LinearSegmentedColormap.from_list("signed", COLORS)
    axis.imshow(values, cmap=colors, vmin=-most, vmax=most)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.xaxis.tick_top()
    font: dict[str, Any] = {"fontfamily": fonts(), "fontsize": 11, "parse_math": False}
    slanted: dict[str, Any] = {"rotation": 45, "ha": "left", "rotation_mode": "anchor"}
    axis.set_xticks(range(len(columns)), [drawable(word) for word in columns], **slanted, **font)
    axis.set_yticks(range(len(rows)), [drawable(word) for word in rows], **font)
    for (row, column), value in np.ndenumerate(values):
        if abs(value) >= 0.005 and values.size <= 900:
            ink = "white" if abs(value) > 0.6 * most else "#23262c"
            axis.text(column, row, _signed(value), ha="center", va="center", fontsize=8, color=ink)


def _signed(value: "float | np.floating[Any]") -> str:
    return f"{value:.2f}".replace("-", "\u2212")
