"""What may be written next: length limits, forced prefixes, no repeated n-grams. Each changes logits in place."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Constraint(Protocol):
    """Sets the logits of forbidden tokens to -inf.

    `logits (B, beams, V)`; `written (B, beams, t)` tokens so far; `sentences` the number of each row's sentence.
    """

    def __call__(self, logits: Tensor, written: Tensor, sentences: Tensor) -> None: ...


class Never:
    """Tokens that are no text: padding and begin."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = list(dict.fromkeys(tokens))

    def __call__(
        self, logits: Float[Tensor, "B beams V"], written: Int[Tensor, "B beams t"], sentences: Int[Tensor, " B"]
    ) -> None:
        for token in self.tokens:  # a list as an index would be made a tensor at every step
            logits[:, :, token] = -torch.inf


class Lengths:
    """No end before `minimum` tokens; nothing but the end at each sentence's own maximum."""

    def __init__(self, minimum: int, maximum: Int[Tensor, " all"], end: int) -> None:
        self.minimum, self.maximum, self.end = minimum, maximum, end
        self.shortest = int(maximum.min())

    def __call__(
        self, logits: Float[Tensor, "B beams V"], written: Int[Tensor, "B beams t"], sentences: Int[Tensor, " B"]
    ) -> None:
        length = written.shape[2]
        if length < self.shortest:
            if length < self.minimum:
                logits[:, :, self.end] = -torch.inf
            return
        full = self.maximum[sentences] <= length
        if length < self.minimum:
            logits[~full, :, self.end] = -torch.inf
        if bool(full.any()):
            ends = logits[full, :, self.end]
            logits[full] = -torch.inf
            logits[full, :, self.end] = ends


class Prefixes:
    """Each sentence begins with its own given tokens; the `others` rule from there on."""

    def __init__(self, prefixes: Sequence[Sequence[int]], others: Sequence[Constraint]) -> None:
        self.longest = max(map(len, prefixes), default=0)
        self.tokens = torch.tensor([list(p) + [-1] * (self.longest - len(p)) for p in prefixes], dtype=torch.long)
        self.others = others

    def __call__(
        self, logits: Float[Tensor, "B beams V"], written: Int[Tensor, "B beams t"], sentences: Int[Tensor, " B"]
    ) -> None:
        length = written.shape[2]
        forced = self.tokens[sentences.cpu(), length] if length < self.longest else sentences.new_full((0,), -1).cpu()
        rows = (forced >= 0).nonzero()[:, 0]
        tokens, rows = forced[rows].to(logits.device), rows.to(logits.device)
        # a forced token costs what the model says of it, so that scores stay comparable
        values = logits[rows, :, tokens]
        for constraint in self.others:
            constraint(logits, written, sentences)
        logits[rows] = -torch.inf
        logits[rows, :, tokens] = values


class OrEnd:
    """Where the `others` together leave nothing to write, the output ends."""

    def __init__(self, end: int, others: Sequence[Constraint]) -> None:
        self.end, self.others = end, others

    def __call__(
        self, logits: Float[Tensor, "B beams V"], written: Int[Tensor, "B beams t"], sentences: Int[Tensor, " B"]
    ) -> None:
        ends = logits[:, :, self.end].clone()
        for constraint in self.others:
            constraint(logits, written, sentences)
        nothing = logits.amax(-1) == -torch.inf
        logits[:, :, self.end] = torch.where(nothing, ends, logits[:, :, self.end])


class NoRepeat:
    """No n-gram twice in one output (Paulus et al. 2017): the guard against loops."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(
        self, logits: Float[Tensor, "B beams V"], written: Int[Tensor, "B beams t"], sentences: Int[Tensor, " B"]
    ) -> None:
        if written.shape[2] < self.size:
            return
        grams = written.unfold(2, self.size, 1)
        recent = written[:, :, written.shape[2] - self.size + 1 :]
        again = (grams[..., :-1] == recent[:, :, None]).all(-1)
        banned = torch.where(again, grams[..., -1], grams.new_full((), -1))
        row, beam, place = (banned >= 0).nonzero(as_tuple=True)
        logits[row, beam, banned[row, beam, place]] = -torch.inf
