"""What a classifier makes of an image, module by module: of a run, of published weights, or of a preset by its name."""

import re

import torch

from jumok.errors import UserError
from jumok.insight.shapes import Row, summarize
from jumok.models.classifiers import Model, build
from jumok.models.resnet import ResNetConfig
from jumok.models.vit import DeiTConfig, ViTConfig
from jumok.tasks.classify_predict import read_classifier
from jumok.tasks.runs import run_path

CLASSES = 1000  # of a preset: ImageNet's
_PRESET = re.compile(r"(vit|deit)-(\w+)/(\d+)(?:@(\d+))?")


def shape_rows(name: str) -> tuple[str, list[Row]]:
    """A title, and the rows of `summarize` for one image.

    `name` is a run, a folder of published weights, or a preset: ``vit-b/16`` (224 pixels), ``deit-ti/16@384``,
    ``resnet18``. Raises `UserError` for anything else.
    """
    model = None if run_path(name).exists() else _preset(name)
    if model is None:
        model = read_classifier(name)[0]
    config = model.config
    height, width = config.size
    image = torch.empty(1, config.channels, height, width, device="meta")
    total = sum(parameter.numel() for parameter in model.parameters())
    rows = summarize(model, image)
    flops = next(row.flops for row in rows if row.name == "")
    title = f"{name}: {total:,} parameters ({total / 1e6:.1f} million), {flops / 1e9:.2f} GFLOPs an image"
    if not isinstance(config, ResNetConfig) and config.prefix:
        title += "; the last block works for the tokens in front alone, as the head reads no others"
    return title, rows


def _preset(name: str) -> Model | None:
    with torch.device("meta"):
        if name in ResNetConfig.PRESETS:
            return build(ResNetConfig.preset(name, classes=CLASSES))
        found = _PRESET.fullmatch(name)
        if found is None:
            return None
        family, size, patch, pixels = found.groups()
        config = ViTConfig if family == "vit" else DeiTConfig
        if size not in config.PRESETS:
            raise UserError(f"{name}: {size} is none of the presets {', '.join(config.PRESETS)}")
        try:
            return build(config.preset(size, patch=int(patch), image_size=int(pixels or 224), classes=CLASSES))
        except ValueError as error:
            raise UserError(f"{name}: patches of {patch} pixels do not fill an image of {pixels or 224}") from error
