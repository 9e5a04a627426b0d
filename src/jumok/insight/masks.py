"""Masks drawn: which keys each query may look at, read from `nn.mask.Mask` as the models use it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from jumok.insight.figures import PALETTE, canvas, drawable, fonts
from jumok.nn.mask import Mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Table = npt.NDArray[np.bool_]
Sized = tuple[Mask, int, int]
"""A mask with the number of its queries Q and of its keys K."""
Labels = tuple[Sequence[str], Sequence[str]]
"""What the queries and the keys of a mask are called, Q and K of them."""

_MAY, _MAY_NOT = PALETTE[0], "#F0F0F0"  # dark and light in grey too
_CELL = 0.27  # inches
_LETTER = 0.085  # inches, of a label
_WIDEST = 9.0  # inches, of a row of grids


def allowed_table(mask: Mask, queries: int, keys: int) -> Table:
    """Which keys each query may attend to, True for "may": ``(B, Q, K)``, B = 1 for a mask that is all sentences'.

    Raises ValueError if the heads have tables of their own.
    """
    allowed = mask.allowed(queries, keys)
    if allowed is None:
        return np.ones((1, queries, keys), dtype=bool)
    allowed = allowed[(None,) * (4 - allowed.ndim)]  # a pattern of (Q, K) is every sentence's and every head's
    if allowed.shape[1] != 1:
        raise ValueError(f"a grid shows one table, and this mask has {allowed.shape[1]}, one for each head")
    return allowed[:, 0].expand(-1, queries, keys).cpu().numpy()


def caption(mask: Mask, queries: int, keys: int) -> str:
    """What a mask does, in a line: its parts, as `Mask` joins them with "and"."""
    parts = []
    if mask.lengths is not None:
        parts.append("no padding")
    if mask.causal and queries > 1:
        parts.append("no later key")
    elif mask.causal:
        parts.append(f"one new query sees all {keys} keys")
    if mask.pattern is not None:
        parts.append("the table given")
    return ", ".join(parts) or "every key"


def common_masks(
    source: Sequence[str], target: Sequence[str], padded: int = 2
) -> tuple[dict[str, Sized], dict[str, Labels]]:
    """The masks of a Transformer that reads `source` and writes `target`, with their labels, for `draw_masks`.

    `padded` is how many places of padding a longer neighbour in the batch adds behind each (Vaswani 2017, 3.2.3).
    """
    read = [*source, *["<pad>"] * padded]
    written = [*target, *["<pad>"] * padded]
    past = len(target) - 1
    real = torch.tensor([len(source)]), torch.tensor([len(target)])
    masks = {
        "encoder": (Mask(real[0]), len(read), len(read)),
        "decoder": (Mask(causal=True), len(target), len(target)),
        "decoder, padded": (Mask(real[1], causal=True), len(written), len(written)),
        "cross-attention": (Mask(real[0]), len(target), len(read)),
        f"one more, {past} cached": (Mask(causal=True), 1, len(target)),
    }
    names = [(read, read), (target, target), (written, written), (target, read), (target[-1:], target)]
    return masks, dict(zip(masks, names, strict=True))


def draw_masks(masks: Mapping[str, Sized], labels: Mapping[str, Labels] | None = None) -> "Figure":
    """A grid for each mask, and for each sentence of its batch: a row a query, a column a key, dark for "may look".

    Args:
        masks: name -> (mask, Q, K).
        labels: name -> (queries, keys) as they are to be called; by default they are numbered from 1.

    Raises:
        ValueError: a mask has other labels than queries and keys, or a table for each head.
    """
    from matplotlib.patches import Patch

    panels: list[tuple[str, Table, Labels]] = []
    for name, (mask, queries, keys) in masks.items():
        called = (labels or {}).get(name) or (_numbers(queries), _numbers(keys))
        if (len(called[0]), len(called[1])) != (queries, keys):
            raise ValueError(
                f"{name}: {len(called[0])} and {len(called[1])} labels for {queries} queries and {keys} keys"
            )
        tables = allowed_table(mask, queries, keys)
        for number, table in enumerate(tables, 1):
            of = f"{name}, sentence {number}" if len(tables) > 1 else name
            panels.append((f"{of}\n{caption(mask, queries, keys)}", table, called))
    keys = max(table.shape[1] for _, table, _ in panels)
    width = max(_width(title, keys, called) for title, _, called in panels)
    columns = max(1, min(len(panels), int(_WIDEST / width)))
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    deep = [max(len(table) for _, table, _ in row) for row in rows]
    tall = [max(_height(*panel) for panel in row) for row in rows]
    figure, axes = canvas(
        len(rows), columns, squeeze=False, width=columns * width, height=sum(tall) + 0.4, height_ratios=tall
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, number in zip(axes.flat, range(len(panels)), strict=False):
        title, table, called = panels[number]
        _grid(axis, table, called)
        # the same room for all, so that a cell is a cell everywhere
        axis.set_xlim(-0.5, keys - 0.5)
        axis.set_ylim(deep[number // columns] - 0.5, -0.5)
        axis.set_title(title, fontsize=9, loc="left", parse_math=False)
    figure.legend(
        handles=[Patch(color=_MAY, label="may look"), Patch(facecolor=_MAY_NOT, edgecolor="#999999", label="may not")],
        loc="outside lower center", ncols=2, frameon=False, fontsize=9,
    )  # fmt: skip
    return figure


def _grid(axis: "Axes", table: Table, labels: Labels) -> None:
    from matplotlib.colors import ListedColormap

    queries, keys = table.shape
    axis.imshow(table, cmap=ListedColormap([_MAY_NOT, _MAY]), vmin=0, vmax=1, interpolation="nearest")
    axis.set_anchor("NW")
    axis.spines[:].set_visible(False)
    called = [[drawable(label) for label in side] for side in labels]
    upright = 90 if max(map(len, called[1]), default=0) > 2 else 0
    style: dict[str, Any] = {"fontsize": 8, "fontfamily": fonts(), "parse_math": False}
    axis.set_xticks(range(keys), called[1], rotation=upright, **style)
    axis.set_yticks(range(queries), called[0], **style)
    # white lines between the cells, and no other
    axis.grid(False)
    axis.set_xticks(np.arange(keys + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(queries + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.5)
    axis.tick_params(which="both", length=0, top=False)
    axis.xaxis.tick_top()
    axis.xaxis.set_label_position("top")
    axis.set_xlabel("key", fontsize=8, color="#555555", loc="left")
    axis.set_ylabel("query", fontsize=8, color="#555555", loc="top")


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


def _width(title: str, keys: int, labels: Labels) -> float:
    """Inches that a grid takes with what stands beside and above it."""
    beside = max(map(_wide, labels[0]), default=0) * _LETTER
    return max(keys * _CELL + beside, _LETTER * max(map(len, title.split("\n")))) + 0.4


def _height(title: str, table: Table, labels: Labels) -> float:
    return len(table) * _CELL + max(map(_wide, labels[1]), default=0) * _LETTER + 0.75


def _wide(text: str) -> float:
    """Letters' widths of a text; a Hangul syllable takes nearly two."""
    return sum(1.7 if ord(char) > 0x1100 else 1.0 for char in text)
