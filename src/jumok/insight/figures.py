"""The look of the house's figures: a canvas without a screen, a palette for all eyes, fonts that draw Hangul."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jumok.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito (2008), told apart by colour-blind eyes; black last
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#000000")
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


def png(figure: "Figure") -> bytes:
    """The figure as a PNG file."""
    content = BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def figures_folder(page: Path) -> Path:
    """The folder beside a page for its figures, made if it is not there. Raises `UserError` if it cannot be made."""
    folder = page.with_name(f"{page.stem}_figures")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}; write {page.name} elsewhere") from error
    return folder
