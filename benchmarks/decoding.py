"""What the three sides of the decoding rows share: the sentences, their order, the count of tokens."""

from collections.abc import Callable
from typing import Any

from benchmarks import worker

Translate = Callable[[list[list[int]]], list[list[int]]]
"""Sources in pieces, longest first, to outputs of the asked number of tokens, in that order."""


def serve(load: Callable[[dict[str, Any]], Translate], *packages: str) -> None:
    """Get ready, warm up on a few sentences, and translate all of them at each "go"."""
    asked = worker.settings()
    sentences: list[list[int]] = worker.read("sentences")[: asked["sentences"]]
    order = sorted(range(len(sentences)), key=lambda i: -len(sentences[i]))
    rows = [sentences[i] for i in order]
    translate = load(asked)
    if asked["warm"]:
        translate(rows[: min(asked["batch"], 32)])
    worker.ready(*packages)

    def turn() -> tuple[float, dict[str, Any]]:
        outputs = [translate([row])[0] for row in rows] if asked["single"] else translate(rows)
        more = {"outputs": [outputs[order.index(i)] for i in range(len(rows))]} if asked["outputs"] else {}
        return float(len(rows) * asked["tokens"]), more

    worker.serve(turn)


def portions(rows: list[list[int]], size: int) -> list[list[list[int]]]:
    """The rows in batches of `size`."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]
