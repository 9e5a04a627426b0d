"""The job "image to caption", using side: `Captioner`, all that is needed of one or several trained runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from jumok.config import parse
from jumok.data.augment import evaluation_images
from jumok.data.image_file import BadImage, Pixels, decode
from jumok.data.image_store import PixelStore, shorter
from jumok.data.tokenizer import Tokenizer
from jumok.decoding.search import Hypothesis, SearchOptions
from jumok.errors import UserError
from jumok.models.image_to_text import ImageToText, build, read_config
from jumok.tasks.image_text import ImageWriter
from jumok.tasks.inference import ImagePrecision, evaluating, in_image_precision, side_by_side, torch_device
from jumok.tasks.preprocessing import SquarePreprocessing
from jumok.tasks.runs import captioner_config, run_path
from jumok.training.run import Run
from jumok.training.weights import load_weights

BATCH = 32  # images captioned together; a beam of 4 makes 128 rows of them
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Caption:
    """One caption, the score it was ranked by (log p over the length penalty), and its pieces."""

    text: str
    score: float
    pieces: tuple[int, ...]


@dataclass(frozen=True)
class Captioned:
    """The captions of one image, best first; `reason` why there are none."""

    path: Path
    captions: tuple[Caption, ...]
    reason: str | None = None

    @property
    def text(self) -> str:
        """The best caption; empty if the image could not be read."""
        return self.captions[0].text if self.captions else ""


class Captioner:
    """Says what images show, with a trained run: ``Captioner.load("runs/caption")(["photo.jpg"])[0].text``.

    The same image gets the same caption alone and in any batch (in fp32; bf16 rounds, so that a near tie may fall the
    other way). Several models are an ensemble: the mean of their probabilities.
    """

    def __init__(
        self,
        models: Sequence[ImageToText],
        tokenizer: Tokenizer,
        preprocessing: SquarePreprocessing,
        options: SearchOptions,
        vocabularies: Sequence[Sequence[str]] = (),
    ) -> None:
        self.models, self.tokenizer, self.preprocessing, self.options = list(models), tokenizer, preprocessing, options
        self.writer = ImageWriter(self.models, vocabularies)
        self.device = self.writer.device

    @classmethod
    def load(cls, path: str | Path, *, precision: ImagePrecision = "fp32", device: str = "auto") -> Self:
        """The captioner of the run at `path`; ``"a,b"`` is an ensemble of two, which see and write alike.

        Raises `UserError` if one is no run, damaged, of a newer format or another task, or if members do not match.
        """
        place = torch_device(device)
        runs = [Run.open(run_path(name)) for name in str(path).split(",")]
        members = [read_captioner(run) for run in runs]
        first = members[0]
        for run, member in zip(runs[1:], members[1:], strict=True):
            if member.preprocessing != first.preprocessing:
                raise UserError(
                    f"the runs {runs[0].path} and {run.path} see images of another size or otherwise normalised; "
                    "no ensemble"
                )
        return cls(
            [in_image_precision(m.model.to(place).eval(), precision, m.model.config.dim) for m in members],
            first.tokenizer,
            first.preprocessing,
            parse(SearchOptions, captioner_config(runs[0])["recipe"]["decoding"], str(runs[0].path / "config.json")),
            [m.tokenizer.pieces(range(m.tokenizer.vocab_size)) for m in members],
        )

    def __call__(self, images: Sequence[str | Path], *, beam: int | None = None, batch: int = BATCH) -> list[Captioned]:
        """The best caption of each image file; what cannot be read has none and says why."""
        options = self.options if beam is None else self.options.model_copy(update={"beam": beam, "n_best": 1})
        return list(self.predict([Path(image) for image in images], options, batch=batch))

    def predict(
        self, paths: Sequence[Path], options: SearchOptions | None = None, *, batch: int = BATCH
    ) -> Iterator[Captioned]:
        """`n_best` captions of each image file, one file after the other, as batches are done.

        A file's place among `paths` is the number that sampling draws by.
        """
        size, channels = self.preprocessing.size, self.preprocessing.channels
        for start in range(0, len(paths), batch):
            chunk = paths[start : start + batch]
            found: dict[int, Pixels] = {}
            reasons: dict[int, str] = {}
            for number, path in enumerate(chunk, start):
                try:
                    found[number] = decode(path, channels, shorter(size))[0]
                except BadImage as error:
                    reasons[number] = str(error)
            written = dict(zip(found, self.write(list(found.values()), options, list(found)), strict=True))
            for number, path in enumerate(chunk, start):
                yield Captioned(path, tuple(written.get(number, ())), reasons.get(number))

    def captions_of(
        self,
        store: PixelStore[Path],
        options: SearchOptions | None = None,
        *,
        batch: int = BATCH,
        advance: Callable[[int], None] | None = None,
    ) -> list[list[Caption]]:
        """`n_best` captions of every image of a store, read as it is needed; `advance` is told how many more are done.

        On a CPU several batches are written at once, with a thread each.
        """
        batches = [range(start, min(start + batch, len(store))) for start in range(0, len(store), batch)]
        captions: list[list[Caption]] = []
        with evaluating(*self.models):
            for rows, found in side_by_side(lambda r: self.write(store.pixels(r), options, r), batches, self.device):
                captions += found
                if advance is not None:
                    advance(len(rows))
        return captions

    def write(
        self, images: Sequence[Pixels], options: SearchOptions | None = None, numbers: Sequence[int] | None = None
    ) -> list[list[Caption]]:
        """`n_best` captions of each decoded image, together; `numbers` are theirs in the whole input."""
        if not images:
            return []
        options, room = options or self.options, self.writer.room
        numbers = range(len(images)) if numbers is None else numbers
        with evaluating(*self.models):
            found = self.writer.write(self.prepared(images), options, numbers=numbers, max_length=room)
        return [[self._caption(hypothesis) for hypothesis in hypotheses] for hypotheses in found]

    def prepared(self, images: Sequence[Pixels]) -> Tensor:
        """Images (H, W, C) of uint8 as the model takes them, (B, C, S, S)."""
        return evaluation_images(images, self.preprocessing.size, self.preprocessing.normalization).to(self.device)

    def _caption(self, hypothesis: Hypothesis) -> Caption:
        # whatever the pieces hold, a caption is one line
        text = " ".join(self.tokenizer.decode(hypothesis.tokens).split())
        return Caption(text, hypothesis.score, tuple(hypothesis.tokens))


@dataclass(frozen=True)
class Member:
    """What a captioner's run holds, as it was stored."""

    model: ImageToText
    tokenizer: Tokenizer
    preprocessing: SquarePreprocessing
    config: dict[str, Any]


def read_captioner(run: Run) -> Member:
    """Model, tokenizer and preprocessing of a run. Raises `UserError` as `Captioner.load` does."""
    config = captioner_config(run)
    model = build(read_config(config["model"], str(run.path / "config.json")))
    assert isinstance(model, ImageToText)
    load_weights(model, run.weights(), str(run.path))
    tokenizer = Tokenizer.load(run.path / TOKENIZER)
    if tokenizer.vocab_size != model.config.vocab_size:
        raise UserError(
            f"{run.path} is damaged: its tokenizer has {tokenizer.vocab_size:,} pieces, its model "
            f"{model.config.vocab_size:,}; restore the run from a copy, or train again"
        )
    return Member(model, tokenizer, SquarePreprocessing.load(run.path), config)
