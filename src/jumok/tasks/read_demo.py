"""What the demo's reader learnt of generated signs."""

from collections.abc import Callable
from dataclasses import dataclass

from jumok.data.word_images import read_words
from jumok.metrics.words import WordScores
from jumok.tasks.read import ReadRecipe
from jumok.tasks.read_evaluate import evaluate
from jumok.tasks.read_predict import Reader

SHOWN = 8


@dataclass(frozen=True)
class Shown:
    """What the demo shows: some words it never saw (picture, text read, confidence, label), and the scores of all."""

    examples: list[tuple[str, str, str, str]]
    scores: WordScores


def show(recipe: ReadRecipe, advance: Callable[[int], None] | None = None) -> Shown:
    """Read the validation words of the demo's data with its finished run."""
    words = read_words(recipe.data.folder, recipe.data.val, recipe.data.images)
    result = evaluate(Reader.load(recipe.run), words, advance=advance)
    rows = zip(result.store.paths, result.readings, result.store.texts, strict=True)
    examples = [(str(path), reading.text, f"{reading.confidence:.3f}", label) for path, reading, label in rows]
    return Shown(examples[:SHOWN], result.scores)
