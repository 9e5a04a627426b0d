"""Cropped words with their texts as a user has them: TSV, CSV, JSONL, docTR's labels.json, LMDB."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from jumok.config import Config
from jumok.data.charset import Spelling
from jumok.data.lists import base_folder, csv_rows, json_file, json_rows, listing, named_columns
from jumok.data.text import read_lines
from jumok.data.word_lmdb import StoredImage, is_lmdb, read_lmdb
from jumok.errors import UserError

COLUMNS = ("file", "path", "image", "filename"), ("text", "label", "words")  # what they may be called
LISTS = (".tsv", ".csv", ".jsonl")
LABELS = ("labels.json", "labels.tsv")  # inside a folder: as docTR has it, and as `jumok data words` writes it

Crop = Path | StoredImage


class WordData(Config):
    """The words to learn: a folder with train.tsv and val.tsv (file, tab, text), or another of the known layouts."""

    folder: str = Field(description="folder that holds the lists of words, docTR's folders or LMDBs")
    train: str = Field("train", description="name of the training list without its ending, or of its folder")
    val: str = Field("val", description="name of the validation list without its ending, or of its folder")
    images: str | None = Field(None, description="folder that a list's file names start from; empty: the list's own")
    charset: str = Field("data", description="data: that of the labels; latin36, latin94, hangul2350 .., joined by +")
    case: Literal["keep", "lower"] = Field("keep", description="lower: all letters of labels are made small")
    punctuation: Literal["keep", "strip"] = Field("keep", description="strip: labels lose punctuation and symbols")
    spaces: Literal["keep", "strip"] = Field("keep", description="strip: labels lose the spaces inside them")
    vertical: bool = Field(False, description="crops higher than 1.5 x their width are turned by 90 degrees")
    width_step: int = Field(16, ge=1, description="a crop's width is the nearest multiple of this many pixels")
    rendered: int = Field(0, ge=0, description="words drawn on the fly in an epoch, beside the real ones")
    fonts: str | None = Field(None, description="folder of fonts to draw with; empty: the system's")
    words: str | None = Field(None, description="file of words to draw, one a line; empty: those of the labels")

    @property
    def spelling(self) -> Spelling:
        """What labels are brought to."""
        return Spelling(case=self.case, punctuation=self.punctuation, spaces=self.spaces)


@dataclass(frozen=True)
class WordSet:
    """Words of one split: `crops[i]` shows `texts[i]`, as it was written; nothing has been decoded yet."""

    name: str
    source: Path
    crops: list[Crop]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.crops)


def read_words(folder: str | Path, split: str, images: str | Path | None = None) -> WordSet:
    """The split `split` of `folder`, in whichever known layout it is.

    These are `split.tsv`, `.csv`, `.jsonl`; a folder `split/` with labels.json (docTR's, with images/ beside it) or
    labels.tsv; an LMDB `split/` or `split.lmdb/`. Raises `UserError` as `read_labelled_words`, and if none of them is
    found, or more than one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; set data.folder to the one that holds {split}.tsv")
    found = find_words(folder, split)
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UserError(f"{folder} has {names}, and it is not clear which to read")
    if not found:
        wanted = f"{split}.tsv, {split}.csv, {split}.jsonl, {split}/{LABELS[0]}, {split}/{LABELS[1]}, an LMDB {split}/"
        raise UserError(f"no {split!r} words in {folder}: looked for {wanted}; there is: {listing(folder)}")
    return read_labelled_words(found[0], images, split)


def find_words(folder: Path, split: str, lists: Sequence[str] = LISTS) -> list[Path]:
    """The lists of `split` in `folder` with an ending of `lists`, and its folders with words in them."""
    found = [path for ending in lists if (path := folder / f"{split}{ending}").is_file()]
    return found + [path for path in (folder / split, folder / f"{split}.lmdb") if is_lmdb(path) or _inside(path)]


def read_labelled_words(source: str | Path, images: str | Path | None = None, name: str | None = None) -> WordSet:
    """The words of a list (`.tsv`, `.csv`, `.jsonl`, docTR's `.json`), of a folder with one, or of an LMDB.

    A line of TSV is ``file <tab> text``, nothing in it is quoted; CSV has a header that names file and text; a line
    of JSONL is an object with both. File names are relative to `images`, else to the list's folder (docTR: to its
    ``images``). Raises `UserError` for what cannot be read, naming file and line, and if there is no word.
    """
    source = Path(source)
    if is_lmdb(source):
        stored, texts = read_lmdb(source)
        crops: list[Crop] = list(stored)
    else:
        list_file = _inside(source) or source
        rows = list(_rows(list_file))
        base = base_folder([file for file, _ in rows], list_file, Path(images) if images else None)
        crops, texts = [base / file for file, _ in rows], [text for _, text in rows]
    if not crops:
        raise UserError(f"{source} holds no words; write one a line: the image's file, a tab, its text")
    return WordSet(name or source.stem, source, crops, texts)


def _inside(folder: Path) -> Path | None:
    """The list in a folder of words."""
    return next((folder / name for name in LABELS if (folder / name).is_file()), None)


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """File name and text of every word of a list."""
    readers = {".tsv": _tsv, ".txt": _tsv, ".csv": _csv, ".jsonl": _jsonl, ".json": _doctr}
    read = readers.get(path.suffix.lower())
    if path.is_dir():
        raise UserError(f"{path} holds neither {' nor '.join(LABELS)} nor an LMDB; give a list: file, tab, text a line")
    if not path.exists():
        raise UserError(f"there is no {path}; give a list of words: file, tab, text on each line")
    if read is None:
        raise UserError(f"{path} is no list of words; give a .tsv, .csv, .jsonl, docTR's labels.json, or an LMDB")
    for file, text, where in read(path):
        if not file.strip():
            raise UserError(f"{where}: the file name is empty; fill it in, or remove the line")
        if "\0" in file + text or any("\ud800" <= character <= "\udfff" for character in text):
            raise UserError(f"{where}: it holds a NUL or half of a character; repair or remove the line")
        yield file.strip(), text


def _tsv(path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(read_lines(path, "none").lines, start=1):
        where, cells = f"{path}, line {number:,}", line.split("\t")
        if not line.strip() or (number == 1 and named_columns(cells, COLUMNS) is not None):
            continue
        if len(cells) != 2:
            raise UserError(f"{where}: {len(cells)} columns, 2 are expected: the image's file, a tab, its text")
        yield cells[0], cells[1], where


def _csv(path: Path) -> Iterator[tuple[str, str, str]]:
    for where, (file, text) in csv_rows(path, COLUMNS):
        yield file, text, where


def _jsonl(path: Path) -> Iterator[tuple[str, str, str]]:
    for where, value in json_rows(path):
        columns = named_columns(list(value), COLUMNS) if isinstance(value, dict) else None
        if columns is None:
            raise UserError(f'{where}: an object with file and text is expected, like {{"file": "..", "text": ".."}}')
        file, text = (list(value.values())[column] for column in columns)
        if not isinstance(file, str) or not isinstance(text, str):
            raise UserError(f"{where}: file and text must be text in quotes")
        yield file, text, where


def _doctr(path: Path) -> Iterator[tuple[str, str, str]]:
    values = json_file(path)
    if not isinstance(values, dict):
        raise UserError(f'{path}: an object of file names and texts is expected, like {{"word.png": "text"}}')
    for file, text in values.items():
        if not isinstance(text, str):
            raise UserError(
                f"{path}: {file!r} has no text (are these the labels of a detector?); give those of single words"
            )
        yield file, text, f"{path}, {file!r}"
