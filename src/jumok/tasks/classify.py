"""The job "image to label", training side: its recipe, and the task that the training loop runs."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from jumok.config import Config
from jumok.data.augment import Augmentation, Augmenter, ImageBatch
from jumok.data.batching import shuffled
from jumok.data.image_report import check_images
from jumok.data.image_store import ImageStore, channel_statistics
from jumok.data.images import ImageData, read_images
from jumok.errors import UserError
from jumok.metrics.classes import class_scores
from jumok.models.classifiers import Model, build, interpolates, transferred
from jumok.models.vit import PatchTransformerConfig
from jumok.nn import kernels
from jumok.nn.transformer import block_matrices
from jumok.progress import Counter, Silent
from jumok.tasks.classifier_options import ClassifierOptions, ViTOptions, sized
from jumok.tasks.classify_loss import Distillation, Teacher, classification_loss
from jumok.tasks.classify_predict import Classifier, Preprocessing, read_classifier
from jumok.training.options import ImageTraining
from jumok.training.task import Loss, Report, known_score
from jumok.training.weights import load_weights, weights_of

SCORES = {"val_loss": False, "top1": True, "top5": True, "ece": False}  # name: is higher better?
UNDECAYED = {"encoder.tokens.prefix", "encoder.tokens.positions.weight"}  # beside norms and biases
FEW_PATCHES = 4  # a side: below, a patch is about as large as what the image shows


class Tuning(Config):
    """How the weights that ``from`` names are tuned further."""

    freeze: bool = Field(False, description="train the head alone, on the body's features as they are")
    layer_decay: float = Field(1.0, gt=0, le=1, description="each layer's rate, as a share of the one above it")


class ClassifyRecipe(Config):
    """Everything that makes a classifier: one YAML file, or ``key=value`` on the command line."""

    task: Literal["classify"] = Field("classify", description="the job")
    run: str = Field(description="the run directory to write")
    seed: int = Field(1, ge=0, description="seed of all that is random")
    from_: str | None = Field(
        None, alias="from", description="a run, or a folder of published weights, to tune further on this data"
    )
    data: ImageData = Field(description="the labelled images")
    model: ClassifierOptions = Field(default_factory=lambda: ViTOptions.model_validate({}), description="the model")
    augmentation: Augmentation = Field(
        default_factory=lambda: Augmentation.model_validate({}), description="what happens to training images"
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of probability spread over the classes")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: rare classes count more, as N / (classes x images of the class)"
    )
    distillation: Distillation = Field(
        default_factory=lambda: Distillation.model_validate({}), description="DeiT's teacher"
    )
    tuning: Tuning = Field(default_factory=lambda: Tuning.model_validate({}), description="tuning of given weights")
    training: ImageTraining = Field(description="the training")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.distillation.teacher is not None and self.model.architecture != "deit":
            raise UserError(
                f"distillation.teacher teaches a distillation token, which model.architecture = "
                f"{self.model.architecture} has not; set it to deit"
            )
        if self.tuning.freeze and self.from_ is None:
            raise UserError("tuning.freeze = true leaves a body that nothing trained; name its weights in from=")
        if isinstance(self.model.image_size, tuple):
            raise UserError("model.image_size must be one number: images are cut to squares")
        known_score(self.training.metric, SCORES)
        return self


class ClassifyTask:
    """Data, model, loss and scores of `ClassifyRecipe`, as the training loop asks for them.

    Decodes every image once, told to a `counter`, and passes the data report to `say`.
    Raises `UserError` where the data cannot be used (see `jumok.data.images`).
    """

    def __init__(
        self,
        recipe: ClassifyRecipe,
        say: Callable[[str], None] = print,
        counter: Counter = Silent,
    ) -> None:
        self.recipe, self.say = recipe, say
        self._given = None if recipe.from_ is None else read_classifier(recipe.from_)
        data, size = recipe.data, recipe.model.image_size
        assert isinstance(size, int)
        train = read_images(data.folder, data.train, images=data.images)
        val = read_images(data.folder, data.val, classes=train.classes, images=data.images)
        with counter("reading images", len(train) + len(val)) as bar:
            (self.train, self.val), self.report = check_images([train, val], size, data.channels, advance=bar.advance)
        self.preprocessing = self._preprocessing(size)
        self.config = sized(recipe.model, data.channels, len(self.train.classes))
        self.augmenter = Augmenter(
            recipe.augmentation, size, self.preprocessing.normalization, len(self.train.classes), recipe.seed
        )
        self.weights = _class_weights(self.train) if recipe.class_weights == "balanced" else None
        self.teacher: Teacher | None = None
        if recipe.distillation.teacher is not None:
            self.teacher = Teacher.load(recipe.distillation.teacher, self.preprocessing)
        self._validations = 0
        say("\n".join([self.report.text(), *self._notices()]))

    def _preprocessing(self, size: int) -> Preprocessing:
        """Normalised as the weights to start from were, else by the training images."""
        before, channels = None if self._given is None else self._given[1], self.recipe.data.channels
        mean, std = channel_statistics(self.train) if before is None else (before.mean, before.std)
        if len(mean) != channels:
            raise UserError(f"{self.recipe.from_} saw {len(mean)} channels; set data.channels to that, not {channels}")
        return Preprocessing(size=size, channels=channels, mean=tuple(mean), std=tuple(std), classes=self.train.classes)

    def _notices(self) -> list[str]:
        """What is known to fail, before an hour is spent on it."""
        notices = []
        if isinstance(self.config, PatchTransformerConfig) and min(self.config.grid) < FEW_PATCHES:
            height, width = self.config.grid
            notices.append(
                f"notice: patches of {self.config.patch} pixels cut the image of {self.preprocessing.size} into "
                f"{height} x {width}: a patch as large as what the image shows leaves attention nothing to compare; "
                f"lower model.patch (to {max(1, self.preprocessing.size // 8)}, say) or raise model.image_size"
            )
        return notices

    def precision(self, device_type: str) -> str:
        width = self.config.dim if isinstance(self.config, PatchTransformerConfig) else max(self.config.widths)
        return kernels.precision(device_type, width)

    def build(self) -> nn.Module:
        model = build(self.config)
        if self.recipe.tuning.freeze:
            for name, part in model.named_children():
                part.requires_grad_(_is_head(name))
        return model

    def batches(self, epoch: int) -> Sequence[list[int]]:
        """All images in an order of their own each epoch, in batches that are equal but for one image."""
        return shuffled(len(self.train), self.recipe.training.batch_images, self.recipe.seed, epoch)

    def load(self, indices: list[int], epoch: int) -> ImageBatch:
        return self.augmenter(self.train.pixels(indices), self.train.labels[indices], indices, epoch)

    def largest(self) -> list[int]:
        return self.batches(0)[0]  # the longer ones come first

    def loss(self, model: nn.Module, batch: ImageBatch) -> Loss:
        assert isinstance(model, Model)
        if self.recipe.tuning.freeze:
            for name, part in model.named_children():
                if not _is_head(name):
                    part.eval()  # neither dropout nor a moving mean: features as they are
        return classification_loss(
            model(batch.images),
            batch,
            smoothing=self.recipe.label_smoothing,
            weights=self.weights,
            distillation=self.recipe.distillation,
            taught=None if self.teacher is None else self.teacher(batch.images),
        )

    def validate(self, model: nn.Module, report: Report) -> dict[str, float]:
        assert isinstance(model, Model)
        classifier, labels, done = Classifier(model, self.preprocessing), self.val.labels, 0

        def advance(images: int) -> None:
            nonlocal done
            done += images
            report(f"classified {done:,} of {len(labels):,}")

        size = self.recipe.training.batch_images
        probabilities = classifier.probabilities_of(self.val, batch=size, advance=advance)
        scores = class_scores(probabilities, labels, self.val.classes)
        loss = float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())
        self._watch(loss, probabilities)
        return {"val_loss": loss, "top1": scores.top1, "top5": scores.top5, "ece": scores.ece}

    def _watch(self, loss: float, probabilities: "np.ndarray[Any, Any]") -> None:
        """Says what the known ways to fail look like, with their likely causes, from the second validation on."""
        self._validations += 1
        if self._validations < 2:
            return
        chance, chosen = math.log(len(self.val.classes)), np.unique(probabilities.argmax(1))
        if len(chosen) == 1:
            self.say(
                f"warning: every image is called {self.val.classes[int(chosen[0])]!r}: look at the balance of the "
                "classes in the report (class_weights=balanced), lower training.learning_rate, lengthen training.warmup"
            )
        elif loss > 0.99 * chance:
            self.say(
                f"warning: the loss never moved from chance (ln {len(self.val.classes)} = {chance:.3f}): are the "
                "labels right? Try another training.learning_rate, less augmentation, patches smaller than the objects"
            )

    def higher_is_better(self, metric: str) -> bool:
        return known_score(metric, SCORES)

    def groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        assert isinstance(model, Model)
        last, decay = max(model.layers().values()), self.recipe.tuning.layer_decay
        groups: dict[tuple[int, bool, bool], list[nn.Parameter]] = {}
        matrices = block_matrices(model)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                # norms, biases, positions and the tokens in front keep their size
                plain = parameter.ndim <= 1 or name in UNDECAYED
                layer = model.layers()[name] if decay < 1 else last
                groups.setdefault((layer, plain, parameter in matrices), []).append(parameter)
        return [
            {
                "params": group,
                "weight_decay": 0.0 if plain else weight_decay,
                "scale": decay ** (last - layer),
                "matrices": matrix,
            }
            for (layer, plain, matrix), group in groups.items()
        ]

    def snapshot(self, folder: Path) -> None:
        self.preprocessing.save(folder)

    def describe(self) -> dict[str, Any]:
        return {
            "task": "classify",
            "recipe": self.recipe.model_dump(mode="json", by_alias=True),
            "model": self.config.model_dump(mode="json"),
            "data": {
                name: {"images": len(store), "unreadable": len(part.unreadable), "hash": store.digest}
                for name, store, part in zip(("train", "val"), (self.train, self.val), self.report.parts, strict=True)
            }
            | {"classes": len(self.train.classes)},
        }

    def start(self, model: nn.Module) -> None:
        if self._given is None:
            return
        assert isinstance(model, Model)
        given, before = self._given
        same = before.classes == self.preprocessing.classes
        fitted = transferred(weights_of(given), given.config, model, new_head=not same)
        load_weights(model, fitted, str(self.recipe.from_))
        head = "its classes are these, so its head is kept" if same else "with a new head for these classes"
        resized = interpolates(given.config, self.config)
        self.say(f"starting from {self.recipe.from_}: {head}" + ("; its positions interpolated" if resized else ""))


def _is_head(name: str) -> bool:
    return name.endswith("head")


def _class_weights(store: ImageStore) -> torch.Tensor:
    """``N / (classes x N_c)``: their mean over the images is 1."""
    counts = np.bincount(store.labels, minlength=len(store.classes))
    return torch.tensor(len(store) / (len(store.classes) * counts), dtype=torch.float32)
