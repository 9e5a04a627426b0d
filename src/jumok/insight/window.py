"""A part of a long text's attention: what its tokens FIRST to LAST looked at among themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jumok.errors import UserError
from jumok.insight.choice import numbers
from jumok.insight.maps import Map, Weights, as_map
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
    first, last = window
    lengths = {"source": len(view.source), "target": len(view.target)}
    if first > max(lengths.values()):
        raise UserError(
            f"there is no token {first}: the source has {lengths['source']}, the output {lengths['target']} tokens"
        )
    sides = view.sides()
    # a side that ends before the window keeps its last token, for a map has at least one row and one key
    starts = {name: min(first, length) - 1 for name, length in lengths.items()}
    starts["read"] = starts["target"]
    parts = {name: slice(start, max(last, start + 1)) for name, start in starts.items()}
    spans = {
        name: f"{starts[name] + 1}-{min(parts[name].stop, length)} of {length}" for name, length in lengths.items()
    }
    note = f"tokens {spans['source']} read, {spans['target']} written; weights to tokens outside are left out"
    source, target = parts["source"], parts["target"]
    return replace(
        view,
        source=sides["source"][0][source],
        target=sides["target"][0][target],
        source_words=_from_zero(sides["source"][1][source]),
        target_words=_from_zero(sides["target"][1][target]),
        begin=sides["read"][0][target.start],
        maps=_cut(view.maps, parts),
        model=f"{view.model} · {note}" if view.model else note,
    )


def fitting(views: Sequence[AttentionView], most: int) -> int:
    """How many tokens of these views, from their first on, have at most `most` weights together; at least 1."""
    shapes: list[tuple[int, ...]] = [each.weights.shape for view in views for each in view.choice.pick(view.maps)]
    count = max(max(shape[1:]) for shape in shapes)
    while count > 1 and sum(heads * min(count, rows) * min(count, keys) for heads, rows, keys in shapes) > most:
        count -= 1
    return count


def _cut(maps: Mapping[str, Weights], parts: dict[str, slice]) -> dict[str, Map]:
    cut = {}
    for name, weights in maps.items():
        rows, keys = (parts[side] for side in SIDES[kind_of(name)])
        cut[name] = as_map(weights)[:, rows, keys]
    return cut


def _from_zero(words: Sequence[int]) -> list[int]:
    return [word - words[0] for word in words]
