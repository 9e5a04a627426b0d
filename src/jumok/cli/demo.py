"""``jumok demo``: the main job from nothing, on generated data, in under three minutes."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli.console import Bar, say, table, writable
from jumok.cli.train import run_training


def demo(
    assignments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="run=DIR, or any other key of the demo's recipe."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The attention page to write.")] = Path(
        "attention.html"
    ),
) -> None:
    """Train a small translator of written dates, times and amounts, and show what it learnt.

    Writes the data (runs/demo-data), the run (runs/demo) and attention.html. An earlier demo's run is replaced; a run
    that is not a demo's is left alone, with an error.
    """
    from jumok.insight.viewer import write_attention_page
    from jumok.tasks.translate_demo import prepare, show

    writable(output)
    recipe = prepare(assignments or [], say)
    run_training(recipe, resume=False, again=shlex.join(["jumok", "demo", *(assignments or [])]))
    with Bar("translating what it never saw") as bar:
        shown = show(recipe, bar.advance)
    table("sentences it never saw", ["written", "translation", "reference"], shown.examples, numbers=False)
    typer.echo(f"alignment: {shown.alignment:.1f} (target pieces where {shown.layer} looked at the right words)")
    typer.echo(f"exact match: {shown.exact:.1f}")
    write_attention_page(output, [shown.view], shown.view.source_text)
    say(f"wrote {output.resolve()}: what the model looked at in one sentence; open it in a browser")
