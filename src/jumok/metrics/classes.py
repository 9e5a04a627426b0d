"""Scores of classified images: accuracy, calibration, each class, confusion, and McNemar's test of two classifiers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from jumok.errors import UserError

BINS = 15
_NORMAL_95 = 1.959964  # 97.5 % of a standard normal lie below


@dataclass(frozen=True)
class ClassScore:
    """One class, 0-100: `recall` TP / (TP + FN), `precision` TP / (TP + FP), `f1` 2 TP / (2 TP + FP + FN).

    What is divided by nothing is None: the recall of a class without images, the precision of one never predicted.
    """

    count: int
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True)
class ClassScores:
    """A classifier on `images` labelled images.

    Attributes:
        top1: share of images (0-100) whose label has the highest probability.
        top5: the same with the label among the 5 highest (all, with fewer classes).
        ece: expected calibration error (0-1).
        per_class: name -> `ClassScore`, in the order of the labels.
        confusion: images with this label (row) and this prediction (column).
    """

    images: int
    top1: float
    top5: float
    ece: float
    per_class: dict[str, ClassScore]
    confusion: list[list[int]]

    def as_dict(self) -> dict[str, Any]:
        """The scores as plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class PairedAccuracy:
    """Classifiers a and b on the same images, top-1 in 0-100.

    Attributes:
        difference: a - b, in points; interval: its 95 % confidence interval.
        only_a, only_b: images that one classifier alone got right.
        p_value: the chance of a split of these at least as uneven if both were equally good.
    """

    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    only_a: int
    only_b: int
    p_value: float
    images: int

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain values for JSON."""
        return {**asdict(self), "interval": list(self.interval)}


def class_scores(probabilities: npt.ArrayLike, labels: npt.ArrayLike, names: Sequence[str]) -> ClassScores:
    """Every score of a classifier.

    Among equal probabilities the class of the lower number counts as the higher, so a classifier that cannot tell
    its classes apart gains nothing by it.

    Args:
        probabilities: ``(N, C)``, rows sum to 1.
        labels: ``(N,)``, the number of each image's class.
        names: the C names.

    Raises:
        UserError: no images, or probabilities that are not numbers.
        ValueError: arrays or names that do not fit, rows that do not sum to 1.
    """
    shares, truth = _checked(probabilities, labels, names)
    count, classes = shares.shape
    # the place of the label among the classes, 0 the best
    own = shares[np.arange(count), truth][:, None]
    lower = np.arange(classes) < truth[:, None]
    place = ((shares > own) | ((shares == own) & lower)).sum(1)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (truth, shares.argmax(1)), 1)
    return ClassScores(
        images=count,
        top1=_percent(int((place == 0).sum()), count),
        top5=_percent(int((place < 5).sum()), count),
        ece=calibration_error(shares.max(1), place == 0),
        per_class=dict(zip(names, _each(confusion), strict=True)),
        confusion=confusion.tolist(),
    )


def calibration_error(confidence: npt.ArrayLike, correct: npt.ArrayLike, bins: int = BINS) -> float:
    """``ECE = sum_m |B_m| / n |acc(B_m) - conf(B_m)|``, 0-1, over equal bins ``((m - 1) / M, m / M]``.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2. 0: of the images of which the classifier is
    80 % sure, 80 % are right.

    Args:
        confidence: ``(N,)``, the highest probability of each image.
        correct: ``(N,)``, whether it was that of the label.
        bins: M.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=bool)
    bin_of = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    # |B| |acc - conf| is the difference of the sums over the bin
    gaps = np.bincount(bin_of, weights=right - sure, minlength=bins)
    return float(np.abs(gaps).sum() / len(sure))


def mcnemar(correct_a: npt.ArrayLike, correct_b: npt.ArrayLike) -> PairedAccuracy:
    """Is a better than b on the same images? Only those that one of them alone got right can tell (McNemar 1947).

    ``p = min(1, 2 sum_{i <= min(b, c)} C(b + c, i) / 2^(b + c))`` with b and c the images that a alone and b alone
    got right: the exact two-sided binomial test, for any size. The interval is Wald's with half an image added to each
    cell of the 2 x 2 table (Agresti and Min 2005), which holds its 95 % where few images differ, too.

    Args:
        correct_a: ``(N,)``, whether a was right; correct_b: the same of b, the images in the same order.

    Raises:
        UserError: no images, or not as many of a as of b.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape:
        raise UserError(f"{a.size:,} images of one classifier against {b.size:,} of the other: score both on the same")
    if not a.size:
        raise UserError("there are no images to compare on")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return PairedAccuracy(
        a=_percent(int(a.sum()), a.size),
        b=_percent(int(b.sum()), b.size),
        difference=_percent(only_a - only_b, a.size),
        interval=_interval(only_a, only_b, a.size),
        only_a=only_a,
        only_b=only_b,
        p_value=_binomial(only_a, only_b),
        images=a.size,
    )


def _checked(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, names: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    shares, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if not truth.size:
        raise UserError("there are no images to score")
    if shares.shape != (truth.size, len(names)) or truth.ndim != 1:
        raise ValueError(f"probabilities {shares.shape}, labels {truth.shape}, {len(names)} names: (N, C), (N,) and C")
    if len(set(names)) != len(names) or truth.min() < 0 or truth.max() >= len(names):
        raise ValueError("each name stands for one class, each label is the number of a name")
    if not np.isfinite(shares).all():
        raise UserError("the classifier's probabilities are not numbers (NaN): its training diverged; lower the rate")
    if np.abs(shares.sum(1) - 1).max() > 1e-2:  # bf16 has three digits
        raise ValueError("the probabilities of each image sum to 1; these do not (logits?)")
    return shares, truth


def _each(confusion: npt.NDArray[np.int64]) -> list[ClassScore]:
    right, labelled, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    return [
        ClassScore(
            count=int(count),
            recall=_percent(int(hits), int(count)) if count else None,
            precision=_percent(int(hits), int(guesses)) if guesses else None,
            f1=_percent(2 * int(hits), int(count + guesses)) if count + guesses else None,
        )
        for hits, count, guesses in zip(right, labelled, predicted, strict=True)
    ]


def _binomial(only_a: int, only_b: int) -> float:
    differ = only_a + only_b
    tail = sum(comb(differ, i) for i in range(min(only_a, only_b) + 1))
    # whole numbers, so exact however large
    return min(1.0, 2 * tail / (1 << differ))


def _interval(only_a: int, only_b: int, images: int) -> tuple[float, float]:
    total = images + 2
    shift = only_a - only_b
    middle = 100.0 * shift / total
    half = 100.0 * _NORMAL_95 * sqrt(only_a + only_b + 1 - shift**2 / total) / total
    return max(middle - half, -100.0), min(middle + half, 100.0)


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole
