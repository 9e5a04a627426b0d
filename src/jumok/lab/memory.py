"""1. Memory over distance: who can still say what stood t steps ago?"""

import torch
from torch import Tensor

from jumok.lab.drill import accuracy, drill
from jumok.lab.figures import canvas, curves, log_places
from jumok.lab.finding import Drawing, Finding, Setting, Table
from jumok.lab.readers import LABELS, Kind, matched, parameters

TITLE = "Memory over distance"
CUES, NOISE = 8, 16  # cues are the tokens 0 ... 7, noise the 16 after them
VOCAB = CUES + NOISE
BUDGET = 20_000


def draw_recall(distance: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A cue, then `distance` tokens of noise; the answer is the cue."""
    cue = torch.randint(CUES, (batch, 1), generator=generator)
    noise = torch.randint(CUES, VOCAB, (batch, distance), generator=generator)
    return torch.cat([cue, noise], dim=1), cue[:, 0]


def run(setting: Setting) -> Finding:
    """Each kind of model is trained anew for each distance, all with the same number of examples."""
    distances: list[int] = setting.pick([5, 10, 20, 50, 100, 200, 400], [5, 10, 20, 50])
    kinds: list[Kind] = setting.pick(
        ["tanh", "relu", "lstm", "gru", "convolution", "transformer"],
        ["tanh", "lstm", "convolution", "transformer"],
    )
    steps, batch = setting.pick(300, 150), 32
    found: dict[str, list[list[float]]] = {}
    sizes: dict[str, int] = {}
    diverged: dict[str, int] = {}
    for kind in kinds:
        setting.say(f"memory: {LABELS[kind]}")
        found[LABELS[kind]], diverged[LABELS[kind]] = [], 0
        for seed in setting.seeds:
            scores = []
            for distance in distances:
                torch.manual_seed(seed)
                model = matched(kind, VOCAB, CUES, BUDGET, depth=6 if kind == "convolution" else 1)
                sizes[LABELS[kind]] = parameters(model)

                def draw(generator: torch.Generator, distance: int = distance) -> tuple[Tensor, Tensor]:
                    return draw_recall(distance, batch, generator)

                drilled = drill(model, draw, steps=steps, seed=seed, enough=0.02)
                diverged[LABELS[kind]] += drilled.diverged
                scores.append(accuracy(model, draw, seed=seed, batches=8))
            found[LABELS[kind]].append(scores)
    figure, axis = canvas()
    curves(axis, distances, found)
    axis.axhline(100 / CUES, color="grey", linestyle=":", linewidth=1)
    axis.set(xlabel="steps between the cue and the question", ylabel="right answers (%)", ylim=(0, 104))
    log_places(axis, distances)
    axis.legend()
    return Finding(
        shows=_sentence(distances, found),
        how=f"A cue of {CUES}, then t tokens of noise, then the question; a new model for each t, at most "
        f"{steps} steps of {batch} examples (fewer once the loss is below 0.02), "
        f"{len(setting.seeds)} seeds (band: lowest to highest); chance is {100 / CUES:.0f} %.",
        data={
            "distances": distances,
            "accuracy": found,
            "parameters": sizes,
            "diverged": diverged,
            "steps": steps,
            "chance": 100 / CUES,
        },
        drawings={
            "memory": Drawing(
                figure,
                f"Share of cues recalled after t tokens of noise, a model trained for each t; {setting.spread}; "
                "dotted: chance.",
            )
        },
        tables=[
            Table(
                ["model", "parameters", "trainings that diverged"],
                [(name, sizes[name], diverged[name]) for name in sizes],
                f"matched in parameters; each trained {len(distances) * len(setting.seeds)} times",
            )
        ],
    )


def reach(distances: list[int], scores: list[list[float]], enough: float = 90.0) -> int:
    """The farthest distance up to which the mean over seeds stays at `enough` per cent or above; 0 if none."""
    farthest = 0
    for column, distance in enumerate(distances):
        if sum(row[column] for row in scores) / len(scores) < enough:
            break
        farthest = distance
    return farthest


def _sentence(distances: list[int], found: dict[str, list[list[float]]]) -> str:
    parts = []
    for name, scores in found.items():
        far = reach(distances, scores)
        parts.append(f"{name} {f'over {far} steps' if far else f'not even over {distances[0]} steps'}")
    return "Recalls the cue in at least 90 % of cases: " + "; ".join(parts) + "."
