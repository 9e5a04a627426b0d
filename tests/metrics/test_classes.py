"""Scores of classes: by hand, in ties, against the counts they are made of, and McNemar's test by enumeration."""

from itertools import product

import numpy as np
import pytest
import torch

from jumok.errors import UserError
from jumok.metrics.classes import calibration_error, class_scores, mcnemar


def draw(images: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(images, classes).mul(2).softmax(-1), torch.randint(classes, (images,))


def test_four_images_by_hand() -> None:
    probabilities = [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1]]
    scores = class_scores(probabilities, [0, 1, 1, 1], ["cat", "dog", "말"])
    assert scores.as_dict() == {
        "images": 4,
        "top1": 75.0,
        "top5": 100.0,
        # 0.7, 0.5 and 0.8 right, 0.6 wrong, each alone in its bin
        "ece": pytest.approx((0.3 + 0.6 + 0.5 + 0.2) / 4),
        "per_class": {
            "cat": {"count": 1, "recall": 100.0, "precision": 50.0, "f1": pytest.approx(200 / 3)},
            "dog": {"count": 3, "recall": pytest.approx(200 / 3), "precision": 100.0, "f1": 80.0},
            "말": {"count": 0, "recall": None, "precision": None, "f1": None},
        },
        "confusion": [[1, 0, 0], [1, 2, 0], [0, 0, 0]],
    }


def test_the_fifth_place_counts_and_the_sixth_does_not() -> None:
    probabilities = np.tile(np.arange(7, 0, -1) / 28, (7, 1))
    scores = class_scores(probabilities, np.arange(7), list("abcdefg"))
    assert scores.top1 == pytest.approx(100 / 7)
    assert scores.top5 == pytest.approx(500 / 7)


def test_a_classifier_that_cannot_tell_gains_nothing() -> None:
    scores = class_scores(np.full((20, 10), 0.1), np.arange(20) % 10, list("abcdefghij"))
    assert (scores.top1, scores.top5) == (10.0, 50.0)
    assert scores.ece == pytest.approx(0.0, abs=1e-12)
    assert [row[0] for row in scores.confusion] == [2] * 10
    assert scores.per_class["a"].precision == 10.0
    assert scores.per_class["b"].precision is None
    assert scores.per_class["b"].f1 == 0.0


def test_scores_agree_with_each_other() -> None:
    probabilities, labels = draw(300, 12)
    scores = class_scores(probabilities, labels, [f"class {i}" for i in range(12)])
    confusion = np.array(scores.confusion)
    assert confusion.sum() == scores.images == 300
    assert scores.top1 == pytest.approx(100 * confusion.trace() / 300)
    assert scores.top1 == pytest.approx(100 * (probabilities.argmax(1) == labels).double().mean().item())
    five = probabilities.topk(5).indices == labels[:, None]
    assert scores.top5 == pytest.approx(100 * five.any(1).double().mean().item())
    recalls = sum(each.count * (each.recall or 0) for each in scores.per_class.values())
    assert recalls / 300 == pytest.approx(scores.top1)
    assert confusion.sum(1).tolist() == [each.count for each in scores.per_class.values()]


def test_calibration_by_hand() -> None:
    # 2/15 ends its bin, a hair more begins the next; a sure and wrong classifier is off by 1
    assert calibration_error([0.9, 0.9, 0.9, 0.9], [True, True, True, False]) == pytest.approx(0.15)
    assert calibration_error([0.5, 0.9], [True, False]) == pytest.approx((0.5 + 0.9) / 2)
    assert calibration_error([0.92, 0.88], [True, False], bins=10) == pytest.approx((0.08 + 0.88) / 2)
    assert calibration_error([0.92, 0.88], [True, False], bins=5) == pytest.approx(0.4)
    assert calibration_error([0.4, 0.400001], [True, False], bins=5) == pytest.approx(0.5, abs=1e-5)
    assert calibration_error([1.0, 1.0], [False, False]) == 1.0


def test_a_calibrated_classifier_has_no_error_left_but_chance() -> None:
    probabilities, _ = draw(20_000, 4)
    labels = torch.multinomial(probabilities, 1)[:, 0]
    assert class_scores(probabilities, labels, list("abcd")).ece < 0.03
    sharpened = probabilities.pow(3) / probabilities.pow(3).sum(-1, keepdim=True)
    assert class_scores(sharpened, labels, list("abcd")).ece > 0.1


def test_what_cannot_be_scored_is_told() -> None:
    with pytest.raises(UserError, match="no images to score"):
        class_scores(np.zeros((0, 2)), [], ["a", "b"])
    with pytest.raises(UserError, match="NaN"):
        class_scores([[float("nan"), 0.5]], [0], ["a", "b"])
    with pytest.raises(ValueError, match="logits"):
        class_scores([[3.0, -1.0]], [0], ["a", "b"])
    with pytest.raises(ValueError, match="the number of a name"):
        class_scores([[0.5, 0.5]], [2], ["a", "b"])
    with pytest.raises(ValueError, match="3 names"):
        class_scores([[0.5, 0.5]], [0], ["a", "b", "c"])


def split(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"), [(0, 0, 1.0), (3, 3, 1.0), (5, 0, 2 / 32), (1, 7, 2 * 9 / 256), (4, 3, 1.0)]
)
def test_mcnemar_by_hand(only_a: int, only_b: int, p_value: float) -> None:
    result = mcnemar(*split(20, only_a, only_b, 4))
    assert result.p_value == pytest.approx(p_value)
    assert (result.only_a, result.only_b, result.images) == (only_a, only_b, 24 + only_a + only_b)
    assert result.difference == pytest.approx(result.a - result.b)


def test_mcnemar_is_the_share_of_splits_at_least_as_uneven() -> None:
    for only_a, only_b in [(6, 2), (1, 9), (0, 4)]:
        splits = [sum(way) for way in product((0, 1), repeat=only_a + only_b)]
        uneven = [abs(2 * count - only_a - only_b) >= abs(only_a - only_b) for count in splits]
        assert mcnemar(*split(3, only_a, only_b, 0)).p_value == pytest.approx(np.mean(uneven))


def test_mcnemar_of_many_images_nears_the_normal() -> None:
    # 2 (1 - Phi((|b - c| - 1) / sqrt(b + c))) for 2150 against 2000: 0.0207
    result = mcnemar(*split(5000, 2150, 2000, 850))
    assert result.p_value == pytest.approx(0.0207, abs=2e-4)
    low, high = result.interval
    assert 0 < low < result.difference == 1.5 < high
    swapped = mcnemar(*reversed(split(5000, 2150, 2000, 850)))
    assert swapped.p_value == result.p_value
    assert swapped.interval == pytest.approx((-high, -low))


def test_the_interval_holds_the_difference_nineteen_times_of_twenty() -> None:
    rng = np.random.default_rng()
    held = []
    for _ in range(1000):
        draws = rng.choice(4, size=120, p=[0.75, 0.1, 0.05, 0.1])
        low, high = mcnemar((draws == 0) | (draws == 1), (draws == 0) | (draws == 2)).interval
        held.append(low <= 5.0 <= high)
    assert np.mean(held) > 0.92  # 0.95 expected, 4 standard errors below


def test_classifiers_of_different_images_are_not_compared() -> None:
    with pytest.raises(UserError, match="3 images of one classifier against 2"):
        mcnemar([True, True, False], [True, False])
    with pytest.raises(UserError, match="no images"):
        mcnemar([], [])
    # (1 - 1.96 sqrt(2 - 1 / 3)) / 3, and a difference is 100 at most
    assert mcnemar([True], [False]).as_dict()["interval"] == [pytest.approx(-51.0, abs=0.1), 100.0]
