"""6. The bottleneck: one vector for a sentence of any length, or a look at every word."""

from jumok.lab.figures import canvas, curves
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.lab.rivals import MOST_JOINED, Rivals, held_out_pairs, joined, rivals, trainings, where
from jumok.metrics.text import bleu_chrf

TITLE = "The bottleneck"
MOST_WORDS = 100


def _fits(source: str, models: Rivals) -> bool:
    """Whether every model can read the whole of it."""
    translators = [rival.translator for trained in models.values() for rival in trained]
    return all(len(each.read(source)) < each.max_len for each in translators)  # what is cut has max_len


def run(setting: Setting) -> Finding:
    """1 to 6 test sentences joined into one; a model without attention has still the same one vector for them."""
    models = rivals(setting)
    sources, references = held_out_pairs(setting)
    counts = list(range(1, MOST_JOINED + 1))
    limit: int = setting.pick(1000, 200)
    words: list[float] = []
    found: dict[str, list[list[float]]] = {name: [[] for _ in trained] for name, trained in models.items()}
    dropped = 0
    for count in counts:
        pairs = list(zip(joined(sources[:limit], count), joined(references[:limit], count), strict=True))
        short = [pair for pair in pairs if len(pair[0].split()) <= MOST_WORDS and _fits(pair[0], models)]
        dropped += len(pairs) - len(short)
        if not short:
            counts = counts[: count - 1]
            break
        words.append(sum(len(source.split()) for source, _ in short) / len(short))
        for name, trained in models.items():
            setting.say(f"bottleneck: {name}, {count} sentences")
            for scores, rival in zip(found[name], trained, strict=True):
                answers = rival.translator([source for source, _ in short], beam=1)
                score = bleu_chrf(answers, [reference for _, reference in short], rival.translator.target)
                scores.append(score.bleu)
    figure, axis = canvas()
    curves(axis, words, found)
    axis.set(xlabel="words in the source (mean of 1 ... 6 sentences joined)", ylabel="BLEU", ylim=(0, None))
    axis.legend()

    def mean(name: str, place: int) -> float:
        return sum(scores[place] for scores in found[name]) / len(found[name])

    kept = {name: 100 * mean(name, -1) / mean(name, 0) if mean(name, 0) else 0.0 for name in found}
    return Finding(
        shows=f"From {words[0]:.0f} to {words[-1]:.0f} words a source, of their BLEU keep: "
        + ", ".join(f"{name} {value:.0f} %" for name, value in kept.items())
        + ".",
        how=f"{where(setting)}; neighbouring sentences joined, greedy search, {trainings(models)}; "
        f"{dropped} of more than {MOST_WORDS} words, or longer than a model can read, dropped.",
        data={"sentences": counts, "words": words, "bleu": found},
        drawings={
            "bottleneck": Drawing(
                figure,
                f"BLEU of greedy search against the length of the source, 1 to {MOST_JOINED} sentences joined; "
                f"{trainings(models)}.",
            )
        },
    )
