"""Scores of captions as the COCO tools count them: BLEU, CIDEr-D, ROUGE-L, and how much the captions differ."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from jumok.errors import UserError
from jumok.metrics.caption_words import caption_words

try:
    from rapidfuzz.distance import LCSseq
except ModuleNotFoundError as error:
    raise UserError("scores of captions need rapidfuzz: pip install 'jumok[images]'") from error

ORDER = 4  # the longest n-grams
_SIGMA = 6.0  # of CIDEr-D's penalty for another length, in words
_BETA = 1.2  # of ROUGE-L: how much more recall counts than precision
_TINY, _SMALL = 1e-15, 1e-9  # BLEU without a match is 0, not an error
_REMEMBERED = 20_000  # references whose n-grams `CiderD` keeps

NGram = tuple[str, ...]


@dataclass(frozen=True)
class MostFrequent:
    """The commonest caption, of `count` images; `share` of all and `right` of these are 0-100.

    `right` is the share of its images that have this very caption among their references.
    """

    caption: str
    count: int
    share: float
    right: float


@dataclass(frozen=True)
class CaptionScores:
    """Captions of `captions` images. All but CIDEr-D are on 0-100; CIDEr-D is 0-1000 (people reach 85 on COCO).

    Attributes:
        cider: CIDEr-D x 100, as tables print it: the mean of `each_cider`.
        bleu1, bleu2, bleu3, bleu4: corpus BLEU with n-grams up to this length.
        rouge_l: the mean of ROUGE-L.
        distinct: share of captions that differ: 100 if no two images have the same.
        vocabulary: how many words the captions use.
        each_cider: the CIDEr-D of each image.
    """

    captions: int
    cider: float
    bleu1: float
    bleu2: float
    bleu3: float
    bleu4: float
    rouge_l: float
    distinct: float
    vocabulary: int
    most_frequent: MostFrequent
    each_cider: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """The scores of the whole as plain values for JSON."""
        values = asdict(self)
        del values["each_cider"]
        return values


def caption_scores(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Every score of one caption an image against that image's references, whatever their number.

    Equal to pycocoevalcap's Bleu (closest reference length), Cider and Rouge on the same words (`caption_words`).

    Raises:
        UserError: no images, not as many captions as images, or an image without references.
    """
    _check(hypotheses, references)
    written = [caption_words(text) for text in hypotheses]
    wanted = [[caption_words(text) for text in texts] for texts in references]
    cider = CiderD(references)
    each = tuple(cider.score(text, texts) for text, texts in zip(hypotheses, references, strict=True))
    lines = [" ".join(words) for words in written]
    often = Counter(lines)
    caption, count = min(often.items(), key=lambda item: (-item[1], item[0]))  # whatever the order of the images
    right = sum(line == caption and line.split() in texts for line, texts in zip(lines, wanted, strict=True))
    bleu1, bleu2, bleu3, bleu4 = bleu(written, wanted)
    return CaptionScores(
        captions=len(lines),
        cider=math.fsum(each) / len(each),
        bleu1=bleu1,
        bleu2=bleu2,
        bleu3=bleu3,
        bleu4=bleu4,
        rouge_l=math.fsum(map(rouge_l, written, wanted)) / len(written),
        distinct=100.0 * len(often) / len(lines),
        vocabulary=len({word for words in written for word in words}),
        most_frequent=MostFrequent(caption, count, 100.0 * count / len(lines), 100.0 * right / count),
        each_cider=each,
    )


def collapse_warning(scores: CaptionScores) -> str | None:
    """What to say where most images get the same wrong caption; None if the captions differ as photos do."""
    most = scores.most_frequent
    # one scene may really be what most photos show: then the caption is right
    if scores.captions < 10 or most.share <= 50.0 or most.right >= 50.0:
        return None
    found = f'the same caption for {most.share:.0f} % of {scores.captions:,} images: "{most.caption}"'
    if not most.caption:
        return (
            f"{found} (no word at all): the decoder ends at once. Likely empty captions in the training data, "
            f"or self-critical training that began too early; look at the report of the training data"
        )
    if scores.distinct <= 5.0 and scores.captions >= 40:
        return (
            f"{found}: the decoder does not see the images. Likely the learning rate is too high for the encoder "
            f"(it gives the same features for every image) or images and captions are paired wrongly; "
            f"lower the rate or lengthen the warm-up, and look at some pairs of the training data"
        )
    return (
        f"{found}: the decoder knows how captions sound and hardly looks at the images yet. Likely it has trained too "
        f"short, or has too few images for its size; train longer, or start the encoder from a `classify` run"
    )


def bleu(hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """Corpus BLEU-1 to BLEU-4, 0-100 (Papineni et al. 2002).

    ``BLEU_N = min(1, exp(1 - r / c)) (prod_{n <= N} p_n)^(1 / N)``: `p_n` is the clipped precision of n-grams over all
    images, `c` the words written, and `r` the sum, over the images, of the length of the reference that is closest to
    the caption's (the shorter of two).

    Args:
        hypotheses: the words of one caption an image.
        references: the words of each of its references.
    """
    matched, guessed = [0] * ORDER, [0] * ORDER
    length = wanted = 0
    for words, texts in zip(hypotheses, references, strict=True):
        most: Counter[NGram] = Counter()
        for text in texts:
            most |= ngrams(text)
        for gram, count in ngrams(words).items():
            matched[len(gram) - 1] += min(count, most[gram])
        for n in range(ORDER):
            guessed[n] += max(len(words) - n, 0)
        length += len(words)
        wanted += min((abs(len(text) - len(words)), len(text)) for text in texts)[1]
    ratio = (length + _TINY) / (wanted + _SMALL)
    brevity = math.exp(min(1 - 1 / ratio, 0.0))
    scores, product = [], 1.0
    for n in range(ORDER):
        product *= (matched[n] + _TINY) / (guessed[n] + _SMALL)
        scores.append(100.0 * brevity * product ** (1 / (n + 1)))
    return scores


def rouge_l(hypothesis: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L of one caption, 0-100 (Lin 2004): ``(1 + b^2) P R / (R + b^2 P)`` with ``b = 1.2``.

    `P` and `R` are the length of the longest common subsequence of words divided by the caption's and by the
    reference's words, each the highest over the references. As the COCO tools count, no words are one empty word.
    """
    words = hypothesis or [""]
    common = [(LCSseq.similarity(words, text or [""]), len(text or [""])) for text in references]
    precision = max(length for length, _ in common) / len(words)
    recall = max(length / size for length, size in common)
    if precision == 0:
        return 0.0
    return 100.0 * (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


class CiderD:
    """CIDEr-D (Vedantam et al. 2015) with the document frequencies of `references`, those of each image.

    ``10 / (4 m) sum_n sum_j exp(-(l(c) - l(s_j))^2 / (2 6^2)) min(c_n, s_jn) . s_jn / (|c_n| |s_jn|)`` over n-grams of
    1 to 4 words and m references `s_j`, where `c_n` and `s_jn` hold ``count(w) (log I - log df(w))`` for each n-gram w:
    I images, `df` of which have w in a reference. It is built once, and then scores thousands of captions a second: the
    reward of self-critical training (Rennie et al. 2017), there with the references of the training images.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        if not references:
            raise UserError("there are no images to count the words of")
        frequency: Counter[NGram] = Counter()
        for texts in references:
            frequency.update({gram for text in texts for gram in ngrams(caption_words(text))})
        # what one image has weighs as much as what none has: only the rest is kept, a small part
        self._rare = math.log(len(references))
        self._weight = {gram: self._rare - math.log(count) for gram, count in frequency.items() if count > 1}
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._vector)

    def score(self, hypothesis: str, references: Sequence[str]) -> float:
        """CIDEr-D x 100 of one caption, 0-1000, against these references (at least one)."""
        own, own_norms, own_length = self._vector(hypothesis)
        total = 0.0
        for text in references:
            other, norms, length = self._remembered(text)
            dots = [0.0] * ORDER
            for gram, value in own.items():
                theirs = other.get(gram)
                if theirs is not None:
                    dots[len(gram) - 1] += min(value, theirs) * theirs
            near = math.exp(-((own_length - length) ** 2) / (2 * _SIGMA**2))
            total += near * sum(dot / (a * b) for dot, a, b in zip(dots, own_norms, norms, strict=True) if dot)
        return 1000.0 * total / (ORDER * len(references))

    def _vector(self, text: str) -> tuple[dict[NGram, float], list[float], int]:
        """g(text), its norm over the n-grams of each length, and the length that the penalty compares."""
        words = caption_words(text)
        vector, squares = {}, [0.0] * ORDER
        for gram, count in ngrams(words).items():
            value = count * self._weight.get(gram, self._rare)
            vector[gram] = value
            squares[len(gram) - 1] += value * value
        # the COCO tools count pairs of words, one less than words; a lone word is as long as none
        return vector, [math.sqrt(square) for square in squares], max(len(words) - 1, 0)


def ngrams(words: Sequence[str]) -> Counter[NGram]:
    """How often each run of 1 to 4 words occurs."""
    return Counter(tuple(words[i : i + n]) for n in range(1, ORDER + 1) for i in range(len(words) - n + 1))


def _check(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(hypotheses) != len(references):
        raise UserError(f"{len(hypotheses):,} captions against the references of {len(references):,} images")
    if not hypotheses:
        raise UserError("there are no captions to score")
    missing = next((i for i, texts in enumerate(references) if not texts), None)
    if missing is not None:
        raise UserError(f"image {missing + 1} has no reference caption; leave it out, or give it one")
