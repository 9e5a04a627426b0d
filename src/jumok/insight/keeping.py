"""What was looked at, kept in a folder for other tools and for papers: maps, figures as PNG and SVG, what they are of.

::

    maps.npz       attention by module path, (1, H, Q, K), as `Maps.save` writes and `Maps.load` reads them
    about.json     the model, and what the rows and columns are: pieces, or the grid of a photo
    *.png, *.svg   the figures

Of two texts the maps are ``maps-1.npz`` and ``maps-2.npz``.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from jumok.files import atomic_write, make_room, write_folder
from jumok.insight.caption_viewer import CaptionView, words_figure
from jumok.insight.choice import Chosen
from jumok.insight.figures import png
from jumok.insight.image_viewer import ImageView, image_plates
from jumok.insight.pair_viewer import PairView, pair_figure
from jumok.insight.recorded import Maps
from jumok.insight.text_figures import attention_figures
from jumok.insight.vector import svg
from jumok.insight.viewer import AttentionView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

View = AttentionView | PairView | ImageView | CaptionView


@dataclass(frozen=True)
class Keepsake:
    """What is kept of one look.

    Attributes:
        maps: name of a file without its ending -> its maps.
        figures: the same of the figures.
        about: plain values that say what the rows and columns are.
    """

    maps: Mapping[str, Maps]
    figures: Mapping[str, "Figure"]
    about: Mapping[str, Any]


def keepsake(view: View) -> Keepsake:
    """What there is to keep of a view. Raises `UserError` if matplotlib is not installed."""
    about: dict[str, Any] = {"model": view.model}
    if isinstance(view, AttentionView):
        about |= {"text": view.source_text, "output": view.output_text}
        about |= {name: pieces for name, (pieces, _) in view.sides().items()}
        return Keepsake({"maps": _chosen(view.choice.pick(view.maps))}, attention_figures(view), about)
    if isinstance(view, ImageView):
        about |= {"prefix": view.prefix, "grid": view.grid, "predictions": view.predictions}
        figures = {name: plate.figure for name, plate in image_plates(view).items()}
        return Keepsake({"maps": _chosen(view.chosen())}, figures, about)
    if isinstance(view, CaptionView):
        about |= {"output": view.caption, "pieces": view.pieces, "prefix": view.prefix, "grid": view.grid}
        return Keepsake({"maps": _chosen(view.chosen())}, {"words": words_figure(view)}, about)
    about |= {"texts": view.texts, "pieces": view.pieces, "similarity": view.similarity}
    sides = list(zip(*view.chosen(), strict=True))  # none of a model without attention
    both = {f"maps-{number}": _chosen(layers) for number, layers in enumerate(sides, 1)}
    return Keepsake(both, {"pair": pair_figure(view)}, about)


def write_keepsakes(folder: Path, views: Iterable[tuple[str, View]]) -> None:
    """Write what there is to keep of each of `views` into ``folder/name``, all or nothing ("" is the folder itself).

    Raises `UserError` where the folder holds something already, or cannot be written.
    """
    make_room(folder)
    write_folder(folder, _filled(views))


def _filled(views: Iterable[tuple[str, View]]) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        for name, view in views:
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)
            kept = keepsake(view)
            for stem, maps in kept.maps.items():
                maps.save(place / f"{stem}.npz")
            for stem, figure in kept.figures.items():
                atomic_write(place / f"{stem}.png", png(figure))
                atomic_write(place / f"{stem}.svg", svg(figure))
            atomic_write(place / "about.json", json.dumps(kept.about, ensure_ascii=False, indent=2) + "\n")

    return fill


def _chosen(layers: Sequence[Chosen]) -> Maps:
    return Maps({layer.name: torch.from_numpy(np.ascontiguousarray(layer.weights))[None] for layer in layers})
