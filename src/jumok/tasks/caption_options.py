"""The groups of keys of a `caption` recipe that are its own: the model by its encoder, augmentation, training."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from jumok.data.augment import PixelAugmentation
from jumok.data.tokenizer import TokenizerConfig
from jumok.errors import UserError
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.tasks.model_options import FromPreset
from jumok.training.options import ImageTraining

CHANNELS = 3  # photos are seen in colour; a grey one has three equal channels


class CaptionerOptions(FromPreset, ImageToTextConfig):
    """What the captioners have in common: a preset, and what is changed in it; sizes of the vocabulary are its own."""

    channels: ClassVar[int] = CHANNELS  # type: ignore[misc]
    vocab_size: ClassVar[int] = 4  # type: ignore[misc]
    tied: ClassVar[bool] = True  # type: ignore[misc]
    tokens: ClassVar[Literal["cells"]] = "cells"  # type: ignore[misc]
    prefix: ClassVar[int] = 1  # type: ignore[misc]
    parts: ClassVar[None] = None  # type: ignore[misc]
    decoder: Literal["transformer", "lstm"] = Field(
        "transformer", description="what writes: a Transformer, or an LSTM that attends"
    )


class ResNetCaptioner(CaptionerOptions):
    """What sees is a ResNet (Xu et al. 2015, Show, Attend and Tell, with the LSTM)."""

    depth: ClassVar[int] = 3  # type: ignore[misc]
    patch: ClassVar[int] = 16  # type: ignore[misc]
    positions: ClassVar[Literal["learned"]] = "learned"  # type: ignore[misc]
    encoder: Literal["resnet"] = Field("resnet", description="what sees: a ResNet")
    preset_: Literal["show-attend-tell"] = Field("show-attend-tell", alias="preset", description="sizes to start from")


class ResNetTransformerCaptioner(CaptionerOptions):
    """What sees is a Transformer over a ResNet."""

    patch: ClassVar[int] = 16  # type: ignore[misc]
    positions: ClassVar[Literal["learned"]] = "learned"  # type: ignore[misc]
    encoder: Literal["resnet-transformer"] = Field(
        "resnet-transformer", description="what sees: a Transformer over a ResNet"
    )
    preset_: Literal["cnn-transformer"] = Field("cnn-transformer", alias="preset", description="sizes to start from")


class ViTCaptioner(CaptionerOptions):
    """What sees is a ViT: only Transformers, or with convolutions in front."""

    widths: ClassVar[tuple[int, ...]] = (64, 128, 256)  # type: ignore[misc]
    blocks: ClassVar[tuple[int, ...]] = (2, 2, 2)  # type: ignore[misc]
    strides: ClassVar[None] = None  # type: ignore[misc]
    encoder: Literal["vit", "hybrid"] = Field("vit", description="what sees: a ViT, or one with a convolutional stem")
    preset_: Literal["vit-transformer"] = Field("vit-transformer", alias="preset", description="sizes to start from")


_FAMILIES = {
    "resnet": "<resnet>",
    "resnet-transformer": "<resnet-transformer>",
    "vit": "<vit>",
    "hybrid": "<vit>",
}


def _family(values: Any) -> str:
    """By ``encoder``, else by that of the preset; tags in angle brackets are left out of the keys in messages."""
    given = values.model_dump(by_alias=True) if isinstance(values, BaseModel) else values
    given = given if isinstance(given, dict) else {}
    preset = given.get("preset", "cnn-transformer")
    sizes = ImageToTextConfig.PRESETS.get(preset) if isinstance(preset, str) else None
    name = given.get("encoder", (sizes or {}).get("encoder", "resnet-transformer"))
    if not isinstance(name, str) or name not in _FAMILIES:
        raise UserError(f"model.encoder = {name!r} is not one of {', '.join(_FAMILIES)}")
    return _FAMILIES[name]


ModelOptions = Annotated[
    Annotated[ResNetCaptioner, Tag("<resnet>")]
    | Annotated[ResNetTransformerCaptioner, Tag("<resnet-transformer>")]
    | Annotated[ViTCaptioner, Tag("<vit>")],
    Discriminator(_family),
]


def sized(options: CaptionerOptions, vocab_size: int, prefix: int) -> ImageToTextConfig:
    """The config of a model with a vocabulary of this size, and so many learned tokens in front of patches."""
    values = options.model_dump(exclude={"preset_"})
    return ImageToTextConfig(channels=CHANNELS, vocab_size=vocab_size, prefix=prefix, **values)


class CaptionTokenizer(TokenizerConfig):
    """How captions become subword pieces: byte pairs, learnt on the training captions."""

    kind: ClassVar[Literal["bpe"]] = "bpe"  # type: ignore[misc]
    joint: ClassVar[bool] = True  # type: ignore[misc]
    sampling: float = Field(0.0, ge=0.0, le=1.0, description="bpe dropout in training; 0 is off")


class CaptionAugmentation(PixelAugmentation):
    """What happens to training images, in this order; evaluation sees the centre of the image as it is."""

    operations: ClassVar[int] = 0  # type: ignore[misc]
    magnitude: ClassVar[float] = 0.0  # type: ignore[misc]
    erasing: ClassVar[float] = 0.0  # type: ignore[misc]
    scale: tuple[float, float] = Field((0.6, 1.0), strict=False, description="area of a resized crop, as a share")
    flip: float = Field(
        0.0, ge=0, le=1, description="chance that left and right are exchanged; 0 where captions say left or right"
    )


class CaptionTraining(ImageTraining):
    """Training of a captioner: what is kept has the best CIDEr-D."""

    UNIT: ClassVar = "tokens"

    metric: str = Field(default="cider", description="which score decides what is best, and early stopping")
