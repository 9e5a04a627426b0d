"""``jumok evaluate RUN --source a.de --target a.en``: BLEU and chrF that can be trusted, as a table and as JSON."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.console import Bar, table, writable


def evaluate(
    run: options.RunPath,
    source: Annotated[Path, typer.Option(help="Sentences to translate; .gz is read too.")],
    target: Annotated[Path, typer.Option(help="Their references, line by line; .gz is read too.")],
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the scores there as JSON.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the translations there.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="RUN2", help="A second run: is the difference real? (paired bootstrap)")
    ] = None,
    beam: options.Beam = None,
    length_penalty: options.LengthPenalty = None,
    max_length: options.MaxLength = None,
    min_length: options.MinLength = None,
    no_repeat_ngram: options.NoRepeatNgram = None,
    batch_tokens: options.BatchTokens = 4096,
    precision: options.PrecisionOption = options.Precision.fp32,
    device: options.Device = "auto",
) -> None:
    """Score a run on files: BLEU, chrF, exact matches, and BLEU by length; all on 0-100."""
    from jumok.data.text import read_pair
    from jumok.files import atomic_write
    from jumok.metrics.text import paired_bootstrap
    from jumok.tasks.translate_evaluate import Evaluation
    from jumok.tasks.translate_evaluate import evaluate as score
    from jumok.tasks.translate_predict import Translator

    for path in (json_path, output):
        writable(path)
    names = [run] if against is None else [run, against]
    translators = [Translator.load(name, precision=precision.value, device=device) for name in names]
    corpus = read_pair(source, target, translators[0].normalize)
    if corpus.changed:
        typer.echo(f"{corpus.changed:,} lines were not in the Unicode normal form NFC and were brought to it", err=True)

    def scored(name: str, translator: Translator) -> Evaluation:
        asked = options.search_options(
            translator.options,
            beam=beam,
            n_best=1,
            sample=False,
            length_penalty=length_penalty,
            max_length=max_length,
            min_length=min_length,
            no_repeat_ngram=no_repeat_ngram,
        )
        with Bar(f"translating with {name}", total=len(corpus)) as bar:
            return score(
                translator, corpus.sources, corpus.targets, asked, batch_tokens=batch_tokens, advance=bar.advance
            )

    result = scored(run, translators[0])
    values = result.as_dict()
    table(run, ["", "score", "by"], result.rows(), numbers=False)
    table("by source length", ["words", "lines", "BLEU", "chrF"], result.length_rows())
    if against is not None:
        other = scored(against, translators[1])
        pairs = paired_bootstrap(result.hypotheses, other.hypotheses, corpus.targets, translators[0].target)
        values["against"] = {"run": against, **other.as_dict(), "comparisons": [pair.as_dict() for pair in pairs]}
        rows = [
            (
                {"bleu": "BLEU", "chrf": "chrF"}[pair.metric],
                f"{pair.a:.2f}",
                f"{pair.b:.2f}",
                f"{pair.difference:+.2f}",
                f"{pair.interval[0]:+.2f} to {pair.interval[1]:+.2f}",
                f"{pair.p_value:.3f}",
            )
            for pair in pairs
        ]
        columns = ["", run, against, "difference", "95 % of resamples", "p"]
        table(f"paired bootstrap, {pairs[0].samples} resamples", columns, rows)
    if output is not None:
        atomic_write(output, "".join(line + "\n" for line in result.hypotheses))
    if json_path is not None:
        atomic_write(json_path, json.dumps(values, ensure_ascii=False, indent=2) + "\n")
