"""What a caption is worth that no model wrote: the two baselines that every captioner has to beat."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jumok.data.caption_report import CaptionStore
from jumok.data.captions import CaptionSet, read_captions
from jumok.data.image_crop import centres
from jumok.data.image_pass import read_pixels
from jumok.data.image_store import PixelStore
from jumok.errors import UserError
from jumok.metrics.caption_words import caption_words
from jumok.metrics.captions import CaptionScores, caption_scores

SIZE = 16  # side of the squares that are compared pixel by pixel
MOST = 20_000  # training images compared; of more, so many spread over them

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@dataclass(frozen=True)
class Baselines:
    """Scores of always the same caption, and of the nearest training image's, among `images` of them."""

    caption: str
    most_frequent: CaptionScores
    nearest_image: CaptionScores
    images: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "most_frequent_caption": {"caption": self.caption, **self.most_frequent.as_dict()},
            "nearest_training_image": {"images": self.images, **self.nearest_image.as_dict()},
        }


def baselines(train: CaptionSet, store: CaptionStore) -> Baselines:
    """The two on the images of `store`: the commonest training caption, and the first one of the nearest image.

    Near is a small squared distance of pixels (RGB, squares of `SIZE`).
    """
    chosen = np.unique(np.linspace(0, len(train) - 1, min(MOST, len(train))).astype(np.int64)).tolist()
    found = read_pixels(train.name, [train.paths[i] for i in chosen], SIZE, store.channels, 1 << 30, lambda done: None)
    if not found.good:
        raise UserError(f"no training image of {train.source} can be read ({found.excuse})")
    places = nearest(_squares(store), _squares(found.store))
    near = [train.captions[chosen[found.good[place]]][0] for place in places]
    common = most_frequent(train.captions)
    scores = [caption_scores(texts, store.captions) for texts in ([common] * len(store), near)]
    return Baselines(common, scores[0], scores[1], len(found.good))


def training_list(recipe: dict[str, Any]) -> CaptionSet | None:
    """The training captions of a stored recipe, if they are at hand still."""
    data = recipe["data"]
    try:
        images, lowercase = data.get("images"), bool(data.get("lowercase"))
        return read_captions(Path(data["folder"]), data["train"], images=images, lowercase=lowercase)
    except (UserError, KeyError):
        return None


def most_frequent(captions: Sequence[Sequence[str]]) -> str:
    """The caption that stands most often, however it is cased and punctuated; of several, the first in the alphabet."""
    counts = Counter(" ".join(caption_words(text)) for each in captions for text in each)
    return min(counts, key=lambda text: (-counts[text], text))


def nearest(images: Numbers, others: Numbers) -> list[int]:
    """For each row of `images` the row of `others` at the least squared distance."""
    norms = np.square(others).sum(1)
    # |a - b|^2 = |a|^2 - 2 a b + |b|^2, of which the first does not matter
    return [int(np.argmin(norms - 2 * others @ image)) for image in images]


def _squares(store: PixelStore[Path]) -> Numbers:
    parts = [store.pixels(range(i, min(i + 256, len(store)))) for i in range(0, len(store), 256)]
    squares = np.concatenate([centres(part, SIZE) for part in parts])
    flat: Numbers = squares.reshape(len(store), -1).astype(np.float32) / np.float32(255)
    return flat
