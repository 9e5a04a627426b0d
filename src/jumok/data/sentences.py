"""Sentences that belong together, as a user has them: pairs, aligned files, captions of one image, plain lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jumok.data.captions import read_captioned
from jumok.data.lists import json_rows, named_columns
from jumok.data.text import count_changes, normalized, read_lines
from jumok.errors import UserError

_ANCHOR, _POSITIVE = ("anchor", "query", "sentence1", "text", "source"), ("positive", "sentence2", "target", "answer")
_NEGATIVE = "negative"  # how the columns of hard negatives are called: negative, negative1, negative_2, ..


@dataclass(frozen=True)
class Group:
    """Texts that mean the same, and `negatives` that look alike but do not: hard ones.

    One text alone is its own partner; of more than two any two are partners; of two in order, the first asks.
    """

    texts: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    ordered: bool = True


@dataclass(frozen=True)
class Groups:
    """The groups of some files.

    `skipped` says where those stand that were left out because a side of them is empty, or a caption stands alone;
    `changed` counts the texts that the normal form NFC altered.
    """

    name: str
    files: tuple[Path, ...]
    groups: list[Group]
    skipped: tuple[str, ...] = ()
    changed: int = 0

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def empty(self) -> int:
        """How many were left out."""
        return len(self.skipped)

    def without(self, texts: set[str]) -> tuple["Groups", int]:
        """The groups that hold none of these texts, and how many are left out; of captions the others stay.

        A hard negative among them leaves its group alone, and is not counted.
        """
        kept: list[Group] = []
        for group in self.groups:
            rest, against = (tuple(t for t in side if t not in texts) for side in (group.texts, group.negatives))
            if len(rest) == len(group.texts) or (not group.ordered and len(rest) > 1):
                kept.append(Group(rest, against, group.ordered))
        return Groups(self.name, self.files, kept, self.skipped, self.changed), len(self.groups) - len(kept)


def read_groups(files: Sequence[Path]) -> Groups:
    """Sentences that belong together, in the Unicode form NFC, runs of spaces made one.

    Two files are aligned: line n of one means line n of the other. One file is, by its ending (each may end in .gz):

    - ``.tsv``: anchor, positive, and in further columns hard negatives, by place or by a first line with these names;
      or an image in the first column and its caption in the last (``image.jpg`` or ``image.jpg#2``);
    - ``.jsonl``: ``{"anchor": .., "positive": .., "negatives": [..]}``, or ``{"image": .., "captions": [..]}``;
    - ``.json``, ``.csv``: captions of images (`jumok.data.captions`);
    - anything else: one sentence a line, each of which is its own partner.

    Raises `UserError` for what cannot be read, naming file and line, and where nothing is left.
    """
    paths = tuple(map(Path, files))
    if len(paths) == 2:
        found = _aligned(*paths)
    elif len(paths) == 1:
        found = _one(paths[0])
    else:
        raise UserError(f"{len(paths)} files are named; give one file of pairs, or two that are aligned")
    groups, skipped = [], []
    for place, texts, negatives, ordered in found:
        clean, against = tuple(map(_clean, texts)), tuple(filter(None, map(_clean, negatives)))
        if not ordered:
            clean = tuple(dict.fromkeys(filter(None, clean)))  # of equal captions nothing is learnt
        if not all(clean) or not clean or (not ordered and len(clean) < 2):
            skipped.append(place)
            continue
        groups.append(Group(clean, against, ordered))
    name = " + ".join(path.name for path in paths)
    if not groups:
        raise UserError(f"{name} holds no sentences to learn from: {len(skipped):,} are empty, or stand alone")
    changed = sum(count_changes([*texts, *negatives]) for _, texts, negatives, _ in found)
    return Groups(name, paths, groups, tuple(skipped), changed)


Found = list[tuple[str, Sequence[str], Sequence[str], bool]]
"""Where it stands in its file, the texts, hard negatives, whether they are in order."""


def _aligned(left: Path, right: Path) -> Found:
    sides = [read_lines(path, "none").lines for path in (left, right)]
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{left} has {len(sides[0]):,} lines, {right} has {len(sides[1]):,}; line n of one must mean the same as "
            "line n of the other, so find where they part company"
        )
    return [(_line(number), pair, (), True) for number, pair in enumerate(zip(*sides, strict=True), start=1)]


def _one(path: Path) -> Found:
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending == ".tsv":
        return _tsv(path)
    if ending == ".jsonl":
        return _jsonl(path)
    if ending in (".json", ".csv"):
        captioned = read_captioned(path)
        return [
            (image.name, captions, (), False)
            for image, captions in zip(captioned.paths, captioned.captions, strict=True)
        ]
    lines = read_lines(path, "none").lines
    return [(_line(number), (line,), (), True) for number, line in enumerate(lines, start=1)]


def _tsv(path: Path) -> Found:
    rows = [line.split("\t") for line in read_lines(path, "none").lines]
    if _is_image(rows[0][0]) and len(rows[0]) > 1:
        return _captions(path, rows)
    places = named_columns(rows[0], (_ANCHOR, _POSITIVE))
    first, negatives = 0, list(range(2, len(rows[0])))
    if places is not None:
        first = 1
        negatives = [i for i, cell in enumerate(rows[0]) if cell.strip().lower().startswith(_NEGATIVE)]
    one, other = places or (0, 1)
    found: Found = []
    for number, cells in enumerate(rows[first:], start=first + 1):
        if len(cells) < 2 or len(cells) != len(rows[0]):
            raise UserError(
                f"{path}, line {number:,}: {len(cells)} columns, {max(2, len(rows[0]))} are expected; write a "
                "sentence, a tab, what means the same (and, after more tabs, what does not)"
            )
        found.append((_line(number), (cells[one], cells[other]), [cells[i] for i in negatives], True))
    return found


def _captions(path: Path, rows: Sequence[Sequence[str]]) -> Found:
    """Rows of image and caption; columns between them are left alone."""
    images: dict[str, list[str]] = {}
    for number, cells in enumerate(rows, start=1):
        if len(cells) != len(rows[0]):
            raise UserError(f"{path}, line {number:,}: {len(cells)} columns, {len(rows[0])} are expected")
        images.setdefault(cells[0].partition("#")[0], []).append(cells[-1])
    return [(image, captions, (), False) for image, captions in images.items()]


def _is_image(cell: str) -> bool:
    name = cell.partition("#")[0].lower()
    return name.endswith((".jpg", ".jpeg", ".png", ".webp"))


def _jsonl(path: Path) -> Found:
    found: Found = []
    for where, value in json_rows(path):
        given, place = value if isinstance(value, dict) else {}, where.removeprefix(f"{path}, ")
        if "captions" in given:
            found.append((place, _texts(given["captions"], where, "captions"), (), False))
            continue
        sides = [next((given[key] for key in keys if key in given), None) for keys in (_ANCHOR, _POSITIVE)]
        if not all(isinstance(side, str) for side in sides):
            expected = '{"anchor": "..", "positive": "..", "negatives": [".."]}'
            raise UserError(f"{where}: an object of texts is expected, like {expected}")
        negatives = given.get("negatives", [given["negative"]] if "negative" in given else [])
        found.append((place, [str(side) for side in sides], _texts(negatives, where, "negatives"), True))
    return found


def _line(number: int) -> str:
    return f"line {number:,}"


def _texts(value: Any, where: str, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UserError(f"{where}: {key} must be a list of texts in quotes")
    return value


def _clean(text: str) -> str:
    return " ".join(normalized(text).split())
