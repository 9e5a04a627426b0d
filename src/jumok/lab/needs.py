"""8. What attention needs: heads, positions, projections, residual sums and norms, each taken away in turn."""

from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jumok.lab.drill import Draw, Drills, accuracy
from jumok.lab.figures import PALETTE, canvas, curves, log_places
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.nn.attention import Attention, mix
from jumok.nn.text import Positions, TokenEmbedding, TokenInput, positions_module, rotary_module
from jumok.nn.transformer import FeedForward

TITLE = "What attention needs"
KEYS, VALUES = 16, 8
PAIRS = KEYS * VALUES  # token k * VALUES + v: "under key k stands v"
DIM, HIDDEN = 64, 128
LONGEST = 32  # tokens; more learned positions would be parameters that others have not
Stack = Literal["pre-norm", "post-norm", "no norm", "no residual"]
STACKS: tuple[Stack, ...] = ("pre-norm", "post-norm", "no norm", "no residual")


class BareAttention(nn.Module):
    """``softmax(X X^T / sqrt(D)) X``: queries, keys and values are the inputs themselves."""

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        scores = (x * x.shape[-1] ** -0.5) @ x.transpose(-2, -1)
        return mix(scores[:, None], x[:, None])[:, 0]


class Block(nn.Module):
    """Attention and feed-forward, with or without norm and residual sum."""

    def __init__(self, stack: Stack, attention: nn.Module, hidden: int) -> None:
        super().__init__()
        self.stack = stack
        self.sublayers = nn.ModuleList([attention, FeedForward(DIM, hidden)])
        self.norms = nn.ModuleList([nn.Identity() if stack == "no norm" else nn.LayerNorm(DIM) for _ in range(2)])

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        for sublayer, norm in zip(self.sublayers, self.norms, strict=True):
            if self.stack == "post-norm":
                x = norm(x + sublayer(x))
            elif self.stack == "no residual":
                x = sublayer(norm(x))
            else:
                x = x + sublayer(norm(x))
        return x


class Lookup(nn.Module):
    """Tokens in, attention over all of them, one answer at the last place.

    Without `projections` the feed-forward part is wider by the ``4 D^2`` parameters that they would have had.
    """

    def __init__(
        self,
        vocab: int,
        classes: int,
        *,
        depth: int = 1,
        heads: int = 4,
        positions: Positions = "sinusoidal",
        stack: Stack = "pre-norm",
        projections: bool = True,
    ) -> None:
        super().__init__()
        self.tokens = TokenInput(TokenEmbedding(vocab, DIM), positions_module(positions, DIM, LONGEST), 0.0)
        rotary = rotary_module(positions, DIM, heads)
        hidden = HIDDEN if projections else HIDDEN + 2 * DIM
        self.blocks = nn.ModuleList(
            [
                Block(stack, Attention(DIM, heads, rotary=rotary) if projections else BareAttention(), hidden)
                for _ in range(depth)
            ]
        )
        self.norm = nn.LayerNorm(DIM) if stack == "pre-norm" else nn.Identity()
        self.answer = nn.Linear(DIM, classes)

    def forward(self, tokens: Tensor) -> Float[Tensor, "B C"]:
        x = self.tokens(tokens)
        for block in self.blocks:
            x = block(x)
        answer: Tensor = self.answer(self.norm(x[:, -1]))
        return answer


def draw_dictionary(generator: torch.Generator, batch: int = 64, count: int = 12) -> tuple[Tensor, Tensor]:
    """`count` pairs of a key and its value in any order, then a key; the answer is its value."""
    keys = torch.rand(batch, KEYS, generator=generator).argsort(1)[:, :count]
    values = torch.randint(VALUES, (batch, count), generator=generator)
    asked = torch.randint(count, (batch, 1), generator=generator)
    question = PAIRS + keys.gather(1, asked)
    return torch.cat([keys * VALUES + values, question], 1), values.gather(1, asked)[:, 0]


def draw_two(generator: torch.Generator, batch: int = 64, count: int = 12) -> tuple[Tensor, Tensor]:
    """The same with a question of two keys, written as two tokens; the answer is both values."""
    keys = torch.rand(batch, KEYS, generator=generator).argsort(1)[:, :count]
    values = torch.randint(VALUES, (batch, count), generator=generator)
    asked = torch.rand(batch, count, generator=generator).argsort(1)[:, :2]
    question = PAIRS + keys.gather(1, asked)
    found = values.gather(1, asked)
    return torch.cat([keys * VALUES + values, question], 1), found[:, 0] * VALUES + found[:, 1]


def draw_order(generator: torch.Generator, batch: int = 64, length: int = 16) -> tuple[Tensor, Tensor]:
    """Noise with the tokens 0 and 1 in it, then a question; the answer is whether 0 stands before 1."""
    tokens = torch.randint(3, PAIRS, (batch, length), generator=generator)
    places = torch.rand(batch, length, generator=generator).argsort(1)[:, :2]
    tokens.scatter_(1, places[:, :1], 0).scatter_(1, places[:, 1:], 1)
    return torch.cat([tokens, torch.full((batch, 1), 2)], 1), (places[:, 0] < places[:, 1]).long()


def run(setting: Setting) -> Finding:
    """One part taken away at a time; what is left is trained the same way."""
    # two look-ups at once are learnt ten times slower than one
    steps, slow = setting.pick((600, 3000), (200, 300))
    depths: list[int] = setting.pick([1, 2, 4, 8, 12], [1, 3])
    vocab = PAIRS + KEYS

    def score(draw: Draw, classes: int, seed: int, **options: Any) -> float:
        torch.manual_seed(seed)
        model = Lookup(vocab, classes, **options)
        most, rate = (slow, 4e-3) if "heads" in options else (steps, 2e-3)
        name = ", ".join(f"{key} {value}" for key, value in options.items())
        drills(name, model, draw, steps=most, seed=seed, learning_rate=rate, enough=0.02)
        return accuracy(model, draw, seed=seed, batches=16)

    drills = Drills()
    setting.say("needs: heads")
    # one block: with a second one, what one head cannot do at once is done in turn
    two = partial(draw_two, count=4)
    heads = {n: [score(two, VALUES**2, seed, heads=n) for seed in setting.seeds] for n in (1, 2, 4, 8)}
    setting.say("needs: positions")
    kinds: list[Positions] = setting.pick(["sinusoidal", "learned", "rotary", "none"], ["sinusoidal", "rotary", "none"])
    order = {kind: [score(draw_order, 2, seed, positions=kind, depth=2) for seed in setting.seeds] for kind in kinds}
    setting.say("needs: projections")
    bare = [score(draw_dictionary, VALUES, seed, projections=False) for seed in setting.seeds]
    stacks: dict[str, list[list[float]]] = {}
    for stack in STACKS:
        setting.say(f"needs: depth, {stack}")
        stacks[stack] = [
            [score(draw_dictionary, VALUES, seed, stack=stack, depth=depth) for depth in depths]
            for seed in setting.seeds
        ]
    # with projections it is the shallowest of the pre-norm stacks: trained once
    projections = {"with W_Q, W_K, W_V": [row[0] for row in stacks["pre-norm"]], "Q = K = V = X": bare}
    figure, axes = canvas(1, 3, width=12, height=3.6, sharey=True)
    panels: dict[str, dict[Any, list[float]]] = {
        "heads, two questions": heads,
        "positions, which came first": order,
        "projections": projections,
    }
    chances = (100 / VALUES**2, 50, 100 / VALUES)
    for axis, (title, bars), chance in zip(axes, panels.items(), chances, strict=True):
        axis.axhline(chance, color="grey", linestyle=":", linewidth=1)
        for place, values in enumerate(bars.values()):
            axis.bar(place, sum(values) / len(values), color=PALETTE[place], width=0.6)
            axis.plot([place] * len(values), values, ".", color="black", markersize=4)
        axis.set_xticks(range(len(bars)), [str(name) for name in bars])
        axis.set(title=title, ylim=(0, 104))
    axes[0].set_ylabel("right answers (%)")
    deep, axis = canvas()
    curves(axis, depths, stacks)
    axis.axhline(100 / VALUES, color="grey", linestyle=":", linewidth=1)
    axis.set(xlabel="blocks", ylabel="right answers (%)", ylim=(0, 104))
    log_places(axis, depths)
    axis.legend()

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    last = {stack: mean([row[-1] for row in rows]) for stack, rows in stacks.items()}
    return Finding(
        shows="Two look-ups at once: "
        + ", ".join(f"{mean(v):.0f} % with {n} head{'s' * (n > 1)}" for n, v in heads.items())
        + f". Which of two words came first: {mean(order['none']):.0f} % without positions, "
        f"{mean(order['sinusoidal']):.0f} % with the sinusoids. A look-up by key: {mean(bare):.0f} % "
        f"without projections, {mean(projections['with W_Q, W_K, W_V']):.0f} % with them. {depths[-1]} blocks deep: "
        + ", ".join(f"{value:.0f} % ({stack})" for stack, value in last.items())
        + ".",
        how=f"Width {DIM}, no causal mask, at most {steps} steps of 64 examples, for two at once {slow} (fewer once "
        f"the loss is below 0.02), {len(setting.seeds)} seeds (dots; band: lowest to highest). Look-up: "
        f"12 pairs of a key and one of {VALUES} values, then a key (with projections: the pre-norm stack of one "
        "block); two at once: 4 pairs, one block. "
        "All numbers of heads have the same parameters; what goes without projections has a feed-forward part as much "
        f"wider. {drills}",
        data={"heads": heads, "positions": order, "projections": projections, "depths": depths, "stacks": stacks}
        | {"diverged": drills.diverged},
        drawings={
            "needs": Drawing(
                figure,
                "Right answers with fewer heads of the same parameters together, without positions, and without "
                f"projections (their parameters given to the feed-forward part); mean of {len(setting.seeds)} seeds "
                "(dots); dotted: chance.",
            ),
            "needs_depth": Drawing(
                deep,
                "Right answers of a look-up against depth, with norm before or after the sublayer, without norm, and "
                f"without residual sum; {setting.spread}; dotted: chance.",
            ),
        },
        tables=[drills.table("within each panel, and at each depth, matched in parameters")],
    )
