"""What positional encodings look like and what they promise: unique, any length, distance by offset.

Encodings are ``(N, D)``, one row a position from 0 on, as `encoding` reads them from any module of `nn.position`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from jumok.insight.figures import PALETTE, canvas
from jumok.insight.maps import Map, Weights, as_map
from jumok.nn.position import Learned, NoPositions, Rotary, Sinusoidal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCALE = "viridis"  # dark to light in equal steps, so it reads the same in grey and by colour-blind eyes
_STRIP = 16  # dimensions shown of each kind where many positions matter more


class ByOffset(NamedTuple):
    """Similarity of two positions by how far they are apart, offsets 0 to N - 1: mean and standard deviation."""

    mean: Map
    spread: Map


def encoding(positions: Sinusoidal | Learned | NoPositions | Rotary, length: int) -> Map:
    """The vectors of positions 0 to `length` - 1, ``(N, D)``.

    Rotary positions have no vector of their own; theirs is ``R_pos x`` of the same ``x = (1, 0, 1, 0, ...)`` at every
    position, so that two of them have the inner product ``sum_i cos((m - n) 10000^(-2i/D))``: what turning alone makes
    of two equal tokens (Su et al. 2021, section 3.4). It is the inner product of two sinusoids (Vaswani 2017, 3.5).

    Raises:
        ValueError: `length` is more than was learned.
    """
    places = torch.arange(length)
    with torch.no_grad():
        if isinstance(positions, Rotary):
            return as_map(positions(torch.tensor([1.0, 0.0]).repeat(length, positions.dim // 2), places))
        if isinstance(positions, Learned):
            places = places.to(positions.weight.device)
        return as_map(positions(places))


def wavelengths(dim: int) -> Map:
    """``2 pi 10000^(2i/D)`` positions, of each pair (2i, 2i + 1) of dimensions: ``(D / 2,)`` (Vaswani 2017, 3.5)."""
    return as_map(2 * np.pi * 10000.0 ** (np.arange(0, dim, 2) / dim))


def similarity(encodings: Weights) -> Map:
    """``cos(PE(m), PE(n))`` of every two positions, ``(N, D)`` -> ``(N, N)``; a vector of zeros is like nothing: 0."""
    vectors = as_map(encodings).astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return as_map(unit @ unit.T)


def by_offset(similarity: Weights) -> ByOffset:
    """Mean and standard deviation of each diagonal of ``(N, N)``, over all pairs ``(m, m + k)``, for k = 0 to N - 1.

    Of sinusoids ``cos(PE(m), PE(m + k)) = 2/D sum_i cos(k 10000^(-2i/D))``: the spread is 0, the offset says it all.
    """
    table = as_map(similarity).astype(np.float64)
    diagonals = [np.diagonal(table, offset) for offset in range(len(table))]
    return ByOffset(
        as_map(np.array([each.mean() for each in diagonals])), as_map(np.array([each.std() for each in diagonals]))
    )


def nearest(encodings: Weights) -> Map:
    """Euclidean distance of each position to the one most like it, ``(N, D)`` -> ``(N,)``.

    Raises ValueError for less than two positions.
    """
    vectors = as_map(encodings).astype(np.float64)
    if len(vectors) < 2:
        raise ValueError(f"{len(vectors)} position has no other to be near to")
    found = np.empty(len(vectors))
    for at, vector in enumerate(vectors):
        apart = np.linalg.norm(vectors - vector, axis=1)
        apart[at] = np.inf
        found[at] = apart.min()
    return as_map(found)


def nearest_two(encodings: Weights) -> float:
    """The smallest distance between two positions: above 0, each position's vector is its own."""
    return float(nearest(encodings).min())


def draw_waves(encodings: Weights, dimensions: Sequence[int] | None = None) -> "Figure":
    """Positions x dimensions as a heat map; below it, four dimensions as curves over the positions.

    The curves are those of `dimensions`; by default 0, D/8, D/4 and D/2, of which each sinusoid is slower than the
    last (by 10000^(1/8), 10000^(1/8) and 10000^(1/4)).
    """
    vectors = as_map(encodings)
    count, dim = vectors.shape
    chosen = sorted({part // 2 * 2 for part in (0, dim // 8, dim // 4, dim // 2)}) if dimensions is None else dimensions
    figure, axes = canvas(2, 1, width=7.0, height=6.4, sharex=True, height_ratios=[3, 2])
    most = float(np.abs(vectors).max()) or 1.0
    shown = axes[0].imshow(
        vectors.T, aspect="auto", vmin=-most, vmax=most, cmap=SCALE, interpolation="nearest", origin="lower"
    )
    axes[0].grid(False)
    axes[0].set_ylabel("dimension")
    figure.colorbar(shown, ax=axes[0], label="value", pad=0.02)
    for number, dimension in enumerate(chosen):
        color = PALETTE[number % len(PALETTE)]
        axes[0].axhline(dimension, color=color, linewidth=1.4, linestyle=":")
        axes[1].plot(np.arange(count), vectors[:, dimension], color=color, label=f"dimension {dimension}")
    axes[1].set_xlim(-0.5, count - 0.5)
    axes[1].set_xlabel("position")
    axes[1].set_ylabel("value")
    axes[1].legend(frameon=False, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    return figure


def draw_similarity(similarity: Weights) -> "Figure":
    """The cosine of every two positions ``(N, N)``, and beside it by their offset alone, with its spread."""
    table = as_map(similarity)
    figure, (left, right) = canvas(1, 2, width=9.0, height=4.0)
    least = min(0.0, float(table.min()))
    left.grid(False)
    shown = left.imshow(table, vmin=least, vmax=1, cmap=SCALE, interpolation="nearest")
    left.set_title("every two positions", fontsize=11)
    left.set_xlabel("position")
    left.set_ylabel("position")
    figure.colorbar(shown, ax=left)
    _by_offset(right, table, PALETTE[0], "mean of all pairs")
    right.set_title("by offset", fontsize=11)
    right.set_ylim(1.1 * least, 1.05)
    right.legend(frameon=False, fontsize=9, loc="upper right")
    return figure


def draw_properties(sinusoidal: Weights, learned: Weights) -> "Figure":
    """Three promises, of sinusoidal ``(N, D)`` and learned ``(max_len, D)`` encodings side by side.

    Unique: each position's distance to the one nearest to it, in lengths of a vector, is above 0. Any length: where
    the learned end, sinusoids go on. Distance by offset: similarity by offset, with its spread.

    Raises ValueError if the sinusoidal ones do not go on past the learned.
    """
    endless, ending = as_map(sinusoidal), as_map(learned)
    if len(endless) <= len(ending):
        raise ValueError(f"{len(endless)} sinusoidal positions show nothing past the {len(ending)} learned ones")
    figure, axes = canvas(1, 3, width=12.0, height=3.9)
    both = [("sinusoidal", endless, PALETTE[0]), ("learned", ending, PALETTE[1])]
    for name, vectors, color in both:
        apart = nearest(vectors) / (float(np.linalg.norm(vectors, axis=1).mean()) or 1.0)
        axes[0].plot(np.arange(len(apart)), apart, color=color, label=f"{name}: at least {apart.min():.2f}")
        _by_offset(axes[2], similarity(vectors[: len(ending)]), color, name)
    axes[0].set_ylim(bottom=0)
    axes[0].set_title("unique", fontsize=11)
    axes[0].set_xlabel("position")
    axes[0].set_ylabel("distance to the nearest other\n(in lengths of a vector)")
    _strips(axes[1], endless, ending)
    axes[2].set_title("distance by offset", fontsize=11)
    for axis, room in ((axes[0], 0.25), (axes[2], 0.4)):
        low, high = axis.get_ylim()
        ticks = [tick for tick in axis.get_yticks() if low <= tick <= high]
        axis.set_ylim(low, high + room * (high - low))  # the legend stands above the curves
        axis.set_yticks(ticks)
        axis.legend(frameon=False, fontsize=9, loc="upper right")
    return figure


def _by_offset(axis: "Axes", table: Map, color: str, label: str) -> None:
    mean, spread = by_offset(table)
    offsets = np.arange(len(mean))
    around = f"± 1 standard deviation (at most {spread.max():.2f})"
    axis.plot(offsets, mean, color=color, label=label)
    axis.fill_between(offsets, mean - spread, mean + spread, color=color, alpha=0.25, linewidth=0, label=around)
    axis.set_xlabel("offset between two positions")
    axis.set_ylabel("cosine similarity")


def _strips(axis: "Axes", endless: Map, ending: Map) -> None:
    """A few dimensions of both over the positions, one above the other; nothing where there is no vector."""
    tall = max(1, min(_STRIP, endless.shape[1], ending.shape[1]))
    picture = np.full((2 * tall + 1, len(endless)), np.nan, dtype=np.float32)
    for top, vectors in ((0, endless), (tall + 1, ending)):
        few = vectors[:, np.linspace(0, vectors.shape[1] - 1, tall).astype(int)]
        # each to its own largest value: learned vectors start small
        picture[top : top + tall, : len(vectors)] = few.T / (float(np.abs(few).max()) or 1.0)
    axis.imshow(picture, aspect="auto", vmin=-1, vmax=1, cmap=SCALE, interpolation="nearest")
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.set_title("any length", fontsize=11)
    axis.set_xlabel("position")
    middle = (tall - 1) / 2
    axis.set_yticks([middle, tall + 1 + middle], ["sinusoidal", "learned"], rotation=90, va="center")
    axis.tick_params(axis="y", length=0)
    axis.text(
        (len(ending) + len(endless)) / 2, tall + 1 + middle, f"no vector\nfrom {len(ending)} on", ha="center",
        va="center", fontsize=9,
    )  # fmt: skip
