"""The recurrent decoder of Show, Attend and Tell (Xu et al. 2015): writes while it looks about in an image."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jumok.nn.alignment import Additive
from jumok.nn.dropout import Dropout
from jumok.nn.recurrent import RecurrentStack
from jumok.nn.recurrent_text import RecurrentDecoder, RecurrentState
from jumok.nn.state import Encoded
from jumok.nn.text import TokenInput


class DeepOutput(nn.Module):
    """``E y_{t-1} + L_h h_t + L_z z_t``, which the output layer ``L_o`` turns into logits (equation 7)."""

    def __init__(self, dim: int, memory_dim: int) -> None:
        super().__init__()
        self.state, self.context = nn.Linear(dim, dim), nn.Linear(memory_dim, dim, bias=False)

    def forward(self, state: Tensor, token: Tensor, context: Tensor) -> Tensor:
        together: Tensor = token + self.state(state) + self.context(context)
        return together


class FirstState(nn.Module):
    """``c_0 = f_c(mean_i a_i)``, ``h_0 = f_h(mean_i a_i)`` of each layer (section 3.1.2), each f linear, then tanh."""

    def __init__(self, memory_dim: int, depth: int, parts: int, dim: int) -> None:
        super().__init__()
        self.shape = (depth, parts, dim)
        self.linear = nn.Linear(memory_dim, depth * parts * dim)

    def forward(self, encoded: Encoded) -> Float[Tensor, "depth parts B D"]:
        real = encoded.mask.allowed(1, encoded.features.shape[1], encoded.features.device)
        if real is None:
            mean = encoded.features.mean(1)
        else:
            shares = real[:, 0, 0].to(encoded.features.dtype)
            mean = (shares[:, None] @ encoded.features)[:, 0] / shares.sum(1, keepdim=True).clamp(min=1)
        states: Tensor = self.linear(mean).tanh().unflatten(1, self.shape)
        return states.permute(1, 2, 0, 3)


class LookingDecoder(RecurrentDecoder):
    """``h_t = LSTM(E y_{t-1}, h_{t-1}, z_t)``: the soft attention of Show, Attend and Tell.

    ``z_t = beta_t sum_i alpha_ti a_i``: what ``h_{t-1}`` attends to, additively, through the gate
    ``beta_t = sigma(f_beta(h_{t-1}))``, which says how much of the image the next word needs (section 4.2.1). It starts
    from the mean of the annotations and ends in a deep output. The paper's penalty for parts that are never looked at
    is not part of it.
    """

    def __init__(
        self,
        tokens: TokenInput,
        stack: RecurrentStack,
        output: nn.Linear,
        *,
        memory_dim: int,
        cross: Additive,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(tokens, stack, output)
        layer = stack.each()[0]
        self.cross, self.drop = cross, Dropout(dropout)
        self.start = FirstState(memory_dim, len(stack.each()), layer.parts, layer.dim)
        self.gate = nn.Linear(layer.dim, 1)
        self.feed = nn.Linear(memory_dim, layer.gates, bias=False)  # the context's part of the step
        self.readout = DeepOutput(layer.dim, memory_dim)

    def begin(self, encoded: Encoded, beams: int) -> RecurrentState:
        """The state before the first token, of any encoder's features: it needs no final state."""
        state = super().begin(replace(encoded, final=self.start(encoded)), beams)
        state.keys = self.cross.project(encoded.features)
        return state

    def advance(self, x: Tensor, projected: Tensor, state: RecurrentState) -> Tensor:
        assert state.keys is not None
        before = state.hidden[-1, 0]
        context = torch.sigmoid(self.gate(before)) * self.cross(before, state.keys, state.mask)
        y, state.hidden = self.stack.step(projected + self.feed(context), state.hidden)
        features: Tensor = self.drop(self.readout(y, x, context))
        return features
