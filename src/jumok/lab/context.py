"""11. Word in context: what an ambiguous word means, and whom a pronoun names, when the cue stands d words away."""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from jumok.lab.drill import Drills
from jumok.lab.figures import canvas, curves, drawable, fonts
from jumok.lab.finding import Drawing, Finding, Setting
from jumok.lab.readers import LABELS, ConvolutionBody, Kind, Reader, matched
from jumok.lab.saturation import probe
from jumok.lab.sentences import CORPORA, Example, Sort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Word in context"
BUDGET = 60_000
DEPTH = 3

GROUPS = 4  # distances of one's own sentences are put together into so many


class Corpus(ABC):
    """One kind of sentence as tokens, padded in front with a word that says nothing.

    ``apart`` says what its distances are; ``last`` what stands last, where the answer is asked for; ``probed`` which
    sentences each probe is of.
    """

    apart: str
    last: str
    probed: Sequence[str]

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
    def for_probes(self, seed: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Sentences for a probe and how many of them it is fitted on, one distance after the other."""

    def encode(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        rows = [[0] * (self.length - len(e.words)) + [self.words[word] for word in e.words] for e in examples]
        return torch.tensor(rows), torch.tensor([self.meanings[e.meaning] for e in examples])


class Generated(Corpus):
    """Sentences made as they are asked for."""

    def __init__(self, sort: Sort, distances: Sequence[int], fitted: int = 1000) -> None:
        self.make, self.apart, self.last, self.fitted = sort.make, sort.apart, sort.last, fitted
        self.probed = [str(distance) for distance in distances]
        examples = [self.make(distance, random.Random(n)) for n in range(400) for distance in distances]
        super().__init__(examples, distances)

    def draw(self, batch: int, seed: int) -> tuple[Tensor, Tensor]:
        generator = random.Random(seed)
        return self.encode([self.make(generator.choice(self.distances), generator) for _ in range(batch)])

    def held_out(self, distance: int, seed: int, count: int = 512) -> tuple[Tensor, Tensor]:
        generator = random.Random(2**31 + seed)
        return self.encode([self.make(distance, generator) for _ in range(count)])

    def for_probes(self, seed: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        for distance in self.distances:
            yield *self.held_out(distance, seed + 1, self.fitted * 3 // 2), self.fitted


class Given(Corpus):
    """A person's sentences: four fifths to learn from, a fifth for scoring, in groups of like distance."""

    apart = "words from the cue to the word (median of a group)"
    last = "the later of the two alone"
    probed = ("all",)

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

    def for_probes(self, seed: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        # too few of each distance for a probe of its own
        aside = [example for group in self.groups.values() for example in group]
        yield *self.encode([*self.learnt, *aside]), len(self.learnt)


def run(setting: Setting) -> Finding:
    """Small models of one size trained on each corpus at all distances together, scored at each."""
    distances: list[int] = setting.pick([5, 8, 12, 20, 30, 40], [5, 10, 20])
    kinds: list[Kind] = setting.pick(["tanh", "lstm", "convolution", "transformer"], ["tanh", "lstm", "transformer"])
    steps, batch = setting.pick((600, 64), (120, 32))
    scores: dict[str, dict[str, list[list[float]]]] = {}
    probes: dict[str, dict[str, list[list[list[float]]]]] = {}  # a row a seed, of rows a distance, of each layer
    drills = Drills()
    corpora: dict[str, Corpus] = {
        title: Generated(sort, distances, setting.pick(1000, 400)) for title, sort in CORPORA.items()
    }
    if setting.sentences:
        corpora["your sentences"] = Given(setting.sentences)
    for title, corpus in corpora.items():
        scores[title], probes[title] = {}, {}
        for kind in kinds:
            setting.say(f"word in context: {title}, {LABELS[kind]}")
            for seed in setting.seeds:
                torch.manual_seed(seed)
                depth = ConvolutionBody.depth_to_see(corpus.length) if kind == "convolution" else DEPTH
                model = matched(kind, len(corpus.words), len(corpus.meanings), BUDGET, depth=depth)

                def draw(generator: torch.Generator, corpus: Corpus = corpus) -> tuple[Tensor, Tensor]:
                    return corpus.draw(batch, int(torch.randint(2**31, (), generator=generator)))

                drills(f"{title}, {LABELS[kind]}", model, draw, steps=steps, seed=seed, learning_rate=2e-3, enough=0.01)
                scores[title].setdefault(LABELS[kind], []).append(_accuracies(model, corpus, seed))
                probes[title].setdefault(LABELS[kind], []).append(_probed(model, corpus, seed))
    figure, axes = canvas(2, len(corpora), width=4.2 * len(corpora), height=7, sharey=True)
    for column, (title, corpus) in enumerate(corpora.items()):
        curves(axes[0][column], corpus.distances, scores[title])
        axes[0][column].set_title(_written(title), fontfamily=fonts())
        axes[0][column].set(xlabel=corpus.apart, ylim=(0, 104))
        farthest = {name: [rows[-1] for rows in each] for name, each in probes[title].items()}
        deepest = max(len(rows[0]) for rows in farthest.values())
        # models of other depths end where they end
        padded = {name: [row + [math.nan] * (deepest - len(row)) for row in rows] for name, rows in farthest.items()}
        curves(axes[1][column], list(range(deepest)), padded)
        away = corpus.probed[-1]
        which = "at all distances" if away == "all" else f"{away} words away"
        axes[1][column].set_xlabel(f"layers read (0: {corpus.last}), {which}", fontsize=8)
    axes[0][0].set_ylabel("understood (%)")
    axes[1][0].set_ylabel("read by a linear probe (%)")
    axes[0][-1].legend()
    layers = _layers(corpora, probes)

    def far(title: str) -> str:
        means = {name: sum(row[-1] for row in rows) / len(rows) for name, rows in scores[title].items()}
        away = corpora[title].distances[-1]
        return f"{title}, {away} words away: " + ", ".join(f"{name} {value:.0f} %" for name, value in means.items())

    own = (
        " Your sentences: read to the later of the word and its cue, four fifths learnt from, scored on the rest; too "
        "few of each distance for a probe of its own: one for all together."
    )
    return Finding(
        shows="Understood with the cue far away: " + "; ".join(far(title) for title in corpora) + ".",
        how=f"Generated sentences with known answers; at most {steps} steps of {batch} at all distances (fewer "
        f"once the loss is below 0.01), models matched in parameters (about {BUDGET:,}), {len(setting.seeds)} seeds "
        "(band: lowest to highest). Below: a linear probe of the answer on the state at the last word (the ambiguous "
        "one; of the pronoun's sentences the one that decides whom it names), layer by layer: first with the cue "
        "farthest away, then (mean of the seeds) at every distance. Layer 0 is that word's embedding alone; "
        f"convolutions are deep enough to see the whole sentence.{own if setting.sentences else ''} {drills}",
        data={
            "distances": {title: list(corpus.distances) for title, corpus in corpora.items()},
            "accuracy": scores,
            "probe": probes,
        },
        drawings={
            "context": Drawing(
                figure,
                "Right answers with the cue d words away (of a pronoun: the farther of the two nouns), and what a "
                f"linear probe reads at the last word in each layer when it is {distances[-1]} away"
                f"{', of your sentences at all distances' if setting.sentences else ''}; {setting.spread}.",
            ),
            "context_layers": Drawing(
                layers,
                "What a linear probe reads at the last word in each layer, with the cue d words away"
                f"{' (your sentences: all distances in one probe)' if setting.sentences else ''}; mean of "
                f"{len(setting.seeds)} seeds.",
            ),
        },
        tables=[drills.table("of one corpus matched in parameters, trained on the same sentences")],
    )


def _layers(corpora: Mapping[str, Corpus], probes: Mapping[str, Mapping[str, list[list[list[float]]]]]) -> "Figure":
    """What a probe reads in each layer at each distance, or at all together: a panel a corpus and model."""
    models = list(next(iter(probes.values())))
    figure, axes = canvas(
        len(probes), len(models), width=2.9 * len(models) + 1, height=2.3 * len(probes), squeeze=False
    )
    for row, (title, by_model) in zip(axes, probes.items(), strict=True):
        for axis, name in zip(row, models, strict=True):
            mean = np.mean(by_model[name], 0).T  # (layers, distances)
            image = axis.imshow(mean, origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=100)
            axis.grid(visible=False)
            axis.set_xticks(range(mean.shape[1]), corpora[title].probed, fontsize=7)
            axis.set_yticks(range(mean.shape[0]), [str(layer) for layer in range(mean.shape[0])], fontsize=7)
            axis.set_title(f"{_written(title)}, {name}", fontsize=8, fontfamily=fonts())
        row[0].set_ylabel("layer")
        for axis in row:
            axis.set_xlabel("words away", fontsize=8)
    figure.colorbar(image, ax=axes, label="read by a linear probe (%)", shrink=0.6)
    return figure


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
def _probed(model: Reader, corpus: Corpus, seed: int) -> list[list[float]]:
    return [
        [probe(states[:, -1], labels, len(corpus.meanings), fitted) for states in model.layers(tokens)]
        for tokens, labels, fitted in corpus.for_probes(seed)
    ]
