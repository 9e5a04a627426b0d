"""Sentence encoders (Cer et al. 2018, "Universal Sentence Encoder"): the Transformer's encoder, and the light DAN.

Both read tokens, pool what they see of them to one vector, and bring it to length 1, so that the product of two
vectors is the cosine of their angle.
"""

from typing import Any, ClassVar, Literal, TypeVar

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.config import Config, parse
from jumok.nn.dropout import Dropout
from jumok.nn.pooling import PoolKind, pool_module
from jumok.nn.position import NoPositions
from jumok.nn.state import Encoded
from jumok.nn.text import (
    NormedTokenInput,
    Positions,
    TextEncoder,
    TokenEmbedding,
    TokenInput,
    WordDropoutInput,
    check_sizes,
    positions_module,
    rotary_module,
)
from jumok.nn.transformer import Activation, EncoderBlock, Norm

C = TypeVar("C", bound="SentenceEncoderConfig")


class SentenceEncoderConfig(Config):
    """What the configs of both encoders have in common; ``PRESETS`` are their named sizes."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]]

    vocab_size: int = Field(ge=4, description="number of tokens")
    max_len: int = Field(128, ge=1, description="longest sentence in tokens")
    dim: int = Field(512, ge=2, description="width of the model, D")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on embeddings and sublayers")
    pool: PoolKind = Field(
        "sqrt",
        description="tokens to sentence: sum over sqrt(length), mean, the token in front, or a learned weight per word",
    )
    projection: int | None = Field(None, ge=1, description="width of the vectors if not dim: one linear map at the end")
    labels: tuple[str, ...] = Field((), strict=False, description="classes of pairs that it was taught to tell")
    scales: int = Field(0, ge=0, description="how many temperatures it learned")

    @classmethod
    def preset(cls: type[C], name: str, **overrides: Any) -> C:
        """An encoder by its name in ``PRESETS``, with some values changed."""
        return cls(**(cls.PRESETS[name] | overrides))

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.projection or self.dim

    @property
    def room(self) -> int:
        """Most tokens of a sentence, without the class token in front."""
        return self.max_len - (self.pool == "class")


class TransformerEncoderConfig(SentenceEncoderConfig):
    """Sizes of a Transformer that encodes sentences."""

    PRESETS: ClassVar = {
        # Cer et al. 2018 take the base of Vaswani et al. 2017
        "base": {"dim": 512, "heads": 8, "depth": 6, "hidden": 2048},
        "small": {"dim": 256, "heads": 4, "depth": 2, "hidden": 1024},
        # the layout of BERT at the size of MiniLM-L6, so that other tools can read it
        "bert": {
            "dim": 384,
            "heads": 12,
            "depth": 6,
            "hidden": 1536,
            "norm": "post",
            "activation": "gelu",
            "positions": "learned",
            "embedding_norm": True,
            "pool": "mean",
        },
    }

    architecture: Literal["transformer"] = Field("transformer", description="the family: transformer or dan")
    heads: int = Field(8, ge=1, description="attention heads")
    depth: int = Field(6, ge=1, description="encoder blocks")
    hidden: int = Field(2048, ge=1, description="inner width of the feed-forward")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout on attention weights")
    norm: Norm = Field("post", description="norm after the residual sum or before the sublayer")
    activation: Activation = Field("relu", description="activation of the feed-forward")
    positions: Positions = Field("sinusoidal", description="how positions enter")
    embedding_norm: bool = Field(False, description="a norm of embeddings and positions, as BERT has it")

    @model_validator(mode="after")
    def _check(self) -> "TransformerEncoderConfig":
        check_sizes(self.dim, self.heads, self.positions)
        return self


class DANConfig(SentenceEncoderConfig):
    """Sizes of a deep averaging network."""

    PRESETS: ClassVar = {
        "dan": {"dim": 512, "depth": 2, "hidden": 512},
    }

    architecture: Literal["dan"] = Field("dan", description="the family: transformer or dan")
    depth: int = Field(2, ge=0, description="layers of the feed-forward network over the pooled words")
    hidden: int = Field(512, ge=1, description="width of these layers")
    word_dropout: float = Field(0.0, ge=0, lt=1, description="share of words that a training step leaves out")

    @model_validator(mode="after")
    def _check(self) -> "DANConfig":
        if self.pool == "class":
            raise ValueError("pool = class needs a Transformer: nothing in a DAN looks at the other words")
        return self


AnyConfig = TransformerEncoderConfig | DANConfig
CONFIGS: dict[str, type[AnyConfig]] = {"transformer": TransformerEncoderConfig, "dan": DANConfig}


class SentenceEncoder(nn.Module):
    """``f(s) / |f(s)|``, ``f(s) = g(pool(Encoder(s)))``: a vector of length 1 for each sentence.

    ``g`` is the projection, or a DAN's feed-forward network (Iyyer et al. 2015); a sentence without tokens is the zero
    vector. ``model(tokens, lengths)`` gives ``(B, D)`` in float32.
    """

    def __init__(self, config: AnyConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _text_encoder(config)
        self.pool = pool_module(config.pool, config.vocab_size)
        self.head = _head(config)
        # what only training needs: a temperature for each objective that learns one, a classifier of pairs; a parameter
        # without numbers would have no gradient, for which several processes would wait
        self.log_scales = nn.Parameter(torch.full((config.scales,), 20.0).log()) if config.scales else None
        self.classifier = nn.Linear(4 * config.width, len(config.labels)) if config.labels else None
        if self.classifier is not None:
            nn.init.normal_(self.classifier.weight, std=0.02)
            nn.init.zeros_(self.classifier.bias)

    def encode(self, tokens: Int[Tensor, "B K"], lengths: Int[Tensor, " B"]) -> Encoded:
        """Features of every token, before they are pooled."""
        encoded: Encoded = self.encoder(tokens, lengths)
        return encoded

    def pooled(self, tokens: Int[Tensor, "B K"], lengths: Int[Tensor, " B"]) -> Float[Tensor, "B D"]:
        """``f(s)``: vectors whose lengths mean something still."""
        pooled = self.pool(self.encode(tokens, lengths), tokens)
        with torch.autocast(tokens.device.type, enabled=False):
            vectors: Tensor = self.head(pooled.to(_dtype(self.head, pooled)))
        # a sentence without tokens stays nothing, whatever the biases of the head
        return vectors.float() * (lengths > 0)[:, None]

    def forward(self, tokens: Int[Tensor, "B K"], lengths: Int[Tensor, " B"]) -> Float[Tensor, "B D"]:
        return F.normalize(self.pooled(tokens, lengths), dim=-1)


def read_config(values: dict[str, Any], where: str) -> AnyConfig:
    """The config that a run stored. Raises `UserError` if it is none, naming `where`."""
    return parse(CONFIGS.get(str(values.get("architecture")), TransformerEncoderConfig), values, where)


def _text_encoder(config: AnyConfig) -> TextEncoder:
    embedding = TokenEmbedding(config.vocab_size, config.dim)
    if isinstance(config, DANConfig):
        tokens = WordDropoutInput(embedding, NoPositions(config.dim), config.dropout, config.word_dropout)
        return TextEncoder(tokens, [], nn.Identity())
    kind = NormedTokenInput if config.embedding_norm else TokenInput
    blocks = [
        EncoderBlock(
            config.dim,
            config.heads,
            config.hidden,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            norm=config.norm,
            activation=config.activation,
            rotary=rotary_module(config.positions, config.dim, config.heads),
        )
        for _ in range(config.depth)
    ]
    # a post-norm block ends in a norm already
    last = nn.LayerNorm(config.dim) if config.norm == "pre" else nn.Identity()
    place = positions_module(config.positions, config.dim, config.max_len)
    return TextEncoder(kind(embedding, place, config.dropout), blocks, last)


def _head(config: AnyConfig) -> nn.Module:
    """What turns the pooled features into the vector."""
    if isinstance(config, DANConfig):
        layers: list[nn.Module] = []
        width = config.dim
        for _ in range(config.depth):
            layers += [nn.Linear(width, config.hidden), nn.Tanh(), Dropout(config.dropout)]
            width = config.hidden
        if width != config.width or not layers or config.projection:
            layers.append(nn.Linear(width, config.width))
        return nn.Sequential(*layers)
    return nn.Linear(config.dim, config.projection) if config.projection else nn.Identity()


def _dtype(module: nn.Module, x: Tensor) -> torch.dtype:
    return next((parameter.dtype for parameter in module.parameters()), x.dtype)
