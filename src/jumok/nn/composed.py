"""An output layer whose classes are made of parts, as the syllables of Hangul are of letters."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class ComposedLinear(nn.Module):
    """``logits = x W^T + b``, ``W_c = E_c + sum_p P_p``: a class is its own vector and those of its parts.

    What one class teaches, all learn that share a part with it. It can say nothing that `nn.Linear` cannot, and with
    ``E = W, P = 0`` it is one. `table` (classes, most parts of one) says of which parts, 1 to `parts`, each class is
    made, 0 where it has no more; it is set when a training begins and stored with the weights.
    """

    table: Tensor

    def __init__(self, dim: int, classes: int, parts: int, most: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.empty(classes, dim))
        self.parts = nn.Embedding(parts + 1, dim, padding_idx=0)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.register_buffer("table", torch.zeros(classes, most, dtype=torch.int32))
        nn.init.trunc_normal_(self.own, std=0.02)
        nn.init.trunc_normal_(self.parts.weight, std=0.02)
        with torch.no_grad():
            self.parts.weight[0] = 0.0

    @property
    def sums(self) -> Float[Tensor, "V D"]:
        """Of each class the sum of the vectors of its parts."""
        found: Tensor = self.parts(self.table).sum(1)
        return found

    @property
    def weight(self) -> Float[Tensor, "V D"]:
        """The weights of the one linear layer that this is."""
        return self.own + self.sums

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... V"]:
        return F.linear(x, self.weight, self.bias)

    def make_of(self, table: Int[Tensor, "V most"]) -> None:
        """Says of which parts the classes are made. Raises ValueError for another shape or an unknown part."""
        shape, parts = self.table.shape, self.parts.num_embeddings
        if table.shape != shape or not 0 <= int(table.min()) <= int(table.max()) < parts:
            raise ValueError(
                f"a table of {list(table.shape)} with parts up to {int(table.max())} is given; this layer has "
                f"{list(shape)} and {parts - 1} parts"
            )
        self.table.copy_(table)

    def extra_repr(self) -> str:
        classes, dim = self.own.shape
        return f"in_features={dim}, out_features={classes}"
