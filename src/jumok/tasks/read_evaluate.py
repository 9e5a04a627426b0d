"""Scores of a reader on words with their texts, and its worst mistakes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from jumok.data.charset import Spelling
from jumok.data.image_file import Pixels
from jumok.data.word_images import WordSet
from jumok.data.word_report import WordReport, check_words
from jumok.data.word_store import WordStore
from jumok.insight.mistakes import Mistake, write_mistakes_page
from jumok.metrics.words import WordScores, word_scores
from jumok.tasks.read_predict import Reader, Reading

MOST = 200  # mistakes on the page


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found on the words of `store`, whose texts are the labels as they were written.

    `own` is the share (0-100) of words read right in the reader's own spelling, where that is another; `seconds` the
    time of reading files and words.
    """

    scores: WordScores
    store: WordStore
    readings: list[Reading]
    report: WordReport
    own: float | None
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the scores (0-100), and what could not be read."""
        part = self.report.parts[0]
        return {
            **self.scores.as_dict(),
            "word_accuracy_own_spelling": self.own,
            "unreadable": len(part.unreadable),
            "without_text": part.empty,
            "outside_charset": part.outside,
            "seconds": round(self.seconds, 3),
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """The table of scores: name, value, what it is."""
        scores, part = self.scores, self.report.parts[0]
        rows = [("word accuracy", f"{scores.word_accuracy:.2f}", "read exactly, case and punctuation included")]
        if self.own is not None:
            rows.append(("in its own spelling", f"{self.own:.2f}", "labels brought to what the run was trained on"))
        if scores.word_accuracy_36 is not None:
            what = f"in lower case over 0-9 a-z alone ({scores.words_36:,} words)"
            rows.append(("word accuracy 36", f"{scores.word_accuracy_36:.2f}", what))
        rows += [
            ("CER", f"{scores.cer:.2f}", "edits for 100 characters of the labels"),
            ("1-NED", f"{scores.ned:.2f}", "100 less the edits, as a share of the longer of both"),
        ]
        if scores.jamo_cer is not None and scores.jamo_ned is not None:
            rows.append(("jamo CER", f"{scores.jamo_cer:.2f}", "the same of Hangul taken apart into its letters"))
            rows.append(("jamo 1-NED", f"{scores.jamo_ned:.2f}", ""))
        if scores.ece is not None:
            rows.append(("calibration error", f"{scores.ece:.4f}", "0-1: confidence against share right"))
        rows.append(("words", f"{scores.words:,}", f"{self.seconds:.1f} s, {scores.words / self.seconds:.1f} a second"))
        if part.unreadable:
            path, reason = part.unreadable[0]
            rows.append(("unreadable", f"{len(part.unreadable):,}", f"left out; first {path}: {reason}"))
        return rows

    def length_rows(self) -> list[tuple[str, str, str, str]]:
        """The table by the label's length: characters, words, word accuracy, CER."""
        return [
            (row.label, f"{row.words:,}", f"{row.word_accuracy:.2f}", "" if row.cer is None else f"{row.cer:.2f}")
            for row in self.scores.by_length
        ]

    def confidence_rows(self) -> list[tuple[str, str, str, str]]:
        """The table by the reader's confidence: range, words, mean confidence, word accuracy."""
        return [
            (row.label, f"{row.words:,}", f"{row.confidence:.3f}", f"{row.word_accuracy:.2f}")
            for row in self.scores.by_confidence
        ]

    def predictions(self) -> str:
        """One line an image: path, label, text read, confidence, with tabs between them."""
        return "".join(
            f"{path}\t{label}\t{reading.text}\t{reading.confidence:.4f}\n"
            for path, label, reading in zip(self.store.paths, self.store.texts, self.readings, strict=True)
        )

    def write_mistakes(self, path: Path, title: str) -> int:
        """Write the page of the worst mistakes: the more is wrong, the surer the reader was of it, the further up."""
        wrong = [place for place, right in enumerate(self.scores.right.tolist()) if not right]

        def badness(place: int) -> float:
            reading, label = self.readings[place], self.store.texts[place]
            share = int(self.scores.distances[place]) / max(len(label), len(reading.text), 1)
            return share * (0.1 + reading.confidence)

        worst = sorted(wrong, key=lambda place: (-badness(place), place))[:MOST]
        mistakes = [
            Mistake(
                _png(pixels),
                self.store.texts[place],
                self.readings[place].characters,
                self.readings[place].confidence,
                str(self.store.paths[place]),
            )
            for place, pixels in zip(worst, self.store.pixels(worst), strict=True)
        ]
        summary = (
            f"{len(wrong):,} of {self.scores.words:,} words are misread (word accuracy "
            f"{self.scores.word_accuracy:.2f}); the worst {len(worst):,}: by how much is wrong, and how sure it was"
        )
        write_mistakes_page(path, mistakes, title, summary)
        return len(worst)


def evaluate(
    reader: Reader,
    words: WordSet,
    *,
    beam: int | None = None,
    rotations: bool = False,
    batch: int = 64,
    advance: Callable[[int], None] | None = None,
) -> Evaluation:
    """Read `words` and score against their labels, as these are written; what cannot be read is left out and counted.

    Raises `UserError` if no image can be read.
    """
    start = time.perf_counter()
    plain = Spelling.model_validate({})
    written = reader.charset.model_copy(update={"spelling": plain})
    (store,), report = check_words([words], written, reader.shape, reader.longest, training=False)
    readings = reader.read_all(store, reader.searching(beam), rotations=rotations, batch=batch, advance=advance)
    seconds = time.perf_counter() - start
    texts, spelling = [reading.text for reading in readings], reader.charset.spelling
    own = None
    if spelling != plain:
        right = [text == spelling(label) for text, label in zip(texts, store.texts, strict=True)]
        own = 100 * sum(right) / len(right)
    scores = word_scores(texts, store.texts, [reading.confidence for reading in readings])
    return Evaluation(scores, store, readings, report, own, seconds)


def _png(pixels: Pixels) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()
