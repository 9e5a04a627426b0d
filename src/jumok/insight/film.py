"""One input over the course of a training: what is looked at in it at each saved step, played as a film."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from jumok.errors import UserError
from jumok.insight.caption_viewer import CaptionView, looked_words
from jumok.insight.figures import PALETTE, canvas, png
from jumok.insight.image_figures import draw_beside, draw_words, fitted
from jumok.insight.image_maps import class_attention
from jumok.insight.image_viewer import ImageView
from jumok.insight.keeping import View
from jumok.insight.maps import Map, as_map
from jumok.insight.pair_viewer import PairView, pair_figure, pair_values
from jumok.insight.text_figures import in_words, look_figure, mean_look
from jumok.insight.viewer import AttentionView

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

_FRAME = 600  # milliseconds
_LAST = 4  # the last frame stays this many times as long
_PHOTO = 480  # pixels of the longer side of the photo that a frame keeps


@dataclass(frozen=True)
class Scene:
    """What a film shows of a look.

    Attributes:
        most: the largest of its values, of each picture that has a scale of its own.
        draw: the figure of it at such a scale.
    """

    most: Map
    draw: Callable[[Map], "Figure"]


def scene(view: View) -> Scene:
    """What the page shows first, of what is chosen; the view itself need not be kept.

    Of a translation the mean look of the decoder at the source; of a photo the last layer's look of the class token,
    with the class; of a caption or a reading the mean look of each word; of two sentences what each pair of words adds
    to the cosine.

    Raises `UserError` for a translation where no look of the decoder is chosen, and if matplotlib is not installed.
    """
    if isinstance(view, AttentionView):
        return _of_translation(view)
    if isinstance(view, ImageView):
        return _of_photo(view)
    return _of_words(view) if isinstance(view, CaptionView) else _of_pair(view)


def training_film(scenes: Sequence[tuple[int, Scene]], milliseconds: int = _FRAME) -> bytes:
    """A GIF of one input's scenes at the saved steps of a training, ``(step, scene)``; each frame says its step.

    All frames share their scales, 0 to the largest value of all, and the film begins again after its end. For maps of
    a decoder let every step write the same text, so that the rows stay the same.

    Args:
        scenes: in the order to be shown.
        milliseconds: how long a frame is seen; the last four times as long.

    Raises:
        UserError: Pillow or matplotlib is not installed.
        ValueError: there is no scene, or they are not of one size.
    """
    if not scenes:
        raise ValueError("a film needs at least one frame")
    most = np.maximum.reduce([scene.most for _, scene in scenes])
    last = max(step for step, _ in scenes)
    frames = [_frame(step, last, scene.draw(most)) for step, scene in scenes]
    for (step, _), frame in zip(scenes, frames, strict=True):
        if frame.size != frames[0].size:
            raise ValueError(f"step {step}: a frame of {frame.size} pixels after those of {frames[0].size}")
    frames = _in_one_palette(frames)
    content = BytesIO()
    frames[0].save(
        content, format="GIF", save_all=True, append_images=frames[1:], loop=0,
        duration=[milliseconds] * (len(frames) - 1) + [_LAST * milliseconds],
    )  # fmt: skip
    return content.getvalue()


def draw_step(step: int, last: int, width: float) -> "Figure":
    """What stands above a frame `width` inches wide: its step, as a bar up to `last`."""
    figure, bar = canvas(width=width, height=0.6)
    bar.barh([0], [step], color=PALETTE[0])
    bar.set_xlim(0, last or 1)
    bar.set_xticks([])
    bar.set_yticks([])
    bar.set_facecolor("#E6E6E6")
    bar.spines[:].set_visible(False)
    bar.set_title(f"step {step:,}", fontsize=12, loc="left")
    return figure


def _frame(step: int, last: int, figure: "Figure") -> "Image":
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise UserError("a film needs Pillow: pip install 'jumok[figures]'") from error

    above = draw_step(step, last, float(figure.get_figwidth()))
    parts = [Image.open(BytesIO(png(part))).convert("RGB") for part in (above, figure)]
    frame = Image.new("RGB", (parts[1].width, sum(part.height for part in parts)), "white")
    frame.paste(parts[0], (0, 0))
    frame.paste(parts[1], (0, parts[0].height))
    return frame


def _in_one_palette(frames: "Sequence[Image]") -> "list[Image]":
    """The frames in the 256 colours that do for all of them: what stays the same keeps its colour."""
    from PIL import Image

    small = [frame.reduce(4) for frame in frames]
    sheet = Image.new("RGB", (small[0].width, sum(each.height for each in small)))
    for at, each in enumerate(small):
        sheet.paste(each, (0, at * each.height))
    palette = sheet.quantize(256, method=Image.Quantize.FASTOCTREE)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _of_translation(view: AttentionView) -> Scene:
    if (found := mean_look(view, "cross")) is None:
        raise UserError(f"a film shows where a decoder looks, and this one has none of the {view.choice.said()}")
    weights, what = found
    bare = replace(view, maps={})
    most = in_words(bare, "cross", weights)[0].max()
    return Scene(as_map(most), lambda scale: look_figure(bare, "cross", weights, what, float(scale)))


def _of_photo(view: ImageView) -> Scene:
    last = view.chosen()[-1]
    heat = class_attention(last.weights, view.prefix, view.grid).mean(0)
    photo, (name, share) = fitted(view.photo, _PHOTO), view.predictions[0]
    who = "class token" if view.prefix else "mean of all patches"
    heads = f"head {last.heads[0]}" if len(last.heads) == 1 else f"mean of {len(last.heads)} heads"
    titles = f"{name} {100 * share:.0f} %", f"{who}, layer {last.layer}, {heads}"
    return Scene(as_map(heat.max()), lambda scale: draw_beside(photo, heat, titles, float(scale)))


def _of_words(view: CaptionView) -> Scene:
    looked, words = looked_words(view)
    photo = fitted(view.photo, _PHOTO)
    most = np.array([heat.max() for heat in looked], dtype=np.float32)
    return Scene(most, lambda scales: draw_words(photo, looked, words, most=scales.tolist()))


def _of_pair(view: PairView) -> Scene:
    bare = replace(view, maps=({}, {}))
    most = np.abs(pair_values(view)).max()
    return Scene(as_map(most), lambda scale: pair_figure(bare, float(scale)))
