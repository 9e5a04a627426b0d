"""11. Word in context: what an ambiguous word means, and whom a pronoun names, when the cue stands d words away."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jumok.lab.drill import drill
from jumok.lab.figures import canvas, curves
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
    """A sentence in words whose last word is to be understood, what it means, and how far away the cue stands."""

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


class Corpus:
    """One kind of sentence as tokens: `length` of them, padded in front with a word that says nothing."""

    def __init__(self, make: Callable[[int, random.Random], Example], distances: list[int]) -> None:
        self.make, self.distances = make, distances
        some = [make(distance, random.Random(number)) for number in range(400) for distance in distances]
        self.words = {word: n for n, word in enumerate(["<pad>", *sorted({w for e in some for w in e.words})])}
        self.meanings = {m: n for n, m in enumerate(sorted({e.meaning for e in some}))}
        self.length = max(len(example.words) for example in some)

    def draw(self, distance: int | None, batch: int, seed: int) -> tuple[Tensor, Tensor]:
        """`batch` sentences, at any of the distances where none is named."""
        generator = random.Random(seed)
        examples = [self.make(distance or generator.choice(self.distances), generator) for _ in range(batch)]
        rows = [[0] * (self.length - len(e.words)) + [self.words[word] for word in e.words] for e in examples]
        return torch.tensor(rows), torch.tensor([self.meanings[e.meaning] for e in examples])


def run(setting: Setting) -> Finding:
    """Small models of one size trained on each corpus at all distances together, scored at each."""
    distances: list[int] = setting.pick([5, 8, 12, 20, 30, 40], [5, 10, 20])
    kinds: list[Kind] = setting.pick(["tanh", "lstm", "convolution", "transformer"], ["tanh", "lstm", "transformer"])
    steps, batch = setting.pick(600, 200), 64
    scores: dict[str, dict[str, list[list[float]]]] = {}
    probes: dict[str, dict[str, list[list[float]]]] = {}
    for title, make in CORPORA.items():
        corpus = Corpus(make, distances)
        scores[title], probes[title] = {}, {}
        for kind in kinds:
            setting.say(f"word in context: {title}, {LABELS[kind]}")
            for seed in setting.seeds:
                torch.manual_seed(seed)
                depth = 5 if kind == "convolution" else DEPTH
                model = matched(kind, len(corpus.words), len(corpus.meanings), BUDGET, depth=depth)

                def draw(generator: torch.Generator, corpus: Corpus = corpus) -> tuple[Tensor, Tensor]:
                    return corpus.draw(None, batch, int(torch.randint(2**31, (), generator=generator)))

                drill(model, draw, steps=steps, seed=seed, learning_rate=2e-3, enough=0.01)
                scores[title].setdefault(LABELS[kind], []).append(_accuracies(model, corpus, distances, seed))
                probes[title].setdefault(LABELS[kind], []).append(_probed(model, corpus, distances[-1], seed))
    figure, axes = canvas(2, len(CORPORA), width=12.5, height=7, sharey=True)
    for column, title in enumerate(CORPORA):
        curves(axes[0][column], distances, scores[title])
        axes[0][column].set(title=_ascii(title), xlabel="words between cue and word", ylim=(0, 104))
        deepest = max(len(rows[0]) for rows in probes[title].values())
        # models of other depths end where they end
        padded = {
            name: [row + [math.nan] * (deepest - len(row)) for row in rows] for name, rows in probes[title].items()
        }
        curves(axes[1][column], list(range(deepest)), padded)
        axes[1][column].set(xlabel=f"layers read (0: the word alone), {distances[-1]} words away", ylim=(0, 104))
    axes[0][0].set_ylabel("understood (%)")
    axes[1][0].set_ylabel("read by a linear probe (%)")
    axes[0][-1].legend()

    def far(title: str) -> str:
        means = {name: sum(row[-1] for row in rows) / len(rows) for name, rows in scores[title].items()}
        return f"{title}: " + ", ".join(f"{name} {value:.0f} %" for name, value in means.items())

    return Finding(
        shows=f"Understood with the cue {distances[-1]} words away: "
        + "; ".join(far(title) for title in CORPORA)
        + ".",
        how=f"Generated sentences with known answers; {steps} steps of {batch} at all distances, models matched in "
        f"parameters (about {BUDGET:,}), {len(setting.seeds)} seeds (band: lowest to highest). Below: a linear probe "
        "of the answer on the state at the last word, layer by layer.",
        data={"distances": distances, "accuracy": scores, "probe": probes},
        figures={"context": figure},
    )


def _ascii(title: str) -> str:
    # figures are drawn with matplotlib's own font, which has no Hangul
    return "sseuda 'write, spend, wear, bitter'" if title.startswith("쓰다") else title


@torch.inference_mode()
def _accuracies(model: Reader, corpus: Corpus, distances: list[int], seed: int) -> list[float]:
    found = []
    for distance in distances:
        tokens, labels = corpus.draw(distance, 512, 2**31 + seed)
        found.append(100.0 * float((model(tokens).argmax(-1) == labels).double().mean()))
    return found


@torch.no_grad()
def _probed(model: Reader, corpus: Corpus, distance: int, seed: int) -> list[float]:
    tokens, labels = corpus.draw(distance, 2000, 2**31 + 1 + seed)
    return [probe(states[:, -1], labels, len(corpus.meanings)) for states in model.layers(tokens)]
