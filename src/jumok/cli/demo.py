"""``jumok demo [JOB]``: a job from nothing, on generated data, in minutes."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jumok.cli.console import Bar, say, table, writable
from jumok.cli.train import run_training
from jumok.errors import UserError

if TYPE_CHECKING:
    from jumok.tasks.caption import CaptionRecipe
    from jumok.tasks.classify import ClassifyRecipe
    from jumok.tasks.embed import EmbedRecipe
    from jumok.tasks.read import ReadRecipe
    from jumok.tasks.translate import TranslateRecipe


def demo(
    assignments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB] [KEY=VALUE]...", help="translate, classify, caption, read or embed; run=DIR, any key."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The attention page to write.")] = Path(
        "attention.html"
    ),
) -> None:
    """Train a small model on generated data, and show what it learnt: in under three minutes.

    translate (the default): dates, times and amounts as people write them; writes the data (runs/demo-data), the run
    (runs/demo) and attention.html. classify: shapes in pictures, in runs/demo-classify-data and runs/demo-classify.
    caption: sentences on scenes of coloured shapes, in runs/demo-caption-data and runs/demo-caption. read: words
    as on signs, in runs/demo-read-data and runs/demo-read, and no page. embed: sentences that mean the same, in
    runs/demo-embed-data and runs/demo-embed. An earlier demo's run is replaced; a run that
    is not a demo's is left alone, with an error.
    """
    from jumok.tasks.caption import CaptionRecipe
    from jumok.tasks.demo import NAMES, prepare
    from jumok.tasks.embed import EmbedRecipe
    from jumok.tasks.read import ReadRecipe
    from jumok.tasks.translate import TranslateRecipe

    given = list(assignments or [])
    name = given.pop(0) if given and "=" not in given[0] else "translate"
    job = next((job for job in NAMES if job == name), None)
    if job is None:
        raise UserError(f"there is no demo {name}; choose one of {', '.join(NAMES)}")
    writable(output)
    recipe = prepare(job, given, say)
    run_training(recipe, resume=False, again=shlex.join(["jumok", "demo", *(assignments or [])]))
    if isinstance(recipe, TranslateRecipe):
        _translated(recipe, output)
    elif isinstance(recipe, ReadRecipe):
        _read(recipe)
    elif isinstance(recipe, CaptionRecipe):
        _captioned(recipe, output)
    elif isinstance(recipe, EmbedRecipe):
        _embedded(recipe, output)
    else:
        _classified(recipe, output)


def _translated(recipe: "TranslateRecipe", output: Path) -> None:
    from jumok.insight.viewer import write_attention_page
    from jumok.tasks.translate_demo import show

    with Bar("translating what it never saw") as bar:
        shown = show(recipe, bar.advance)
    table("sentences it never saw", ["written", "translation", "reference"], shown.examples, numbers=False)
    typer.echo(f"alignment: {shown.alignment:.1f} (target pieces where {shown.layer} looked at the right words)")
    typer.echo(f"exact match: {shown.exact:.1f}")
    write_attention_page(output, [shown.view], shown.view.source_text)
    say(f"wrote {output.resolve()}: what the model looked at in one sentence; open it in a browser")


def _classified(recipe: "ClassifyRecipe", output: Path) -> None:
    from jumok.insight.image_viewer import write_image_page
    from jumok.tasks.classify_demo import show

    with Bar("classifying what it never saw") as bar:
        shown = show(recipe, bar.advance)
    table("pictures it never saw", ["picture", "class", "probability", "label"], shown.examples, numbers=False)
    typer.echo(f"top-1: {shown.top1:.1f}")
    write_image_page(output, shown.view, shown.view.truth or "")
    say(f"wrote {output.resolve()}: what the model looked at in one picture; open it in a browser")


def _captioned(recipe: "CaptionRecipe", output: Path) -> None:
    from jumok.insight.caption_viewer import write_caption_page
    from jumok.tasks.caption_demo import show

    with Bar("captioning what it never saw") as bar:
        shown = show(recipe, bar.advance)
    table(
        "scenes it never saw", ["picture", "caption", "right", "one of its references"], shown.examples, numbers=False
    )
    typer.echo(f"exact scenes: {shown.exact:.1f} (captions that describe exactly the scene)")
    write_caption_page(output, shown.view, shown.view.caption)
    say(f"wrote {output.resolve()}: where the model looked, word by word, in one picture; open it in a browser")


def _embedded(recipe: "EmbedRecipe", output: Path) -> None:
    from jumok.insight.pair_viewer import write_pair_page
    from jumok.tasks.embed_demo import show

    with Bar("searching what it never saw") as bar:
        shown = show(recipe, bar.advance)
    table(
        "sentences it never saw",
        ["sentence", "the nearest other", "cosine", "means the same"],
        shown.examples,
        numbers=False,
    )
    rows = [
        ("the paraphrase is found, both ways", shown.ours.found, shown.counted.found),
        ("a swap is told apart: its words, things exchanged (chance 50)", shown.ours.apart, shown.counted.apart),
        ("Spearman x 100 with the grades", shown.ours.spearman, shown.counted.spearman),
    ]
    scores = [
        (what, f"{ours:.1f}", f"{counted:.1f}")
        for what, ours, counted in rows
        if ours is not None and counted is not None
    ]
    table("how well, on 0-100", ["", "this model", "tf-idf of characters"], scores)
    write_pair_page(output, [shown.view], shown.view.texts[0])
    say(f"wrote {output.resolve()}: why two sentences are near, word by word; open it in a browser")


def _read(recipe: "ReadRecipe") -> None:
    from jumok.tasks.read_demo import show

    with Bar("reading what it never saw") as bar:
        shown = show(recipe, bar.advance)
    table("words it never saw", ["picture", "read", "confidence", "label"], shown.examples, numbers=False)
    typer.echo(f"characters wrong (CER): {shown.scores.cer:.1f}")
    typer.echo(f"word accuracy: {shown.scores.word_accuracy:.1f}")
