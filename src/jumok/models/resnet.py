"""ResNet with basic blocks (He et al. 2016, "Deep Residual Learning"): ViT's rival, DeiT's teacher, a writer's eye."""

import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.models.image_classifier import ImageClassifierConfig, ImageConfig, class_head
from jumok.nn.mask import FULL
from jumok.nn.state import Encoded

Kind = Literal["small", "imagenet"]
Strides = tuple[tuple[int, int], ...]  # of each stage: height, width


class ResNetBodyConfig(ImageConfig):
    """The body of a ResNet: a width, a number of blocks and a stride for each stage."""

    stem: Kind = Field("imagenet", description="3x3 for images up to 64 pixels; or 7x7 of stride 2 and max pooling")
    widths: tuple[int, ...] = Field((64, 128, 256, 512), description="channels of each stage")
    blocks: tuple[int, ...] = Field((2, 2, 2, 2), description="blocks of each stage, two convolutions each")
    strides: Strides | None = Field(
        None, description="[height, width] of each stage's step; empty: 1 in the first stage, 2 in the others"
    )

    @field_validator("widths", "blocks", "strides", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        # YAML and JSON have no tuples
        return tuple(tuple(part) if isinstance(part, list) else part for part in value)

    @model_validator(mode="after")
    def _check_stages(self) -> "ResNetBodyConfig":
        if not self.widths or len(self.widths) != len(self.blocks):
            raise ValueError(f"widths = {self.widths} and blocks = {self.blocks} do not name the same stages")
        if min(self.widths) < 1 or min(self.blocks) < 1:
            raise ValueError(f"widths = {self.widths} and blocks = {self.blocks} have to be 1 or more")
        if len(self.steps) != len(self.widths) or any(min(step) < 1 for step in self.steps):
            raise ValueError(
                f"strides = {self.strides}: give [height, width], 1 or more, for each of the {len(self.widths)} stages"
            )
        if any(side < step for side, step in zip(self.size, self.stride, strict=True)):
            step = " x ".join(map(str, self.stride))
            raise ValueError(f"image_size = {self.image_size} is smaller than one step of the last stage, {step}")
        return self

    @property
    def steps(self) -> Strides:
        """Of each stage: the stride of its first block, height and width."""
        return ((1, 1), *(((2, 2),) * (len(self.widths) - 1))) if self.strides is None else self.strides

    @property
    def shortcuts(self) -> tuple[bool, ...]:
        """Of each stage: whether the shortcut of its first block is a convolution, because shapes differ there."""
        before = (self.widths[0], *self.widths)
        return tuple(
            step != (1, 1) or narrow != wide
            for narrow, wide, step in zip(before, self.widths, self.steps, strict=False)
        )

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels between two neighbours of the last stage, below and beside each other."""
        first = 4 if self.stem == "imagenet" else 1
        down, across = zip(*self.steps, strict=True)
        return first * math.prod(down), first * math.prod(across)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the last stage's image, of an image of so many pixels: each step rounds up."""
        down, across = self.stride
        return -(-height // down), -(-width // across)


class ResNetConfig(ResNetBodyConfig, ImageClassifierConfig):
    """Sizes of a ResNet that classifies."""

    PRESETS: ClassVar = {
        # He 2016, section 4.2 (CIFAR-10, 0.27 million parameters) and Table 1
        "resnet20": {"stem": "small", "widths": (16, 32, 64), "blocks": (3, 3, 3)},
        "resnet18": {"stem": "imagenet", "widths": (64, 128, 256, 512), "blocks": (2, 2, 2, 2)},
        # between the two, for small images
        "small": {"stem": "small", "widths": (32, 64, 128), "blocks": (2, 2, 2)},
    }

    architecture: Literal["resnet"] = Field("resnet", description="the family: vit, deit or resnet")


class Stem(nn.Module):
    """The first convolution, batch norm and ReLU; on large images of stride 2, with max pooling after it."""

    def __init__(self, kind: Kind, channels: int, width: int) -> None:
        super().__init__()
        large = kind == "imagenet"
        self.convolution = _convolution(channels, width, 7 if large else 3, (2, 2) if large else (1, 1))
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        x: Tensor = self.pool(F.relu(self.norm(self.convolution(images))))
        return x


class BasicBlock(nn.Module):
    """``ReLU(F(x) + x)``, ``F`` two 3x3 convolutions with batch norm; 1x1 where shapes differ (Fig. 2)."""

    def __init__(self, before: int, width: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.first, self.first_norm = _convolution(before, width, 3, stride), nn.BatchNorm2d(width)
        self.second, self.second_norm = _convolution(width, width, 3, (1, 1)), nn.BatchNorm2d(width)
        same = before == width and stride == (1, 1)
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(_convolution(before, width, 1, stride), nn.BatchNorm2d(width))
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        y = F.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        return F.relu(y + self.shortcut(x))


class ResNetBody(nn.Module):
    """Stem and stages of basic blocks: an image to a smaller image of features. Takes images of any size."""

    def __init__(self, config: ResNetBodyConfig) -> None:
        super().__init__()
        self.stem = Stem(config.stem, config.channels, config.widths[0])
        blocks, before = [], config.widths[0]
        for width, count, step in zip(config.widths, config.blocks, config.steps, strict=True):
            for number in range(count):
                blocks.append(BasicBlock(before, width, (1, 1) if number else step))
                before = width
        self.blocks, self.width = nn.ModuleList(blocks), before

    def image(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """The last stage's image."""
        x = self.stem(images.to(self.stem.convolution.weight.dtype))
        for block in self.blocks:
            x = block(x)
        return x  # type: ignore[no-any-return]

    def encode(self, images: Float[Tensor, "B C H W"]) -> Encoded:
        """The last stage's image as a sequence, row by row; `grid` is its height and width."""
        x = self.image(images)
        return Encoded(x.flatten(2).transpose(1, 2), FULL, grid=(x.shape[2], x.shape[3]))

    def receptive_fields(self, side: Literal["height", "width"] = "height") -> list[int]:
        """Pixels along one side that one output of the stem, then of each block, can see.

        A convolution of kernel k adds ``(k - 1) * j`` where j is the pixels between its neighbouring inputs.
        """
        axis = 0 if side == "height" else 1
        # 7x7 of stride 2, then pooling 3x3 of stride 2: 7 + 2 * 2
        seen, step = (3, 1) if isinstance(self.stem.pool, nn.Identity) else (11, 4)
        fields = [seen]
        for block in self.blocks:
            assert isinstance(block, BasicBlock)
            stride = block.first.stride[axis]
            seen += 2 * step + 2 * step * stride
            step *= stride
            fields.append(seen)
        return fields


class ResNet(ResNetBody):
    """The body, mean over its last image, class logits."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        self.config = config
        self.head = class_head(self.width, config.classes)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B classes"]:
        logits: Tensor = self.head(self.image(images).mean((2, 3)))
        return logits

    def layers(self) -> dict[str, int]:
        """Each parameter's depth: 0 for the stem, ``i + 1`` for block i, the number of blocks + 1 for the head."""
        return {name: self._layer(name) for name, _ in self.named_parameters()}

    def _layer(self, name: str) -> int:
        first, _, rest = name.partition(".")
        if first == "stem":
            return 0
        return int(rest.split(".")[0]) + 1 if first == "blocks" else len(self.blocks) + 1


class ResNetEncoder(ResNetBody):
    """The body as an encoder: its last image as a sequence for a decoder, and nothing beside it."""

    def forward(self, images: Float[Tensor, "B C H W"]) -> Encoded:
        return self.encode(channels_last(images))


def channels_last(images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """The same images, lying in memory as convolutions read them fastest, pixel by pixel."""
    return images.contiguous(memory_format=torch.channels_last)


class PointConvolution(nn.Conv2d):
    """A 1x1 convolution with a stride: of the pixels it reads, cut out first.

    PyTorch 2.13's own kernel for these writes past its memory on the CPU, where channels are few and images lie pixel
    by pixel. Pooling of one pixel cuts, and its gradient lies as the images do, which a slice's does not.
    """

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        return F.conv2d(F.avg_pool2d(x, 1, self.stride), self.weight)


def _convolution(before: int, after: int, kernel: int, stride: tuple[int, int]) -> nn.Conv2d:
    """Without bias, as batch norm follows; from He's normal (He et al. 2015)."""
    made = PointConvolution if kernel == 1 and stride != (1, 1) else nn.Conv2d
    convolution = made(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
