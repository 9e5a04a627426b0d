"""``jumok attention RUN INPUT -o attention.html``: which word, or which patch of a photo, a model looked at."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jumok.cli import options
from jumok.cli.console import say, writable
from jumok.errors import UserError

if TYPE_CHECKING:
    from jumok.tasks.translate_predict import Translator

MOST = 200  # sentences of one page
_PHOTOS = ("classify", "caption", "read")


def attention(
    run: options.RunPath,
    looked_at: Annotated[
        str | None,
        typer.Argument(
            metavar="[TEXT_OR_PHOTO]", help="The sentence to translate, or the image to classify, caption or read."
        ),
    ] = None,
    second: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Sentence encoder: the other sentence; why are they near?")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("attention.html"),
    target: Annotated[
        str | None, typer.Option(help="Look at this translation, or caption, instead of the model's.")
    ] = None,
    beam: options.Beam = None,
    beside: Annotated[
        str | None, typer.Option("--with", metavar="RUN2", help="Translator: another run to see on the same sentences.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="INPUTS", help="Translator: sentences to look at, one a line.")
    ] = None,
    resnet: Annotated[
        str | None,
        typer.Option(metavar="RUN2", help="Photo: a ResNet to set beside, filters and receptive field."),
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Write a page that shows the attention of every layer and head for one sentence or one photo.

    Of a translator it may show many sentences (--file), and another run beside it (--with).
    For a captioner's photo the page shows, word by word, where the model looked; of a reader, character by character.
    Of a sentence encoder it shows what each pair of words adds to the cosine of two sentences.
    For photos the figures are written as PNG too, into a folder beside the page.
    """
    from jumok.tasks.runs import task_of

    writable(output)
    job = task_of(run)
    if job in ("embed", *_PHOTOS) and (beside is not None or file is not None):
        raise UserError(f"--with and --file are for translators, and {run} is a run of the task {job}; leave them out")
    if job == "embed":
        if looked_at is None or second is None or target is not None or beam is not None or resnet is not None:
            raise UserError(f"{run} is a sentence encoder; give two sentences and no other option of other jobs")
        _pair(run, looked_at, second, output, device)
        return
    if second is not None:
        raise UserError(f"{run} is a run of the task {job}, which looks at one thing; leave {second!r} out")
    if job not in _PHOTOS:
        if resnet is not None:
            raise UserError("--resnet is for a classifier's photos; leave it out")
        _sentences(run, looked_at, file, beside, output, target, beam, device)
        return
    if looked_at is None:
        raise UserError(f"{run} is a run of the task {job}; give the image to look at")
    if job == "classify":
        if target is not None or beam is not None:
            raise UserError("--target and --beam are for translators; leave them out for a classifier")
        _photo(run, Path(looked_at), output, resnet, device)
    elif resnet is not None:
        raise UserError("--resnet is for a classifier's photos; leave it out")
    elif job == "read":
        _word(run, Path(looked_at), output, target, beam, device)
    else:
        _caption(run, Path(looked_at), output, target, beam, device)


def _sentences(
    run: str,
    text: str | None,
    file: Path | None,
    rival: str | None,
    output: Path,
    target: str | None,
    beam: int | None,
    device: str,
) -> None:
    from jumok.insight.viewer import write_attention_page
    from jumok.tasks.translate_predict import Translator

    if text is not None and file is not None:
        raise UserError("both a sentence and --file say what to look at; give one of them")
    if file is not None and target is not None:
        raise UserError("--target is the translation of one sentence; leave it out with --file")
    names = [run] if rival is None else [run, rival]
    models = [Translator.load(name, device=device) for name in names]
    if len({model.source for model in models}) > 1:
        raise UserError(f"{run} reads {models[0].source}, but {rival} {models[1].source}; name runs of one language")
    if file is not None:
        lines = _lines(file, models)
    elif text is not None:
        lines = [text]
    else:
        raise UserError("there is nothing to look at; give a sentence, or --file with one a line")
    shown = []
    for name, model in zip(names, models, strict=True):
        asked = options.search_options(model.options, beam=beam, n_best=1)
        views = [model.attention(line, target, asked) for line in lines]
        # beside each other they need their names
        shown.append(views if rival is None else [replace(view, model=f"{name}: {view.model}") for view in views])
    title = shown[0][0].source_text if file is None else file.name
    write_attention_page(output, shown[0], title, shown[1] if rival is not None else None)
    for sides in zip(*shown, strict=True):
        typer.echo("\t".join(view.output_text for view in sides))
    say(f"wrote {output}")


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


def _pair(run: str, first: str, second: str, output: Path, device: str) -> None:
    from jumok.insight.pair_viewer import write_pair_page
    from jumok.tasks.embed_attention import pair_view
    from jumok.tasks.embed_predict import SentenceEmbedder

    view = pair_view(SentenceEmbedder.load(run, device=device), first, second)
    write_pair_page(output, [view], f"{view.texts[0]} · {view.texts[1]}")
    typer.echo(f"{view.similarity:.4f}")
    say(f"wrote {output}")


def _photo(run: str, photo: Path, output: Path, resnet: str | None, device: str) -> None:
    from jumok.insight.image_viewer import write_image_page
    from jumok.tasks.classify_attention import attention_view
    from jumok.tasks.classify_predict import Classifier

    rival = None if resnet is None else Classifier.load(resnet, device=device)
    view = attention_view(Classifier.load(run, device=device), photo, resnet=rival)
    figures = write_image_page(output, view, photo.name)
    for name, probability in view.predictions:
        typer.echo(f"{name}\t{probability:.4f}")
    say(f"wrote {output}, and its figures as PNG in {figures}")


def _caption(run: str, photo: Path, output: Path, target: str | None, beam: int | None, device: str) -> None:
    from jumok.insight.caption_viewer import write_caption_page
    from jumok.tasks.caption_attention import attention_view
    from jumok.tasks.caption_predict import Captioner

    captioner = Captioner.load(run, device=device)
    asked = options.search_options(captioner.options, beam=beam, n_best=1)
    view = attention_view(captioner, photo, target, asked)
    figures = write_caption_page(output, view, photo.name)
    typer.echo(view.caption)
    say(f"wrote {output}, and its figure as PNG in {figures}")


def _word(run: str, crop: Path, output: Path, target: str | None, beam: int | None, device: str) -> None:
    from jumok.insight.caption_viewer import write_caption_page
    from jumok.tasks.read_attention import attention_view
    from jumok.tasks.read_predict import Reader

    view = attention_view(Reader.load(run, device=device), crop, target, beam=beam)
    figures = write_caption_page(output, view, crop.name)
    typer.echo(view.caption)
    say(f"wrote {output}, and its figure as PNG in {figures}")
