"""What the demo's sentence encoder learnt of generated sentences, why two of them are near included."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jumok.data.graded import read_graded
from jumok.data.sentences import read_groups
from jumok.data.text import read_lines
from jumok.insight.pair_viewer import PairView
from jumok.metrics.similarity import Retrieval, correlation, cosines, retrieval, tfidf_similarities
from jumok.tasks.embed import EmbedRecipe
from jumok.tasks.embed_attention import pair_view
from jumok.tasks.embed_predict import SentenceEmbedder
from jumok.tasks.embed_search import Index

SHOWN = 5


@dataclass(frozen=True)
class Shown:
    """What the demo shows.

    Some sentences it never saw, with the nearest other one of the corpus, its cosine, and whether it says the same; how
    often that is so in both directions; Spearman x 100 with the grades, of the model and of tf-idf; the look at a pair.
    """

    examples: list[tuple[str, str, str, str]]
    found: Retrieval
    spearman: float
    baseline: float
    view: PairView


def show(recipe: EmbedRecipe, advance: Callable[[int], None] | None = None) -> Shown:
    """Search and score the validation sentences of the demo's data with its finished run."""
    embedder, folder = SentenceEmbedder.load(recipe.run), Path(recipe.data.folder)
    groups = read_groups([folder / recipe.data.retrieval[0]]).groups
    lefts, rights = ([group.texts[side] for group in groups] for side in (0, 1))
    vectors = embedder.embed([*lefts, *rights], advance=advance).vectors
    corpus = read_lines(folder / "corpus.txt").lines
    index = Index(corpus, embedder.embed(corpus, advance=advance).vectors)
    examples = []
    for row, hits in enumerate(index.search(vectors[:SHOWN], 2)):
        # the nearest of all is the sentence itself
        hit = next((hit for hit in hits if hit.text != lefts[row]), hits[0])
        examples.append((lefts[row], hit.text, f"{hit.similarity:.2f}", "yes" if hit.text == rights[row] else "no"))
    pairs = read_graded(folder / recipe.data.val[0])
    both = embedder.embed([*pairs.lefts, *pairs.rights], advance=advance).vectors
    ours = cosines(both[: len(pairs)], both[len(pairs) :])
    counted = tfidf_similarities(pairs.lefts, pairs.rights)
    return Shown(
        examples,
        retrieval(vectors[: len(lefts)], vectors[len(lefts) :]),
        correlation(ours.tolist(), pairs.grades).spearman,
        correlation(counted.tolist(), pairs.grades).spearman,
        pair_view(embedder, lefts[0], rights[0]),
    )
