"""The config of the models that write what an image shows: which encoder, which decoder, and their sizes."""

from typing import Any, ClassVar, Literal

import pydantic
from pydantic import Field, field_validator, model_validator

from jumok.models.image_classifier import ImageConfig
from jumok.models.resnet import ResNetBodyConfig, Strides
from jumok.models.vit import PatchTransformerConfig
from jumok.nn.image import GridPositions

EncoderKind = Literal["resnet", "resnet-transformer", "vit", "hybrid"]
DecoderKind = Literal["transformer", "lstm", "ctc"]

_RESNET = ("stem", "widths", "blocks", "strides")
_BLOCKS = ("heads", "hidden")
# which keys each part reads beside those that all do
_ENCODER_KEYS: dict[EncoderKind, tuple[str, ...]] = {
    "resnet": _RESNET,
    "resnet-transformer": (*_RESNET, *_BLOCKS, "depth", "tokens"),
    "vit": (*_BLOCKS, "depth", "patch", "positions", "prefix"),
    "hybrid": (*_BLOCKS, "stem", "depth", "patch", "positions", "prefix"),
}
_DECODER_KEYS: dict[DecoderKind, tuple[str, ...]] = {
    "transformer": (*_BLOCKS, "decoder_depth", "tied"),
    "lstm": ("decoder_depth",),
    "ctc": ("parts",),
}


class ImageToTextConfig(ImageConfig):
    """Parts and sizes of a model that writes what an image shows."""

    PRESETS: ClassVar = {
        # Xu et al. 2015: 14 x 14 annotations of 512 numbers (of a ResNet where the paper has VGG), one LSTM
        "show-attend-tell": {
            "encoder": "resnet",
            "decoder": "lstm",
            "stem": "imagenet",
            "widths": (64, 128, 256, 512),
            "blocks": (2, 2, 2, 2),
            "strides": ((1, 1), (2, 2), (2, 2), (1, 1)),
            "dim": 512,
            "decoder_depth": 1,
            "dropout": 0.3,
        },
        # features of the same ResNet, then a Transformer of two stacks
        "cnn-transformer": {
            "encoder": "resnet-transformer",
            "decoder": "transformer",
            "stem": "imagenet",
            "widths": (64, 128, 256, 512),
            "blocks": (2, 2, 2, 2),
            "strides": ((1, 1), (2, 2), (2, 2), (1, 1)),
            "dim": 512,
            "heads": 8,
            "depth": 3,
            "decoder_depth": 3,
            "hidden": 2048,
        },
        # only Transformers: ViT-S/16 and a decoder of its width
        "vit-transformer": {
            "encoder": "vit",
            "decoder": "transformer",
            "patch": 16,
            "dim": 384,
            "heads": 6,
            "depth": 12,
            "decoder_depth": 4,
            "hidden": 1536,
        },
        # words and lines: a token, and a frame of the output, for every 4 pixels of the width
        "reader": {
            "encoder": "resnet-transformer",
            "decoder": "ctc",
            "image_size": (32, 128),
            "stem": "small",
            "widths": (32, 64, 128, 256),
            "blocks": (1, 1, 1, 1),
            "strides": ((2, 2), (2, 2), (2, 1), (2, 1)),
            "tokens": "columns",
            "dim": 256,
            "heads": 4,
            "depth": 3,
            "hidden": 1024,
        },
        "reader-transformer": {
            "encoder": "resnet-transformer",
            "decoder": "transformer",
            "image_size": (32, 128),
            "max_len": 64,
            "stem": "small",
            "widths": (32, 64, 128, 256),
            "blocks": (1, 1, 1, 1),
            "strides": ((2, 2), (2, 2), (2, 1), (2, 1)),
            "tokens": "columns",
            "dim": 256,
            "heads": 4,
            "depth": 3,
            "decoder_depth": 2,
            "hidden": 1024,
        },
        # only Transformers, as ViTSTR has it (Atienza 2021): a crop of one size, cut into patches
        "reader-vit": {
            "encoder": "vit",
            "decoder": "ctc",
            "image_size": (32, 128),
            "patch": 4,
            "prefix": 0,
            "dim": 192,
            "heads": 3,
            "depth": 6,
            "hidden": 768,
        },
        "reader-vit-transformer": {
            "encoder": "vit",
            "decoder": "transformer",
            "image_size": (32, 128),
            "max_len": 64,
            "patch": 4,
            "prefix": 0,
            "dim": 192,
            "heads": 3,
            "depth": 6,
            "decoder_depth": 2,
            "hidden": 768,
        },
    }

    encoder: EncoderKind = Field(
        "resnet-transformer",
        description="what sees: a ResNet; a Transformer over a ResNet; a ViT; a ViT with a convolutional stem (hybrid)",
    )
    decoder: DecoderKind = Field(
        "transformer",
        description="what writes: a Transformer; an LSTM that attends; or one token a frame at once (ctc), for words",
    )
    vocab_size: int = Field(ge=4, description="number of tokens: words, pieces or characters")
    max_len: int = Field(128, ge=1, description="longest text in tokens")
    dim: int = Field(256, ge=2, description="width of the model: embeddings, states and features, D")
    heads: int = Field(4, ge=1, description="attention heads of Transformer blocks")
    depth: int = Field(3, ge=1, description="Transformer blocks of the encoder")
    decoder_depth: int = Field(3, ge=1, description="Transformer blocks, or LSTM layers, of the decoder")
    hidden: int = Field(1024, ge=1, description="inner width of the feed-forward of Transformer blocks")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on embeddings, sublayers and features")
    tied: bool = Field(True, description="transformer decoder: the embedding is the output projection too")
    stem: Literal["small", "imagenet", "convolutional", "deep"] | None = Field(
        None,
        description="resnet: 3x3 (small, the default), or 7x7 of stride 2 and max pooling (imagenet); hybrid: "
        "convolutional (the default), or twice as many convolutions (deep)",
    )
    widths: tuple[int, ...] = Field((64, 128, 256), description="resnet: channels of each stage")
    blocks: tuple[int, ...] = Field((2, 2, 2), description="resnet: blocks of each stage, two convolutions each")
    strides: Strides | None = Field(
        None, description="resnet: [height, width] of each stage's step; empty: 1 in the first stage, 2 in the others"
    )
    tokens: Literal["cells", "columns"] = Field(
        "cells", description="resnet-transformer: a token for each cell of the ResNet's image, or for each column"
    )
    patch: int = Field(16, ge=1, description="vit, hybrid: height and width of a patch in pixels")
    positions: GridPositions = Field(
        "learned", description="vit, hybrid: how positions enter: learned, sinusoidal (2-D) or none"
    )
    prefix: int = Field(
        1,
        ge=0,
        le=2,
        description="vit, hybrid: learned tokens in front of the patches; 1: ViT's class token, 2: DeiT's",
    )

    parts: tuple[int, int] | None = Field(
        None, description="ctc: of how many parts the characters are made, and of how many one of them at most"
    )

    @field_validator("widths", "blocks", "strides", "parts", mode="before", check_fields=False)
    @classmethod
    def _tuple(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        # YAML and JSON have no tuples
        return tuple(tuple(part) if isinstance(part, list) else part for part in value)

    @model_validator(mode="after")
    def _check(self) -> "ImageToTextConfig":
        used = {*_ENCODER_KEYS[self.encoder], *_DECODER_KEYS[self.decoder]}
        known = {key for keys in (*_ENCODER_KEYS.values(), *_DECODER_KEYS.values()) for key in keys}
        for key in sorted(known - used):
            if (value := getattr(self, key)) != ImageToTextConfig.model_fields[key].default:
                raise ValueError(
                    f"{key} = {value} means nothing with encoder = {self.encoder}, decoder = {self.decoder}; drop it"
                )
        if "heads" in used and self.dim % self.heads:
            raise ValueError(f"dim = {self.dim} is not a multiple of heads = {self.heads}")
        if self.decoder == "transformer" and self.dim % 2:
            raise ValueError(f"a Transformer decoder needs an even dim, not {self.dim}")
        columns = self.tokens == "columns"
        if self.encoder == "resnet-transformer" and self.dim % (2 if columns else 4):
            raise ValueError(
                f"tokens = {self.tokens} needs a dim that is a multiple of {2 if columns else 4}, not {self.dim}"
            )
        try:
            _ = self.body if self.encoder in ("resnet", "resnet-transformer") else self.transformer
        except pydantic.ValidationError as error:
            messages = [str(item["msg"]).removeprefix("Value error, ") for item in error.errors(include_url=False)]
            raise ValueError("; ".join(messages)) from None
        return self

    @property
    def body(self) -> ResNetBodyConfig:
        """The ResNet that the encoder is or starts with. Raises ValueError where it can have none of these sizes."""
        values: dict[str, Any] = {key: getattr(self, key) for key in ("image_size", "channels", *_RESNET)}
        return ResNetBodyConfig(**(values | {"stem": self.stem or "small"}))

    @property
    def transformer(self) -> PatchTransformerConfig:
        """The encoder of a ViT, or a hybrid's. Raises ValueError where it can have none of these sizes."""
        if self.encoder == "hybrid" and self.stem in ("small", "imagenet"):
            raise ValueError(f"stem = {self.stem} is a ResNet's; a hybrid has convolutional or deep")
        keys = ("image_size", "channels", "patch", "dim", "heads", "depth", "hidden", "dropout", "positions")
        values: dict[str, Any] = {key: getattr(self, key) for key in keys}
        values["stem"] = "patches" if self.encoder == "vit" else self.stem or "convolutional"
        return PatchTransformerConfig(**values)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what the decoder reads, in tokens, of an image of so many pixels."""
        if self.encoder in ("vit", "hybrid"):
            return height // self.patch, width // self.patch
        rows, columns = self.body.grid(height, width)
        return (1 if self.tokens == "columns" else rows), columns

    def frames(self, width: int) -> int:
        """How many tokens a CTC head writes, blanks with them, over an image so wide."""
        return self.grid(self.size[0], width)[1]
