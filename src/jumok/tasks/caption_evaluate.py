"""Scores of a captioner on images with captions, beside two baselines, and against another run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jumok.data.caption_report import CaptionReport, CaptionStore, check_captions
from jumok.data.captions import CaptionSet
from jumok.data.scenes import exact_scenes
from jumok.decoding.search import SearchOptions
from jumok.metrics.captions import CaptionScores, caption_scores, collapse_warning
from jumok.tasks.caption_baselines import Baselines, baselines
from jumok.tasks.caption_predict import BATCH, Captioner

COLUMNS = ("CIDEr-D", "BLEU-4", "BLEU-1", "ROUGE-L", "distinct", "vocabulary")


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found on the images of `store`; `seconds` is the time of captioning.

    `exact_scenes` is the share (0-100) of captions that describe exactly the scene, where the references are sentences
    of `jumok.data.scenes`. Without the training captions there are no baselines.
    """

    scores: CaptionScores
    store: CaptionStore
    captions: list[str]
    report: CaptionReport
    baselines: Baselines | None
    exact_scenes: float | None
    seconds: float

    @property
    def warning(self) -> str | None:
        """That most images get the same caption, if they do, and the likely cause."""
        return collapse_warning(self.scores)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the scores, those of the baselines, and what could not be read."""
        part = self.report.parts[0]
        exact = {} if self.exact_scenes is None else {"exact_scenes": self.exact_scenes}
        beside = {} if self.baselines is None else {"baselines": self.baselines.as_dict()}
        return {
            **self.scores.as_dict(),
            **exact,
            **beside,
            "absent": len(part.absent),
            "unreadable": len(part.unreadable),
            "empty": part.empty,
            "seconds": round(self.seconds, 3),
        }

    def rows(self, name: str) -> list[tuple[str, ...]]:
        """The table of scores, under `COLUMNS`: the captioner, then what it has to beat."""
        rows = [(name, *_cells(self.scores))]
        if self.baselines is not None:
            rows.append(("most frequent caption", *_cells(self.baselines.most_frequent)))
            rows.append(("nearest training image", *_cells(self.baselines.nearest_image)))
        return rows

    def facts(self) -> list[tuple[str, str, str]]:
        """What else there is to know: name, value, what it is."""
        scores, part = self.scores, self.report.parts[0]
        often = scores.most_frequent
        rate = f"{self.seconds:.1f} s, {scores.captions / self.seconds:.1f} a second"
        rows = [
            ("images", f"{scores.captions:,}", rate),
            ("commonest caption", f"{often.share:.1f}", f"of 100 images: {often.caption}"),
        ]
        if self.exact_scenes is not None:
            rows.insert(0, ("exact scenes", f"{self.exact_scenes:.2f}", "captions that describe exactly the scene"))
        if self.baselines is not None and self.baselines.images:
            rows.append(("nearest image", "", f"by pixels, among {self.baselines.images:,} training images"))
        if part.absent:
            rows.append(("absent", f"{len(part.absent):,}", f"left out; first {part.absent[0]}"))
        if part.unreadable:
            path, reason = part.unreadable[0]
            rows.append(("unreadable", f"{len(part.unreadable):,}", f"left out; first {path}: {reason}"))
        return rows

    def predictions(self) -> str:
        """One line an image: path, caption, CIDEr-D, with a tab between them."""
        rows = zip(self.store.paths, self.captions, self.scores.each_cider, strict=True)
        return "".join(f"{path}\t{caption}\t{cider:.2f}\n" for path, caption, cider in rows)


def evaluate(
    captioner: Captioner,
    images: CaptionSet,
    options: SearchOptions | None = None,
    *,
    train: CaptionSet | None = None,
    batch: int = BATCH,
    advance: Callable[[int], None] | None = None,
) -> Evaluation:
    """Caption `images` and score against their captions; with the captions of `train`, the baselines beside.

    What is absent or cannot be read is left out and counted. Raises `UserError` if no image can be read.
    """
    wanted = captioner.preprocessing
    (store,), report = check_captions([images], wanted.size, wanted.channels)
    start = time.perf_counter()
    found = captioner.captions_of(store, options, batch=batch, advance=advance)
    seconds = time.perf_counter() - start
    captions = [best[0].text for best in found]
    return Evaluation(
        caption_scores(captions, store.captions),
        store,
        captions,
        report,
        None if train is None else baselines(train, store),
        exact_scenes(captions, store.captions),
        seconds,
    )


def _cells(scores: CaptionScores) -> tuple[str, ...]:
    figures = (scores.cider, scores.bleu4, scores.bleu1, scores.rouge_l, scores.distinct)
    return (*(f"{figure:.2f}" for figure in figures), f"{scores.vocabulary:,}")
