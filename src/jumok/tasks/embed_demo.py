"""What the demo's sentence encoder learnt of generated sentences, why two of them are near included."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jumok.data.graded import GradedPairs, read_graded
from jumok.data.sentences import read_groups
from jumok.data.text import read_lines
from jumok.insight.pair_viewer import PairView
from jumok.metrics.similarity import (
    Retrieval,
    Vectors,
    correlation,
    cosines,
    retrieval,
    tfidf_retrieval,
    tfidf_similarities,
    told_apart,
)
from jumok.tasks.embed import EmbedRecipe
from jumok.tasks.embed_attention import pair_view
from jumok.tasks.embed_predict import SentenceEmbedder
from jumok.tasks.embed_search import Index

SHOWN = 5

Similarities = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]
"""How near each of some sentences is to the one beside it."""


@dataclass(frozen=True)
class Finding:
    """How well sentences are compared, all on 0-100.

    `found`: the paraphrase is the nearest of all, in both directions; `apart`: it is nearer than the hard negative,
    its very words with the two things in each other's place (chance: 50; None without any); `spearman` x 100 with the
    grades.
    """

    found: float
    apart: float | None
    spearman: float


@dataclass(frozen=True)
class Shown:
    """What the demo shows: some sentences it never saw, each with the nearest other one of the corpus, its cosine, and
    whether it says the same; the scores of the model and of tf-idf over characters; the look at a pair.
    """

    examples: list[tuple[str, str, str, str]]
    ours: Finding
    counted: Finding
    view: PairView


def show(recipe: EmbedRecipe, advance: Callable[[int], None] | None = None) -> Shown:
    """Search and score the validation sentences of the demo's data with its finished run."""
    embedder, folder = SentenceEmbedder.load(recipe.run), Path(recipe.data.folder)
    groups = read_groups([folder / recipe.data.retrieval[0]]).groups
    lefts, rights = ([group.texts[side] for group in groups] for side in (0, 1))
    hard = [(*group.texts, group.negatives[0]) for group in groups if group.negatives]
    pairs = read_graded(folder / recipe.data.val[0])
    corpus = read_lines(folder / "corpus.txt").lines
    triples = [[triple[side] for triple in hard] for side in range(3)]
    texts = dict.fromkeys([*lefts, *rights, *chain(*triples), *pairs.lefts, *pairs.rights, *corpus])
    found = embedder.embed(list(texts), advance=advance).vectors
    places = {text: place for place, text in enumerate(texts)}

    def vectors(chosen: Sequence[str]) -> Vectors:
        return found[np.array([places[text] for text in chosen], dtype=np.int64)]

    def similarities(left: Sequence[str], right: Sequence[str]) -> NDArray[np.float64]:
        return cosines(vectors(left), vectors(right))

    index = Index(corpus, vectors(corpus))
    examples = []
    for row, hits in enumerate(index.search(vectors(lefts[:SHOWN]), 2)):
        # the nearest of all is the sentence itself
        hit = next((hit for hit in hits if hit.text != lefts[row]), hits[0])
        examples.append((lefts[row], hit.text, f"{hit.similarity:.2f}", "yes" if hit.text == rights[row] else "no"))
    return Shown(
        examples,
        _finding(retrieval(vectors(lefts), vectors(rights)), similarities, triples, pairs),
        _finding(tfidf_retrieval(lefts, rights), tfidf_similarities, triples, pairs),
        pair_view(embedder, lefts[0], rights[0]),
    )


def _finding(
    found: Retrieval, similarities: Similarities, triples: Sequence[Sequence[str]], pairs: GradedPairs
) -> Finding:
    anchors, positives, negatives = triples
    # in one go, for tf-idf counts over all that it is given
    both = similarities([*anchors, *anchors], [*positives, *negatives])
    return Finding(
        found.both,
        told_apart(both[: len(anchors)], both[len(anchors) :]) if len(both) else None,
        correlation(similarities(pairs.lefts, pairs.rights).tolist(), pairs.grades).spearman,
    )
