"""One self-contained page on which a ViT's look at a photo is seen, and its figures as PNG: no network, ko and en."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jumok.files import atomic_write
from jumok.insight import image_captions as said
from jumok.insight.choice import EVERYTHING, Choice, Chosen
from jumok.insight.figures import figures_folder, png
from jumok.insight.image_captions import Caption
from jumok.insight.image_figures import (
    VEIL,
    Photo,
    data_url,
    draw_beside,
    draw_distances,
    draw_filters,
    draw_layers,
    draw_positions,
    fitted,
    heat_colors,
    picture_url,
)
from jumok.insight.image_maps import (
    Grid,
    attention_distance,
    class_attention,
    distances,
    filters,
    position_similarity,
    rollout,
)
from jumok.insight.maps import Map, Weights, as_map
from jumok.insight.viewer import fill_page, pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILTERS = 28  # as many as figure 7 of the paper shows
SHARPEST = 800  # pixels of the longer side of the photo on the page
# past these weights the page leaves out what single patches looked at (a ViT-L of 14 x 14 patches has 15 million)
LARGEST = 20_000_000


@dataclass(frozen=True)
class Resnet:
    """What a ResNet trained on the same images puts beside the ViT.

    Attributes:
        receptive: side in pixels of what one unit of each layer can see, first layer first.
        filters: weight of its first convolution, ``(D, C, k, k)``.
    """

    receptive: Sequence[float]
    filters: Weights


@dataclass(frozen=True)
class ImageView:
    """The attention over one photo, ready to be drawn.

    Attributes:
        photo: what the model saw (cut out as it was, in any resolution), uint8 ``(H, W, C)``.
        maps: ``(H, Q, K)`` of each layer, first layer first, with ``Q = K = prefix + h * w``.
        prefix: tokens before the patches: 0 (mean pooling), 1 (class token) or 2 (class and distillation token).
        grid: (h, w) of the patches.
        patch: side of a patch in pixels of the model's input (with a stem in front: how far apart the patches are).
        predictions: the most probable classes with their probabilities (0-1), best first.
        projection: weight of the patch projection ``(D, C, p, p)``; its principal components are drawn.
        stem: weight of the first convolution of a hybrid ``(D, C, k, k)``; its filters are drawn instead.
        positions: position embeddings of the patches ``(h * w, D)``, without those of the prefix.
        resnet: the rival, if there is one.
        truth: the photo's label, if known.
        model: a line on the model, shown under the title.
        choice: which layers and heads are shown; rollout and attention distance are of all.
    """

    photo: Photo
    maps: Sequence[Weights]
    prefix: int
    grid: Grid
    patch: int
    predictions: Sequence[tuple[str, float]]
    projection: Weights | None = None
    stem: Weights | None = None
    positions: Weights | None = None
    resnet: Resnet | None = None
    truth: str | None = None
    model: str = ""
    choice: Choice = EVERYTHING

    def chosen(self) -> list[Chosen]:
        """What is shown, first layer first."""
        return self.choice.pick({f"encoder.blocks.{at}.attention": weights for at, weights in enumerate(self.maps)})


@dataclass(frozen=True)
class Plate:
    """A figure, and its caption by language ("en", "ko"); no caption where the page itself shows it."""

    figure: "Figure"
    captions: dict[str, Caption]

    @cached_property
    def png(self) -> bytes:
        """The figure as a PNG file."""
        return png(self.figure)


def image_plates(view: ImageView, of_model: dict[str, Plate] | None = None) -> dict[str, Plate]:
    """Every figure of a photo by name: "layers", "rollout", "distance", and where known "filters" and "positions".

    Of many photos `of_model` is what `model_plates` made of the first.
    Raises `UserError` if matplotlib is not installed, `ValueError` if there is no map or one does not fit.
    """
    if not view.maps:
        raise ValueError("a page needs at least one layer's map")
    maps = [as_map(weights) for weights in view.maps]
    shown = view.chosen()
    looked = [class_attention(layer.weights, view.prefix, view.grid) for layer in shown]
    numbers = [layer.layer for layer in shown], list(shown[0].heads)
    rolled = rollout(maps, view.prefix, view.grid)
    plates = {
        "layers": Plate(draw_layers(view.photo, looked, *numbers), {}),
        "rollout": Plate(draw_beside(view.photo, rolled, ("photo", "rollout")), said.ROLLOUT),
        "distance": _distance(view, maps),
    }
    return plates | (model_plates(view) if of_model is None else of_model)


def model_plates(view: ImageView) -> dict[str, Plate]:
    """The figures that are the same for every photo of a model: "filters" and "positions", where they are known."""
    plates = {}
    if view.stem is not None or view.projection is not None:
        plates["filters"] = _filters(view)
    if view.positions is not None:
        similarity = position_similarity(view.positions, view.grid)
        plates["positions"] = Plate(draw_positions(similarity), said.POSITIONS)
    return plates


def write_image_page(path: Path, view: ImageView, title: str) -> Path:
    """Write the page of `view` to `path` and its figures into a folder beside it, which is returned.

    Raises `UserError` where they cannot be written.
    """
    plates = image_plates(view)
    folder = figures_folder(path)
    for name, plate in plates.items():
        atomic_write(folder / f"{name}.png", plate.png)
    atomic_write(path, image_attention_page(view, plates, title))
    return folder


def image_attention_page(view: ImageView, plates: dict[str, Plate], title: str) -> str:
    """A page of HTML that needs nothing but itself: the photo, every layer and head over it, the plates below.

    Weights are kept to 1/255 of the largest in their row; of over 20 million the page keeps the class token's only.
    Raises `ValueError` if a map does not fit.
    """
    photo = fitted(view.photo, SHARPEST)
    shown = view.chosen()
    layers = [_rows(layer.weights, view.prefix, view.grid) for layer in shown]
    heads = max(len(rows) for rows in layers)
    if any(len(rows) != heads for rows in layers):
        raise ValueError("the page wants as many heads in each layer")
    tokens = max(view.prefix, 1)
    whole = sum(rows.size for rows in layers) <= LARGEST
    rolled = [rollout(view.maps[: layer.layer], view.prefix, view.grid) for layer in shown]
    data = {
        "title": title,
        "model": view.model,
        "truth": view.truth,
        "photo": picture_url(photo),
        "size": list(photo.shape[:2]),
        "grid": list(view.grid),
        "prefix": view.prefix,
        "patch": view.patch,
        "heads": heads,
        "numbers": {"layers": [layer.layer for layer in shown], "of": len(view.maps), "heads": list(shown[0].heads)},
        "layers": [
            {
                "tokens": _packed(rows[:, :tokens]),
                "patches": _packed(rows[:, tokens:]) if whole else None,
                "distance": [
                    round(float(d), 2) for d in attention_distance(layer.weights, view.prefix, view.grid, view.patch)
                ],
            }
            for rows, layer in zip(layers, shown, strict=True)
        ],
        "even": round(float(distances(view.grid, view.patch).mean()), 2),
        "rollout": _packed(np.stack(rolled).reshape(len(rolled), 1, -1)),
        "predictions": [[name, round(float(share), 5)] for name, share in view.predictions],
        "colors": heat_colors(),
        "veil": list(VEIL),
        "plates": [
            {"name": name, "png": data_url(plate.png), "captions": {k: vars(v) for k, v in plate.captions.items()}}
            for name, plate in plates.items()
            if plate.captions
        ],
    }
    return fill_page(
        "image.html", ["page.css", "image.css"], ["common.js", "image_views.js", "link.js", "image.js"], title, data
    )


def _rows(weights: Map, prefix: int, grid: Grid) -> Map:
    """The rows the page shows: the prefix (without one, the mean row), then the patches; keys as they are."""
    size = prefix + grid[0] * grid[1]
    if weights.ndim != 3 or weights.shape[1:] != (size, size):
        raise ValueError(f"a map of {weights.shape} for {prefix} tokens and {grid[0]} x {grid[1]} patches: (H, Q, K)")
    return weights if prefix else np.concatenate([weights.mean(1, keepdims=True), weights], axis=1)


def _packed(rows: Map) -> str:
    """``(H, Q, K)`` with a scale for each row: a row that is spread over all patches keeps its shades."""
    return pack(rows.reshape(-1, 1, rows.shape[-1]))


def _distance(view: ImageView, maps: list[Map]) -> Plate:
    heads = [attention_distance(weights, view.prefix, view.grid, view.patch).tolist() for weights in maps]
    receptive = view.resnet.receptive if view.resnet else ()
    figure = draw_distances(heads, view.grid, view.patch, receptive)
    return Plate(figure, said.joined(said.DISTANCE, said.WITH_RESNET if view.resnet else said.NO_RESNET))


def _filters(view: ImageView) -> Plate:
    theirs = None if view.resnet is None else as_map(view.resnet.filters)[:FILTERS]
    if view.stem is not None:
        figure, caption = (
            draw_filters(as_map(view.stem)[:FILTERS], "ViT: first convolution of the stem", theirs),
            said.STEM,
        )
    else:
        assert view.projection is not None  # or there is no such plate
        components = filters(view.projection, FILTERS)
        figure = draw_filters(components, "ViT: components of the patch projection", theirs)
        caption = said.COMPONENTS
    return Plate(figure, said.joined(caption, said.RESNET_FILTERS if view.resnet else said.NO_RESNET))
