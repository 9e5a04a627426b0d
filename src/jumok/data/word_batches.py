"""Training batches of words: every batch of one width, real crops and drawn words mixed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from torch import Tensor

from jumok.data.charset import Spelling
from jumok.data.image_file import Pixels
from jumok.data.render import WordRenderer, distort
from jumok.data.word_lists import WordSource
from jumok.data.word_store import WordStore
from jumok.errors import UserError

_TRIES = 50
_KEPT = 1 << 18  # drawn words whose text and width are remembered: batches are planned by them, then drawn


@dataclass(frozen=True)
class DrawnWords:
    """Words drawn on the fly, `count` in an epoch, others in each.

    `spelling` is that of the labels: what is drawn is learned as a label would have it.
    """

    source: WordSource
    renderer: WordRenderer
    spelling: Spelling
    count: int

    @property
    def digest(self) -> str:
        """A hash of the listed words and of the names of the fonts: with others, other words are drawn."""
        faces = [f"{face.path.name} {face.number}" for family in self.renderer.families for face in family]
        return hashlib.sha256("\n".join([*self.source.words, *sorted(faces)]).encode()).hexdigest()

    def word(self, numbers: tuple[int, ...]) -> str:
        """The word that belongs to `numbers`, as it is drawn. Raises `UserError` if no font has those of the source."""
        for attempt in range(_TRIES):
            word = self.source.word((*numbers, attempt))
            if not self.renderer.missing(word):
                return word
        raise UserError(f"{self.renderer.missing(word)}; of {_TRIES} words none could be drawn")


class WordBatches:
    """The words of an epoch, and how they are put together: pure functions of (seed, epoch).

    The places below ``len(store)`` are real crops, changed by `distortion` (0-1); those from there on are drawn.
    """

    def __init__(self, store: WordStore, drawn: DrawnWords | None, *, size: int, distortion: float, seed: int) -> None:
        self.store, self.drawn, self.size, self.distortion, self.seed = store, drawn, size, distortion, seed
        self.batches = lru_cache(maxsize=1)(self._batches)
        self._planned = lru_cache(maxsize=_KEPT)(self._plan)

    def __len__(self) -> int:
        return len(self.store) + (0 if self.drawn is None else self.drawn.count)

    def text(self, place: int, epoch: int) -> str:
        """What is learned of the word at `place` in `epoch`."""
        if place < len(self.store):
            return self.store.texts[place]
        assert self.drawn is not None
        return self.drawn.spelling(self._planned(place, epoch)[0])

    def width(self, place: int, epoch: int) -> int:
        """The width that suits the word at `place` in `epoch`."""
        if place < len(self.store):
            return self.store.widths[place]
        return self._planned(place, epoch)[1]

    def images(self, places: Sequence[int], epoch: int) -> Tensor:
        """The words as the model sees them, (B, C, H, W), all of the width of the widest."""
        shape, width = self.store.shape, max(self.width(place, epoch) for place in places)
        real = [place for place in places if place < len(self.store)]
        crops = dict(zip(real, self.store.pixels(real), strict=True))
        return shape.tensor([self._seen(crops.get(place), place, epoch) for place in places], width)

    def _seen(self, crop: Pixels | None, place: int, epoch: int) -> Pixels:
        numbers = self._numbers(place, epoch)
        if crop is not None:
            return distort(crop, self.distortion, numbers)
        assert self.drawn is not None
        return self.store.shape.upright(self.drawn.renderer(self._planned(place, epoch)[0], numbers))

    def _numbers(self, place: int, epoch: int) -> tuple[int, int, int]:
        return self.seed, epoch, place

    def _plan(self, place: int, epoch: int) -> tuple[str, int]:
        """The drawn word at `place`, and its width."""
        assert self.drawn is not None
        numbers = self._numbers(place, epoch)
        word = self.drawn.word(numbers)
        return word, self.store.shape.width_at(self.drawn.renderer.aspect(word, numbers))

    def _batches(self, epoch: int) -> list[list[int]]:
        """Every word once, in batches that are equal but for one word; those of like width together, then shuffled.

        They are cut from the words in the order of their width, and of chance where it is equal; so few hold words of
        two widths, and their number is the same in every epoch.
        """
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, epoch])))
        order = random.permutation(len(self))
        widths = np.array([self.width(place, epoch) for place in order.tolist()])
        order = order[np.argsort(widths, kind="stable")]
        batches = np.array_split(order, max(1, -(-len(order) // self.size)))
        return [batches[turn].tolist() for turn in random.permutation(len(batches)).tolist()]
