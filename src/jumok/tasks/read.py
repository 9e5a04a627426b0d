"""The job "word image to text", training side: its recipe, and the task that the training loop runs."""

import math
from collections import Counter as Counts
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from jumok.config import Config
from jumok.data.charset import Charset
from jumok.data.fonts import find_fonts
from jumok.data.render import RenderOptions, WordRenderer
from jumok.data.word_batches import DrawnWords, WordBatches
from jumok.data.word_images import WordData, read_words
from jumok.data.word_lists import WordSource, read_word_list
from jumok.data.word_report import check_words
from jumok.data.word_store import WordShape, by_width, plain_shape
from jumok.errors import UserError
from jumok.metrics.words import word_scores
from jumok.models.image_to_text import ImageToFrames, ImageToText, Model, build
from jumok.nn import kernels
from jumok.nn.composed import ComposedLinear
from jumok.nn.loss import ctc_loss
from jumok.progress import Counter, Silent
from jumok.tasks.image_text import ImageTextBatch
from jumok.tasks.read_predict import Reader, longest
from jumok.tasks.read_start import Given
from jumok.tasks.reader_options import ColumnReader, ModelOptions, PatchReader
from jumok.tasks.writing import parameter_groups, writing_loss
from jumok.training.options import ImageTraining
from jumok.training.task import Loss, Report, known_score
from jumok.training.weights import load_weights

SCORES = {"val_loss": False, "word_accuracy": True, "word_accuracy_36": True, "cer": False, "ned": True}
CHANNELS = 3
COLLAPSED = 0.9  # share of the words that are read as one and the same


class ReadTraining(ImageTraining):
    """Training on batches of words."""

    UNIT: ClassVar = "words"

    accumulate: ClassVar[int] = 1  # type: ignore[misc]
    metric: str = Field("word_accuracy", description="which score decides what is best, and early stopping")


class ReadRecipe(Config):
    """Everything that makes a reader: one YAML file, or ``key=value`` on the command line."""

    task: Literal["read"] = Field("read", description="the job")
    run: str = Field(description="the run directory to write")
    seed: int = Field(1, ge=0, description="seed of all that is random")
    from_: str | None = Field(
        None, alias="from", description="a run to start from: a reader's, whatever its characters, or a ResNet's"
    )
    data: WordData = Field(description="the words")
    model: ModelOptions = Field(default_factory=lambda: ColumnReader.model_validate({}), description="the model")
    distortion: float = Field(0.7, ge=0, le=1, description="how far real crops are changed in training; 0: as they are")
    rendering: RenderOptions = Field(
        default_factory=lambda: RenderOptions.model_validate({}), description="how drawn words look"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="..-transformer: share of probability spread over the characters"
    )
    beam: int = Field(1, ge=1, description="beams of the finished run; 1 is greedy")
    training: ReadTraining = Field(description="the training")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.label_smoothing and self.model.writes_at_once:
            raise UserError("label_smoothing is for presets that end in -transformer; CTC has none, leave it out")
        usual = WordData.model_fields["width_step"].default
        if isinstance(self.model, PatchReader) and self.data.width_step != usual:
            raise UserError(
                f"data.width_step = {self.data.width_step} means nothing to a ViT, which sees one width; drop it"
            )
        known_score(self.training.metric, SCORES)
        return self


class ReadTask:
    """Data, model, loss and scores of `ReadRecipe`, as the training loop asks for them.

    Decodes every crop once, told to a `counter`, and passes the data report to `say`.
    Raises `UserError` where the data cannot be used (see `jumok.data.word_images`).
    """

    def __init__(self, recipe: ReadRecipe, say: Callable[[str], None] = print, counter: Counter = Silent) -> None:
        self.recipe, self.say = recipe, say
        self._given = None if recipe.from_ is None else Given.read(recipe.from_)
        data = recipe.data
        train, val = (read_words(data.folder, split, data.images) for split in (data.train, data.val))
        spelled = (data.spelling(text) for text in train.texts)
        self.charset = Charset.make(data.charset, data.spelling, spelled)
        self.config = recipe.model.sized(CHANNELS, self.charset, None if self._given is None else self._given.prefix)
        self.shape = self._shape()
        with counter("reading words", len(train) + len(val)) as bar:
            (self.train, self.val), self.report = check_words(
                [train, val], self.charset, self.shape, self.longest, advance=bar.advance
            )
        self.words = WordBatches(
            self.train,
            self._drawn() if data.rendered else None,
            size=recipe.training.batch_images,
            distortion=recipe.distortion,
            seed=recipe.seed,
        )
        self._validations = 0
        say("\n".join([self.report.text(), *self._notices()]))

    def _shape(self) -> WordShape:
        """Normalised as the weights to start from were, else to -1 .. 1."""
        given, data = self._given, self.recipe.data
        step = data.width_step
        if self.config.encoder in ("vit", "hybrid"):  # its positions are those of one width
            step = self.config.size[1]
        plain = plain_shape(*self.config.size, step=step, vertical=data.vertical)
        if given is None:
            return plain
        if len(given.mean) != plain.channels:
            raise UserError(
                f"{given.name} saw {len(given.mean)} channels, a reader sees {plain.channels}; give another run"
            )
        return plain.model_copy(update={"mean": given.mean, "std": given.std})

    def _drawn(self) -> DrawnWords:
        """Words to draw: of a file, else of the labels, in every font that there is."""
        data = self.recipe.data
        words = self.train.texts if data.words is None else read_word_list(Path(data.words))
        renderer = WordRenderer(find_fonts(None if data.fonts is None else Path(data.fonts)), self.recipe.rendering)
        source = WordSource(words, self.charset.characters, data.spelling)
        return DrawnWords(source, renderer, data.spelling, data.rendered)

    def _notices(self) -> list[str]:
        drawn = self.words.drawn
        if drawn is None:
            return []
        renderer, source = drawn.renderer, drawn.source
        lines = [
            f"drawn: {drawn.count:,} words an epoch, of {len(source.words):,} in the list, with "
            f"{len(renderer.families):,} families of fonts"
        ]
        if source.left_out:
            lines.append(f"  notice: {source.left_out:,} words of the list have other characters, or too many")
        if renderer.left_out:
            path, reason = next(iter(renderer.left_out.items()))
            lines.append(f"  notice: {len(renderer.left_out):,} font files are no use, first {path}: {reason}")
        blank = [character for character in self.charset.characters if character != " " and renderer.missing(character)]
        if blank:
            shown = " ".join(blank[:20]) + (" .." if len(blank) > 20 else "")
            lines.append(f"  notice: no font has {len(blank):,} of the characters, which are never drawn: {shown}")
        return lines

    @property
    def longest(self) -> int:
        """The most characters that the model can write."""
        return longest(self.config, self.shape)

    def precision(self, device_type: str) -> str:
        return kernels.precision(device_type, self.config.dim)

    def build(self) -> nn.Module:
        return build(self.config)

    def batches(self, epoch: int) -> Sequence[list[int]]:
        return self.words.batches(epoch)

    def load(self, indices: list[int], epoch: int) -> ImageTextBatch:
        texts = [self.charset.encode(self.words.text(place, epoch)) for place in indices]
        return ImageTextBatch.collate(self.words.images(indices, epoch), texts, indices, epoch)

    def largest(self) -> list[int]:
        return max(self.batches(0), key=lambda batch: len(batch) * max(self.words.width(place, 0) for place in batch))

    def loss(self, model: nn.Module, batch: ImageTextBatch) -> Loss:
        """Summed over the characters, to be divided by the words; of CTC, words that do not fit their frames add 0."""
        words = float(len(batch.images))
        if isinstance(model, ImageToFrames):
            found = ctc_loss(model(batch.images), batch.labels, batch.lengths - 1)  # without the end
            return Loss(found.total, words, {"unfit": 100.0 * found.unfit})
        assert isinstance(model, ImageToText)
        features = model.features(batch.images, batch.target)
        written = writing_loss(features, model.output, batch.labels, batch.lengths, self.recipe.label_smoothing)
        return Loss(written.total, words, {"nll": written.metrics["nll"]})

    def validate(self, model: nn.Module, report: Report) -> dict[str, float]:
        assert isinstance(model, ImageToText | ImageToFrames)
        reader, done, size = Reader([model], self.charset, self.shape), 0, self.recipe.training.batch_images
        loss = self._validation_loss(model)

        def advance(words: int) -> None:
            nonlocal done
            done += words
            report(f"read {done:,} of {len(self.val):,}")

        readings = reader.read_all(self.val, batch=size, advance=advance)
        scores = word_scores([reading.text for reading in readings], self.val.texts)
        self._watch([reading.text for reading in readings])
        return {
            "val_loss": loss,
            "word_accuracy": scores.word_accuracy,
            "word_accuracy_36": math.nan if scores.word_accuracy_36 is None else scores.word_accuracy_36,
            "cer": scores.cer,
            "ned": scores.ned,
        }

    def _validation_loss(self, model: Model) -> float:
        """The mean over the words, each at its own width."""
        device, total = model.output.weight.device, 0.0
        for places in by_width(self.val.widths, self.recipe.training.batch_images):
            images = self.shape.tensor(self.val.pixels(places), self.val.widths[places[0]])
            texts = [self.charset.encode(self.val.texts[place][: self.longest]) for place in places]
            batch = ImageTextBatch.collate(images, texts, places).to(device)
            total += float(self.loss(model, batch).total)
        return total / len(self.val)

    def _watch(self, texts: Sequence[str]) -> None:
        """Says what the known way to fail looks like, with its likely causes, from the second validation on."""
        self._validations += 1
        if self._validations < 2:
            return
        text, count = Counts(texts).most_common(1)[0]
        if count > COLLAPSED * len(texts):
            what = f"the same text, {text!r}" if text else "nothing at all"
            self.say(
                f"warning: {100 * count / len(texts):.0f} % of the words are read as {what}: this is how a reader "
                "begins; if it stays, look at the labels in the report, lower training.learning_rate or lengthen "
                "training.warmup"
            )

    def higher_is_better(self, metric: str) -> bool:
        return known_score(metric, SCORES)

    def groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        return parameter_groups(model, weight_decay)

    def snapshot(self, folder: Path) -> None:
        self.charset.save(folder)
        self.shape.save(folder)

    def describe(self) -> dict[str, Any]:
        parts = zip(("train", "val"), (self.train, self.val), self.report.parts, strict=True)
        drawn = self.words.drawn
        return {
            "task": "read",
            "recipe": self.recipe.model_dump(mode="json", by_alias=True),
            "model": self.config.model_dump(mode="json"),
            "data": {
                name: {"words": len(store), "unreadable": len(part.unreadable), "hash": store.digest}
                for name, store, part in parts
            }
            | {"characters": len(self.charset.characters)},
            # a resumed run says where it is another: the system's fonts may have changed
            "drawn": None if drawn is None else {"words": drawn.count, "hash": drawn.digest},
        }

    def start(self, model: nn.Module) -> None:
        assert isinstance(model, ImageToText | ImageToFrames)
        if isinstance(model.output, ComposedLinear):
            model.output.make_of(torch.tensor(self.charset.letters()))
        if self._given is not None:
            fitted, note = self._given.weights(model, self.charset)
            load_weights(model, fitted, self._given.name)
            self.say(note)
