"""The ``model`` keys of a `classify` recipe; how many channels and classes there are, the data say."""

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from jumok.models.classifiers import CONFIGS, ClassifierConfig
from jumok.models.resnet import ResNetConfig
from jumok.models.vit import DeiTConfig, ViTConfig
from jumok.tasks.model_options import FromPreset, family


class ViTOptions(FromPreset, ViTConfig):
    """A preset and what is changed in it."""

    channels: ClassVar[int] = 3  # type: ignore[misc]
    classes: ClassVar[int] = 2  # type: ignore[misc]
    norm_epsilon: ClassVar[float] = 1e-6  # type: ignore[misc]
    distillation_token: ClassVar[bool] = False  # type: ignore[misc]
    dropout: ClassVar[float] = 0.0  # type: ignore[misc]
    attention_dropout: ClassVar[float] = 0.0  # type: ignore[misc]
    preset_: Literal["ti", "s", "b", "l", "small"] = Field("s", alias="preset", description="sizes to start from")


class DeiTOptions(FromPreset, DeiTConfig):
    """A preset and what is changed in it."""

    channels: ClassVar[int] = 3  # type: ignore[misc]
    classes: ClassVar[int] = 2  # type: ignore[misc]
    norm_epsilon: ClassVar[float] = 1e-6  # type: ignore[misc]
    dropout: ClassVar[float] = 0.0  # type: ignore[misc]
    attention_dropout: ClassVar[float] = 0.0  # type: ignore[misc]
    preset_: Literal["ti", "s", "b", "l", "small"] = Field("s", alias="preset", description="sizes to start from")


class ResNetOptions(FromPreset, ResNetConfig):
    """A preset and what is changed in it."""

    channels: ClassVar[int] = 3  # type: ignore[misc]
    classes: ClassVar[int] = 2  # type: ignore[misc]
    preset_: Literal["resnet18", "resnet20", "small"] = Field(
        "resnet18", alias="preset", description="sizes to start from"
    )


ClassifierOptions = Annotated[
    Annotated[ViTOptions, Tag("<vit>")]
    | Annotated[DeiTOptions, Tag("<deit>")]
    | Annotated[ResNetOptions, Tag("<resnet>")],
    Discriminator(family(CONFIGS, "vit")),
]


def sized(options: ViTOptions | DeiTOptions | ResNetOptions, channels: int, classes: int) -> ClassifierConfig:
    """The config of a model for images of so many channels and classes."""
    values = options.model_dump(exclude={"preset_"})
    return CONFIGS[options.architecture](channels=channels, classes=classes, **values)
