"""``jumok data check`` and ``jumok data sample``: look at data before training, or write some."""

from pathlib import Path
from typing import Annotated

import typer

from jumok.cli.console import say
from jumok.errors import UserError


def check(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="One sentence a line; .gz is read too.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Their translations, line by line.")],
    test_source: Annotated[Path | None, typer.Option(help="Held-out sentences: are some of them in SOURCE?")] = None,
    test_target: Annotated[Path | None, typer.Option(help="Their translations.")] = None,
) -> None:
    """Report what is in a pair of files: counts, empty sides, duplicates, overlap, lengths, what would be dropped."""
    from jumok.data.report import check as report
    from jumok.data.text import Corpus, read_lines, read_pair

    if test_target is not None and test_source is None:
        raise UserError("--test-target stands alone; give --test-source too")
    held_out = []
    if test_source is not None and test_target is not None:
        held_out = [read_pair(test_source, test_target, name="test")]
    elif test_source is not None:
        lines = read_lines(test_source)
        held_out = [Corpus(lines.lines, lines.lines, "test", (lines.path,), lines.changed)]
    typer.echo(report(read_pair(source, target), held_out).text())
    typer.echo("a training also leaves out what is longer than its data.max_length, counted in its own pieces")


def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write; made if missing.")],
    seed: Annotated[int, typer.Option(help="Another seed writes other sentences.")] = 1,
) -> None:
    """Write generated data as a user would have it: parallel text with train, val and test parts."""
    from jumok.data.sample import write_sample

    for line in write_sample(folder, seed=seed):
        say(line)
