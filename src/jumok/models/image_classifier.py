"""What every model that reads images has: the image's size; and those that classify them: the classes, a head."""

from typing import Any, ClassVar, TypeVar

from pydantic import Field, field_validator
from torch import nn

from jumok.config import Config

C = TypeVar("C", bound="ImageConfig")


class ImageConfig(Config):
    """What the configs of all such models have in common; ``PRESETS`` are a family's named sizes."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]]

    image_size: int | tuple[int, int] = Field(224, description="pixels: one number, or height and width")
    channels: int = Field(3, ge=1, description="channels of an image: 1 grey, 3 colour")

    @field_validator("image_size", mode="before")
    @classmethod
    def _pixels(cls, value: object) -> object:
        sides = list(value) if isinstance(value, list | tuple) else [value, value]
        if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
            raise ValueError("give one number of pixels, or [height, width]")
        return tuple(value) if isinstance(value, list) else value  # YAML and JSON have no tuples

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of an image in pixels."""
        return self.image_size if isinstance(self.image_size, tuple) else (self.image_size, self.image_size)

    @classmethod
    def preset(cls: type[C], name: str, **overrides: Any) -> C:
        """A model by its name in ``PRESETS``, with some values changed."""
        return cls(**(cls.PRESETS[name] | overrides))


class ImageClassifierConfig(ImageConfig):
    """What the configs of all models that turn an image into class logits have in common."""

    classes: int = Field(ge=1, description="number of classes")


def class_head(dim: int, classes: int) -> nn.Linear:
    """``logits = W x + b``, from a normal of standard deviation 0.02 that is cut at 2, and zeros."""
    head = nn.Linear(dim, classes)
    nn.init.trunc_normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head
