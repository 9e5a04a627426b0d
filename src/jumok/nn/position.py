"""Where a token stands, in a line (sinusoidal, learned, rotary) or on a grid (sinusoidal)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Sinusoidal(nn.Module):
    """``PE(pos, 2i) = sin(pos / 10000^(2i/D))``, ``PE(pos, 2i+1) = cos(pos / 10000^(2i/D))`` (Vaswani 2017, 3.5).

    Has no parameters and takes any position. The distance between two encodings depends on their offset alone.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"sinusoidal positions need an even dim, not {dim}")
        self.dim = dim

    def forward(self, positions: Int[Tensor, " Q"]) -> Float[Tensor, "Q D"]:
        angles = _angles(positions, self.dim)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).float()


def grid_sinusoid(height: int, width: int, dim: int, device: torch.device | None = None) -> Float[Tensor, "N D"]:
    """``PE(y, x) = [PE(y); PE(x)]``: half of the dimensions for the row, half for the column (Vaswani's formula each).

    Row by row, ``N = height * width`` (Chen et al. 2021, "An Empirical Study of Training Self-Supervised Vision
    Transformers"). Raises ValueError if `dim` is no multiple of 4.
    """
    if dim % 4:
        raise ValueError(f"sinusoidal positions on a grid need a dim that is a multiple of 4, not {dim}")
    line = Sinusoidal(dim // 2)
    rows, columns = (line(torch.arange(size, device=device)) for size in (height, width))
    half = (height, width, dim // 2)
    return torch.cat([rows[:, None].expand(half), columns[None].expand(half)], dim=-1).flatten(0, 1)


class Learned(nn.Module):
    """One learned vector for each of `max_len` positions (Gehring et al. 2017).

    Raises ValueError for a position past the last.
    """

    def __init__(self, max_len: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(max_len, dim))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, positions: Int[Tensor, " Q"]) -> Float[Tensor, "Q D"]:
        if positions.shape[0] and int(positions.max()) >= self.weight.shape[0]:
            raise ValueError(f"position {int(positions.max())} is past the {self.weight.shape[0]} learned positions")
        return self.weight[positions]


class NoPositions(nn.Module):
    """Zeros: a model that sees a bag of tokens, kept to show what positions are for."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, positions: Int[Tensor, " Q"]) -> Float[Tensor, "Q D"]:
        return torch.zeros(positions.shape[0], self.dim, device=positions.device)


class Rotary(nn.Module):
    """Rotates pairs of query and key dimensions by ``pos * 10000^(-2i/d)`` (Su et al. 2021, RoFormer, section 3.4).

    ``<R_m q, R_n k>`` depends on ``q``, ``k`` and ``m - n`` alone. `dim` is the width of one head, an even number.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"rotary positions need an even head width, not {dim}")
        self.dim = dim

    def forward(self, x: Float[Tensor, "*heads Q D"], positions: Int[Tensor, " Q"]) -> Float[Tensor, "*heads Q D"]:
        angles = _angles(positions, self.dim).repeat_interleave(2, dim=-1)
        # (even, odd) -> (even cos - odd sin, odd cos + even sin)
        sines = angles.sin()
        sines[:, 0::2].neg_()
        swapped = x.view(*x.shape[:-1], -1, 2).flip(-1).view(x.shape)
        return torch.addcmul(x * angles.cos().to(x.dtype), swapped, sines.to(x.dtype))


def _angles(positions: Int[Tensor, " Q"], dim: int) -> Float[Tensor, "Q half"]:
    """``pos / 10000^(2i/dim)`` in radians; in float64, since at position 10,000 float32 is off by 1e-3.

    Computed where it is needed: a buffer would be rounded by ``model.to(bfloat16)``.
    """
    rates = 10000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64, device=positions.device) / dim)
    return positions[:, None].to(torch.float64) * rates
