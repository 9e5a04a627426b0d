"""A model that is a table: the logits of each history are looked up, so that every output can be enumerated."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

PAD, BEGIN, END, FIRST = 0, 1, 2, 3  # FIRST: the first token that is a word
PLACES = 4099  # histories share places by a hash; a collision does no harm


@dataclass
class TableState:
    sentences: Tensor  # (B,) which rows of the table
    place: Tensor  # (B, beams) the hash of each beam's history

    def reorder(self, parents: Tensor) -> None:
        self.place = self.place.gather(1, parents)

    def keep(self, sentences: Tensor) -> None:
        self.sentences, self.place = self.sentences[sentences], self.place[sentences]


class TableModel:
    """Random logits for each sentence and each history of tokens; `sharpness` 0 makes all histories uniform.

    `encoded` is the tensor of the sentences' numbers.
    """

    def __init__(self, words: int, sentences: int = 1, sharpness: float = 1.0, end: float = 0.0) -> None:
        self.vocab = FIRST + words
        self.words = range(FIRST, self.vocab)
        self.logits = torch.randn(sentences, PLACES, self.vocab) * sharpness
        self.logits[..., END] += end
        self.all = torch.arange(sentences)
        self.steps = 0

    def begin(self, encoded: Tensor, beams: int, max_len: int) -> TableState:
        return TableState(encoded, torch.zeros(len(encoded), beams, dtype=torch.long))

    def step(self, tokens: Tensor, state: TableState) -> tuple[Tensor, TableState]:
        self.steps += 1
        assert tokens.shape[0] == state.place.numel()
        for column in tokens.view(*state.place.shape, -1).unbind(2):
            state.place = self._next(state.place, column)
        return self.logits[state.sentences[:, None], state.place].flatten(0, 1), state

    @staticmethod
    def _next(place: Tensor, token: Tensor) -> Tensor:
        return (place * 31 + token + 1) % PLACES

    def log_p(self, sentence: int, history: tuple[int, ...]) -> Tensor:
        """Log-probabilities ``(V,)`` of the token that follows."""
        place = torch.tensor(0)
        for token in (BEGIN, *history):
            place = self._next(place, torch.tensor(token))
        return self.logits[sentence, place].double().log_softmax(-1)

    def score(self, sentence: int, text: tuple[int, ...]) -> float:
        """``log p(text, end)``: what a forced pass says."""
        whole = (*text, END)
        return sum(float(self.log_p(sentence, whole[:i])[token]) for i, token in enumerate(whole))

    def every_text(self, longest: int) -> list[tuple[int, ...]]:
        return [text for n in range(longest + 1) for text in itertools.product(self.words, repeat=n)]


class Mean:
    """The mean of the probabilities of several tables, by brute force."""

    def __init__(self, members: list[TableModel]) -> None:
        self.members = members

    def log_p(self, sentence: int, history: tuple[int, ...]) -> Tensor:
        return torch.stack([m.log_p(sentence, history).exp() for m in self.members]).mean(0).log()

    def score(self, sentence: int, text: tuple[int, ...]) -> float:
        whole = (*text, END)
        return sum(float(self.log_p(sentence, whole[:i])[token]) for i, token in enumerate(whole))


def penalty(length: int, alpha: float) -> float:
    """GNMT's, of a text with its end."""
    return float(((5 + length) / 6) ** alpha)


def repeats(text: tuple[int, ...], size: int) -> bool:
    grams = [text[i : i + size] for i in range(len(text) - size + 1)]
    return len(set(grams)) < len(grams)
