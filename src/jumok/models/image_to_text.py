"""Image to text: an encoder that sees, and a decoder that writes, or a head that reads off a text at once.

The captioners of the lineage are combinations: a ResNet and an LSTM that attends (Show, Attend and Tell), a Transformer
of two stacks over a ResNet, and only Transformers (a ViT and the decoder of translation).
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from jumok.config import parse
from jumok.errors import UserError
from jumok.models.classifiers import ClassifierConfig, with_positions
from jumok.models.image_classifier import class_head
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.models.resnet import ResNetBody, ResNetConfig, ResNetEncoder, channels_last
from jumok.models.vit import image_encoder
from jumok.nn.alignment import Additive
from jumok.nn.composed import ComposedLinear
from jumok.nn.grid import CellInput, ColumnInput, GridEncoder, stretched_rows
from jumok.nn.image import ImageEncoder
from jumok.nn.position import NoPositions, Sinusoidal
from jumok.nn.recurrent import RecurrentStack
from jumok.nn.recurrent_image import LookingDecoder
from jumok.nn.state import Encoded
from jumok.nn.text import TextDecoder, TokenEmbedding, TokenInput
from jumok.nn.transformer import DecoderBlock, EncoderBlock

_COLUMNS = "encoder.transformer.tokens.projection.weight"


class ResNetTransformer(nn.Module):
    """A ResNet's features as tokens with their places, through Transformer blocks, pre-norm and with GELU.

    Takes images of any size, or with ``tokens = columns`` of any width.
    """

    def __init__(self, config: ImageToTextConfig) -> None:
        super().__init__()
        self.body = ResNetBody(config.body)
        sizes = self.body.width, config.dim, config.dropout
        rows = config.body.grid(*config.size)[0]
        tokens = CellInput(*sizes) if config.tokens == "cells" else ColumnInput(sizes[0], rows, *sizes[1:])
        blocks = [
            EncoderBlock(config.dim, config.heads, config.hidden, dropout=config.dropout, norm="pre", activation="gelu")
            for _ in range(config.depth)
        ]
        for block in blocks:
            block.attention.start_mimetic()
        self.transformer = GridEncoder(tokens, blocks, nn.LayerNorm(config.dim))

    def forward(self, images: Float[Tensor, "B C H W"]) -> Encoded:
        encoded: Encoded = self.transformer(self.body.image(channels_last(images)))
        return encoded


class ImageToText(nn.Module):
    """``p(y_t | y_<t, image)``: an encoder sees, a decoder writes.

    ``model(images, target)`` gives logits ``(B, Q, V)``; `encode`, `begin` and `step` decode, as a translator does.
    """

    def __init__(self, config: ImageToTextConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        self.decoder = _lstm_decoder(config) if config.decoder == "lstm" else _transformer_decoder(config)

    @property
    def output(self) -> nn.Linear:
        """The vocabulary projection."""
        return self.decoder.output

    def encode(self, images: Float[Tensor, "B C H W"]) -> Encoded:
        """Features of the tokens in front, then of each place of the image, row by row."""
        encoded: Encoded = self.encoder(images)
        return encoded

    def features(self, images: Float[Tensor, "B C H W"], target: Int[Tensor, "B Q"]) -> Float[Tensor, "B Q D"]:
        """Decoder features of a forced pass, before the vocabulary projection: what training needs."""
        features: Tensor = self.decoder(self.encoder(images), target)
        return features

    def forward(self, images: Float[Tensor, "B C H W"], target: Int[Tensor, "B Q"]) -> Float[Tensor, "B Q V"]:
        """Logits of the token after each token of `target`, which starts with the begin token."""
        logits: Tensor = self.decoder.output(self.features(images, target))
        return logits

    def begin(self, encoded: Encoded, beams: int, max_len: int) -> Any:
        """Start decoding with `beams` beams an image; `max_len` is how far it may go."""
        self.decoder.tokens.check_length(max_len)
        return self.decoder.begin(encoded, beams)

    def step(self, tokens: Int[Tensor, "rows n"], state: Any) -> tuple[Float[Tensor, "rows V"], Any]:
        """Read tokens ``(B * beams, n)``; logits of the next token of each row."""
        logits, state = self.decoder.step(tokens, state)
        return logits, state


class ImageToFrames(nn.Module):
    """Logits of a token, or of the blank, for every frame of a word's width (Graves et al. 2006, CTC; Shi et al. 2017).

    The mean over the height of what the encoder sees, then ``logits = x W + b``: all frames at once, so that reading
    costs one forward pass. Token 0 is the blank. With `parts`, characters share the weights of what they are made of.
    """

    def __init__(self, config: ImageToTextConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        dim, classes = _memory_dim(config), config.vocab_size
        self.output = ComposedLinear(dim, classes, *config.parts) if config.parts else class_head(dim, classes)

    def encode(self, images: Float[Tensor, "B C H W"]) -> Encoded:
        """Features of the tokens in front, then of each place of the image, row by row."""
        encoded: Encoded = self.encoder(images)
        return encoded

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B T V"]:
        """Logits of each frame, from left to right."""
        encoded = self.encode(images)
        assert encoded.grid is not None
        places = encoded.features[:, encoded.prefix :]
        frames = places if encoded.grid[0] == 1 else places.view(len(places), *encoded.grid, -1).mean(1)
        logits: Tensor = self.output(frames)
        return logits


Model = ImageToText | ImageToFrames


def build(config: ImageToTextConfig) -> Model:
    """A fresh model of this config."""
    return ImageToFrames(config) if config.decoder == "ctc" else ImageToText(config)


def read_config(values: dict[str, Any], where: str) -> ImageToTextConfig:
    """The config that a run stored. Raises `UserError` if it is none, naming `where`."""
    return parse(ImageToTextConfig, values, where)


def started(weights: Mapping[str, Tensor], source: ClassifierConfig, fresh: Model) -> dict[str, Tensor]:
    """All weights of `fresh`, those of its encoder's body from `weights`, a classifier's of config `source`.

    Learned positions are interpolated to the grid of `fresh` (Dosovitskiy 2021, section 3.2). What follows a ResNet's
    body, and the decoder, stay fresh. Raises `UserError` that names the keys in which the two do not fit.
    """
    config = fresh.config
    kinds: tuple[str, ...] = ("resnet", "resnet-transformer")
    if not isinstance(source, ResNetConfig):
        kinds = ("vit",) if source.stem == "patches" else ("hybrid",)
    if config.encoder not in kinds:
        raise UserError(
            f"model.encoder = {config.encoder} cannot start from that run, which has a {kinds[0]}; "
            f"give another run, or set model.encoder to {' or '.join(kinds)}"
        )
    wanted: dict[str, Any]
    if isinstance(source, ResNetConfig):
        # a stride has no weights, but where it calls for a shortcut: features may lie closer than in the classifier
        wanted = config.body.model_dump(include={"channels", "stem", "widths", "blocks"})
    else:
        keys = {"channels", "patch", "dim", "heads", "depth", "hidden", "positions", "stem"}
        wanted = config.transformer.model_dump(include=keys) | {"prefix": config.prefix}
    unequal = [
        f"{key} = {_shown(getattr(source, key))} there and {_shown(value)} here"
        for key, value in wanted.items()
        if getattr(source, key) != value
    ]
    if isinstance(source, ResNetConfig) and source.shortcuts != config.body.shortcuts:
        unequal.append(f"strides = {_shown(source.steps)} there and {_shown(config.body.steps)} here")
    if unequal:
        raise UserError(
            f"the encoder cannot start from that run: {'; '.join(unequal)}; set these keys of model as there"
        )
    if isinstance(source, ResNetConfig):
        place = "encoder.body." if config.encoder == "resnet-transformer" else "encoder."
        body = {place + name: tensor for name, tensor in weights.items() if not name.startswith("head.")}
    else:
        placed = with_positions(weights, source, config.transformer)
        body = {name: tensor for name, tensor in placed.items() if name.startswith("encoder.")}
    return dict(fresh.state_dict()) | body


def at_size(weights: Mapping[str, Tensor], source: ImageToTextConfig, config: ImageToTextConfig) -> dict[str, Tensor]:
    """`weights` of a model of config `source` for images of the size of `config`, all else being equal.

    Learned positions are interpolated (Dosovitskiy 2021, section 3.2), and what joins the rows of a column is
    stretched: a model learns sooner on small images, and goes on with large ones (Touvron et al. 2019, FixRes).
    """
    if source.encoder in ("vit", "hybrid"):
        return with_positions(weights, source.transformer, config.transformer)
    result = dict(weights)
    if source.encoder == "resnet-transformer" and source.tokens == "columns":
        old, new = (one.body.grid(*one.size)[0] for one in (source, config))
        result[_COLUMNS] = stretched_rows(result[_COLUMNS], old, new)
    return result


def _shown(value: object) -> object:
    return [_shown(part) for part in value] if isinstance(value, tuple) else value


def _encoder(config: ImageToTextConfig) -> ResNetEncoder | ResNetTransformer | ImageEncoder:
    if config.encoder == "resnet":
        return ResNetEncoder(config.body)
    if config.encoder == "resnet-transformer":
        return ResNetTransformer(config)
    return image_encoder(config.transformer, config.prefix)


def _memory_dim(config: ImageToTextConfig) -> int:
    return config.widths[-1] if config.encoder == "resnet" else config.dim


def _transformer_decoder(config: ImageToTextConfig) -> TextDecoder:
    embedding = TokenEmbedding(config.vocab_size, config.dim)
    output = _output(config)
    if config.tied:
        output.weight = embedding.weight
    blocks = [
        DecoderBlock(
            config.dim,
            config.heads,
            config.hidden,
            memory_dim=_memory_dim(config),
            dropout=config.dropout,
            norm="pre",
            activation="gelu",
        )
        for _ in range(config.decoder_depth)
    ]
    tokens = TokenInput(embedding, Sinusoidal(config.dim), config.dropout)
    return TextDecoder(tokens, blocks, nn.LayerNorm(config.dim), output)


def _lstm_decoder(config: ImageToTextConfig) -> LookingDecoder:
    dim, memory_dim = config.dim, _memory_dim(config)
    # recurrence knows the order by itself; and the stack drops out of its own input
    tokens = TokenInput(TokenEmbedding(config.vocab_size, dim), NoPositions(dim), 0.0)
    stack = RecurrentStack("lstm", dim, dim, config.decoder_depth, dropout=config.dropout)
    return LookingDecoder(
        tokens,
        stack,
        _output(config),
        memory_dim=memory_dim,
        cross=Additive(dim, memory_dim),
        dropout=config.dropout,
    )


def _output(config: ImageToTextConfig) -> nn.Linear:
    output = nn.Linear(config.dim, config.vocab_size, bias=False)
    nn.init.normal_(output.weight, std=config.dim**-0.5)
    return output
