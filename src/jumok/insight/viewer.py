"""One self-contained page on which attention is seen: matrix, lines and text, no network, light and dark, ko and en."""

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from jumok.files import atomic_write
from jumok.insight.choice import EVERYTHING, Choice, Chosen
from jumok.insight.maps import (
    SPECIAL,
    Map,
    Weights,
    as_map,
    average,
    entropy,
    received,
    sinks,
    word_ids,
    word_labels,
)
from jumok.insight.recorded import Kind, kind_of

# kind -> whose pieces are its rows, whose its keys; `read` is what the decoder had read when it wrote a row
SIDES: dict[Kind, tuple[str, str]] = {
    "cross": ("target", "source"),
    "encoder": ("source", "source"),
    "decoder": ("target", "read"),
}
LARGEST = 100_000_000  # weights of a page: more would be a file of over 25 MB
THUMB = 64  # rows and keys past which a map's small picture is made here, so that the page need not unpack every layer
_STYLES = ("page.css", "panes.css")
_SCRIPTS = (
    "common.js", "data.js", "views.js", "words.js", "pane.js", "point.js", "link.js", "page_link.js", "player.js",
    "page.js",
)  # fmt: skip


@dataclass(frozen=True)
class AttentionView:
    """The attention of one sentence, ready to be drawn.

    Attributes:
        source: source pieces, the keys of the encoder and of cross-attention.
        target: target pieces with the end token; row i of a decoder's map is the step that wrote piece i.
        maps: module path -> ``(H, Q, K)``, as `record` names them: ``...cross`` is cross-attention, ``encoder...``
            the encoder's and ``decoder...`` the decoder's self-attention (over `begin` and the pieces before).
        source_text, output_text, reference: the sentence, what the model wrote, and what was asked for, if known.
        model: a line on the model, shown under the title.
        source_words, target_words: word number of each piece; by default by the rule of `maps.word_ids`.
        begin: the decoder's first input.
        choice: which of the maps are shown.
    """

    source: Sequence[str]
    target: Sequence[str]
    maps: Mapping[str, Weights]
    source_text: str
    output_text: str
    reference: str | None = None
    model: str = ""
    source_words: Sequence[int] | None = None
    target_words: Sequence[int] | None = None
    begin: str = "<s>"
    choice: Choice = EVERYTHING

    def shapes(self) -> list[tuple[int, ...]]:
        """``(H, Q, K)`` of every map that is shown."""
        return [chosen.weights.shape for chosen in self.choice.pick(self.maps)]

    def sides(self) -> dict[str, tuple[list[str], list[int]]]:
        """Pieces and their word numbers of the "source", the "target", and what was "read" for each target piece."""
        source, target = list(self.source), list(self.target)
        source_words = list(self.source_words or word_ids(source))
        target_words = list(self.target_words or word_ids(target))
        read = [self.begin, *target[:-1]], [0, *(word + 1 for word in target_words[:-1])]
        return {"source": (source, source_words), "target": (target, target_words), "read": read}

    def _repr_html_(self) -> str:
        """The page of this sentence, in a notebook."""
        return notebook_frame(attention_page([self], self.source_text))


def write_attention_page(
    path: Path, sentences: Sequence[AttentionView], title: str, beside: Sequence[AttentionView] | None = None
) -> None:
    """Write `attention_page` to `path`, whole or not at all; `UserError` where that is not possible."""
    atomic_write(path, attention_page(sentences, title, beside))


def attention_page(
    sentences: Sequence[AttentionView], title: str, beside: Sequence[AttentionView] | None = None
) -> str:
    """A page of HTML that needs nothing but itself; weights are kept to 1/255.

    Args:
        sentences: what one model saw, a sentence each.
        title: the heading.
        beside: what another model saw in the same sentences, in the same order; its layers, heads and pieces may
            differ. The page then shows both, and a source word pointed at in one is lit in the other.

    Raises:
        ValueError: there is no sentence, `beside` has more or fewer, or a map does not fit its pieces.
    """
    if not sentences:
        raise ValueError("a page needs at least one sentence")
    if beside is not None and len(beside) != len(sentences):
        raise ValueError(f"{len(sentences)} sentences of one model, but {len(beside)} of the other beside it")
    models = [sentences] if beside is None else [sentences, beside]
    data = {"title": title, "models": [[_sentence(view) for view in views] for views in models]}
    return fill_page("page.html", _STYLES, _SCRIPTS, title, data)


def notebook_frame(page: str, height: int = 640) -> str:
    """A page of this room as a frame in a notebook, `height` pixels high; its scripts run apart from the notebook's."""
    # no `allow-same-origin`: the page can reach nothing of the notebook
    style = f"width:100%;height:{height}px;border:0"
    return f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts" style="{style}"></iframe>'


def fill_page(template: str, styles: Sequence[str], scripts: Sequence[str], title: str, data: dict[str, Any]) -> str:
    """A page of this room: `template` between head.html and tail.html, which hold what all pages have in common.

    A template starts with its own security policy, for what it needs is its own matter.
    Put in are the title, the files `styles` and `scripts`, and `data` as JSON.
    """
    # inside a script element only "<" can end it; the rest is for old parsers
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    files = resources.files("jumok.insight")

    def read(names: Sequence[str]) -> str:
        return "\n".join((files / name).read_text(encoding="utf-8") for name in names)

    parts = {"title": escape(title), "style": read(styles), "script": read(scripts), "data": text}
    page = "".join((files / name).read_text(encoding="utf-8") for name in ("head.html", template, "tail.html"))
    # in one go: what is put in is not searched again
    return re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m[1]], page)


def pack(weights: Map) -> str:
    """``(H, Q, K)`` as base64 of deflate of: H float32 scales (each head's largest weight), H x Q x K bytes.

    A weight is ``byte * scale / 255``. Rounding is carried along the row, so that each weight, and the sum of any
    run of neighbours (a word, the row), is within ``scale / 255``.
    """
    scale = weights.max((1, 2), initial=0.0)
    steps = weights.astype(np.float64) * (255.0 / np.where(scale > 0, scale, 1.0))[:, None, None]
    ends = np.floor(steps.cumsum(-1) + 0.5)
    quantised = np.diff(ends, axis=-1, prepend=0.0).clip(0, 255).astype(np.uint8)
    return base64.b64encode(_deflate(scale.astype("<f4").tobytes() + quantised.tobytes())).decode()


def thumbs(weights: Map) -> Map:
    """``(H, Q, K)`` -> ``(H, q, k)`` with ``q = min(Q, 64)``, ``k = min(K, 64)``: the mean of each block of cells."""
    for axis in (1, 2):
        size = weights.shape[axis]
        parts = min(size, THUMB)
        starts = np.arange(parts) * size // parts
        sums = np.add.reduceat(weights, starts, axis=axis)
        counts = np.diff(starts, append=size).reshape((-1, 1) if axis == 1 else (-1,))
        weights = as_map(sums / counts)
    return weights


def _deflate(content: bytes) -> bytes:
    """The smaller of two ways: few repeats are found in bytes that vary, and looking for them costs room."""
    plain = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
    return min(zlib.compress(content, 6), plain.compress(content) + plain.flush(), key=len)


def _sentence(view: AttentionView) -> dict[str, Any]:
    sides = view.sides()
    groups: dict[Kind, list[Chosen]] = {kind: [] for kind in SIDES}
    for chosen in view.choice.pick(view.maps):
        kind = kind_of(chosen.name)
        groups[kind].append(_checked(chosen, *(sides[side][0] for side in SIDES[kind])))
    if not view.maps:
        raise ValueError("a page needs at least one map")
    return {
        "texts": {"source": view.source_text, "output": view.output_text, "reference": view.reference},
        "model": view.model,
        "sides": {name: _side(pieces, words) for name, (pieces, words) in sides.items()},
        "kinds": [_kind(kind, layers, sides[SIDES[kind][1]][0]) for kind, layers in groups.items() if layers],
    }


def _side(pieces: list[str], words: list[int]) -> dict[str, Any]:
    return {
        "pieces": pieces,
        "words": words,
        "labels": word_labels(pieces, words),
        "special": [int(piece in SPECIAL) for piece in pieces],
    }


def _kind(kind: Kind, layers: list[Chosen], keys: list[str]) -> dict[str, Any]:
    mean = average([layer.weights for layer in layers])
    rows_side, keys_side = SIDES[kind]
    hidden = sinks(keys, mean)
    # over all rows and layers: how much the page says is hidden
    share = float(received(mean)[hidden].sum())
    small = max(mean.shape) > THUMB
    return {
        "kind": kind,
        "rows": rows_side,
        "keys": keys_side,
        "sinks": hidden,
        "share": round(share, 4),
        "average": pack(mean[None]),
        "thumbs": pack(thumbs(np.stack([layer.weights.mean(0) for layer in layers]))) if small else None,
        "layers": [
            {
                "name": layer.name,
                "number": layer.layer,
                "heads": len(layer.weights),
                "numbers": list(layer.heads),
                "entropy": [round(float(bits), 3) for bits in entropy(layer.weights)],
                "thumbs": pack(thumbs(layer.weights)) if small else None,
                "data": pack(layer.weights),
            }
            for layer in layers
        ],
    }


def _checked(chosen: Chosen, rows: Sequence[str], keys: Sequence[str]) -> Chosen:
    shape = chosen.weights.shape
    if len(shape) != 3 or shape[1:] != (len(rows), len(keys)):
        raise ValueError(f"{chosen.name} is {shape}, but there are {len(rows)} rows and {len(keys)} keys (H, Q, K)")
    return chosen
