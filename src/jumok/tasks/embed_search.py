"""Which sentences of many are nearest to a query: by every product, or by an index that looks at a few."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jumok.errors import UserError
from jumok.metrics.similarity import INSTALL, Vectors

_CELLS = 1 << 26  # products held at once: 256 MiB


@dataclass(frozen=True)
class Hit:
    """A sentence that was found: its cosine with the query (-1 to 1), its line, counted from 1, and its text."""

    similarity: float
    line: int
    text: str


class Index:
    """Sentences with their vectors (N, D), ready to be searched; empty ones, and later ones that say the same, are not.

    `approximate` builds a graph of neighbours (HNSW, Malkov and Yashunin 2018) with usearch. Raises `UserError` where
    that is not installed, or nothing is left to be found.
    """

    def __init__(self, lines: Sequence[str], vectors: Vectors, *, approximate: bool = False) -> None:
        first: dict[str, int] = {}
        for place, line in enumerate(lines):
            text = " ".join(line.split())
            if text:
                first.setdefault(text, place)
        if not first:
            raise UserError("there is no sentence to find: every line of the corpus is empty")
        self.places = np.fromiter(first.values(), dtype=np.int64)
        self.lines, self.vectors = lines, np.ascontiguousarray(vectors[self.places], dtype=np.float32)
        self._graph = _graph(self.vectors) if approximate else None

    def search(self, queries: Vectors, top: int) -> list[list[Hit]]:
        """The `top` nearest sentences of each query (Q, D), nearest first; among equals the earlier line first."""
        top = min(top, len(self.places))
        if self._graph is not None:
            return [self._near(self._graph.search(query, top).keys.astype(np.int64), query) for query in queries]
        step = max(1, _CELLS // len(self.places))
        return [
            hits for start in range(0, len(queries), step) for hits in self._exact(queries[start : start + step], top)
        ]

    def _exact(self, queries: Vectors, top: int) -> list[list[Hit]]:
        found = []
        for products in queries @ self.vectors.T:
            # all that may be among the best, then in order
            edge = np.partition(products, -top)[-top]
            near = np.flatnonzero(products >= edge)
            best = near[np.lexsort((near, -products[near]))][:top]
            found.append([self._hit(place, products[place]) for place in best])
        return found

    def _near(self, keys: NDArray[np.int64], query: Vectors) -> list[Hit]:
        products = self.vectors[keys] @ query
        return [self._hit(keys[i], products[i]) for i in np.lexsort((keys, -products))]

    def _hit(self, place: np.int64, similarity: np.float32) -> Hit:
        line = int(self.places[place])
        return Hit(float(similarity), line + 1, self.lines[line])


def read_vectors(path: Path, lines: int, width: int) -> Vectors:
    """The vectors that `jumok embed` wrote. Raises `UserError` if they are not of so many lines, or so wide."""
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"cannot read {path}: {error}; write it with `jumok embed`") from error
    if vectors.ndim != 2 or vectors.dtype != np.float32 or vectors.shape != (lines, width):
        raise UserError(
            f"{path} holds {vectors.dtype} of {' x '.join(map(str, vectors.shape))}; {lines:,} vectors of {width:,} "
            "numbers are needed: write it anew with `jumok embed`, of this corpus and run"
        )
    return np.asarray(vectors, dtype=np.float32)


def _graph(vectors: Vectors) -> Any:
    try:
        usearch = import_module("usearch.index")
    except ImportError:
        raise UserError(f"--approximate needs usearch: {INSTALL}") from None
    graph = usearch.Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
    graph.add(np.arange(len(vectors)), vectors, threads=1)  # one thread: the same graph every time
    return graph
