"""The look of the laboratory's figures: a palette for all eyes, means with their spread, one legend."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from jumok.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), told apart by colour-blind eyes; black last
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#000000")
MARKERS = "osD^vP*X"
# matplotlib brings the first; the first of the others that is installed draws Hangul
FONTS = ("DejaVu Sans", "NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo")


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 4.2, **options: Any
) -> "tuple[Figure, Any]":
    """A figure and its axes, without a screen. Raises `UserError` if matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ModuleNotFoundError as error:
        raise UserError("drawing needs matplotlib: pip install 'jumok[figures]'") from error
    figure = Figure(figsize=(width, height), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, **options)
    for axis in np.ravel(axes):
        axis.grid(alpha=0.25)
        # steps, words, layers: things that are counted
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def log_places(axis: "Axes", places: Sequence[int]) -> None:
    """A logarithmic x axis with these ticks and no others."""
    axis.set_xscale("log")
    axis.set_xticks(places, [str(place) for place in places], fontsize=8)
    axis.set_xticks([], minor=True)


@cache
def fonts() -> list[str]:
    """The font families to draw text with, those that are installed."""
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    return [name for name in FONTS if name in installed][:2]


def drawable(text: str) -> str:
    """`text` with a box for each character that none of `fonts` has."""
    from matplotlib.font_manager import findfont, get_font

    have = [get_font(findfont(name)) for name in fonts()]
    return "".join(char if any(font.get_char_index(ord(char)) for font in have) else "□" for char in text)


def curves(
    axis: "Axes", x: Sequence[float], lines: Mapping[str, Sequence[Sequence[float]]], *, spread: bool = True
) -> None:
    """One line a name: the mean over seeds of ``values[seed][i]`` at ``x[i]``, and the band from lowest to highest."""
    for number, (name, values) in enumerate(lines.items()):
        array = np.asarray(values, dtype=float)
        seen = ~np.isnan(array).all(0)  # a line may end before the others
        array, at = array[:, seen], np.asarray(x)[seen]
        color, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
        axis.plot(at, np.nanmean(array, 0), color=color, marker=marker, markersize=4, label=name)
        if spread and len(array) > 1:
            axis.fill_between(at, np.nanmin(array, 0), np.nanmax(array, 0), color=color, alpha=0.18, linewidth=0)
