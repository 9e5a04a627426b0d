"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017) as a translation model."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import nn

from jumok.models.encoder_decoder import EncoderDecoder, EncoderDecoderConfig, embeddings
from jumok.nn.text import (
    Positions,
    TextDecoder,
    TextEncoder,
    TokenEmbedding,
    TokenInput,
    check_sizes,
    positions_module,
    rotary_module,
)
from jumok.nn.transformer import Activation, DecoderBlock, EncoderBlock, Norm


class TransformerConfig(EncoderDecoderConfig):
    """Sizes of a Transformer; the defaults are the paper's base model."""

    PRESETS: ClassVar = {
        # Table 3 of the paper: base, 65 million parameters; big, 213 million
        "base": {"dim": 512, "heads": 8, "depth": 6, "hidden": 2048, "dropout": 0.1},
        "big": {"dim": 1024, "heads": 16, "depth": 6, "hidden": 4096, "dropout": 0.3},
        # for tens of thousands of pairs, and for thousands
        "small": {"dim": 256, "heads": 4, "depth": 4, "hidden": 1024, "dropout": 0.3},
        "tiny": {"dim": 128, "heads": 4, "depth": 2, "hidden": 512, "dropout": 0.1},
    }

    architecture: Literal["transformer"] = Field(
        "transformer", description="the family: transformer, seq2seq or convs2s"
    )
    heads: int = Field(8, ge=1, description="attention heads, h")
    depth: int = Field(6, ge=1, description="encoder blocks, N")
    decoder_depth: int | None = Field(None, ge=1, description="decoder blocks; empty: as many as the encoder")
    hidden: int = Field(2048, ge=1, description="inner width of the feed-forward, d_ff")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on embeddings and sublayers, P_drop")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout on attention weights")
    norm: Norm = Field("post", description="norm after the residual sum (the paper) or before the sublayer")
    activation: Activation = Field("relu", description="activation of the feed-forward")
    positions: Positions = Field("sinusoidal", description="how positions enter")

    @model_validator(mode="after")
    def _check(self) -> "TransformerConfig":
        check_sizes(self.dim, self.heads, self.positions)
        return self


class Transformer(EncoderDecoder[TransformerConfig]):
    """Encoder and decoder stacks over shared, scaled embeddings."""

    def __init__(self, config: TransformerConfig) -> None:
        source, target, output = embeddings(config.tied, config.source_vocab, config.target_vocab, config.dim)
        block: dict[str, Any] = {
            "dropout": config.dropout,
            "attention_dropout": config.attention_dropout,
            "norm": config.norm,
            "activation": config.activation,
            "rotary": rotary_module(config.positions, config.dim, config.heads),
        }
        sizes = (config.dim, config.heads, config.hidden)
        encoder = TextEncoder(
            _input(config, source),
            [EncoderBlock(*sizes, **block) for _ in range(config.depth)],
            _last_norm(config),
        )
        decoder = TextDecoder(
            _input(config, target),
            [DecoderBlock(*sizes, memory_dim=config.dim, **block) for _ in range(config.decoder_depth or config.depth)],
            _last_norm(config),
            output,
        )
        super().__init__(config, encoder, decoder)


def _input(config: TransformerConfig, embedding: TokenEmbedding) -> TokenInput:
    return TokenInput(embedding, positions_module(config.positions, config.dim, config.max_len), config.dropout)


def _last_norm(config: TransformerConfig) -> nn.Module:
    # a post-norm block ends in a norm already
    return nn.LayerNorm(config.dim) if config.norm == "pre" else nn.Identity()
