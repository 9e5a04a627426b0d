"""4. Gates: what an LSTM lets in, keeps and lets out, over a sentence and over a long recall."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from jumok.lab.drill import accuracy, drill
from jumok.lab.figures import PALETTE, canvas, drawable, fonts
from jumok.lab.finding import Finding, Setting
from jumok.lab.memory import BUDGET, CUES, VOCAB
from jumok.lab.readers import Reader, RecurrentBody, matched
from jumok.lab.rivals import RIVALS, SENTENCE, Rival, generated_rivals, rivals
from jumok.models.seq2seq import Seq2SeqConfig
from jumok.nn.recurrent import RecurrentLayer, lstm_gates
from jumok.nn.recurrent_text import RecurrentEncoder
from jumok.tasks.translate_predict import Translator

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
    length: int = setting.pick(50, 20)
    steps = setting.pick(1500, 500)

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return draw_late_cue(length, 32, generator)

    torch.manual_seed(setting.seeds[0])
    setting.say("gates: LSTM")
    model = matched("lstm", VOCAB, CUES, BUDGET)
    drill(model, draw, steps=steps, seed=setting.seeds[0], learning_rate=1e-2, enough=0.01)
    right = accuracy(model, draw, seed=setting.seeds[0])
    tokens, _ = draw_late_cue(length, 256, torch.Generator().manual_seed(2**32))
    gates = _gates(model, tokens)
    figure, axis = canvas()
    for number, name in enumerate(NAMES):
        mean, spread = gates[number].mean((0, 2)), gates[number].mean(0).std(1)
        axis.plot(mean, color=PALETTE[number], label=name)
        axis.fill_between(range(length), mean - spread, mean + spread, color=PALETTE[number], alpha=0.15, linewidth=0)
    place = length // 5
    axis.axvline(place, color="black", linewidth=0.8, linestyle=":")
    axis.annotate("cue", (place, 1.02), ha="center", annotation_clip=False)
    axis.set(xlabel="step", ylabel="gate (0 shut, 1 open)", ylim=(0, 1))
    axis.legend()
    reader, sentence = _translator(setting)
    pieces, over, drawn = _over_sentence(reader.translator, sentence)
    at_cue, later = gates[:, :, place].mean((1, 2)), gates[:, :, place + 1 :].mean((1, 2, 3))
    return Finding(
        shows=f"At the cue the input gate opens to {at_cue[0]:.2f} (afterwards {later[0]:.2f}), and from then on the "
        f"forget gate holds at {later[1]:.2f}; the model answers {right:.0f} % right. Over the sentence "
        f"the input gate is widest at “{pieces[int(over[0].argmax())].strip('▁')}”.",
        how=f"LSTM of about {BUDGET} parameters trained to name the cue at step {place} of {length}; mean over its "
        "units and 256 new sequences, band: spread over the units. Sentence: the first layer of the encoder of "
        f"{reader.path}, mean over its units, band: spread over them.",
        data={
            "gates": {name: gates[n].mean((0, 2)).tolist() for n, name in enumerate(NAMES)},
            "accuracy": right,
            "sentence": {"pieces": pieces, "gates": {name: over[n].tolist() for n, name in enumerate(NAMES)}},
        },
        figures={"gates": figure, "gates_sentence": drawn},
    )


@torch.no_grad()
def _gates(model: Reader, tokens: Tensor) -> Tensor:
    assert isinstance(model.body, RecurrentBody)
    return gates_of(model.body.stack.each()[0], model.tokens(tokens))


def _translator(setting: Setting) -> tuple[Rival, str]:
    """A translator whose encoder is an LSTM, and a sentence for it: of the given runs if one is, or of the rivals."""
    for rival in rivals(setting) if setting.runs else []:
        config = rival.translator.models[0].config
        if isinstance(config, Seq2SeqConfig) and config.cell == "lstm":
            return rival, next((line for line in setting.test[0] if 8 <= len(line.split()) <= 12), setting.test[0][0])
    chosen = [rival for rival in generated_rivals(setting) if RIVALS[rival.name].get("cell") == "lstm"]
    return chosen[-1], SENTENCE


@torch.no_grad()
def _over_sentence(translator: Translator, sentence: str) -> tuple[list[str], Float[Tensor, "3 N"], "Figure"]:
    """The pieces of a sentence, each gate's mean over the units at every one of them, and the picture."""
    source = translator.tokenizers.source.encode(sentence)
    encoder = translator.models[0].encoder
    assert isinstance(encoder, RecurrentEncoder)
    gates = gates_of(encoder.stack.each()[0], encoder.tokens(torch.tensor([source])))[:, 0].float()
    pieces = translator.tokenizers.source.pieces(source)
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
