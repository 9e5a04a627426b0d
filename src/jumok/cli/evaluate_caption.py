"""The branch of ``jumok evaluate`` for captioners."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jumok.cli import options
from jumok.cli.console import Bar, say, table
from jumok.errors import UserError


def evaluate_captioner(
    run: str,
    captions: Path,
    images: Path | None,
    *,
    against: str | None,
    search: Mapping[str, object],
    precision: options.ImagePrecision,
    device: str,
) -> tuple[dict[str, Any], str]:
    """The scores of a captioner as plain values, and its captions."""
    from jumok.data.captions import read_captioned
    from jumok.metrics.text import paired_means
    from jumok.tasks.caption_baselines import training_list
    from jumok.tasks.caption_evaluate import COLUMNS, Evaluation
    from jumok.tasks.caption_evaluate import evaluate as score
    from jumok.tasks.caption_predict import Captioner
    from jumok.tasks.runs import captioner_config, run_path
    from jumok.training.run import Run

    found = read_captioned(captions, images=images)
    train = training_list(captioner_config(Run.open(run_path(run.split(",", maxsplit=1)[0])))["recipe"])

    def scored(name: str, beside: bool) -> Evaluation:
        captioner = Captioner.load(name, precision=precision.value, device=device)
        asked = options.search_options(captioner.options, n_best=1, sample=False, **search)
        with Bar(f"captioning with {name}", total=len(found)) as bar:
            return score(captioner, found, asked, train=train if beside else None, advance=bar.advance)

    result = scored(run, beside=True)
    say(result.report.text())
    if train is None:
        say("notice: the training captions are no longer where they were; the baselines need them and are left out")
    values, rows = result.as_dict(), result.rows(run)
    if against is not None:
        other = scored(against, beside=False)
        if other.store.paths != result.store.paths:
            raise UserError(f"{run} and {against} cannot read the same images; they cannot be compared")
        pair = paired_means("cider", result.scores.each_cider, other.scores.each_cider)
        values["against"] = {"run": against, **other.as_dict(), "comparison": pair.as_dict()}
        rows[1:1] = other.rows(against)
    table(run, ["", *COLUMNS], rows)
    table("", ["", "", ""], result.facts(), numbers=False)
    if against is not None:
        figures = (f"{pair.a:.2f}", f"{pair.b:.2f}", f"{pair.difference:+.2f}")
        interval = f"{pair.interval[0]:+.2f} to {pair.interval[1]:+.2f}"
        columns = ["", run, against, "difference", "95 % of resamples", "p"]
        table(
            f"paired bootstrap, {pair.samples} resamples",
            columns,
            [("CIDEr-D", *figures, interval, f"{pair.p_value:.3f}")],
        )
    if result.warning is not None:
        say(f"warning: {result.warning}")
    return values, result.predictions()
