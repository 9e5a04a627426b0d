"""``jumok data check`` and ``jumok data sample``: look at data before training, or write some."""

from pathlib import Path
from typing import Annotated

import typer

from jumok.cli.console import Bar, say
from jumok.data.sample import Job
from jumok.errors import UserError


def check(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="One sentence a line; .gz is read too. Or a folder of images.")
    ],
    target: Annotated[
        Path | None, typer.Argument(metavar="TARGET", help="Their translations, line by line; none of a folder.")
    ] = None,
    test_source: Annotated[Path | None, typer.Option(help="Held-out sentences: are some of them in SOURCE?")] = None,
    test_target: Annotated[Path | None, typer.Option(help="Their translations.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder that the paths in a list of images start from.")] = None,
) -> None:
    """Report what is in a pair of files: counts, empty sides, duplicates, overlap, lengths, what would be dropped.

    Or in a folder of labelled images (train/<class>/*.jpg, or train.csv or .jsonl; val and test beside it): what cannot
    be read, classes, sizes, duplicates, overlap. Or of captioned ones (train.jsonl, COCO's train.json, train.csv),
    or of words with their texts (train.tsv of file, tab, text; docTR's folders; LMDBs).
    """
    if source.is_dir():
        if target is not None or test_source is not None or test_target is not None:
            raise UserError(f"{source} is a folder of images and is checked alone; leave the other files out")
        kind = _check_captions if _captioned(source, "train") else _check_words if _worded(source, "train") else None
        (kind or _check_images)(source, images)
    elif target is None:
        raise UserError(f"{source} stands alone; give the file of its translations too, or a folder of images")
    elif images is not None:
        raise UserError("--images goes with a folder of images; leave it out")
    else:
        _check_text(source, target, test_source, test_target)


def _check_text(source: Path, target: Path, test_source: Path | None, test_target: Path | None) -> None:
    from jumok.data.report import check as report
    from jumok.data.text import Corpus, read_lines, read_pair

    if test_target is not None and test_source is None:
        raise UserError("--test-target stands alone; give --test-source too")
    held_out = []
    if test_source is not None and test_target is not None:
        held_out = [read_pair(test_source, test_target, name="test")]
    elif test_source is not None:
        lines = read_lines(test_source)
        held_out = [Corpus(lines.lines, lines.lines, "test", (lines.path,), lines.changed)]
    typer.echo(report(read_pair(source, target), held_out).text())
    typer.echo("a training also leaves out what is longer than its data.max_length, counted in its own pieces")


def _check_images(folder: Path, images: Path | None) -> None:
    from jumok.data.image_report import check_images
    from jumok.data.images import find_split, read_images, read_labelled

    if find_split(folder, "train") is None:
        sets = [read_labelled(folder, images=images)]
    else:
        sets = [read_images(folder, "train", images=images)]
        others = [split for split in ("val", "test") if find_split(folder, split) is not None]
        sets += [read_images(folder, split, classes=sets[0].classes, images=images) for split in others]
    with Bar("reading images", sum(map(len, sets))) as bar:
        # nothing is kept, and a moderate size is read quickest
        _, report = check_images(sets, size=64, channels=3, budget=0, advance=bar.advance)
    typer.echo(report.text())


def _check_captions(folder: Path, images: Path | None) -> None:
    from jumok.data.caption_report import check_captions
    from jumok.data.captions import read_captions

    splits = [split for split in ("train", "val", "test") if _captioned(folder, split)]
    sets = [read_captions(folder, split, images=images) for split in splits]
    with Bar("reading images", sum(map(len, sets))) as bar:
        _, report = check_captions(sets, size=64, channels=3, budget=0, advance=bar.advance)
    typer.echo(report.text())


def _check_words(folder: Path, images: Path | None) -> None:
    from jumok.data.charset import DATA, Charset, Spelling
    from jumok.data.word_images import read_words
    from jumok.data.word_report import check_words
    from jumok.data.word_store import plain_shape

    sets = [read_words(folder, split, images) for split in ("train", "val", "test") if _worded(folder, split)]
    spelling = Spelling.model_validate({})
    charset = Charset.make(DATA, spelling, map(spelling, sets[0].texts))
    with Bar("reading words", sum(map(len, sets))) as bar:
        # as long as they may be: which words are too long is the model's matter
        _, report = check_words(
            sets, charset, plain_shape(32, 128), longest=1 << 30, training=False, budget=0, advance=bar.advance
        )
    typer.echo(report.text())


def _worded(folder: Path, split: str) -> bool:
    """Whether there are words with their texts of this split."""
    from jumok.data.word_images import find_words

    return bool(find_words(folder, split, (".tsv",)))


def _captioned(folder: Path, split: str) -> bool:
    """Whether there is a list of captions of this split."""
    from jumok.data.captions import LISTS, is_captioned

    lists = [path for ending in LISTS if (path := folder / f"{split}{ending}").is_file()]
    return any(is_captioned(path) for path in lists)


def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write; made if missing.")],
    seed: Annotated[int, typer.Option(help="Another seed writes other data.")] = 1,
    job: Annotated[Job, typer.Option(help="What it is for.")] = "translate",
) -> None:
    """Write generated data as a user would have it: parallel text, images in class folders, with captions, of words."""
    from jumok.data.sample import write_sample

    for line in write_sample(folder, seed=seed, job=job):
        say(line)
