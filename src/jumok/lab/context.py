"""11. Word in context: what an ambiguous word means, and whom a pronoun names, when the cue stands d words away.

A person's own sentences are one more corpus: `own_sentences` reads them.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from jumok.data.text import read_lines
from jumok.errors import UserError
from jumok.lab.drill import drill
from jumok.lab.figures import canvas, curves, drawable, fonts
from jumok.lab.finding import Finding, Setting
from jumok.lab.readers import LABELS, Kind, Reader, matched
from jumok.lab.saturation import probe

TITLE = "Word in context"
BUDGET = 60_000
DEPTH = 3

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


CORPORA: dict[str, Callable[[int, random.Random], Example]] = {
    "쓰다 (Korean)": ambiguous_korean,
    "apple": ambiguous_english,
    "pronoun": pronoun,
}


def _filler(words: Sequence[str], count: int, draw: random.Random) -> list[str]:
    return [draw.choice(words) for _ in range(count)]


FEWEST = 40  # sentences of one's own: a fifth is kept aside to score on
GROUPS = 4  # distances of one's own sentences are put together into so many


def own_sentences(path: str | Path) -> list[Example]:
    """A person's own sentences: lines of ``sentence <tab> word <tab> meaning <tab> cue``.

    The cue is the word of the sentence that decides what the ambiguous one means; a written word may carry more than
    the named one (``썼다.`` is ``썼다``, ``apples`` is ``apple``). Raises `UserError` with the line for a sentence that
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
            place = next((n for n, written in enumerate(words) if sought.casefold() in written.casefold()), None)
            if place is None:
                raise UserError(f"{path}, line {number}: the {what} “{sought}” is not in the sentence “{sentence}”")
            places.append(place)
        found.append(Example(words, meaning, abs(places[0] - places[1])))
    if len(found) < FEWEST or len({example.meaning for example in found}) < 2:
        meanings = len({example.meaning for example in found})
        raise UserError(
            f"{path}: {len(found)} sentences with {meanings} meanings; give at least {FEWEST} sentences and 2 meanings"
        )
    return found


class Corpus(ABC):
    """One kind of sentence as tokens, padded in front with a word that says nothing."""

    def __init__(self, examples: Sequence[Example], distances: Sequence[int]) -> None:
        self.distances = distances
        self.words = {word: n for n, word in enumerate(["<pad>", *sorted({w for e in examples for w in e.words})])}
        self.meanings = {m: n for n, m in enumerate(sorted({e.meaning for e in examples}))}
        self.length = max(len(example.words) for example in examples)

    @abstractmethod
    def draw(self, batch: int, seed: int) -> tuple[Tensor, Tensor]:
        """`batch` sentences to learn from, of any distance, and the numbers of their meanings."""

    @abstractmethod
    def held_out(self, distance: int, seed: int) -> tuple[Tensor, Tensor]:
        """Sentences of one of the distances, for scoring."""

    @abstractmethod
    def for_probes(self, seed: int) -> tuple[Tensor, Tensor, int]:
        """Sentences for a probe, those with the farthest cues if there are enough; how many of them it is fitted on."""

    def encode(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        rows = [[0] * (self.length - len(e.words)) + [self.words[word] for word in e.words] for e in examples]
        return torch.tensor(rows), torch.tensor([self.meanings[e.meaning] for e in examples])


class Generated(Corpus):
    """Sentences made as they are asked for."""

    def __init__(self, make: Callable[[int, random.Random], Example], distances: Sequence[int]) -> None:
        self.make = make
        super().__init__([make(distance, random.Random(n)) for n in range(400) for distance in distances], distances)

    def draw(self, batch: int, seed: int) -> tuple[Tensor, Tensor]:
        generator = random.Random(seed)
        return self.encode([self.make(generator.choice(self.distances), generator) for _ in range(batch)])

    def held_out(self, distance: int, seed: int, count: int = 512) -> tuple[Tensor, Tensor]:
        generator = random.Random(2**31 + seed)
        return self.encode([self.make(distance, generator) for _ in range(count)])

    def for_probes(self, seed: int) -> tuple[Tensor, Tensor, int]:
        return *self.held_out(self.distances[-1], seed + 1, 2000), 1000


class Given(Corpus):
    """A person's sentences: four fifths to learn from, a fifth for scoring, in groups of like distance."""

    def __init__(self, examples: Sequence[Example]) -> None:
        mixed = random.Random(0).sample(list(examples), len(examples))
        self.learnt, aside = mixed[len(mixed) // 5 :], sorted(mixed[: len(mixed) // 5], key=lambda e: e.distance)
        number = min(GROUPS, len({example.distance for example in aside}))
        cuts = [len(aside) * n // number for n in range(number + 1)]
        self.groups: dict[int, list[Example]] = {}  # by their median distance
        for start, end in pairwise(cuts):
            self.groups.setdefault(aside[(start + end) // 2].distance, []).extend(aside[start:end])
        super().__init__(examples, list(self.groups))

    def draw(self, batch: int, seed: int) -> tuple[Tensor, Tensor]:
        return self.encode(random.Random(seed).choices(self.learnt, k=batch))

    def held_out(self, distance: int, seed: int) -> tuple[Tensor, Tensor]:
        return self.encode(self.groups[distance])

    def for_probes(self, seed: int) -> tuple[Tensor, Tensor, int]:
        aside = [example for group in self.groups.values() for example in group]
        return *self.encode([*self.learnt, *aside]), len(self.learnt)


def run(setting: Setting) -> Finding:
    """Small models of one size trained on each corpus at all distances together, scored at each."""
    distances: list[int] = setting.pick([5, 8, 12, 20, 30, 40], [5, 10, 20])
    kinds: list[Kind] = setting.pick(["tanh", "lstm", "convolution", "transformer"], ["tanh", "lstm", "transformer"])
    steps, batch = setting.pick(600, 150), 64
    scores: dict[str, dict[str, list[list[float]]]] = {}
    probes: dict[str, dict[str, list[list[float]]]] = {}
    corpora: dict[str, Corpus] = {title: Generated(make, distances) for title, make in CORPORA.items()}
    if setting.sentences:
        corpora["your sentences"] = Given(setting.sentences)
    for title, corpus in corpora.items():
        scores[title], probes[title] = {}, {}
        for kind in kinds:
            setting.say(f"word in context: {title}, {LABELS[kind]}")
            for seed in setting.seeds:
                torch.manual_seed(seed)
                depth = 5 if kind == "convolution" else DEPTH
                model = matched(kind, len(corpus.words), len(corpus.meanings), BUDGET, depth=depth)

                def draw(generator: torch.Generator, corpus: Corpus = corpus) -> tuple[Tensor, Tensor]:
                    return corpus.draw(batch, int(torch.randint(2**31, (), generator=generator)))

                drill(model, draw, steps=steps, seed=seed, learning_rate=2e-3, enough=0.01)
                scores[title].setdefault(LABELS[kind], []).append(_accuracies(model, corpus, seed))
                probes[title].setdefault(LABELS[kind], []).append(_probed(model, corpus, seed))
    figure, axes = canvas(2, len(corpora), width=4.2 * len(corpora), height=7, sharey=True)
    for column, (title, corpus) in enumerate(corpora.items()):
        curves(axes[0][column], corpus.distances, scores[title])
        axes[0][column].set_title(_written(title), fontfamily=fonts())
        axes[0][column].set(xlabel="words between cue and word", ylim=(0, 104))
        deepest = max(len(rows[0]) for rows in probes[title].values())
        # models of other depths end where they end
        padded = {
            name: [row + [math.nan] * (deepest - len(row)) for row in rows] for name, rows in probes[title].items()
        }
        curves(axes[1][column], list(range(deepest)), padded)
        axes[1][column].set(xlabel=f"layers read (0: the word alone), {corpus.distances[-1]} words away", ylim=(0, 104))
    axes[0][0].set_ylabel("understood (%)")
    axes[1][0].set_ylabel("read by a linear probe (%)")
    axes[0][-1].legend()

    def far(title: str) -> str:
        means = {name: sum(row[-1] for row in rows) / len(rows) for name, rows in scores[title].items()}
        away = corpora[title].distances[-1]
        return f"{title}, {away} words away: " + ", ".join(f"{name} {value:.0f} %" for name, value in means.items())

    own = " Your sentences: four fifths learnt from, scored on the rest." if setting.sentences else ""
    return Finding(
        shows="Understood with the cue far away: " + "; ".join(far(title) for title in corpora) + ".",
        how=f"Generated sentences with known answers; {steps} steps of {batch} at all distances, models matched in "
        f"parameters (about {BUDGET:,}), {len(setting.seeds)} seeds (band: lowest to highest). Below: a linear probe "
        f"of the answer on the state at the last word, layer by layer.{own}",
        data={
            "distances": {title: list(corpus.distances) for title, corpus in corpora.items()},
            "accuracy": scores,
            "probe": probes,
        },
        figures={"context": figure},
    )


def _written(title: str) -> str:
    # a machine may have no font with Hangul
    return title if drawable(title) == title else "sseuda (Korean)"


@torch.inference_mode()
def _accuracies(model: Reader, corpus: Corpus, seed: int) -> list[float]:
    found = []
    for distance in corpus.distances:
        tokens, labels = corpus.held_out(distance, seed)
        found.append(100.0 * float((model(tokens).argmax(-1) == labels).double().mean()))
    return found


@torch.no_grad()
def _probed(model: Reader, corpus: Corpus, seed: int) -> list[float]:
    tokens, labels, fitted = corpus.for_probes(seed)
    return [probe(states[:, -1], labels, len(corpus.meanings), fitted) for states in model.layers(tokens)]
