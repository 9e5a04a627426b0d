"""Greedy and beam search over any `Decoder` (Graves 2012; Sutskever et al. 2014; length penalty of Wu et al. 2016)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from jumok.config import Config
from jumok.decoding.constraints import Constraint, Lengths, Never, NoRepeat, OrEnd, Prefixes
from jumok.decoding.protocol import Decoder
from jumok.decoding.ranking import draw, length_penalty, log_partition, top_tokens


class DecodingOptions(Config):
    """How a finished run decodes unless it is asked otherwise: what a recipe may say."""

    beam: int = Field(4, ge=1, description="beams a sentence; 1 is greedy")
    length_penalty: float = Field(1.0, ge=0, description="alpha of GNMT: score = log p / ((5 + length) / 6)^alpha")


class SearchOptions(DecodingOptions):
    """How to decode: what a run says of it, and what only a single call may ask for."""

    n_best: int = Field(1, ge=1, description="how many outputs a sentence, best first; at most beam")
    max_length: int | None = Field(None, ge=1, description="most tokens written; empty: twice the source plus ten")
    min_length: int = Field(0, ge=0, description="fewest tokens written before the end")
    no_repeat_ngram: int = Field(0, ge=0, description="no n-gram of this size twice in one output; 0: off")
    sample: bool = Field(False, description="draw tokens by chance instead of searching for the best")
    temperature: float = Field(1.0, gt=0, description="sampling: logits are divided by this")
    top_k: int = Field(0, ge=0, description="sampling: only the k likeliest tokens; 0: all")
    top_p: float = Field(1.0, gt=0, le=1, description="sampling: the fewest tokens whose probabilities sum to this")
    seed: int = Field(1, ge=0, description="sampling: the same seed draws the same text")


@dataclass(frozen=True)
class Hypothesis:
    """One output: its tokens without begin and end, ``log p`` with the end, and the score it was ranked by."""

    tokens: list[int]
    score: float
    log_probability: float


@torch.inference_mode()
def search(
    decoder: Decoder,
    encoded: Any,
    options: SearchOptions,
    *,
    begin: int,
    end: int,
    pad: int,
    max_lengths: Sequence[int],
    prefixes: Sequence[Sequence[int]] | None = None,
    numbers: Sequence[int] | None = None,
    device: torch.device | None = None,
) -> list[list[Hypothesis]]:
    """The `n_best` outputs of each sentence, best first.

    Args:
        encoded: what `decoder.begin` takes; one row a sentence.
        max_lengths: the most tokens each sentence may have, its end not counted.
        prefixes: tokens each output must begin with.
        numbers: each sentence's number in the whole input: sampling draws by it, whatever the batch.
    """
    device = device or torch.device("cpu")
    if prefixes is not None:
        max_lengths = [max(most, len(prefix)) for most, prefix in zip(max_lengths, prefixes, strict=True)]
    maximum = torch.tensor(list(max_lengths), device=device)
    constraints: list[Constraint] = [Never([begin, pad]), Lengths(options.min_length, maximum, end)]
    if options.no_repeat_ngram:
        constraints = [OrEnd(end, [NoRepeat(options.no_repeat_ngram), *constraints])]
    if prefixes is not None and any(prefixes):
        constraints = [Prefixes(prefixes, constraints)]
    if options.sample:
        numbers = range(len(max_lengths)) if numbers is None else numbers
        uniforms = _uniforms(options, numbers, int(maximum.max()) + 1, device)
        return _sample(decoder, encoded, options, constraints, begin, end, maximum, uniforms)
    return _beam(decoder, encoded, options, constraints, begin, end, maximum)


def _beam(
    decoder: Decoder,
    encoded: Any,
    options: SearchOptions,
    constraints: list[Constraint],
    begin: int,
    end: int,
    maximum: Int[Tensor, " all"],
) -> list[list[Hypothesis]]:
    """Beam search; with one beam, greedy search.

    At each step the ``2 * beam`` likeliest continuations of a sentence are looked at. Those among the first `beam`
    that end are finished hypotheses; the `beam` likeliest that do not end live on. A sentence is done when the `beam`
    likeliest of its hypotheses, finished and live, are all finished, or when no live one can still overtake the score
    of its n-th best. (Stopping at any `beam` finished ones would return cut-off outputs where the model is sure.)
    """
    beams, alpha, device = options.beam, options.length_penalty, maximum.device
    wanted, longest = min(options.n_best, beams), int(maximum.max())
    finished: list[list[Hypothesis]] = [[] for _ in maximum]
    # one beam reads the begin token; the first reorder spreads it
    state = decoder.begin(encoded, 1, longest + 1)
    sentences = torch.arange(len(maximum), device=device)
    written = torch.empty(len(maximum), 1, 0, dtype=torch.long, device=device)
    scores = torch.zeros(len(maximum), 1, device=device)
    tokens = torch.full((len(maximum), 1), begin, dtype=torch.long, device=device)
    for length in range(longest + 1):
        logits, state = decoder.step(tokens, state)
        logits = logits.view(*scores.shape, -1)
        log_z = log_partition(logits)  # before the constraints: what is forbidden keeps its probability
        for constraint in constraints:
            constraint(logits, written, sentences)
        best, parents, following = _continue(logits, scores - log_z, 2 * beams)
        possible = best > -torch.inf
        ends = (following == end) & possible
        for row, column in ends[:, :beams].nonzero().tolist():
            log_p = float(best[row, column])
            text = written[row, parents[row, column]].tolist()
            score = log_p / length_penalty(length + 1.0, alpha)
            finished[int(sentences[row])].append(Hypothesis(text, score, log_p))
        order = (ends | ~possible).to(torch.int8).sort(dim=1, stable=True).indices[:, :beams]
        scores = best.masked_fill(ends, -torch.inf).gather(1, order)
        parents, following = parents.gather(1, order), following.gather(1, order)
        # log p only falls, and no later penalty forgives more than the one at the maximum length
        likeliest = scores.max(1).values
        hope = likeliest / length_penalty(maximum[sentences] + 1.0, alpha)
        rows = zip(sentences.tolist(), likeliest.tolist(), hope.tolist(), strict=True)
        going = [row for row, (n, log_p, score) in enumerate(rows) if _open(finished[n], log_p, score, beams, wanted)]
        if not going:
            break
        written = torch.cat([_rows(written, parents), following[:, :, None]], dim=2)
        state.reorder(parents)
        if len(going) < len(sentences):
            kept = torch.tensor(going, device=device)
            sentences, written, scores, following = sentences[kept], written[kept], scores[kept], following[kept]
            state.keep(kept)
        tokens = following.reshape(-1, 1)
    return [sorted(found, key=lambda h: -h.score)[:wanted] for found in finished]


def _continue(
    logits: Float[Tensor, "B beams V"], offsets: Float[Tensor, "B beams"], count: int
) -> tuple[Float[Tensor, "B n"], Int[Tensor, "B n"], Int[Tensor, "B n"]]:
    """The `count` best continuations of each sentence: scores, the beams they continue, and their tokens."""
    values, tokens = top_tokens(logits, count)
    together = (values.float() + offsets[:, :, None]).flatten(1)
    best, place = together.topk(min(count, together.shape[1]), dim=1)
    return best, place // values.shape[2], tokens.flatten(1).gather(1, place)


def _open(finished: list[Hypothesis], log_p: float, hope: float, beams: int, wanted: int) -> bool:
    """Whether a sentence goes on whose likeliest live beam has `log_p` and may at best reach the score `hope`."""
    if not finished:  # of most sentences at most steps
        return hope > -float("inf")
    scores = sorted((found.score for found in finished), reverse=True)
    can_win = hope > (scores[wanted - 1] if len(scores) >= wanted else -float("inf"))
    return can_win and sum(found.log_probability >= log_p for found in finished) < beams


def _sample(
    decoder: Decoder,
    encoded: Any,
    options: SearchOptions,
    constraints: list[Constraint],
    begin: int,
    end: int,
    maximum: Int[Tensor, " all"],
    uniforms: Float[Tensor, "all draws steps"],
) -> list[list[Hypothesis]]:
    """`n_best` independent draws a sentence: temperature, then top-k, then nucleus (Holtzman et al. 2020)."""
    draws, device = options.n_best, maximum.device
    longest = int(maximum.max())
    found: list[list[Hypothesis]] = [[] for _ in maximum]
    state = decoder.begin(encoded, draws, longest + 1)
    sentences = torch.arange(len(maximum), device=device)
    written = torch.empty(len(maximum), draws, 0, dtype=torch.long, device=device)
    scores = torch.zeros(len(maximum), draws, device=device)
    open_ = torch.ones(len(maximum), draws, dtype=torch.bool, device=device)
    tokens = torch.full((len(maximum) * draws, 1), begin, dtype=torch.long, device=device)
    for length in range(longest + 1):
        logits, state = decoder.step(tokens, state)
        logits = logits.view(-1, draws, logits.shape[-1]).float()
        log_z = log_partition(logits)
        for constraint in constraints:
            constraint(logits, written, sentences)
        chosen = draw(logits, uniforms[sentences, :, length], options.temperature, options.top_k, options.top_p)
        scores = torch.where(open_, scores + logits.gather(2, chosen[..., None])[..., 0] - log_z, scores)
        for row, column in (open_ & (chosen == end)).nonzero().tolist():
            log_p = float(scores[row, column])
            score = log_p / length_penalty(length + 1.0, options.length_penalty)
            found[int(sentences[row])].append(Hypothesis(written[row, column].tolist(), score, log_p))
        open_ = open_ & (chosen != end)
        kept = open_.any(1).nonzero()[:, 0]
        if not len(kept):
            break
        written = torch.cat([written, chosen[:, :, None]], dim=2)
        if len(kept) < len(sentences):
            state.keep(kept)
            sentences, written, scores, open_ = sentences[kept], written[kept], scores[kept], open_[kept]
            chosen = chosen[kept]
        tokens = chosen.reshape(-1, 1)
    return [sorted(hypotheses, key=lambda h: -h.score) for hypotheses in found]


def _uniforms(options: SearchOptions, numbers: Sequence[int], steps: int, device: torch.device) -> Tensor:
    """Random numbers of each sentence's own stream, so that its draws don't depend on the batch."""
    rows = []
    for number in numbers:
        # the generator keeps 32 bits of a seed: both numbers must reach them
        digest = hashlib.blake2b(f"{options.seed} {number}".encode(), digest_size=4).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
        # drawn step by step: a longer neighbour must not change the numbers
        rows.append(torch.rand(steps, options.n_best, generator=generator).T)
    return torch.stack(rows).to(device)


def _rows(written: Int[Tensor, "B beams t"], parents: Int[Tensor, "B next"]) -> Int[Tensor, "B next t"]:
    return written.gather(1, parents[:, :, None].expand(-1, -1, written.shape[2]))
