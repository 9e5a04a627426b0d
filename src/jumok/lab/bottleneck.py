"""6. The bottleneck: one vector for a sentence of any length, or a look at every word."""

from dataclasses import dataclass
from statistics import fmean

from jumok.errors import UserError
from jumok.lab.figures import canvas, curves
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.lab.rivals import MOST_JOINED, Contest, Rivals, contests, joined, trainings, where
from jumok.metrics.text import bleu_chrf

TITLE = "The bottleneck"
MOST_WORDS = 100


def _fits(source: str, models: Rivals) -> bool:
    """Whether every model can read the whole of it."""
    translators = [rival.translator for trained in models.values() for rival in trained]
    return all(len(each.read(source)) < each.max_len for each in translators)  # what is cut has max_len


@dataclass(frozen=True)
class Fall:
    """BLEU of each training of each model, by the mean number of words in a source, 1 to 6 sentences joined."""

    corpus: str
    words: list[float]
    bleu: dict[str, list[list[float]]]
    dropped: int

    def sentence(self) -> str:
        ends = {
            name: [fmean(scores[place] for scores in rows) for place in (0, -1)] for name, rows in self.bleu.items()
        }
        return f"On {self.corpus}, from {self.words[0]:.0f} to {self.words[-1]:.0f} words a source, BLEU goes " + (
            ", ".join(f"from {first:.1f} to {last:.1f} ({name})" for name, (first, last) in ends.items()) + "."
        )


def fall(contest: Contest, limit: int, setting: Setting) -> Fall:
    """Score every model on the first `limit` sentences, one by one and joined."""
    words: list[float] = []
    bleu: dict[str, list[list[float]]] = {name: [[] for _ in trained] for name, trained in contest.models.items()}
    dropped = 0
    for count in range(1, MOST_JOINED + 1):
        pairs = list(zip(*(joined(side[:limit], count) for side in (contest.sources, contest.references)), strict=True))
        short = [pair for pair in pairs if len(pair[0].split()) <= MOST_WORDS and _fits(pair[0], contest.models)]
        dropped += len(pairs) - len(short)
        if not short:
            break
        words.append(fmean(len(source.split()) for source, _ in short))
        for name, trained in contest.models.items():
            setting.say(f"bottleneck: {name}, {count} sentences")
            for scores, rival in zip(bleu[name], trained, strict=True):
                answers = rival.translator([source for source, _ in short], beam=1)
                scores.append(bleu_chrf(answers, [reference for _, reference in short], rival.translator.target).bleu)
    if not words:
        raise UserError(f"no sentence of {contest.corpus} has at most {MOST_WORDS} words and fits every model")
    return Fall(contest.corpus, words, bleu, dropped)


def run(setting: Setting) -> Finding:
    """1 to 6 test sentences joined into one; a model without attention has still the same one vector for them."""
    both = contests(setting)
    falls = [fall(contest, setting.pick(1000, 200), setting) for contest in both]
    figure, axes = canvas(1, len(falls), width=6.5 * len(falls), squeeze=False)
    for axis, each in zip(axes[0], falls, strict=True):
        curves(axis, each.words, each.bleu)
        axis.set(xlabel="words in the source (mean of 1 ... 6 sentences joined)", ylim=(0, None), title=each.corpus)
        axis.legend()
    axes[0][0].set_ylabel("BLEU")
    strange = (
        "; the given runs may never have met two sentences in one line: where all of them fall alike, that is what is "
        "seen, and not the bottleneck"
    )
    return Finding(
        shows=" ".join(each.sentence() for each in falls),
        how=f"{where(setting)}; neighbouring sentences joined, greedy search; {sum(each.dropped for each in falls)} of "
        f"more than {MOST_WORDS} words, or longer than a model can read, dropped{strange if setting.runs else ''}.",
        data={each.corpus: {"words": each.words, "bleu": each.bleu} for each in falls},
        drawings={
            "bottleneck": Drawing(
                figure,
                f"BLEU of greedy search against the length of the source, 1 to {MOST_JOINED} sentences joined; "
                f"generated corpus: {trainings(setting, both[-1].models)}.",
            )
        },
        tables=[contest.table() for contest in both],
    )
