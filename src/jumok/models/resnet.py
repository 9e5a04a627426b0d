"""ResNet with basic blocks (He et al. 2016, "Deep Residual Learning"): ViT's rival, DeiT's teacher."""

from typing import ClassVar, Literal

from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.models.image_classifier import ImageClassifierConfig, class_head
from jumok.nn.mask import FULL
from jumok.nn.state import Encoded


class ResNetConfig(ImageClassifierConfig):
    """Sizes of a ResNet: a width and a number of blocks for each stage; each but the first halves the image."""

    PRESETS: ClassVar = {
        # He 2016, section 4.2 (CIFAR-10, 0.27 million parameters) and Table 1
        "resnet20": {"stem": "small", "widths": (16, 32, 64), "blocks": (3, 3, 3)},
        "resnet18": {"stem": "imagenet", "widths": (64, 128, 256, 512), "blocks": (2, 2, 2, 2)},
        # between the two, for small images
        "small": {"stem": "small", "widths": (32, 64, 128), "blocks": (2, 2, 2)},
    }

    architecture: Literal["resnet"] = Field("resnet", description="the family: vit, deit or resnet")
    stem: Literal["small", "imagenet"] = Field(
        "imagenet", description="3x3 for images up to 64 pixels; or 7x7 of stride 2 and max pooling"
    )
    widths: tuple[int, ...] = Field((64, 128, 256, 512), description="channels of each stage")
    blocks: tuple[int, ...] = Field((2, 2, 2, 2), description="blocks of each stage, two convolutions each")

    @field_validator("widths", "blocks", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value  # YAML and JSON have no tuples

    @model_validator(mode="after")
    def _check(self) -> "ResNetConfig":
        if not self.widths or len(self.widths) != len(self.blocks):
            raise ValueError(f"widths = {self.widths} and blocks = {self.blocks} do not name the same stages")
        if min(self.widths) < 1 or min(self.blocks) < 1:
            raise ValueError(f"widths = {self.widths} and blocks = {self.blocks} have to be 1 or more")
        if min(self.size) < self.stride:
            raise ValueError(
                f"image_size = {self.image_size} is smaller than one step of the last stage, {self.stride}"
            )
        return self

    @property
    def stride(self) -> int:
        """Pixels between two neighbours of the last stage."""
        return (4 if self.stem == "imagenet" else 1) << (len(self.widths) - 1)


class Stem(nn.Module):
    """The first convolution, batch norm and ReLU; on large images of stride 2, with max pooling after it."""

    def __init__(self, kind: Literal["small", "imagenet"], channels: int, width: int) -> None:
        super().__init__()
        large = kind == "imagenet"
        self.convolution = _convolution(channels, width, 7 if large else 3, 2 if large else 1)
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        x: Tensor = self.pool(F.relu(self.norm(self.convolution(images))))
        return x


class BasicBlock(nn.Module):
    """``ReLU(F(x) + x)``, ``F`` two 3x3 convolutions with batch norm; 1x1 where shapes differ (Fig. 2)."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first, self.first_norm = _convolution(before, width, 3, stride), nn.BatchNorm2d(width)
        self.second, self.second_norm = _convolution(width, width, 3, 1), nn.BatchNorm2d(width)
        same = before == width and stride == 1
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(_convolution(before, width, 1, stride), nn.BatchNorm2d(width))
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        y = F.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    """Stem, stages of basic blocks, mean over the image, class logits. Takes images of any size."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem(config.stem, config.channels, config.widths[0])
        blocks, before = [], config.widths[0]
        for stage, (width, count) in enumerate(zip(config.widths, config.blocks, strict=True)):
            for number in range(count):
                blocks.append(BasicBlock(before, width, 2 if stage and not number else 1))
                before = width
        self.blocks = nn.ModuleList(blocks)
        self.head = class_head(before, config.classes)

    def encode(self, images: Float[Tensor, "B C H W"]) -> Encoded:
        """The last stage's image as a sequence, row by row; `grid` is its height and width."""
        x = self._image(images)
        return Encoded(x.flatten(2).transpose(1, 2), FULL, grid=(x.shape[2], x.shape[3]))

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B classes"]:
        logits: Tensor = self.head(self._image(images).mean((2, 3)))
        return logits

    def layers(self) -> dict[str, int]:
        """Each parameter's depth: 0 for the stem, ``i + 1`` for block i, the number of blocks + 1 for the head."""
        return {name: self._layer(name) for name, _ in self.named_parameters()}

    def receptive_fields(self) -> list[int]:
        """Pixels (height, which is width) that one output of the stem, then of each block, can see.

        A convolution of kernel k adds ``(k - 1) * j`` where j is the pixels between its neighbouring inputs.
        """
        large = self.config.stem == "imagenet"
        seen, step = (11, 4) if large else (3, 1)  # 7x7 of stride 2, then pooling 3x3 of stride 2: 7 + 2 * 2
        fields = [seen]
        for block in self.blocks:
            assert isinstance(block, BasicBlock)
            stride = block.first.stride[0]
            seen += 2 * step + 2 * step * stride
            step *= stride
            fields.append(seen)
        return fields

    def _image(self, images: Tensor) -> Tensor:
        x = self.stem(images.to(self.head.weight.dtype))
        for block in self.blocks:
            x = block(x)
        return x  # type: ignore[no-any-return]

    def _layer(self, name: str) -> int:
        first, _, rest = name.partition(".")
        if first == "stem":
            return 0
        return int(rest.split(".")[0]) + 1 if first == "blocks" else len(self.blocks) + 1


def _convolution(before: int, after: int, kernel: int, stride: int) -> nn.Conv2d:
    """Without bias, as batch norm follows; from He's normal (He et al. 2015)."""
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
