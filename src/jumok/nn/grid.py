"""An image of features as tokens: its cells, or its columns, with their places, and the encoder that reads them."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.nn.dropout import Dropout
from jumok.nn.image import Grid
from jumok.nn.mask import FULL
from jumok.nn.position import Sinusoidal, grid_sinusoid
from jumok.nn.state import Encoded
from jumok.nn.transformer import Encoder, EncoderBlock


class CellInput(nn.Module):
    """``x_yx = W f_yx + b + PE(y, x)``: each cell of an image is a token, row by row, whatever the image's size.

    2-D sinusoidal positions (`grid_sinusoid`) of the very grid, then dropout.
    """

    def __init__(self, channels: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.projection, self.drop = _projection(channels, dim), Dropout(dropout)
        grid_sinusoid(0, 0, dim)  # refuses a width that it cannot have, when built

    def grid(self, height: int, width: int) -> Grid:
        """Of the tokens, of an image of so many cells."""
        return height, width

    def forward(self, image: Float[Tensor, "B C h w"]) -> Float[Tensor, "B N D"]:
        x = self.projection(image.flatten(2).transpose(1, 2))
        places = grid_sinusoid(image.shape[2], image.shape[3], x.shape[2], image.device)
        x = self.drop(x + places.to(x))
        return x  # type: ignore[no-any-return]


class ColumnInput(nn.Module):
    """``x_x = W [f_1x; ...; f_hx] + b + PE(x)``: each column of an image of fixed height is a token, left to right.

    For a line of text: as many tokens as the image is wide (the last convolution of Shi et al. 2017, CRNN, joins the
    rows like this). Sinusoidal positions, then dropout. Raises ValueError for an image of another height.
    """

    def __init__(self, channels: int, height: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.projection, self.drop = _projection(channels * height, dim), Dropout(dropout)
        self.height, self.positions = height, Sinusoidal(dim)

    def grid(self, height: int, width: int) -> Grid:
        """Of the tokens, of an image of so many cells."""
        return 1, width

    def forward(self, image: Float[Tensor, "B C h w"]) -> Float[Tensor, "B N D"]:
        if image.shape[2] != self.height:
            raise ValueError(
                f"an image of {image.shape[2]} rows of cells is given; its columns were to have {self.height}"
            )
        x = self.projection(image.flatten(1, 2).transpose(1, 2))
        places = self.positions(torch.arange(image.shape[3], device=image.device))
        x = self.drop(x + places.to(x))
        return x  # type: ignore[no-any-return]


def stretched_rows(weight: Float[Tensor, "D CH"], old: int, new: int) -> Float[Tensor, "D Ch"]:
    """A `ColumnInput`'s projection of `old` rows for `new`: as if an image were brought to the old height before.

    ``W' = W M``, M the (old, new) matrix of linear interpolation: the same tokens of what is alike in all rows, and
    the very same numbers where the heights are equal.
    """
    if old == new:
        return weight
    matrix = F.interpolate(torch.eye(new)[None, None], size=(old, new), mode="bilinear", antialias=True)[0, 0]
    return (weight.view(len(weight), -1, old) @ matrix.to(weight)).flatten(1)


class GridEncoder(Encoder):
    """Cells or columns of an image of features, then the encoder."""

    tokens: CellInput | ColumnInput

    def __init__(self, tokens: CellInput | ColumnInput, blocks: Iterable[EncoderBlock], norm: nn.Module) -> None:
        super().__init__(tokens, blocks, norm)

    def forward(self, image: Float[Tensor, "B C h w"]) -> Encoded:
        features = self.through(self.tokens(image), FULL)
        return Encoded(features, FULL, grid=self.tokens.grid(image.shape[2], image.shape[3]))


def _projection(inputs: int, dim: int) -> nn.Linear:
    """From a normal of variance 1 / fan-in, as patches are projected."""
    projection = nn.Linear(inputs, dim)
    nn.init.normal_(projection.weight, std=inputs**-0.5)
    nn.init.zeros_(projection.bias)
    return projection
