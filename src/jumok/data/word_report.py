"""One pass over words and their texts: crops decoded once and kept, characters counted, what cannot be learned told."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jumok.data.bars import bars
from jumok.data.charset import Charset
from jumok.data.image_file import ABSENT, Pixels
from jumok.data.image_pass import (
    BUDGET,
    Pass,
    PixelPart,
    PixelReport,
    pixel_part,
    read_each,
    repeat_lines,
    size_lines,
    unreadable_lines,
)
from jumok.data.word_images import Crop, WordSet
from jumok.data.word_store import TALL, WordShape, WordStore
from jumok.errors import UserError

_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 25, 50)
_NAMED = 20  # characters outside the set that are printed, the most frequent ones


@dataclass(frozen=True)
class WordPart(PixelPart):
    """What was found in one split; `images` are the words that can be used.

    `empty` counts labels without text, left out. `outside` counts each character that the set lacks, which stand in
    `outside_labels` labels; `lost` of these hold nothing else (left out of the training split). `long` counts words of
    more than `longest` characters (left out of the training split). `characters` counts those of the used labels,
    `lengths` their lengths (low, high, count); `retold` are images that repeat an earlier one with another text;
    `tall` are higher than 1.5 x their width, `turned` whether these are turned.
    """

    empty: int
    outside: dict[str, int]
    outside_labels: int
    lost: int
    long: int
    longest: int
    characters: dict[str, int]
    known: int
    lengths: list[tuple[int, int | None, int]]
    retold: int
    tall: int
    turned: bool
    training: bool

    def lines(self) -> list[str]:
        absent = [item for item in self.unreadable if item[1] == ABSENT]
        damaged = [item for item in self.unreadable if item[1] != ABSENT]
        lines = [f"{self.name}: {self.images:,} words ({self.source})", *unreadable_lines(absent, "absent")]
        lines += unreadable_lines(damaged)
        fate = "left out" if self.training else "kept, they count as misread"
        if self.empty:
            lines.append(f"  notice: {self.empty:,} labels hold no text, left out")
        if self.long:
            lines.append(f"  notice: {self.long:,} words are longer than the model's {self.longest} characters, {fate}")
        lines += _character_lines(self, fate) + repeat_lines(self)
        if self.retold:
            lines.append(f"  notice: {self.retold:,} of them stand with another text than the first")
        if self.overlap is not None:
            lines.append(f"  also in train: {self.overlap:,} images")
        if self.tall:
            how = "turned by 90 degrees" if self.turned else "read as they are; data.vertical=true turns them"
            lines.append(f"  tall crops: {self.tall:,} are higher than 1.5 x their width, {how}")
        rows = [(_range(low, high), count) for low, high, count in self.lengths]
        return lines + size_lines(self) + ["  length in characters:", *bars(rows)]


class WordReport(PixelReport[WordPart]):
    """Of words with their texts."""


def check_words(
    sets: Sequence[WordSet],
    charset: Charset,
    shape: WordShape,
    longest: int,
    *,
    training: bool = True,
    budget: int = BUDGET,
    advance: Callable[[int], None] | None = None,
) -> tuple[list[WordStore], WordReport]:
    """Decode every crop of `sets` once: the words that can be used, their texts as `charset` spells them, and a report.

    With `training` the first of `sets` is the training split: what cannot be learned, because the character set has
    none of its characters or the model no room (`longest`), is left out of it; the others keep such words, which count
    as misread. Raises `UserError` where a split is left without any word.
    """
    stores: list[WordStore] = []
    parts: list[WordPart] = []
    used = 0
    for words in sets:
        labels = _labels(words, charset, longest, training=training and not stores)
        crops = [words.crops[place] for place in labels.used]
        widths: dict[Crop, int] = {}

        def read(crop: Crop, widths: dict[Crop, int] = widths) -> tuple[Pixels, tuple[int, int]]:
            pixels, size = shape.decoded(crop)
            widths[crop] = shape.width_of(pixels)
            return pixels, size

        found = read_each(words.name, crops, read, shape.channels, budget - used, advance or (lambda count: None))
        if not found.good:
            reasons = [f"{count:,} {what}" for what, count in labels.reasons().items() if count]
            reasons += [found.excuse] if found.excuse else []
            raise UserError(
                f"no word of {words.source} can be used ({'; '.join(reasons)}); mend the list, or give where its "
                "images are"
            )
        texts = [labels.texts[labels.used[place]] for place in found.good]
        base = vars(found.store) | {"read": shape.decoded}
        store = WordStore(**base, shape=shape, texts=texts, widths=[widths[crop] for crop in found.store.paths])
        used += store.kept_bytes
        stores.append(store)
        parts.append(_part(words, labels, store, found, charset, stores[0]))
    return stores, WordReport(parts, sum(pixels is not None for store in stores for pixels in store.kept), used)


@dataclass(frozen=True)
class _Labels:
    """The texts of a split as the character set spells them, the places of those that are used, and why others not."""

    texts: list[str]
    used: list[int]
    outside: Counter[str]
    outside_labels: int
    empty: int
    lost: int
    long: int
    longest: int
    training: bool

    def reasons(self) -> dict[str, int]:
        dropped = {"of characters outside the set alone": self.lost, "too long": self.long} if self.training else {}
        return {"without text": self.empty, **dropped}


def _labels(words: WordSet, charset: Charset, longest: int, *, training: bool) -> _Labels:
    outside: Counter[str] = Counter()
    texts, used = [charset.spelling(text) for text in words.texts], []
    labels = empty = lost = long = 0
    for place, text in enumerate(texts):
        lacking = charset.outside(text)
        outside.update(lacking)
        labels += bool(lacking)
        alone = bool(lacking) and len(lacking) == len(text.replace(" ", ""))
        empty, lost, long = empty + (not text), lost + alone, long + (len(text) > longest)
        if text and not (training and (alone or len(text) > longest)):
            used.append(place)
    return _Labels(texts, used, outside, labels, empty, lost, long, longest, training)


def _part(
    words: WordSet, labels: _Labels, store: WordStore, found: Pass[Crop], charset: Charset, training: WordStore
) -> WordPart:
    seen: dict[bytes, str] = {}
    pairs = zip(store.hashes, store.texts, strict=True)
    retold = sum(seen.setdefault(digest, text) != text for digest, text in pairs)
    lengths = Counter(max(edge for edge in _LENGTHS if edge < len(text)) for text in store.texts)
    bins = [
        (low + 1, high, lengths[low]) for low, high in pairwise((*_LENGTHS, None)) if low is not None and lengths[low]
    ]
    pixels = pixel_part(found, words.source, found.store if store is training else training)
    return WordPart(
        **vars(pixels),
        empty=labels.empty,
        outside=dict(labels.outside.most_common()),
        outside_labels=labels.outside_labels,
        lost=labels.lost,
        long=labels.long,
        longest=labels.longest,
        characters=dict(Counter("".join(store.texts)).most_common()),
        known=len(charset.characters),
        lengths=bins,
        retold=retold,
        tall=sum(count for (width, height), count in found.sizes.items() if height > TALL * width),
        turned=store.shape.vertical,
        training=labels.training,
    )


def _character_lines(part: WordPart, fate: str) -> list[str]:
    count = sum(part.characters.values())
    seen = sum(character not in part.outside for character in part.characters)
    lines = [f"  characters: {count:,}, of {seen:,} kinds; the set has {part.known:,}"]
    if part.outside:
        shown = list(part.outside.items())[:_NAMED]
        more = f" and {len(part.outside) - len(shown):,} more" if len(part.outside) > len(shown) else ""
        listed = ", ".join(f"{character!r} ({times:,} x)" for character, times in shown)
        lines.append(
            f"  notice: outside the character set: {listed}{more}, in {part.outside_labels:,} labels; they are read as "
            "one unknown character" + (f"; {part.lost:,} labels hold nothing else, {fate}" if part.lost else "")
        )
    return lines


def _range(low: int, high: int | None) -> str:
    if high is None:
        return f"{low}+"
    return f"{low}" if low == high else f"{low}-{high}"
