"""Published ViT and DeiT weights, read and written: Hugging Face folders, and timm's names; equal logits.

::

    model = load("folder")          # config.json and model.safetensors of ViTForImageClassification,
    logits = model(images)          # DeiTForImageClassification, DeiTForImageClassificationWithTeacher (a `Pair`)

Query, key and value projections lie apart in the layout of transformers and are fused here; the patch convolution is
the linear map of `PatchEmbedding`. Numbers are moved, never changed. `labels` and `preprocessing` read what else a
folder says; `save` writes a folder that ``from_pretrained`` reads.
"""

import json
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor

from jumok.config import Config, parse
from jumok.errors import UserError
from jumok.files import atomic_write
from jumok.interop.huggingface_layout import (
    TIMM,
    TRANSFORMERS,
    UNUSED,
    Names,
    PatchModel,
    TransformersConfig,
    from_timm,
    from_transformers,
    places,
    to_transformers,
    unsupported,
)
from jumok.models.classifiers import Model
from jumok.models.resnet import ResNet
from jumok.models.vit import DeiT, DeiTConfig, PatchTransformerConfig, ViT, ViTConfig
from jumok.training.weights import check_fit

_CONFIG, _WEIGHTS, _PICKLE, _PREPROCESSOR = (
    "config.json",
    "model.safetensors",
    "pytorch_model.bin",
    "preprocessor_config.json",
)


class Preprocessing(Config):
    """How a published model wants its images, each value in 0..1 first: resized, cropped at the centre, normalised.

    ``resize`` is height and width, or the pixels of the shorter side.
    """

    resize: int | tuple[int, int] = Field(description="height and width, or the shorter side, in pixels")
    crop: tuple[int, int] | None = Field(None, description="height and width cut from the centre")
    mean: tuple[float, ...] = Field((0.5, 0.5, 0.5), description="subtracted from each channel")
    std: tuple[float, ...] = Field((0.5, 0.5, 0.5), description="each channel is divided by it then")
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"] = Field(
        "bilinear", description="how Pillow resizes"
    )


@torch.no_grad()
def load(folder: str | Path) -> PatchModel:
    """The model of a local folder in float32, in evaluation mode; ``model(images)`` gives the published logits.

    A body without a head (``ViTModel``) gets a fresh one for as many classes as the configuration names, with a
    warning. Raises `UserError` where the folder holds no ViT or DeiT, or one with parts that we have no place for;
    weights of other shapes than the configuration says are listed: missing, surplus, and of another shape.
    """
    folder = Path(folder)
    tensors, where = _read_tensors(folder)
    values = _read_json(folder / _CONFIG)
    if f"{TIMM.patches}.weight" in tensors:
        names, config = TIMM, from_timm(values or {}, tensors, where)
        qkv_bias = f"{TIMM.block.format(0)}{TIMM.qkv[0]}.bias" in tensors
    else:
        names = _names(tensors, where)
        theirs = _transformers_config(folder, values)
        pair = f"{names.heads[1]}.weight" in tensors
        config = from_transformers(theirs, distilled=names.tokens[1] in tensors, pair=pair, where=str(folder / _CONFIG))
        qkv_bias = theirs.qkv_bias
    headless = f"{names.heads[0]}.weight" not in tensors
    model = _build(config)
    found = list(places(model, names, qkv_bias=qkv_bias, heads=not headless))
    wanted = {name: tensor for place in found for name, tensor in place.split().items()}
    given = {name: tensor for name, tensor in tensors.items() if not name.endswith(UNUSED)}
    check_fit(wanted, given, where)
    for place in found:
        place.fill(given)
    if headless:
        warnings.warn(f"{where} has no head: a fresh one for {model.config.classes} classes is untrained", stacklevel=2)
    return model.eval()


def labels(folder: str | Path) -> list[str] | None:
    """The names of the classes in the order of the logits; None where the folder does not name them."""
    values = _read_json(Path(folder) / _CONFIG) or {}
    named = values.get("id2label") or values.get("label_names")
    if isinstance(named, list):
        return [str(name) for name in named]
    if not isinstance(named, dict):
        return None
    try:
        ordered = [str(named[key]) for key in sorted(named, key=int)]
    except ValueError as error:
        raise UserError(f"{Path(folder) / _CONFIG}: the keys of id2label are not numbers ({error})") from error
    return None if ordered == [f"LABEL_{i}" for i in range(len(ordered))] else ordered


def preprocessing(folder: str | Path) -> Preprocessing | None:
    """What ``preprocessor_config.json``, or timm's ``pretrained_cfg``, says; None where the folder says nothing."""
    path = Path(folder) / _PREPROCESSOR
    values = _read_json(path)
    if values is not None:
        return parse(Preprocessing, _from_processor(values), str(path))
    published = (_read_json(Path(folder) / _CONFIG) or {}).get("pretrained_cfg")
    if not isinstance(published, dict) or "input_size" not in published:
        return None
    height, width = published["input_size"][1:]
    share = published.get("crop_pct") or 1.0
    found = {
        "resize": int(height / share) if height == width else (int(height / share), int(width / share)),
        "crop": (height, width),
        "mean": tuple(published.get("mean", (0.5, 0.5, 0.5))),
        "std": tuple(published.get("std", (0.5, 0.5, 0.5))),
        "interpolation": published.get("interpolation", "bicubic"),
    }
    return parse(Preprocessing, found, str(Path(folder) / _CONFIG))


def save(
    model: Model,
    folder: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
) -> None:
    """Write `model` as a folder that ``from_pretrained`` of transformers reads; `load` reads it too.

    Sinusoidal positions, and none, are written as the learned positions that they equal. Raises `UserError` that names
    what the layout has no place for: a ResNet, a convolutional stem, a mean over the patches.
    """
    folder = Path(folder)
    wrong = ["architecture = resnet"] if isinstance(model, ResNet) else unsupported(model)
    if labels is not None and len(labels) != model.config.classes:
        wrong.append(f"{len(labels)} labels for {model.config.classes} classes")
    if wrong:
        raise UserError(f"cannot write {folder} in the layout of transformers: {'; '.join(wrong)}")
    assert not isinstance(model, ResNet)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}; choose another") from error
    config = to_transformers(model, None if labels is None else list(labels))
    names = _behind(config["model_type"], pair=isinstance(model, DeiT))
    tensors = {name: t.cpu().float() for place in places(model, names) for name, t in place.split().items()}
    # copies: queries, keys and values share the memory of our fused weight; the format is what transformers looks for
    whole = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    atomic_write(folder / _WEIGHTS, serialize(whole, metadata={"format": "pt"}))
    if preprocessing is not None:
        _write_json(folder / _PREPROCESSOR, _to_processor(preprocessing, config["model_type"]))
    _write_json(folder / _CONFIG, config)


def _build(config: PatchTransformerConfig) -> PatchModel:
    if isinstance(config, DeiTConfig):
        return DeiT(config)
    assert isinstance(config, ViTConfig)
    return ViT(config)


def _behind(prefix: str, *, pair: bool) -> Names:
    heads = ("cls_classifier", "distillation_classifier") if pair else ("classifier", "")
    return TRANSFORMERS.behind(f"{prefix}." if prefix else "", heads)


def _names(tensors: dict[str, Tensor], where: str) -> Names:
    """The names of a folder of transformers: the body stands behind ``vit.``, ``deit.`` or nothing."""
    token = TRANSFORMERS.tokens[0]
    prefixes = [name.removesuffix(token).rstrip(".") for name in tensors if name.endswith(token)]
    if not prefixes:
        raise UserError(f"{where} holds no ViT: neither {token} (transformers) nor {TIMM.patches}.weight (timm)")
    return _behind(prefixes[0], pair="cls_classifier.weight" in tensors)


def _transformers_config(folder: Path, values: dict[str, Any] | None) -> TransformersConfig:
    path = folder / _CONFIG
    if values is None:
        raise UserError(f"there is no {path}; give the whole folder that save_pretrained wrote")
    if values.get("model_type") not in ("vit", "deit"):
        raise UserError(f"{path} is not of a ViT or DeiT (model_type = {values.get('model_type')})")
    return parse(TransformersConfig, values, str(path))


def _read_tensors(folder: Path) -> tuple[dict[str, Tensor], str]:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give a local folder with {_CONFIG} and {_WEIGHTS}")
    path = folder / _WEIGHTS
    if path.is_file():
        try:
            return load_file(path), str(path)
        except (OSError, SafetensorError) as error:
            raise UserError(f"cannot read {path}: {error}; copy the folder again") from error
    path = folder / _PICKLE
    if not path.is_file():
        hint = "save the model again in one file: model.save_pretrained(folder, max_shard_size='100GB')"
        raise UserError(f"there is no {folder / _WEIGHTS}; {hint}")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)  # runs no code of the file
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        hint = f"convert it to {_WEIGHTS} where you trust it"
        raise UserError(f"{path} is no plain file of tensors, and what else it holds is not run: {hint}") from error
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise UserError(f"{path} holds more than named tensors; save the model's state_dict alone, as {_WEIGHTS}")
    return loaded, str(path)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}; copy the folder again") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no keys; copy the folder again")
    return values


def _write_json(path: Path, values: dict[str, Any]) -> None:
    atomic_write(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


_RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # in the order of Pillow's numbers


def _from_processor(values: dict[str, Any]) -> dict[str, Any]:
    cropped, scaled = values.get("do_center_crop", False), values.get("do_normalize", True)
    resample = values.get("resample", 2)
    return {
        "resize": _pixels(values.get("size", 224)),
        "crop": _square(_pixels(values.get("crop_size", 224))) if cropped else None,
        "mean": tuple(values.get("image_mean", (0.5, 0.5, 0.5))) if scaled else (0.0,),
        "std": tuple(values.get("image_std", (0.5, 0.5, 0.5))) if scaled else (1.0,),
        "interpolation": _RESAMPLE[resample] if resample in range(len(_RESAMPLE)) else resample,
    }


def _to_processor(wanted: Preprocessing, kind: str) -> dict[str, Any]:
    resize, crop = wanted.resize, wanted.crop
    size = {"shortest_edge": resize} if isinstance(resize, int) else {"height": resize[0], "width": resize[1]}
    return {
        "image_processor_type": "DeiTImageProcessor" if kind == "deit" else "ViTImageProcessor",
        "do_resize": True,
        "size": size,
        "resample": _RESAMPLE.index(wanted.interpolation),
        "do_center_crop": crop is not None,
        "crop_size": None if crop is None else {"height": crop[0], "width": crop[1]},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(wanted.mean),
        "image_std": list(wanted.std),
    }


def _pixels(size: Any) -> Any:
    if not isinstance(size, dict):
        # DeiT's and ViT's older processors: one number is both sides
        return (size, size) if isinstance(size, int) else tuple(size)
    return size["shortest_edge"] if "shortest_edge" in size else (size.get("height"), size.get("width"))


def _square(size: Any) -> Any:
    return (size, size) if isinstance(size, int) else size
