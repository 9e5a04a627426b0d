"""The job "image to caption", training side: its recipe, and the task that the training loop runs."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from jumok.config import Config
from jumok.data.augment import PixelAugmenter
from jumok.data.batching import shuffled
from jumok.data.caption_report import CaptionStore, check_captions
from jumok.data.captions import CaptionData, read_captions
from jumok.data.image_draws import draws
from jumok.data.image_store import channel_statistics
from jumok.data.tokenizer import Tokenizer
from jumok.decoding.search import DecodingOptions, SearchOptions
from jumok.errors import UserError
from jumok.metrics.captions import CaptionScores, CiderD, caption_scores, collapse_warning
from jumok.models.image_to_text import ImageToText, at_size, build, started
from jumok.models.vit import DeiTConfig, ViTConfig
from jumok.nn import kernels
from jumok.progress import Counter, Silent
from jumok.tasks.caption_loss import SelfCritical
from jumok.tasks.caption_options import (
    CHANNELS,
    CaptionAugmentation,
    CaptionTokenizer,
    CaptionTraining,
    ModelOptions,
    ResNetTransformerCaptioner,
    sized,
)
from jumok.tasks.caption_predict import TOKENIZER, Captioner, Member, read_captioner
from jumok.tasks.classify_predict import read_classifier
from jumok.tasks.image_text import ImageTextBatch
from jumok.tasks.model_options import check_same_sizes
from jumok.tasks.preprocessing import PixelPreprocessing, SquarePreprocessing
from jumok.tasks.runs import run_path
from jumok.tasks.writing import parameter_groups, writing_loss
from jumok.training.run import Run
from jumok.training.task import Loss, Report, known_score
from jumok.training.weights import load_weights, weights_of

SCORES = {  # name: is higher better?
    "val_loss": False, "accuracy": True, "cider": True, "bleu4": True, "rouge_l": True, "distinct": True,
}  # fmt: skip

LAST = "endofcaption"  # stands for the end among a caption's words


class CaptionRecipe(Config):
    """Everything that makes a captioner: one YAML file, or ``key=value`` on the command line."""

    task: Literal["caption"] = Field("caption", description="the job")
    run: str = Field(description="the run directory to write")
    seed: int = Field(1, ge=0, description="seed of all that is random")
    from_: str | None = Field(
        None, alias="from", description="a run of this job whose weights and tokenizer to continue from, on this data"
    )
    encoder_from: str | None = Field(
        None, description="a classify run, or a folder of published weights, whose body the encoder starts from"
    )
    encoder_rate: float = Field(
        1.0, ge=0, description="the encoder's learning rate as a share; 0: what encoder_from or from gave it stays"
    )
    data: CaptionData = Field(description="the images with captions")
    tokenizer: CaptionTokenizer = Field(description="the subword model, trained on the training captions")
    model: ModelOptions = Field(
        default_factory=lambda: ResNetTransformerCaptioner.model_validate({}), description="the model"
    )
    augmentation: CaptionAugmentation = Field(
        default_factory=lambda: CaptionAugmentation.model_validate({}), description="what happens to training images"
    )
    captions: Literal["one", "all"] = Field(
        "one", description="what an epoch holds: each image with one of its captions by chance, or with every one"
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of probability spread over the vocabulary")
    self_critical: bool = Field(
        False, description="learn from captions of its own, by CIDEr-D; needs from=, a run that learnt from the data's"
    )
    samples: int = Field(
        5,
        ge=1,
        description="self_critical: captions drawn an image, each against the others; 1: against the greedy one",
    )
    training: CaptionTraining = Field(description="the training")
    decoding: DecodingOptions = Field(
        default_factory=lambda: DecodingOptions.model_validate({}), description="search of the finished run"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.self_critical and self.from_ is None:
            raise UserError(
                "self_critical = true learns from captions of its own: name a run that writes some in from="
            )
        if self.self_critical and self.captions == "all":
            raise UserError("self_critical = true reads no caption of the data; leave captions = one")
        if self.encoder_rate == 0 and self.from_ is None and self.encoder_from is None:
            raise UserError("encoder_rate = 0 leaves an encoder that nothing trained; name weights in encoder_from=")
        if isinstance(self.model.image_size, tuple):
            raise UserError("model.image_size must be one number: images are cut to squares")
        known_score(self.training.metric, SCORES)
        return self


@dataclass(frozen=True)
class Sample:
    """An image by its place in the training data, and the captions to choose from, as they are and in pieces."""

    image: int
    texts: list[str]
    pieces: list[list[int]]


class CaptionTask:
    """Data, model, loss and scores of `CaptionRecipe`, as the training loop asks for them.

    Decodes every image once, told to a `counter`, and passes the data report to `say`. `tokenizer` is that of the run
    that is resumed or continued; without it a new one is trained on the training captions.
    Raises `UserError` where the data cannot be used (see `jumok.data.captions`).
    """

    def __init__(
        self,
        recipe: CaptionRecipe,
        tokenizer: Tokenizer | None = None,
        say: Callable[[str], None] = print,
        counter: Counter = Silent,
    ) -> None:
        self.recipe, self.say = recipe, say
        self._before = None if recipe.from_ is None else read_captioner(Run.open(run_path(recipe.from_)))
        self._seen = None if recipe.encoder_from is None else read_classifier(recipe.encoder_from)
        data, size = recipe.data, recipe.model.image_size
        assert isinstance(size, int)
        names = (data.train, data.val)
        sets = [read_captions(data.folder, name, images=data.images, lowercase=data.lowercase) for name in names]
        with counter("reading images", sum(map(len, sets))) as bar:
            (self.train, self.val), self.report = check_captions(sets, size, CHANNELS, advance=bar.advance)
        texts = [caption for captions in self.train.captions for caption in captions]
        self.tokenizer = tokenizer or Tokenizer.train(texts, recipe.tokenizer)
        self.preprocessing = self._preprocessing(size)
        self.config = sized(recipe.model, self.tokenizer.vocab_size, self._prefix())
        self.augmenter = PixelAugmenter(recipe.augmentation, size, self.preprocessing.normalization, recipe.seed)
        self.samples, lost = self._fitting()
        self._val_pieces = [self._cut(captions) for captions in self.val.captions]
        self._critical = self._self_critical() if recipe.self_critical else None
        self._validations = 0
        say("\n".join([self.report.text(), *self._notices(lost)]))

    def _preprocessing(self, size: int) -> SquarePreprocessing:
        """Normalised as the encoder to start from saw images, else by the training images."""
        before: PixelPreprocessing | None = None
        if self._seen is not None:
            before = self._seen[1]
        elif self._before is not None:
            before = self._before.preprocessing
        if before is not None and before.channels != CHANNELS:
            raise UserError(f"{self.recipe.encoder_from} saw {before.channels} channels; give a run on colour images")
        mean, std = channel_statistics(self.train) if before is None else (before.mean, before.std)
        return SquarePreprocessing(size=size, channels=CHANNELS, mean=tuple(mean), std=tuple(std))

    def _prefix(self) -> int:
        """How many learned tokens stand in front of patches: as many as in the encoder to start from."""
        if self._seen is not None:
            seen = self._seen[0].config
            return seen.prefix if isinstance(seen, ViTConfig | DeiTConfig) else 1
        return 1 if self._before is None else self._before.model.config.prefix

    def _fitting(self) -> tuple[list[Sample], int]:
        """The samples of an epoch, and how many captions are in none.

        A caption longer than the model can write is left out, and an image without any other.
        """
        room, samples, lost = self.config.max_len - 1, [], 0
        for image, captions in enumerate(self.train.captions):
            pieces = self.tokenizer.encode_many(captions)
            fitting = [place for place, row in enumerate(pieces) if len(row) <= room]
            lost += len(pieces) - len(fitting)
            chosen = [fitting] if self.recipe.captions == "one" else [[place] for place in fitting]
            samples += [
                Sample(image, [captions[i] for i in rows], [pieces[i] for i in rows]) for rows in chosen if rows
            ]
        if not samples:
            raise UserError(f"every caption of {self.train.name} is longer than model.max_len = {room + 1}; raise it")
        return samples, lost

    def _cut(self, captions: list[str]) -> list[list[int]]:
        return [row[: self.config.max_len - 1] for row in self.tokenizer.encode_many(captions)]

    def _self_critical(self) -> SelfCritical:
        """Rewarded by CIDEr-D, the end a word like others: without it captions learn to break off ("a dog with a")."""
        references = [[f"{caption} {LAST}" for caption in captions] for captions in self.train.captions]
        cider = CiderD(references)

        def reward(place: int, pieces: Sequence[int]) -> float:
            ended = len(pieces) < self.config.max_len - 1  # else it was cut off
            text = f"{self.tokenizer.decode(pieces)} {LAST * ended}"
            return cider.score(text, references[self.samples[place].image]) / 100

        return SelfCritical(reward, self.recipe.samples, self.recipe.seed)

    def _notices(self, lost: int) -> list[str]:
        notices = [notice for notice in (self.tokenizer.notice,) if notice]
        if lost:
            notices.append(
                f"notice: {lost:,} captions of {self.train.name} are longer than model.max_len = {self.config.max_len} "
                "pieces with the end, and left out"
            )
        sides = self.report.parts[0].sides
        if sides and self.recipe.augmentation.flip:
            notices.append(
                f"notice: {sides:,} captions say left or right, and augmentation.flip = "
                f"{self.recipe.augmentation.flip:g} makes them wrong at that rate; set it to 0"
            )
        return notices

    def precision(self, device_type: str) -> str:
        return kernels.precision(device_type, self.config.dim)

    def build(self) -> nn.Module:
        model = build(self.config)
        assert isinstance(model, ImageToText)
        if not self.recipe.encoder_rate:
            model.encoder.requires_grad_(False)
        return model

    def batches(self, epoch: int) -> Sequence[list[int]]:
        """All samples in an order of their own each epoch, in batches that are equal but for one."""
        return shuffled(len(self.samples), self.recipe.training.batch_images, self.recipe.seed, epoch)

    def load(self, indices: list[int], epoch: int) -> ImageTextBatch:
        chances = draws(self.recipe.seed, epoch, "caption", indices, 1)[:, 0].tolist()
        rows = [self._row(index, epoch, chance) for index, chance in zip(indices, chances, strict=True)]
        pixels = self.train.pixels([self.samples[index].image for index in indices])
        return ImageTextBatch.collate(self.augmenter(pixels, indices, epoch), rows, indices, epoch)

    def _row(self, index: int, epoch: int, chance: float) -> list[int]:
        """One of the sample's captions, cut into pieces anew in each epoch where the recipe asks for it."""
        sample = self.samples[index]
        place = int(chance * len(sample.pieces))
        plain, text = sample.pieces[place], sample.texts[place]
        if not self.recipe.tokenizer.sampling:
            return plain
        pieces = self.tokenizer.sample(text, zlib.crc32(f"{self.recipe.seed} {epoch} {index}".encode()))
        return pieces if len(pieces) < self.config.max_len else plain

    def largest(self) -> list[int]:
        def memory(batch: list[int]) -> tuple[int, int]:
            return len(batch), max(len(row) for index in batch for row in self.samples[index].pieces)

        return max(self.batches(0), key=memory)

    def loss(self, model: nn.Module, batch: ImageTextBatch) -> Loss:
        assert isinstance(model, ImageToText)
        if not self.recipe.encoder_rate:
            model.encoder.eval()  # neither dropout nor a moving mean: features as they are
        if self._critical is not None:
            return self._critical(model, batch)
        features = model.features(batch.images, batch.target)
        return writing_loss(features, model.output, batch.labels, batch.lengths, self.recipe.label_smoothing)

    def validate(self, model: nn.Module, report: Report) -> dict[str, float]:
        assert isinstance(model, ImageToText)
        greedy = SearchOptions(**(self.recipe.decoding.model_dump() | {"beam": 1}))
        captioner, done = Captioner([model], self.tokenizer, self.preprocessing, greedy), 0

        def advance(images: int) -> None:
            nonlocal done
            done += images
            report(f"captioned {done:,} of {len(self.val):,}")

        losses = self._validation_loss(model, captioner)
        found = captioner.captions_of(self.val, batch=self.recipe.training.batch_images, advance=advance)
        scores = caption_scores([captions[0].text for captions in found], self.val.captions)
        self._watch(scores)
        return losses | {name: getattr(scores, name) for name in SCORES if name not in losses}

    def _validation_loss(self, model: ImageToText, captioner: Captioner) -> dict[str, float]:
        """Over every caption of every validation image, END with it; captions are cut to what the model can write."""
        size, device = self.recipe.training.batch_images, captioner.device
        nll = correct = tokens = 0.0
        for start in range(0, len(self.val), size):
            images = range(start, min(start + size, len(self.val)))
            encoded = model.encode(captioner.prepared(self.val.pixels(images)))
            for turn in range(max(len(self._val_pieces[image]) for image in images)):
                rows = [image for image in images if turn < len(self._val_pieces[image])]
                batch = ImageTextBatch.collate(torch.empty(0), [self._val_pieces[image][turn] for image in rows], rows)
                batch = batch.to(device)
                memory = replace(encoded, features=encoded.features[batch.indices - start])
                features = model.decoder(memory, batch.target)
                loss = writing_loss(features, model.output, batch.labels, batch.lengths, 0.0)
                nll += float(loss.metrics["nll"])
                correct += float(loss.metrics["accuracy"])
                tokens += float(loss.weight)
        return {"val_loss": nll / tokens, "accuracy": correct / tokens}

    def _watch(self, scores: CaptionScores) -> None:
        """Says when most images get the same caption, from the second validation on: the first may well be so."""
        self._validations += 1
        warning = collapse_warning(scores) if self._validations > 1 else None
        if warning is not None:
            self.say(f"warning: {warning}")

    def higher_is_better(self, metric: str) -> bool:
        return known_score(metric, SCORES)

    def groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        assert isinstance(model, ImageToText)
        rate = self.recipe.encoder_rate
        if rate == 1 or not rate:
            return parameter_groups(model, weight_decay)
        return [
            *parameter_groups(model.decoder, weight_decay),
            *(group | {"scale": rate} for group in parameter_groups(model.encoder, weight_decay)),
        ]

    def snapshot(self, folder: Path) -> None:
        self.tokenizer.save(folder / TOKENIZER)
        self.preprocessing.save(folder)

    def describe(self) -> dict[str, Any]:
        stores: dict[str, CaptionStore] = {"train": self.train, "val": self.val}
        return {
            "task": "caption",
            "recipe": self.recipe.model_dump(mode="json", by_alias=True),
            "model": self.config.model_dump(mode="json"),
            "data": {
                name: {
                    "images": len(store),
                    "captions": part.captions,
                    "absent": len(part.absent),
                    "unreadable": len(part.unreadable),
                    "hash": store.digest,
                }
                for (name, store), part in zip(stores.items(), self.report.parts, strict=True)
            },
        }

    def start(self, model: nn.Module) -> None:
        assert isinstance(model, ImageToText)
        if self._before is not None:
            self._continue(model, self._before)
        if self._seen is not None:
            seen = self._seen[0]
            load_weights(model, started(weights_of(seen), seen.config, model), str(self.recipe.encoder_from))
            self.say(f"the encoder starts from {self.recipe.encoder_from}")

    def _continue(self, model: ImageToText, before: Member) -> None:
        """Weights of a captioner: all of them, or its decoder's alone where the encoder starts from elsewhere."""
        weights, where = weights_of(before.model), str(self.recipe.from_)
        if self._seen is None:
            source, mine = before.model.config, self.config
            stored, wanted = (one.model_dump(exclude={"image_size"}) for one in (source, mine))
            check_same_sizes(stored, wanted, where)
            weights = at_size(weights, source, mine)
        else:
            own = {name: tensor for name, tensor in weights_of(model).items() if name.startswith("encoder.")}
            weights = {name: tensor for name, tensor in weights.items() if not name.startswith("encoder.")} | own
        load_weights(model, weights, where)
        self.say(f"starting from {where}" + ("" if self._seen is None else ", its decoder alone"))
