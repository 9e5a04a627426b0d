"""``jumok attention RUN INPUT -o attention.html``: which word, or which patch of a photo, a model looked at."""

from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.console import say, writable
from jumok.errors import UserError


def attention(
    run: options.RunPath,
    looked_at: Annotated[
        str,
        typer.Argument(
            metavar="TEXT_OR_PHOTO", help="The sentence to translate, or the image to classify, caption or read."
        ),
    ],
    second: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Sentence encoder: the other sentence; why are they near?")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("attention.html"),
    target: Annotated[
        str | None, typer.Option(help="Look at this translation, or caption, instead of the model's.")
    ] = None,
    beam: options.Beam = None,
    resnet: Annotated[
        str | None,
        typer.Option(metavar="RUN2", help="Photo: a ResNet to set beside, filters and receptive field."),
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Write a page that shows the attention of every layer and head for one sentence or one photo.

    For a captioner's photo the page shows, word by word, where the model looked; of a reader, character by character.
    Of a sentence encoder it shows what each pair of words adds to the cosine of two sentences.
    For photos the figures are written as PNG too, into a folder beside the page.
    """
    from jumok.tasks.runs import task_of

    writable(output)
    job = task_of(run)
    if job == "embed":
        if second is None or target is not None or beam is not None or resnet is not None:
            raise UserError(f"{run} is a sentence encoder; give two sentences and no other option of other jobs")
        _pair(run, looked_at, second, output, device)
        return
    if second is not None:
        raise UserError(f"{run} is a run of the task {job}, which looks at one thing; leave {second!r} out")
    if job == "classify":
        if target is not None or beam is not None:
            raise UserError("--target and --beam are for translators; leave them out for a classifier")
        _photo(run, Path(looked_at), output, resnet, device)
    elif resnet is not None:
        raise UserError("--resnet is for a classifier's photos; leave it out")
    elif job == "read":
        _word(run, Path(looked_at), output, target, beam, device)
    elif job == "caption":
        _caption(run, Path(looked_at), output, target, beam, device)
    else:
        _sentence(run, looked_at, output, target, beam, device)


def _sentence(run: str, text: str, output: Path, target: str | None, beam: int | None, device: str) -> None:
    from jumok.insight.viewer import write_attention_page
    from jumok.tasks.translate_predict import Translator

    translator = Translator.load(run, device=device)
    view = translator.attention(text, target, options.search_options(translator.options, beam=beam, n_best=1))
    write_attention_page(output, [view], view.source_text)
    typer.echo(view.output_text)
    say(f"wrote {output}")


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
