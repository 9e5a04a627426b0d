"""9. Quality: every model's size, time and scores, and whether the difference is more than chance."""

from jumok.lab.figures import PALETTE, canvas
from jumok.lab.finding import Finding, Setting, Table
from jumok.lab.rivals import Rival, held_out_pairs, rivals, where
from jumok.metrics.text import Comparison, paired_bootstrap
from jumok.models.transformer import TransformerConfig
from jumok.tasks.translate_evaluate import Evaluation, evaluate

TITLE = "Quality"


def champion(models: list[Rival]) -> Rival:
    """What the others are compared with: the first Transformer, or the last model if there is none."""
    transformers = [rival for rival in models if isinstance(rival.translator.models[0].config, TransformerConfig)]
    return transformers[0] if transformers else models[-1]


def run(setting: Setting) -> Finding:
    """BLEU and chrF of every model on the same sentences, each against the Transformer."""
    models = rivals(setting)
    sources, references = held_out_pairs(setting)
    best = champion(models)
    scored: dict[str, Evaluation] = {}
    for rival in models:
        setting.say(f"quality: {rival.name}")
        scored[rival.name] = evaluate(rival.translator, sources, references)
    against: dict[str, Comparison] = {
        rival.name: paired_bootstrap(
            scored[best.name].hypotheses, scored[rival.name].hypotheses, references, best.translator.target
        )[0]
        for rival in models
        if rival is not best
    }
    rows = []
    for rival in models:
        training, score = rival.training(), scored[rival.name].score
        p = against[rival.name].p_value if rival.name in against else None
        size, minutes, rate = rival.parameters, round(training["minutes"], 1), round(training["rate"])
        rows.append((rival.name, size, minutes, rate, round(score.bleu, 2), round(score.chrf, 2), p and round(p, 4)))
    figure, axis = canvas()
    for place, rival in enumerate(models):
        axis.barh(place, scored[rival.name].score.bleu, color=PALETTE[place % len(PALETTE)])
        axis.text(scored[rival.name].score.bleu, place, f" {scored[rival.name].score.bleu:.1f}", va="center")
    axis.set_yticks(range(len(models)), [rival.name for rival in models])
    axis.invert_yaxis()
    axis.set(xlabel="BLEU")
    order = sorted(models, key=lambda rival: -scored[rival.name].score.bleu)
    beaten = [name for name, c in against.items() if c.difference > 0 and c.p_value < 0.05]
    return Finding(
        shows="By BLEU: "
        + " > ".join(f"{rival.name} {scored[rival.name].score.bleu:.1f}" for rival in order)
        + f". {best.name} is above {', '.join(beaten) if beaten else 'none'} with p < 0.05.",
        how=f"{where(setting)}, {len(sources):,} of them; "
        f"{scored[best.name].score.signature}; p by paired bootstrap of 1,000 samples against {best.name}.",
        data={
            name: scored[name].as_dict() | {"against": against[name].as_dict() if name in against else None}
            for name in scored
        },
        figures={"quality": figure},
        tables=[Table(["model", "parameters", "minutes", "target tokens/s", "BLEU", "chrF", "p"], rows)],
    )
