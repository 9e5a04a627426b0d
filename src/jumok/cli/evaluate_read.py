"""The branch of ``jumok evaluate`` for readers."""

from pathlib import Path
from typing import Any

from jumok.cli.comparison import comparison_table
from jumok.cli.console import Bar, say, table
from jumok.cli.options import ImagePrecision
from jumok.errors import UserError


def evaluate_reader(
    run: str,
    labels: Path,
    images: Path | None,
    *,
    against: str | None,
    mistakes: Path | None,
    beam: int | None,
    rotations: bool,
    precision: ImagePrecision,
    device: str,
) -> tuple[dict[str, Any], str]:
    """The scores of a reader as plain values, and what it reads."""
    from jumok.data.word_images import read_labelled_words
    from jumok.metrics.classes import mcnemar
    from jumok.tasks.read_evaluate import Evaluation
    from jumok.tasks.read_evaluate import evaluate as score
    from jumok.tasks.read_predict import Reader

    words = read_labelled_words(labels, images)

    def scored(name: str) -> Evaluation:
        reader = Reader.load(name, precision=precision.value, device=device)
        with Bar(f"reading with {name}", total=len(words)) as bar:
            return score(reader, words, beam=beam, rotations=rotations, advance=bar.advance)

    result = scored(run)
    say(result.report.text())
    values = result.as_dict()
    table(run, ["", "score", "what it is"], result.rows(), numbers=False)
    table("by length of the label", ["characters", "words", "word accuracy", "CER"], result.length_rows())
    table("by confidence", ["confidence", "words", "mean", "word accuracy"], result.confidence_rows())
    if against is not None:
        other = scored(against)
        if other.store.paths != result.store.paths:
            raise UserError(f"{run} and {against} cannot read the same images; they cannot be compared")
        pairs = {
            "word accuracy": (result.scores.right, other.scores.right),
            "word accuracy 36": (result.scores.right_36, other.scores.right_36),
        }
        found = {name: mcnemar(*pair) for name, pair in pairs.items() if pair[0].size}
        values["against"] = {
            "run": against,
            **other.as_dict(),
            "comparisons": {name.replace(" ", "_"): pair.as_dict() for name, pair in found.items()},
        }
        comparison_table(f"the same {result.scores.words:,} words", run, against, found)
    if mistakes is not None:
        count = result.write_mistakes(mistakes, f"{run} on {labels.name}")
        say(f"wrote {mistakes}, the {count:,} worst mistakes")
    return values, result.predictions()
