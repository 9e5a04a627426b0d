"""Scores of sentence vectors on graded pairs, with the baselines beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jumok.data.graded import GradedPairs
from jumok.data.sentences import Groups
from jumok.metrics.similarity import Correlation, Retrieval, correlation, cosines, retrieval, tfidf_similarities
from jumok.tasks.embed_predict import SentenceEmbedder


@dataclass(frozen=True)
class Evaluation:
    """Agreement with people's grades of the model and of tf-idf over characters and words; each pair's similarity."""

    pairs: GradedPairs
    scores: Correlation
    characters: Correlation
    words: Correlation
    similarities: list[float]
    long: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, correlations x 100."""
        return {
            "spearman": self.scores.spearman,
            "pearson": self.scores.pearson,
            "baseline_tfidf_spearman": self.characters.spearman,
            "baseline_tfidf_pearson": self.characters.pearson,
            "baseline_tfidf_words_spearman": self.words.spearman,
            "pairs": len(self.pairs),
            "left_out": {"empty": self.pairs.empty, "outside": self.pairs.outside},
            "cut": self.long,
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """Who agrees how well: name, Spearman x 100, Pearson x 100."""
        found = [
            ("this model", self.scores), ("tf-idf of characters", self.characters), ("tf-idf of words", self.words)
        ]  # fmt: skip
        return [(name, f"{scores.spearman:.1f}", f"{scores.pearson:.1f}") for name, scores in found]


def similarities(
    embedder: SentenceEmbedder,
    lefts: Sequence[str],
    rights: Sequence[str],
    advance: Callable[[int], None] | None = None,
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], int]:
    """The cosine of each pair, and how many sentences were longer than the model."""
    found = embedder.embed([*lefts, *rights], advance=advance)
    return cosines(found.vectors[: len(lefts)], found.vectors[len(lefts) :]), found.long


def evaluate(
    embedder: SentenceEmbedder, pairs: GradedPairs, advance: Callable[[int], None] | None = None
) -> Evaluation:
    """Score the cosines of the pairs against their grades. Raises `UserError` if a pair has none."""
    grades = pairs.grades
    ours, long = similarities(embedder, pairs.lefts, pairs.rights, advance)
    lefts, rights = ([embedder.normal(text) for text in side] for side in (pairs.lefts, pairs.rights))
    by_characters, by_words = (
        correlation(tfidf_similarities(lefts, rights, by).tolist(), grades) for by in ("characters", "words")
    )
    return Evaluation(pairs, correlation(ours.tolist(), grades), by_characters, by_words, ours.tolist(), long)


def retrieve(embedder: SentenceEmbedder, groups: Groups, advance: Callable[[int], None] | None = None) -> Retrieval:
    """How often each sentence's partner is the nearest, of all first sentences and all second ones."""
    sides = [[group.texts[side] for group in groups.groups] for side in (0, -1)]
    found = embedder.embed([*sides[0], *sides[1]], advance=advance).vectors
    return retrieval(found[: len(sides[0])], found[len(sides[0]) :])
