"""Scores of words read from images: accuracy, edit distance in characters and in jamo, by length and confidence."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from jumok.errors import UserError
from jumok.metrics.classes import calibration_error

try:
    from rapidfuzz.distance import Levenshtein
except ModuleNotFoundError as error:
    raise UserError("scores of words need rapidfuzz: pip install 'jumok[images]'") from error

Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 25)
_CONFIDENCES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)

_SYLLABLES = re.compile("[가-힣]+")
_NOT_36 = re.compile("[^0-9a-z]+")


@dataclass(frozen=True)
class LengthRow:
    """The words whose label has `low` to `high` characters (None: any more); scores as in `WordScores`."""

    low: int
    high: int | None
    words: int
    word_accuracy: float
    cer: float | None

    @property
    def label(self) -> str:
        """The range as it is printed."""
        if self.high is None:
            return f"{self.low}+"
        return f"{self.low}" if self.low == self.high else f"{self.low}-{self.high}"


@dataclass(frozen=True)
class ConfidenceRow:
    """The words read with a confidence above `low` up to `high`, 0-1, of mean `confidence`; 0 is in the first row."""

    low: float
    high: float
    words: int
    confidence: float
    word_accuracy: float

    @property
    def label(self) -> str:
        """The range as it is printed."""
        return f"{self.low:g}-{self.high:g}"


@dataclass(frozen=True)
class WordScores:
    """A reader on `words` images of words, 0-100 but `ece`; a character is a code point of NFC.

    Attributes:
        word_accuracy: share of words read exactly, case and punctuation included.
        word_accuracy_36: the same in lower case over ``0-9a-z``, the rest left out on both sides, as the field compares
            scene text; of the `words_36` words whose label keeps a character (None without any).
        cer: ``100 sum d / sum |label|`` with d the Levenshtein distance; above 100 where more is wrong than there is.
        ned: ``100 mean(1 - d / max(|read|, |label|))``, the field's 1-NED.
        jamo_cer, jamo_ned: the same over `jamo`; None where no label holds Hangul.
        ece: expected calibration error (0-1) of the confidences; None without them.
        by_length: by the label's characters; by_confidence: by the reader's own confidence. Empty rows are left out.
        right: whether each word counts as read in `word_accuracy`; right_36: the same for those of `words_36`.
            `metrics.classes.mcnemar` compares two readers by either.
        distances: d of each word.
    """

    words: int
    words_36: int
    word_accuracy: float
    word_accuracy_36: float | None
    cer: float
    ned: float
    jamo_cer: float | None
    jamo_ned: float | None
    ece: float | None
    by_length: list[LengthRow]
    by_confidence: list[ConfidenceRow]
    right: Flags = field(repr=False, compare=False)
    right_36: Flags = field(repr=False, compare=False)
    distances: Counts = field(repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The scores of the whole as plain values for JSON."""
        values = asdict(self)
        for name in ("right", "right_36", "distances"):
            del values[name]
        return values


def word_scores(
    hypotheses: Sequence[str], references: Sequence[str], confidences: npt.ArrayLike | None = None
) -> WordScores:
    """Every score of a reader: `hypotheses` are what it read, `references` the labels, both brought to NFC.

    Args:
        confidences: ``(N,)``, 0-1, how sure it was of each word.

    Raises:
        UserError: no words, labels without a single character, or as many of one as not of another.
        ValueError: confidences outside 0-1.
    """
    sure = _checked(hypotheses, references, confidences)
    read = [unicodedata.normalize("NFC", text) for text in hypotheses]
    labels = [unicodedata.normalize("NFC", text) for text in references]
    right = np.array([a == b for a, b in zip(read, labels, strict=True)])
    short = [(latin36(a), latin36(b)) for a, b in zip(read, labels, strict=True)]
    right_36 = np.array([a == b for a, b in short if b], dtype=bool)
    distances, sizes, longest = _distances(read, labels)
    if not sizes.sum():
        raise UserError("none of the labels holds a character; is the text in another column?")
    hangul = any(_SYLLABLES.search(label) for label in labels)
    jamo_distances, jamo_sizes, jamo_longest = _distances([*map(jamo, read)], [*map(jamo, labels)])
    return WordScores(
        words=len(labels),
        words_36=len(right_36),
        word_accuracy=_percent(right),
        word_accuracy_36=_percent(right_36) if right_36.size else None,
        cer=100.0 * float(distances.sum() / sizes.sum()),
        ned=_similarity(distances, longest),
        jamo_cer=100.0 * float(jamo_distances.sum() / jamo_sizes.sum()) if hangul else None,
        jamo_ned=_similarity(jamo_distances, jamo_longest) if hangul else None,
        ece=None if sure is None else calibration_error(sure, right),
        by_length=_by_length(right, distances, sizes),
        by_confidence=[] if sure is None else _by_confidence(right, sure),
        right=right,
        right_36=right_36,
        distances=distances,
    )


def jamo(text: str) -> str:
    """Text with each syllable of Hangul as its two or three letters: 한 becomes ᄒ, ᅡ, ᆫ.

    Letters at the end of a syllable are others than at its beginning, and ㄺ is one, as Unicode has them (NFD). What is
    no syllable stays as it is: é one character, the single ㅋ of chats too.
    """
    return _SYLLABLES.sub(lambda found: unicodedata.normalize("NFD", found[0]), text)


def latin36(text: str) -> str:
    """Text in lower case, of which only ``0-9a-z`` is left."""
    return _NOT_36.sub("", text.lower())


def _distances(read: Sequence[str], labels: Sequence[str]) -> tuple[Counts, Counts, Counts]:
    """Of each word: its edit distance, the characters of its label, and those of the longer of both."""
    distances = [Levenshtein.distance(a, b) for a, b in zip(read, labels, strict=True)]
    sizes = np.array([len(label) for label in labels])
    return np.array(distances), sizes, np.maximum(sizes, [len(text) for text in read])


def _similarity(distances: Counts, longest: Counts) -> float:
    # nothing read where nothing stood: no distance
    return 100.0 * float((1 - distances / np.maximum(longest, 1)).mean())


def _by_length(right: Flags, distances: Counts, sizes: Counts) -> list[LengthRow]:
    rows = []
    for low, high in pairwise((-1, *_LENGTHS, None)):
        assert low is not None  # only the last edge is
        inside = (sizes > low) & (sizes <= (np.inf if high is None else high))
        if inside.any():
            characters = int(sizes[inside].sum())
            cer = 100.0 * int(distances[inside].sum()) / characters if characters else None
            rows.append(LengthRow(low + 1, high, int(inside.sum()), _percent(right[inside]), cer))
    return rows


def _by_confidence(right: Flags, sure: npt.NDArray[np.float64]) -> list[ConfidenceRow]:
    rows = []
    for low, high in pairwise(_CONFIDENCES):
        inside = ((sure > low) | (low == 0)) & (sure <= high)
        if inside.any():
            mean = float(sure[inside].mean())
            rows.append(ConfidenceRow(low, high, int(inside.sum()), mean, _percent(right[inside])))
    return rows


def _percent(right: Flags) -> float:
    return 100.0 * int(right.sum()) / right.size


def _checked(
    hypotheses: Sequence[str], references: Sequence[str], confidences: npt.ArrayLike | None
) -> npt.NDArray[np.float64] | None:
    if len(hypotheses) != len(references):
        raise UserError(f"{len(hypotheses):,} words read against {len(references):,} labels: one for each image")
    if not references:
        raise UserError("there are no words to score")
    if confidences is None:
        return None
    sure = np.asarray(confidences, dtype=np.float64)
    if sure.shape != (len(references),):
        raise UserError(f"{sure.size:,} confidences for {len(references):,} words: one for each")
    if not ((sure >= 0) & (sure <= 1)).all():  # NaN is neither
        raise ValueError("confidences are probabilities, 0-1; these are not (log-probabilities?)")
    return sure
