"""Laws of the reductions: rows keep their sum, words are joined by the rule, alignment is scored without a shift."""

from random import Random

import numpy as np
import pytest
import torch

from jumok.data.generated import generate
from jumok.insight import maps
from jumok.insight.maps import Map


def draw(*shape: int) -> Map:
    return maps.as_map(torch.randn(shape).mul(2).softmax(-1))


def draw_words(count: int) -> list[int]:
    return np.cumsum([0, *np.random.randint(0, 2, count - 1)]).tolist()


def test_joined_words_sum_over_keys_and_average_over_rows() -> None:
    weights, rows, keys = draw(3, 9, 7), draw_words(9), draw_words(7)
    joined = maps.join_words(torch.from_numpy(weights), rows, keys)
    assert joined.shape == (3, max(rows) + 1, max(keys) + 1)
    np.testing.assert_allclose(joined.sum(-1), 1, atol=1e-5)
    a, b = rows[4], keys[3]
    block = weights[1][np.array(rows) == a][:, np.array(keys) == b]
    assert joined[1, a, b] == pytest.approx(block.sum() / len(block), abs=1e-6)
    np.testing.assert_array_equal(maps.join_words(weights, range(9), range(7)), weights)


def test_word_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="each of 3 pieces"):
        maps.join_words(draw(2, 3), keys=[0, 1])
    with pytest.raises(ValueError, match="all used"):
        maps.join_words(draw(2, 3), keys=[0, 2, 2])


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ("▁Ein ▁schläf t . </s>", "Ein schläft . </s>"),
        ("▁2 0 2 6 - 1 1 T 1 5 : 0 5 </s>", "2026 - 11 T 15 : 05 </s>"),
        ("▁2 0 2 6 년 ▁1 1 월 ▁오 후", "2026 년 11 월 오후"),
        ("▁don ' t ▁pay ▁3 . 5 0 , ▁or ▁1 2 , 5 0 0 .", "don't pay 3.50 , or 12,500 ."),
        ("▁ x <0xEC> <0xA3> <0xBC> ▁( ( 주 목 ▁", "x주 ( ( 주목 ▁"),
        ("<s> ▁ <s> a </s>", "<s> ▁ <s> a </s>"),
        ("▁' t ▁is", "' t is"),
    ],
)
def test_the_rule_of_words(pieces: str, words: str) -> None:
    ids = maps.word_ids(pieces.split())
    assert " ".join(maps.word_labels(pieces.split(), ids)) == words


def test_averages_are_over_heads_then_layers() -> None:
    first, second = draw(2, 3, 4), draw(8, 3, 4)
    np.testing.assert_allclose(maps.average([first, second]), (first.mean(0) + second.mean(0)) / 2, atol=1e-6)


def test_sinks_are_named_and_taken_out() -> None:
    pieces = ["<s>", "▁Ein", "▁Mann", ",", "▁schläft", ".", "</s>"]
    assert maps.sinks(pieces) == [0, 6]
    weights = np.full((2, 5, 7), 0.05, np.float32)
    weights[..., 5] = 0.7
    assert maps.sinks(pieces, weights) == [0, 5, 6]
    weights = draw(2, 5, 7)
    kept = maps.without(weights, [0, 6])
    assert not kept[..., [0, 6]].any()
    np.testing.assert_allclose(kept.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(kept[..., 1] * weights[..., 2], kept[..., 2] * weights[..., 1], atol=1e-6)
    assert not maps.without(np.eye(3, dtype=np.float32), [1])[1].any(), "an empty row stays zero"


def test_entropy_is_in_bits_and_between_one_key_and_all() -> None:
    one, even = np.eye(8, dtype=np.float32), np.full((8, 8), 1 / 8, np.float32)
    np.testing.assert_allclose(maps.entropy(np.stack([one, even])), [0, 3], atol=1e-5)
    assert (maps.entropy(draw(4, 6, 8)) < 3).all()


def test_identity_aligns_perfectly_and_a_shift_by_one_does_not() -> None:
    size = Random(torch.initial_seed()).randrange(4, 12)
    spans = [(2 * i, 2 * i + 2) for i in range(size)]
    links = list(zip(spans, spans, strict=True))
    identity = np.eye(size, dtype=np.float32)
    assert maps.alignment_accuracy(identity, spans, spans, links) == 100
    assert maps.alignment_accuracy(np.roll(identity, 1, axis=1), spans, spans, links) == 0
    half = identity.copy()
    half[: size // 2] = np.roll(identity, 1, axis=1)[: size // 2]
    assert maps.alignment_accuracy(half, spans, spans, links) == pytest.approx(100 * (size - size // 2) / size)


def test_the_gold_alignment_of_generated_text_scores_100_with_end_tokens_beside() -> None:
    for example in generate(30, seed=torch.initial_seed() % 2**31):
        source = [(i, i + 1) for i in range(len(example.source))]
        target = [(i, i + 1) for i in range(len(example.target))]
        gold = maps.gold_pairs(source, target, example.links)
        weights = np.full((len(target) + 1, len(source) + 1), 1e-3, np.float32)
        for row, key in gold:
            weights[row, key] = 1.0
        assert maps.alignment_accuracy(weights, source, target, example.links) == 100
        weights[:, -1] = 2.0
        assert maps.alignment_accuracy(weights, source, target, example.links) == 0, "the end token is no source"


def test_alignment_without_links_or_with_a_small_map_is_refused() -> None:
    spans = [(0, 1), (1, 2)]
    with pytest.raises(ValueError, match="no target piece is linked"):
        maps.alignment_accuracy(np.eye(2, dtype=np.float32), spans, spans, [])
    with pytest.raises(ValueError, match="1 x 2"):
        maps.alignment_accuracy(np.ones((1, 2), np.float32), spans, spans, [((0, 1), (0, 1))])


def test_alignment_error_rate_by_hand() -> None:
    sure, possible = {(0, 0), (1, 1)}, {(0, 0), (1, 1), (2, 1)}
    assert maps.alignment_error_rate(sure, sure) == 0
    assert maps.alignment_error_rate(possible, sure, possible) == 0
    assert maps.alignment_error_rate({(5, 5)}, sure) == 100
    # A & S = 1, A & P = 2, |A| = 3, |S| = 2
    assert maps.alignment_error_rate({(0, 0), (2, 1), (4, 4)}, sure, possible) == pytest.approx(40)
    assert maps.alignment_precision({(0, 0), (2, 1), (4, 4)}, possible) == pytest.approx(200 / 3)
