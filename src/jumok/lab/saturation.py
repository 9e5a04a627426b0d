"""3. Saturation and divergence: what a recurrent state does over time, and what is left in it of the first word."""

from collections.abc import Callable
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from jumok.lab.drill import Drills, accuracy
from jumok.lab.figures import PALETTE, canvas, curves
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.lab.memory import BUDGET, CUES, VOCAB, draw_recall
from jumok.lab.readers import LABELS, Kind, Reader, RecurrentBody, matched
from jumok.nn.recurrent import Cell, RecurrentLayer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Saturation and divergence"
SATURATED = 2.0  # tanh(2) = 0.96: its slope there is 0.07


def scaled(layer: RecurrentLayer, radius: float) -> None:
    """Scale U so that its spectral radius, the largest absolute eigenvalue, is `radius`."""
    with torch.no_grad():
        weight = layer.kernel.get_parameter("weight_hh_l0")
        weight.mul_(radius / float(torch.linalg.eigvals(weight.double()).abs().max()))


def run_states(
    layer: RecurrentLayer, x: Float[Tensor, "B N I"]
) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "B N D"]]:
    """Pre-activations ``W x_t + U h_{t-1} + b`` and states ``h_t`` of a plain layer, step by step."""
    state = x.new_zeros(layer.parts, x.shape[0], layer.dim)
    projected, before, after = layer.project(x), [], []
    for t in range(x.shape[1]):
        before.append(projected[:, t] + layer.recur(state[0]))
        state = layer.step(projected[:, t], state)
        after.append(state[0])
    return torch.stack(before, 1), torch.stack(after, 1)


def probe(
    states: Float[Tensor, "B D"], labels: Int[Tensor, " B"], classes: int, fitted: int, ridge: float = 1e-3
) -> float:
    """Share (0-100) of labels that a linear map reads from states: fitted on the first `fitted` of them by ridge
    regression, scored on the others. ``W = (X^T X + ridge n I)^-1 X^T Y`` with one-hot Y and a constant input.
    """
    x = torch.cat([(states - states.mean(0)) / states.std(0).clamp_min(1e-6), torch.ones(len(states), 1)], 1).double()
    y = torch.nn.functional.one_hot(labels, classes).double()
    known, asked = x[:fitted], x[fitted:]
    gram = known.T @ known + ridge * fitted * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, known.T @ y[:fitted])
    return 100.0 * float(((asked @ weights).argmax(1) == labels[fitted:]).double().mean())


def run(setting: Setting) -> Finding:
    """Histograms of a trained tanh cell, growth of ReLU and GELU cells, and a probe of the first token."""
    figures = {}
    steps, distance = setting.pick(600, 120), 20
    drills = Drills()
    shares, figures["saturation"] = _saturation(setting, distance, steps, drills)
    growth, figures["divergence"] = _divergence(setting)
    probes, figures["first_word"] = _first_word(setting, distance, steps, drills)
    data = {"saturated": shares, "norms": growth, "probe": probes}
    last = {name: fmean(seed[-1] for seed in values) for name, values in probes["accuracy"].items()}
    ends = {name: fmean(seed[-1] for seed in values) for name, values in growth["norms"].items()}
    worst = max(ends, key=lambda name: ends[name])
    return Finding(
        shows=f"After training {fmean(shares['after']):.0f} % of the tanh cell's pre-activations lie beyond "
        f"{SATURATED:g}, where its slope is below 0.08 ({fmean(shares['before']):.0f} % before). {worst} ends at |h| = "
        f"{ends[worst]:.1e}. The first word is still read from the state after {distance} steps in "
        + ", ".join(f"{value:.0f} % ({name})" for name, value in last.items())
        + ".",
        how=f"Cells of about {BUDGET} parameters trained to recall a cue over {distance} steps ({steps} steps of 32 "
        "examples); growth from fresh cells with U scaled to the spectral radius named, fed random tokens; the probe "
        f"is linear, fitted on one half of 2,000 new sequences and scored on the other. {len(setting.seeds)} seeds: "
        "histograms of all together, bands from lowest to highest. Right after training: "
        f"{', '.join(f'{name} {fmean(values):.0f} %' for name, values in probes['right'].items())}. {drills}",
        data=data,
        drawings={
            "saturation": Drawing(
                figures["saturation"],
                f"Histogram of the tanh cell's pre-activations at each step, 256 sequences of each of "
                f"{len(setting.seeds)} seeds, before and after training; dotted: ±{SATURATED:g}.",
            ),
            "divergence": Drawing(
                figures["divergence"],
                "|h_t| of fresh cells fed random inputs, their recurrent weights scaled to a spectral radius; "
                f"{setting.spread}.",
            ),
            "first_word": Drawing(
                figures["first_word"],
                f"How blurred the first word becomes: what a linear probe still reads of it from h_t; "
                f"{setting.spread}; dotted: chance.",
            ),
        },
        tables=[drills.table("matched in parameters, trained on the same examples")],
    )


def _layer(model: Reader) -> RecurrentLayer:
    assert isinstance(model.body, RecurrentBody)
    return model.body.stack.each()[0]


def _recall(distance: int) -> Callable[[torch.Generator], tuple[Tensor, Tensor]]:
    return lambda generator: draw_recall(distance, 32, generator)


def _saturation(setting: Setting, distance: int, steps: int, drills: Drills) -> "tuple[dict[str, list[float]], Figure]":
    tokens, _ = draw_recall(distance, 256, torch.Generator().manual_seed(7))
    seen: dict[str, list[Tensor]] = {"before": [], "after": []}
    for seed in setting.seeds:
        torch.manual_seed(seed)
        model = matched("tanh", VOCAB, CUES, BUDGET)
        for when, kept in seen.items():
            if when == "after":
                drills(f"{LABELS['tanh']}, histogram", model, _recall(distance), steps=steps, seed=seed)
            with torch.no_grad():
                kept.append(run_states(_layer(model), model.tokens(tokens))[0])
    shares = {when: [100.0 * float((x.abs() > SATURATED).double().mean()) for x in each] for when, each in seen.items()}
    figure, axes = canvas(1, 2, width=11, sharey=True)
    for axis, (when, each) in zip(axes, seen.items(), strict=True):
        inputs = torch.cat(each)
        density = torch.stack([torch.histc(inputs[:, t], 60, -6, 6) for t in range(inputs.shape[1])], 1)
        axis.imshow(
            (density / density.sum(0)).numpy(),
            origin="lower",
            aspect="auto",
            extent=(0, inputs.shape[1], -6, 6),
            cmap="viridis",
        )
        axis.grid(visible=False)
        axis.axhline(SATURATED, color="white", linewidth=0.8, linestyle=":")
        axis.axhline(-SATURATED, color="white", linewidth=0.8, linestyle=":")
        axis.set(xlabel="step", title=f"{when} training: {fmean(shares[when]):.0f} % saturated")
    axes[0].set_ylabel("pre-activation of tanh")
    return shares, figure


def _divergence(setting: Setting) -> "tuple[dict[str, Any], Figure]":
    length = setting.pick(100, 60)
    radii = (0.8, 1.0, 1.2, 1.5)
    norms: dict[str, list[list[float]]] = {}
    figure, axis = canvas()
    cells: tuple[Cell, ...] = ("tanh", "relu", "gelu")
    for number, (cell, style) in enumerate(zip(cells, ("-", "--", ":"), strict=True)):
        for shade, radius in enumerate(radii):
            name = f"{cell}, radius {radius:g}"
            norms[name] = [_growth(cell, radius, length, seed) for seed in setting.seeds]
            each = torch.tensor(norms[name])
            axis.plot(each.mean(0), style, color=PALETTE[number], alpha=0.3 + 0.2 * shade, label=name)
            low, high = each.amin(0), each.amax(0)
            axis.fill_between(range(length), low, high, color=PALETTE[number], alpha=0.12, linewidth=0)
    axis.set(yscale="log", xlabel="step", ylabel="|h|, mean of 32 sequences")
    axis.legend(fontsize=7, ncols=3)
    return {"steps": length, "norms": norms}, figure


@torch.no_grad()
def _growth(cell: Cell, radius: float, length: int, seed: int) -> list[float]:
    """``|h_t|`` of a fresh cell, the mean of 32 random sequences."""
    torch.manual_seed(seed)
    layer = RecurrentLayer(cell, 16, 64)
    scaled(layer, radius)
    _, states = run_states(layer, torch.randn(32, length, 16))
    return [float(value) for value in states.norm(dim=-1).mean(0)]


def _first_word(setting: Setting, distance: int, steps: int, drills: Drills) -> "tuple[dict[str, Any], Figure]":
    kinds: list[Kind] = ["tanh", "relu", "lstm", "gru"]
    places = sorted({1, 2, 5, 10, 15, 20, 30, 40, distance} & set(range(1, distance + 1)))
    found: dict[str, list[list[float]]] = {}
    right: dict[str, list[float]] = {}
    for kind in kinds:
        setting.say(f"saturation: {LABELS[kind]}")
        for seed in setting.seeds:
            torch.manual_seed(seed)
            model = matched(kind, VOCAB, CUES, BUDGET)
            drills(LABELS[kind], model, _recall(distance), steps=steps, seed=seed)
            right.setdefault(LABELS[kind], []).append(accuracy(model, _recall(distance), seed=seed))
            tokens, cue = draw_recall(distance, 2000, torch.Generator().manual_seed(2**32 + seed))
            with torch.no_grad():
                states = model.features(model.tokens(tokens))
            found.setdefault(LABELS[kind], []).append([probe(states[:, t], cue, CUES, len(cue) // 2) for t in places])
    figure, axis = canvas()
    curves(axis, places, found)
    axis.axhline(100 / CUES, color="grey", linestyle=":", linewidth=1)
    axis.set(xlabel="steps after the first word", ylabel="first word read from h (%)", ylim=(0, 104))
    axis.legend()
    return {"steps": places, "accuracy": found, "right": right}, figure
