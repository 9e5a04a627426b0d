"""One report on sentences that belong together: what is there, what looks wrong, what a training leaves out and why."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jumok.data.bars import bars
from jumok.data.graded import GradedPairs
from jumok.data.sentences import Groups
from jumok.errors import UserError

Sentences = Groups | GradedPairs

_EDGES = (0, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_SHOWN = 5  # places named, of each reason
_MOST_LABELS = 20


@dataclass(frozen=True)
class SentencePart:
    """What was found in one set of files.

    `examples` are the pairs, groups or lines of it, `sentences` its different sentences. `left_out` are places with a
    reason each. `duplicates` repeat an earlier example, `contrary` of them with another score or label; `alike` are
    pairs of twice the same. `hard` examples have hard negatives, of which `false` ones say the same as their anchor or
    its partner. `held_out` counts, for each file that is held out, the examples that a training leaves out for it,
    `lost` is how many it leaves out. `grades` and `labels` are counted, `unsaid` pairs of a file of them have neither.
    """

    name: str
    files: tuple[str, ...]
    kind: str
    examples: int
    sentences: int
    left_out: tuple[tuple[str, tuple[str, ...]], ...]
    changed: int
    duplicates: int
    contrary: int
    alike: int
    hard: int
    false: int
    held_out: dict[str, int]
    lost: int
    grades: list[tuple[str, int]]
    labels: list[tuple[str, int]]
    unsaid: int
    lengths: list[tuple[str, int]]
    longest: int
    mean: float

    def lines(self) -> list[str]:
        """The part as it is printed."""
        hard = f", {self.hard:,} with hard negatives" if self.hard else ""
        lines = [
            f"{self.name}: {self.examples:,} {self.kind}{hard} ({', '.join(self.files)})",
            f"  sentences: {self.sentences:,} different ones",
        ]
        lines += [f"  left out: {len(places):,}, {reason}: {_where(places)}" for reason, places in self.left_out]
        if self.duplicates:
            share = 100 * self.duplicates / self.examples
            lines.append(f"  duplicates: {self.duplicates:,} ({share:.2f} %) repeat an earlier one (kept)")
        if self.contrary:
            lines.append(f"  notice: {self.contrary:,} of them stand with another score or label than the first")
        if self.alike:
            lines.append(f"  notice: {self.alike:,} say the very same on both sides")
        if self.false:
            lines.append(f"  notice: {self.false:,} hard negatives say the very same as their anchor or its partner")
        if self.unsaid:
            lines.append(f"  notice: {self.unsaid:,} have neither a score nor a label, and teach nothing")
        if self.changed:
            lines.append(
                f"  notice: {self.changed:,} texts were not in the Unicode normal form NFC and were brought to it"
            )
        for name, count in self.held_out.items():
            fate = ", left out of a training" if count else ""
            lines.append(f"  also held out: {count:,} hold a sentence of {name}{fate}")
        for title, rows in ("scores", self.grades), ("labels", self.labels):
            lines += [f"  {title}:", *bars(rows)] if rows else []
        return [*lines, f"  length in words: mean {self.mean:.1f}, longest {self.longest:,}", *bars(self.lengths)]


@dataclass(frozen=True)
class SentenceReport:
    """What `check_sentences` found, of what is learnt from and of what is held out."""

    train: list[SentencePart]
    held_out: list[SentencePart]

    def text(self) -> str:
        """The printed report."""
        lines = [line for part in [*self.train, *self.held_out] for line in part.lines()]
        total, lost = (sum(counts) for counts in zip(*((p.examples, p.lost) for p in self.train), strict=True))
        return "\n".join([*lines, f"kept for training: {total - lost:,} of {total:,} examples"])


@dataclass(frozen=True)
class _Example:
    """Texts that belong together; in order or not; a pair's score and label."""

    texts: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    ordered: bool = True
    verdict: tuple[float | None, str | None] = (None, None)

    def lost_to(self, held_out: set[str]) -> bool:
        """Whether a training cannot learn from it: as `Groups.without`."""
        rest = sum(text not in held_out for text in self.texts)
        return rest < (len(self.texts) if self.ordered else 2)


def check_sentences(
    train: Sequence[tuple[str, Sentences]],
    held_out: Sequence[tuple[str, Sentences]] = (),
    *,
    lowercase: bool = False,
) -> SentenceReport:
    """Examine what is learnt from, and whether sentences that are `held_out` (validation, test) stand in it.

    Each has a name for the report. With `lowercase` sentences that differ by capitals alone are the same. Duplicates
    are told, not left out. Raises `UserError` if no example is left to learn from.
    """
    others = [(found, _examples(found, lowercase)) for _, found in held_out]
    # a hard negative of held-out pairs is no sentence that anything is scored by
    theirs = {_files(found): {text for example in rows for text in example.texts} for found, rows in others}
    report = SentenceReport(
        [_part(name, found, _examples(found, lowercase), theirs) for name, found in train],
        [_part(name, found, rows, {}) for (name, _), (found, rows) in zip(held_out, others, strict=True)],
    )
    for part in report.train:
        if part.lost == part.examples:
            raise UserError(
                f"nothing of {', '.join(part.files)} is left to learn from: each example holds a sentence that is held "
                "out, or says nothing; give other files for one or the other"
            )
    return report


def _part(name: str, found: Sentences, examples: list[_Example], held_out: dict[str, set[str]]) -> SentencePart:
    sentences = {text for example in examples for text in (*example.texts, *example.negatives)}
    words = [len(text.split()) for text in sentences]
    first: dict[tuple[str, ...], tuple[float | None, str | None]] = {}
    duplicates = contrary = 0
    for example in examples:
        key = example.texts if example.ordered else tuple(sorted(example.texts))
        duplicates += key in first
        contrary += first.setdefault(key, example.verdict) != example.verdict
    silent = [isinstance(found, GradedPairs) and example.verdict == (None, None) for example in examples]
    every = set().union(*held_out.values())
    return SentencePart(
        name=name,
        files=tuple(map(str, _paths(found))),
        kind=_kind(found, examples),
        examples=len(examples),
        sentences=len(sentences),
        left_out=_left_out(found),
        changed=found.changed,
        duplicates=duplicates,
        contrary=contrary,
        alike=sum(len(example.texts) == 2 and len(set(example.texts)) == 1 for example in examples),
        hard=sum(bool(example.negatives) for example in examples),
        false=sum(text in example.texts for example in examples for text in example.negatives),
        held_out={other: sum(example.lost_to(texts) for example in examples) for other, texts in held_out.items()},
        lost=sum(example.lost_to(every) or unsaid for example, unsaid in zip(examples, silent, strict=True)),
        grades=_grade_rows(found) if isinstance(found, GradedPairs) else [],
        labels=_label_rows(found) if isinstance(found, GradedPairs) else [],
        unsaid=sum(silent),
        lengths=_ranges(words),
        longest=max(words),
        mean=sum(words) / len(words),
    )


def _examples(found: Sentences, lowercase: bool) -> list[_Example]:
    def normal(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(text.lower() if lowercase else text for text in texts)

    if isinstance(found, Groups):
        return [_Example(normal(group.texts), normal(group.negatives), group.ordered) for group in found.groups]
    rows = zip(found.lefts, found.rights, found.scores, found.labels, strict=True)
    return [_Example(normal((left, right)), verdict=(score, label)) for left, right, score, label in rows]


def _kind(found: Sentences, examples: list[_Example]) -> str:
    if isinstance(found, GradedPairs):
        graded, labelled = set(found.scores) != {None}, set(found.labels) != {None}
        return f"{'graded' * graded}{' and ' * (graded and labelled)}{'labelled' * labelled} pairs".lstrip()
    low, high = (choose(len(example.texts) for example in examples) for choose in (min, max))
    if high == 1:
        return "sentences, each its own partner"
    if all(example.ordered for example in examples):
        return "pairs"
    return f"groups of {low} to {high} sentences" if low < high else f"groups of {low} sentences"


def _left_out(found: Sentences) -> tuple[tuple[str, tuple[str, ...]], ...]:
    reasons = [("a side is empty" if isinstance(found, GradedPairs) else "empty, or without a partner", found.skipped)]
    if isinstance(found, GradedPairs):
        reasons.append((f"the score is not within {found.low:g} to {found.high:g}", found.strays))
    return tuple((reason, places) for reason, places in reasons if places)


def _grade_rows(found: GradedPairs) -> list[tuple[str, int]]:
    """How many scores lie in each part of their range: from one whole number to the next where these are few."""
    scores = [score for score in found.scores if score is not None]
    width = found.high - found.low
    count = int(width) if width == int(width) and 4 <= width <= 10 else 5
    edges = [found.low + width * place / count for place in range(count + 1)]
    counts = Counter(min(int((score - found.low) / width * count), count - 1) for score in scores)
    return [(f"{low:g}-{high:g}", counts[place]) for place, (low, high) in enumerate(pairwise(edges))] if scores else []


def _label_rows(found: GradedPairs) -> list[tuple[str, int]]:
    counts = Counter(label for label in found.labels if label is not None).most_common()
    more = sum(count for _, count in counts[_MOST_LABELS:])
    return counts[:_MOST_LABELS] + ([("others", more)] if more else [])


def _ranges(words: Sequence[int]) -> list[tuple[str, int]]:
    counts = Counter(max(edge for edge in _EDGES if edge < size) for size in words)
    labels = {low: f"{low + 1}-{high}" for low, high in pairwise(_EDGES)} | {_EDGES[-1]: f"{_EDGES[-1] + 1}+"}
    return [(label, counts[low]) for low, label in labels.items() if counts[low]]


def _paths(found: Sentences) -> tuple[object, ...]:
    return (found.path,) if isinstance(found, GradedPairs) else found.files


def _files(found: Sentences) -> str:
    return " + ".join(map(str, _paths(found)))


def _where(places: Sequence[str]) -> str:
    more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
    return ", ".join(places[:_SHOWN]) + more
