"""4. Gates: what an LSTM lets in, keeps and lets out, over a sentence and over a long recall."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from jumok.errors import Diverged
from jumok.lab.drill import Drills, accuracy
from jumok.lab.figures import PALETTE, canvas, curves, drawable, fonts
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.lab.memory import BUDGET, CUES, VOCAB
from jumok.lab.readers import Reader, RecurrentBody, matched
from jumok.lab.rivals import RIVALS, SENTENCE, Rival, rival_seeds, short_sentence, trained_rival
from jumok.nn.recurrent import RecurrentLayer, lstm_gates
from jumok.nn.recurrent_text import RecurrentEncoder
from jumok.tasks.runs import translator_config
from jumok.tasks.translate_predict import Translator
from jumok.training.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Gates"
NAMES = ("input gate", "forget gate", "output gate")


def gates_of(layer: RecurrentLayer, x: Float[Tensor, "B N I"]) -> Float[Tensor, "3 B N D"]:
    """Input, forget and output gate at every step of an LSTM layer, of its forward direction if it has two.

    Raises ValueError for another cell.
    """
    if layer.cell != "lstm":
        raise ValueError(f"a {layer.cell} cell has no such gates")
    state = x.new_zeros(2, x.shape[0], layer.dim // layer.directions)
    projected, seen = layer.project(x), []
    for t in range(x.shape[1]):
        i, f, _, o = lstm_gates(projected[:, t], layer.recur(state[0]))
        seen.append(torch.stack([i, f, o]))
        state = layer.step(projected[:, t], state)
    return torch.stack(seen, dim=2)


def draw_late_cue(length: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise, a cue after a fifth of it, noise to the end; the answer is the cue."""
    tokens = torch.randint(CUES, VOCAB, (batch, length), generator=generator)
    cue: Int[Tensor, " B"] = torch.randint(CUES, (batch,), generator=generator)
    tokens[:, length // 5] = cue
    return tokens, cue


def run(setting: Setting) -> Finding:
    """The gates of an LSTM trained on a recall, before, at and after the cue; of a translator's, over a sentence."""
    length: int = setting.pick(40, 20)
    steps = setting.pick(2000, 500)

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return draw_late_cue(length, 32, generator)

    tokens, _ = draw_late_cue(length, 256, torch.Generator().manual_seed(2**32))
    right: list[float] = []
    drills = Drills()
    found: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    for seed in setting.seeds:
        setting.say(f"gates: LSTM, seed {seed}")
        torch.manual_seed(seed)
        model = matched("lstm", VOCAB, CUES, BUDGET)
        drills("LSTM", model, draw, steps=steps, seed=seed, learning_rate=5e-3, enough=0.01)
        right.append(accuracy(model, draw, seed=seed))
        for name, gate in zip(NAMES, _gates(model, tokens), strict=True):
            found[name].append(gate.mean((0, 2)).tolist())
    figure, axis = canvas()
    curves(axis, list(range(length)), found)
    place = length // 5
    axis.axvline(place, color="black", linewidth=0.8, linestyle=":")
    axis.annotate("cue", (place, 1.02), ha="center", annotation_clip=False)
    axis.set(xlabel="step", ylabel="gate (0 shut, 1 open)", ylim=(0, 1))
    axis.legend()
    path, sentence = _translator(setting)
    reader = Rival(path.name, path, Translator.load(path, device="cpu"))
    pieces, over, drawn = _over_sentence(reader.translator, sentence)
    over_seeds = {name: np.mean(rows, 0) for name, rows in found.items()}
    at_cue = {name: row[place] for name, row in over_seeds.items()}
    later = {name: row[place + 1 :].mean() for name, row in over_seeds.items()}
    return Finding(
        shows=f"At the cue the input gate opens to {at_cue['input gate']:.2f} (afterwards {later['input gate']:.2f}), "
        f"and from then on the forget gate holds at {later['forget gate']:.2f}; the model answers "
        f"{np.mean(right):.0f} % right. Over the sentence "
        f"the input gate is widest at “{pieces[int(over[0].argmax())].strip('▁')}”.",
        how=f"LSTM of about {BUDGET} parameters trained to name the cue at step {place} of {length}; mean over its "
        f"units and 256 new sequences, {len(setting.seeds)} seeds (band: lowest to highest). "
        "Sentence: the first layer of the encoder of "
        f"{path} ({reader.parameters:,} parameters, {reader.steps:,} steps), mean over its units, band: spread over "
        "them; in the order in which it reads. "
        f"{drills}",
        data={
            "gates": found,
            "accuracy": right,
            "sentence": {"pieces": pieces, "gates": {name: over[n].tolist() for n, name in enumerate(NAMES)}},
        },
        drawings={
            "gates": Drawing(
                figure,
                f"Gates of an LSTM that has learnt to name a cue, mean over its units and 256 new sequences; "
                f"{setting.spread}.",
            ),
            "gates_sentence": Drawing(
                drawn,
                f"Gates of the first encoder layer of {path} over “{sentence}”, piece by piece as it reads; band: the "
                "spread over its units.",
            ),
        },
        tables=[drills.table("the model of the long recall")],
    )


@torch.no_grad()
def _gates(model: Reader, tokens: Tensor) -> Tensor:
    assert isinstance(model.body, RecurrentBody)
    return gates_of(model.body.stack.each()[0], model.tokens(tokens))


def rivals(setting: Setting) -> list[tuple[str, int]]:
    """The one whose gates are shown over a sentence, unless a given run has such gates."""
    return [] if _given(setting) is not None else [(_lstms()[0], rival_seeds(setting)[0])]


def _lstms() -> list[str]:
    """The rivals that are LSTMs, the latest in the story first."""
    return [name for name, model in reversed(RIVALS.items()) if model.get("cell") == "lstm"]


def _given(setting: Setting) -> Path | None:
    """The first of the given runs whose encoder is an LSTM."""
    for path in setting.runs.values():
        model = translator_config(Run.open(path))["model"]
        if model.get("architecture") == "seq2seq" and model["cell"] == "lstm":
            return path
    return None


def _translator(setting: Setting) -> tuple[Path, str]:
    """A run whose encoder is an LSTM, and a sentence for it: of the given runs if one is, or of the rivals."""
    given, lstms = _given(setting), _lstms()
    if given is not None:
        return given, short_sentence(setting)[0]
    for name in lstms:
        trained = trained_rival(setting, name, rival_seeds(setting)[0])
        if trained is not None:
            return trained, SENTENCE
    raise Diverged(f"the trainings of {' and '.join(lstms)} diverged; there are no gates to show")


@torch.no_grad()
def _over_sentence(translator: Translator, sentence: str) -> tuple[list[str], Float[Tensor, "3 N"], "Figure"]:
    """The pieces of a sentence in the order they are read, each gate's mean over the units at them, and the picture."""
    encoder = translator.models[0].encoder
    assert isinstance(encoder, RecurrentEncoder)
    read = translator.read(sentence)
    read = read[::-1] if encoder.backwards else read
    gates = gates_of(encoder.stack.each()[0], encoder.tokens(torch.tensor([read])))[:, 0]
    pieces = translator.tokenizers.source.pieces(read)
    mean, spread = gates.mean(2), gates.std(2)
    figure, axis = canvas(width=max(7.0, 0.38 * len(pieces)))
    for number, name in enumerate(NAMES):
        axis.plot(mean[number], color=PALETTE[number], marker="o", markersize=4, label=name)
        low, high = mean[number] - spread[number], mean[number] + spread[number]
        axis.fill_between(range(len(pieces)), low, high, color=PALETTE[number], alpha=0.15, linewidth=0)
    labels = [drawable(piece.strip("▁")) for piece in pieces]
    axis.set_xticks(range(len(labels)), labels, rotation=60, ha="right", fontfamily=fonts())
    axis.set(ylabel="gate (0 shut, 1 open)", ylim=(0, 1))
    axis.legend()
    return pieces, mean, figure
