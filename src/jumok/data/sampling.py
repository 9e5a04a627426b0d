"""Subword regularisation: other segmentations of a word, drawn as a pure function of (word, number).

A word type keeps at most 32 drawn segmentations; the seed of a sentence chooses among them word by word. So an
epoch costs look-ups, not draws, and a run that was stopped draws the very same pieces again.
"""

import math
import random
from collections.abc import Sequence
from typing import Protocol

DRAWS = 32
_CHUNK = 128
_CACHED_WORDS = 1 << 18
_MASK = (1 << 64) - 1


class WordModel(Protocol):
    """One way to draw the pieces of a word."""

    def draw(self, word: str, rng: random.Random) -> list[int]:
        """Piece ids that join to `word`."""
        ...


class BpeDropout:
    """BPE-dropout: at each step every possible merge is left out with probability p (Provilkov et al. 2020, Alg. 1).

    p = 0 is plain BPE, p = 1 gives characters. `vocab` maps pieces to ids, `merges` are the pairs in order of
    priority, `spell` gives the byte pieces of a character that the vocabulary lacks.
    """

    def __init__(
        self, vocab: dict[str, int], merges: Sequence[tuple[str, str]], spell: Sequence[int], p: float
    ) -> None:
        self.vocab, self.spell, self.p = vocab, spell, p
        self.merges = {
            (vocab[left], vocab[right]): (rank, vocab[left + right]) for rank, (left, right) in enumerate(merges)
        }

    def draw(self, word: str, rng: random.Random) -> list[int]:
        symbols = [i for character in word for i in _character(character, self.vocab, self.spell)]
        while len(symbols) > 1:
            best: tuple[int, int, int] | None = None
            for i in range(len(symbols) - 1):
                merge = self.merges.get((symbols[i], symbols[i + 1]))
                if merge is not None and rng.random() >= self.p and (best is None or merge[0] < best[0]):
                    best = (merge[0], i, merge[1])
            if best is None:
                break
            symbols[best[1] : best[1] + 2] = [best[2]]
        return symbols


class UnigramSampling:
    """Segmentations x of a word by P(x) ~ (prod_i p(x_i))^alpha, forward filtering and backward sampling (Kudo 2018).

    Small alpha is nearly uniform over all segmentations, alpha = 1 is the language model itself.
    """

    def __init__(
        self, scores: dict[str, tuple[int, float]], spell: Sequence[int], unknown: float, alpha: float
    ) -> None:
        self.scores, self.spell, self.unknown, self.alpha = scores, spell, unknown, alpha
        self.longest = max(map(len, scores), default=1)

    def draw(self, word: str, rng: random.Random) -> list[int]:
        # edges[j]: (start, ids, alpha log p) of each piece that ends at j; forward[j] = log sum over ways to reach j
        edges: list[list[tuple[int, list[int], float]]] = [[] for _ in range(len(word) + 1)]
        forward = [0.0] + [-math.inf] * len(word)
        for end in range(1, len(word) + 1):
            for start in range(max(0, end - self.longest), end):
                found = self.scores.get(word[start:end])
                if found is not None:
                    edges[end].append((start, [found[0]], self.alpha * found[1]))
            if word[end - 1] not in self.scores:
                edges[end].append((end - 1, _bytes(word[end - 1], self.spell), self.alpha * self.unknown))
            forward[end] = _log_sum([forward[start] + weight for start, _, weight in edges[end]])
        drawn: list[list[int]] = []
        end = len(word)
        while end > 0:
            weights = [math.exp(forward[start] + weight - forward[end]) for start, _, weight in edges[end]]
            end, ids, _ = rng.choices(edges[end], weights)[0]
            drawn.append(ids)
        return [i for ids in reversed(drawn) for i in ids]


class Sampler:
    """Draws for whole sentences, kept per word type; what it returns depends on its arguments alone."""

    def __init__(self, model: WordModel) -> None:
        self.model = model
        self._drawn: dict[str, list[list[int] | None]] = {}

    def sample(self, words: Sequence[str], seed: int) -> list[int]:
        """Pieces of the words of a sentence, by (seed, place of the word)."""
        state = _scramble(seed)
        result: list[int] = []
        for word in words:
            # Knuth's linear generator; its five highest bits are the number of the draw
            state = (state * 6364136223846793005 + 1442695040888963407) & _MASK
            number = state >> 59
            drawn = self._drawn.get(word)
            ids = drawn[number] if drawn is not None else None
            result += self._draw(word, number) if ids is None else ids
        return result

    def _draw(self, word: str, number: int) -> list[int]:
        if len(self._drawn) >= _CACHED_WORDS and word not in self._drawn:
            self._drawn.clear()
        drawn = self._drawn.setdefault(word, [None] * DRAWS)
        # seeding by text goes through SHA-512: the same in every process, unlike hash()
        rng = random.Random(f"{number} {word}")
        # both draws are quadratic in the length; a text without spaces is one long word
        ids = [i for at in range(0, len(word), _CHUNK) for i in self.model.draw(word[at : at + _CHUNK], rng)]
        ids = next((other for other in drawn if other == ids), ids)
        drawn[number] = ids
        return ids


def _character(character: str, vocab: dict[str, int], spell: Sequence[int]) -> list[int]:
    known = vocab.get(character)
    return _bytes(character, spell) if known is None else [known]


def _bytes(character: str, spell: Sequence[int]) -> list[int]:
    return [spell[byte] for byte in character.encode()]


def _log_sum(values: list[float]) -> float:
    highest = max(values)
    return highest + math.log(sum(math.exp(value - highest) for value in values))


def _scramble(seed: int) -> int:
    # the finaliser of SplitMix64: neighbouring seeds get unrelated states
    state = (seed + 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)
