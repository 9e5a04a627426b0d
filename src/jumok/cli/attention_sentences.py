"""`jumok attention` of translators: sentences on one page, two models beside each other."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jumok.cli import options
from jumok.cli.attention_asked import Asked
from jumok.cli.console import say
from jumok.errors import UserError

if TYPE_CHECKING:
    from jumok.insight.viewer import AttentionView
    from jumok.tasks.translate_predict import Translator

MOST = 200  # sentences of one page


def sentences(asked: Asked, text: str | None) -> None:
    """Write the page of a sentence, or of those of a file, and what else was asked for.

    Raises `UserError` for what does not go together, and for a sentence that is longer than a page can hold.
    """
    from dataclasses import replace

    from jumok.insight.viewer import write_attention_page
    from jumok.tasks.translate_predict import Translator

    if asked.file is not None and asked.target is not None:
        raise UserError("--target is for one sentence; leave it out with --file")
    models = [Translator.load(name, device=asked.device) for name in asked.runs]
    if len({model.source for model in models}) > 1:
        first, rival = models
        raise UserError(
            f"{asked.run} reads {first.source}, but {asked.beside} {rival.source}; name runs of one language"
        )
    if asked.file is not None:
        lines = _lines(asked.file, models)
    elif text is not None:
        lines = [text]
    else:
        raise UserError("there is nothing to look at; give a sentence, or --file with one a line")
    look = _look(asked, models)
    shown = asked.shown(lines, look, "sentences")
    written = shown[0][0].output_text  # at every step, so that the rows are the same
    film = asked.filmed(models[0].models[0], lambda: look(lines[0], written)[0])
    sides = [list(views) for views in zip(*shown, strict=True)]
    if asked.beside is not None:  # beside each other they need their names
        named = zip(asked.runs, sides, strict=True)
        sides = [[replace(view, model=f"{run}: {view.model}") for view in views] for run, views in named]
    title = sides[0][0].source_text if asked.file is None else asked.file.name
    width = len(str(len(shown)))
    asked.keep([f"{number:0{width}}" for number in range(1, len(shown) + 1)], zip(*sides, strict=True))
    write_attention_page(asked.output, sides[0], title, sides[1] if asked.beside is not None else None)
    for views in shown:
        typer.echo("\t".join(view.output_text for view in views))
    asked.wrote(film)


def _look(asked: Asked, models: "list[Translator]") -> "Callable[..., list[AttentionView]]":
    """What each model sees in a line, while it writes its own translation, or a given one."""
    from jumok.tasks.translate_attention import attention_view

    searches = [options.search_options(model.options, beam=asked.beam, n_best=1) for model in models]

    def look(line: str, target: str | None = asked.target) -> "list[AttentionView]":
        return [
            attention_view(model, run, line, target, search, choice=asked.choice, window=asked.window)
            for run, model, search in zip(asked.runs, models, searches, strict=True)
        ]

    return look


def _lines(file: Path, models: "list[Translator]") -> list[str]:
    """The sentences of a file that every model can read, at most `MOST`; what is left out is counted."""
    from jumok.data.text import read_lines

    given = read_lines(file).lines
    lines = [line for line in given if all(model.read(line) for model in models)]
    if not lines:
        raise UserError(f"{file} holds no sentence to look at")
    if len(lines) < len(given):
        say(f"skipped {len(given) - len(lines)} empty lines of {file}")
    if len(lines) > MOST:
        say(f"a page shows {MOST} sentences; cut {len(lines) - MOST} of {file}")
    return lines[:MOST]
