"""Figures for a paper: sharp at any size, the same bytes each time one is made."""

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def svg(figure: "Figure") -> bytes:
    """The figure as an SVG file, its letters as outlines, so that no font is needed where it is read."""
    from matplotlib import rc_context

    content = BytesIO()
    # without these two each file holds the time and random names, and differs from the last
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "jumok"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()
