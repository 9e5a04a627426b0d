"""The branch of ``jumok evaluate`` for sentence encoders."""

from pathlib import Path
from typing import Any

from jumok.cli.console import Bar, say, table
from jumok.cli.options import ImagePrecision
from jumok.errors import UserError


def evaluate_embedder(
    run: str, sts: Path, *, against: str | None, precision: ImagePrecision, device: str
) -> tuple[dict[str, Any], str]:
    """The scores of a sentence encoder as plain values, and the cosine of every pair."""
    from jumok.data.graded import read_graded
    from jumok.tasks.embed_evaluate import Evaluation
    from jumok.tasks.embed_evaluate import evaluate as score
    from jumok.tasks.embed_predict import SentenceEmbedder

    pairs = read_graded(sts)
    _ = pairs.grades  # a file without scores is refused before a model is loaded

    def scored(name: str) -> Evaluation:
        embedder = SentenceEmbedder.load(name, precision=precision.value, device=device)
        with Bar(f"embedding with {name}", total=2 * len(pairs)) as bar:
            return score(embedder, pairs, bar.advance)

    result = scored(run)
    values, rows = result.as_dict(), result.rows()
    for notice in pairs.notices:
        say(f"notice: {notice}")
    if pairs.empty or pairs.outside:
        say(
            f"notice: {pairs.empty + pairs.outside:,} pairs are left out: {pairs.empty:,} with an empty side, "
            f"{pairs.outside:,} with a score that is not within {pairs.low:g} to {pairs.high:g}"
        )
    if result.long:
        say(f"warning: {result.long:,} sentences were longer than the model and cut")
    if against is not None:
        other = scored(against)
        values["against"] = {"run": against, **other.as_dict()}
        rows.insert(1, (against, *other.rows()[0][1:]))
    title = f"{run}: {len(pairs):,} pairs of {sts.name}"
    table(title, ["", "Spearman x 100", "Pearson x 100"], rows)
    lines = (
        f"{cosine:.6f}\t{a}\t{b}\n" for cosine, a, b in zip(result.similarities, pairs.lefts, pairs.rights, strict=True)
    )
    return values, "".join(lines)


def checked(run: str, sts: Path | None, others: tuple[object, ...]) -> Path:
    """The file of pairs. Raises `UserError` where it is missing, or an option of another job stands beside it."""
    if sts is None or any(option is not None for option in others):
        raise UserError(
            f"{run} is a sentence encoder; score it with --sts FILE (STS-B's .csv, KorSTS' .tsv, SICK's .txt)"
        )
    return sts
