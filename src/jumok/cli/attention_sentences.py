"""`jumok attention` of translators: sentences on one page, two models beside each other, a film of a training."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jumok.cli import options
from jumok.cli.attention_asked import Asked
from jumok.cli.console import Bar, say
from jumok.errors import UserError

if TYPE_CHECKING:
    from jumok.insight.viewer import AttentionView
    from jumok.insight.window import Window
    from jumok.tasks.translate_predict import Translator

MOST = 200  # sentences of one page


def sentences(asked: Asked, text: str | None, window: str | None, film: Path | None) -> None:
    """Write the page of a sentence, or of those of a file, and what else was asked for.

    Raises `UserError` for what does not go together, and for a sentence that is longer than a page can hold.
    """
    from dataclasses import replace

    from jumok.insight.viewer import write_attention_page
    from jumok.insight.window import read_window
    from jumok.tasks.translate_predict import Translator

    for option, value in (("--target", asked.target), ("--window", window), ("--film", film)):
        if asked.file is not None and value is not None:
            raise UserError(f"{option} is for one sentence; leave it out with --file")
    if film is not None and asked.beside is not None:
        raise UserError("--film is of the training of one run; leave --with out")
    part = None if window is None else read_window("--window", window)
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
    shown = _views(asked, models, lines, part)
    film_made = None if film is None else _film(asked, models[0], shown[0][0], text or "", part)
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
    asked.wrote()
    if film is not None and film_made is not None:
        from jumok.files import atomic_write

        atomic_write(film, film_made[1])
        say(f"wrote {film}: {film_made[0]} saved steps")


def _views(
    asked: Asked, models: "list[Translator]", lines: list[str], window: "Window | None"
) -> "list[list[AttentionView]]":
    """What each model saw in each line, as many as a page can hold."""
    from jumok.insight.viewer import LARGEST
    from jumok.insight.window import fitting
    from jumok.tasks.translate_attention import attention_view

    searches = [options.search_options(model.options, beam=asked.beam, n_best=1) for model in models]
    shown: list[list[AttentionView]] = []
    room = LARGEST
    with Bar("looking", total=len(lines)) as bar:
        for line in lines:
            views = [
                attention_view(model, run, line, asked.target, search, choice=asked.choice, window=window)
                for run, model, search in zip(asked.runs, models, searches, strict=True)
            ]
            room -= sum(view.size for view in views)
            if room < 0:
                break
            shown.append(views)
            bar.advance(1)
    if not shown:
        longest = max(max(len(view.source), len(view.target)) for view in views)
        first = 1 if window is None else window[0]
        last = first + fitting(views, LARGEST) - 1
        raise UserError(
            f"{longest} tokens are {LARGEST - room:,} weights, more than a page can hold ({LARGEST:,}); look at a part "
            f"of them with --window {first}-{last}, or at some layers or heads (--layers, --heads)"
        )
    if len(shown) < len(lines):
        say(f"a page holds {LARGEST:,} weights; cut {len(lines) - len(shown)} of {len(lines)} sentences")
    return shown


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


def _film(
    asked: Asked, translator: "Translator", view: "AttentionView", line: str, window: "Window | None"
) -> tuple[int, bytes]:
    """How many saved steps there are, and the film of them."""
    from jumok.insight import film
    from jumok.tasks.translate_attention import training_film

    made = training_film(translator, asked.run, line, view.output_text, choice=asked.choice, window=window, warn=say)
    return len(made.frames), film.training_film(made.frames, made.rows, made.keys)
