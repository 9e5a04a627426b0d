"""Pairs of sentences with a grade or a label: STS-B, KorSTS, SICK, and one's own TSV or JSONL."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jumok.data.lists import json_rows, named_columns
from jumok.data.text import count_changes, normalized, read_lines
from jumok.errors import UserError

_FIRST, _SECOND = ("sentence1", "sentence_a", "left", "anchor", "text1"), ("sentence2", "sentence_b", "right", "text2")
_SCORE = ("score", "relatedness_score", "similarity", "grade")
_LABEL = ("label", "entailment_judgment", "entailment_label", "gold_label")
_UNDECIDED = "-"  # SNLI's label of a pair on which people did not agree
STS, SICK = (0.0, 5.0), (1.0, 5.0)


@dataclass(frozen=True)
class GradedPairs:
    """Sentence pairs of a file, each with a grade (`low` to `high`) or a label, or both (None where there is none).

    `skipped` says where pairs stand that were left out because a side is empty, `strays` where those do whose grade is
    out of its range, with the first of them named in `notices`; `changed` counts the texts that NFC altered.
    """

    name: str
    path: Path
    lefts: list[str]
    rights: list[str]
    scores: list[float | None]
    labels: list[str | None]
    low: float
    high: float
    skipped: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    changed: int = 0

    def __len__(self) -> int:
        return len(self.lefts)

    @property
    def empty(self) -> int:
        """How many were left out because a side is empty."""
        return len(self.skipped)

    @property
    def outside(self) -> int:
        """How many were left out because their grade is out of its range."""
        return len(self.strays)

    @property
    def grades(self) -> list[float]:
        """The scores brought to 0 .. 1. Raises `UserError` if a pair has none."""
        scores = [score for score in self.scores if score is not None]
        if len(scores) != len(self.scores):
            raise UserError(f"{self.path}: {len(self.scores) - len(scores):,} pairs have no score; add a column score")
        return [(score - self.low) / (self.high - self.low) for score in scores]


Row = tuple[str, str, str, str | None, str | None]
"""Place, both sentences, score and label as they are written."""


def read_graded(path: Path, bounds: tuple[float, float] | None = None) -> GradedPairs:
    """The pairs of a file, in the Unicode form NFC; no quotes are read, so that a sentence may hold any.

    - STS-B's ``.csv`` and KorSTS' ``.tsv``: tabs between genre, file, year, id, score (0-5), two sentences, and
      what may follow;
    - SICK's ``.txt``: number, two sentences, relatedness (1-5), label;
    - a ``.tsv`` with a first line that names sentence1, sentence2, and score or label; or without one, two sentences
      and a score; ``.jsonl`` with the same keys. Their scores are 0-5, or within `bounds`. SNLI's label ``-`` is none.

    Each may end in ``.gz``. Pairs with an empty side, and scores out of their range, are left out and counted.
    Raises `UserError` for what cannot be read, naming the line, and where no pair is left.
    """
    path = Path(path)
    if _ending(path) == ".jsonl":
        rows, usual = _jsonl(path), STS
    else:
        rows, usual = _table(path)
    low, high = bounds or usual
    lefts, rights, scores, labels = [], [], [], []
    skipped: list[str] = []
    strays: list[str] = []
    notices, changed = [], 0
    for where, left, right, given, label in rows:
        score, place = None if given is None else _number(given, where), where.removeprefix(f"{path}, ")
        sides = _clean(left), _clean(right)
        changed += count_changes([left, right])
        if not all(sides):
            skipped.append(place)
            continue
        if score is not None and not low <= score <= high:
            if not strays:
                notices.append(f"{where}: the score {given} is not within {low:g} to {high:g}")
            strays.append(place)
            continue
        lefts.append(sides[0])
        rights.append(sides[1])
        scores.append(score)
        labels.append(label if label not in ("", _UNDECIDED) else None)
    if not lefts:
        reasons = f"{len(skipped):,} with an empty side, {len(strays):,} with a score outside"
        raise UserError(f"{path} holds no pair to use: {reasons}")
    left_out = tuple(skipped), tuple(strays), tuple(notices)
    return GradedPairs(path.name, path, lefts, rights, scores, labels, low, high, *left_out, changed)


@dataclass(frozen=True)
class _Layout:
    """Where the parts of a row stand: the first row, how many columns it has at least, and the places of some."""

    first: int
    columns: int
    left: int
    right: int
    score: int | None
    label: int | None
    bounds: tuple[float, float] = STS


def is_graded(path: Path) -> bool:
    """Whether a file's first row has a grade or a label beside its two sentences, in a layout of `read_graded`."""
    path = Path(path)
    if _ending(path) == ".jsonl":
        value = next(iter(json_rows(path)), ("", None))[1]
        keys = {str(key).lower() for key in value} if isinstance(value, dict) else set()
        return bool(keys & {*_SCORE, *_LABEL})
    cells = read_lines(path, "none").lines[0].split("\t")
    layout = _layout(cells)
    if layout is None or layout.first == 1 or layout.score is None:
        return layout is not None
    try:
        return math.isfinite(float(cells[layout.score]))
    except ValueError:  # a third sentence, for example: a hard negative
        return False


def _layout(header: list[str]) -> _Layout | None:
    """The layout of a table with this first line; None if it is none of those that are known."""
    sides, score = named_columns(header, (_FIRST, _SECOND)), named_columns(header, (_SCORE,))
    label = named_columns(header, (_LABEL,))
    if sides is not None and (score is not None or label is not None):
        bounds = SICK if header[0].strip().lower() == "pair_id" else STS
        grade, named = (None if found is None else found[0] for found in (score, label))
        return _Layout(1, len(header), sides[0], sides[1], grade, named, bounds)
    if len(header) >= 7:
        return _Layout(0, 7, 5, 6, 4, None)
    if len(header) == 5 and header[0].isdigit():
        return _Layout(0, 5, 1, 2, 3, 4, SICK)
    if len(header) == 3:
        return _Layout(0, 3, 0, 1, 2, None)
    return None


def _table(path: Path) -> tuple[Iterator[Row], tuple[float, float]]:
    lines = read_lines(path, "none").lines
    header = lines[0].split("\t")
    layout = _layout(header)
    if layout is None:
        raise UserError(
            f"{path}, line 1: {len(header)} columns; give STS-B's seven, SICK's five, or name them in the first "
            "line: sentence1, sentence2, score (with tabs between them)"
        )
    return _rows(path, lines, layout), layout.bounds


def _rows(path: Path, lines: list[str], layout: _Layout) -> Iterator[Row]:
    for number, line in enumerate(lines[layout.first :], start=layout.first + 1):
        if not line.strip():
            continue
        cells, where = line.split("\t"), f"{path}, line {number:,}"
        if len(cells) < layout.columns:
            raise UserError(f"{where}: {len(cells)} columns, {layout.columns} are expected, with tabs between them")
        yield (
            where,
            cells[layout.left],
            cells[layout.right],
            None if layout.score is None else cells[layout.score],
            None if layout.label is None else cells[layout.label].strip(),
        )


def _jsonl(path: Path) -> Iterator[Row]:
    for where, value in json_rows(path):
        given = {str(key).lower(): part for key, part in value.items()} if isinstance(value, dict) else {}
        left, right, score, label = (
            next((given[key] for key in keys if key in given), None) for keys in (_FIRST, _SECOND, _SCORE, _LABEL)
        )
        if not isinstance(left, str) or not isinstance(right, str) or (score is None and label is None):
            expected = '{"sentence1": "..", "sentence2": "..", "score": 3.5}'
            raise UserError(f"{where}: an object of two texts and a score is expected, like {expected}")
        yield where, left, right, None if score is None else str(score), None if label is None else str(label)


def _ending(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{where}: the score is {text[:40]!r}, not a number; is this the right column?") from None
    if not math.isfinite(value):
        raise UserError(f"{where}: the score is {text}; give a number")
    return value


def _clean(text: str) -> str:
    return " ".join(normalized(text).split())
