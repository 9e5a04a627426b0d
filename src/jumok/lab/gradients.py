"""2. Vanishing gradients: how much of the loss reaches the token t steps ago, and does it ask what stood there?"""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from jumok.lab.drill import Drills, accuracy
from jumok.lab.figures import canvas, curves
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.lab.readers import LABELS, Kind, Reader, matched

TITLE = "Vanishing gradients"
CUES, NOISE = 8, 16
VOCAB = CUES + NOISE
BUDGET = 20_000
BATCH = 64


def draw_cue(length: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise with one cue at a random place; the answer is the cue. `cue_places` finds it again."""
    tokens = torch.randint(CUES, VOCAB, (batch, length), generator=generator)
    cue = torch.randint(CUES, (batch,), generator=generator)
    tokens[torch.arange(batch), torch.randint(length, (batch,), generator=generator)] = cue
    return tokens, cue


def cue_places(tokens: Int[Tensor, "B N"]) -> Int[Tensor, " B"]:
    """Where the cue of each row stands."""
    return (tokens < CUES).int().argmax(1)


def input_gradients(model: Reader, tokens: Int[Tensor, "B N"], labels: Int[Tensor, " B"]) -> Float[Tensor, "B N"]:
    """``|d loss_b / d x_bt|``: the norm of each example's loss's gradient with regard to each embedded input."""
    x = model.tokens(tokens).detach().requires_grad_()
    loss = F.cross_entropy(model.answer(model.features(x)[:, -1]), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    norms: Tensor = torch.linalg.vector_norm(gradient, dim=-1)
    return norms


def shares(norms: Float[Tensor, "B N"]) -> Float[Tensor, "B N"]:
    """``s_bt = |d loss_b / d x_bt| / sum_u |d loss_b / d x_bu|``: each example counts the same, however large its loss.

    NaN for an example that no gradient reaches at all.
    """
    return norms / norms.sum(1, keepdim=True)


def by_distance(values: Float[Tensor, "B N"]) -> list[float]:
    """The mean over examples (those with a share), at distance 0 (the last token), 1, 2, ..."""
    return [float(value) for value in values.nanmean(0).flip(0)]


def cue_against_noise(values: Float[Tensor, "B N"], places: Int[Tensor, " B"]) -> tuple[list[float], list[float]]:
    """At each distance, the mean over the examples whose cue stands there, and over those where noise does.

    NaN where no example has its cue.
    """
    is_cue = torch.zeros_like(values, dtype=torch.bool)
    is_cue[torch.arange(len(places)), places] = True

    def mean(chosen: Tensor) -> list[float]:
        return [float(value) for value in torch.where(chosen, values, math.nan).nanmean(0).flip(0)]

    return mean(is_cue), mean(~is_cue)


def run(setting: Setting) -> Finding:
    """Gradients of fresh models, of trained ones, and in these at cues and at noise apart."""
    length: int = setting.pick(60, 30)
    kinds: list[Kind] = setting.pick(["tanh", "lstm", "gru", "transformer"], ["tanh", "lstm", "transformer"])
    steps = setting.pick(800, 250)
    fresh: dict[str, list[list[float]]] = {}
    trained: dict[str, list[list[float]]] = {}
    cue: dict[str, list[list[float]]] = {}
    noise: dict[str, list[list[float]]] = {}
    right: dict[str, list[float]] = {}
    drills = Drills()

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return draw_cue(length, BATCH, generator)

    for kind in kinds:
        setting.say(f"gradients: {LABELS[kind]}")
        name = LABELS[kind]
        for seed in setting.seeds:
            torch.manual_seed(seed)
            model = matched(kind, VOCAB, CUES, BUDGET)
            tokens, labels = draw_cue(length, 16 * length, torch.Generator().manual_seed(2**32 + seed))
            fresh.setdefault(name, []).append(by_distance(shares(input_gradients(model, tokens, labels))))
            drills(name, model, draw, steps=steps, seed=seed)
            share = shares(input_gradients(model, tokens, labels))
            trained.setdefault(name, []).append(by_distance(share))
            at_cue, at_noise = cue_against_noise(share, cue_places(tokens))
            cue.setdefault(name, []).append(at_cue)
            noise.setdefault(name, []).append(at_noise)
            right.setdefault(name, []).append(accuracy(model, draw, seed=seed))
    distances = list(range(length))
    figure, axes = canvas(1, 2, width=11, sharey=True)
    for axis, lines, title in zip(axes, (fresh, trained), ("before training", "after training"), strict=True):
        curves(axis, distances, lines)
        axis.set(yscale="log", xlabel="distance from the end (steps)", title=title)
    axes[0].set_ylabel("share of |d loss / d input|")
    axes[1].legend()
    meaning, axes = canvas(1, len(kinds), width=3.4 * len(kinds), height=3.6, sharey=True)
    for axis, name in zip(axes, cue, strict=True):
        curves(axis, distances, {"the cue": cue[name], "noise": noise[name]})
        axis.set(yscale="log", xlabel="distance (steps)", title=name)
    axes[0].set_ylabel("share of |d loss / d input|")
    axes[-1].legend()
    data: dict[str, Any] = {"distances": distances, "before": fresh, "after": trained, "cue": cue, "noise": noise}
    return Finding(
        shows=_sentence(fresh, cue, noise),
        how=f"Norm of the gradient of one example's loss with regard to each embedded input, as a share of the sum "
        f"over the inputs of that example (so that one with a large loss counts no more than another), mean over "
        f"{16 * length} new examples of {length} tokens; the answer is the one cue among noise; {steps} steps of "
        f"{BATCH} examples, {len(setting.seeds)} seeds (band: lowest to highest), models matched in parameters. "
        f"After training right: {', '.join(f'{name} {sum(v) / len(v):.0f} %' for name, v in right.items())}. {drills}",
        data=data | {"accuracy": right},
        drawings={
            "gradients": Drawing(
                figure,
                "How much of an example's loss reaches the input t steps before the end, before and after training: "
                f"the gradient's norm there over the sum of its norms in the same example; {setting.spread}.",
            ),
            "gradients_cue": Drawing(
                meaning,
                "Position or meaning? After training, the gradient to a cue and to noise that stands as far away, each "
                f"as a share of its own example's; {setting.spread}.",
            ),
        },
        tables=[drills.table("matched in parameters, trained on the same examples")],
    )


def _sentence(
    fresh: dict[str, list[list[float]]], cue: dict[str, list[list[float]]], noise: dict[str, list[list[float]]]
) -> str:
    parts = []
    for name, values in fresh.items():
        start = torch.tensor(values).mean(0)
        drop = float(start[-1] / start[0])
        far = slice(len(start) // 2, None)
        contrast = torch.tensor(cue[name])[:, far].nanmean() / torch.tensor(noise[name])[:, far].nanmean()
        parts.append(f"{name} {drop:.1e} and {float(contrast):.1f} times")
    return (
        "Share of the last token's gradient that the first one gets before training, and how much more a far cue gets "
        "than noise at the same distance after it: " + "; ".join(parts) + "."
    )
