"""`jumok attention` of sentence encoders: why two sentences are near, for a pair or a file of them."""

import typer

from jumok.cli.attention_asked import Asked
from jumok.cli.console import say
from jumok.errors import UserError


def pairs(asked: Asked, first: str | None, second: str | None) -> None:
    """Write the page of a pair of sentences, or of those of a file. Raises `UserError` if there is none."""
    from jumok.insight.gallery import Gallery
    from jumok.insight.pair_viewer import PairView, pair_page, write_pair_page
    from jumok.tasks.embed_attention import pair_view
    from jumok.tasks.embed_predict import SentenceEmbedder

    given = _pairs(asked, first, second)
    models = [SentenceEmbedder.load(name, device=asked.device) for name in asked.runs]

    def look(pair: tuple[str, str]) -> list[PairView]:
        return [
            pair_view(model, *pair, run=run, choice=asked.choice, window=asked.window)
            for run, model in zip(asked.runs, models, strict=True)
        ]

    shown = asked.shown(given, look, "pairs")
    film = asked.filmed(models[0].model, lambda: look(given[0])[0])
    names = [" · ".join(views[0].texts) for views in shown]
    title = names[0] if asked.file is None else asked.file.name
    asked.keep([str(number) for number in range(1, len(shown) + 1)], shown)
    if asked.beside is None:
        write_pair_page(asked.output, [view for (view,) in shown], title)
    else:
        gallery = Gallery(asked.runs, "pair")
        for name, views in zip(names, shown, strict=True):
            gallery.add(name, [pair_page([view], title) for view in views])
        gallery.write(asked.output, title)
    for views in shown:
        typer.echo("\t".join(f"{view.similarity:.4f}" for view in views))
    asked.wrote(film)


def _pairs(asked: Asked, first: str | None, second: str | None) -> list[tuple[str, str]]:
    if asked.file is None:
        if first is None or second is None:
            raise UserError(f"{asked.run} is a sentence encoder; give two sentences, or --file with two a line")
        return [(first, second)]
    from jumok.data.text import read_lines

    found = []
    lines = read_lines(asked.file).lines
    for number, line in enumerate(lines, 1):
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) == 2 and all(parts):
            found.append((parts[0], parts[1]))
        elif any(parts):
            raise UserError(f"{asked.file}:{number}: {len(parts)} columns; write two sentences with a tab between them")
    if not found:
        raise UserError(f"{asked.file} holds no pair of sentences to look at")
    if len(found) < len(lines):
        say(f"skipped {len(lines) - len(found)} empty lines of {asked.file}")
    return found
