"""One report on parallel text: what is there, what looks wrong, what will be dropped and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jumok.data.text import Corpus
from jumok.errors import UserError

_EDGES = (0, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_BAR = 24

Sizes = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Drop:
    """Training pairs left out for one reason; `indices` are positions from 0, the report counts from 1."""

    reason: str
    indices: list[int]


@dataclass(frozen=True)
class Part:
    """Counts of one split; overlaps are its pairs whose source, or whole pair, also stands in the training data."""

    name: str
    files: tuple[str, ...]
    pairs: int
    empty_sources: int
    empty_targets: int
    duplicates: int
    changed: int
    overlap_sources: int | None = None
    overlap_pairs: int | None = None


@dataclass(frozen=True)
class Histogram:
    """How many sentences of each side are `low` to `high` units long (`high` None: any longer)."""

    unit: str
    bins: list[tuple[int, int | None, int, int]]
    longest: tuple[int, int]
    mean: tuple[float, float]


@dataclass(frozen=True)
class DataReport:
    """What `check` found; `keep` are the indices of the pairs to train on, in their order."""

    train: Part
    others: list[Part]
    histogram: Histogram
    drops: list[Drop]
    keep: list[int]

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain values for JSON, without the lists of indices."""
        return {
            "train": _part_dict(self.train),
            "others": [_part_dict(part) for part in self.others],
            "kept": len(self.keep),
            "dropped": {drop.reason: len(drop.indices) for drop in self.drops},
            "lengths": {
                "unit": self.histogram.unit,
                "mean": list(self.histogram.mean),
                "longest": list(self.histogram.longest),
                "bins": [list(row) for row in self.histogram.bins],
            },
        }

    def text(self) -> str:
        """The printed report."""
        lines = _part_lines(self.train)
        for part in self.others:
            lines += _part_lines(part)
        unit, longest, mean = self.histogram.unit, self.histogram.longest, self.histogram.mean
        figures = f"mean {mean[0]:.1f} | {mean[1]:.1f}, longest {longest[0]:,} | {longest[1]:,}"
        lines.append(f"length in {unit} (source | target): {figures}")
        lines += _bars(self.histogram.bins)
        total = self.train.pairs
        for drop in self.drops:
            count, share = len(drop.indices), 100 * len(drop.indices) / total
            lines.append(f"dropped: {count:,} ({share:.2f} %), {drop.reason}: {_where(drop.indices)}")
        lines.append(f"kept for training: {len(self.keep):,} of {total:,} pairs")
        return "\n".join(lines)


def check(
    train: Corpus,
    others: Sequence[Corpus] = (),
    *,
    lengths: tuple[Sequence[int], Sequence[int]] | None = None,
    max_length: int | None = None,
) -> DataReport:
    """Examine training pairs, and `others` (validation, test) against them.

    `lengths` are the training pairs' source and target lengths in pieces; without them, words are counted. Pairs
    with an empty side, or with a side longer than `max_length`, are left out of `keep`, each counted under one
    reason. Duplicates and overlaps are told, not dropped. Raises `UserError` if no pair is left to train on.
    """
    unit = "words" if lengths is None else "pieces"
    sizes = [np.fromiter(map(_words, side), dtype=np.int64, count=len(side)) for side in (train.sources, train.targets)]
    empty = (sizes[0] == 0) | (sizes[1] == 0)
    if lengths is not None:
        sizes = [np.asarray(side, dtype=np.int64) for side in lengths]
        if any(len(side) != len(train) for side in sizes):
            raise ValueError(f"{len(train)} pairs, but lengths for {len(sizes[0])} sources and {len(sizes[1])} targets")
    drops = [Drop("a side is empty", np.flatnonzero(empty).tolist())]
    dropped = empty
    if max_length is not None:
        too_long = ((sizes[0] > max_length) | (sizes[1] > max_length)) & ~empty
        drops.append(Drop(f"a side is longer than {max_length:,} {unit}", np.flatnonzero(too_long).tolist()))
        dropped = dropped | too_long
    drops = [drop for drop in drops if drop.indices]
    keep: list[int] = np.flatnonzero(~dropped).tolist()
    sources, pairs = set(train.sources), set(zip(train.sources, train.targets, strict=True))
    report = DataReport(
        _part(train, len(pairs)),
        [_compared(other, sources, pairs) for other in others],
        _histogram(sizes[0], sizes[1], unit),
        drops,
        keep,
    )
    if not keep:
        reasons = "; ".join(f"{len(drop.indices):,}: {drop.reason}" for drop in drops) or "there are none"
        files = ", ".join(map(str, train.files))
        raise UserError(f"no pair of {files} is left to train on ({reasons}); mend the files or raise data.max_length")
    return report


def _words(line: str) -> int:
    return len(line.split())


def _part(corpus: Corpus, distinct: int, overlap: tuple[int, int] | None = None) -> Part:
    return Part(
        corpus.name,
        tuple(map(str, corpus.files)),
        len(corpus),
        sum(not line.strip() for line in corpus.sources),
        sum(not line.strip() for line in corpus.targets),
        len(corpus) - distinct,
        corpus.changed,
        *(overlap or (None, None)),
    )


def _compared(corpus: Corpus, sources: set[str], pairs: set[tuple[str, str]]) -> Part:
    own = list(zip(corpus.sources, corpus.targets, strict=True))
    # empty lines are counted as empty sides; as "seen in training" they would say nothing
    overlap = sum(line in sources and bool(line.strip()) for line in corpus.sources), sum(pair in pairs for pair in own)
    return _part(corpus, len(set(own)), overlap)


def _histogram(source: Sizes, target: Sizes, unit: str) -> Histogram:
    edges = [-1, *_EDGES, np.iinfo(np.int64).max]
    counts = [np.histogram(side, np.array([*edges[:-1], edges[-1] - 1]) + 1)[0] for side in (source, target)]
    bins = [
        (edges[i] + 1, edges[i + 1] if i < len(_EDGES) else None, int(counts[0][i]), int(counts[1][i]))
        for i in range(len(edges) - 1)
        if counts[0][i] or counts[1][i]
    ]
    longest = tuple(int(side.max(initial=0)) for side in (source, target))
    mean = tuple(float(side.mean()) if len(side) else 0.0 for side in (source, target))
    return Histogram(unit, bins, (longest[0], longest[1]), (mean[0], mean[1]))


def _part_lines(part: Part) -> list[str]:
    lines = [f"{part.name}: {part.pairs:,} pairs ({', '.join(part.files)})"]
    if part.empty_sources or part.empty_targets:
        lines.append(f"  empty sides: {part.empty_sources:,} source, {part.empty_targets:,} target")
    if part.duplicates:
        share = 100 * part.duplicates / part.pairs
        lines.append(f"  duplicates: {part.duplicates:,} pairs ({share:.2f} %) repeat an earlier one (kept)")
    if part.overlap_sources is not None:
        lines.append(f"  also in train: {part.overlap_sources:,} sources, {part.overlap_pairs:,} whole pairs")
    if part.changed:
        lines.append(f"  notice: {part.changed:,} lines were not in the Unicode normal form NFC and were brought to it")
    return lines


def _bars(bins: list[tuple[int, int | None, int, int]]) -> list[str]:
    most = max((max(row[2], row[3]) for row in bins), default=1)
    lines = []
    for low, high, left, right in bins:
        label = f"{low}+" if high is None else str(low) if low == high else f"{low}-{high}"
        bars = ["█" * max(round(_BAR * count / most), int(count > 0)) for count in (left, right)]
        lines.append(f"  {label:>9}  {left:>9,} {bars[0]:<{_BAR}}  {right:>9,} {bars[1]}".rstrip())
    return lines


def _where(indices: list[int]) -> str:
    first = ", ".join(f"{index + 1:,}" for index in indices[:5])
    rest = f" and {len(indices) - 5:,} more" if len(indices) > 5 else ""
    return f"pair{'s' if len(indices) > 1 else ''} {first}{rest}"


def _part_dict(part: Part) -> dict[str, Any]:
    values = {name: getattr(part, name) for name in Part.__dataclass_fields__}
    return {**values, "files": list(part.files)}
