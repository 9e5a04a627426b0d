"""What a classifier learns by: labels, hard or mixed, and for DeiT a teacher (Touvron et al. 2021, section 4)."""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from jumok.config import Config
from jumok.data.augment import ImageBatch
from jumok.errors import UserError
from jumok.models.vit import Pair
from jumok.tasks.classify_predict import Classifier, Preprocessing, class_logits
from jumok.training.task import Loss

TAU = 3.0  # temperature of soft distillation (Touvron 2021, section 5.3)


class Distillation(Config):
    """The teacher of a DeiT, and how the distillation token learns from it."""

    teacher: str | None = Field(None, description="a classifier's run, or published weights, on the same classes")
    kind: Literal["hard", "soft"] = Field("hard", description="learn the teacher's choice, or its probabilities")


@dataclass(frozen=True)
class Teacher:
    """A trained classifier that is asked about the student's very images, augmentation and all (section 4)."""

    classifier: Classifier
    student: Preprocessing

    @classmethod
    def load(cls, path: str, student: Preprocessing) -> Self:
        """Raises `UserError` if its classes, its channels or its image size are not the student's."""
        classifier = Classifier.load(path)
        theirs = classifier.preprocessing
        for key, mine, other in (
            ("classes", student.classes, theirs.classes),
            ("channels", student.channels, theirs.channels),
            ("image size", student.size, theirs.size),
        ):
            if mine != other:
                raise UserError(
                    f"the teacher {path} has other {key} ({_short(other)}) than the student ({_short(mine)}); "
                    "train one on the same data"
                )
        return cls(classifier, student)

    def __call__(self, images: Tensor) -> Tensor:
        """Logits of images that are normalised for the student."""
        theirs = self.classifier.preprocessing
        if (theirs.mean, theirs.std) != (self.student.mean, self.student.std):
            mine, other = ((_plane(p.mean, images), _plane(p.std, images)) for p in (self.student, theirs))
            images = (images * mine[1] + mine[0] - other[0]) / other[1]
        self.classifier.model.to(images.device)
        with torch.no_grad():
            return class_logits(self.classifier.model(images)).float()


def classification_loss(
    output: Tensor | Pair,
    batch: ImageBatch,
    *,
    smoothing: float,
    weights: Tensor | None,
    distillation: Distillation,
    taught: Tensor | None,
) -> Loss:
    r"""Cross-entropy, summed over the batch: :math:`-\sum_c y_c \log \psi(Z)_c`, y smoothed and perhaps mixed.

    DeiT's two heads share it: without a teacher both learn y. With one, the distillation head learns its choice
    :math:`y_t = \arg\max_c Z_t(c)` (hard, eq. 3) or its distribution (soft, eq. 2):
    :math:`\tau^2 \mathrm{KL}(\psi(Z_t/\tau) \| \psi(Z/\tau))`; the loss is the mean of the two heads'.
    """
    targets = batch.labels if batch.soft is None else batch.soft
    weights = None if weights is None else weights.to(targets.device)

    def entropy(logits: Tensor, wanted: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), wanted, weight=weights, label_smoothing=smoothing, reduction="sum")

    if not isinstance(output, Pair):
        total = entropy(output, targets)
    elif taught is None:
        total = (entropy(output.classes, targets) + entropy(output.distilled, targets)) / 2
    else:
        if distillation.kind == "hard":
            lesson = F.cross_entropy(output.distilled.float(), taught.argmax(-1), reduction="sum")
        else:
            student, teacher = (F.log_softmax(z.float() / TAU, -1) for z in (output.distilled, taught))
            lesson = TAU**2 * F.kl_div(student, teacher, reduction="sum", log_target=True)
        total = (entropy(output.classes, targets) + lesson) / 2
    right = (class_logits(output).argmax(-1) == batch.labels).sum()
    return Loss(total, float(len(batch.labels)), {"accuracy": 100 * right})


def _plane(values: tuple[float, ...], images: Tensor) -> Tensor:
    return torch.tensor(values, device=images.device, dtype=images.dtype)[:, None, None]


def _short(value: object) -> str:
    return ", ".join(value[:4]) + (", ..." if len(value) > 4 else "") if isinstance(value, tuple) else str(value)
