"""10. Where they look: one sentence's alignment by each model, and the alignment error rate against gold links."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from jumok.data.text import read_lines
from jumok.errors import Diverged, UserError
from jumok.insight.maps import Map, Span, alignment_error_rate, average, best_match, gold_pairs
from jumok.lab.figures import canvas, drawable, fonts
from jumok.lab.finding import Drawing, Finding, Setting, Table
from jumok.lab.rivals import (
    GENERATED,
    GIVEN,
    NORMAL_FORM,
    SENTENCE,
    Contest,
    Rival,
    Rivals,
    corpus,
    generated_rivals,
    given_runs,
    short_sentence,
    trainings,
)
from jumok.tasks.translate_predict import Translator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Where they look"


@dataclass(frozen=True)
class Gold:
    """A sentence, its normal form, and which characters of one say which of the other."""

    source: str
    target: str
    links: list[tuple[Span, Span]]


def gold(folder_line: str) -> Gold:
    """One line of ``test.links.jsonl``."""
    values = json.loads(folder_line)
    return Gold(values["source"], values["target"], [(tuple(a), tuple(b)) for a, b in values["links"]])


def has_attention(translator: Translator) -> bool:
    """Whether the model looks at its source at all while it writes."""
    try:
        return any(name.endswith("cross") for name in translator.attention("1", "1").maps)
    except UserError:
        return False


def cross_maps(translator: Translator, source: str, target: str) -> dict[str, Map]:
    """Each layer's attention to the source, the mean over its heads: ``(Q, K)``."""
    maps = translator.attention(source, target).maps
    return {name: average([weights]) for name, weights in maps.items() if name.endswith("cross")}


def error_rates(translator: Translator, examples: list[Gold]) -> dict[str, float]:
    """The alignment error rate of each layer over a corpus: every linked target piece finds its best source piece."""
    pair = translator.tokenizers
    found: dict[str, set[tuple[int, int, int]]] = {}
    sure: set[tuple[int, int, int]] = set()
    possible: set[tuple[int, int, int]] = set()
    for number, example in enumerate(examples):
        spans = pair.source.words(example.source)[1], pair.target.words(example.target)[1]
        linked = gold_pairs(*spans, example.links)
        keys: dict[int, list[int]] = {}
        for row, key in linked:
            keys.setdefault(row, []).append(key)
        possible |= {(number, row, key) for row, key in linked}
        # a row names one key: where several are as right as each other, any of them will do
        sure |= {(number, row, each[0]) for row, each in keys.items() if len(each) == 1}
        for name, weights in cross_maps(translator, example.source, example.target).items():
            best = best_match(weights)
            found.setdefault(name, set()).update((number, row, best[row]) for row in keys)
    return {name: alignment_error_rate(pairs, sure, possible) for name, pairs in found.items()}


def lookers(models: Rivals) -> Rivals:
    """Those of the models that look at all."""
    return {name: trained for name, trained in models.items() if has_attention(trained[0].translator)}


def run(setting: Setting) -> Finding:
    """The rivals of the generated corpus, whose links are known; and the given runs on a sentence of their own."""
    everyone = generated_rivals(setting)
    models, given = lookers(everyone), lookers(given_runs(setting))
    if not models:
        raise Diverged("every training of a rival with attention diverged; there is nothing to look at")
    lines = read_lines(corpus(setting.folder) / "test.links.jsonl", "none").lines
    examples = [gold(line) for line in lines[: setting.pick(200, 60)]]
    half = len(examples) // 2
    layers: dict[str, list[str]] = {}
    rates: dict[str, list[float]] = {}
    for name, trained in models.items():
        setting.say(f"where they look: {name}")
        for rival in trained:
            first = error_rates(rival.translator, examples[:half])
            layer = min(first, key=lambda layer: first[layer])
            layers.setdefault(name, []).append(layer)
            rates.setdefault(name, []).append(error_rates(rival.translator, examples[half:])[layer])
    figure, axes = canvas(1, len(models), width=4.6 * len(models), height=4.6, squeeze=False)
    for axis, (name, trained) in zip(axes[0], models.items(), strict=True):
        _draw(axis, trained[0], SENTENCE, NORMAL_FORM, [layers[name][0]])
    drawings = {
        "where_they_look": Drawing(
            figure,
            f"Attention to “{SENTENCE}” (across) while its normal form is written (down), in each model's best "
            "layer: mean of its heads, the first training.",
        )
    }
    tables = [Contest(GENERATED, models, (), ()).table()]
    if given:
        drawings["where_the_runs_look"] = _pictured(given, *short_sentence(setting))
        tables.append(Contest(GIVEN, given, (), (), matched=False).table())
    best = {name: fmean(values) for name, values in rates.items()}
    return Finding(
        shows="Alignment error rate: " + ", ".join(f"{name} {value:.1f} %" for name, value in best.items()) + ".",
        how=f"Models trained here on the generated corpus. Each linked piece of the output is aligned to the source "
        f"piece that its row looks at most (mean of a layer's heads); the layer is chosen on {half} test sentences and "
        f"scored on {len(examples) - half} others by AER (Och and Ney 2003; sure are links to one "
        f"piece, possible those to several), 0 is perfect; {trainings(setting, everyone)}. "
        f"Pictured: “{SENTENCE}”, the first training of each.{_about_runs(setting, given)}",
        data={name: {"aer": rates[name], "layer": layers[name]} for name in models},
        drawings=drawings,
        tables=[
            Table(
                ["model", "layer", "AER (%)", "lowest - highest"],
                [
                    (name, ", ".join(sorted(set(layers[name]))), round(best[name], 1), f"{min(v):.1f} - {max(v):.1f}")
                    for name, v in rates.items()
                ],
            ),
            *tables,
        ],
    )


def _about_runs(setting: Setting, given: Rivals) -> str:
    """What is pictured of the given runs, and who of them does not look."""
    blind = [name for name in setting.runs if name not in given]
    seen = " The given runs have no gold links: one sentence of theirs is pictured, none is scored." if given else ""
    return f"{seen} Without attention, not pictured: {', '.join(blind)}." if blind else seen


def _pictured(given: Rivals, source: str, reference: str) -> Drawing:
    """The given runs side by side on one sentence, each writing the reference: the mean of layers and heads."""
    figure, axes = canvas(1, len(given), width=4.6 * len(given), height=4.6, squeeze=False)
    for axis, trained in zip(axes[0], given.values(), strict=True):
        _draw(axis, trained[0], source, reference, list(cross_maps(trained[0].translator, source, reference)))
    return Drawing(
        figure,
        f"Attention of the given runs to “{source}” (across), a sentence of their test set, while its reference "
        f"“{reference}” is written (down): mean of layers and heads.",
    )


def _draw(axis: "Axes", rival: Rival, source: str, target: str, layers: Sequence[str]) -> None:
    view = rival.translator.attention(source, target)
    weights = average([view.maps[layer] for layer in layers])
    axis.imshow(weights, aspect="auto", cmap="magma", vmin=0, vmax=float(np.max(weights)))
    axis.grid(visible=False)
    across, down = ([drawable(piece.strip("▁")) for piece in pieces] for pieces in (view.source, view.target))
    axis.set_xticks(range(len(across)), across, rotation=90, fontsize=7, fontfamily=fonts())
    axis.set_yticks(range(len(down)), down, fontsize=7, fontfamily=fonts())
    axis.set_title(rival.name)
