"""Correlations equal scipy's, retrieval and tf-idf equal what is counted by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jumok.metrics.similarity import (
    correlation,
    cosines,
    retrieval,
    tfidf_retrieval,
    tfidf_similarities,
    told_apart,
)


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=3, max_size=40))
def test_correlations_are_scipy_s(pairs: list[tuple[float, int]]) -> None:
    ours, grades = [a for a, _ in pairs], [float(b) for _, b in pairs]
    found = correlation(ours, grades)
    if len(set(ours)) == 1 or len(set(grades)) == 1:
        assert (found.spearman, found.pearson) == (0, 0)
        return
    assert math.isclose(found.spearman, 100 * stats.spearmanr(ours, grades).statistic)
    assert found.pearson == pytest.approx(100 * stats.pearsonr(ours, grades).statistic, nan_ok=True)


def test_spearman_is_pearson_of_mean_ranks() -> None:
    ours, grades = [0.1, 0.9, 0.9, 0.3], [1.0, 2.0, 5.0, 2.0]
    ranks, others = np.array([1, 3.5, 3.5, 2]), np.array([1, 2.5, 4, 2.5])
    assert correlation(ours, grades).spearman == pytest.approx(100 * np.corrcoef(ranks, others)[0, 1])
    assert math.isnan(correlation([1.0], [1.0]).spearman)
    with pytest.raises(ValueError, match="2 similarities, 1 grades"):
        correlation([1.0, 2.0], [1.0])


def test_cosines_by_hand() -> None:
    left = np.array([[3, 4], [1, 0], [0, 0]], dtype=np.float32)
    right = np.array([[4, 3], [-2, 0], [1, 1]], dtype=np.float32)
    assert cosines(left, right).tolist() == pytest.approx([0.96, -1, 0])


def test_retrieval_both_ways() -> None:
    left = np.eye(3, dtype=np.float32)
    right = np.array([[1, 0, 0], [0, 1, 0], [0, 2, 0.5]], dtype=np.float32)
    found = retrieval(left, right)
    # the second's nearest is the third; from the right, the third's nearest is the second
    assert found.forth == pytest.approx(200 / 3)
    assert found.back == pytest.approx(200 / 3)
    same = retrieval(np.ones((2, 2), dtype=np.float32), np.ones((2, 2), dtype=np.float32))
    assert same.both == 0, "who says the same of all has found nothing"


def test_tf_idf_by_hand() -> None:
    lefts, rights = ["a b", "c"], ["a a", "d"]
    # of four sentences: a stands in 2, b, c, d in 1 each
    idf = {word: math.log(5 / (1 + df)) + 1 for word, df in {"a": 2, "b": 1}.items()}
    expected = idf["a"] / math.hypot(idf["a"], idf["b"])
    assert tfidf_similarities(lefts, rights, "words").tolist() == pytest.approx([expected, 0])
    assert tfidf_similarities(["same text"], ["same text"]).tolist() == pytest.approx([1])
    assert tfidf_similarities(["?!"], ["!!"], "words").tolist() == [0]


def test_tf_idf_finds_what_shares_words() -> None:
    found = tfidf_retrieval(["a b", "c d", "e"], ["b a", "d", "f"], "words")
    assert (found.forth, found.back) == (pytest.approx(200 / 3), pytest.approx(200 / 3))
    assert tfidf_retrieval(["?"], ["!"], "words").both == 0


def test_told_apart_counts_ties_half() -> None:
    own, other = np.array([0.5, 0.5, 0.2, 0.9]), np.array([0.4, 0.5 + 1e-9, 0.3, 0.1])
    assert told_apart(own, other) == 62.5
    texts = ["a red star left of a box", "a box by a star"]
    swapped = ["a box left of a red star", "a star by a box"]
    assert told_apart(tfidf_similarities(texts, texts), tfidf_similarities(texts, swapped)) == 50
