"""Batches by token budget: sentences of like length together, a pure function of (lengths, budget, seed, epoch)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from jumok.data.tokenizer import BEGIN, END, PAD

_SOURCE_SHARE = 1.5
_RANGE = 3.0

Lengths = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class TextBatch:
    """Sentence pairs as padded tensors, all int64.

    `source` (B, K) and its `source_lengths` (B,); `target` (B, Q) is BEGIN + pieces, what the decoder reads; `labels`
    (B, Q) is pieces + END, what it must say; both have `target_lengths` (B,) real tokens and PAD after them.
    `indices` (B,) are the pairs' places in the corpus.
    """

    source: Tensor
    source_lengths: Tensor
    target: Tensor
    labels: Tensor
    target_lengths: Tensor
    indices: Tensor

    def to(self, device: torch.device | str) -> "TextBatch":
        """The same batch on `device`."""
        tensors = (self.source, self.source_lengths, self.target, self.labels, self.target_lengths, self.indices)
        return TextBatch(*(tensor.to(device, non_blocking=True) for tensor in tensors))

    @property
    def tokens(self) -> int:
        """Number of real target tokens, END included."""
        return int(self.target_lengths.sum())


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of unequal length as (rows (B, K) filled up with PAD, lengths (B,)); K is at least 1."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    padded = np.full((len(rows), max(int(lengths.max(initial=0)), 1)), PAD, dtype=np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
    return torch.from_numpy(padded), torch.from_numpy(lengths)


def collate(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], indices: Sequence[int]) -> TextBatch:
    """A batch of pieces; sources are taken as they are, BEGIN and END are set around the targets."""
    source, source_lengths = pad(sources)
    return TextBatch(source, source_lengths, *written(targets), torch.tensor(indices, dtype=torch.int64))


def written(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Pieces as a decoder learns them: (BEGIN + row, row + END, lengths with the one more), padded."""
    target, lengths = pad([[BEGIN, *row] for row in rows])
    labels, _ = pad([[*row, END] for row in rows])
    return target, labels, lengths


def shuffled(count: int, size: int, seed: int, epoch: int) -> list[list[int]]:
    """The places of `count` samples in an order of their own each epoch, in batches of at most `size`.

    They are equal but for one sample, the longer ones first.
    """
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    return [part.tolist() for part in np.array_split(random.permutation(count), max(1, -(-count // size)))]


def token_batches(
    source_lengths: Sequence[int], target_lengths: Sequence[int], *, budget: int, seed: int, epoch: int
) -> list[list[int]]:
    """Every index once, in batches of like length, in an order of its own each epoch; a pure function of its arguments.

    A batch of n pairs holds at most `budget` target tokens, n (max target length + END), and 1.5 `budget` source
    tokens, padding counted; a pair that is longer than that alone is a batch of its own. Lengths are in pieces.
    """
    if budget < 1:
        raise ValueError(f"budget = {budget}: at least one token a batch is needed")
    source = np.asarray(source_lengths, dtype=np.int64)
    target = np.asarray(target_lengths, dtype=np.int64) + 1
    if len(source) != len(target):
        raise ValueError(f"{len(source)} source lengths, {len(target)} target lengths")
    if not len(source):
        return []
    random = np.random.Generator(np.random.PCG64([seed & (2**64 - 1), epoch]))
    order = _by_length(source, target, budget, random)
    batches = _cut(order, source[order], target[order], budget, first=random.uniform(0.25, 1.0))
    return [batches[i] for i in random.permutation(len(batches))]


def largest(batches: Sequence[list[int]], source_lengths: Sequence[int], target_lengths: Sequence[int]) -> list[int]:
    """The batch that needs most memory: n (S + T) padded tokens and, for attention, n (S² + T² + S T) / 64."""
    if not batches:
        raise ValueError("there is no batch to choose from")
    source, target = np.asarray(source_lengths, dtype=np.int64), np.asarray(target_lengths, dtype=np.int64) + 1

    def memory(batch: list[int]) -> float:
        s, t = int(source[batch].max()), int(target[batch].max())
        return len(batch) * (s + t + (s * s + t * t + s * t) / 64)

    return max(batches, key=memory)


def shard(batches: Sequence[list[int]], rank: int, world: int, accumulate: int = 1) -> list[list[list[int]]]:
    """The batches of process `rank` of `world`, as optimiser steps of at most `accumulate` batches each.

    A step takes the next `accumulate * world` batches, dealt out in turn, so 1 process x 4, 2 x 2 and 4 x 1 see the
    same sentences in a step. All processes get the same number of steps and of batches in each: in the last step
    batches are halved until they can be dealt out evenly (only fewer sentences than processes leave an empty batch).
    """
    if not 0 <= rank < world or accumulate < 1:
        raise ValueError(f"rank {rank} of {world} processes, accumulate {accumulate}")
    size = accumulate * world
    steps = []
    for start in range(0, len(batches), size):
        group = list(batches[start : start + size])
        while len(group) % world:
            widest = max(range(len(group)), key=lambda i: len(group[i]))
            batch, half = group[widest], (len(group[widest]) + 1) // 2
            group[widest : widest + 1] = [batch[:half], batch[half:]]
        steps.append(group[rank::world])
    return steps


def _by_length(source: Lengths, target: Lengths, budget: int, random: np.random.Generator) -> Lengths:
    """Strips of like target length, sorted by source length inside: neighbours are alike on both sides.

    A strip w lengths wide pads targets by w / 2; where a length fills c batches it holds c w of them, so it pads
    sources by r / (2 c w) if theirs range over r. The sum is least for w = sqrt(r / c).
    """
    filled = np.bincount(target, weights=target / budget)
    batches = np.convolve(filled, np.full(5, 0.2), mode="same") if len(filled) >= 5 else filled
    spread = 1.0 + _RANGE * np.arange(len(filled)) * float(np.std(source / target))
    strips = np.cumsum(np.sqrt(batches / spread))
    # Ties take a random place within their length and the borders a random phase, so every epoch has other batches.
    place = strips[target] - random.random(len(target)) * (strips[target] - strips[target - 1])
    strip = np.floor(place + random.random()).astype(np.int64)
    # Sources rise in one strip and fall in the next: a batch across the border stays narrow.
    rough = source + random.random(len(source))
    order: Lengths = np.lexsort((np.where(strip % 2 == 0, rough, -rough), strip))
    return order


def _cut(order: Lengths, source: Lengths, target: Lengths, budget: int, first: float) -> list[list[int]]:
    """Greedy cuts; the first batch takes only the share `first` of the budget, which moves every later border."""
    batches, start, wide, high, room = [], 0, 0, 0, first * budget
    for i, (s, t) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        count, wide, high = i - start + 1, max(wide, s), max(high, t)
        if count > 1 and (count * high > room or count * wide > _SOURCE_SHARE * room):
            batches.append(order[start:i].tolist())
            start, wide, high, room = i, s, t, float(budget)
    batches.append(order[start:].tolist())
    return batches
