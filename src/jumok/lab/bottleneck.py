"""6. The bottleneck: one vector for a sentence of any length, or a look at every word."""

from collections.abc import Sequence

from jumok.lab.figures import canvas, curves
from jumok.lab.finding import Finding, Setting
from jumok.lab.rivals import Rival, held_out_pairs, rivals, where
from jumok.metrics.text import bleu_chrf

TITLE = "The bottleneck"
MOST_WORDS = 100


def joined(lines: Sequence[str], count: int) -> list[str]:
    """Each `count` neighbouring lines as one; what is left over at the end is dropped."""
    return [" ".join(lines[start : start + count]) for start in range(0, len(lines) - count + 1, count)]


def _fits(source: str, models: Sequence[Rival]) -> bool:
    """Whether every model can read the whole of it."""
    translators = [rival.translator for rival in models]
    return all(len(each.tokenizers.source.encode(source)) <= each.max_len for each in translators)


def run(setting: Setting) -> Finding:
    """1 to 6 test sentences joined into one; a model without attention has still the same one vector for them."""
    models = rivals(setting)
    sources, references = held_out_pairs(setting)
    counts = list(range(1, 7))
    limit: int = setting.pick(1000, 200)
    words: list[float] = []
    found: dict[str, list[list[float]]] = {rival.name: [[]] for rival in models}
    dropped = 0
    for count in counts:
        pairs = list(zip(joined(sources[:limit], count), joined(references[:limit], count), strict=True))
        short = [pair for pair in pairs if len(pair[0].split()) <= MOST_WORDS and _fits(pair[0], models)]
        dropped += len(pairs) - len(short)
        if not short:
            counts = counts[: count - 1]
            break
        words.append(sum(len(source.split()) for source, _ in short) / len(short))
        for rival in models:
            setting.say(f"bottleneck: {rival.name}, {count} sentences")
            answers = rival.translator([source for source, _ in short], beam=1)
            score = bleu_chrf(answers, [reference for _, reference in short], rival.translator.target)
            found[rival.name][0].append(score.bleu)
    figure, axis = canvas()
    curves(axis, words, found)
    axis.set(xlabel="words in the source (mean of 1 ... 6 sentences joined)", ylabel="BLEU", ylim=(0, None))
    axis.legend()
    kept = {name: 100 * values[0][-1] / values[0][0] if values[0][0] else 0.0 for name, values in found.items()}
    return Finding(
        shows=f"From {words[0]:.0f} to {words[-1]:.0f} words a source, of their BLEU keep: "
        + ", ".join(f"{name} {value:.0f} %" for name, value in kept.items())
        + ".",
        how=f"{where(setting)}; neighbouring sentences joined, greedy search, one run of each "
        f"model; {dropped} of more than {MOST_WORDS} words, or longer than a model can read, dropped.",
        data={"sentences": counts, "words": words, "bleu": {name: values[0] for name, values in found.items()}},
        figures={"bottleneck": figure},
    )
