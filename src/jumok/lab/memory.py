"""1. Memory over distance: who can still say what stood t steps ago?"""

from collections.abc import Mapping

import torch
from torch import Tensor

from jumok.lab.drill import Drills, accuracy
from jumok.lab.figures import canvas, curves, log_places
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.lab.readers import LABELS, ConvolutionBody, Kind, Reader, matched

TITLE = "Memory over distance"
CUES, NOISE = 8, 16  # cues are the tokens 0 ... 7, noise the 16 after them
VOCAB = CUES + NOISE
BUDGET = 20_000


def draw_recall(distance: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A cue, then `distance` tokens of noise; the answer is the cue."""
    cue = torch.randint(CUES, (batch, 1), generator=generator)
    noise = torch.randint(CUES, VOCAB, (batch, distance), generator=generator)
    return torch.cat([cue, noise], dim=1), cue[:, 0]


def reader(kind: Kind, farthest: int) -> Reader:
    """A reader of the budget that can see a cue `farthest` tokens before the last one: convolutions deep enough."""
    depth = ConvolutionBody.depth_to_see(farthest + 1) if kind == "convolution" else 1
    return matched(kind, VOCAB, CUES, BUDGET, depth=depth)


def run(setting: Setting) -> Finding:
    """Each kind of model is trained anew for each distance, all with the same number of examples."""
    distances: list[int] = setting.pick([5, 10, 20, 50, 100, 200, 400], [5, 10, 20, 50])
    kinds: list[Kind] = setting.pick(
        ["tanh", "relu", "gelu", "lstm", "gru", "convolution", "transformer"],
        ["tanh", "lstm", "convolution", "transformer"],
    )
    steps, batch = setting.pick(300, 150), 32
    found: dict[str, list[list[float]]] = {}
    sees: dict[str, int | None] = {}
    drills = Drills()
    for kind in kinds:
        setting.say(f"memory: {LABELS[kind]}")
        for seed in setting.seeds:
            scores = []
            for distance in distances:
                torch.manual_seed(seed)
                model = reader(kind, distances[-1])
                sees[LABELS[kind]] = model.receptive_field

                def draw(generator: torch.Generator, distance: int = distance) -> tuple[Tensor, Tensor]:
                    return draw_recall(distance, batch, generator)

                drills(LABELS[kind], model, draw, steps=steps, seed=seed, enough=0.02)
                scores.append(accuracy(model, draw, seed=seed, batches=8))
            found.setdefault(LABELS[kind], []).append(scores)
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
        f"{len(setting.seeds)} seeds (band: lowest to highest); chance is {100 / CUES:.0f} %. {_sees(sees)}",
        data={
            "distances": distances,
            "accuracy": found,
            "parameters": drills.sizes,
            "receptive_field": sees,
            "diverged": drills.diverged,
            "steps": steps,
            "chance": 100 / CUES,
        },
        drawings={
            "memory": Drawing(
                figure,
                f"Share of cues recalled after t tokens of noise, a model trained for each t; {setting.spread}; "
                f"dotted: chance. {_sees(sees)}",
            )
        },
        tables=[drills.table("matched in parameters; one training for each t and seed, its tokens grow with t")],
    )


def reach(distances: list[int], scores: list[list[float]], enough: float = 90.0) -> int:
    """The farthest distance up to which the mean over seeds stays at `enough` per cent or above; 0 if none."""
    farthest = 0
    for column, distance in enumerate(distances):
        if sum(row[column] for row in scores) / len(scores) < enough:
            break
        farthest = distance
    return farthest


def _sees(fields: Mapping[str, int | None]) -> str:
    """Who sees how far: for the figure's caption."""
    finite = [f"{name} {field:,} tokens" for name, field in fields.items() if field is not None]
    return f"Receptive field: {', '.join(finite)}; the others all tokens."


def _sentence(distances: list[int], found: dict[str, list[list[float]]]) -> str:
    parts = []
    for name, scores in found.items():
        far = reach(distances, scores)
        parts.append(f"{name} {f'over {far} steps' if far else f'not even over {distances[0]} steps'}")
    return "Recalls the cue in at least 90 % of cases: " + "; ".join(parts) + "."
