"""Recurrent sequence to sequence models: Sutskever 2014, Cho 2014, Bahdanau 2015, Luong 2015, and what lies between."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator
from torch import nn

from jumok.models.encoder_decoder import EncoderDecoder, EncoderDecoderConfig, embeddings
from jumok.nn.alignment import Score, alignment
from jumok.nn.position import NoPositions
from jumok.nn.recurrent import Cell, RecurrentStack
from jumok.nn.recurrent_text import (
    ContextDecoder,
    LuongDecoder,
    RecurrentDecoder,
    RecurrentEncoder,
    SummaryDecoder,
)
from jumok.nn.text import TokenEmbedding, TokenInput

DecoderKind = Literal["summary", "context", "bahdanau", "luong"]


class Seq2SeqConfig(EncoderDecoderConfig):
    """Sizes and parts of a recurrent model."""

    PRESETS: ClassVar = {
        # the papers' kinds of model and sizes; widths are theirs, embeddings are as wide as the states
        "sutskever": {
            "cell": "lstm",
            "dim": 1000,
            "depth": 4,
            "directions": 1,
            "reverse_source": True,
            "decoder": "summary",
        },
        "cho": {"cell": "gru", "dim": 1000, "depth": 1, "directions": 1, "decoder": "context"},
        "bahdanau": {
            "cell": "gru",
            "dim": 1000,
            "depth": 1,
            "directions": 2,
            "decoder": "bahdanau",
            "score": "additive",
        },
        "luong": {"cell": "lstm", "dim": 1000, "depth": 4, "directions": 1, "decoder": "luong", "score": "general"},
        # for tens of thousands of pairs
        "small": {"cell": "lstm", "dim": 512, "depth": 1, "directions": 2, "decoder": "luong", "score": "general"},
    }

    architecture: Literal["seq2seq"] = Field("seq2seq", description="the family: transformer, seq2seq or convs2s")
    cell: Cell = Field("lstm", description="plain RNN with tanh, relu or gelu; or lstm, or gru")
    depth: int = Field(1, ge=1, description="recurrent layers in the encoder, and in the decoder")
    directions: Literal[1, 2] = Field(2, description="the encoder reads forward, or both ways with half the width each")
    reverse_source: bool = Field(False, description="the encoder reads the source backwards (Sutskever 2014)")
    residual: bool = Field(False, description="y = x + layer(x) from the second layer on")
    decoder: DecoderKind = Field(
        "luong",
        description="what of the source a step sees: the final state once (summary), at every step (context), or an "
        "attention of the state before it (bahdanau) or after it (luong)",
    )
    score: Score = Field("general", description="score of the attention, where the decoder has one")
    input_feeding: bool = Field(True, description="luong: the attentional vector joins the next input")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout on embeddings, between layers, on features")

    @model_validator(mode="after")
    def _check(self) -> "Seq2SeqConfig":
        if self.dim % self.directions:
            raise ValueError(f"dim = {self.dim} is not a multiple of directions = {self.directions}")
        if self.directions == 2 and self.reverse_source:
            raise ValueError("reverse_source changes nothing with directions = 2; set directions = 1")
        return self


class Seq2Seq(EncoderDecoder[Seq2SeqConfig]):
    """A recurrent encoder and a recurrent decoder that starts from its final state."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        source, target, output = embeddings(config.tied, config.source_vocab, config.target_vocab, config.dim)
        stack = _stack(config, config.directions)
        encoder = RecurrentEncoder(_input(config, source), stack, backwards=config.reverse_source)
        super().__init__(config, encoder, _decoder(config, _input(config, target), output))


def _input(config: Seq2SeqConfig, embedding: TokenEmbedding) -> TokenInput:
    # recurrence knows the order by itself; and the stack drops out of its own input
    return TokenInput(embedding, NoPositions(config.dim), 0.0)


def _stack(config: Seq2SeqConfig, directions: Literal[1, 2] = 1) -> RecurrentStack:
    sizes = (config.dim, config.dim, config.depth)
    dropout, residual = config.dropout, config.residual
    return RecurrentStack(config.cell, *sizes, directions=directions, dropout=dropout, residual=residual)


def _decoder(config: Seq2SeqConfig, tokens: TokenInput, output: nn.Linear) -> RecurrentDecoder:
    dim, stack = config.dim, _stack(config)
    if config.decoder == "summary":
        return SummaryDecoder(tokens, stack, output)
    if config.decoder == "context":
        return ContextDecoder(tokens, stack, output, memory_dim=dim, cross=None, dropout=config.dropout)
    cross = alignment(config.score, dim, dim)
    if config.decoder == "bahdanau":
        return ContextDecoder(tokens, stack, output, memory_dim=dim, cross=cross, dropout=config.dropout)
    return LuongDecoder(
        tokens,
        stack,
        output,
        memory_dim=dim,
        cross=cross,
        input_feeding=config.input_feeding,
        dropout=config.dropout,
    )
