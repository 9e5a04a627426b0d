"""Written dates, times and amounts with their normal form: a small translation task whose alignment is known.

=================  ==================================================  ====================
meaning            written, in Korean or English                       normal form
=================  ==================================================  ====================
date and time      2026년 11월 20일 오후 3시 5분                       ``2026-11-20T15:05``
date, 1900-2099    the twentieth of November, twenty twenty-six        ``2026-11-20``
time of day        quarter to five p.m.                                ``T16:45``
won                만 이천오백 원; twelve thousand five hundred won    ``KRW 12500``
dollars            USD 3.5; three dollars and fifty cents              ``USD 3.50``
=================  ==================================================  ====================

Dates and times follow ISO 8601; amounts are the ISO 4217 code, a space and plain figures, dollars with two decimals.
"""

from collections.abc import Set
from datetime import date
from random import Random

from jumok.data.grammar import Example, Grammar, Link, Values, align
from jumok.data.wordings import ENGLISH, KOREAN, NORMAL

__all__ = ["ENGLISH", "KOREAN", "Example", "Link", "draw", "generate", "splits", "write"]

LANGUAGES = (KOREAN, ENGLISH)
KINDS = ("moment",) * 8 + ("date",) * 5 + ("time",) * 3 + ("won",) * 2 + ("dollars",) * 2
CENTS = (0, 0, 50, *range(5, 100, 5), 99)


def generate(count: int, seed: int, exclude: Set[str] = frozenset()) -> list[Example]:
    """`count` examples with distinct sources, none in `exclude`; Korean and English in turn.

    The same arguments give the same examples on every machine.
    """
    random = Random(seed)
    seen = set(exclude)
    examples: list[Example] = []
    while len(examples) < count:
        kind, values = draw(random)
        example = write(kind, values, LANGUAGES[len(examples) % 2], random)
        if example.source not in seen:
            seen.add(example.source)
            examples.append(example)
    return examples


def splits(seed: int, train: int = 30_000, val: int = 500, test: int = 1_000) -> dict[str, list[Example]]:
    """Three sets with no source in common; `test` and `val` stay what they are when `train` grows."""
    examples = generate(test + val + train, seed)
    return {"train": examples[test + val :], "val": examples[test : test + val], "test": examples[:test]}


def write(kind: str, values: Values, language: Grammar, random: Random) -> Example:
    """One wording of a meaning in a language (`KOREAN`, `ENGLISH`), its normal form and the links between them."""
    return align(language.write(kind, values, random), NORMAL.write(kind, values, random))


def draw(random: Random) -> tuple[str, dict[str, int]]:
    """A meaning: its kind (a rule of the grammars) and the value of each slot."""
    kind = random.choice(KINDS)
    if kind == "won":  # up to three figures that count, then zeros, as prices have
        return kind, {"whole": random.randrange(1, 1000) * random.choice((100, 100, 1000))}
    if kind == "dollars":
        whole, cents = random.randrange(100), random.choice(CENTS)
        return kind, {"whole": whole, "cents": cents} if whole else {"whole": 0, "cents": cents or 50}
    values: dict[str, int] = {}
    if kind != "time":
        years = random.choice(((1900, 2100), (1990, 2040)))  # our own time more often
        first, end = (date(year, 1, 1).toordinal() for year in years)
        day = date.fromordinal(random.randrange(first, end))
        values |= {"year": day.year, "month": day.month, "day": day.day}
    if kind != "date":
        minute = random.choice((0, 30, random.randrange(0, 60, 5), random.randrange(60), random.randrange(60)))
        values |= {"hour": random.randrange(24), "minute": minute}
    return kind, values
