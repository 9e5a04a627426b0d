"""Images with captions as a user has them: JSON lines, COCO's captions JSON, CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from jumok.config import Config
from jumok.data.lists import base_folder, csv_rows, find_list, json_file, json_rows, named_columns
from jumok.data.text import normalized, read_lines
from jumok.errors import UserError

LISTS = (".jsonl", ".json", ".csv")
COLUMNS = ("image", "file", "path", "image_name"), ("caption",)  # what the two columns of CSV may be called


class CaptionData(Config):
    """The images with captions: `folder/train.jsonl`, COCO's `folder/train.json`, or `folder/train.csv`."""

    folder: str = Field(description="folder that holds the lists of captions")
    train: str = Field("train", description="name of the training list without its ending")
    val: str = Field("val", description="name of the validation list without its ending")
    images: str | None = Field(None, description="folder that a list's paths start from; empty: the list's own folder")
    lowercase: bool = Field(False, description="captions are learnt, and written, in small letters")


@dataclass(frozen=True)
class CaptionSet:
    """Images of one split: what `paths[i]` shows say `captions[i]`, at least one; nothing has been decoded yet.

    `empty` captions and images without any other, `bare`, were left out; `strays` are captions of images that a COCO
    file does not list.
    """

    name: str
    source: Path
    paths: list[Path]
    captions: list[list[str]]
    empty: int
    bare: list[Path]
    strays: int = 0

    def __len__(self) -> int:
        return len(self.paths)


def read_captions(
    folder: str | Path, split: str, *, images: str | Path | None = None, lowercase: bool = False
) -> CaptionSet:
    """The split of `folder`: `split.jsonl`, `split.json` or `split.csv`.

    Raises `UserError` as `read_captioned` does, and if nothing, or more than one list, is found.
    """
    source = find_list(Path(folder), split, LISTS, "captions")
    return read_captioned(source, images=images, lowercase=lowercase, name=split)


def read_captioned(
    source: str | Path, *, images: str | Path | None = None, lowercase: bool = False, name: str | None = None
) -> CaptionSet:
    """The images of a list and their captions, in the order in which the images first appear.

    A line of `.jsonl` is ``{"image": "..", "captions": ["..", ".."]}`` (or one text as ``caption``); `.json` is what
    COCO has, ``images`` with id and file_name, ``annotations`` with image_id and caption; `.csv` has a header with
    image and caption, and as many rows an image as it has captions. Captions are brought to the Unicode form NFC, and
    spaces and line breaks in them to single spaces. Paths start from `images`, else from the list's folder
    (`base_folder`). Raises `UserError` for what cannot be read, naming file and line, and if no caption is left.
    """
    source = Path(source)
    readers = {".jsonl": _jsonl, ".json": _coco, ".csv": _csv}
    read = readers.get(source.suffix.lower())
    if not source.exists():
        raise UserError(f"there is no {source}; give a list of captions: .jsonl, COCO's .json, or .csv")
    if read is None or source.is_dir():
        raise UserError(f"{source} is no list of captions; give a .jsonl, COCO's .json, or a .csv file")
    found: dict[str, list[str]] = {}
    empty = strays = 0
    for image, caption, where in read(source):
        if image is None:
            strays += 1
            continue
        captions = found.setdefault(_path(image, where), [])
        text = None if caption is None else _text(caption, where, lowercase)
        if text:
            captions.append(text)
        empty += text == ""
    base = base_folder(list(found), source, Path(images) if images else None)
    kept = {image: captions for image, captions in found.items() if captions}
    if not kept:
        raise UserError(f"no image of {source} has a caption ({len(found):,} images, {empty:,} empty captions)")
    bare = [base / image for image, captions in found.items() if not captions]
    paths = [base / image for image in kept]
    return CaptionSet(name or source.stem, source, paths, list(kept.values()), empty, bare, strays)


def is_captioned(source: Path) -> bool:
    """Whether a list is one of captions, by its first row; a COCO file by what it holds."""
    ending = source.suffix.lower()
    if ending == ".csv":
        header = read_lines(source, "none").lines[0].split(",")
        return named_columns(header, COLUMNS) is not None
    first: object = json_file(source) if ending == ".json" else next(iter(json_rows(source)), ("", None))[1]
    keys = ("annotations",) if ending == ".json" else ("captions", "caption")
    return isinstance(first, dict) and any(key in first for key in keys)


Row = tuple[str | None, str | None, str]
"""Image (None: of a caption that belongs to no listed one), caption (None: of an image without any), place."""


def _jsonl(path: Path) -> Iterator[Row]:
    for where, value in json_rows(path):
        captions = value.get("captions", value.get("caption")) if isinstance(value, dict) else None
        captions = [captions] if isinstance(captions, str) else captions
        if not isinstance(captions, list) or not isinstance(value.get("image"), str):
            expected = '{"image": "..", "captions": ["..", ".."]}'
            raise UserError(f"{where}: an object with image and captions is expected, like {expected}")
        if not all(isinstance(caption, str) for caption in captions):
            raise UserError(f"{where}: captions must be a list of texts in quotes")
        yield value["image"], None, where
        for caption in captions:
            yield value["image"], caption, where


def _csv(path: Path) -> Iterator[Row]:
    for where, (image, caption) in csv_rows(path, COLUMNS):
        yield image, caption, where


def _coco(path: Path) -> Iterator[Row]:
    value = json_file(path)
    images, annotations = (_objects(value, key, path) for key in ("images", "annotations"))
    files: dict[Any, str] = {}
    for number, image in enumerate(images):
        where = f"{path}, images[{number:,}]"
        if not isinstance(image.get("file_name"), str) or not isinstance(image.get("id"), int | str):
            raise UserError(f"{where}: an object with id and file_name is expected")
        if image["id"] in files:
            raise UserError(f"{where}: the id {image['id']} stands there twice; each image needs its own")
        files[image["id"]] = image["file_name"]
        yield image["file_name"], None, where
    for number, annotation in enumerate(annotations):
        where = f"{path}, annotations[{number:,}]"
        if not isinstance(annotation.get("caption"), str) or not isinstance(annotation.get("image_id"), int | str):
            raise UserError(f"{where}: an object with image_id and caption is expected (are these captions?)")
        yield files.get(annotation["image_id"]), annotation["caption"], where


def _objects(value: object, key: str, path: Path) -> list[dict[str, Any]]:
    rows = value.get(key) if isinstance(value, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path}: COCO's captions are expected, an object with the lists images and annotations")
    return rows


def _path(image: str, where: str) -> str:
    image = image.strip()
    if not image or "\0" in image:
        raise UserError(f"{where}: the image's path is {'not plain text' if image else 'empty'}; repair that line")
    return image


def _text(caption: str, where: str, lowercase: bool) -> str:
    if "\0" in caption or any("\ud800" <= character <= "\udfff" for character in caption):
        raise UserError(f"{where}: the caption holds a NUL or half of a character; repair or remove it")
    text = " ".join(normalized(caption).split())
    return text.lower() if lowercase else text
