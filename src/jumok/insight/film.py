"""One sentence over the course of a training: its map at each saved step, played as a film."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from jumok.errors import UserError
from jumok.insight.figures import PALETTE, canvas, drawable, fonts, png
from jumok.insight.image_figures import HEAT
from jumok.insight.maps import Map, Weights, as_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FRAME = 600  # milliseconds
_LAST = 4  # the last frame stays this many times as long


def training_film(
    frames: Sequence[tuple[int, Weights]], rows: Sequence[str], keys: Sequence[str], milliseconds: int = _FRAME
) -> bytes:
    """A GIF of the maps ``(Q, K)`` of one sentence at the saved steps of a training, the step written on each frame.

    All frames share one scale, 0 to the largest weight of all, and the film begins again after its end. For a decoder's
    maps let every step write the same text (`Translator.attention(line, target)`), so that the rows stay the same.

    Args:
        frames: (step, weights), in the order to be shown.
        rows: the Q pieces beside the rows; keys: the K pieces above the columns.
        milliseconds: how long a frame is seen; the last four times as long.

    Raises:
        UserError: Pillow or matplotlib is not installed.
        ValueError: there is no frame, or a map is not Q x K.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise UserError("a film needs Pillow: pip install 'jumok[figures]'") from error

    maps = [(step, as_map(weights)) for step, weights in frames]
    if not maps:
        raise ValueError("a film needs at least one frame")
    for step, weights in maps:
        if weights.shape != (len(rows), len(keys)):
            raise ValueError(f"step {step}: a map of {weights.shape} for {len(rows)} rows and {len(keys)} keys")
    most = max(float(weights.max()) for _, weights in maps) or 1.0
    last = max(step for step, _ in maps)
    pictures = [
        # the heat has 256 colours; the letters take few of them
        Image.open(BytesIO(png(draw_frame(step, weights, rows, keys, most, last)))).convert("RGB").quantize(256)
        for step, weights in maps
    ]
    content = BytesIO()
    pictures[0].save(
        content, format="GIF", save_all=True, append_images=pictures[1:], loop=0,
        duration=[milliseconds] * (len(maps) - 1) + [_LAST * milliseconds],
    )  # fmt: skip
    return content.getvalue()


def draw_frame(step: int, weights: Map, rows: Sequence[str], keys: Sequence[str], most: float, last: int) -> "Figure":
    """One frame: the map with its pieces, brightest at a weight of `most`; above it the step, as a bar up to `last`."""
    figure, (bar, axis) = canvas(
        2, 1, width=2.6 + 0.32 * len(keys), height=1.9 + 0.28 * len(rows), height_ratios=[0.12, 0.28 * len(rows)]
    )
    bar.barh([0], [step], color=PALETTE[0])
    bar.set_xlim(0, last or 1)
    bar.set_xticks([])
    bar.set_yticks([])
    bar.set_facecolor("#E6E6E6")
    bar.spines[:].set_visible(False)
    bar.set_title(f"step {step:,}", fontsize=12, loc="left")
    shown = axis.imshow(weights, vmin=0, vmax=most, cmap=HEAT, interpolation="nearest", aspect="auto")
    style = {"fontsize": 9, "fontfamily": fonts(), "parse_math": False}
    axis.grid(False)
    axis.xaxis.tick_top()
    axis.set_xticks(range(len(keys)), [drawable(key) for key in keys], rotation=90, **style)
    axis.set_yticks(range(len(rows)), [drawable(row) for row in rows], **style)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    figure.colorbar(shown, ax=axis, label="weight")
    return figure
