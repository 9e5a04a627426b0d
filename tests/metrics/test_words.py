"""Scores of words: by hand, against the plain definitions, and tables that add up."""

import random
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jumok.errors import UserError
from jumok.metrics.classes import mcnemar
from jumok.metrics.words import jamo, latin36, word_scores

ALPHABET = "abAB01.-é한글갂 "
texts = st.text(ALPHABET, max_size=6)


def distance(a: str, b: str) -> int:
    """Levenshtein's, by its recursion over prefixes."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last = row
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)))
    return row[-1]


def draw(words: int, rng: random.Random) -> tuple[list[str], list[str], list[float]]:
    """Read words, labels of 1 to 30 characters, confidences with both ends among them."""
    labels = ["".join(rng.choices(ALPHABET, k=rng.randint(1, 30))) for _ in range(words)]
    read = [label if rng.random() < 0.5 else label[1:] + rng.choice(ALPHABET) * rng.randint(0, 2) for label in labels]
    return read, labels, [rng.choice([0.0, 1.0, rng.random()]) for _ in range(words)]


def test_four_words_by_hand() -> None:
    scores = word_scores(["Hello", "w0rld", "don't", ""], ["hello", "world", "DONT!", "abc"])
    assert (scores.words, scores.words_36) == (4, 4)
    assert scores.word_accuracy == 0.0
    assert scores.word_accuracy_36 == 50.0  # hello and dont
    # H for h; 0 for o; d o n ' t to D O N T !; three missing
    assert scores.distances.tolist() == [1, 1, 5, 3]
    assert scores.cer == pytest.approx(100 * 10 / 18)
    assert scores.ned == pytest.approx(100 * (0.8 + 0.8 + 0.0 + 0.0) / 4)
    assert (scores.jamo_cer, scores.jamo_ned, scores.ece, scores.by_confidence) == (None, None, None, [])


def test_jamo_by_hand() -> None:
    assert [unicodedata.name(letter).split()[-1] for letter in jamo("한글")] == [
        "HIEUH", "A", "NIEUN", "KIYEOK", "EU", "RIEUL"
    ]  # fmt: skip
    assert [len(jamo(text)) for text in ("가", "각", "읽", "aé1", "ㅋㅋ", "")] == [2, 3, 3, 3, 2, 0]
    # 간 for 한: one letter of three; 글 is right
    scores = word_scores(["간글"], ["한글"])
    assert (scores.cer, scores.ned) == (50.0, 50.0)
    assert scores.jamo_cer == pytest.approx(100 / 6)
    assert scores.jamo_ned == pytest.approx(100 * 5 / 6)
    # 가 for 각: a letter is missing
    assert word_scores(["가"], ["각"]).jamo_cer == pytest.approx(100 / 3)


def test_jamo_need_hangul_in_a_label() -> None:
    assert word_scores(["한"], ["abc"]).jamo_cer is None
    assert word_scores(["", "abc"], ["한", "abc"]).jamo_cer == pytest.approx(50.0)


def test_the_rule_of_36_characters() -> None:
    assert latin36("It's-100%! É한Z") == "its100z"
    read, labels = ["its", "COFFEE!", "?", "x", "é"], ["IT'S", "coffee", "!", "한글", "e"]
    scores = word_scores(read, labels)
    # of ! and 한글 nothing is left, whatever was read; é is no letter of the 36
    assert (scores.words, scores.words_36) == (5, 3)
    assert scores.right_36.tolist() == [True, True, False]
    assert scores.word_accuracy_36 == pytest.approx(200 / 3)
    assert word_scores(["!"], ["한"]).word_accuracy_36 is None


def test_decomposed_input_is_the_same_input() -> None:
    read, labels = ["한글", "café", "ab"], ["한국", "cafe", "ab"]
    for form in ("NFD", "NFC"):
        scores = word_scores([unicodedata.normalize(form, text) for text in read], labels)
        assert scores.distances.tolist() == [1, 1, 0]
        assert scores.as_dict() == word_scores(read, [unicodedata.normalize(form, text) for text in labels]).as_dict()


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6).filter(lambda rows: any(b for _, b in rows)))
def test_scores_are_their_definitions(rows: list[tuple[str, str]]) -> None:
    read, labels = [a for a, _ in rows], [b for _, b in rows]
    scores = word_scores(read, labels)
    distances = [distance(a, b) for a, b in rows]
    assert scores.distances.tolist() == distances
    assert scores.cer == pytest.approx(100 * sum(distances) / sum(map(len, labels)))
    assert scores.ned == pytest.approx(
        100 * np.mean([1 - d / (max(len(a), len(b)) or 1) for d, (a, b) in zip(distances, rows, strict=True)])
    )
    assert scores.right.tolist() == [a == b for a, b in rows]
    assert scores.word_accuracy == pytest.approx(100 * scores.right.mean())
    spelt = [(jamo(a), jamo(b)) for a, b in rows]
    if scores.jamo_cer is not None:
        total = sum(distance(a, b) for a, b in spelt)
        assert scores.jamo_cer == pytest.approx(100 * total / sum(len(b) for _, b in spelt))
    assert (scores.jamo_cer is None) == (not any("가" <= letter <= "힣" for letter in "".join(labels)))


def test_the_tables_add_up(seed: int) -> None:
    read, labels, sure = draw(200, random.Random(seed))
    scores = word_scores(read, labels, sure)
    assert len({row.label for row in scores.by_length}) == len(scores.by_length)
    for rows in (scores.by_length, scores.by_confidence):
        assert sum(row.words for row in rows) == 200
        assert sum(row.words * row.word_accuracy for row in rows) / 200 == pytest.approx(scores.word_accuracy)
    inside = [i for i, label in enumerate(labels) if 7 <= len(label) <= 8]
    (row,) = [row for row in scores.by_length if row.label == "7-8"] or [None]
    assert (row is None) == (not inside)
    if row is not None:
        assert row.cer == pytest.approx(word_scores([read[i] for i in inside], [labels[i] for i in inside]).cer)
    means = sum(row.words * row.confidence for row in scores.by_confidence) / 200
    assert means == pytest.approx(np.mean(sure))
    assert all(row.low <= row.confidence <= row.high for row in scores.by_confidence)


def test_a_sure_and_wrong_reader_is_told_apart() -> None:
    scores = word_scores(["a", "b"], ["a", "c"], [1.0, 1.0])
    assert scores.ece == pytest.approx(0.5)
    assert [(row.label, row.words, row.word_accuracy) for row in scores.by_confidence] == [("0.99-1", 2, 50.0)]


def test_the_order_of_words_changes_nothing(seed: int) -> None:
    rng = random.Random(seed)
    read, labels, sure = draw(50, rng)
    order = rng.sample(range(50), 50)
    scores = word_scores(read, labels, sure)
    shuffled = word_scores(*([column[i] for i in order] for column in (read, labels, sure)))
    assert shuffled.distances.tolist() == scores.distances[order].tolist()
    assert shuffled.words_36 == scores.words_36
    for name in ("word_accuracy", "word_accuracy_36", "cer", "ned", "jamo_cer", "jamo_ned", "ece"):
        assert getattr(shuffled, name) == pytest.approx(getattr(scores, name))
    assert [row.words for row in shuffled.by_length] == [row.words for row in scores.by_length]


def test_empty_words() -> None:
    # an empty label counts in the words, adds nothing to the characters
    scores = word_scores(["", "ab", ""], ["", "", "cd"])
    assert scores.word_accuracy == pytest.approx(100 / 3)
    assert scores.cer == 200.0
    assert scores.ned == pytest.approx(100 / 3)
    assert scores.by_length[0].cer is None
    assert scores.words_36 == 1


def test_two_readers_are_compared_on_the_same_words() -> None:
    labels = ["ab", "CD", "ef", "!"]
    one, two = word_scores(["ab", "cd", "ef", "!"], labels), word_scores(["ab", "xx", "xx", "?"], labels)
    paired = mcnemar(one.right, two.right)
    assert (paired.only_a, paired.only_b, paired.images) == (2, 0, 4)
    assert mcnemar(one.right_36, two.right_36).images == one.words_36 == 3


def test_scores_as_plain_values(seed: int) -> None:
    values = word_scores(*draw(20, random.Random(seed))).as_dict()
    assert set(values) == {
        "words", "words_36", "word_accuracy", "word_accuracy_36", "cer", "ned", "jamo_cer", "jamo_ned", "ece",
        "by_length", "by_confidence",
    }  # fmt: skip


def test_what_cannot_be_scored_is_told() -> None:
    with pytest.raises(UserError, match="2 words read against 1"):
        word_scores(["a", "b"], ["a"])
    with pytest.raises(UserError, match="no words"):
        word_scores([], [])
    with pytest.raises(UserError, match="none of the labels"):
        word_scores(["a"], [""])
    with pytest.raises(UserError, match="1 confidences for 2"):
        word_scores(["a", "b"], ["a", "b"], [0.5])
    for wrong in ([-0.1], [1.1], [float("nan")]):
        with pytest.raises(ValueError, match="0-1"):
            word_scores(["a"], ["a"], wrong)
