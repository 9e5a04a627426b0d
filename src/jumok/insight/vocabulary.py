"""The embedding space of a run's vocabulary: which pieces lie near each other, and a projection that shows it.

Embeddings are ``(V, D)``, row i that of piece i, as a model's `TokenEmbedding` and a tokenizer's `pieces` give them.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jumok.errors import UserError
from jumok.insight.figures import PALETTE, canvas, drawable, fonts
from jumok.insight.maps import SPECIAL, Map, Weights, as_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

_NO_TEXT = re.compile(r"<0x[0-9A-F]{2}>|<(unk|mask)>|\[(UNK|MASK)\]")
_SPACES = ("▁", "Ġ")
# where a label may stand beside its point: its shift in points, and which side of it is at the point
_PLACES = (
    ((4, 0), "left", "center"),
    ((0, 4), "center", "bottom"),
    ((0, -4), "center", "top"),
    ((-4, 0), "right", "center"),
)
_DOT = np.array([-3, -3, 3, 3])  # pixels around the middle of a point that no label may cover
_MARKS = ("o", "^", "s", "D", "v", "P", "X", "*")  # a group's shape, for where its colour is not seen


class Neighbour(NamedTuple):
    """A piece, and the cosine between its embedding and that of the piece it is a neighbour of."""

    piece: str
    cosine: float


class Projection(NamedTuple):
    """Points ``(n, 2)`` and the share (0-100) of all variance that each of the two axes holds."""

    points: Map
    explained: tuple[float, float]


def text_rows(pieces: Sequence[str]) -> list[int]:
    """Rows of the pieces that are text: all but special pieces, bytes (``<0xEC>``) and the bare space."""
    return [
        row
        for row, piece in enumerate(pieces)
        if piece not in SPECIAL and not _NO_TEXT.fullmatch(piece) and piece not in _SPACES
    ]


def shown(piece: str) -> str:
    """A piece as a reader knows it: ``▁man`` begins a word and is "man", ``ing`` goes on in one and is "-ing"."""
    body = piece[1:] if piece.startswith(_SPACES) else piece
    return body if body != piece or not piece[:1].isalpha() else f"-{piece}"


def neighbours(
    embeddings: Weights, pieces: Sequence[str], query: str, top: int = 10, rows: Sequence[int] | None = None
) -> list[Neighbour]:
    """The `top` pieces nearest to `query` by ``cos(e_a, e_b)``, nearest first, itself left out.

    Args:
        embeddings: ``(V, D)``; pieces: the V pieces.
        query: a piece as written, or one that begins a word without its ``▁``.
        rows: where to look, by default in `text_rows`. A piece hardly seen in training lies where chance put it; the
            rows of the pieces that a corpus uses leave such out.

    Raises:
        UserError: `query` is no piece, neither as written nor at the beginning of a word (``▁query``).
        ValueError: there are not as many pieces as embeddings.
    """
    vectors = as_map(embeddings).astype(np.float64)
    if len(vectors) != len(pieces):
        raise ValueError(f"{len(vectors)} embeddings and {len(pieces)} pieces")
    at = _row(pieces, query)
    rows = [row for row in (text_rows(pieces) if rows is None else rows) if row != at]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    cosines = unit[rows] @ unit[at]
    # equal cosines stay in the order of the vocabulary
    nearest = np.argsort(-cosines, kind="stable")[:top]
    return [Neighbour(pieces[rows[number]], float(cosines[number])) for number in nearest]


def projection(embeddings: Weights, rows: Sequence[int]) -> Projection:
    """The two principal components of the embeddings of `rows`: ``X = U S V^T`` centred, points ``X V[:, :2]``.

    Each component points where its largest weight is positive, so that the same embeddings give the same picture
    (Pearson 1901). What is near in two of D dimensions need not be near in all: `explained` says how much is seen.

    Raises:
        ValueError: less than two rows.
    """
    if len(rows) < 2:
        raise ValueError(f"a projection needs at least two rows, not {len(rows)}")
    vectors = as_map(embeddings)[list(rows)].astype(np.float64)
    centred = vectors - vectors.mean(0)
    _, spread, components = np.linalg.svd(centred, full_matrices=False)
    leading = components[:2]
    strongest = np.take_along_axis(leading, np.abs(leading).argmax(1)[:, None], 1)
    points = np.zeros((len(rows), 2))
    points[:, : len(leading)] = centred @ (leading * np.where(strongest < 0, -1.0, 1.0)).T
    shares = [*(100 * spread**2 / (float((spread**2).sum()) or 1.0)), 0.0]
    return Projection(as_map(points), (float(shares[0]), float(shares[1])))


def draw_neighbours(found: Mapping[str, Sequence[Neighbour]], columns: int = 4) -> "Figure":
    """For each query its neighbours as bars, nearest first, as long as their cosine."""
    columns = min(columns, len(found))
    rows, most = -(-len(found) // columns), max(map(len, found.values()))
    figure, axes = canvas(
        rows, columns, squeeze=False, sharex=True, width=0.6 + 2.3 * columns, height=rows * (0.7 + 0.22 * most)
    )
    least = min([0.0, *(each.cosine for near in found.values() for each in near)])
    for axis in axes.flat[len(found) :]:
        axis.set_axis_off()
    for axis, (query, near) in zip(axes.flat, found.items(), strict=False):
        places = np.arange(len(near))
        axis.barh(places, [each.cosine for each in near], color=PALETTE[0], height=0.7)
        axis.set_yticks(places, [drawable(shown(each.piece)) for each in near], fontfamily=fonts(), parse_math=False)
        axis.set_ylim(most - 0.4, -0.6)
        axis.set_xlim(least, 1)
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="y", visible=False)
        axis.set_axisbelow(True)
        axis.set_xticks([0, 0.5, 1])
        axis.set_title(
            drawable(query.lstrip("".join(_SPACES)) or query),
            fontsize=11,
            fontfamily=fonts(),
            fontweight="bold",
            parse_math=False,
        )
        axis.set_xlabel("cosine")
    return figure


def draw_projection(
    projected: Projection, labels: Sequence[str], groups: Sequence[str] | None = None
) -> tuple["Figure", int]:
    """The points with those of their labels that have room, first labels first; and how many labels had none.

    Args:
        projected: as `projection` gives it.
        labels: what each point is called, a piece; those worth a name should stand first.
        groups: a name for each point; those of one name share a colour and a shape, and the legend has it.

    Raises:
        ValueError: there are not as many labels, or groups, as points.
    """
    from matplotlib.ticker import AutoLocator

    points = projected.points
    groups = groups or [""] * len(points)
    if not len(points) == len(labels) == len(groups):
        raise ValueError(f"{len(points)} points, {len(labels)} labels and {len(groups)} groups")
    figure, axis = canvas(width=8.0, height=6.4)
    axis.margins(0.08)
    axis.xaxis.set_major_locator(AutoLocator())
    names = list(dict.fromkeys(groups))
    for number, name in enumerate(names):
        own = points[[group == name for group in groups]]
        color, mark = PALETTE[number % len(PALETTE)], _MARKS[number % len(_MARKS)]
        axis.scatter(own[:, 0], own[:, 1], s=16, color=color, marker=mark, alpha=0.8, linewidths=0, label=name)
    for share, label in zip(projected.explained, (axis.set_xlabel, axis.set_ylabel), strict=True):
        label(f"principal component {'12'[label == axis.set_ylabel]} ({share:.0f} % of the variance)")
    if len(names) > 1:
        figure.legend(loc="outside upper center", ncols=min(len(names), 5), frameon=False, fontsize=9)
    # a line of its own from the start: what it says is known once the labels have their places
    title = axis.set_title(" ", fontsize=9, loc="right")
    figure.draw_without_rendering()
    left_out = len(labels) - _label(axis, points, [drawable(shown(label)) for label in labels])
    if left_out:
        title.set_text(f"{left_out} of {len(labels)} labels left out, for want of room")
    return figure, left_out


def _row(pieces: Sequence[str], query: str) -> int:
    for spelled in (*(space + query for space in _SPACES), query):
        if spelled in pieces:
            return pieces.index(spelled)
    bodies = [shown(pieces[row]).lstrip("-") for row in text_rows(pieces)]
    near = list(dict.fromkeys(get_close_matches(query, bodies, 5)))
    likely = f"; near it in spelling: {', '.join(near)}" if near else ""
    raise UserError(f"{query!r} is no piece of this vocabulary, which cuts it into several{likely}")


def _label(axis: "Axes", points: Map, labels: Sequence[str]) -> int:
    """Put each label beside its point where it covers no label and no point and stays inside; the number placed."""
    inside = axis.get_window_extent()
    dots = np.repeat(axis.transData.transform(points), 2, axis=0).reshape(-1, 4) + _DOT
    taken, placed = dots, 0
    for point, label in zip(points, labels, strict=True):
        text = axis.annotate(
            label, (point[0], point[1]), xytext=(0, 0), textcoords="offset points", fontsize=8, fontfamily=fonts(),
            parse_math=False, in_layout=False,
        )  # fmt: skip
        for place in _PLACES:
            box = _place(text, *place).get_window_extent()
            fits = box.x0 >= inside.x0 and box.x1 <= inside.x1 and box.y0 >= inside.y0 and box.y1 <= inside.y1
            beside = (box.x1 < taken[:, 0]) | (box.x0 > taken[:, 2]) | (box.y1 < taken[:, 1]) | (box.y0 > taken[:, 3])
            if fits and beside.all():
                taken = np.vstack([taken, box.extents])
                placed += 1
                break
        else:
            text.remove()
    return placed


def _place(text: "Annotation", shift: tuple[float, float], across: str, down: str) -> "Annotation":
    text.set_position(shift)
    text.set(ha=across, va=down)
    return text
