"""Scores of sentence vectors: agreement with people's grades, retrieval of partners, and the baseline of no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jumok.errors import UserError

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Correlation:
    """Agreement of similarities with grades: `spearman` of their ranks, `pearson` of their values, both x 100."""

    spearman: float
    pearson: float


def correlation(similarities: Sequence[float], grades: Sequence[float]) -> Correlation:
    """Spearman's and Pearson's correlation x 100; 0 where one side never changes. NaN for fewer than two pairs."""
    ours, theirs = np.asarray(similarities, dtype=np.float64), np.asarray(grades, dtype=np.float64)
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} similarities, {len(theirs)} grades")
    if len(ours) < 2:
        return Correlation(float("nan"), float("nan"))
    if np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return Correlation(0.0, 0.0)
    stats = _scipy()
    return Correlation(
        100 * float(stats.spearmanr(ours, theirs).statistic), 100 * float(stats.pearsonr(ours, theirs).statistic)
    )


def cosines(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """``u v / (|u| |v|)`` of each pair of rows; 0 where one is the zero vector."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    result: NDArray[np.float64] = (a * b).sum(1) / np.where(lengths == 0, 1, lengths)
    return result


def tfidf_similarities(
    lefts: Sequence[str], rights: Sequence[str], by: Literal["characters", "words"] = "characters"
) -> NDArray[np.float64]:
    """Cosines of log-tf-idf, ``(1 + ln tf) (ln((1 + n) / (1 + df)) + 1)``, counted over these sentences alone.

    `by` words, or 2 to 4 characters in a row inside words: what a model has to beat that knows nothing of meaning.
    """
    counts = _counted(lefts, rights, by)
    if counts is None:
        return np.zeros(len(lefts))
    products = counts[0].multiply(counts[1]).sum(axis=1)
    return np.asarray(products, dtype=np.float64).ravel()


def _counted(lefts: Sequence[str], rights: Sequence[str], by: Literal["characters", "words"]) -> tuple[Any, Any] | None:
    """Sparse vectors of length 1 for both sides, a row a sentence; None if there is not one word in all of them."""
    from importlib import import_module

    try:
        vectorizer = import_module("sklearn.feature_extraction.text").TfidfVectorizer
    except ImportError:
        raise UserError(f"the tf-idf baseline needs scikit-learn: {INSTALL}") from None
    how: dict[str, Any] = {"analyzer": "word", "token_pattern": r"\w+"}
    if by == "characters":
        how = {"analyzer": "char_wb", "ngram_range": (2, 4)}
    counted = vectorizer(sublinear_tf=True, **how)
    try:
        counted.fit([*lefts, *rights])
    except ValueError:
        return None
    return counted.transform(lefts), counted.transform(rights)


@dataclass(frozen=True)
class Retrieval:
    """How often the nearest sentence of the other side is the partner, from left to right and back (0-100)."""

    forth: float
    back: float

    @property
    def both(self) -> float:
        """The mean of both ways."""
        return (self.forth + self.back) / 2


def retrieval(left: Vectors, right: Vectors) -> Retrieval:
    """Top-1 retrieval among rows that belong together one to one, by their products; a tie with another row fails."""
    products = left.astype(np.float64) @ right.astype(np.float64).T
    own = np.diagonal(products)
    np.fill_diagonal(others := products.copy(), -np.inf)
    return Retrieval(100 * float((own > others.max(1)).mean()), 100 * float((own > others.max(0)).mean()))


def tfidf_retrieval(
    lefts: Sequence[str], rights: Sequence[str], by: Literal["characters", "words"] = "characters"
) -> Retrieval:
    """`retrieval` by the vectors whose products are `tfidf_similarities`: dense, so for thousands, not for millions."""
    counts = _counted(lefts, rights, by)
    if counts is None:
        return Retrieval(0.0, 0.0)
    return retrieval(counts[0].toarray(), counts[1].toarray())


def told_apart(own: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How often (0-100) the `own` similarity is above the `other`; a tie (within 1e-6) counts half, so chance is 50."""
    return 50 * float((1 + np.sign(np.round(own - other, 6))).mean())


INSTALL = "pip install 'jumok[sentences]'"


def _scipy() -> Any:
    from importlib import import_module

    try:
        return import_module("scipy.stats")
    except ImportError:
        raise UserError(f"correlations need scipy: {INSTALL}") from None
