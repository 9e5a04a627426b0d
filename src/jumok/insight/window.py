"""A part of a long text: what its tokens FIRST to LAST looked at among themselves, and what they add to a pair."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from jumok.errors import UserError
from jumok.insight.choice import numbers
from jumok.insight.maps import Map, Weights, as_map
from jumok.insight.pair_viewer import PairView
from jumok.insight.recorded import kind_of
from jumok.insight.viewer import SIDES, AttentionView

Window = tuple[int, int]


def read_window(option: str, text: str) -> Window:
    """(first, last) of ``"101-200"``, counted from 1. Raises `UserError` naming `option` if it is not so written."""
    found = numbers(option, text)
    if "," in text:
        raise UserError(f"{option} {text}: a window is one part; write FIRST-LAST, as in 101-200")
    return found[0], found[-1]


def windowed(view: AttentionView, window: Window) -> AttentionView:
    """The tokens `window` (first, last, from 1) of the source and of the target, as far as each goes.

    Weights are as they were: what was given to tokens outside is not shown, so that rows may sum to less than 1. The
    line on the model says so. Raises `UserError` if neither side is so long.
    """
    source, target = _parts(window, {"source": len(view.source), "output": len(view.target)})
    sides = view.sides()
    parts = {"source": source, "target": target, "read": target}
    spans = _said(source, view.source), _said(target, view.target)
    note = f"tokens {spans[0]} read, {spans[1]} written; weights to tokens outside are left out"
    return replace(
        view,
        source=sides["source"][0][source],
        target=sides["target"][0][target],
        source_words=_from_zero(sides["source"][1][source]),
        target_words=_from_zero(sides["target"][1][target]),
        begin=sides["read"][0][target.start],
        maps={
            name: _cut(weights, *(parts[side] for side in SIDES[kind_of(name)])) for name, weights in view.maps.items()
        },
        model=_noted(view.model, note),
    )


def windowed_pair(view: PairView, window: Window) -> PairView:
    """The tokens `window` (first, last, from 1) of both sentences, as far as each goes.

    Similarity and values are as they were: what pairs outside add to it is in `rest`. The line on the model says so.
    Raises `UserError` if neither sentence is so long.
    """
    first, second = _parts(window, {"first sentence": len(view.pieces[0]), "second": len(view.pieces[1])})
    numbers = view.word_numbers()
    contributions = None if view.contributions is None else as_map(view.contributions)[first, second]
    spans = _said(first, view.pieces[0]), _said(second, view.pieces[1])
    note = f"tokens {spans[0]} and {spans[1]}; weights to tokens outside are left out"
    if contributions is not None:
        note += ", what they add is in the rest"
    return replace(
        view,
        pieces=(view.pieces[0][first], view.pieces[1][second]),
        cosines=as_map(view.cosines)[first, second],
        contributions=contributions,
        rest=0.0 if contributions is None else view.similarity - float(contributions.sum(dtype=np.float64)),
        maps=(_square(view.maps[0], first), _square(view.maps[1], second)),
        words=(_from_zero(numbers[0][first]), _from_zero(numbers[1][second])),
        model=_noted(view.model, note),
    )


def longest(views: Sequence[AttentionView | PairView]) -> int:
    """Tokens of the longest side of these views."""
    return max(max(shape[1:]) for view in views for shape in view.shapes())


def weight_count(views: Sequence[AttentionView | PairView], tokens: int | None = None) -> int:
    """How many weights are shown of these views, of all their tokens or of the first `tokens` of each."""
    most = longest(views) if tokens is None else tokens
    shapes = [shape for view in views for shape in view.shapes()]
    return sum(heads * min(most, rows) * min(most, keys) for heads, rows, keys in shapes)


def fitting(views: Sequence[AttentionView | PairView], most: int) -> int:
    """How many tokens of these views, from their first on, have at most `most` weights together; at least 1."""
    count = longest(views)
    while count > 1 and weight_count(views, count) > most:
        count -= 1
    return count


def _parts(window: Window, lengths: Mapping[str, int]) -> list[slice]:
    """Of each text of these lengths the part in `window`."""
    first, last = window
    if first > max(lengths.values()):
        (one, tokens), (other, more) = lengths.items()
        raise UserError(f"there is no token {first}: the {one} has {tokens}, the {other} {more} tokens")
    # a text that ends before the window keeps its last token, for a map has at least one row and one key
    starts = [min(first, length) - 1 for length in lengths.values()]
    return [slice(start, max(last, start + 1)) for start in starts]


def _said(part: slice, pieces: Sequence[str]) -> str:
    return f"{part.start + 1}-{min(part.stop, len(pieces))} of {len(pieces)}"


def _noted(model: str, note: str) -> str:
    return f"{model} · {note}" if model else note


def _cut(weights: Weights, rows: slice, keys: slice) -> Map:
    return as_map(weights)[:, rows, keys]


def _square(maps: Mapping[str, Weights], part: slice) -> dict[str, Map]:
    return {name: _cut(weights, part, part) for name, weights in maps.items()}


def _from_zero(words: Sequence[int]) -> list[int]:
    return [word - words[0] for word in words]
