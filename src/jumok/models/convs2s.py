"""Convolutional sequence to sequence (Gehring et al. 2017; dilated and ungated it is of ByteNet's kind)."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from jumok.models.encoder_decoder import EncoderDecoder, EncoderDecoderConfig, embeddings
from jumok.nn.convolution import ConvolutionBlock, Gate, MultiStepAttention
from jumok.nn.convolution_text import ConvolutionDecoder, ConvolutionDecoderBlock, ConvolutionEncoder
from jumok.nn.text import TokenEmbedding, TokenInput, positions_module


class ConvS2SConfig(EncoderDecoderConfig):
    """Sizes of a convolutional model."""

    PRESETS: ClassVar = {
        "convs2s": {"dim": 512, "depth": 15, "kernel": 3, "gate": "glu", "positions": "learned"},
        "bytenet": {"dim": 800, "depth": 30, "kernel": 3, "gate": "relu", "dilation": 2},
        "small": {"dim": 256, "depth": 4, "kernel": 3, "gate": "glu", "dropout": 0.3},
    }

    architecture: Literal["convs2s"] = Field("convs2s", description="the family: transformer, seq2seq or convs2s")
    depth: int = Field(6, ge=1, description="convolution blocks in the encoder, and in the decoder")
    kernel: int = Field(3, ge=1, description="positions a convolution sees; odd")
    dilation: int = Field(1, ge=1, description="1: none; 2: each block doubles its spread, up to 16, and starts again")
    gate: Gate = Field("glu", description="gated linear units (ConvS2S), or relu (ByteNet)")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout on embeddings, blocks and attention")
    positions: Literal["sinusoidal", "learned", "none"] = Field("sinusoidal", description="how positions enter")

    @model_validator(mode="after")
    def _check(self) -> "ConvS2SConfig":
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel = {self.kernel} has no middle; choose an odd one")
        if self.positions == "sinusoidal" and self.dim % 2:
            raise ValueError(f"positions = sinusoidal needs an even dim, not {self.dim}")
        return self


class ConvS2S(EncoderDecoder[ConvS2SConfig]):
    """Convolutional encoder, and a causal convolutional decoder that attends in every layer."""

    def __init__(self, config: ConvS2SConfig) -> None:
        source, target, output = embeddings(config.tied, config.source_vocab, config.target_vocab, config.dim)
        encoder = ConvolutionEncoder(_input(config, source), _blocks(config, causal=False), config.dim)
        blocks = [
            ConvolutionDecoderBlock(block, MultiStepAttention(config.dim, config.dropout))
            for block in _blocks(config, causal=True)
        ]
        super().__init__(config, encoder, ConvolutionDecoder(_input(config, target), blocks, output))


def _input(config: ConvS2SConfig, embedding: TokenEmbedding) -> TokenInput:
    return TokenInput(embedding, positions_module(config.positions, config.dim, config.max_len), config.dropout)


def _blocks(config: ConvS2SConfig, *, causal: bool) -> list[ConvolutionBlock]:
    dilations = [min(config.dilation ** (number % 5), 16) for number in range(config.depth)]
    sizes = (config.dim, config.kernel)
    return [
        ConvolutionBlock(*sizes, dilation, gate=config.gate, causal=causal, dropout=config.dropout)
        for dilation in dilations
    ]
