"""Generated scenes: one or two coloured shapes, how they stand to each other, and the sentences that say so.

The same lexicon writes captions and reads them: `parse` gives the scene that a caption describes, whatever synonyms and
word order it chose, so that a caption can be called right or wrong.
"""

import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Relation = Literal["left", "above", "inside", "on"]

SHAPES: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "disc"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "cross": ("cross", "plus sign"),
}
COLOURS: dict[str, tuple[str, ...]] = {
    colour: (colour,) for colour in ("red", "green", "blue", "yellow", "purple", "white")
}
SIZES: dict[str, tuple[str, ...]] = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
HOLLOW = ("circle", "square")  # what another thing fits into

THINGS = ("a {size} {colour} {shape}", "a {size} {colour} {shape}", "a {size} {shape} that is {colour}")
ALONE = ("{a}", "there is {a}", "a picture of {a}")
SENTENCES = (
    "{a} {how} {b}",
    "{a} is {how} {b}",
    "there is {a} {how} {b}",
    "{how} {b} is {a}",
    "{how} {b} there is {a}",
)
WITH = ("{b} with {a} {where}", "there is {b} with {a} {where}")

# relation -> how `a` stands to `b`, the same from `b`, and where `a` is if `b` was named first
WORDS: dict[Relation, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "left": (
        ("left of", "to the left of", "on the left of"),
        ("right of", "to the right of", "on the right of"),
        ("to its left", "on its left"),
    ),
    "above": (("above", "over", "higher than"), ("below", "under", "beneath"), ("above it", "over it")),
    "inside": (("inside", "in", "within"), ("around", "holding"), ("inside it", "in it")),
    "on": (("on", "on top of", "standing on"), ("carrying", "bearing"), ("on top", "on it")),
}
# where `b` is if `a` was named first: what a thing carries or holds is not seen from there
BEHIND: dict[Relation, tuple[str, ...]] = {
    "left": ("to its right", "on its right"),
    "above": ("below it", "under it"),
}


@dataclass(frozen=True)
class Thing:
    """One shape: a key each of `SIZES`, `COLOURS` and `SHAPES`."""

    size: str
    colour: str
    shape: str


@dataclass(frozen=True)
class Scene:
    """A thing alone, or `first` standing in `relation` to `second`: left of it, above, inside, on (touching) it.

    What stands to the right, below or around is the second, so that equal scenes are equal.
    """

    first: Thing
    relation: Relation | None = None
    second: Thing | None = None


def make_scene(rng: random.Random) -> Scene:
    """A scene by chance: one in eight a thing alone; two things have different colours."""
    first = _thing(rng)
    if rng.random() < 1 / 8:
        return Scene(first)
    relation = rng.choice(list(WORDS))
    second = _thing(rng)
    while second.colour == first.colour:
        second = _thing(rng)
    if relation == "inside":
        first = Thing("small", first.colour, first.shape)
        second = Thing("large", second.colour, rng.choice(HOLLOW))
    return Scene(first, relation, second)


def held_out(scene: Scene) -> bool:
    """Whether this scene is kept from training: one in eight, by its own name."""
    return zlib.crc32(repr(scene).encode()) % 8 == 0


def scenes(count: int, seed: int, split: str) -> list[tuple[Scene, random.Random]]:
    """`count` scenes with what else is to be drawn of each; those of ``train`` are in no other split."""
    found: list[tuple[Scene, random.Random]] = []
    number = 0
    while len(found) < count:
        rng = random.Random(f"{seed} {split} {number}")
        scene = make_scene(rng)
        if held_out(scene) != (split == "train"):
            found.append((scene, rng))
        number += 1
    return found


def captions(scene: Scene, count: int, rng: random.Random) -> list[str]:
    """`count` different sentences that describe `scene`."""
    made: dict[str, None] = {}
    while len(made) < count:
        made[caption(scene, rng)] = None
    return list(made)


def caption(scene: Scene, rng: random.Random) -> str:
    """A sentence that describes `scene`: synonyms, order and form by chance."""
    first = _said(scene.first, rng)
    if scene.relation is None or scene.second is None:
        return rng.choice(ALONE).format(a=first)
    second = _said(scene.second, rng)
    forward, back, where = WORDS[scene.relation]
    forms = [(form, first, second, forward, where) for form in (*SENTENCES, *WITH)]
    forms += [(form, second, first, back, ()) for form in SENTENCES]
    if scene.relation in BEHIND:
        forms += [(form, second, first, (), BEHIND[scene.relation]) for form in WITH]
    form, a, b, how, places = rng.choice(forms)
    return form.format(a=a, b=b, how=rng.choice(how or ("",)), where=rng.choice(places or ("",)))


def parse(text: str) -> Scene | None:
    """The scene that a caption describes; None if it is no sentence of the grammar."""
    plain = " ".join(text.lower().replace(".", " ").split())
    for pattern, relation, swapped in _patterns():
        match = pattern.fullmatch(plain)
        if match is None:
            continue
        a = _read(match, "a")
        if relation is None:
            return Scene(a)
        b = _read(match, "b")
        return Scene(b, relation, a) if swapped else Scene(a, relation, b)
    return None


def things_in(text: str) -> list[tuple[slice, Thing]]:
    """The things that a caption names, each with the place of its words."""
    return [(slice(*match.span()), _read(match, "a")) for match in _any_thing().finditer(text)]


def exact_scenes(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float | None:
    """Share (0-100) of captions that describe exactly the scene; None if a reference is no sentence of the grammar."""
    wanted = [parse(texts[0]) for texts in references]
    if not wanted or None in wanted:
        return None
    right = sum(parse(text) == scene for text, scene in zip(hypotheses, wanted, strict=True))
    return 100.0 * right / len(wanted)


def _thing(rng: random.Random) -> Thing:
    return Thing(rng.choice(list(SIZES)), rng.choice(list(COLOURS)), rng.choice(list(SHAPES)))


def _said(thing: Thing, rng: random.Random) -> str:
    words = {
        "size": rng.choice(SIZES[thing.size]),
        "colour": rng.choice(COLOURS[thing.colour]),
        "shape": rng.choice(SHAPES[thing.shape]),
    }
    return rng.choice(THINGS).format(**words)


_LEXICON = {"size": SIZES, "colour": COLOURS, "shape": SHAPES}
_KEYS = {kind: {word: key for key, words in table.items() for word in words} for kind, table in _LEXICON.items()}
_FORMS = tuple(dict.fromkeys(THINGS))


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], Relation | None, bool]]:
    """Every form of every relation as a pattern, and whether its `a` is the scene's second thing."""
    a, b = _thing_pattern("a"), _thing_pattern("b")

    def pattern(form: str, how: Sequence[str] = (), where: Sequence[str] = ()) -> re.Pattern[str]:
        return re.compile(form.format(a=a, b=b, how=_any(how), where=_any(where)))

    found: list[tuple[re.Pattern[str], Relation | None, bool]] = [(pattern(form), None, False) for form in ALONE]
    for relation, (forward, back, where) in WORDS.items():
        found += [(pattern(form, forward), relation, False) for form in SENTENCES]
        found += [(pattern(form, back), relation, True) for form in SENTENCES]
        found += [(pattern(form, where=where), relation, False) for form in WITH]
        if relation in BEHIND:
            found += [(pattern(form, where=BEHIND[relation]), relation, True) for form in WITH]
    return found


@lru_cache(maxsize=1)
def _any_thing() -> re.Pattern[str]:
    return re.compile(_thing_pattern("a"))


def _thing_pattern(name: str) -> str:
    forms = []
    for number, form in enumerate(_FORMS):
        parts = {kind: f"(?P<{name}{number}{kind}>{_any(list(words))[3:-1]})" for kind, words in _KEYS.items()}
        forms.append(form.format(**parts))
    return _any(forms)


def _any(choices: Sequence[str]) -> str:
    return f"(?:{'|'.join(choices)})"


def _read(match: re.Match[str], name: str) -> Thing:
    """The thing `name` of a sentence, by whichever form it has there."""
    groups = match.groupdict()
    number = next(number for number in range(len(_FORMS)) if groups[f"{name}{number}size"] is not None)
    size, colour, shape = (_KEYS[kind][groups[f"{name}{number}{kind}"]] for kind in ("size", "colour", "shape"))
    return Thing(size, colour, shape)
