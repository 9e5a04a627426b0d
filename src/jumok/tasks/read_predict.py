"""The job "word image to text", using side: `Reader`, all that is needed of one or several trained runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from jumok.data.charset import Charset
from jumok.data.image_file import BadImage, Pixels
from jumok.data.tokenizer import BEGIN, END, PAD
from jumok.data.word_images import Crop
from jumok.data.word_store import WordShape, WordStore, by_width, is_tall, turned
from jumok.decoding import ctc
from jumok.decoding.search import Hypothesis, SearchOptions
from jumok.errors import UserError
from jumok.models.image_to_text import ImageToFrames, ImageToText, Model, build, read_config
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.tasks.image_text import ImageWriter
from jumok.tasks.inference import ImagePrecision, evaluating, in_image_precision, side_by_side, torch_device
from jumok.tasks.runs import reader_config, run_path
from jumok.training.run import Run
from jumok.training.weights import load_weights

QUARTERS = (0, 1, 3)  # how a tall crop may have to be turned: not at all, or by 90 or 270 degrees


@dataclass(frozen=True)
class Reading:
    """What one crop says, how sure the reader is of the whole and of each character (0-1); or the reason why nothing.

    `confidence` is the model's probability of the very text; `quarters` by how many quarters the crop was turned.
    `others` are the next best texts, or further draws, where the search was asked for several.
    """

    text: str
    confidence: float
    characters: tuple[tuple[str, float], ...] = ()
    path: Crop | None = None
    reason: str | None = None
    quarters: int = 0
    others: tuple["Reading", ...] = ()


class Reader:
    """Reads crops of words with one trained run, or with several as an ensemble of character-by-character readers.

    ``Reader.load("runs/read")(["word.png"])``. It reads crops; it finds no words on a page.
    """

    def __init__(self, models: Sequence[Model], charset: Charset, shape: WordShape, beam: int = 1) -> None:
        self.models, self.charset, self.shape, self.beam = list(models), charset, shape, beam
        self.device = self.models[0].output.weight.device

    @property
    def longest(self) -> int:
        """The most characters that it can write."""
        return min(longest(model.config, self.shape) for model in self.models)

    @property
    def options(self) -> SearchOptions:
        """How the run searches: beams by its recipe, and no reward for length, since a word is as long as it is."""
        return SearchOptions.model_validate({"beam": self.beam, "length_penalty": 0.0})

    def searching(self, beam: int | None) -> SearchOptions:
        """The same with so many beams, if they are given."""
        return self.options if beam is None else self.options.model_copy(update={"beam": beam})

    @classmethod
    def load(cls, path: str | Path, *, precision: ImagePrecision = "fp32", device: str = "auto") -> Self:
        """The reader of the run at `path`; of an ensemble where `path` names several, with commas between.

        Raises `UserError` if one is no run, damaged, of a newer format or another task, or if members do not match.
        """
        place = torch_device(device)
        runs = [Run.open(run_path(name)) for name in str(path).split(",")]
        readers = [read_reader(run) for run in runs]
        _, charset, shape = readers[0]
        for run, (model, other, seen) in zip(runs, readers, strict=True):
            if len(runs) > 1 and isinstance(model, ImageToFrames):
                raise UserError(f"{run.path} is a CTC reader, which no ensemble can hold; name it alone")
            if (other.characters, seen) != (charset.characters, shape):
                raise UserError(
                    f"{run.path} has another character set, or other image sizes, than {runs[0].path}; an ensemble "
                    "needs runs of the same data"
                )
        members = [in_image_precision(model.to(place).eval(), precision, model.config.dim) for model, *_ in readers]
        return cls(members, charset, shape, int(reader_config(runs[0])["recipe"].get("beam", 1)))

    def __call__(self, images: Sequence[str | Path], *, beam: int | None = None, batch: int = 64) -> list[Reading]:
        """The text of each image file; what cannot be read as an image has none and says why."""
        return list(self.predict([Path(image) for image in images], self.searching(beam), batch=batch))

    def predict(
        self, paths: Sequence[Crop], options: SearchOptions | None = None, *, rotations: bool = False, batch: int = 64
    ) -> Iterator[Reading]:
        """The same one after the other, some hundred at a time, as `options` say, or the run's own.

        With `rotations` a tall crop is read upright, and turned by 90 and by 270 degrees, and the surest is kept.
        Raises `UserError` for options that mean nothing to a CTC reader.
        """
        for start in range(0, len(paths), 16 * batch):
            chosen = paths[start : start + 16 * batch]
            found: dict[int, Pixels] = {}
            reasons: dict[int, str] = {}
            for place, path in enumerate(chosen):
                try:
                    found[place] = self.shape.decoded(path)[0]
                except BadImage as error:
                    reasons[place] = str(error)
            numbers = [start + place for place in found]
            answers = self.read([*found.values()], options, rotations=rotations, batch=batch, numbers=numbers)
            readings = dict(zip(found, answers, strict=True))
            for place, path in enumerate(chosen):
                nothing = Reading("", 0.0, reason=reasons.get(place))
                yield replace(readings.get(place, nothing), path=path)

    def read(
        self,
        images: Sequence[Pixels],
        options: SearchOptions | None = None,
        *,
        rotations: bool = False,
        batch: int = 64,
        advance: Callable[[int], None] | None = None,
        numbers: Sequence[int] | None = None,
    ) -> list[Reading]:
        """The text of each crop (H, W, C) of uint8. Neighbours in a batch change nothing: all are of one width.

        `numbers` are the crops' numbers in the whole input, which sampling draws by; their places if there are none.
        """
        options = self.options if options is None else options
        self._check(options)
        crops = [self.shape.upright(pixels) for pixels in images]
        numbers = range(len(crops)) if numbers is None else numbers
        best = self._read(crops, options, numbers, batch, advance)
        tall = [place for place, pixels in enumerate(crops) if is_tall(pixels)] if rotations else []
        for quarters in QUARTERS[1:] if tall else ():
            again = self._read(
                [turned(crops[place], quarters) for place in tall],
                options,
                [numbers[place] for place in tall],
                batch,
                None,
            )
            for place, reading in zip(tall, again, strict=True):
                if reading.confidence > best[place].confidence:
                    best[place] = replace(reading, quarters=quarters)
        return best

    def read_all(
        self,
        store: WordStore,
        options: SearchOptions | None = None,
        *,
        rotations: bool = False,
        batch: int = 64,
        advance: Callable[[int], None] | None = None,
    ) -> list[Reading]:
        """The same of every word of a store, read as it is needed."""
        readings: list[Reading] = []
        for start in range(0, len(store), 64 * batch):
            numbers = range(start, min(start + 64 * batch, len(store)))
            images = store.pixels(numbers)
            readings += self.read(images, options, rotations=rotations, batch=batch, advance=advance, numbers=numbers)
        return readings

    def _check(self, options: SearchOptions) -> None:
        """Raises `UserError` for what a CTC reader cannot do: it says all characters at once, none after the other."""
        mine = self.options.model_dump(exclude={"beam", "n_best"})
        other = [f"--{name.replace('_', '-')}" for name, value in mine.items() if getattr(options, name) != value]
        if other and isinstance(self.models[0], ImageToFrames):
            raise UserError(
                f"{', '.join(other)} {'is' if len(other) == 1 else 'are'} for readers that write one character after "
                "the other (model.preset=reader-transformer); this one reads by CTC: leave that out"
            )

    def _read(
        self,
        crops: Sequence[Pixels],
        options: SearchOptions,
        numbers: Sequence[int],
        batch: int,
        advance: Callable[[int], None] | None,
    ) -> list[Reading]:
        widths = [self.shape.width_of(pixels) for pixels in crops]
        results = [Reading("", 0.0)] * len(crops)

        def work(places: list[int]) -> list[Reading]:
            images = self.shape.tensor([crops[place] for place in places], widths[places[0]]).to(self.device)
            return self.text_of(images, options, [numbers[place] for place in places])

        with evaluating(*self.models):
            for places, found in side_by_side(work, by_width(widths, batch), self.device):
                for place, reading in zip(places, found, strict=True):
                    results[place] = reading
                if advance is not None:
                    advance(len(places))
        return results

    def text_of(self, images: Tensor, options: SearchOptions, numbers: Sequence[int]) -> list[Reading]:
        """The readings of prepared images of one width, (B, C, H, W); `numbers` as in `read`."""
        first = self.models[0]
        with torch.inference_mode():
            if isinstance(first, ImageToFrames):
                logits = first(images)
                if options.beam == 1:
                    found = [[one] for one in ctc.greedy(logits)]
                else:
                    found = ctc.prefix_search(logits, options.beam, options.n_best)
                read = [[self._reading(one.tokens, one.log_probability, one.confidences) for one in n] for n in found]
            else:
                writers = [model for model in self.models if isinstance(model, ImageToText)]
                read = self._written(writers, images, options, numbers)
        return [replace(best, others=tuple(others)) for best, *others in read]

    def _written(
        self, models: list[ImageToText], images: Tensor, options: SearchOptions, numbers: Sequence[int]
    ) -> list[list[Reading]]:
        """Search, then one forced pass over the winners for the probability of each character."""
        writer = ImageWriter(models, [self.charset.vocabulary()] * len(models))
        answers = writer.write(images, options, numbers=numbers, max_length=writer.room)
        best: list[Hypothesis] = [one for found in answers for one in found]
        shown = images.repeat_interleave(torch.tensor([len(found) for found in answers], device=images.device), 0)
        longest = max(len(one.tokens) for one in best)
        forced = torch.full((len(best), longest + 1), PAD)
        wanted = torch.full((len(best), longest + 1), PAD)
        for row, one in enumerate(best):
            forced[row, : len(one.tokens) + 1] = torch.tensor([BEGIN, *one.tokens])
            wanted[row, : len(one.tokens) + 1] = torch.tensor([*one.tokens, END])
        forced, wanted = forced.to(self.device), wanted.to(self.device)
        shares = torch.stack([model(shown, forced).float().softmax(-1) for model in models]).mean(0)
        sure = shares.gather(2, wanted[:, :, None])[:, :, 0].cpu().tolist()
        rows = iter([self._reading(one.tokens, one.log_probability, row) for one, row in zip(best, sure, strict=True)])
        return [[next(rows) for _ in found] for found in answers]

    def _reading(self, tokens: list[int], log_probability: float, confidences: Sequence[float]) -> Reading:
        characters = tuple(
            (self.charset.character(token), float(sure)) for token, sure in zip(tokens, confidences, strict=False)
        )
        confidence = float(np.exp(min(log_probability, 0.0)))
        return Reading("".join(character for character, _ in characters), confidence, characters)


def longest(config: ImageToTextConfig, shape: WordShape) -> int:
    """The most characters that a model of this config can write."""
    return config.frames(shape.widest) if config.decoder == "ctc" else config.max_len - 1


def read_reader(run: Run) -> tuple[Model, Charset, WordShape]:
    """Model, character set and preprocessing of a run. Raises `UserError` as `Reader.load`."""
    config = reader_config(run)
    model = build(read_config(config["model"], str(run.path / "config.json")))
    load_weights(model, run.weights(), str(run.path))
    charset = Charset.load(run.path)
    if charset.vocab_size != model.config.vocab_size:
        raise UserError(
            f"{run.path} is damaged: its character set has {charset.vocab_size:,} tokens, its model "
            f"{model.config.vocab_size:,}; restore the run from a copy, or train again"
        )
    return model, charset, WordShape.load(run.path)
