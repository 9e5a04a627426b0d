"""Recurrent layers: h_t from x_t and h_{t-1}, as plain RNN, LSTM or GRU; whole sequences at once, or step by step."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from jumok.nn.dropout import Dropout

Cell = Literal["tanh", "relu", "gelu", "lstm", "gru"]

# Of what a cell carries from step to step: h, and for an LSTM c. A state is (parts, ..., D), h first.
PARTS: dict[Cell, int] = {"tanh": 1, "relu": 1, "gelu": 1, "lstm": 2, "gru": 1}
ACTIVATIONS: dict[Cell, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": F.relu, "gelu": F.gelu}


def plain_step(
    cell: Cell, projected: Float[Tensor, "*rows D"], recurrent: Float[Tensor, "*rows D"]
) -> Float[Tensor, "1 *rows D"]:
    """``h_t = act(W x_t + U h_{t-1} + b)`` (Elman 1990); `projected` is ``W x_t + b``, `recurrent` ``U h_{t-1}``."""
    return ACTIVATIONS[cell](projected + recurrent)[None]


def lstm_gates(
    projected: Float[Tensor, "*rows gates"], recurrent: Float[Tensor, "*rows gates"]
) -> tuple[Float[Tensor, "*rows D"], ...]:
    """Input gate ``i``, forget gate ``f``, candidate ``g``, output gate ``o`` of an LSTM."""
    i, f, g, o = (projected + recurrent).chunk(4, dim=-1)
    return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()


def lstm_step(
    projected: Float[Tensor, "*rows gates"], recurrent: Float[Tensor, "*rows gates"], state: Float[Tensor, "2 *rows D"]
) -> Float[Tensor, "2 *rows D"]:
    """``c_t = f c_{t-1} + i g``, ``h_t = o tanh(c_t)`` (Hochreiter and Schmidhuber 1997; forget gate: Gers 2000)."""
    i, f, g, o = lstm_gates(projected, recurrent)
    c = torch.addcmul(f * state[1], i, g)
    return torch.stack([o * c.tanh(), c])


def gru_step(
    projected: Float[Tensor, "*rows gates"], recurrent: Float[Tensor, "*rows gates"], state: Float[Tensor, "1 *rows D"]
) -> Float[Tensor, "1 *rows D"]:
    """``h_t = (1 - z) n + z h_{t-1}``, ``n = tanh(W x + r (U h))`` with gates r, z (Cho et al. 2014, section 2.3).

    As in cuDNN and PyTorch the reset gate acts after the product with U, and z keeps the old state.
    """
    gates, candidate = torch.split(projected, [2 * state.shape[-1], state.shape[-1]], dim=-1)
    old_gates, old_candidate = torch.split(recurrent, [2 * state.shape[-1], state.shape[-1]], dim=-1)
    r, z = (gates + old_gates).sigmoid().chunk(2, dim=-1)
    n = torch.addcmul(candidate, r, old_candidate).tanh()
    return torch.addcmul(n, z, state[0] - n)[None]  # under autocast lerp would refuse the state in fp32


class RecurrentLayer(nn.Module):
    """One recurrent layer ``(B, N, input_dim) -> (B, N, D)``, in one direction or in both (each of width D/2).

    Whole sequences run on PyTorch's own kernels, packed, so that padding changes nothing; GELU, which has no kernel,
    runs step by step. The weights are those of `torch.nn.LSTM`, `GRU` or `RNN`.
    """

    def __init__(self, cell: Cell, input_dim: int, dim: int, directions: Literal[1, 2] = 1) -> None:
        super().__init__()
        if dim % directions:
            raise ValueError(f"dim={dim} is not a multiple of directions={directions}")
        self.cell, self.dim, self.directions = cell, dim, directions
        sizes = (input_dim, dim // directions)
        both = directions == 2
        self.kernel: nn.RNNBase
        if cell == "lstm":
            self.kernel = nn.LSTM(*sizes, batch_first=True, bidirectional=both)
        elif cell == "gru":
            self.kernel = nn.GRU(*sizes, batch_first=True, bidirectional=both)
        else:
            kind = "relu" if cell == "relu" else "tanh"
            self.kernel = nn.RNN(*sizes, nonlinearity=kind, batch_first=True, bidirectional=both)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot for W, orthogonal U for each gate (Saxe 2014), biases 0 but an LSTM's forget gate at 1 (Gers 2000)."""
        for name, parameter in self.kernel.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
                if self.cell == "lstm" and name.startswith("bias_ih"):
                    width = parameter.shape[0] // 4
                    nn.init.ones_(parameter.data[width : 2 * width])
                continue
            width = self.dim // self.directions
            for gate in torch.split(parameter.data, width):
                nn.init.orthogonal_(gate) if name.startswith("weight_hh") else nn.init.xavier_uniform_(gate)

    @property
    def parts(self) -> int:
        return PARTS[self.cell]

    def forward(
        self,
        x: Float[Tensor, "B N I"],
        lengths: Int[Tensor, " B"] | None = None,
        state: Float[Tensor, "parts B D"] | None = None,
    ) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "parts B D"]]:
        """Outputs, zero where there is padding, and the state after each row's last real step.

        Args:
            lengths: real steps of each row, at least 1; None when all are.
            state: the state before the first step; zeros by default. With two directions the halves are theirs.
        """
        if self.cell == "gelu":
            return self._open(x, lengths, state)
        initial = None if state is None else self._to_kernel(state)
        if lengths is None:
            y, final = self.kernel(x, initial)
        else:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            out, final = self.kernel(packed, initial)
            y, _ = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
        finals = torch.stack(final) if isinstance(final, tuple) else final[None]  # (parts, directions, B, D/directions)
        return y, finals.transpose(1, 2).flatten(2)

    @property
    def gates(self) -> int:
        """Width of what `step` takes: the number of gates times D."""
        return self._weight("weight_ih").shape[0]

    def project(self, x: Float[Tensor, "*rows I"]) -> Float[Tensor, "*rows gates"]:
        """``W x + b``: the part of a step that does not wait for the step before it."""
        return F.linear(x, self._weight("weight_ih"), self._weight("bias_ih"))

    def step(
        self, projected: Float[Tensor, "*rows gates"], state: Float[Tensor, "parts *rows D"]
    ) -> Float[Tensor, "parts *rows D"]:
        """The state after one step of one direction; ``state[0]`` is the output."""
        return self._step(projected, self.recur(state[0]), state)

    def recur(self, h: Float[Tensor, "*rows D"], suffix: str = "") -> Float[Tensor, "*rows gates"]:
        """``U h + b'``: the part of a step that waits for the step before it."""
        return F.linear(h, self._weight("weight_hh", suffix), self._weight("bias_hh", suffix))

    def _weight(self, name: str, suffix: str = "") -> Tensor:
        return self.kernel.get_parameter(f"{name}_l0{suffix}")

    def _step(self, projected: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
        if self.cell == "lstm":
            return lstm_step(projected, recurrent, state)
        if self.cell == "gru":
            return gru_step(projected, recurrent, state)
        # fp32 under autocast, as the gated cells' states are by themselves
        return plain_step(self.cell, projected, recurrent).to(state.dtype)

    def _to_kernel(self, state: Tensor) -> Tensor | tuple[Tensor, ...]:
        parts = state.view(*state.shape[:2], self.directions, -1).transpose(1, 2).contiguous()
        return tuple(parts.unbind(0)) if self.parts == 2 else parts[0]

    def _open(self, x: Tensor, lengths: Tensor | None, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Step by step, for cells without a kernel."""
        rows, steps = x.shape[:2]
        if lengths is None:
            lengths = torch.full((rows,), steps, device=x.device)
        if state is None:
            state = x.new_zeros(self.parts, rows, self.dim)
        halves = state.chunk(self.directions, dim=-1)
        forward = self._run(x, lengths, halves[0], "")
        if self.directions == 1:
            return forward
        backward, final = self._run(reversed_rows(x, lengths), lengths, halves[1], "_reverse")
        y = torch.cat([forward[0], reversed_rows(backward, lengths)], dim=-1)
        return y, torch.cat([forward[1], final], dim=-1)

    def _run(self, x: Tensor, lengths: Tensor, state: Tensor, suffix: str) -> tuple[Tensor, Tensor]:
        projected = F.linear(x, self._weight("weight_ih", suffix), self._weight("bias_ih", suffix))
        outputs = []
        for t in range(x.shape[1]):
            real = (t < lengths)[:, None]
            new = self._step(projected[:, t], self.recur(state[0], suffix), state)
            state = torch.where(real, new, state)
            outputs.append(new[0] * real)
        return torch.stack(outputs, dim=1), state


class RecurrentStack(nn.Module):
    """Recurrent layers over one another, dropout on the input of each; with `residual`, ``y = x + layer(x)`` from
    the second layer on (Wu et al. 2016, section 3.1).

    A state is ``(depth, parts, B, D)``.
    """

    def __init__(
        self,
        cell: Cell,
        input_dim: int,
        dim: int,
        depth: int,
        *,
        directions: Literal[1, 2] = 1,
        dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [RecurrentLayer(cell, dim if number else input_dim, dim, directions) for number in range(depth)]
        )
        self.drop, self.residual = Dropout(dropout), residual

    def each(self) -> Sequence[RecurrentLayer]:
        """The layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]

    def forward(
        self,
        x: Float[Tensor, "B N I"],
        lengths: Int[Tensor, " B"] | None = None,
        state: Float[Tensor, "depth parts B D"] | None = None,
    ) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "depth parts B D"]]:
        """Outputs of the last layer, and the states of all layers after each row's last real step."""
        finals = []
        for number, layer in enumerate(self.each()):
            y, final = layer(self.drop(x), lengths, None if state is None else state[number])
            x = x + y if self.residual and number else y
            finals.append(final)
        return x, torch.stack(finals)

    def project(self, x: Float[Tensor, "*rows I"]) -> Float[Tensor, "*rows gates"]:
        """The first layer's ``W x + b``, of as many steps as there are inputs."""
        return self.each()[0].project(self.drop(x))

    def step(
        self, projected: Float[Tensor, "*rows gates"], state: Float[Tensor, "depth parts *rows D"]
    ) -> tuple[Float[Tensor, "*rows D"], Float[Tensor, "depth parts *rows D"]]:
        """One step of every layer; `projected` is the first layer's ``W x + b``, its `x` from `project`."""
        first, *others = self.each()
        states = [first.step(projected, state[0])]
        x = states[0][0]
        for number, layer in enumerate(others, start=1):
            states.append(layer.step(layer.project(self.drop(x)), state[number]))
            y = states[-1][0]
            x = x + y if self.residual else y
        return x, torch.stack(states)


def reversed_rows(x: Tensor, lengths: Int[Tensor, " B"]) -> Tensor:
    """Each row of ``x (B, N, ...)`` backwards within its length; padding stays where it is. Its own inverse."""
    place = torch.arange(x.shape[1], device=x.device)
    index = torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)
    return x[torch.arange(x.shape[0], device=x.device)[:, None], index]
