"""``jumok info RUN``: what a run directory holds."""

import json
from typing import Annotated

import typer

from jumok.cli.console import table


def info(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run directory; `demo` is the one that ships.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show a run: its model, parameters, scores, data, and the versions that made it."""
    from jumok.tasks.runs import describe_run

    facts = describe_run(run)
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for part, values in facts.items():
        rows = values.items() if isinstance(values, dict) else [("", values)]
        table(part, ["", ""], rows, numbers=False)
