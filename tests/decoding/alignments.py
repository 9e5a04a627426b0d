"""All alignments of texts to a few frames, one by one: what CTC sums over."""

import itertools
from collections import defaultdict

from torch import Tensor

Text = tuple[int, ...]


def joined(alignment: tuple[int, ...]) -> Text:
    """The text that an alignment says: repetitions joined, then blanks left out."""
    return tuple(token for token, _ in itertools.groupby(alignment) if token)


def every_text(probabilities: Tensor) -> dict[Text, float]:
    """Probability of each text over frames ``(T, V)``, in float64."""
    table, sums = probabilities.double().tolist(), defaultdict(float)
    for alignment in itertools.product(range(len(table[0])), repeat=len(table)):
        probability = 1.0
        for frame, token in zip(table, alignment, strict=True):
            probability *= frame[token]
        sums[joined(alignment)] += probability
    return dict(sums)


def likeliest_alignment(probabilities: Tensor, text: Text) -> tuple[float, list[float]]:
    """Of all alignments of `text`: the probability of the likeliest, and its tokens' surest frames."""
    table = probabilities.double().tolist()
    best, sure = 0.0, [0.0] * len(text)
    for alignment in itertools.product({0, *text}, repeat=len(table)):
        if joined(alignment) != text:
            continue
        probability = 1.0
        for frame, token in zip(table, alignment, strict=True):
            probability *= frame[token]
        if probability > best:
            best, sure, number = probability, [0.0] * len(text), -1
            for t, token in enumerate(alignment):
                number += token != 0 and (t == 0 or alignment[t - 1] != token)
                if token:
                    sure[number] = max(sure[number], table[t][token])
    return best, sure
