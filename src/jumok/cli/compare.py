"""``jumok compare RECIPE run=DIR``: the laboratory."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from jumok.cli.console import say
from jumok.cli.train import print_keys


def compare(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML file: recipes/compare.yaml.")],
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys to change: run=lab seeds=[1].")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print every key, its value and meaning; end.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small versions of all experiments: minutes.")] = False,
) -> None:
    """Measure here what recurrence loses and attention mends: report.html, figures/ and results.json in run=DIR."""
    from jumok.config import override, parse, read_recipe
    from jumok.lab.compare import CompareRecipe
    from jumok.lab.compare import compare as work

    changes = [*(assignments or []), *(["quick=true"] if quick else [])]
    values = override(read_recipe(recipe), changes)
    if explain:
        print_keys(CompareRecipe, values, recipe)
        return
    parsed = parse(CompareRecipe, values, f"{recipe} with {' '.join(changes)}" if changes else str(recipe))
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        done = work(parsed, say)
    except KeyboardInterrupt:
        say(f"stopped; what is finished stays in {parsed.run}; the same command goes on from there")
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)
    say(f"the report is {done.page}")
    for title, why in done.failed.items():
        say(f"failed: {title}: {why}")
    if done.failed:
        raise typer.Exit(1)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # SIGTERM as Ctrl-C: what is finished is kept, the workers end
