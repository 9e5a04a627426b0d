"""9. Quality: every model's size, time and scores, and whether the difference is more than chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from jumok.lab.figures import PALETTE, canvas
from jumok.lab.finding import Cell, Drawing, Finding, Setting, Table
from jumok.lab.rivals import Contest, Rivals, contests, trainings, where
from jumok.metrics.text import Comparison, paired_bootstrap
from jumok.models.transformer import TransformerConfig
from jumok.tasks.translate_evaluate import Evaluation, evaluate

TITLE = "Quality"


def champion(models: Rivals) -> str:
    """Who the others are compared with: the first Transformer, or the last model if there is none."""
    transformers = [
        name
        for name, trained in models.items()
        if isinstance(trained[0].translator.models[0].config, TransformerConfig)
    ]
    return transformers[0] if transformers else list(models)[-1]


@dataclass(frozen=True)
class Scored:
    """Models on one corpus, each training of them: what it scored, and how it compares with the best Transformer's."""

    contest: Contest
    best: str
    scores: Mapping[str, Sequence[Evaluation]]
    against: Mapping[str, Sequence[Comparison]]

    def bleu(self, name: str) -> list[float]:
        return [each.score.bleu for each in self.scores[name]]

    def p_value(self, name: str) -> float | None:
        """The least sure of a model's trainings."""
        return max((each.p_value for each in self.against[name]), default=None) if name in self.against else None

    def sentence(self) -> str:
        order = sorted(self.scores, key=lambda name: -fmean(self.bleu(name)))
        beaten = [
            name
            for name, each in self.against.items()
            if each and all(one.difference > 0 and one.p_value < 0.05 for one in each)
        ]
        return (
            f"{self.contest.corpus}, by BLEU: "
            + " > ".join(f"{name} {fmean(self.bleu(name)):.1f}" for name in order)
            + f"; {self.best} is above {', '.join(beaten) if beaten else 'none'} with p < 0.05."
        )

    def how(self) -> str:
        """What p is in this table."""
        several = max(map(len, self.scores.values())) > 1
        seeds = f"{self.best}'s training from the same seed, the largest of them" if several else self.best
        return f"On {self.contest.corpus} p is by paired bootstrap of 1,000 samples against {seeds}."

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for name, trained in self.contest.models.items():
            logs = [rival.training() for rival in trained]
            minutes, rate = (fmean(log[key] for log in logs) for key in ("minutes", "rate"))
            first = trained[0]
            spent = (first.steps, first.steps * first.step_tokens, _rounded(minutes, 1), _rounded(rate))
            bleu, chrf, p = self.bleu(name), fmean(x.score.chrf for x in self.scores[name]), self.p_value(name)
            spread = f"{min(bleu):.2f} - {max(bleu):.2f}" if len(bleu) > 1 else None
            p = None if p is None else round(p, 4)
            rows.append((name, first.parameters, *spent, round(fmean(bleu), 2), spread, round(chrf, 2), p))
        rows += [(name, *[None] * 5, "diverged", None, None, None) for name in self.contest.missing]
        columns = [
            *("model", "parameters", "steps", "training tokens (at most)", "minutes", "target tokens/s"),
            *("BLEU", "lowest - highest", "chrF", "p"),
        ]
        return Table(columns, rows, self.contest.about)


def _rounded(value: float, digits: int | None = None) -> float | None:
    return None if math.isnan(value) else round(value, digits)


def scored(contest: Contest) -> Scored:
    """Score every model on the same sentences, and each against the Transformer."""
    models, sources, references = contest.models, contest.sources, contest.references
    best = champion(models)
    scores = {
        name: [evaluate(rival.translator, sources, references) for rival in trained] for name, trained in models.items()
    }

    def compared(name: str) -> list[Comparison]:
        """Each training against the best model's from the same seed."""
        language = models[best][0].translator.target
        theirs = {rival.seed: score for rival, score in zip(models[name], scores[name], strict=True)}
        return [
            paired_bootstrap(score.hypotheses, theirs[rival.seed].hypotheses, references, language)[0]
            for rival, score in zip(models[best], scores[best], strict=True)
            if rival.seed in theirs
        ]

    against = {name: compared(name) for name in models if name != best}
    return Scored(contest, best, scores, against)


def run(setting: Setting) -> Finding:
    """BLEU and chrF of every model on the same sentences: of the given runs, and of the rivals trained here."""
    setting.say("quality: scoring")
    both = [scored(contest) for contest in contests(setting)]
    figure, axes = canvas(1, len(both), width=6.5 * len(both), squeeze=False)
    for axis, each in zip(axes[0], both, strict=True):
        bars = {name: each.bleu(name) for name in each.scores}
        for place, values in enumerate(bars.values()):
            axis.barh(place, fmean(values), color=PALETTE[place % len(PALETTE)])
            axis.text(max(values), place, f"  {fmean(values):.1f}", va="center")
            if len(values) > 1:
                axis.plot(values, [place] * len(values), ".", color="black", markersize=4)
        axis.set_yticks(range(len(bars)), list(bars))
        axis.invert_yaxis()
        axis.set(xlabel="BLEU", title=each.contest.corpus, xlim=(0, 1.15 * max(map(max, bars.values())) or 1))
    return Finding(
        shows=" ".join(each.sentence() for each in both),
        how=f"{where(setting)}; {both[0].scores[both[0].best][0].score.signature}. "
        + " ".join(each.how() for each in both)
        + " Tokens/s are of training, and of each run's own subwords: runs of different vocabularies are comparable in "
        f"scores, not in tokens. Generated corpus: {trainings(setting, both[-1].contest.models)}.",
        data={
            each.contest.corpus: {
                name: {
                    "trainings": [score.as_dict() for score in scores],
                    "against": [comparison.as_dict() for comparison in each.against.get(name, [])],
                }
                for name, scores in each.scores.items()
            }
            for each in both
        },
        drawings={
            "quality": Drawing(
                figure,
                f"BLEU of each model on {' and on '.join(each.contest.corpus for each in both)}, the same sentences "
                f"for all; generated corpus: {trainings(setting, both[-1].contest.models, 'dots')}.",
            )
        },
        tables=[each.table() for each in both],
    )
