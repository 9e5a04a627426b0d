"""``jumok attention RUN "Ein Mann schläft." -o attention.html``: which word looked at which."""

from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.console import writable


def attention(
    run: options.RunPath,
    text: Annotated[str, typer.Argument(help="The sentence to translate.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("attention.html"),
    target: Annotated[str | None, typer.Option(help="Look at this translation instead of the model's own.")] = None,
    beam: options.Beam = None,
    device: options.Device = "auto",
) -> None:
    """Write a page that shows the attention of every layer and head for one sentence."""
    from jumok.insight.viewer import write_attention_page
    from jumok.tasks.translate_predict import Translator

    writable(output)
    translator = Translator.load(run, device=device)
    view = translator.attention(text, target, options.search_options(translator.options, beam=beam, n_best=1))
    write_attention_page(output, [view], view.source_text)
    typer.echo(view.output_text)
    typer.echo(f"wrote {output}", err=True)
