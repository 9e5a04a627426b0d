"""Sentences with an ambiguous word, its meaning and the distance of its cue: generated, or a person's own."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jumok.data.text import read_lines
from jumok.errors import UserError

# cue and sense; what stands between them and the ambiguous word says nothing
WRITE = {"돈을": "spend", "모자를": "wear", "맛이": "bitter", "글을": "write"}
APPLE = {
    "pie": "fruit", "tree": "fruit", "juice": "fruit", "orchard": "fruit",
    "phone": "company", "shares": "company", "laptop": "company", "store": "company",
}  # fmt: skip
KOREAN_FILLER = (
    "어제", "친구와", "집에서", "천천히", "다시", "조금", "많이", "아침에",
    "학교에서", "동생과", "오늘", "함께", "먼저", "가끔", "자주", "조용히",
)  # fmt: skip
ENGLISH_FILLER = (
    "yesterday", "we", "quietly", "walked", "home", "with", "friends", "and",
    "then", "again", "they", "spoke", "for", "some", "time", "about",
)  # fmt: skip
ANIMALS, FOODS = ("dog", "cat", "horse", "rabbit", "goat", "bear"), ("treat", "bone", "cake", "apple", "carrot", "fish")
FEWEST = 40  # sentences of one's own: a fifth is kept aside to score on
NEEDS, TASTES = ("hungry", "tired", "greedy"), ("tasty", "fresh", "sweet")


@dataclass(frozen=True)
class Example:
    """A sentence in words, what is to be understood at its end, and how far the cue stands from the word it decides."""

    words: list[str]
    meaning: str
    distance: int


def ambiguous_korean(distance: int, draw: random.Random) -> Example:
    """... 돈을 (d - 1 words) 썼다: spent, wore, was bitter or wrote, as the cue says."""
    cue = draw.choice(list(WRITE))
    return Example(
        [*_filler(KOREAN_FILLER, 3, draw), cue, *_filler(KOREAN_FILLER, distance - 1, draw), "썼다"],
        WRITE[cue],
        distance,
    )


def ambiguous_english(distance: int, draw: random.Random) -> Example:
    """... juice (d - 1 words) apple: the fruit or the company."""
    cue = draw.choice(list(APPLE))
    between = _filler(ENGLISH_FILLER, distance - 1, draw)
    return Example([*_filler(ENGLISH_FILLER, 3, draw), cue, *between, "apple"], APPLE[cue], distance)


def pronoun(distance: int, draw: random.Random) -> Example:
    """a dog devoured the treat (d words) because it was hungry: the meaning is the noun that "it" names.

    Who needs is the animal, what tastes is the food; the last word decides, and the noun itself is the answer.
    """
    animal, food = draw.choice(ANIMALS), draw.choice(FOODS)
    needs = draw.random() < 0.5
    reason = draw.choice(NEEDS if needs else TASTES)
    # the farther of the two nouns stands d words before the pronoun, the other three words nearer
    head = ["a", animal, "devoured", "the", food]
    between = _filler(ENGLISH_FILLER, max(0, distance - 5), draw)
    return Example([*head, *between, "because", "it", "was", reason], animal if needs else food, distance)


@dataclass(frozen=True)
class Sort:
    """A kind of generated sentence: how one is made, what its distance is, and what its last word is."""

    make: Callable[[int, random.Random], Example]
    apart: str
    last: str


CORPORA: dict[str, Sort] = {
    "쓰다 (Korean)": Sort(ambiguous_korean, "words from the cue to the word", "the ambiguous word alone"),
    "apple": Sort(ambiguous_english, "words from the cue to the word", "the ambiguous word alone"),
    "pronoun": Sort(pronoun, "words from the farther noun to the pronoun", "the deciding last word alone"),
}


def _filler(words: Sequence[str], count: int, draw: random.Random) -> list[str]:
    return [draw.choice(words) for _ in range(count)]


def _place(words: Sequence[str], sought: str) -> int | None:
    """Where `sought` stands: the word itself, or else one that begins with it; marks at its ends do not count."""
    bare = [word.strip(".,;:!?…\"'“”‘’()[]«»").casefold() for word in words]
    exact = [n for n, word in enumerate(bare) if word == sought.casefold()]
    return next(iter(exact or [n for n, word in enumerate(bare) if word.startswith(sought.casefold())]), None)


def own_sentences(path: str | Path) -> list[Example]:
    """A person's own sentences: lines of ``sentence <tab> word <tab> meaning <tab> cue``.

    The cue is the word of the sentence that decides what the ambiguous one means; a written word may carry an ending
    more than the named one (``썼다.`` is ``썼다``, ``apples`` is ``apple``). A sentence is read to the later of the
    two. Raises `UserError` with the line for a sentence that
    lacks the word or the cue, for other columns, and for fewer than two meanings or 40 sentences.
    """
    found = []
    for number, line in enumerate(read_lines(Path(path)).lines, 1):
        if not line.strip():
            continue
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 4 or not all(columns):
            raise UserError(f"{path}, line {number}: write four columns, sentence, word, meaning, cue, tabs between")
        sentence, word, meaning, cue = columns
        words = sentence.split()
        places = []
        for what, sought in (("word", word), ("cue", cue)):
            place = _place(words, sought)
            if place is None:
                raise UserError(f"{path}, line {number}: the {what} “{sought}” is not in the sentence “{sentence}”")
            places.append(place)
        if places[0] == places[1]:
            raise UserError(f"{path}, line {number}: the word and its cue are the same word of “{sentence}”")
        # what comes after both says nothing more, and the answer is asked where they are known
        found.append(Example(words[: max(places) + 1], meaning, abs(places[0] - places[1])))
    if len(found) < FEWEST or len({example.meaning for example in found}) < 2:
        meanings = len({example.meaning for example in found})
        raise UserError(
            f"{path}: {len(found)} sentences with {meanings} meanings; give at least {FEWEST} sentences and 2 meanings"
        )
    return found
