"""Decoding by hand: beams that read, change places and are dropped, beside what each of them has read."""

import torch
from tests.models.small import BEGIN, FIRST, VOCAB
from tests.models.small_images import inputs

from jumok.models.image_to_text import ImageToText
from jumok.models.translators import TranslationModel


class Walk:
    """A random walk of beams, beside what each beam has read: `check` compares the two ways to its next token."""

    def __init__(self, model: TranslationModel | ImageToText, sentences: int, beams: int, length: int = 7) -> None:
        self.model, self.beams = model, beams
        self.inputs = inputs(model, sentences, length)
        self.state = model.begin(model.encode(*self.inputs), beams, 120)
        self.read = torch.empty(sentences, beams, 0, dtype=torch.long)
        self.logits = torch.empty(0)

    def step(self, count: int = 1) -> None:
        sentences, _, before = self.read.shape
        new = torch.randint(FIRST, VOCAB, (sentences, self.beams, count))
        if before == 0:
            new[:, :, 0] = BEGIN
        self.logits, self.state = self.model.step(new.flatten(0, 1), self.state)
        self.read = torch.cat([self.read, new], dim=2)

    def reorder(self, beams: int | None = None) -> None:
        sentences, _, length = self.read.shape
        parents = torch.randint(self.beams, (sentences, beams or self.beams))
        self.beams = parents.shape[1]
        self.state.reorder(parents)
        self.read = self.read.gather(1, parents[:, :, None].expand(-1, -1, length))

    def keep(self) -> None:
        sentences = len(self.read)
        chosen = torch.randperm(sentences)[: max(1, sentences - 1)].sort().values
        self.state.keep(chosen)
        self.read, self.inputs = self.read[chosen], tuple(part[chosen] for part in self.inputs)

    def check(self) -> None:
        repeated = (part.repeat_interleave(self.beams, 0) for part in self.inputs)
        expected = self.model(*repeated, self.read.flatten(0, 1))[:, -1]
        assert self.logits.shape == expected.shape
        torch.testing.assert_close(self.logits, expected, rtol=1e-4, atol=1e-4)
