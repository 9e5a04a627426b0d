"""The layouts in which ViT and DeiT are published: their configuration, and where each of our weights stands."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any

import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from jumok.config import Config, parse
from jumok.errors import UserError
from jumok.models.vit import DeiT, DeiTConfig, PatchTransformer, PatchTransformerConfig, ViT, ViTConfig

PatchModel = ViT | DeiT


@dataclass(frozen=True)
class Names:
    """How a layout calls the parts; a block's parts stand behind ``block`` with its number."""

    tokens: tuple[str, str]
    positions: str
    patches: str
    block: str
    qkv: tuple[str, ...]
    out: str
    inner: str
    outer: str
    norms: tuple[str, str]
    norm: str
    heads: tuple[str, str]

    def behind(self, prefix: str, heads: tuple[str, str]) -> "Names":
        """The same layout with the body behind `prefix`, under another model's heads."""
        return replace(
            self,
            tokens=(prefix + self.tokens[0], prefix + self.tokens[1]),
            positions=prefix + self.positions,
            patches=prefix + self.patches,
            block=prefix + self.block,
            norm=prefix + self.norm,
            heads=heads,
        )


TRANSFORMERS = Names(
    tokens=("embeddings.cls_token", "embeddings.distillation_token"),
    positions="embeddings.position_embeddings",
    patches="embeddings.patch_embeddings.projection",
    block="encoder.layer.{}.",
    qkv=("attention.attention.query", "attention.attention.key", "attention.attention.value"),
    out="attention.output.dense",
    inner="intermediate.dense",
    outer="output.dense",
    norms=("layernorm_before", "layernorm_after"),
    norm="layernorm",
    heads=("classifier", ""),
)
TIMM = Names(
    tokens=("cls_token", "dist_token"),
    positions="pos_embed",
    patches="patch_embed.proj",
    block="blocks.{}.",
    qkv=("attn.qkv",),
    out="attn.proj",
    inner="mlp.fc1",
    outer="mlp.fc2",
    norms=("norm1", "norm2"),
    norm="norm",
    heads=("head", "head_dist"),
)
# in the folders of transformers, but read by no classifier
UNUSED = ("pooler.dense.weight", "pooler.dense.bias", "embeddings.mask_token")


@dataclass(frozen=True)
class Place:
    """One of our tensors, those of the layout that follow each other in it, and the shape of each of them there."""

    ours: Tensor
    theirs: tuple[str, ...]
    shape: tuple[int, ...] | None = None

    def split(self) -> dict[str, Tensor]:
        """Our tensor as theirs."""
        parts = self.ours.chunk(len(self.theirs))
        return {
            name: part if self.shape is None else part.reshape(self.shape)
            for name, part in zip(self.theirs, parts, strict=True)
        }

    def fill(self, tensors: dict[str, Tensor]) -> None:
        """Copy theirs into ours."""
        own = self.ours.shape[1:]
        self.ours.copy_(torch.cat([tensors[name].reshape(-1, *own) for name in self.theirs]))


def places(model: PatchModel, names: Names, *, qkv_bias: bool = True, heads: bool = True) -> Iterator[Place]:
    """Where each weight of `model` stands in a layout; without `qkv_bias` our biases have no place and stay zero."""
    config, own = model.config, {name: tensor.detach() for name, tensor in model.state_dict().items()}
    tokens, patches = "encoder.tokens.prefix", "encoder.tokens.patches.projection"
    yield Place(own[tokens], names.tokens[: config.prefix], (1, 1, config.dim))
    positions = model.encoder.tokens.positions().detach()
    yield Place(positions, (names.positions,), (1, *positions.shape))
    square = (config.dim, config.channels, config.patch, config.patch)
    yield Place(own[f"{patches}.weight"], (f"{names.patches}.weight",), square)
    yield Place(own[f"{patches}.bias"], (f"{names.patches}.bias",))
    for number in range(config.depth):
        ours, theirs = f"encoder.blocks.{number}.", names.block.format(number)
        linears: dict[str, tuple[str, ...]] = {
            "attention.qkv": names.qkv,
            "attention.out": (names.out,),
            "feed_forward.inner": (names.inner,),
            "feed_forward.outer": (names.outer,),
            "around_attention.norm": names.norms[:1],
            "around_feed_forward.norm": names.norms[1:],
        }
        for part, others in linears.items():
            for kind in ("weight", "bias"):
                if qkv_bias or (part, kind) != ("attention.qkv", "bias"):
                    yield Place(own[f"{ours}{part}.{kind}"], tuple(f"{theirs}{name}.{kind}" for name in others))
    ends = {"encoder.norm": names.norm}
    if heads:
        ends["head"] = names.heads[0]
        if isinstance(model, DeiT):
            ends["distilled_head"] = names.heads[1]
    for part, other in ends.items():
        for kind in ("weight", "bias"):
            yield Place(own[f"{part}.{kind}"], (f"{other}.{kind}",))


class TransformersConfig(Config):
    """What counts in the ``config.json`` of a ViT or DeiT of transformers; defaults are its own."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model_type: str = Field(description="vit or deit")
    hidden_size: int = Field(768, description="width of the model")
    num_hidden_layers: int = Field(12, description="encoder blocks")
    num_attention_heads: int = Field(12, description="attention heads")
    intermediate_size: int = Field(3072, description="inner width of the feed-forward")
    hidden_act: str = Field("gelu", description="activation of the feed-forward")
    hidden_dropout_prob: float = Field(0.0, description="dropout on embeddings and sublayers")
    attention_probs_dropout_prob: float = Field(0.0, description="dropout on attention weights")
    layer_norm_eps: float = Field(1e-12, description="epsilon of the layer norms")
    image_size: int | list[int] = Field(224, description="pixels: one number, or height and width")
    patch_size: int | list[int] = Field(16, description="pixels: one number, or height and width")
    num_channels: int = Field(3, description="channels of an image")
    qkv_bias: bool = Field(True, description="biases on queries, keys and values")
    id2label: dict[str, str] | None = Field(None, description="names of the classes")

    @property
    def classes(self) -> int:
        return 2 if self.id2label is None else len(self.id2label)


def from_transformers(theirs: TransformersConfig, *, distilled: bool, pair: bool, where: str) -> PatchTransformerConfig:
    """Our configuration of a folder of transformers; `pair` where both heads are there. Raises `UserError`."""
    patch = theirs.patch_size
    sides = set(patch) if isinstance(patch, list) else {patch}
    wrong = {
        f"hidden_act = {theirs.hidden_act} (we have gelu)": theirs.hidden_act != "gelu",
        f"patch_size = {patch} (our patches are square)": len(sides) > 1,
    }
    if any(wrong.values()):
        named = "; ".join(what for what, is_so in wrong.items() if is_so)
        raise UserError(f"cannot read {where} as a ViT of Jumok: {named}")
    values = {
        "image_size": theirs.image_size,
        "patch": sides.pop(),
        "channels": theirs.num_channels,
        "classes": theirs.classes,
        "dim": theirs.hidden_size,
        "heads": theirs.num_attention_heads,
        "depth": theirs.num_hidden_layers,
        "hidden": theirs.intermediate_size,
        "dropout": theirs.hidden_dropout_prob,
        "attention_dropout": theirs.attention_probs_dropout_prob,
        "norm_epsilon": theirs.layer_norm_eps,
    }
    return _config(values, distilled=distilled, pair=pair, where=where)


def to_transformers(model: PatchModel, labels: list[str] | None) -> dict[str, Any]:
    """The ``config.json`` that transformers reads."""
    config = model.config
    pair, token = isinstance(model, DeiT), config.prefix == 2
    kind = "DeiTForImageClassificationWithTeacher" if pair else f"{'DeiT' if token else 'ViT'}ForImageClassification"
    named = dict(enumerate(labels or [f"LABEL_{i}" for i in range(config.classes)]))
    return {
        "architectures": [kind],
        "model_type": "deit" if token else "vit",
        "hidden_size": config.dim,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "intermediate_size": config.hidden,
        "hidden_act": "gelu",
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "layer_norm_eps": config.norm_epsilon,
        "image_size": config.image_size,
        "patch_size": config.patch,
        "num_channels": config.channels,
        "qkv_bias": True,
        "id2label": named,
        "label2id": {label: number for number, label in named.items()},
    }


def from_timm(values: dict[str, Any], tensors: dict[str, Tensor], where: str) -> PatchTransformerConfig:
    """Our configuration of weights with timm's names; most of it stands in their shapes.

    `values` is its ``config.json``, empty where there is none. Heads are 64 wide in every published size, unless
    ``model_args.num_heads`` says otherwise.
    """
    patches, positions = tensors[f"{TIMM.patches}.weight"], tensors.get(TIMM.positions)
    if positions is None or patches.ndim != 4 or positions.ndim != 3:
        raise UserError(f"{where} is no ViT: it has no {TIMM.positions} of shape (1, tokens, dim)")
    arguments = values.get("model_args") or {}
    dim, channels, patch, _ = patches.shape
    heads = arguments.get("num_heads") or dim // 64
    if not heads:
        raise UserError(f"{where} does not say how many heads; set model_args.num_heads in the folder's config.json")
    prefix = 1 + (TIMM.tokens[1] in tensors)
    side = isqrt(positions.shape[1] - prefix)
    size = (values.get("pretrained_cfg") or {}).get("input_size", [channels, side * patch, side * patch])[1:]
    numbers = {name.split(".")[1] for name in tensors if name.startswith("blocks.")}
    head, inner = tensors.get("head.weight"), tensors.get("blocks.0.mlp.fc1.weight")
    config = {
        "image_size": size[0] if size[0] == size[1] else size,
        "patch": patch,
        "channels": channels,
        "classes": int(values.get("num_classes") or 2) if head is None else head.shape[0],
        "dim": dim,
        "heads": heads,
        "depth": len(numbers),
        "hidden": 4 * dim if inner is None else inner.shape[0],
    }
    return _config(config, distilled=prefix == 2, pair=f"{TIMM.heads[1]}.weight" in tensors, where=where)


def _config(values: dict[str, Any], *, distilled: bool, pair: bool, where: str) -> PatchTransformerConfig:
    if pair:
        return parse(DeiTConfig, values, where)
    return parse(ViTConfig, values | {"distillation_token": distilled}, where)


def unsupported(model: PatchTransformer[PatchTransformerConfig]) -> list[str]:
    """What no published layout has a place for, named one by one."""
    config = model.config
    found = {
        f"stem = {config.stem}": config.stem != "patches",
        "pool = mean": isinstance(config, ViTConfig) and config.pool == "mean",
    }
    return [what for what, wrong in found.items() if wrong]
