"""Convolutional encoder and decoder of text (Gehring et al. 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jumok.nn.attention import KeyValue
from jumok.nn.convolution import ConvolutionBlock, MultiStepAttention
from jumok.nn.mask import Mask
from jumok.nn.state import Encoded
from jumok.nn.text import TokenInput


@dataclass
class ConvolutionState:
    """Decoding state: what each block still sees of the past, ``(B, beams, window, D)``, and the memory."""

    windows: list[Float[Tensor, "B beams _window D"]]  # of unequal width where dilated
    memory: KeyValue
    memory_mask: Mask
    position: int = 0

    def reorder(self, parents: Int[Tensor, "B beams"]) -> None:
        place = parents[:, :, None, None]
        self.windows = [window.gather(1, place.expand(-1, -1, *window.shape[2:])) for window in self.windows]

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        self.windows = [window[sentences] for window in self.windows]
        self.memory = KeyValue(*(part[sentences] for part in self.memory))
        if self.memory_mask.lengths is not None:
            self.memory_mask = Mask(self.memory_mask.lengths[sentences])


class ConvolutionEncoder(nn.Module):
    """Token input and a stack of centred blocks; ``values`` are the outputs plus the embeddings, ``z_j + e_j``."""

    def __init__(self, tokens: TokenInput, blocks: Sequence[ConvolutionBlock], dim: int) -> None:
        super().__init__()
        self.tokens, self.blocks, self.norm = tokens, nn.ModuleList(blocks), nn.LayerNorm(dim)

    def forward(self, source: Int[Tensor, "B K"], lengths: Int[Tensor, " B"]) -> Encoded:
        embedded, mask = self.tokens(source), Mask(lengths)
        x = embedded
        for block in self.blocks:
            x = block(x, mask)
        z = self.norm(x)
        return Encoded(z, mask, values=z + embedded)


class ConvolutionDecoderBlock(nn.Module):
    """A causal convolution, then attention to the memory."""

    def __init__(self, convolution: ConvolutionBlock, cross: MultiStepAttention) -> None:
        super().__init__()
        self.convolution, self.cross = convolution, cross


class ConvolutionDecoder(nn.Module):
    """Token input, causal blocks with an attention behind each, and ``logits = x E^T``."""

    def __init__(
        self,
        tokens: TokenInput,
        blocks: Sequence[ConvolutionDecoderBlock],
        output: nn.Linear,
    ) -> None:
        super().__init__()
        self.tokens, self.blocks = tokens, nn.ModuleList(blocks)
        self.norm, self.output = nn.LayerNorm(output.in_features), output

    def forward(self, encoded: Encoded, target: Int[Tensor, "B Q"]) -> Float[Tensor, "B Q D"]:
        """Features that predict the token after each token of `target`, before the vocabulary projection."""
        token = self.tokens(target)
        memory, x = self._memory(encoded), token
        for block in self._blocks():
            x = block.cross(block.convolution(x), token, memory, encoded.mask)
        features: Tensor = self.norm(x)
        return features

    def begin(self, encoded: Encoded, beams: int) -> ConvolutionState:
        features = encoded.features
        sizes = (features.shape[0], beams)
        width = features.shape[2]
        windows = [features.new_zeros(*sizes, block.convolution.window, width) for block in self._blocks()]
        return ConvolutionState(windows, self._memory(encoded), encoded.mask)

    def step(
        self, tokens: Int[Tensor, "rows n"], state: ConvolutionState
    ) -> tuple[Float[Tensor, "rows V"], ConvolutionState]:
        """Read `n` more tokens a beam; logits of the token that follows the last. Rows are sentences x beams."""
        new, beams = tokens.shape[1], state.windows[0].shape[1]
        token = self.tokens(tokens, torch.arange(state.position, state.position + new, device=tokens.device))

        def by_sentence(rows: Tensor) -> Tensor:  # beams stand in the query dimension: (B, beams * n, D)
            return rows.reshape(-1, beams * new, rows.shape[-1])

        x = token
        for number, block in enumerate(self._blocks()):
            x, window = block.convolution.step(x, state.windows[number].flatten(0, 1))
            state.windows[number] = window.view(len(window) // beams, beams, *window.shape[1:])
            attended = block.cross(by_sentence(x), by_sentence(token), state.memory, state.memory_mask)
            x = attended.reshape(x.shape)
        state.position += new
        return self.output(self.norm(x[:, -1])), state

    def _memory(self, encoded: Encoded) -> KeyValue:
        values = encoded.features if encoded.values is None else encoded.values
        return KeyValue(encoded.features[:, None], values[:, None])

    def _blocks(self) -> Sequence[ConvolutionDecoderBlock]:
        return [block for block in self.blocks if isinstance(block, ConvolutionDecoderBlock)]
