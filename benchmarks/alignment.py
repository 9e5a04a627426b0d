"""``python -m benchmarks.alignment [--run RUN]``: alignment error rate of attention on the generated corpus.

Its words are the spans that the corpus links (``half past`` and ``30``): a map is joined to them, the sum over a source
word's pieces, the mean over a target word's; a source piece of no word stands alone, and a link to it is wrong. Every
head, every layer's mean, and the means carried back through the encoder by rollout, each read by argmax and from both
sides, compete on the val part; the best there is scored on the test part.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import report
from jumok.data.generated import Example, splits
from jumok.errors import UserError
from jumok.files import atomic_write
from jumok.insight.maps import Map, Span, Weights, alignment_error_rate, as_map, average
from jumok.insight.reductions import Link, argmax_alignment, cross_rollout, symmetrised
from jumok.tasks.translate_predict import Translator

HERE = Path(__file__).parent
Links = set[tuple[int, int, int]]
Way = tuple[str, str]
"""A map, by its layer and heads, and how links are read off it."""


@dataclass
class Found:
    """Links of many sentences by every way, and those that are right."""

    gold: Links = field(default_factory=set)
    links: dict[Way, Links] = field(default_factory=dict)

    def error(self, way: Way) -> float:
        return alignment_error_rate(self.links[way], self.gold)


def aligned(translator: Translator, examples: list[Example]) -> Found:
    """The forced pass over each example's own target, and what each way reads in it."""
    found = Found()
    for number, example in enumerate(examples):
        spans = [sorted({link[side] for link in example.links}) for side in (0, 1)]
        gold = {(spans[1].index(target), spans[0].index(source)) for source, target in example.links}
        found.gold |= {(number, *link) for link in gold}
        tokenizers = translator.tokenizers
        pieces = tokenizers.source.words(example.source)[1], tokenizers.target.words(example.target)[1]
        keys, rows = (_membership(own, words) for own, words in zip(pieces, spans, strict=True))
        view = translator.attention(example.source, example.target)
        for way, links in _ways(dict(view.maps), rows, keys, len(spans[1])):
            found.links.setdefault(way, set()).update((number, *link) for link in links)
    return found


def _membership(pieces: Sequence[Span], words: Sequence[Span]) -> Map:
    """1 where a piece (row) lies in a word (column); pieces of no word are a column each, behind them."""
    inside = np.array([[a < d and c < b for c, d in words] for a, b in pieces], dtype=np.float32)
    alone = np.eye(len(pieces), dtype=np.float32)[:, ~inside.any(1)]
    return np.concatenate([inside, alone], axis=1)


def _ways(maps: dict[str, Weights], rows: Map, keys: Map, words: int) -> Iterator[tuple[Way, set[Link]]]:
    encoder = [as_map(weights) for name, weights in maps.items() if name.startswith("encoder")]
    cross = {name: as_map(weights) for name, weights in maps.items() if name.endswith(".cross")}
    looks: dict[str, Map] = {}
    for name, weights in cross.items():
        layer = name.removeprefix("decoder.").removesuffix(".cross")
        looks |= {f"{layer} head {head}": one for head, one in enumerate(weights)}
        looks[f"{layer} mean"] = average([weights])
        looks[f"{layer} mean, rollout"] = cross_rollout(weights, encoder)
    looks["all layers mean"] = average(list(cross.values()))
    for name, look in looks.items():
        joined = (rows / rows.sum(0)).T @ look[: len(rows), : len(keys)] @ keys
        yield (name, "argmax"), argmax_alignment(joined[:words])
        yield (name, "grow-diag"), symmetrised(joined[:words])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description=__doc__)
    parser.add_argument("--run", default="demo", help="a translator of the generated corpus")
    parser.add_argument("--examples", type=int, default=1000, help="at most so many of each part")
    parser.add_argument("--results", type=Path, default=HERE, help="folder of alignment.json")
    asked = parser.parse_args()
    try:
        translator = Translator.load(asked.run, device="cpu")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    parts = splits(1)
    val, test = (aligned(translator, parts[part][: asked.examples]) for part in ("val", "test"))
    best = min(val.links, key=val.error)
    rows = [
        {"map": way[0], "read by": way[1], "val": val.error(way), "test": test.error(way)}
        for way in sorted(val.links, key=val.error)
    ]
    values = {"run": asked.run, "best on val": list(best), "aer_test": test.error(best), "rows": rows}
    values["surroundings"] = report.surroundings(2, "cpu")
    atomic_write(asked.results / "alignment.json", json.dumps(values, indent=1) + "\n")
    for row in rows[:8]:
        print(f"{row['map']:28} {row['read by']:10} val {row['val']:5.1f}  test {row['test']:5.1f}")
    print(f"chosen on val: {' by '.join(best)}: AER {test.error(best):.1f} on the test part")
    return 0


if __name__ == "__main__":
    sys.exit(main())
