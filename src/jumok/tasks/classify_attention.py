"""What a classifier looked at in a photo, as `jumok.insight` draws it."""

from pathlib import Path

import torch

from jumok.data.image_file import BadImage, Pixels, centre, decode
from jumok.errors import UserError
from jumok.insight.image_viewer import ImageView, Resnet
from jumok.insight.record import record
from jumok.models.resnet import ResNet
from jumok.models.vit import DeiT, ViT
from jumok.nn.image import ConvolutionalStem, LearnedGrid, PatchEmbedding
from jumok.tasks.classify_predict import Classifier

SHARPEST = 1200  # pixels of the side of the photo that is shown


def attention_view(classifier: Classifier, photo: Path, *, resnet: Classifier | None = None, top: int = 5) -> ImageView:
    """The attention of every layer and head over `photo`, and what the classifier takes it for.

    With `resnet`, its receptive fields and first filters stand beside. Raises `UserError` for a photo that cannot be
    read, and for models of the wrong kind.
    """
    model = classifier.model
    if not isinstance(model, ViT | DeiT):
        raise UserError("a ResNet has no attention to look at; give a run of a ViT or DeiT (and it as --resnet)")
    wanted = classifier.preprocessing
    sharp, pixels = (photo_pixels(photo, wanted.channels, most) for most in (SHARPEST, None))
    (row,) = classifier.probabilities([pixels])
    with torch.inference_mode(), record(model) as maps:
        model.eval()(classifier.prepared([pixels]))
    tokens = model.encoder.tokens
    patches, positions = tokens.patches, tokens.positions
    prefix = model.config.prefix
    return ImageView(
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
        model=f"{type(model).__name__}, {len(maps)} layers x {model.config.heads} heads",
    )


def photo_pixels(photo: Path, channels: int, shorter: int | None) -> Pixels:
    """One photo, with at most `shorter` pixels on its shorter side. Raises `UserError` if it cannot be read."""
    try:
        return decode(photo, channels, shorter)[0]
    except BadImage as error:
        raise UserError(f"{photo} cannot be used: {error}; give another image") from error


def _resnet(classifier: Classifier) -> Resnet:
    model = classifier.model
    if not isinstance(model, ResNet):
        raise UserError("--resnet wants a run whose model.architecture is resnet")
    return Resnet(model.receptive_fields(), model.stem.convolution.weight.detach().float())
