"""Recurrent encoder and decoders of text: the lineage from one summary vector to attention at every step."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jumok.nn.alignment import Additive, Multiplicative
from jumok.nn.attention import KeyValue
from jumok.nn.dropout import Dropout
from jumok.nn.mask import FULL, Mask
from jumok.nn.recurrent import RecurrentStack, reversed_rows
from jumok.nn.state import Encoded
from jumok.nn.text import TokenInput


class RecurrentEncoder(nn.Module):
    """Embeds and reads a source: features are the last layer's outputs, ``final`` the states ``(depth, parts, B, D)``.

    With `backwards` the source is read from its end (Sutskever et al. 2014, section 3.3); the features stand in the
    source's own order all the same.
    """

    def __init__(self, tokens: TokenInput, stack: RecurrentStack, *, backwards: bool = False) -> None:
        super().__init__()
        self.tokens, self.stack, self.backwards = tokens, stack, backwards

    def forward(self, source: Int[Tensor, "B K"], lengths: Int[Tensor, " B"]) -> Encoded:
        # a kernel reads at least one token of each row; the mask still says that an empty row has none
        read = lengths.clamp(min=1)
        x = self.tokens(reversed_rows(source, read) if self.backwards else source)
        features, final = self.stack(x, read)
        return Encoded(reversed_rows(features, read) if self.backwards else features, Mask(lengths), final=final)


@dataclass
class RecurrentState:
    """Decoding state: what the layers carry, what is fed back, and what is attended to.

    ``hidden (depth, parts, B, beams, D)``; ``feed (B, beams, D)``: Luong's attentional vector; ``keys``: annotations,
    projected once, shared by the beams, which stand in the query dimension; ``context (B, 1, D)``: Cho's one context.
    """

    hidden: Float[Tensor, "depth parts B beams D"]
    mask: Mask = FULL
    keys: KeyValue | None = None
    feed: Float[Tensor, "B beams D"] | None = None
    context: Float[Tensor, "B 1 M"] | None = None

    def reorder(self, parents: Int[Tensor, "B beams"]) -> None:
        place = parents[:, :, None]
        self.hidden = self.hidden.gather(3, place.expand(*self.hidden.shape[:2], -1, -1, self.hidden.shape[4]))
        if self.feed is not None:
            self.feed = self.feed.gather(1, place.expand(-1, -1, self.feed.shape[2]))

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        self.hidden = self.hidden[:, :, sentences]
        self.mask = self.mask if self.mask.lengths is None else Mask(self.mask.lengths[sentences])
        self.keys = None if self.keys is None else KeyValue(*(part[sentences] for part in self.keys))
        self.feed = None if self.feed is None else self.feed[sentences]
        self.context = None if self.context is None else self.context[sentences]


class RecurrentDecoder(nn.Module, ABC):
    """Writes text from the encoder's final state on; how it uses a context is its subclasses' matter."""

    def __init__(self, tokens: TokenInput, stack: RecurrentStack, output: nn.Linear) -> None:
        super().__init__()
        self.tokens, self.stack, self.output = tokens, stack, output

    @abstractmethod
    def advance(
        self, x: Float[Tensor, "B beams E"], projected: Float[Tensor, "B beams gates"], state: RecurrentState
    ) -> Float[Tensor, "B beams D"]:
        """Move `state` by one embedded token `x` (`projected`: the first layer's ``W x + b``); returns the features."""

    def begin(self, encoded: Encoded, beams: int) -> RecurrentState:
        """The state before the first token: the encoder's final state, for each beam.

        Raises ValueError if the encoder has no final state.
        """
        if encoded.final is None:
            raise ValueError("a recurrent decoder starts from a recurrent encoder's final state")
        # in training the state stays fp32 under autocast: 8 bits of mantissa forget small changes
        final = encoded.final.to(self.tokens.embedding.weight.dtype)
        return RecurrentState(final[:, :, :, None].expand(-1, -1, -1, beams, -1), encoded.mask)

    def forward(self, encoded: Encoded, target: Int[Tensor, "B Q"]) -> Float[Tensor, "B Q D"]:
        """Features that predict the token after each token of `target`, before the vocabulary projection."""
        state = self.begin(encoded, 1)
        return self._read(self.tokens(target)[:, None], state)[:, 0]

    def step(
        self, tokens: Int[Tensor, "rows n"], state: RecurrentState
    ) -> tuple[Float[Tensor, "rows V"], RecurrentState]:
        """Read `n` more tokens a beam; logits of the token that follows the last. Rows are sentences x beams."""
        beams = state.hidden.shape[3]
        x: Tensor = self.tokens(tokens)
        x = x.view(-1, beams, *x.shape[1:])
        last = self._read(x, state)[:, :, -1]
        return self.output(last).flatten(0, 1), state

    def _read(self, x: Float[Tensor, "B beams N E"], state: RecurrentState) -> Float[Tensor, "B beams N D"]:
        projected = self.stack.project(x)
        features = [self.advance(x[:, :, t], projected[:, :, t], state) for t in range(x.shape[2])]
        return torch.stack(features, dim=2)


class SummaryDecoder(RecurrentDecoder):
    """Knows of the source only what the encoder's final state holds, its own first state (Sutskever et al. 2014)."""

    def advance(self, x: Tensor, projected: Tensor, state: RecurrentState) -> Tensor:
        y, state.hidden = self.stack.step(projected, state.hidden)
        return y

    def forward(self, encoded: Encoded, target: Int[Tensor, "B Q"]) -> Float[Tensor, "B Q D"]:
        """As in the base class, but nothing is fed back, so whole sequences run on the kernels."""
        features: Tensor = self.stack(self.tokens(target), None, self.begin(encoded, 1).hidden[:, :, :, 0])[0]
        return features


class Maxout(nn.Module):
    """``t = max`` of pairs of ``U s + V y + C c`` (Bahdanau et al. 2015, appendix A.2.2; Goodfellow et al. 2013).

    Read from the state after the step; the appendix prints the one before it.
    """

    def __init__(self, dim: int, embedding_dim: int, memory_dim: int, pieces: int = 2) -> None:
        super().__init__()
        self.state, self.token = nn.Linear(dim, pieces * dim), nn.Linear(embedding_dim, pieces * dim, bias=False)
        self.context, self.pieces = nn.Linear(memory_dim, pieces * dim, bias=False), pieces

    def forward(self, state: Tensor, token: Tensor, context: Tensor) -> Tensor:
        together: Tensor = self.state(state) + self.token(token) + self.context(context)
        return together.view(*together.shape[:-1], -1, self.pieces).amax(-1)


class ContextDecoder(RecurrentDecoder):
    """``s_i = f(s_{i-1}, y_{i-1}, c_i)``: the context is an input of every step and of the output.

    With an attention, `cross`, ``c_i`` is what ``s_{i-1}`` attends to (Bahdanau et al. 2015, section 3.1); without one
    it is the encoder's final state at every step (Cho et al. 2014, section 2.2).
    """

    def __init__(
        self,
        tokens: TokenInput,
        stack: RecurrentStack,
        output: nn.Linear,
        *,
        memory_dim: int,
        cross: Additive | Multiplicative | None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(tokens, stack, output)
        dim, gates = stack.each()[0].dim, stack.each()[0].gates
        self.cross, self.drop = cross, Dropout(dropout)
        self.feed = nn.Linear(memory_dim, gates, bias=False)  # the paper's C: the context's part of the step
        self.readout = Maxout(dim, tokens.embedding.embedding_dim, memory_dim)

    def begin(self, encoded: Encoded, beams: int) -> RecurrentState:
        state = super().begin(encoded, beams)
        if self.cross is None:
            state.context = state.hidden[-1, 0, :, :1]
        else:
            state.keys = self.cross.project(encoded.features)
        return state

    def advance(self, x: Tensor, projected: Tensor, state: RecurrentState) -> Tensor:
        if self.cross is not None and state.keys is not None:
            context = self.cross(state.hidden[-1, 0], state.keys, state.mask)
        else:
            assert state.context is not None
            context = state.context.expand(-1, x.shape[1], -1)
        y, state.hidden = self.stack.step(projected + self.feed(context), state.hidden)
        features: Tensor = self.drop(self.readout(y, x, context))
        return features


class LuongDecoder(RecurrentDecoder):
    """``h~_t = tanh(W_c [c_t; h_t])``, ``c_t`` what ``h_t`` attends to (Luong et al. 2015, section 3).

    With `input_feeding` ``h~_{t-1}`` joins the next input (section 3.3); without it whole sequences run at once.
    """

    def __init__(
        self,
        tokens: TokenInput,
        stack: RecurrentStack,
        output: nn.Linear,
        *,
        memory_dim: int,
        cross: Additive | Multiplicative,
        input_feeding: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(tokens, stack, output)
        dim, gates = stack.each()[0].dim, stack.each()[0].gates
        self.cross, self.drop = cross, Dropout(dropout)
        self.feed = nn.Linear(dim, gates, bias=False) if input_feeding else None
        self.combine = nn.Linear(memory_dim + dim, dim, bias=False)

    def begin(self, encoded: Encoded, beams: int) -> RecurrentState:
        state = super().begin(encoded, beams)
        state.keys = self.cross.project(encoded.features)
        if self.feed is not None:
            state.feed = torch.zeros_like(state.hidden[-1, 0])
        return state

    def advance(self, x: Tensor, projected: Tensor, state: RecurrentState) -> Tensor:
        if self.feed is not None:
            projected = projected + self.feed(state.feed)
        y, state.hidden = self.stack.step(projected, state.hidden)
        attentional = self._attentional(y, state)
        if self.feed is not None:
            state.feed = attentional
        return attentional

    def forward(self, encoded: Encoded, target: Int[Tensor, "B Q"]) -> Float[Tensor, "B Q D"]:
        if self.feed is not None:
            return super().forward(encoded, target)
        state = self.begin(encoded, 1)
        y, _ = self.stack(self.tokens(target), None, state.hidden[:, :, :, 0])
        return self._attentional(y, state)

    def _attentional(self, y: Float[Tensor, "B Q D"], state: RecurrentState) -> Float[Tensor, "B Q D"]:
        assert state.keys is not None
        context = self.cross(y, state.keys, state.mask)
        features: Tensor = self.drop(self.combine(torch.cat([context, y], dim=-1)).tanh())
        return features
