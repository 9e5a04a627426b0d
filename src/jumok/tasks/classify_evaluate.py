"""Scores of a classifier on labelled images, and against another run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jumok.data.image_report import check_images
from jumok.data.images import ImageSet, read_labelled
from jumok.metrics.classes import ClassScores, class_scores
from jumok.tasks.classify_predict import Classifier, Probabilities

Right = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found; `paths` are the images that could be read, `seconds` the time of reading and asking."""

    scores: ClassScores
    paths: list[Path]
    labels: list[int]
    classes: tuple[str, ...]
    probabilities: Probabilities
    unreadable: list[tuple[str, str]]
    seconds: float

    @property
    def right(self) -> Right:
        """Which images' likeliest class is their label, (N,)."""
        found: Right = self.probabilities.argmax(1) == np.array(self.labels)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: top1, top5 (0-100), ece (0-1), per_class, confusion, and what could not be read."""
        return {**self.scores.as_dict(), "unreadable": len(self.unreadable), "seconds": round(self.seconds, 3)}

    def rows(self) -> list[tuple[str, str, str]]:
        """The table of scores: name, value, what it is."""
        scores = self.scores
        rows = [
            ("top-1", f"{scores.top1:.2f}", "the label is the likeliest class"),
            ("top-5", f"{scores.top5:.2f}", "it is among the five likeliest"),
            ("calibration error", f"{scores.ece:.4f}", "0-1, 15 bins: confidence against share right"),
            ("images", f"{scores.images:,}", f"{self.seconds:.1f} s, {scores.images / self.seconds:.1f} a second"),
        ]
        if self.unreadable:
            path, reason = self.unreadable[0]
            rows.append(("unreadable", f"{len(self.unreadable):,}", f"left out; first {path}: {reason}"))
        return rows

    def class_rows(self) -> list[tuple[str, str, str, str, str, str]]:
        """The table by class: images, recall, precision, F1, and what it is most often taken for."""
        rows = []
        for place, (name, score) in enumerate(self.scores.per_class.items()):
            counts = [0 if other == place else count for other, count in enumerate(self.scores.confusion[place])]
            worst = max(range(len(counts)), key=lambda other: counts[other])
            taken = f"{self.classes[worst]} ({counts[worst]:,})" if counts[worst] else ""
            recall, precision, f1 = map(_percent, (score.recall, score.precision, score.f1))
            rows.append((name, f"{score.count:,}", recall, precision, f1, taken))
        return rows

    def predictions(self) -> str:
        """One line an image: path, label, prediction, probability, with tabs between them."""
        best = self.probabilities.argmax(1)
        return "".join(
            f"{path}\t{self.classes[label]}\t{self.classes[top]}\t{row[top]:.4f}\n"
            for path, label, top, row in zip(self.paths, self.labels, best.tolist(), self.probabilities, strict=True)
        )


def labelled(source: Path, classifier: Classifier, images: Path | None = None) -> ImageSet:
    """The labelled images of a folder of class folders or a list, their labels as the classifier counts them.

    Raises `UserError` for a label that was not in its training data.
    """
    return read_labelled(source, classes=classifier.preprocessing.classes, images=images)


def evaluate(
    classifier: Classifier, images: ImageSet, *, batch: int = 64, advance: Callable[[int], None] | None = None
) -> Evaluation:
    """Classify `images` and score against their labels; what cannot be read is left out and counted.

    Raises `UserError` if no image can be read.
    """
    start = time.perf_counter()
    wanted = classifier.preprocessing
    (store,), report = check_images([images], wanted.size, wanted.channels, training=False)
    rows = classifier.probabilities_of(store, batch=batch, advance=advance)
    seconds = time.perf_counter() - start
    return Evaluation(
        class_scores(rows, store.labels, wanted.classes),
        store.paths,
        store.labels.tolist(),
        wanted.classes,
        rows,
        report.parts[0].unreadable,
        seconds,
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
