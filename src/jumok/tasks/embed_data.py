"""What an `embed` training learns from: its files read, held-out sentences left out, batches of all objectives."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jumok.data.batching import pad
from jumok.data.graded import GradedPairs, read_graded
from jumok.data.sentences import Group, Groups, read_groups
from jumok.errors import UserError
from jumok.tasks.embed_options import Objective, SentenceData

_ROWS_APART = 64  # sentences of a batch that are padded together


class Texts:
    """Every sentence once, by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def all(self) -> list[str]:
        return list(self._numbers)


@dataclass(frozen=True)
class Example:
    """Numbers of texts that belong together, hard negatives of them, and of two in order a grade (0-1) or a label."""

    texts: tuple[int, ...]
    negatives: tuple[int, ...] = ()
    grade: float = 0.0
    label: int = 0


@dataclass(frozen=True)
class Source:
    """What one objective learns from; `files` as they were read."""

    objective: Objective
    files: tuple[Path, ...]
    examples: list[Example]


def read_sources(
    data: SentenceData, objectives: Sequence[Objective], texts: Texts, held_out: set[str], labels: Sequence[str]
) -> list[Source]:
    """The examples of every objective, without those that hold a text of `held_out`; `check_files` counts them."""
    return [_source(data, objective, texts, held_out, labels) for objective in objectives]


def files_of(data: SentenceData, names: Sequence[str]) -> list[Path]:
    """The paths of files of a recipe."""
    folder = Path(data.folder)
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; set data.folder to the one that holds {', '.join(names)}")
    return [folder / name for name in names]


def short_names(paths: Sequence[Path]) -> list[str]:
    """Each path by its own name without an ending, with as many folders before it as it takes to tell them apart."""
    parts = [(*path.parent.parts, path.name.split(".")[0]) for path in paths]
    counts = range(1, 1 + max(map(len, parts), default=0))
    tries = (["/".join(part[-count:]) for part in parts] for count in counts)
    return next((names for names in tries if len(set(names)) == len(paths)), [str(path) for path in paths])


def known_labels(data: SentenceData, objectives: Sequence[Objective]) -> tuple[str, ...]:
    """The labels of all pairs with one, in their alphabetical order. Raises `UserError` if a file has none."""
    found: set[str] = set()
    for objective in objectives:
        if objective.kind == "entailment":
            pairs = read_graded(files_of(data, objective.files)[0])
            labels = {label for label in pairs.labels if label}
            if not labels:
                raise UserError(f"{pairs.path} has no labels; kind = entailment needs a column label")
            found |= labels
    return tuple(sorted(found))


def _source(
    data: SentenceData, objective: Objective, texts: Texts, held_out: set[str], labels: Sequence[str]
) -> Source:
    def normal(text: str) -> str:
        return text.lower() if data.lowercase else text

    files = files_of(data, objective.files)
    if objective.kind in ("graded", "entailment"):
        rows = _graded(read_graded(files[0]), objective, labels)
        examples = [
            Example((texts.number(normal(left)), texts.number(normal(right))), (), grade, label)
            for left, right, grade, label in rows
            if normal(left) not in held_out and normal(right) not in held_out
        ]
    else:
        given = read_groups(files)
        groups, _ = Groups(given.name, given.files, [_lowered(g, normal) for g in given.groups]).without(held_out)
        examples = [
            Example(tuple(map(texts.number, group.texts)), tuple(map(texts.number, group.negatives)))
            for group in groups.groups
        ]
    return Source(objective, tuple(files), examples)


def _graded(pairs: GradedPairs, objective: Objective, labels: Sequence[str]) -> list[tuple[str, str, float, int]]:
    """Both sentences, grade and number of the label of the pairs that have what is learnt."""
    if objective.kind == "graded":
        rows = zip(pairs.lefts, pairs.rights, pairs.grades, strict=True)
        return [(left, right, grade, 0) for left, right, grade in rows]
    labelled = zip(pairs.lefts, pairs.rights, pairs.labels, strict=True)
    return [(left, right, 0.0, labels.index(label)) for left, right, label in labelled if label in labels]


def _lowered(group: Group, normal: Callable[[str], str]) -> Group:
    return Group(tuple(map(normal, group.texts)), tuple(map(normal, group.negatives)), group.ordered)


def mixed_batches(sizes: Sequence[int], shares: Sequence[float], batch: int, seed: int, epoch: int) -> list[list[int]]:
    """Batches with a fixed share of each set's examples; an example is its place in all sets, one behind the other.

    An epoch sees the first set once. Of the others each epoch takes what follows of an endless run through them, in
    an order of its own each time round; so of a set that is smaller, an epoch sees examples again.
    """
    total = sum(shares)
    counts = [min(max(1, round(batch * share / total)), size) for share, size in zip(shares, sizes, strict=True)]
    steps = max(1, -(-sizes[0] // counts[0]))
    rows: list[list[int]] = [[] for _ in range(steps)]
    for place, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        needed = sizes[0] if place == 0 else steps * count
        stream = _stream(size, epoch * needed, needed, seed, place) + sum(sizes[:place])
        for step, part in enumerate(np.array_split(stream, steps)):
            rows[step] += part.tolist()
    return rows


def _stream(size: int, first: int, count: int, seed: int, place: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """`count` places from `first` on, of permutations of `size` places one after the other."""
    rounds = range(first // size, (first + count - 1) // size + 1)
    orders = [np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, place, r]))) for r in rounds]
    stream = np.concatenate([order.permutation(size) for order in orders])
    start = first - rounds[0] * size
    return stream[start : start + count]


@dataclass(frozen=True)
class Rows:
    """One objective's pairs in a batch, as places among the batch's sentences, with the numbers of their texts.

    `left` and `right` (n,), hard `negatives` (k,); `texts` (3 parts) tell equal sentences; `grades` and `labels` (n,).
    """

    left: Tensor
    right: Tensor
    negatives: Tensor
    texts: tuple[Tensor, Tensor, Tensor]
    grades: Tensor
    labels: Tensor


@dataclass(frozen=True)
class SentenceBatch:
    """Sentences as padded pieces of like length, and for every objective of the recipe which belong together.

    `order` (S,) is where sentence s stands in the chunks, one behind the other.
    """

    chunks: list[tuple[Tensor, Tensor]]
    order: Tensor
    rows: list[Rows]

    def to(self, device: torch.device | str) -> "SentenceBatch":
        """The same batch on `device`."""
        chunks = [(tokens.to(device), lengths.to(device)) for tokens, lengths in self.chunks]
        rows = [
            Rows(
                row.left.to(device),
                row.right.to(device),
                row.negatives.to(device),
                (row.texts[0].to(device), row.texts[1].to(device), row.texts[2].to(device)),
                row.grades.to(device),
                row.labels.to(device),
            )
            for row in self.rows
        ]
        return SentenceBatch(chunks, self.order.to(device), rows)


def collate(sentences: Sequence[Sequence[int]], rows: list[Rows]) -> SentenceBatch:
    """Sentences in pieces, sorted by length and padded in chunks, so that short ones do not wait for long ones."""
    by_length = sorted(range(len(sentences)), key=lambda i: (len(sentences[i]), i))
    chunks = [
        pad([sentences[i] for i in by_length[start : start + _ROWS_APART]])
        for start in range(0, len(by_length), _ROWS_APART)
    ]
    order = torch.empty(len(sentences), dtype=torch.int64)
    order[torch.tensor(by_length, dtype=torch.int64)] = torch.arange(len(sentences))
    return SentenceBatch(chunks, order, rows)


def partners(example: Example, seed: int, epoch: int, place: int) -> tuple[int, int]:
    """Two of an example's texts: of more than two drawn anew each epoch; of one, twice the same."""
    if len(example.texts) <= 2:
        return example.texts[0], example.texts[-1]
    one, other = random.Random(f"{seed} {epoch} {place} partners").sample(example.texts, 2)
    return one, other
