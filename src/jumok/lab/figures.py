"""The look of the laboratory's figures: means with their spread, one legend, on the house's canvas."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jumok.insight.figures import PALETTE, canvas, drawable, fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MARKERS", "PALETTE", "canvas", "curves", "drawable", "fonts", "log_places"]

MARKERS = "osD^vP*X"


def log_places(axis: "Axes", places: Sequence[int]) -> None:
    """A logarithmic x axis with these ticks and no others."""
    axis.set_xscale("log")
    axis.set_xticks(places, [str(place) for place in places], fontsize=8)
    axis.set_xticks([], minor=True)


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
