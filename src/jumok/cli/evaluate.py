"""``jumok evaluate RUN``: scores that can be trusted, as a table and as JSON, of a translator or of a classifier."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from jumok.cli import options
from jumok.cli.comparison import comparison_table
from jumok.cli.console import Bar, table, writable
from jumok.errors import UserError
from jumok.files import atomic_write


def evaluate(
    run: options.RunPath,
    source: Annotated[Path | None, typer.Option(help="Translator: sentences to translate; .gz is read too.")] = None,
    target: Annotated[Path | None, typer.Option(help="Translator: their references, line by line.")] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Classifier: a folder of class folders, or a .csv / .jsonl of path and label. Reader: the folder that "
            "the files of --labels lie in, or an LMDB. Captioner: the folder that the paths of --captions start from."
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Reader: the words of --images, lines of file, tab, text (or .csv, .jsonl).")
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="Captioner: images with captions, .jsonl, COCO's .json, or .csv.")
    ] = None,
    sts: Annotated[
        Path | None,
        typer.Option(help="Sentence encoder: graded pairs, STS-B's .csv, KorSTS' .tsv, SICK's .txt, .jsonl."),
    ] = None,
    mistakes: Annotated[
        Path | None, typer.Option(metavar="PAGE", help="Reader: write a page of the worst mistakes there.")
    ] = None,
    rotations: Annotated[
        bool, typer.Option("--rotations", help="Reader, tall crops: try them turned by 90 and 270 degrees too.")
    ] = False,
    image_root: Annotated[Path | None, typer.Option(help="Classifier: where the paths of a list start from.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the scores there as JSON.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the outputs there: translations, each image's class, ..."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="RUN2", help="A second run: is the difference real? (bootstrap, McNemar)")
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
    """Score a run on files: a translator by BLEU, chrF and exact matches, a classifier by top-1, top-5 and calibration.

    A reader by words read right and CER, a captioner by CIDEr-D, BLEU and ROUGE-L, a sentence encoder by Spearman's and
    Pearson's correlation with people's grades. All on 0-100 but the calibration error (0-1) and CIDEr-D (0-1000).
    """
    from jumok.tasks.runs import task_of

    for path in (json_path, output, mistakes):
        writable(path)
    job = task_of(run)
    asked = {
        "beam": beam,
        "length_penalty": length_penalty,
        "max_length": max_length,
        "min_length": min_length,
        "no_repeat_ngram": no_repeat_ngram,
    }
    if job == "classify":
        if images is None or source is not None or target is not None:
            raise UserError(f"{run} is a classifier; score it with --images FOLDER (class folders, .csv or .jsonl)")
        values, lines = _images(run, images, image_root, against, precision, device)
    elif job == "read":
        from jumok.cli.evaluate_read import evaluate_reader

        words = labels or images
        if words is None or source is not None or target is not None:
            raise UserError(f"{run} is a reader; score it with --images DIR --labels LABELS.tsv (file, tab, text)")
        values, lines = evaluate_reader(
            run,
            words,
            images if labels else None,
            against=against,
            mistakes=mistakes,
            beam=beam,
            rotations=rotations,
            precision=options.image_precision(precision),
            device=device,
        )
    elif job == "caption":
        from jumok.cli.evaluate_caption import evaluate_captioner

        if captions is None or source is not None or target is not None:
            raise UserError(f"{run} is a captioner; score it with --captions FILE.jsonl [--images DIR]")
        exact = options.image_precision(precision)
        values, lines = evaluate_captioner(
            run, captions, images, against=against, search=asked, precision=exact, device=device
        )
    elif job == "embed":
        from jumok.cli.evaluate_embed import checked, evaluate_embedder

        pairs = checked(run, sts, (source, target, images, labels, captions))
        exact = options.image_precision(precision)
        values, lines = evaluate_embedder(run, pairs, against=against, precision=exact, device=device)
    else:
        if images is not None or source is None or target is None:
            raise UserError(f"{run} is a run of the task {job}; score it with --source FILE --target FILE")
        values, lines = _text(run, source, target, against, asked, batch_tokens, precision, device)
    if output is not None:
        atomic_write(output, lines)
    if json_path is not None:
        atomic_write(json_path, json.dumps(values, ensure_ascii=False, indent=2) + "\n")


def _text(
    run: str,
    source: Path,
    target: Path,
    against: str | None,
    search: Mapping[str, object],
    batch_tokens: int,
    precision: options.Precision,
    device: str,
) -> tuple[dict[str, Any], str]:
    """The scores of a translator as plain values, and its translations."""
    from jumok.data.text import read_pair
    from jumok.metrics.text import paired_bootstrap
    from jumok.tasks.translate_evaluate import Evaluation
    from jumok.tasks.translate_evaluate import evaluate as score
    from jumok.tasks.translate_predict import Translator

    names = [run] if against is None else [run, against]
    translators = [Translator.load(name, precision=precision.value, device=device) for name in names]
    corpus = read_pair(source, target, translators[0].normalize)
    if corpus.changed:
        typer.echo(f"{corpus.changed:,} lines were not in the Unicode normal form NFC and were brought to it", err=True)

    def scored(name: str, translator: Translator) -> Evaluation:
        asked = options.search_options(translator.options, n_best=1, sample=False, **search)
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
    return values, "".join(line + "\n" for line in result.hypotheses)


def _images(
    run: str, source: Path, root: Path | None, against: str | None, precision: options.Precision, device: str
) -> tuple[dict[str, Any], str]:
    """The scores of a classifier as plain values, and what it takes each image for."""
    from jumok.metrics.classes import mcnemar
    from jumok.tasks.classify_evaluate import Evaluation, labelled
    from jumok.tasks.classify_evaluate import evaluate as score
    from jumok.tasks.classify_predict import Classifier

    def scored(name: str) -> Evaluation:
        classifier = Classifier.load(name, precision=options.image_precision(precision).value, device=device)
        found = labelled(source, classifier, root)
        with Bar(f"classifying with {name}", total=len(found)) as bar:
            return score(classifier, found, advance=bar.advance)

    result = scored(run)
    values = result.as_dict()
    table(run, ["", "score", "what it is"], result.rows(), numbers=False)
    table("by class", ["", "images", "recall", "precision", "F1", "most often taken for"], result.class_rows())
    if against is not None:
        other = scored(against)
        if other.classes != result.classes or other.paths != result.paths:
            raise UserError(f"{run} and {against} do not know the same classes; they cannot be compared")
        pair = mcnemar(result.right, other.right)
        values["against"] = {"run": against, **other.as_dict(), "comparison": pair.as_dict()}
        comparison_table(f"the same {pair.images:,} images", run, against, {"top-1": pair})
    return values, result.predictions()
