"""Tokens in, features out: the text encoder, and the text decoder that every model that writes shares."""

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.nn.dropout import Dropout
from jumok.nn.mask import Mask
from jumok.nn.position import Learned, NoPositions, Rotary, Sinusoidal
from jumok.nn.state import Encoded, PooledBeams
from jumok.nn.transformer import DecoderBlock, Encoder, EncoderBlock, product_dtype

Positions = Literal["sinusoidal", "learned", "rotary", "none"]


def check_sizes(dim: int, heads: int, positions: Positions) -> None:
    """Raises ValueError, naming the keys, for a width that these heads or positions cannot have."""
    if dim % heads:
        raise ValueError(f"dim = {dim} is not a multiple of heads = {heads}")
    if positions == "sinusoidal" and dim % 2:
        raise ValueError(f"positions = sinusoidal needs an even dim, not {dim}")
    if positions == "rotary" and dim // heads % 2:
        raise ValueError(f"positions = rotary needs an even dim / heads, not {dim // heads}")


def positions_module(kind: Positions, dim: int, max_len: int) -> Sinusoidal | Learned | NoPositions:
    """What is added to the embeddings; rotary positions are not added but turn queries and keys."""
    if kind == "sinusoidal":
        return Sinusoidal(dim)
    return Learned(max_len, dim) if kind == "learned" else NoPositions(dim)


def rotary_module(kind: Positions, dim: int, heads: int) -> Rotary | None:
    return Rotary(dim // heads) if kind == "rotary" else None


class TokenEmbedding(nn.Embedding):
    """``E[token] * sqrt(D)`` (Vaswani 2017, section 3.4), from N(0, 1/D) so that it serves as output weights too."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=self.embedding_dim**-0.5)

    def forward(self, tokens: Int[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
        scaled: Tensor = F.embedding(tokens, self.weight) * self.embedding_dim**0.5
        return scaled


class TokenInput(nn.Module):
    """Embedding plus position, then dropout (section 5.4)."""

    def __init__(self, embedding: TokenEmbedding, positions: nn.Module, dropout: float) -> None:
        super().__init__()
        self.embedding, self.positions, self.drop = embedding, positions, Dropout(dropout)

    def forward(self, tokens: Int[Tensor, "B N"], positions: Int[Tensor, " N"] | None = None) -> Float[Tensor, "B N D"]:
        if positions is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device)
        x: Tensor = self.drop(self.placed(tokens, positions).to(product_dtype(self.embedding.weight)))
        return x

    def placed(self, tokens: Int[Tensor, "B N"], positions: Int[Tensor, " N"]) -> Float[Tensor, "B N D"]:
        """Embeddings with their positions, before the dropout."""
        x: Tensor = self.embedding(tokens) + self.positions(positions)
        return x

    def check_length(self, length: int) -> None:
        """Raises ValueError if `length` positions are more than were learned; the other kinds have no end."""
        if isinstance(self.positions, Learned) and length > self.positions.weight.shape[0]:
            raise ValueError(f"{length} positions are asked for; {self.positions.weight.shape[0]} were learned")


class NormedTokenInput(TokenInput):
    """``LayerNorm(embedding + position)``, then dropout: the input of BERT (Devlin et al. 2019)."""

    def __init__(self, embedding: TokenEmbedding, positions: nn.Module, dropout: float) -> None:
        super().__init__(embedding, positions, dropout)
        self.norm = nn.LayerNorm(embedding.embedding_dim)

    def placed(self, tokens: Int[Tensor, "B N"], positions: Int[Tensor, " N"]) -> Float[Tensor, "B N D"]:
        x: Tensor = self.norm(super().placed(tokens, positions))
        return x


class WordDropoutInput(TokenInput):
    """Token input of which a training step leaves out whole words (Iyyer et al. 2015, section 3.1)."""

    def __init__(self, embedding: TokenEmbedding, positions: nn.Module, dropout: float, word_dropout: float) -> None:
        super().__init__(embedding, positions, dropout)
        self.word_dropout = word_dropout

    def placed(self, tokens: Int[Tensor, "B N"], positions: Int[Tensor, " N"]) -> Float[Tensor, "B N D"]:
        x = super().placed(tokens, positions)
        if not self.training or not self.word_dropout:
            return x
        kept = torch.rand(tokens.shape, device=x.device) >= self.word_dropout
        return x * kept[..., None] / (1 - self.word_dropout)


class TextEncoder(Encoder):
    """Token input, then the encoder."""

    tokens: TokenInput

    def __init__(self, tokens: TokenInput, blocks: Iterable[EncoderBlock], norm: nn.Module) -> None:
        super().__init__(tokens, blocks, norm)

    def forward(self, source: Int[Tensor, "B K"], lengths: Int[Tensor, " B"]) -> Encoded:
        mask = Mask(lengths)
        return Encoded(self.through(self.tokens(source), mask), mask)


class TextDecoder(nn.Module):
    """Writes text from anything `Encoded`: token input, decoder blocks, and ``logits = x E^T`` (section 3.4).

    `output_weight` is the embedding itself when tied.
    """

    def __init__(
        self,
        tokens: TokenInput,
        blocks: Iterable[DecoderBlock],
        norm: nn.Module,
        output: nn.Linear,
    ) -> None:
        super().__init__()
        self.tokens, self.blocks, self.norm, self.output = tokens, nn.ModuleList(blocks), norm, output

    def forward(self, encoded: Encoded, target: Int[Tensor, "B Q"]) -> Float[Tensor, "B Q D"]:
        """Features that predict the token after each token of `target`, before the vocabulary projection."""
        x: Tensor = self.tokens(target)
        mask = Mask(causal=True)
        for block in self._blocks():
            memory = block.cross.project(encoded.features)
            x = block(x, memory, mask=mask, memory_mask=encoded.mask)
        x = self.norm(x)
        return x

    def begin(self, encoded: Encoded, beams: int) -> PooledBeams:
        """The state of decoding with `beams` beams a sentence; the memory is projected here, once."""
        memory = [block.cross.project(encoded.features) for block in self._blocks()]
        return PooledBeams(memory, encoded.mask, beams)

    def step(self, tokens: Int[Tensor, "rows n"], state: PooledBeams) -> tuple[Float[Tensor, "rows V"], PooledBeams]:
        """Read `n` more tokens a beam; logits of the token that follows the last. Rows are sentences x beams."""
        new = tokens.shape[1]
        caches = state.layers(new)
        # beams stand in the query dimension: (B, beams * n, D)
        x = self.tokens(tokens.reshape(-1, state.beams * new), caches[0].positions)
        for block, memory, cache in zip(self._blocks(), state.memory, caches, strict=True):
            x = block(x, memory, memory_mask=state.memory_mask, state=cache)
        state.advance(new)
        last = x.reshape(tokens.shape[0], new, -1)[:, -1]
        return self.output(self.norm(last)), state

    def _blocks(self) -> Sequence[DecoderBlock]:
        return [block for block in self.blocks if isinstance(block, DecoderBlock)]
