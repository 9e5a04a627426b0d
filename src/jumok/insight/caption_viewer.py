"""One self-contained page that shows, word by word, where on a photo its writer looked: no network, ko and en."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jumok.files import atomic_write
from jumok.insight.choice import EVERYTHING, Choice, Chosen
from jumok.insight.figures import figures_folder, png
from jumok.insight.image_figures import VEIL, Photo, draw_words, fitted, heat_colors, picture_url
from jumok.insight.image_maps import Grid
from jumok.insight.maps import SPECIAL, Map, Weights, average, join_words, word_ids, word_labels
from jumok.insight.recorded import kind_of
from jumok.insight.viewer import fill_page, notebook_frame, pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARPEST = 800  # pixels of the longer side of the photo on the page
_SPACES = ("▁", "Ġ", " ")
_STYLES = ("page.css", "image.css", "caption.css")
_SCRIPTS = ("common.js", "image_views.js", "caption_words.js", "link.js", "player.js", "caption.js")


@dataclass(frozen=True)
class CaptionView:
    """The look of a captioner or a reader at one photo, ready to be drawn.

    Attributes:
        photo: what the model saw (cut out as it was, in any resolution), uint8 ``(H, W, C)``.
        pieces: what it wrote, piece by piece, with the end token where it wrote one.
        maps: module path -> ``(H, Q, K)``, as `record` names them; row i is the step that wrote piece i, and ``K =
            prefix + h * w``. Of several kinds only cross-attention (``...cross``) is drawn; where there is none, as in
            a CTC reader, all are.
        prefix: tokens before the places of the grid.
        grid: (h, w) of the places that were looked at.
        caption: the text.
        model: a line on the model, shown under the title.
        truth: what was asked for, if known.
        words: word number of each piece; by default by the rule of `maps.word_ids`.
        choice: which of the maps are drawn.
    """

    photo: Photo
    pieces: Sequence[str]
    maps: Mapping[str, Weights]
    prefix: int
    grid: Grid
    caption: str
    model: str = ""
    truth: str | None = None
    words: Sequence[int] | None = None
    choice: Choice = EVERYTHING

    def chosen(self) -> list[Chosen]:
        """What is drawn, first layer first: cross-attention, or where there is none all."""
        cross = {name: weights for name, weights in self.maps.items() if kind_of(name) == "cross"}
        return self.choice.pick(cross or self.maps)

    def _repr_html_(self) -> str:
        """The page of this photo, in a notebook."""
        return notebook_frame(caption_attention_page(self, self.caption))


def write_caption_page(path: Path, view: CaptionView, title: str) -> Path:
    """Write the page of `view` to `path` and its strip of words as PNG into a folder beside it, which is returned.

    Raises `UserError` where they cannot be written.
    """
    page, strip = caption_attention_page(view, title), words_png(view)
    folder = figures_folder(path)
    atomic_write(folder / "words.png", strip)
    atomic_write(path, page)
    return folder


def words_png(view: CaptionView) -> bytes:
    """`words_figure` as a PNG file."""
    return png(words_figure(view))


def words_figure(view: CaptionView) -> "Figure":
    """The photo once for each word, under the mean look of the layers and heads that are drawn."""
    return draw_words(view.photo, *looked_words(view))


def looked_words(view: CaptionView) -> tuple[list[Map], list[str]]:
    """What was looked at for each word ``(h, w)``, the mean of the layers and heads that are drawn; and the words."""
    mean = average([layer.weights for layer in _layers(view)])[:, view.prefix :]
    return list(mean.reshape(-1, *view.grid)), [label for label, _, _ in _words(view)]


def caption_attention_page(view: CaptionView, title: str) -> str:
    """A page of HTML that needs nothing but itself: the photo, the words, every layer and head over it for each word.

    Weights are kept to 1/255 of the largest in their row. Raises `ValueError` if there is no map or one does not fit.
    """
    layers, photo = _layers(view), fitted(view.photo, SHARPEST)
    data: dict[str, Any] = {
        "title": title,
        "model": view.model,
        "caption": view.caption,
        "truth": view.truth,
        "photo": picture_url(photo),
        "size": list(photo.shape[:2]),
        "grid": list(view.grid),
        "prefix": view.prefix,
        "heads": len(layers[0].heads),
        "numbers": list(layers[0].heads),
        "words": [list(word) for word in _words(view)],
        "layers": [
            # a scale for each row: one that is spread over all places keeps its shades
            {
                "name": layer.name,
                "number": layer.layer,
                "rows": pack(layer.weights.reshape(-1, 1, layer.weights.shape[-1])),
            }
            for layer in layers
        ],
        "colors": heat_colors(),
        "veil": list(VEIL),
    }
    return fill_page("caption.html", _STYLES, _SCRIPTS, title, data)


def _layers(view: CaptionView) -> list[Chosen]:
    """What is drawn, a row a word."""
    chosen = view.chosen()
    if not chosen or not view.pieces:
        raise ValueError("a page needs at least one layer's map, and a piece that was written")
    rows, keys = len(view.pieces), view.prefix + view.grid[0] * view.grid[1]
    for layer in chosen:
        shape = layer.weights.shape
        if len(shape) != 3 or shape[1:] != (rows, keys):
            raise ValueError(f"{layer.name} is {shape}, but there are {rows} pieces and {keys} places (H, Q, K)")
    if len({layer.heads for layer in chosen}) > 1:
        raise ValueError("the page wants as many heads in each layer")
    return [replace(layer, weights=join_words(layer.weights, _numbers(view))) for layer in chosen]


def _words(view: CaptionView) -> list[tuple[str, bool, bool]]:
    """Of each word: its text, whether it is the tokenizer's own (the end), and whether a space stands before it."""
    numbers = _numbers(view)
    labels = word_labels(view.pieces, numbers)
    firsts = [view.pieces[numbers.index(word)] for word in range(len(labels))]
    return [(label, first in SPECIAL, first.startswith(_SPACES)) for label, first in zip(labels, firsts, strict=True)]


def _numbers(view: CaptionView) -> list[int]:
    return list(word_ids(view.pieces) if view.words is None else view.words)
