"""Generated sentences that mean the same, or nearly: scenes of the captions' grammar, said in other words.

A hard negative has the very words of the paraphrase but another meaning ("a star left of a box", "a box left of a
star"), so that who only counts words finds both equally near.
"""

import random
from dataclasses import replace
from pathlib import Path

from jumok.data.scenes import (
    COLOURS,
    HOLLOW,
    SHAPES,
    SIZES,
    WORDS,
    Scene,
    Thing,
    captions,
    held_out,
    make_scene,
    things_in,
)
from jumok.files import atomic_write

BEST = 5.0  # the grade of two sentences that mean the same


def likeness(first: Scene, second: Scene) -> float:
    """How much two scenes share, 0 to 5: of each thing's size, colour and shape, and of the relation, the share alike.

    What stands in the other's place is another thing.
    """
    facts = [_facts(scene) for scene in (first, second)]
    names = facts[0].keys() | facts[1].keys()
    return BEST * sum(facts[0].get(name) == facts[1].get(name) for name in names) / len(names)


def swapped(scene: Scene) -> Scene | None:
    """The scene whose two things have changed places; None where that cannot be, or is the same."""
    if scene.second is None or scene.relation == "inside" or scene.first == scene.second:
        return None
    return Scene(scene.second, scene.relation, scene.first)


def exchanged(text: str) -> str:
    """A sentence on two things with each in the other's place, word for word: it describes the `swapped` scene."""
    (first, _), (second, _) = things_in(text)
    between = text[first.stop : second.start]
    return text[: first.start] + text[second] + between + text[first] + text[second.stop :]


def write_paraphrases(folder: Path, train: int, val: int, seed: int = 1, each: int = 1) -> None:
    """`train.tsv` of anchor, positive and hard negative, `val.tsv` of two sentences and a grade (0-5), `corpus.txt`.

    Of `train` scenes `train.tsv` has `each` examples, in other words every time. No scene of it is in another file; the
    corpus holds the first sentences of `val.tsv` and a paraphrase of each, `pairs.tsv` says which belong together, and
    has a hard negative where there is one.
    """
    rows = ["anchor\tpositive\tnegative"]
    for scene, rng in _scenes(train, seed, "train"):
        sentences = captions(scene, 2 * each, rng)
        for anchor, positive in zip(sentences[::2], sentences[1::2], strict=True):
            rows.append(f"{anchor}\t{positive}\t{_negative(scene, positive)}")
    graded, pairs, corpus = ["sentence1\tsentence2\tscore"], ["anchor\tpositive\tnegative"], []
    for scene, rng in _scenes(val, seed, "val"):
        anchor, positive = captions(scene, 2, rng)
        near = _changed(scene, rng.randrange(7), rng)
        graded.append(f"{anchor}\t{captions(near, 1, rng)[0]}\t{likeness(scene, near):.2f}")
        pairs.append(f"{anchor}\t{positive}\t{_negative(scene, positive)}")
        corpus += [anchor, positive]
    for name, lines in {"train.tsv": rows, "val.tsv": graded, "pairs.tsv": pairs, "corpus.txt": corpus}.items():
        atomic_write(folder / name, "".join(f"{line}\n" for line in lines))


def _negative(scene: Scene, text: str) -> str:
    """The same words for another scene; nothing where there is none, for a cell of a table."""
    return exchanged(text) if swapped(scene) else ""


def _scenes(count: int, seed: int, split: str) -> list[tuple[Scene, random.Random]]:
    """Different scenes, those of ``train`` and their hard negatives in no other split."""
    found: dict[Scene, random.Random] = {}
    number = 0
    while len(found) < count:
        rng = random.Random(f"{seed} {split} {number}")
        scene = make_scene(rng)
        aside = held_out(scene) or (split == "train" and held_out(swapped(scene) or scene))
        if aside != (split == "train"):
            found.setdefault(scene, rng)
        number += 1
    return list(found.items())


def _changed(scene: Scene, steps: int, rng: random.Random) -> Scene:
    """The scene after so many changes by chance, none where the grammar forbids it."""
    for _ in range(steps):
        kind = rng.choice(("first", "second", "relation", "swap"))
        if kind == "swap":
            scene = swapped(scene) or scene
        elif kind == "relation" and scene.relation is not None and scene.relation != "inside":
            scene = replace(scene, relation=rng.choice([name for name in WORDS if name != "inside"]))
        elif kind == "first":
            scene = replace(scene, first=_other(scene.first, rng, sizes=scene.relation != "inside"))
        elif kind == "second" and scene.second is not None:
            inside = scene.relation == "inside"
            scene = replace(scene, second=_other(scene.second, rng, sizes=not inside, hollow=inside))
    return scene


def _other(thing: Thing, rng: random.Random, *, sizes: bool, hollow: bool = False) -> Thing:
    """The thing with one of its properties drawn anew."""
    what = rng.choice(("size", "colour", "shape") if sizes else ("colour", "shape"))
    choices = {"size": list(SIZES), "colour": list(COLOURS), "shape": list(HOLLOW if hollow else SHAPES)}
    return replace(thing, **{what: rng.choice(choices[what])})


def _facts(scene: Scene) -> dict[str, str]:
    facts = {f"first {key}": value for key, value in vars(scene.first).items()}
    if scene.second is not None and scene.relation is not None:
        facts |= {f"second {key}": value for key, value in vars(scene.second).items()}
        facts["relation"] = scene.relation
    return facts
