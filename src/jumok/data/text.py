"""Raw parallel text from files: what a user has, read strictly, with messages that name the file and the line."""

import gzip
import json
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import Field

from jumok.config import Config
from jumok.errors import UserError

Normalize = Literal["nfc", "none"]


class TextData(Config):
    """The pairs: `folder/train.de` + `folder/train.en`, `train.tsv` or `train.jsonl`, each optionally `.gz`."""

    folder: str = Field(description="folder that holds the files")
    source: str = Field(description="source language, the ending of its files, for example de")
    target: str = Field(description="target language, the ending of its files, for example en")
    train: str = Field("train", description="name of the training files without the ending")
    val: str = Field("val", description="name of the validation files without the ending")
    max_length: int = Field(256, ge=1, description="pieces a side; longer training pairs are dropped and counted")
    normalize: Normalize = Field("nfc", description="Unicode normal form of all text: nfc, or none to leave it alone")


@dataclass(frozen=True)
class Lines:
    """The lines of one file; `changed` counts those that the normal form NFC altered."""

    lines: list[str]
    path: Path
    changed: int = 0


@dataclass(frozen=True)
class Corpus:
    """Sentence pairs: `sources[i]` means `targets[i]`; `changed` counts the lines that NFC altered, of both sides."""

    sources: list[str]
    targets: list[str]
    name: str
    files: tuple[Path, ...]
    changed: int = 0

    def __len__(self) -> int:
        return len(self.sources)


def read_lines(path: Path, normalize: Normalize = "nfc") -> Lines:
    """The lines of a UTF-8 text file, plain or `.gz`; ``\\n`` and ``\\r\\n`` end one, a byte order mark is dropped.

    Raises `UserError` for a file that is missing, empty, damaged, not UTF-8 or holding a NUL, naming line and byte.
    """
    path = Path(path)
    content = _read_bytes(path)
    if not content:
        raise UserError(f"{path} is empty; give a file with one sentence a line")
    lines = _split(_decode(content, str(path)))
    lines, changed = _normalized(lines, normalize)
    return Lines(lines, path, changed)


def stream_lines(stream: BinaryIO, name: str = "standard input", normalize: Normalize = "nfc") -> Iterator[str]:
    """The lines of an open binary stream as they arrive: as many as a line counter sees, empty ones included.

    Raises `UserError` like `read_lines`, except that an empty stream is no lines rather than a mistake.
    """
    offset = 0
    for number, raw in enumerate(stream, start=1):
        line = _decode(raw, name, line=number, offset=offset)
        offset += len(raw)
        yield normalized(line.removesuffix("\n").removesuffix("\r") if line.endswith("\n") else line, normalize)


def normalized(line: str, normalize: Normalize = "nfc") -> str:
    """`line` in the normal form that the data was read with."""
    return unicodedata.normalize("NFC", line) if normalize == "nfc" else line


def count_changes(lines: Sequence[str], normalize: Normalize = "nfc") -> int:
    """How many of `lines` are not in the normal form that `normalized` brings them to."""
    return sum(normalized(line, normalize) != line for line in lines)


def read_pair(source: Path, target: Path, normalize: Normalize = "nfc", name: str = "data") -> Corpus:
    """Two line-aligned files as a corpus. Raises `UserError` if their line counts differ, or as `read_lines` does."""
    left, right = read_lines(source, normalize), read_lines(target, normalize)
    if len(left.lines) != len(right.lines):
        raise UserError(
            f"{source} has {len(left.lines):,} lines, {target} has {len(right.lines):,}; "
            "line n of one must translate line n of the other, so find where they part company"
        )
    return Corpus(left.lines, right.lines, name, (left.path, right.path), left.changed + right.changed)


def read_parallel(folder: str | Path, split: str, source: str, target: str, normalize: Normalize = "nfc") -> Corpus:
    """The pairs of one split, from `split.de` + `split.en`, `split.tsv` or `split.jsonl`, each plain or `.gz`.

    TSV has two columns, source and target; a first line that names both languages (or `source`, `target`) is a
    header and decides which column is which. A JSONL line is an object with the two languages as keys, or with
    `source` and `target`, or with such an object under `translation`; line breaks inside its texts become spaces.

    Raises `UserError` if nothing or more than one layout is found, and for every fault of the files' content.
    """
    if source == target:
        raise UserError(f"source and target are both {source!r}; give two different languages")
    paths = _find(Path(folder), split, source, target)
    if len(paths) == 2:
        return read_pair(paths[0], paths[1], normalize, split)
    path = paths[0]
    rows = read_lines(path, "none").lines
    tsv = path.name.removesuffix(".gz").endswith(".tsv")
    pairs = _tsv(rows, path, source, target) if tsv else _jsonl(rows, path, source, target)
    if not pairs:
        raise UserError(f"{path} holds a header and no pair; give lines of source and target")
    sources, changed = _normalized([pair[0] for pair in pairs], normalize)
    targets, changed_too = _normalized([pair[1] for pair in pairs], normalize)
    return Corpus(sources, targets, split, (path,), changed + changed_too)


def held_out_splits(folder: str | Path, source: str, target: str) -> list[str]:
    """Names of the splits in `folder` that begin with ``test``: what a report looks for in the training data."""
    endings = [ending + gz for ending in (f".{source}", ".tsv", ".jsonl") for gz in ("", ".gz")]
    found = [(path.name, ending) for path in Path(folder).glob("test*") for ending in endings]
    names = {name.removesuffix(ending) for name, ending in found if name.endswith(ending)}
    return sorted(name for name in names if _is_pair(Path(folder), name, source, target))


def _is_pair(folder: Path, split: str, source: str, target: str) -> bool:
    try:
        return bool(_find(folder, split, source, target))
    except UserError:  # one side alone, for example: nothing that a training asks for
        return False


def _find(folder: Path, split: str, source: str, target: str) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; set data.folder to the one that holds {split}.{source}")
    sides = [_existing(folder / f"{split}.{language}") for language in (source, target)]
    tables = [path for ending in ("tsv", "jsonl") for path in _existing(folder / f"{split}.{ending}")]
    found = [path for side in sides for path in side] + tables
    if all(len(side) == 1 for side in sides) and not tables:
        return (sides[0][0], sides[1][0])
    if len(tables) == 1 and not any(sides):
        return (tables[0],)
    wanted = f"{split}.{source} and {split}.{target}, {split}.tsv or {split}.jsonl (each may end in .gz)"
    if not found:
        there = sorted(path.name for path in folder.iterdir())
        listing = ", ".join(there[:20]) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
        raise UserError(f"no {split!r} data in {folder}: looked for {wanted}; there is: {listing or 'nothing'}")
    names = ", ".join(path.name for path in found)
    if len(found) == 1:
        language = target if sides[0] else source
        missing = f"{split}.{language} or {split}.{language}.gz"
        raise UserError(f"{folder} has {names} but no {missing}; both sides are needed")
    raise UserError(f"{folder} has {names}, and it is not clear which to read; keep one of: {wanted}")


def _existing(path: Path) -> list[Path]:
    return [candidate for candidate in (path, path.with_name(path.name + ".gz")) if candidate.is_file()]


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.name.endswith(".gz") and content else content
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}; check the name and the folder") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file ({error}); compress or fetch it again") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _decode(content: bytes, name: str, line: int = 1, offset: int = 0) -> str:
    """Bytes as text; `line` and `offset` (bytes) say where in the file `content` begins."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) and offset == 0:
        raise UserError(f"{name} looks like UTF-16 (line 1, byte 0); save it as UTF-8")
    nul = content.find(b"\0")
    if nul >= 0:
        where = f"line {line + content.count(10, 0, nul):,}, byte {offset + nul:,}"
        raise UserError(f"{name} holds a NUL ({where}); it is not plain text, or was damaged: remove that line")
    try:
        return content.decode("utf-8-sig" if offset == 0 else "utf-8")
    except UnicodeDecodeError:
        pass
    try:
        # decoded once more without dropping the mark, so that the offset counts every byte of the file
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"line {line + content.count(10, 0, error.start):,}, byte {offset + error.start:,}"
        where += f", value 0x{content[error.start]:02x}"
        raise UserError(f"{name} is not UTF-8 ({where}); convert it, e.g. `iconv -f LATIN1 -t UTF-8`") from None


def _split(text: str) -> list[str]:
    # not splitlines(): U+2028, U+0085, form feeds and the like are characters inside a sentence
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _normalized(lines: list[str], normalize: Normalize) -> tuple[list[str], int]:
    if normalize == "none":
        return lines, 0
    result = [line if unicodedata.is_normalized("NFC", line) else unicodedata.normalize("NFC", line) for line in lines]
    return result, sum(new is not old and new != old for new, old in zip(result, lines, strict=True))


def _tsv(rows: list[str], path: Path, source: str, target: str) -> list[tuple[str, str]]:
    header = [cell.strip().lower() for cell in rows[0].split("\t")]
    left, right, first = 0, 1, 0
    for names in ((source.lower(), target.lower()), ("source", "target")):
        if all(header.count(name) == 1 for name in names):
            left, right, first = header.index(names[0]), header.index(names[1]), 1
            break
    columns = len(header) if first else 2
    pairs = []
    for number, row in enumerate(rows[first:], start=first + 1):
        cells = row.split("\t")
        if len(cells) != columns:
            raise UserError(
                f"{path}, line {number:,}: {len(cells)} columns, {columns} are expected; write source, a tab, target"
                + ("" if first else f" (or name the columns in the first line: {source}, a tab, {target})")
            )
        pairs.append((cells[left], cells[right]))
    return pairs


def _jsonl(rows: list[str], path: Path, source: str, target: str) -> list[tuple[str, str]]:
    pairs = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}, line {number:,}"
        try:
            value: Any = json.loads(row)
        except json.JSONDecodeError as error:
            cause = f"{error.msg} at column {error.colno}"
            raise UserError(f"{where}: not JSON ({cause}); one object a line is expected") from None
        if isinstance(value, dict) and isinstance(value.get("translation"), dict):
            value = value["translation"]
        if not isinstance(value, dict):
            expected = json.dumps({source: "..", target: ".."})
            raise UserError(f"{where}: {json.dumps(value)[:40]} where an object is expected, like {expected}")
        keys = (source, target) if source in value or target in value else ("source", "target")
        pairs.append((_text(value, keys[0], where), _text(value, keys[1], where)))
    return pairs


def _text(value: dict[str, Any], key: str, where: str) -> str:
    if key not in value:
        raise UserError(f"{where}: no key {key!r}; the keys are {', '.join(map(repr, value)) or 'none'}")
    text = value[key]
    if not isinstance(text, str):
        raise UserError(f"{where}: {key!r} is {json.dumps(text)[:40]}; text in quotes is expected")
    if "\0" in text:
        raise UserError(f"{where}: {key!r} holds a NUL; it is not plain text, or was damaged: remove that line")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UserError(f"{where}: {key!r} holds half of a surrogate pair, which no UTF-8 text can; repair that line")
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
