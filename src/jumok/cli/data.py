"""``jumok data check`` and ``jumok data sample``: look at data before training, or write some."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jumok.cli.console import Bar, say
from jumok.data.sample import Job
from jumok.errors import UserError

if TYPE_CHECKING:
    from jumok.data.sentence_report import Sentences

SENTENCES = (".tsv", ".jsonl", ".json", ".csv", ".txt")  # what a file of sentences that stands alone may end in


def check(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="One sentence a line; .gz is read too. Or a folder of images, a file of pairs, an embed recipe.",
        ),
    ],
    rest: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET] [KEY=VALUE]...", help="Their translations, line by line; of a recipe, keys to change."
        ),
    ] = None,
    test_source: Annotated[Path | None, typer.Option(help="Held-out sentences: are some of them in SOURCE?")] = None,
    test_target: Annotated[Path | None, typer.Option(help="Their translations.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder that the paths in a list of images start from.")] = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option(help="Of sentence vectors: a file whose sentences must not be learnt; repeat it."),
    ] = None,
) -> None:
    """Report what is in a pair of files: counts, empty sides, duplicates, overlap, lengths, what would be dropped.

    Or in a folder of labelled images (train/<class>/*.jpg, or train.csv or .jsonl; val and test beside it): what cannot
    be read, classes, sizes, duplicates, overlap. Or of captioned ones (train.jsonl, COCO's train.json, train.csv),
    or of words with their texts (train.tsv of file, tab, text; docTR's folders; LMDBs). Or in one file that sentence
    vectors are learnt from (pairs, graded or labelled ones, captions, lines), or in all files of a recipe of theirs.
    """
    recipe = source.suffix.lower() in (".yaml", ".yml")
    target = Path(rest[0]) if rest and not recipe else None
    if rest and len(rest) > 1 and not recipe:
        raise UserError(f"{rest[1]} is one file too many; give SOURCE and TARGET, or SOURCE alone")
    given = {"--test-source": test_source, "--test-target": test_target, "--images": images, "--held-out": held_out}
    if recipe:
        _refuse(given, (), "a recipe")
        _check_recipe(source, rest or [])
    elif source.is_dir():
        if target is not None or test_source is not None or test_target is not None:
            raise UserError(f"{source} is a folder of images and is checked alone; leave the other files out")
        _refuse(given, ("--images",), "a folder of images")
        _check_folder(source, images)
    elif target is not None and not held_out:
        _refuse(given, ("--test-source", "--test-target"), "files of translations")
        _check_text(source, target, test_source, test_target)
    elif target is not None or Path(source.name.removesuffix(".gz")).suffix.lower() in SENTENCES:
        _refuse(given, ("--held-out",), "sentences that belong together")
        _check_sentences([source] if target is None else [source, target], held_out or [])
    else:
        raise UserError(
            f"{source} stands alone; give the file of its translations too, or a folder of images, or a file of "
            f"sentences that belong together ({', '.join(SENTENCES)})"
        )


def _refuse(given: Mapping[str, object], known: tuple[str, ...], what: str) -> None:
    """Stop where an option was given that means nothing to what is checked."""
    for name, value in given.items():
        if value and name not in known:
            raise UserError(f"{name} means nothing to {what}; leave it out")


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


def _check_sentences(files: list[Path], held_out: list[Path]) -> None:
    from jumok.data.sentence_report import check_sentences

    others = [("held out", _sentences([path])) for path in held_out]
    typer.echo(check_sentences([("train", _sentences(files))], others).text())
    _tell_length()


def _sentences(files: list[Path]) -> "Sentences":
    """What files hold: graded or labelled pairs, or sentences that belong together."""
    from jumok.data.graded import is_graded, read_graded
    from jumok.data.sentences import read_groups

    return read_graded(files[0]) if len(files) == 1 and is_graded(files[0]) else read_groups(files)


def _check_recipe(path: Path, assignments: list[str]) -> None:
    from jumok.config import override, parse, read_recipe
    from jumok.tasks.embed import EmbedRecipe
    from jumok.tasks.embed_check import check_files

    values = override(read_recipe(path), assignments)
    if values.get("task") != "embed":
        raise UserError(
            f"{path} is no recipe of sentence vectors (task: embed); give the files of the data, or its folder"
        )
    recipe = parse(EmbedRecipe, values, str(path))
    typer.echo(check_files(recipe.data, recipe.objectives).text())
    _tell_length()


def _tell_length() -> None:
    typer.echo("a training also cuts what is longer than its model.max_len, counted in its own pieces")


def _check_folder(folder: Path, images: Path | None) -> None:
    pairs = folder / "train.tsv"
    if _captioned(folder, "train"):
        _check_captions(folder, images)
    elif pairs.is_file() and _sentenced(pairs):
        command = f"jumok data check {pairs} --held-out FILE"
        raise UserError(f"{pairs} holds sentences, and no images; check the file, not the folder: {command}")
    elif _worded(folder, "train"):
        _check_words(folder, images)
    else:
        _check_images(folder, images)


def _sentenced(path: Path) -> bool:
    """Whether a table begins with a sentence, or a name of a column, rather than with the file of an image."""
    from jumok.data.text import read_lines

    first = read_lines(path, "none").lines[0].partition("\t")[0].strip()
    return not Path(first).suffix or " " in Path(first).suffix


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
