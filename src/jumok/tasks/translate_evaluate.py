"""Scores of a translator on files: BLEU and chrF with their signatures, by length, and against another run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jumok.decoding.search import SearchOptions
from jumok.metrics.text import LengthBucket, TextScore, bleu_chrf, by_length, exact_match
from jumok.tasks.translate_predict import Translator


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found; scores are on 0-100, `seconds` is the time of translating, `cut` counts cut lines."""

    score: TextScore
    exact: float
    by_length: list[LengthBucket]
    seconds: float
    hypotheses: list[str]
    cut: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the scores with their signatures, lines, ``by_length``, ``seconds``."""
        return {
            **self.score.as_dict(),
            "exact_match": self.exact,
            "lines": len(self.hypotheses),
            "cut": self.cut,
            "by_length": [
                {"words": bucket.label, "lines": bucket.count, "bleu": bucket.score.bleu, "chrf": bucket.score.chrf}
                for bucket in self.by_length
            ],
            "seconds": round(self.seconds, 3),
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """The table of scores: name, value, how it was computed."""
        rate = len(self.hypotheses) / self.seconds if self.seconds else float("inf")
        rows = [
            ("BLEU", f"{self.score.bleu:.2f}", self.score.signature),
            ("chrF", f"{self.score.chrf:.2f}", self.score.chrf_signature),
            ("exact match", f"{self.exact:.2f}", ""),
            ("lines", str(len(self.hypotheses)), f"{self.seconds:.1f} s, {rate:.1f} a second"),
        ]
        return [*rows, ("cut", str(self.cut), "lines longer than the model reads")] if self.cut else rows

    def length_rows(self) -> list[tuple[str, str, str, str]]:
        """The table by source length."""
        return [(b.label, str(b.count), f"{b.score.bleu:.2f}", f"{b.score.chrf:.2f}") for b in self.by_length]


def evaluate(
    translator: Translator,
    sources: Sequence[str],
    references: Sequence[str],
    options: SearchOptions | None = None,
    *,
    batch_tokens: int = 4096,
    advance: Callable[[int], None] | None = None,
) -> Evaluation:
    """Translate `sources` and score against `references`, one each.

    Raises `UserError` if the counts differ or a package that the target language's BLEU needs is missing.
    """
    bleu_chrf(references[:1], references[:1], translator.target)  # before the work, not after it
    start = time.perf_counter()
    best = [found[0] for found in translator.translate(sources, options, batch_tokens=batch_tokens, advance=advance)]
    seconds = time.perf_counter() - start
    hypotheses = [each.text for each in best]
    return Evaluation(
        bleu_chrf(hypotheses, references, translator.target),
        exact_match(hypotheses, references),
        by_length(hypotheses, references, sources, translator.target),
        seconds,
        hypotheses,
        sum(each.cut for each in best),
    )
