"""Labelled images as a user has them: class folders, or a CSV/JSONL list of path and label."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from jumok.config import Config
from jumok.data.image_file import is_image
from jumok.data.lists import csv_rows, json_rows, listing
from jumok.errors import UserError

LISTS = (".csv", ".jsonl")


class ImageData(Config):
    """The labelled images: `folder/train/<class>/*.jpg`, `folder/train.csv` or `folder/train.jsonl`."""

    folder: str = Field(description="folder that holds the images, or the lists of them")
    train: str = Field("train", description="name of the training folder, or of its list without the ending")
    val: str = Field("val", description="name of the validation folder, or of its list without the ending")
    images: str | None = Field(None, description="folder that a list's paths start from; empty: the list's own folder")
    channels: int = Field(3, ge=1, le=4, description="channels the model sees: 1 grey, 2 with alpha, 3 RGB, 4 RGBA")


@dataclass(frozen=True)
class ImageSet:
    """Images of one split: `paths[i]` shows `classes[labels[i]]`; nothing has been decoded yet.

    `source` is the folder or list that was read, `ignored` how many files in it are no images by their ending.
    """

    name: str
    source: Path
    paths: list[Path]
    labels: list[int]
    classes: tuple[str, ...]
    ignored: int = 0

    def __len__(self) -> int:
        return len(self.paths)


def read_images(
    folder: str | Path, split: str, *, classes: Sequence[str] | None = None, images: str | Path | None = None
) -> ImageSet:
    """The split `split` of `folder`: the list `split.csv` or `split.jsonl` if there is one, else `split/<class>/`.

    `classes` are those of the training split; without them, the sorted names found here become the classes. Raises
    `UserError` as `read_labelled` does, and if nothing, or more than one list, is found.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; set data.folder to the one that holds {split}")
    source = find_split(folder, split)
    if source is None:
        wanted = f"{split}/<class>/, {split}.csv or {split}.jsonl"
        raise UserError(f"no {split!r} images in {folder}: looked for {wanted}; there is: {listing(folder)}")
    return read_labelled(source, classes=classes, images=images, name=split)


def find_split(folder: Path, split: str) -> Path | None:
    """The list of `split` in `folder`, else its folder, else None. Raises `UserError` if there are several lists."""
    lists = [path for ending in LISTS if (path := folder / f"{split}{ending}").is_file()]
    if len(lists) > 1:
        raise UserError(f"{folder} has {' and '.join(path.name for path in lists)}, and it is not clear which to read")
    if lists:
        return lists[0]
    return folder / split if (folder / split).is_dir() else None


def read_labelled(
    source: str | Path,
    *,
    classes: Sequence[str] | None = None,
    images: str | Path | None = None,
    name: str | None = None,
) -> ImageSet:
    """The images under a folder of class folders, or of a `.csv` / `.jsonl` list with the keys `path` and `label`.

    Class names are brought to the Unicode form NFC (a Mac writes folders in another) and sorted. Paths of a list are
    relative to `images`, else to the list's folder. Raises `UserError` if there is no image, only one class, a class
    without images, a label that `classes` lacks, or a list that cannot be read, naming the place.
    """
    source = Path(source)
    if source.is_dir():
        rows, empty, ignored = _class_folders(source)
    elif source.suffix.lower() in LISTS:
        rows, empty, ignored = _list(source, Path(images) if images else source.parent), [], 0
    elif source.exists():
        raise UserError(f"{source} is no list of images; give a .csv or .jsonl file, or a folder of class folders")
    else:
        raise UserError(f"there is no {source}; give a folder of class folders, or a .csv or .jsonl list")
    if not rows:
        raise UserError(f"{source} holds no images; put them into {source}/<class>/")
    if classes is None:
        classes = _known(source, rows, empty)
    places = {label: place for place, label in enumerate(classes)}
    for label, _, where in rows:
        if label not in places:
            raise UserError(f"{where}: {label!r} is no class of the training data ({_listing(classes)})")
    return ImageSet(
        name or source.stem,
        source,
        [path for _, path, _ in rows],
        [places[label] for label, _, _ in rows],
        tuple(classes),
        ignored,
    )


def image_files(folder: Path) -> list[Path]:
    """The files below `folder` that are images by their ending, sorted; hidden ones are left out."""
    return [path for path in _files(folder) if is_image(path)]


Row = tuple[str, Path, str]
"""Label, image, and where it was written."""


def _known(source: Path, rows: list[Row], empty: list[str]) -> list[str]:
    if empty:
        raise UserError(f"{source}: no image in the class {_listing(empty)}; add some, or remove the folder")
    classes = sorted({label for label, _, _ in rows})
    if len(classes) < 2:
        raise UserError(f"{source} holds one class only, {classes[0]!r}; a classifier needs at least two")
    return classes


def _class_folders(source: Path) -> tuple[list[Row], list[str], int]:
    """Rows, the names of class folders without an image, and how many files are no images."""
    rows: list[Row] = []
    counts: Counter[str] = Counter()
    ignored = 0
    top = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    loose = [path for path in top if path.is_file()]
    if loose and len(loose) == len(top):
        raise UserError(f"{source} holds files but no class folders; put the images into {source}/<class>/")
    for folder in (path for path in top if path.is_dir()):
        label = _normal(folder.name)
        files = _files(folder)
        found = [(label, path, str(folder)) for path in files if is_image(path)]
        ignored += len(files) - len(found)
        counts[label] += len(found)
        rows += found
    return rows, [label for label, count in counts.items() if not count], ignored + len(loose)


def _files(folder: Path) -> list[Path]:
    """Every file below `folder` that is not hidden; tiny ImageNet, for one, keeps its images one folder deeper."""
    found = [
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        if not os.path.basename(place).startswith(".")
        for name in names
        if not name.startswith(".")
    ]
    return [Path(path) for path in sorted(found)]  # as text: comparing paths is slow


def _list(path: Path, images: Path) -> list[Row]:
    values = _csv(path) if path.suffix.lower() == ".csv" else _jsonl(path)
    return [(_normal(label), images / name, where) for name, label, where in values]


def _csv(path: Path) -> Iterator[tuple[str, str, str]]:
    for where, (name, label) in csv_rows(path, (("path",), ("label",))):
        yield *_row(name, label, where), where


def _jsonl(path: Path) -> Iterator[tuple[str, str, str]]:
    for where, value in json_rows(path):
        if not isinstance(value, dict) or not {"path", "label"} <= value.keys():
            raise UserError(f'{where}: an object with path and label is expected, like {{"path": "..", "label": ".."}}')
        label = value["label"]
        if not isinstance(value["path"], str) or isinstance(label, bool) or not isinstance(label, str | int):
            raise UserError(f"{where}: path must be text, and label text or a whole number")
        yield *_row(value["path"], str(label), where), where


def _row(path: str, label: str, where: str) -> tuple[str, str]:
    path, label = path.strip(), label.strip()
    if not path or not label:
        raise UserError(f"{where}: the {'label' if path else 'path'} is empty; fill it in, or remove the line")
    if "\0" in path:
        raise UserError(f"{where}: the path holds a NUL; repair or remove the line")
    return path, label


def _normal(label: str) -> str:
    return unicodedata.normalize("NFC", label)


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
