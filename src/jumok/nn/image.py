"""Images in, features out: patches (Dosovitskiy et al. 2021, ViT, section 3.1), their positions, the image encoder."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.nn.dropout import Dropout
from jumok.nn.mask import FULL
from jumok.nn.position import grid_sinusoid
from jumok.nn.rows import take_rows
from jumok.nn.state import Encoded
from jumok.nn.transformer import Encoder, EncoderBlock, product_dtype

Grid = tuple[int, int]  # height and width, in patches
GridPositions = Literal["learned", "sinusoidal", "none"]


class Cut(nn.Module):
    """Cuts an image into patches of ``p x p`` pixels: each becomes one vector, channel by channel, row by row.

    Raises ValueError where the image is no whole number of patches.
    """

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B h w CPP"]:
        count, channels, height, width = images.shape
        p = self.patch
        if height % p or width % p:
            raise ValueError(f"an image of {height} x {width} pixels is no whole number of patches of {p} x {p}")
        parts = images.view(count, channels, height // p, p, width // p, p)
        return parts.permute(0, 2, 4, 1, 3, 5).reshape(count, height // p, width // p, channels * p * p)

    def extra_repr(self) -> str:
        return f"patch={self.patch}"


class PatchEmbedding(nn.Module):
    """``x_p E``: one linear map of every patch (eq. 1), which is a convolution whose stride is its kernel."""

    def __init__(self, channels: int, dim: int, patch: int) -> None:
        super().__init__()
        self.cut, self.channels = Cut(patch), channels
        self.projection = nn.Linear(channels * patch * patch, dim)
        # as the authors' code: variance 1 / fan-in
        nn.init.normal_(self.projection.weight, std=self.projection.in_features**-0.5)
        nn.init.zeros_(self.projection.bias)

    @property
    def filters(self) -> Float[Tensor, "D C P P"]:
        """The projection as `D` small images."""
        p = self.cut.patch
        return self.projection.weight.view(-1, self.channels, p, p)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N D"]:
        x: Tensor = self.projection(self.cut(images)).flatten(1, 2)
        return x


class ConvolutionalStem(nn.Module):
    """``log2(p)`` times 3x3 convolution of stride 2, batch norm, ReLU; then 1x1: one vector for each ``p x p`` pixels.

    In front of the same encoder it trains sooner and steadier than `PatchEmbedding` (Xiao et al. 2021, "Early
    Convolutions Help Transformers See Better", section 4); widths double up to `dim`. `patch` is a power of 2.
    If `deep`, one more of stride 1 stands in front and behind each of stride 2: small images show more in full size.
    """

    def __init__(self, channels: int, dim: int, patch: int, *, deep: bool = False) -> None:
        super().__init__()
        steps = patch.bit_length() - 1
        if patch != 2**steps or not steps:
            raise ValueError(f"a convolutional stem halves the image: patch = {patch} is not 2, 4, 8, 16, ...")
        full, *widths = (max(dim >> (steps - i), 8) for i in range(steps + 1))
        shapes = [(width, stride) for width in widths for stride in ((2, 1) if deep else (2,))]
        shapes = [(channels, 1), *([(full, 1)] if deep else []), *shapes]
        layers: list[nn.Module] = []
        for (before, _), (after, stride) in pairwise(shapes):
            convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        last = nn.Conv2d(after, dim, 1)
        nn.init.normal_(last.weight, std=after**-0.5)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        self.patch = patch
        self.layers = nn.Sequential(*layers, last)

    @property
    def filters(self) -> Float[Tensor, "D C P P"]:
        """The first convolution as small images."""
        first = self.layers[0]
        assert isinstance(first, nn.Conv2d)
        return first.weight

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N D"]:
        height, width = images.shape[2:]
        if height % self.patch or width % self.patch:
            raise ValueError(f"an image of {height} x {width} pixels is no whole number of patches of {self.patch}")
        x: Tensor = self.layers(images).flatten(2).transpose(1, 2)
        return x


class LearnedGrid(nn.Module):
    """One learned vector for each class or distillation token in front, then for each patch, row by row."""

    def __init__(self, prefix: int, grid: Grid, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(prefix + grid[0] * grid[1], dim))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self) -> Float[Tensor, "N D"]:
        return self.weight


class SinusoidalGrid(nn.Module):
    """Sines and cosines of row and column (`grid_sinusoid`); zeros for the tokens in front."""

    def __init__(self, prefix: int, grid: Grid, dim: int) -> None:
        super().__init__()
        self.prefix, self.grid, self.dim = prefix, grid, dim
        grid_sinusoid(0, 0, dim)  # refuses a width that it cannot have, when built

    def forward(self) -> Float[Tensor, "N D"]:
        return F.pad(grid_sinusoid(*self.grid, self.dim), (0, 0, self.prefix, 0))


class NoGrid(nn.Module):
    """Zeros: a model that sees a bag of patches, kept to show what positions are for."""

    def __init__(self, prefix: int, grid: Grid, dim: int) -> None:
        super().__init__()
        self.shape = (prefix + grid[0] * grid[1], dim)

    def forward(self) -> Float[Tensor, "N D"]:
        return torch.zeros(self.shape)


def grid_positions(kind: GridPositions, prefix: int, grid: Grid, dim: int) -> LearnedGrid | SinusoidalGrid | NoGrid:
    made = {"learned": LearnedGrid, "sinusoidal": SinusoidalGrid, "none": NoGrid}[kind](prefix, grid, dim)
    assert isinstance(made, LearnedGrid | SinusoidalGrid | NoGrid)
    return made


def interpolated(weight: Float[Tensor, "N D"], prefix: int, old: Grid, new: Grid) -> Float[Tensor, "M D"]:
    """Learned positions of a grid `old` for a grid `new`: bicubic over the image (section 3.2), the prefix as it is.

    The very same numbers where the grids are equal.
    """
    if old == new:
        return weight
    image = weight[prefix:].T.reshape(1, -1, *old).float()
    image = F.interpolate(image, size=new, mode="bicubic", align_corners=False)
    return torch.cat([weight[:prefix], image[0].flatten(1).T.to(weight.dtype)])


class PatchInput(nn.Module):
    """``z_0 = [x_class; x_p^1 E; ...; x_p^N E] + E_pos`` (eq. 1), then dropout; `prefix` learned tokens in front.

    In training each image keeps only a random ``1 - patch_dropout`` of its patches, at their positions (Liu et al.
    2023, "PatchDropout"). Raises ValueError for an image of another size than the positions were made for.
    """

    def __init__(
        self,
        patches: PatchEmbedding | ConvolutionalStem,
        positions: LearnedGrid | SinusoidalGrid | NoGrid,
        *,
        prefix: int,
        dim: int,
        size: tuple[int, int],
        dropout: float,
        patch_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.patches, self.positions, self.size, self.drop = patches, positions, size, Dropout(dropout)
        self.patch_dropout = patch_dropout
        self.prefix = nn.Parameter(torch.empty(prefix, dim))
        nn.init.trunc_normal_(self.prefix, std=0.02)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N D"]:
        if images.shape[2:] != self.size:
            given, wanted = (" x ".join(map(str, size)) for size in (images.shape[2:], self.size))
            raise ValueError(f"images of {given} pixels are given; this model was built for {wanted}")
        patches: Tensor = self.patches(images.to(product_dtype(self.prefix)))
        positions = self.positions().to(patches)
        in_front = len(self.prefix)
        tokens = (self.prefix.to(patches.dtype) + positions[:in_front]).expand(len(images), -1, -1)
        placed = patches + positions[in_front:]
        if self.training and self.patch_dropout:
            placed = self._some(placed)
        x: Tensor = self.drop(torch.cat([tokens, placed], dim=1))
        return x

    def _some(self, patches: Float[Tensor, "B N D"]) -> Float[Tensor, "B K D"]:
        """As many random patches of each image, at least one."""
        count, number, dim = patches.shape
        kept = max(1, round(number * (1 - self.patch_dropout)))
        chosen = torch.rand(count, number, device=patches.device).argsort(1)[:, :kept]
        first = torch.arange(0, count * number, number, device=patches.device)[:, None]
        return take_rows(patches.flatten(0, 1), (first + chosen).flatten()).view(count, kept, dim)


class ImageEncoder(Encoder):
    """Patch input, then the encoder; `grid` is how many patches stand below and beside each other."""

    tokens: PatchInput

    def __init__(
        self,
        tokens: PatchInput,
        blocks: Iterable[EncoderBlock],
        norm: nn.Module,
        *,
        grid: Grid,
        checkpointing: bool = False,
    ) -> None:
        super().__init__(tokens, blocks, norm, checkpointing=checkpointing)
        self.grid, self.prefix = grid, len(tokens.prefix)

    def forward(self, images: Float[Tensor, "B C H W"], read: int | None = None) -> Encoded:
        """Features of the tokens in front, then of each patch; with `read` of the first so many, for less work."""
        features = self.through(self.tokens(images), FULL, read)
        return Encoded(features, FULL, prefix=self.prefix, grid=self.grid)
