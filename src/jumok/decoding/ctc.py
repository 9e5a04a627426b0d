"""Reading off a CTC head: the likeliest alignment, or the likeliest texts by prefix search (Graves et al. 2006)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from jumok.decoding.ranking import log_partition, top_tokens
from jumok.decoding.search import Hypothesis
from jumok.nn.loss import BLANK


@dataclass(frozen=True)
class Reading(Hypothesis):
    """A text of tokens, ``log p`` over all its alignments (the score too), and how sure each token is, 0-1.

    A token is as sure as the surest of the frames that say it in the text's likeliest alignment.
    """

    confidences: list[float]


@torch.inference_mode()
def greedy(logits: Float[Tensor, "B T V"]) -> list[Reading]:
    """The text of the likeliest alignment: each frame's likeliest token, repetitions joined, blanks left out."""
    largest, tokens = logits.max(-1)
    log_z = log_partition(logits)
    starts = torch.ones_like(tokens, dtype=torch.bool)
    starts[:, 1:] = tokens[:, 1:] != tokens[:, :-1]
    runs = starts.cumsum(1) - 1
    surest = torch.full_like(log_z, -torch.inf).scatter_reduce(1, runs, largest.float() - log_z, "amax").gather(1, runs)
    said = starts & (tokens != BLANK)
    lengths = said.sum(1)
    order = (~said).to(torch.int8).sort(dim=1, stable=True).indices[:, : max(1, int(lengths.max()))]
    texts = tokens.gather(1, order)
    scores = _log_probabilities(_Frames(logits, log_z), texts[:, None], lengths[:, None])
    return _readings(texts, lengths, scores[:, 0], surest.gather(1, order).exp())


@torch.inference_mode()
def prefix_search(
    logits: Float[Tensor, "B T V"], beams: int, n_best: int = 1, *, threshold: float = 1e-4
) -> list[list[Reading]]:
    """The `n_best` likeliest texts of each row, best first, as far as `beams` prefixes lead to them.

    A text's probability is spread over its alignments, so that the text of the likeliest one need not be the likeliest
    text. After each frame the `beams` likeliest prefixes live on, each with what its alignments that end in a blank
    and those that end in its last token add up to (Hannun et al. 2014, algorithm 1, without a language model). The
    last are ranked by their exact probability.

    Args:
        threshold: a token less likely than this in a frame begins nothing there; 0 looks at all.
    """
    frames = _Frames(logits, log_partition(logits))
    search = _Prefixes(logits.shape[0], logits.shape[1], logits.device)
    for t in range(logits.shape[1]):
        search.read(frames.at(t), beams, threshold)
    longest = max(1, int(search.lengths.max()))
    texts, lengths = search.written[:, :, :longest], search.lengths
    exact = _log_probabilities(frames, texts, lengths).masked_fill(search.total == -torch.inf, -torch.inf)
    ranked, order = exact.topk(min(n_best, exact.shape[1]), 1)
    texts = texts.gather(1, order[:, :, None].expand(-1, -1, longest))
    lengths = lengths.gather(1, order)
    sure = _aligned(frames, texts, lengths)[0]
    found = [_readings(*row) for row in zip(texts, lengths, ranked, sure, strict=True)]
    return [[reading for reading in readings if reading.score > -math.inf] for readings in found]


@torch.inference_mode()
def places(logits: Float[Tensor, "T V"], tokens: Sequence[int]) -> list[int]:
    """The frame in which each token of a text is surest, in the text's likeliest alignment.

    Raises ValueError if the text has no alignment to so many frames.
    """
    if not tokens:
        return []
    batch, text, length = logits[None], torch.tensor([[list(tokens)]]), torch.tensor([[len(tokens)]])
    needed = len(tokens) + sum(one == other for one, other in pairwise(tokens))
    if needed > len(logits):
        raise ValueError(f"a text that needs {needed} frames is given, and {len(logits)} frames")
    found = _aligned(_Frames(batch, log_partition(batch)), text.to(logits.device), length.to(logits.device))[1]
    frames: list[int] = found[0, 0].tolist()
    return frames


@dataclass(frozen=True)
class _Frames:
    """``log p_t(v) = logit_t(v) - log Z_t`` of all rows and frames, formed for what is asked for alone."""

    logits: Float[Tensor, "B T V"]
    log_z: Float[Tensor, "B T"]

    def at(self, frame: int) -> Float[Tensor, "B V"]:
        """Of every token in one frame."""
        return self.logits[:, frame].float() - self.log_z[:, frame, None]

    def of(self, tokens: Int[Tensor, "B n N"]) -> Float[Tensor, "B n T N"]:
        """Of each text's own tokens in every frame."""
        rows, texts, size = tokens.shape
        index = tokens.flatten(1)[:, None].expand(-1, self.logits.shape[1], -1)
        chosen = self.logits.gather(2, index).float() - self.log_z[:, :, None]
        return chosen.view(rows, -1, texts, size).transpose(1, 2)


class _Prefixes:
    """The prefixes of all rows: ``written (B, beams, T)`` with zeros behind, and two log-probabilities of each."""

    def __init__(self, rows: int, frames: int, device: torch.device) -> None:
        self.written = torch.zeros(rows, 1, frames, dtype=torch.long, device=device)
        self.lengths = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self.blank = torch.zeros(rows, 1, device=device)  # of the alignments that end in a blank
        self.token = torch.full((rows, 1), -torch.inf, device=device)  # of those that end in the last token

    @property
    def total(self) -> Float[Tensor, "B beams"]:
        return torch.logaddexp(self.blank, self.token)

    def read(self, frame: Float[Tensor, "B V"], beams: int, threshold: float) -> None:
        """One more frame: each prefix stays as it is, or goes on by one token."""
        last = self.written.gather(2, (self.lengths - 1).clamp(min=0)[:, :, None])[
            :, :, 0
        ]  # 0 where nothing is written
        total = self.total
        # a prefix that stays: a blank, or its last token again
        blank, token = total + frame[:, :1], self.token + frame.gather(1, last)
        # one that goes on: an equal token must follow a blank
        tokens, likely = _likely(frame, threshold)
        again = tokens[:, None] == last[:, :, None]
        longer = torch.where(again, self.blank[:, :, None], total[:, :, None]) + likely[:, None]
        # where that gives a prefix that is there already, the two are one: row k grows into column l
        grows = self._grows()
        into = torch.where(last[:, :, None] == last[:, None], self.blank[:, :, None], total[:, :, None])
        into = (into + frame.gather(1, last)[:, None]).masked_fill(~grows, -torch.inf)
        token = torch.logaddexp(token, into.logsumexp(1))
        same = grows[..., None] & (last[:, None, :, None] == tokens[:, None, None])
        longer = longer.masked_fill(same.any(2), -torch.inf)
        self._choose(blank, token, longer, tokens, beams)

    def _grows(self) -> Bool[Tensor, "B beams beams"]:
        """Whether prefix k (rows) and one more token are the living prefix l (columns)."""
        used = int(self.lengths.max())
        written = self.written[:, :, :used]
        without_last = self.written.scatter(2, (self.lengths - 1).clamp(min=0)[:, :, None], 0)[:, :, :used]
        equal = (written[:, :, None] == without_last[:, None]).all(-1)
        one_more = self.lengths[:, :, None] + 1 == self.lengths[:, None]
        return equal & one_more & (self.total > -torch.inf)[:, None]

    def _choose(self, blank: Tensor, token: Tensor, longer: Tensor, tokens: Tensor, beams: int) -> None:
        staying, count = blank.shape[1], tokens.shape[1]
        together = torch.cat([torch.logaddexp(blank, token), longer.flatten(1)], 1)
        place = together.topk(min(beams, together.shape[1]), 1).indices
        stays = place < staying
        grown = (place - staying).clamp(min=0)
        parents = torch.where(stays, place, grown // max(count, 1))
        new = torch.where(stays, 0, tokens.gather(1, grown % max(count, 1)))
        never = torch.full_like(blank[:, :1], -torch.inf)
        self.blank = torch.where(stays, blank.gather(1, parents), never)
        self.token = torch.where(stays, token.gather(1, parents), together.gather(1, place))
        lengths = self.lengths.gather(1, parents)
        written = self.written.gather(1, parents[:, :, None].expand(-1, -1, self.written.shape[2]))
        # a prefix never outgrows its frames; one that stays writes a zero behind itself, or the very token again
        end = lengths.clamp(max=written.shape[2] - 1)[:, :, None]
        self.written = written.scatter(2, end, torch.where(stays[:, :, None], written.gather(2, end), new[:, :, None]))
        self.lengths = lengths + (~stays).long()


def _likely(frame: Float[Tensor, "B V"], threshold: float) -> tuple[Int[Tensor, "B n"], Float[Tensor, "B n"]]:
    """The tokens of a frame that reach `threshold`, but the blank, and their log-probabilities: as many for each row,
    those that a row has not at -inf."""
    allowed = frame.masked_fill(frame < (math.log(threshold) if threshold > 0 else -math.inf), -torch.inf)
    allowed[:, BLANK] = -torch.inf
    most = max(1, int((allowed > -torch.inf).sum(1).max()))
    likely, tokens = top_tokens(allowed[:, None], most)
    return tokens[:, 0], likely[:, 0]


def _log_probabilities(
    frames: _Frames, texts: Int[Tensor, "B n N"], lengths: Int[Tensor, "B n"]
) -> Float[Tensor, "B n"]:
    """``log p(text)`` over all alignments, of each row's texts."""
    # the sum needs no more than the blank and the text's own tokens, each under the place where it first stands
    first = (texts[..., :, None] == texts[..., None, :]).to(torch.int8).argmax(3) + 1
    few = frames.of(F.pad(texts, (1, 0), value=BLANK)).flatten(0, 1).transpose(0, 1)
    sizes = torch.full_like(lengths, few.shape[0]).flatten()
    nll = F.ctc_loss(few, first.flatten(0, 1), sizes, lengths.flatten(), blank=0, reduction="none")
    return -nll.view(lengths.shape)


def _aligned(
    frames: _Frames, texts: Int[Tensor, "B n N"], lengths: Int[Tensor, "B n"]
) -> tuple[Float[Tensor, "B n N"], Int[Tensor, "B n N"]]:
    """The largest probability of each token among the frames that say it in its text's likeliest alignment, and which
    frame that is."""
    # states: blank, token, blank, ..., token, blank
    states = torch.full((*texts.shape[:2], 2 * texts.shape[2] + 1), BLANK, device=texts.device)
    states[..., 1::2] = texts
    emitted = frames.of(states).flatten(0, 1)
    states, lengths = states.flatten(0, 1), lengths.flatten()
    # from token to token without a blank between, where they differ
    skips = torch.zeros_like(states, dtype=torch.bool)
    skips[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    best = torch.full_like(emitted[:, 0], -torch.inf)
    best[:, :2] = emitted[:, 0, :2]
    came = torch.zeros_like(emitted, dtype=torch.long)  # by how many states each frame moved on
    for t in range(1, emitted.shape[1]):
        one = F.pad(best[:, :-1], (1, 0), value=-torch.inf)
        two = F.pad(best[:, :-2], (2, 0), value=-torch.inf).masked_fill(~skips, -torch.inf)
        best, came[:, t] = torch.stack([best, one, two], -1).max(-1)
        best = best + emitted[:, t]
    ends = torch.stack([2 * lengths, (2 * lengths - 1).clamp(min=0)], 1)
    state = ends.gather(1, best.gather(1, ends).argmax(1, keepdim=True))
    sure = torch.full_like(emitted[:, 0], -torch.inf)
    surest = torch.zeros_like(states)
    for t in reversed(range(emitted.shape[1])):
        here, before = emitted[:, t].gather(1, state), sure.gather(1, state)
        surest.scatter_(1, state, torch.where(here > before, t, surest.gather(1, state)))
        sure.scatter_(1, state, torch.maximum(here, before))
        state = state - came[:, t].gather(1, state)
    return sure[:, 1::2].exp().view(texts.shape), surest[:, 1::2].view(texts.shape)


def _readings(texts: Tensor, lengths: Tensor, scores: Tensor, sure: Tensor) -> list[Reading]:
    rows = zip(texts.tolist(), lengths.tolist(), scores.tolist(), sure.tolist(), strict=True)
    return [Reading(text[:size], score, score, confidences[:size]) for text, size, score, confidences in rows]
