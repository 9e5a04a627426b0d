"""The models that classify images: which config makes which, and how one starts from another's weights."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from jumok.config import parse
from jumok.errors import UserError
from jumok.models.resnet import ResNet, ResNetConfig
from jumok.models.vit import DeiT, DeiTConfig, PatchTransformerConfig, ViT, ViTConfig
from jumok.nn.image import interpolated

ClassifierConfig = ViTConfig | DeiTConfig | ResNetConfig
Model = ViT | DeiT | ResNet

CONFIGS: dict[str, type[ViTConfig] | type[DeiTConfig] | type[ResNetConfig]] = {
    "vit": ViTConfig,
    "deit": DeiTConfig,
    "resnet": ResNetConfig,
}

_POSITIONS, _HEADS = "encoder.tokens.positions.weight", ("head.", "distilled_head.")


def build(config: ClassifierConfig) -> Model:
    """A fresh model of this config's family."""
    if isinstance(config, ResNetConfig):
        return ResNet(config)
    return DeiT(config) if isinstance(config, DeiTConfig) else ViT(config)


def read_config(values: dict[str, Any], where: str) -> ClassifierConfig:
    """The config that a run stored. Raises `UserError` if it is none, naming `where`."""
    family = values.get("architecture", "vit")
    if not isinstance(family, str) or family not in CONFIGS:
        raise UserError(f"{where}: model.architecture = {family!r} is not one of {', '.join(CONFIGS)}")
    return parse(CONFIGS[family], values, where)


def transferred(
    weights: Mapping[str, Tensor], source: ClassifierConfig, fresh: Model, *, new_head: bool
) -> dict[str, Tensor]:
    """`weights` of a model of config `source`, as `fresh` takes them to be tuned further.

    Learned positions are interpolated to the grid of `fresh` (Dosovitskiy 2021, section 3.2); with `new_head` the
    heads are those of `fresh`. What fits in nothing is left for `load_weights` to name.
    """
    config, result = fresh.config, dict(weights)
    if isinstance(source, PatchTransformerConfig) and isinstance(config, PatchTransformerConfig):
        result = with_positions(weights, source, config)
    if new_head:
        result = {name: tensor for name, tensor in result.items() if not name.startswith(_HEADS)}
        result |= {name: tensor for name, tensor in fresh.state_dict().items() if name.startswith(_HEADS)}
    return result


def with_positions(
    weights: Mapping[str, Tensor], source: PatchTransformerConfig, config: PatchTransformerConfig
) -> dict[str, Tensor]:
    """`weights` of a model of config `source`, with learned positions interpolated to the grid of `config`."""
    result = dict(weights)
    if _POSITIONS in result:
        prefix = len(result[_POSITIONS]) - source.grid[0] * source.grid[1]
        result[_POSITIONS] = interpolated(result[_POSITIONS], prefix, source.grid, config.grid)
    return result


def interpolates(source: ClassifierConfig, config: ClassifierConfig) -> bool:
    """Whether weights of `source` get other positions in a model of `config`: learned ones, of another grid."""
    return (
        isinstance(source, PatchTransformerConfig)
        and isinstance(config, PatchTransformerConfig)
        and source.positions == "learned"
        and source.grid != config.grid
    )
