"""5. Recency: which words of the source the one context vector still holds."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jumok.lab.drill import Drills
from jumok.lab.figures import canvas, curves
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.lab.saturation import probe
from jumok.models.seq2seq import Seq2Seq, Seq2SeqConfig

TITLE = "Recency"
WORDS, FIRST, BEGIN = 12, 4, 1
VOCAB = FIRST + WORDS
READINGS: dict[str, dict[str, Any]] = {
    "forward": {"directions": 1, "reverse_source": False},
    "reversed": {"directions": 1, "reverse_source": True},
    "two directions": {"directions": 2, "reverse_source": False, "dim": 68},  # as many parameters as the others
}


class Copying(nn.Module):
    """A Seq2Seq model through one context vector, asked for the logits of copying its source."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.model = model

    def forward(self, words: Tensor) -> Float[Tensor, "B V N"]:
        target = torch.cat([torch.full_like(words[:, :1], BEGIN), words[:, :-1]], dim=1)
        logits: Tensor = self.model(words, torch.full((len(words),), words.shape[1]), target)
        return logits.transpose(1, 2)


def context(model: Seq2Seq, words: Tensor) -> Float[Tensor, "B D"]:
    """All that the decoder gets of each source: the final states, in a row."""
    final = model.encode(words, torch.full((len(words),), words.shape[1])).final
    assert final is not None
    return final.movedim(2, 0).flatten(1)


def run(setting: Setting) -> Finding:
    """Models without attention that copy; a linear probe reads each word from the context vector."""
    length = setting.pick(20, 12)
    steps, batch, dim = setting.pick(600, 200), 64, 64

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        words = torch.randint(FIRST, VOCAB, (batch, length), generator=generator)
        return words, words

    found: dict[str, list[list[float]]] = {}
    drills = Drills()
    for name, options in READINGS.items():
        setting.say(f"recency: {name}")
        for seed in setting.seeds:
            torch.manual_seed(seed)
            sizes: dict[str, Any] = {
                "source_vocab": VOCAB,
                "target_vocab": VOCAB,
                "dim": dim,
                "dropout": 0.0,
                "decoder": "summary",
            }
            model = Seq2Seq(Seq2SeqConfig(**(sizes | options)))
            drills(name, Copying(model), draw, steps=steps, seed=seed)
            words = torch.randint(FIRST, VOCAB, (4000, length), generator=torch.Generator().manual_seed(2**32 + seed))
            with torch.no_grad():
                states = context(model.eval(), words)
            scores = [probe(states, words[:, place] - FIRST, WORDS, len(words) // 2) for place in range(length)]
            found.setdefault(name, []).append(scores)
    figure, axis = canvas()
    curves(axis, list(range(1, length + 1)), found)
    axis.axhline(100 / WORDS, color="grey", linestyle=":", linewidth=1)
    axis.set(xlabel="place of the word in the source", ylabel="word read from the context (%)", ylim=(0, 104))
    axis.legend()
    ends = {name: torch.tensor(values).mean(0) for name, values in found.items()}
    return Finding(
        shows="Read from the context vector, first word against last: "
        + "; ".join(f"{name} {float(v[0]):.0f} % against {float(v[-1]):.0f} %" for name, v in ends.items())
        + ".",
        how=f"LSTM encoder and decoder of width {dim} ({READINGS['two directions']['dim']} in two directions, "
        f"for the same number of parameters) without attention, trained to copy {length} words of {WORDS} "
        f"({steps} steps of {batch}); linear probe of each word on the final state, fitted on 2,000 new sources, "
        f"scored on 2,000 others; {len(setting.seeds)} seeds; chance {100 / WORDS:.0f} %. {drills}",
        data={"places": list(range(1, length + 1)), "accuracy": found},
        drawings={
            "recency": Drawing(
                figure,
                "What a linear probe reads from the context vector of each source word, for an encoder that reads "
                f"forward, backwards or both ways; {setting.spread}; dotted: chance.",
            )
        },
        tables=[drills.table("matched in parameters, trained on the same examples")],
    )
