"""What the demo's translator learnt of its generated data, attention included."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jumok.data.generated import Example, Link
from jumok.data.text import read_lines
from jumok.insight.maps import alignment_accuracy, average
from jumok.insight.viewer import AttentionView
from jumok.metrics.text import exact_match
from jumok.tasks.translate import TranslateRecipe
from jumok.tasks.translate_predict import Translator

SHOWN = 8
ALIGNED = 200  # test sentences whose attention is scored
SENTENCE = "five past three in the afternoon on the twentieth of November, 2026"


@dataclass(frozen=True)
class Shown:
    """What the demo shows.

    Some test sentences with translation and reference; the share of all that match exactly, and the share of target
    pieces whose best source piece is a right one (0-100), by the cross-attention `layer`; the attention of `SENTENCE`.
    """

    examples: list[tuple[str, str, str]]
    exact: float
    alignment: float
    layer: str
    view: AttentionView


def show(recipe: TranslateRecipe, advance: Callable[[int], None] | None = None) -> Shown:
    """Translate and align the test sentences of the demo's data with its finished run."""
    translator = Translator.load(recipe.run)
    folder = Path(recipe.data.folder)
    examples = [_example(line) for line in read_lines(folder / "test.links.jsonl", "none").lines]
    sources, references = [e.source for e in examples], [e.target for e in examples]
    answers = [found[0].text for found in translator.translate(sources, advance=advance)]
    layer, alignment = _alignment(translator, examples[:ALIGNED])
    # one of each kind there is, rather than eight dates
    first = {re.sub(r"\d+", "", reference): row for row, reference in reversed(list(enumerate(references)))}
    rows = sorted(list(dict.fromkeys([*first.values(), *range(SHOWN)]))[:SHOWN])
    return Shown(
        [(sources[row], answers[row], references[row]) for row in rows],
        exact_match(answers, references),
        alignment,
        layer,
        translator.attention(SENTENCE),
    )


def _alignment(translator: Translator, examples: list[Example]) -> tuple[str, float]:
    """Which layer's cross-attention (mean of its heads) finds the gold links best on the first half, and its score on
    the second half."""
    scores: dict[str, list[float]] = {}
    for example in examples:
        tokenizers = translator.tokenizers
        source, target = tokenizers.source.words(example.source)[1], tokenizers.target.words(example.target)[1]
        view = translator.attention(example.source, example.target)
        for name, weights in view.maps.items():
            if name.endswith(".cross"):
                accuracy = alignment_accuracy(average([weights]), source, target, example.links)
                scores.setdefault(name, []).append(accuracy)
    half = len(examples) // 2
    best = max(scores, key=lambda name: sum(scores[name][:half]))
    held_out = scores[best][half:]
    return best, sum(held_out) / len(held_out)


def _example(line: str) -> Example:
    values = json.loads(line)
    links = tuple(Link((a[0], a[1]), (b[0], b[1])) for a, b in values["links"])
    return Example(values["source"], values["target"], links)
