"""The layout of Marian models: what their configuration says, and where each of our weights stands in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from jumok.config import Config, parse
from jumok.data.tokenizer import BEGIN, END, PAD
from jumok.models.transformer import TransformerConfig

SHARED = "model.shared.weight"
UNSHARED = ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight")


class MarianConfig(Config):
    """What counts in the ``config.json`` of a Marian folder; defaults are those of transformers."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model_type: Literal["marian"] = Field(description="the architecture")
    vocab_size: int = Field(description="source vocabulary size")
    decoder_vocab_size: int | None = Field(None, description="target vocabulary size; empty: the source's")
    d_model: int = Field(description="width of the model")
    encoder_layers: int = Field(description="encoder blocks")
    decoder_layers: int = Field(description="decoder blocks")
    encoder_attention_heads: int = Field(description="heads of the encoder")
    decoder_attention_heads: int = Field(description="heads of the decoder")
    encoder_ffn_dim: int = Field(description="inner width of the encoder's feed-forward")
    decoder_ffn_dim: int = Field(description="inner width of the decoder's feed-forward")
    activation_function: str = Field("gelu", description="activation of the feed-forward")
    dropout: float = Field(0.1, description="dropout on embeddings and sublayers")
    attention_dropout: float = Field(0.0, description="dropout on attention weights")
    max_position_embeddings: int = Field(1024, description="longest input and output")
    scale_embedding: bool = Field(False, description="embeddings times sqrt(d_model)")
    share_encoder_decoder_embeddings: bool = Field(True, description="one vocabulary and one embedding")
    tie_word_embeddings: bool = Field(True, description="the output layer is the target embedding")
    decoder_start_token_id: int = Field(58100, description="what an output starts from")
    eos_token_id: int = Field(0, description="what an output ends with")
    pad_token_id: int = Field(58100, description="padding")


def marian_config(config: TransformerConfig) -> MarianConfig:
    """The configuration of a Marian model of these sizes, with our token numbers."""
    return MarianConfig(
        model_type="marian",
        vocab_size=config.source_vocab,
        decoder_vocab_size=config.target_vocab,
        d_model=config.dim,
        encoder_layers=config.depth,
        decoder_layers=config.decoder_depth or config.depth,
        encoder_attention_heads=config.heads,
        decoder_attention_heads=config.heads,
        encoder_ffn_dim=config.hidden,
        decoder_ffn_dim=config.hidden,
        activation_function=config.activation,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        max_position_embeddings=config.max_len,
        scale_embedding=True,
        share_encoder_decoder_embeddings=config.tied == "all",
        tie_word_embeddings=config.tied != "none",
        decoder_start_token_id=BEGIN,
        eos_token_id=END,
        pad_token_id=PAD,
    )


def our_config(theirs: MarianConfig, where: str) -> TransformerConfig:
    """Our configuration of the same sizes; `where` is the file, for messages."""
    tied = "all" if theirs.share_encoder_decoder_embeddings else "target"
    values = {
        "source_vocab": theirs.vocab_size,
        "target_vocab": theirs.decoder_vocab_size or theirs.vocab_size,
        "dim": theirs.d_model,
        "heads": theirs.encoder_attention_heads,
        "depth": theirs.encoder_layers,
        "decoder_depth": None if theirs.decoder_layers == theirs.encoder_layers else theirs.decoder_layers,
        "hidden": theirs.encoder_ffn_dim,
        "dropout": theirs.dropout,
        "attention_dropout": theirs.attention_dropout,
        "activation": theirs.activation_function,
        "max_len": theirs.max_position_embeddings,
        "tied": tied if theirs.tie_word_embeddings else "none",
    }
    return parse(TransformerConfig, values, where)


def unsupported(theirs: MarianConfig) -> list[str]:
    """What our Transformer has no place for, named one by one."""
    known = ("relu", "gelu")
    found = {
        f"activation_function = {theirs.activation_function} (we have {' and '.join(known)})": (
            theirs.activation_function not in known
        ),
        "scale_embedding = false (our embeddings are scaled by sqrt(dim))": not theirs.scale_embedding,
        f"{theirs.encoder_attention_heads} heads in the encoder, {theirs.decoder_attention_heads} in the decoder": (
            theirs.encoder_attention_heads != theirs.decoder_attention_heads
        ),
        f"feed-forward widths {theirs.encoder_ffn_dim} in the encoder, {theirs.decoder_ffn_dim} in the decoder": (
            theirs.encoder_ffn_dim != theirs.decoder_ffn_dim
        ),
        f"d_model = {theirs.d_model} is odd (sines and cosines come in pairs)": theirs.d_model % 2 == 1,
        "a shared embedding with an output layer of its own (tie_word_embeddings = false)": (
            theirs.share_encoder_decoder_embeddings and not theirs.tie_word_embeddings
        ),
        "a shared embedding with two vocabulary sizes": (
            theirs.share_encoder_decoder_embeddings and theirs.decoder_vocab_size not in (None, theirs.vocab_size)
        ),
    }
    return [what for what, wrong in found.items() if wrong]


@dataclass(frozen=True)
class Weight:
    """One of our tensors, those of Marian that follow each other in it, and its axis on the residual stream."""

    ours: str
    theirs: tuple[str, ...]
    stream: int | None


def weights(config: TransformerConfig) -> Iterator[Weight]:
    """Every weight of a model with this configuration."""
    if config.tied == "all":
        yield Weight("encoder.tokens.embedding.weight", (SHARED,), 1)
    else:
        yield Weight("encoder.tokens.embedding.weight", UNSHARED[:1], 1)
        yield Weight("decoder.tokens.embedding.weight", UNSHARED[1:2], 1)
    if config.tied == "none":
        yield Weight("decoder.output.weight", UNSHARED[2:], 1)
    for i in range(config.depth):
        ours, theirs = f"encoder.blocks.{i}", f"model.encoder.layers.{i}"
        yield from _self_attention(ours, theirs)
        yield from _feed_forward(ours, theirs)
    for i in range(config.decoder_depth or config.depth):
        ours, theirs = f"decoder.blocks.{i}", f"model.decoder.layers.{i}"
        yield from _self_attention(ours, theirs)
        cross = f"{theirs}.encoder_attn"
        yield from _linear(f"{ours}.cross.q", f"{cross}.q_proj", reads=True)
        yield from _linear(f"{ours}.cross.kv", f"{cross}.k_proj", f"{cross}.v_proj", reads=True)
        yield from _linear(f"{ours}.cross.out", f"{cross}.out_proj", reads=False)
        yield from _norm(f"{ours}.around_cross.norm", f"{cross}_layer_norm")
        yield from _feed_forward(ours, theirs)


def _self_attention(ours: str, theirs: str) -> Iterator[Weight]:
    projections = [f"{theirs}.self_attn.{part}_proj" for part in "qkv"]
    yield from _linear(f"{ours}.attention.qkv", *projections, reads=True)
    yield from _linear(f"{ours}.attention.out", f"{theirs}.self_attn.out_proj", reads=False)
    yield from _norm(f"{ours}.around_attention.norm", f"{theirs}.self_attn_layer_norm")


def _feed_forward(ours: str, theirs: str) -> Iterator[Weight]:
    yield from _linear(f"{ours}.feed_forward.inner", f"{theirs}.fc1", reads=True)
    yield from _linear(f"{ours}.feed_forward.outer", f"{theirs}.fc2", reads=False)
    yield from _norm(f"{ours}.around_feed_forward.norm", f"{theirs}.final_layer_norm")


def _linear(ours: str, *theirs: str, reads: bool) -> Iterator[Weight]:
    """A projection that reads the residual stream (its columns stand there) or writes it (its rows and its bias)."""
    yield Weight(f"{ours}.weight", tuple(f"{name}.weight" for name in theirs), 1 if reads else 0)
    yield Weight(f"{ours}.bias", tuple(f"{name}.bias" for name in theirs), None if reads else 0)


def _norm(ours: str, theirs: str) -> Iterator[Weight]:
    for part in ("weight", "bias"):
        yield Weight(f"{ours}.{part}", (f"{theirs}.{part}",), 0)


def marian_order(dim: int) -> Tensor:
    """For each dimension of Marian, ours: even ones (sines) first, then odd ones (cosines)."""
    return torch.arange(dim).view(-1, 2).T.flatten()


def renamed(tensor: Tensor, stream: int | None, order: Tensor) -> Tensor:
    """`tensor` with the dimensions of its axis `stream` in this order."""
    return tensor if stream is None else tensor.index_select(stream, order.to(tensor.device))
