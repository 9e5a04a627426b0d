"""``jumok info RUN``: what a run directory holds."""

import json
from typing import Annotated

import typer

from jumok.cli.console import table


def info(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run directory; `demo` is the one that ships; --shapes: or vit-b/16.")
    ],
    shapes: Annotated[
        bool, typer.Option("--shapes", help="Classifier: what each module makes of an image, its parameters and FLOPs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show a run: its model, parameters, scores, data, and the versions that made it."""
    from jumok.tasks.runs import describe_run

    if shapes:
        _shapes(run, as_json)
        return
    facts = describe_run(run)
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for part, values in facts.items():
        rows = values.items() if isinstance(values, dict) else [("", values)]
        table(part, ["", ""], rows, numbers=False)


def _shapes(run: str, as_json: bool) -> None:
    """Module by module; `run` may be the name of a preset too, as in ``vit-b/16``."""
    from jumok.tasks.classify_shapes import shape_rows

    title, rows = shape_rows(run)
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], indent=2))
        return
    cells = [
        (
            "  " * row.name.count(".") + (row.name or "(the model)"),
            row.kind,
            " x ".join(map(str, row.shape)),
            f"{row.parameters:,}" if row.parameters else "",
            f"{row.flops / 1e6:,.1f}" if row.flops else "",
        )
        for row in rows
    ]
    table(title, ["module", "kind", "output", "parameters", "MFLOPs"], cells)
