"""Small models that read a sequence and answer at its end: the rivals of the synthetic experiments."""

from collections.abc import Callable
from typing import Literal, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jumok.nn.convolution import ConvolutionBlock
from jumok.nn.mask import Mask
from jumok.nn.position import NoPositions
from jumok.nn.recurrent import RecurrentStack
from jumok.nn.text import Positions, TokenEmbedding, TokenInput, positions_module
from jumok.nn.transformer import EncoderBlock, Norm

Kind = Literal["tanh", "relu", "gelu", "lstm", "gru", "convolution", "transformer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# as they are called in figures
LABELS: dict[Kind, str] = {
    "tanh": "RNN (tanh)",
    "relu": "RNN (ReLU)",
    "gelu": "RNN (GELU)",
    "lstm": "LSTM",
    "gru": "GRU",
    "convolution": "dilated convolution",
    "transformer": "Transformer",
}
HEADS = 4


class RecurrentBody(nn.Module):
    """Recurrent layers: each output from the inputs up to its own."""

    def __init__(self, stack: RecurrentStack) -> None:
        super().__init__()
        self.stack = stack

    def layers(self, x: Float[Tensor, "B N D"]) -> list[Float[Tensor, "B N D"]]:
        outputs = []
        for layer in self.stack.each():
            x = layer(x)[0]
            outputs.append(x)
        return outputs


class AttentionBody(nn.Module):
    """Encoder blocks under a causal mask."""

    def __init__(self, dim: int, depth: int, heads: int, norm: Norm) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([EncoderBlock(dim, heads, 2 * dim, dropout=0.0, norm=norm) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim) if norm == "pre" else nn.Identity()

    def layers(self, x: Float[Tensor, "B N D"]) -> list[Float[Tensor, "B N D"]]:
        mask, outputs = Mask(causal=True), []
        for block in self.blocks:
            x = block(x, mask)
            outputs.append(x)
        return [*outputs[:-1], self.norm(outputs[-1])]


class ConvolutionBody(nn.Module):
    """Causal blocks whose dilation doubles: 1, 2, 4 ..., so that `depth` of them see ``2^(depth+1) - 1`` tokens."""

    @staticmethod
    def depth_to_see(tokens: int) -> int:
        """The fewest blocks that see so many tokens: ``2^(depth+1) - 1 >= tokens``."""
        return max(1, tokens.bit_length() - 1)

    def __init__(self, dim: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [ConvolutionBlock(dim, 3, 2**number, gate="glu", causal=True, dropout=0.0) for number in range(depth)]
        )

    def each(self) -> list[ConvolutionBlock]:
        """The blocks, the nearest to the input first."""
        return cast("list[ConvolutionBlock]", list(self.blocks))

    def layers(self, x: Float[Tensor, "B N D"]) -> list[Float[Tensor, "B N D"]]:
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs


class Reader(nn.Module):
    """Tokens in, one answer after the last: embedding, a body that never looks ahead, and ``logits = W h_N + b``."""

    def __init__(
        self,
        kind: Kind,
        vocab: int,
        classes: int,
        dim: int,
        *,
        depth: int = 1,
        heads: int = HEADS,
        positions: Positions = "sinusoidal",
        norm: Norm = "pre",
    ) -> None:
        super().__init__()
        self.kind = kind
        attention = kind == "transformer"
        enters = positions_module(positions, dim, 1024) if attention else NoPositions(dim)
        self.tokens = TokenInput(TokenEmbedding(vocab, dim), enters, 0.0)
        self.body: RecurrentBody | AttentionBody | ConvolutionBody
        if kind == "transformer":
            self.body = AttentionBody(dim, depth, heads, norm)
        elif kind == "convolution":
            self.body = ConvolutionBody(dim, depth)
        else:
            self.body = RecurrentBody(RecurrentStack(kind, dim, dim, depth))
        self.answer = nn.Linear(dim, classes)

    @property
    def receptive_field(self) -> int | None:
        """How many tokens, its own counted, an output depends on; None: on all up to its own."""
        if isinstance(self.body, ConvolutionBody):
            return 1 + sum(block.window for block in self.body.each())
        return None

    def features(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """What stands at each place after reading the embedded tokens up to it."""
        return self.body.layers(x)[-1]

    def layers(self, tokens: Int[Tensor, "B N"]) -> list[Float[Tensor, "B N D"]]:
        """The embedded tokens, and the outputs of each layer."""
        x = self.tokens(tokens)
        return [x, *self.body.layers(x)]

    def forward(self, tokens: Int[Tensor, "B N"]) -> Float[Tensor, "B C"]:
        answer: Tensor = self.answer(self.features(self.tokens(tokens))[:, -1])
        return answer


def parameters(model: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


def nearest_width(size: Callable[[int], int], budget: int, grain: int) -> int:
    """The multiple of `grain` whose ``size(width)``, which grows with it, is nearest to `budget`.

    Raises ValueError if none comes within 10 % of it.
    """
    low, high = grain, grain
    while size(high) < budget:
        low, high = high, 2 * high
    while high - low > grain:
        middle = (low + high) // 2 // grain * grain
        low, high = (middle, high) if size(middle) < budget else (low, middle)
    best = min((low, high), key=lambda width: abs(size(width) - budget))
    if abs(size(best) - budget) > 0.1 * budget:
        raise ValueError(f"no width gives about {budget:,} parameters; the nearest, {best}, gives {size(best):,}")
    return best


def matched(kind: Kind, vocab: int, classes: int, budget: int, *, depth: int = 1) -> Reader:
    """The reader of this kind whose width brings its parameters nearest to `budget`.

    Raises ValueError if none comes within 10 % of it.
    """

    def size(dim: int) -> int:
        with torch.device("meta"):
            return parameters(Reader(kind, vocab, classes, dim, depth=depth))

    width = nearest_width(size, budget, HEADS if kind == "transformer" else 2)
    return Reader(kind, vocab, classes, width, depth=depth)
