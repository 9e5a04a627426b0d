"""The job "image to label", using side: `Classifier`, all that is needed of a trained run or of published weights."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jumok.data.augment import evaluation_images
from jumok.data.image_file import BadImage, Pixels, decode
from jumok.data.image_store import ImageStore, shorter
from jumok.errors import UserError
from jumok.interop import huggingface
from jumok.models.classifiers import Model, build, read_config
from jumok.models.vit import Pair
from jumok.tasks.inference import ImagePrecision, evaluating, in_image_precision, torch_device
from jumok.tasks.preprocessing import SquarePreprocessing
from jumok.tasks.runs import classifier_config, is_published, run_path
from jumok.training.run import Run
from jumok.training.weights import load_weights

Probabilities = np.ndarray[tuple[int, int], np.dtype[np.float32]]


class Preprocessing(SquarePreprocessing):
    """What turns a file into what the model saw in training; with the class names it lies in the run directory."""

    classes: tuple[str, ...] = Field(strict=False, description="names of the classes, in the order of the logits")


@dataclass(frozen=True)
class Prediction:
    """The classes of one image with their probabilities (0-1), the likeliest first; `reason` why there are none."""

    path: Path | None
    classes: tuple[tuple[str, float], ...]
    reason: str | None = None


def class_logits(output: Tensor | Pair) -> Tensor:
    """The logits to predict by: of DeiT's two the mean (Touvron 2021, section 5.3: joint classifiers)."""
    return (output.classes + output.distilled) / 2 if isinstance(output, Pair) else output


class Classifier:
    """Names what images show, with a trained run: ``Classifier.load("runs/cifar10")(["photo.jpg"])``."""

    def __init__(self, model: Model, preprocessing: Preprocessing) -> None:
        self.model, self.preprocessing = model, preprocessing
        self.device = next(model.parameters()).device

    @classmethod
    def load(cls, path: str | Path, *, precision: ImagePrecision = "fp32", device: str = "auto") -> Self:
        """The classifier of the run at `path`, or of a local folder of published weights (Hugging Face, timm).

        Raises `UserError` if it is neither, damaged, of a newer format or another task.
        """
        model, preprocessing = read_classifier(path)
        model = model.to(torch_device(device)).eval()
        dim = next(module.in_features for module in model.modules() if isinstance(module, nn.Linear))
        return cls(in_image_precision(model, precision, dim), preprocessing)

    def __call__(self, images: Sequence[str | Path], *, top: int = 1, batch: int = 64) -> list[Prediction]:
        """The `top` likeliest classes of each image file; what cannot be read has none and says why."""
        return list(self.predict([Path(image) for image in images], top=top, batch=batch))

    def predict(self, paths: Sequence[Path], *, top: int = 1, batch: int = 64) -> Iterator[Prediction]:
        """The same one after the other, as batches are done."""
        size, channels = self.preprocessing.size, self.preprocessing.channels
        for start in range(0, len(paths), batch):
            found: dict[Path, Pixels] = {}
            reasons: dict[Path, str] = {}
            for path in paths[start : start + batch]:
                try:
                    found[path] = decode(path, channels, shorter(size))[0]
                except BadImage as error:
                    reasons[path] = str(error)
            rows = dict(zip(found, self.probabilities(list(found.values())), strict=True))
            for path in paths[start : start + batch]:
                yield Prediction(path, self.best(rows[path], top) if path in rows else (), reasons.get(path))

    def best(self, row: Probabilities, top: int) -> tuple[tuple[str, float], ...]:
        """The `top` likeliest classes of one row of probabilities."""
        order = np.argsort(-row, kind="stable")[:top]
        return tuple((self.preprocessing.classes[place], float(row[place])) for place in order)

    def probabilities(
        self, images: Sequence[Pixels], *, batch: int = 64, advance: Callable[[int], None] | None = None
    ) -> Probabilities:
        """``softmax(logits)`` of each image, (N, classes) in float32."""
        rows = [np.zeros((0, len(self.preprocessing.classes)), np.float32)]
        for start in range(0, len(images), batch):
            chosen = images[start : start + batch]
            rows.append(self.logits(self.prepared(chosen)).softmax(-1).cpu().numpy())
            if advance is not None:
                advance(len(chosen))
        return np.concatenate(rows)

    def probabilities_of(
        self, store: ImageStore, *, batch: int = 64, advance: Callable[[int], None] | None = None
    ) -> Probabilities:
        """The same of every image of a store, read as it is needed."""
        rows = [np.zeros((0, len(self.preprocessing.classes)), np.float32)]
        for start in range(0, len(store), batch):
            images = store.pixels(range(start, min(start + batch, len(store))))
            rows.append(self.probabilities(images, batch=batch, advance=advance))
        return np.concatenate(rows)

    def prepared(self, images: Sequence[Pixels]) -> Tensor:
        """Images (H, W, C) of uint8 as the model takes them, (B, C, S, S)."""
        return evaluation_images(images, self.preprocessing.size, self.preprocessing.normalization).to(self.device)

    def logits(self, images: Tensor) -> Tensor:
        """Class logits (B, classes) in float32 of prepared images."""
        with evaluating(self.model), torch.inference_mode():
            return class_logits(self.model(images)).float()


def read_classifier(path: str | Path) -> tuple[Model, Preprocessing]:
    """Model and preprocessing of a run, or of a local folder of published weights. Raises `UserError` as `load`."""
    folder = run_path(path)
    if is_published(folder):
        return published(folder)
    run = Run.open(folder)
    config = classifier_config(run)
    model = build(read_config(config["model"], str(run.path / "config.json")))
    load_weights(model, run.weights(), str(run.path))
    return model, Preprocessing.load(run.path)


def published(folder: Path) -> tuple[Model, Preprocessing]:
    """Model and preprocessing of a local folder in Hugging Face's or timm's layout."""
    model = huggingface.load(folder)
    found = huggingface.preprocessing(folder)
    height, width = model.config.size
    if height != width:
        raise UserError(f"{folder} is a model of {height} x {width} pixels; only square images can be prepared")
    channels, count = model.config.channels, model.config.classes
    names = huggingface.labels(folder) or [str(number) for number in range(count)]
    mean, std = (found.mean, found.std) if found else ((0.5,) * channels, (0.5,) * channels)
    return model, Preprocessing(size=height, channels=channels, mean=mean, std=std, classes=tuple(names))
