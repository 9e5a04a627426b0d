"""Figures of what a ViT learnt and where it looked, drawn from the numbers of `image_maps`; a ResNet stands beside it.

Everything takes plain arrays and returns a matplotlib figure, without a screen; `figures.png` makes a file of it.
"""

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from jumok.insight.figures import PALETTE, canvas, drawable, fonts
from jumok.insight.image_maps import Grid, distances
from jumok.insight.maps import Map, Weights, as_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Photo = npt.NDArray[np.uint8]

HEAT = "inferno"  # dark to light in equal steps, so it reads the same in grey and by colour-blind eyes
# opacity of the heat over the photo, at no weight and at the most: what was not looked at is dark, what was shows
VEIL = (0.72, 0.4)
_CELL = 160  # pixels of a small picture


def heat_colors() -> list[str]:
    """The 256 colours of `HEAT`, least first, as #rrggbb."""
    return ["#" + "".join(f"{channel:02x}" for channel in color) for color in _colors().tolist()]


def rgb(photo: Photo) -> Photo:
    """A photo ``(H, W, C)`` as red, green, blue: of two or four channels the last is opacity and is left out.

    Raises `ValueError` if it is not uint8 of 1 to 4 channels.
    """
    if photo.dtype != np.uint8 or photo.ndim != 3 or not 1 <= photo.shape[2] <= 4:
        raise ValueError(f"a photo is uint8 (H, W, C) of 1 to 4 channels, not {photo.dtype} {photo.shape}")
    return np.repeat(photo[..., :1], 3, axis=2) if photo.shape[2] < 3 else photo[..., :3]


def picture_url(photo: Photo) -> str:
    """The photo as a PNG inside of a page."""
    from PIL import Image  # matplotlib brings it

    content = BytesIO()
    Image.fromarray(photo).save(content, format="PNG")
    return data_url(content.getvalue())


def data_url(content: bytes) -> str:
    """A PNG file inside of a page."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def fitted(photo: Photo, side: int) -> Photo:
    """`rgb` of the photo, reduced until neither side is longer than `side` pixels."""
    from PIL import Image  # matplotlib brings it

    picture = Image.fromarray(rgb(photo))
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def upsample(heat: Weights, height: int, width: int) -> Map:
    """``(h, w)`` at `height` x `width`, bilinear between the centres of the patches and flat beyond the outer ones."""
    rows, columns = as_map(heat).shape
    down, across = _between(rows, height), _between(columns, width)
    return as_map(down @ as_map(heat) @ across.T)


def overlay(photo: Photo, heat: Weights, most: float | None = None) -> Photo:
    """The photo under a veil of heat: dark where no weight lies, clear and warm at `most`, ``(H, W, 3)``.

    By default `most` is the largest weight of `heat`.
    """
    picture = rgb(photo)
    scale = (float(as_map(heat).max()) if most is None else most) or 1.0  # a map of zeros stays dark
    steps = (upsample(heat, picture.shape[0], picture.shape[1]) / scale).clip(0, 1)
    tint = _colors()[np.rint(steps * 255).astype(int)]
    veil = (VEIL[0] + (VEIL[1] - VEIL[0]) * steps)[..., None]
    return np.asarray(np.rint(picture * (1 - veil) + tint * veil), dtype=np.uint8)


def draw_layers(
    photo: Photo, layers: Sequence[Weights], numbers: Sequence[int] = (), head_numbers: Sequence[int] = ()
) -> "Figure":
    """What the class token looked at: a row a layer; the mean of its heads, then each head ``(H, h, w)``.

    `numbers` are those of the layers, `head_numbers` those of the heads, where some were left out.
    """
    small = _enlarged(fitted(photo, _CELL), _CELL)
    height, width = small.shape[:2]
    columns = 1 + max(len(heads) for heads in layers)
    blank = np.full_like(small, 255)
    cells = []
    for heads in map(as_map, layers):
        row = [overlay(small, heat) for heat in (heads.mean(0), *heads)]
        cells += [*row, *[blank] * (columns - len(row))]
    figure, axis = canvas(width=0.7 + columns, height=0.6 + len(layers) * height / width)
    axis.imshow(tiles(as_map(np.stack(cells) / 255), columns, gap=1.0))
    places = [number * (width + 1) + (width - 1) / 2 for number in range(columns)]
    axis.set_xticks(places, ["mean", *map(str, head_numbers or range(1, columns))])
    places = [number * (height + 1) + (height - 1) / 2 for number in range(len(layers))]
    axis.set_yticks(places, list(map(str, numbers or range(1, 1 + len(layers)))))
    axis.xaxis.tick_top()
    axis.xaxis.set_label_position("top")
    axis.set_xlabel("head")
    axis.set_ylabel("layer")
    _bare(axis)
    return figure


def draw_words(
    photo: Photo,
    looked: Sequence[Weights],
    words: Sequence[str],
    columns: int = 5,
    most: Sequence[float] | None = None,
) -> "Figure":
    """The photo, then for each word the photo under what was looked at for it ``(h, w)``, row by row.

    As in Xu et al. 2015, "Show, Attend and Tell", figure 3. `most` is the weight of each word that is brightest, by
    default its largest.
    """
    shown = _enlarged(fitted(photo, 2 * _CELL), 2 * _CELL)
    scales = [float(as_map(heat).max()) for heat in looked] if most is None else most
    pictures = [shown, *(overlay(shown, heat, scale) for heat, scale in zip(looked, scales, strict=True))]
    shape, columns = shown.shape[0] / shown.shape[1], min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    figure, axes = canvas(rows, columns, squeeze=False, width=2.0 * columns, height=rows * (0.3 + 1.95 * shape))
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, picture, word in zip(axes.flat, pictures, ["", *map(drawable, words)], strict=False):
        axis.imshow(picture)
        axis.set_title(word, fontsize=12, fontfamily=fonts(), parse_math=False)
    return figure


def draw_beside(photo: Photo, heat: Weights, titles: tuple[str, str], most: float | None = None) -> "Figure":
    """The photo, and beside it the photo under what was looked at ``(h, w)``, each under its title.

    The weight `most` is brightest, by default the largest.
    """
    shown = _enlarged(fitted(photo, 3 * _CELL), 3 * _CELL)
    figure, axes = canvas(1, 2, width=7.0, height=0.4 + 3.4 * shown.shape[0] / shown.shape[1])
    for axis, picture, title in zip(axes, [shown, overlay(shown, heat, most)], titles, strict=True):
        axis.set_axis_off()
        axis.set_title(drawable(title), fontsize=11, fontfamily=fonts(), parse_math=False)
        axis.imshow(picture)
    return figure


def draw_distances(
    heads: Sequence[Sequence[float]], grid: Grid, patch: int, receptive: Sequence[float] = ()
) -> "Figure":
    """Mean attention distance of each head by layer, and a ResNet's receptive field by layer on the same axes.

    Args:
        heads: pixels, ``heads[layer][head]`` as `attention_distance` gives them.
        grid: (h, w) of the patches.
        patch: side of a patch in pixels.
        receptive: side in pixels of what one unit of each layer of the ResNet can see; empty without a ResNet.
    """
    figure, axis = canvas(width=6.0, height=4.2)
    layers = np.arange(1, len(heads) + 1)
    for layer, values in zip(layers, heads, strict=True):
        axis.scatter([layer] * len(values), values, s=26, color=PALETTE[0], alpha=0.65, linewidths=0)
    axis.plot(
        layers, [np.mean(values) for values in heads], color=PALETTE[0], marker="o", label="ViT: heads, and their mean"
    )
    even, side = float(distances(grid, patch).mean()), patch * max(grid)
    axis.axhline(even, color=PALETTE[6], linestyle="--", linewidth=1, label="looking at all patches alike")
    if receptive:
        axis.plot(
            np.arange(1, len(receptive) + 1), receptive, color=PALETTE[1], marker="s", markersize=4,
            label="ResNet: receptive field",
        )  # fmt: skip
    if receptive and max(receptive) > side:
        axis.axhline(side, color=PALETTE[7], linestyle=":", linewidth=1, label=f"side of the image ({side} px)")
    # past the image's side a receptive field says nothing more
    highest = max([even, *(value for values in heads for value in values), *np.minimum(receptive, side)])
    axis.set_ylim(0, 1.08 * highest or 1.0)  # one patch alone looks nowhere else
    axis.set_xlabel("layer")
    axis.set_ylabel("pixels of the model's input")
    axis.legend(frameon=False, fontsize=9)
    return figure


def draw_filters(ours: Weights, name: str, theirs: Weights | None = None, columns: int = 7) -> "Figure":
    """The first layer's filters ``(count, C, p, p)``, each stretched to the full range; a ResNet's beside them."""
    both = [(name, as_map(ours))] + ([("ResNet: first convolution", as_map(theirs))] if theirs is not None else [])
    rows = max(-(-len(kernels) // columns) for _, kernels in both)
    figure, axes = canvas(1, len(both), squeeze=False, width=3.3 * len(both), height=0.5 + 3.1 * rows / columns)
    for axis, (title, kernels) in zip(axes[0], both, strict=True):
        axis.set_axis_off()
        axis.set_anchor("N")
        axis.set_title(title, fontsize=10)
        axis.imshow(
            tiles(np.stack([_colored(kernel) for kernel in kernels]), columns, gap=1.0), interpolation="nearest"
        )
    return figure


def draw_positions(similarity: Weights) -> "Figure":
    """Cosine similarity ``(h, w, h, w)`` of the position embeddings: at the place of each patch, its map to all."""
    maps = as_map(similarity)
    rows, columns = maps.shape[:2]
    figure, axis = canvas(width=6.2, height=0.6 + 5.0 * rows / columns)
    _bare(axis)
    picture = tiles(maps.reshape(rows * columns, *maps.shape[2:], 1), columns)[..., 0]
    shown = axis.imshow(picture, vmin=-1, vmax=1, cmap="viridis", interpolation="nearest")
    for size, mark in ((columns, axis.set_xticks), (rows, axis.set_yticks)):
        numbers = range(0, size, 1 if size < 10 else 2)
        mark([number * (size + 1) + (size - 1) / 2 for number in numbers], [str(number + 1) for number in numbers])
    axis.set_xlabel("column of the patch")
    axis.set_ylabel("row of the patch")
    figure.colorbar(shown, ax=axis, shrink=0.8, label="cosine similarity")
    return figure


def tiles(pictures: Map, columns: int, gap: float = np.nan) -> Map:
    """Pictures ``(n, h, w, c)`` beside and below each other, `columns` in a row, one pixel of `gap` between them."""
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    out = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), gap, dtype=np.float32)
    for at, picture in enumerate(pictures):
        top, left = at // columns * (height + 1), at % columns * (width + 1)
        out[top : top + height, left : left + width] = picture
    return out


def _colored(kernel: Map) -> Map:
    """A filter ``(C, p, p)`` as ``(p, p, 3)`` in 0-1, zero the middle grey; but for three channels, their mean."""
    picture = kernel if len(kernel) == 3 else kernel.mean(0, keepdims=True).repeat(3, 0)
    most = float(np.abs(picture).max())
    return as_map(0.5 + 0.5 * picture / most if most else np.full_like(picture, 0.5)).transpose(1, 2, 0)


def _enlarged(photo: Photo, side: int) -> Photo:
    """A small photo enlarged by whole pixels to about `side`, so that heat over it can be smooth."""
    factor = max(1, round(side / max(photo.shape[:2])))
    return photo.repeat(factor, 0).repeat(factor, 1)


def _bare(axis: "Axes") -> None:
    """Nothing around a picture but its labels."""
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)


def _between(patches: int, pixels: int) -> Map:
    """``(pixels, patches)``: the share of each patch in each pixel of one axis."""
    at = ((np.arange(pixels) + 0.5) * patches / pixels - 0.5).clip(0, patches - 1)
    return as_map(np.maximum(0, 1 - np.abs(at[:, None] - np.arange(patches))))


def _colors() -> npt.NDArray[np.int_]:
    from matplotlib import colormaps

    return np.asarray(np.rint(255 * colormaps[HEAT](np.arange(256))[:, :3]), dtype=int)
