"""9. Quality: every model's size, time and scores, and whether the difference is more than chance."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jumok.lab.figures import PALETTE, canvas
from jumok.lab.finding import Cell, Finding, Setting, Table
from jumok.lab.rivals import RIVALS, Rival, generated_pairs, generated_rivals, held_out_pairs, rivals, where
from jumok.metrics.text import Comparison, paired_bootstrap
from jumok.models.transformer import TransformerConfig
from jumok.tasks.translate_evaluate import Evaluation, evaluate

TITLE = "Quality"


def champion(models: list[Rival]) -> Rival:
    """What the others are compared with: the first Transformer, or the last model if there is none."""
    transformers = [rival for rival in models if isinstance(rival.translator.models[0].config, TransformerConfig)]
    return transformers[0] if transformers else models[-1]


@dataclass(frozen=True)
class Scored:
    """Models on one corpus: what each scored, and how it compares with the best Transformer."""

    corpus: str
    models: list[Rival]
    best: Rival
    scores: dict[str, Evaluation]
    against: dict[str, Comparison]
    diverged: list[str]

    def sentence(self) -> str:
        order = sorted(self.models, key=lambda rival: -self.scores[rival.name].score.bleu)
        beaten = [name for name, c in self.against.items() if c.difference > 0 and c.p_value < 0.05]
        return (
            f"{self.corpus}, by BLEU: "
            + " > ".join(f"{rival.name} {self.scores[rival.name].score.bleu:.1f}" for rival in order)
            + f"; {self.best.name} is above {', '.join(beaten) if beaten else 'none'} with p < 0.05."
        )

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for rival in self.models:
            training, score = rival.training(), self.scores[rival.name].score
            size, minutes, rate = rival.parameters, round(training["minutes"], 1), round(training["rate"])
            p = round(self.against[rival.name].p_value, 4) if rival.name in self.against else None
            rows.append((rival.name, size, minutes, rate, round(score.bleu, 2), round(score.chrf, 2), p))
        rows += [(name, None, None, None, "diverged", None, None) for name in self.diverged]
        return Table(["model", "parameters", "minutes", "target tokens/s", "BLEU", "chrF", "p"], rows, self.corpus)


def scored(
    corpus: str, models: list[Rival], sources: Sequence[str], references: Sequence[str], expected: Iterable[str] = ()
) -> Scored:
    """Score every model on the same sentences, and each against the Transformer; who is `expected` has diverged."""
    best = champion(models)
    scores = {rival.name: evaluate(rival.translator, sources, references) for rival in models}
    against = {
        rival.name: paired_bootstrap(
            scores[best.name].hypotheses, scores[rival.name].hypotheses, references, best.translator.target
        )[0]
        for rival in models
        if rival is not best
    }
    return Scored(corpus, models, best, scores, against, [name for name in expected if name not in scores])


def run(setting: Setting) -> Finding:
    """BLEU and chrF of every model on the same sentences: of the given runs, and of the rivals trained here."""
    setting.say("quality: scoring")
    both = [scored("the generated corpus", generated_rivals(setting), *generated_pairs(setting), RIVALS)]
    if setting.runs:
        both.insert(0, scored("the given runs' test sentences", rivals(setting), *held_out_pairs(setting)))
    figure, axes = canvas(1, len(both), width=6.5 * len(both), squeeze=False)
    for axis, each in zip(axes[0], both, strict=True):
        bars = [each.scores[rival.name].score.bleu for rival in each.models]
        for place, value in enumerate(bars):
            axis.barh(place, value, color=PALETTE[place % len(PALETTE)])
            axis.text(value, place, f" {value:.1f}", va="center")
        axis.set_yticks(range(len(bars)), [rival.name for rival in each.models])
        axis.invert_yaxis()
        axis.set(xlabel="BLEU", title=each.corpus, xlim=(0, 1.12 * max(bars) or 1))
    return Finding(
        shows=" ".join(each.sentence() for each in both),
        how=f"{where(setting)}; {both[0].scores[both[0].best.name].score.signature}; p by paired bootstrap of 1,000 "
        "samples against the Transformer. Tokens/s are of training, and of each run's own subwords: runs of different "
        "vocabularies are comparable in scores, not in tokens. One run of each model.",
        data={
            each.corpus: {
                name: score.as_dict() | {"against": each.against[name].as_dict() if name in each.against else None}
                for name, score in each.scores.items()
            }
            for each in both
        },
        figures={"quality": figure},
        tables=[each.table() for each in both],
    )
