"""``jumok attention RUN INPUT -o attention.html``: which word, or which patch of a photo, a model looked at."""

from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.attention_asked import Asked, room_for
from jumok.cli.console import writable
from jumok.errors import UserError

_PHOTOS = ("classify", "caption", "read")
# jobs that an option is for; those that are not here are for all
_ONLY = {
    "--target": ("translate", "caption", "read"),
    "--beam": ("translate", "caption", "read"),
    "--window": ("translate", "embed"),
}


def attention(
    run: options.RunPath,
    looked_at: Annotated[
        str | None,
        typer.Argument(
            metavar="[INPUT]",
            help="The sentence to translate; the image to classify, caption or read, or a folder of images.",
        ),
    ] = None,
    second: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Sentence encoder: the other sentence; why are they near?")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("attention.html"),
    beside: Annotated[
        str | None,
        typer.Option(
            "--with",
            metavar="RUN2",
            help="Another run of the same task, to see beside it on the same inputs; beside a ViT also a ResNet, whose "
            "filters and receptive field join the figures.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="INPUTS",
            help="Look at each line: a sentence; an image, its path relative to the file; two sentences with a tab.",
        ),
    ] = None,
    layers: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Only these layers, as in 1,3-4. [default: all]")
    ] = None,
    heads: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Only these heads of each layer. [default: all]")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="FIRST-LAST", help="Translator, sentence encoder: only these tokens of a long text, as in 101-200."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Look at this translation, caption or word instead of the model's.")
    ] = None,
    beam: options.Beam = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write maps.npz there, and figures as PNG and SVG; of --heads each."),
    ] = None,
    film: Annotated[
        Path | None,
        typer.Option(
            metavar="GIF", help="Also write a film of what is seen of one input, at each saved step of the training."
        ),
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Write a page that shows the attention of every layer and head, for a sentence, a photo, or many of them.

    Of a captioner's photo it shows word by word where the model looked; of a reader's, character by character; of a
    sentence encoder what each pair of words adds to the cosine of two sentences. For one photo the figures are written
    as PNG too, into a folder beside the page.
    """
    from jumok.insight.choice import Choice
    from jumok.insight.window import read_window
    from jumok.tasks.runs import task_of

    for path in (output, film):
        writable(path)
    room_for(save)
    job = task_of(run)
    given = {"--target": target, "--beam": beam, "--window": window}
    for option, value in given.items():
        if value is not None and job not in _ONLY[option]:
            raise UserError(f"{option} is for the tasks {', '.join(_ONLY[option])}, but {run} is a run of {job}")
    for option, one in (("--window", window), ("--film", film)):
        if file is not None and one is not None:
            raise UserError(f"{option} is for one input; leave it out with --file")
    if film is not None and beside is not None:
        raise UserError("--film is of the training of one run; leave --with out")
    if beside is not None and (other := task_of(beside)) != job:
        raise UserError(f"{run} is a run of the task {job}, but {beside} one of {other}; name two runs of one task")
    if second is not None and job != "embed":
        raise UserError(f"{run} is a run of the task {job}, which looks at one thing; leave {second!r} out")
    choice = Choice.parse(layers, heads)
    part = None if window is None else read_window("--window", window)
    asked = Asked(run, beside, file, output, save, target, beam, choice, part, film, device)
    if looked_at is not None and file is not None:
        raise UserError(f"both {looked_at!r} and --file say what to look at; give one of them")
    if job in _PHOTOS:
        from jumok.cli.attention_photos import photos

        photos(asked, job, looked_at)
    elif job == "embed":
        from jumok.cli.attention_pairs import pairs

        pairs(asked, looked_at, second)
    else:
        from jumok.cli.attention_sentences import sentences

        sentences(asked, looked_at)
