"""What a classifier looked at in a photo, as `jumok.insight` draws it."""

from pathlib import Path

import torch

from jumok.data.image_file import BadImage, Pixels, centre, decode
from jumok.errors import UserError
from jumok.insight.choice import EVERYTHING, Choice
from jumok.insight.image_viewer import ImageView, Resnet
from jumok.insight.record import record
from jumok.models.resnet import ResNet
from jumok.models.vit import DeiT, ViT
from jumok.nn.image import ConvolutionalStem, LearnedGrid, PatchEmbedding
from jumok.tasks.attention_models import check_attention
from jumok.tasks.classify_predict import Classifier

SHARPEST = 1200  # pixels of the side of the photo that is shown


class Unseen(UserError):
    """A photo in which there is nothing to look at: it cannot be read, or a model finds nothing in it."""

    def __init__(self, photo: Path, reason: str, remedy: str = "give another image") -> None:
        super().__init__(f"{photo} cannot be used: {reason}; {remedy}")
        self.photo, self.reason = photo, reason


def attention_view(
    classifier: Classifier,
    photo: Path,
    *,
    run: str = "the run",
    resnet: Classifier | None = None,
    top: int = 5,
    choice: Choice = EVERYTHING,
) -> ImageView:
    """The attention of the chosen layers and heads over `photo`, and what the classifier takes it for.

    With `resnet`, its receptive fields and first filters stand beside; `run` is the classifier's name in messages.
    Raises `Unseen` for a photo that cannot be read, `UserError` for models of the wrong kind and for a layer or head
    that does not exist.
    """
    model = classifier.model
    check_attention(model, run)
    assert isinstance(model, ViT | DeiT)
    wanted = classifier.preprocessing
    sharp, pixels = (photo_pixels(photo, wanted.channels, most) for most in (SHARPEST, None))
    (row,) = classifier.probabilities([pixels])
    with torch.inference_mode(), record(model) as maps:
        model.eval()(classifier.prepared([pixels]))
    tokens = model.encoder.tokens
    patches, positions = tokens.patches, tokens.positions
    prefix = model.config.prefix
    view = ImageView(
        photo=centre(sharp, min(sharp.shape[:2])),
        maps=[weights[0] for weights in maps.values()],
        prefix=prefix,
        grid=model.config.grid,
        patch=model.config.patch,
        predictions=classifier.best(row, top),
        projection=patches.filters.detach().float() if isinstance(patches, PatchEmbedding) else None,
        stem=patches.filters.detach().float() if isinstance(patches, ConvolutionalStem) else None,
        positions=positions.weight.detach().float()[prefix:] if isinstance(positions, LearnedGrid) else None,
        resnet=None if resnet is None else _resnet(resnet),
        model=f"{type(model).__name__}, {len(maps)} layers x {model.config.heads} heads{choice.noted()}",
        choice=choice,
    )
    view.chosen()  # exists
    return view


def photo_pixels(photo: Path, channels: int, shorter: int | None) -> Pixels:
    """One photo, with at most `shorter` pixels on its shorter side. Raises `Unseen` if it cannot be read."""
    try:
        return decode(photo, channels, shorter)[0]
    except BadImage as error:
        raise Unseen(photo, str(error)) from error


def _resnet(classifier: Classifier) -> Resnet:
    model = classifier.model
    if not isinstance(model, ResNet):
        raise UserError("what stands beside a ViT is a run whose model.architecture is resnet")
    return Resnet(model.receptive_fields(), model.stem.convolution.weight.detach().float())
