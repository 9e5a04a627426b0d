"""Lists of images with what is said of each, as files: rows of CSV and JSON lines, and where their paths start from."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jumok.data.text import read_lines
from jumok.errors import UserError

IMAGES = "images"  # what the folder of images beside a list is often called
_LOOKED_AT = 20  # rows whose images show which folder their paths start from


def csv_rows(path: Path, columns: Sequence[Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    """Where each row of a CSV stands, and its cells in `columns`, each of which has one of the given names.

    Raises `UserError` if the header lacks one of them, or a row has another number of cells than it.
    """
    reader = csv.reader(read_lines(path, "none").lines)
    header = next(reader)
    places = named_columns(header, columns)
    if places is None:
        names = " and ".join(known[0] for known in columns)
        number = {2: "two", 3: "three"}.get(len(columns), str(len(columns)))
        raise UserError(
            f"{path}, line 1: the columns are {', '.join(map(str.strip, header))}; name {number} of them {names}"
        )
    for cells in reader:
        where = f"{path}, line {reader.line_num:,}"
        if not cells:
            continue
        if len(cells) != len(header):
            raise UserError(f"{where}: {len(cells)} columns, {len(header)} are expected; quote what holds a comma")
        yield where, [cells[place] for place in places]


def named_columns(header: Sequence[str], columns: Sequence[Sequence[str]]) -> list[int] | None:
    """Which place of a header has each of `columns`, by any of its names; None if one is lacking or stands twice."""
    names = [cell.strip().lower() for cell in header]
    places = [[names.index(name) for name in known if names.count(name) == 1] for known in columns]
    return [found[0] for found in places] if all(places) else None


def json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Where each line of a JSONL file stands, and its value. Raises `UserError` for a line that is no JSON."""
    for number, line in enumerate(read_lines(path, "none").lines, start=1):
        where = f"{path}, line {number:,}"
        if not line.strip():
            continue
        try:
            value: Any = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{where}: not JSON ({error.msg} at column {error.colno}); one object a line") from None
        yield where, value


def json_file(path: Path) -> Any:
    """The value of a whole JSON file. Raises `UserError` if it is no JSON, naming the line."""
    try:
        return json.loads("\n".join(read_lines(path, "none").lines))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno:,}: not JSON ({error.msg} at column {error.colno})") from None


def base_folder(names: Sequence[str], list_file: Path, images: Path | None) -> Path:
    """The folder that the paths of a list start from: `images` if given, else the list's own, if they are there.

    Lists are written in more than one way, so where none of the first images is found, the usual neighbours are tried:
    ``images``, and the folder called as the list; above `images`, where the names begin with its own name; and of
    COCO's ``annotations/captions_train2017.json``, ``train2017``.
    """
    home, part = list_file.parent, list_file.stem.rpartition("_")[2]
    first = [images] if images else [home / IMAGES, home] if list_file.suffix.lower() == ".json" else [home]
    others = [images.parent, images / part] if images else [home / IMAGES, home / list_file.stem, home.parent / part]
    for folder in [*first, *others]:
        if any((folder / name).is_file() for name in names[:_LOOKED_AT]):
            return folder
    return first[0]


def find_list(folder: Path, split: str, endings: Sequence[str], what: str) -> Path:
    """The one list of `split` in `folder`. Raises `UserError` if there is none, or more than one, saying what is there.

    `what` is in the lists, for the message: "captions".
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; set data.folder to the one that holds {split}{endings[0]}")
    found = [path for ending in endings if (path := folder / f"{split}{ending}").is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UserError(f"{folder} has {names}, and it is not clear which to read")
    if not found:
        wanted = " or ".join(f"{split}{ending}" for ending in endings)
        raise UserError(f"no {split!r} {what} in {folder}: looked for {wanted}; there is: {listing(folder)}")
    return found[0]


def listing(folder: Path) -> str:
    """The first names in a folder, for a message that says what is there instead."""
    there = sorted(path.name for path in folder.iterdir())
    return (", ".join(there[:20]) + (f" and {len(there) - 20:,} more" if len(there) > 20 else "")) or "nothing"
