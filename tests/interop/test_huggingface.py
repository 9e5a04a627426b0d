"""Published ViT and DeiT folders: equal logits, read and written, and every way they can be damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoImageProcessor,
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    DeiTModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

from jumok.errors import UserError
from jumok.interop import huggingface
from jumok.interop.huggingface import Preprocessing
from jumok.models import vit as ours
from jumok.models.classifiers import build
from jumok.models.resnet import ResNetConfig

ODD: dict[str, Any] = {
    "hidden_size": 42,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 53,
    "image_size": (12, 30),
    "patch_size": 6,
    "num_channels": 2,
    "num_labels": 7,
}
SHAPES: dict[str, dict[str, Any]] = {
    "odd": {},
    "square": {"image_size": 18, "num_channels": 3},
    "grey, no bias": {"num_channels": 1, "qkv_bias": False, "num_labels": 1},
    "one patch": {"image_size": 5, "patch_size": 5, "layer_norm_eps": 1e-3},
}
KINDS = {
    "vit": (ViTForImageClassification, ViTConfig, ours.ViT),
    "deit": (DeiTForImageClassification, DeiTConfig, ours.ViT),
    "teacher": (DeiTForImageClassificationWithTeacher, DeiTConfig, ours.DeiT),
}


def published(kind: str = "vit", **changes: Any) -> Any:
    """A model of transformers with no weight at a special value."""
    model_class, config_class, _ = KINDS[kind]
    model = model_class(config_class(**(ODD | changes))).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def mine(kind: str = "vit", **changes: Any) -> ours.ViT | ours.DeiT:
    sizes = {"image_size": (12, 30), "patch": 6, "channels": 2, "classes": 7, "dim": 42, "heads": 3, "depth": 2}
    values = {**sizes, "hidden": 53} | changes
    if kind == "deit":
        values["distillation_token"] = True
    made = ours.DeiT(ours.DeiTConfig(**values)) if kind == "teacher" else ours.ViT(ours.ViTConfig(**values))
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def images_for(model: ours.ViT | ours.DeiT, count: int = 3) -> Tensor:
    return torch.randn(count, model.config.channels, *model.config.size)


@torch.no_grad()
def difference(one: ours.ViT | ours.DeiT, other: Any) -> float:
    """The largest between the logits, of the pair if there is one."""
    given = images_for(one)
    out, found = other(given), one(given)
    if isinstance(found, ours.Pair):
        pairs = [(found.classes, out.cls_logits), (found.distilled, out.distillation_logits)]
    else:
        pairs = [(found, out.logits)]
    assert all(float(expected.std()) > 0.01 or expected.shape[1] == 1 for _, expected in pairs)
    return max(float((got - expected).abs().max()) for got, expected in pairs)


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_published_folder_has_equal_logits(tmp_path: Path, kind: str, changes: dict[str, Any]) -> None:
    other = published(kind, **changes)
    other.save_pretrained(tmp_path)
    model = huggingface.load(tmp_path)
    assert type(model) is KINDS[kind][2]
    assert not model.training
    assert difference(model, other) < 1e-5


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_written_folder_has_equal_logits(tmp_path: Path, kind: str, positions: str) -> None:
    dim = 48 if positions == "sinusoidal" else 42
    model = mine(kind, positions=positions, dim=dim, dropout=0.2)
    huggingface.save(model, tmp_path / "new" / "folder")
    other, info = KINDS[kind][0].from_pretrained(tmp_path / "new" / "folder", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert difference(model, other.eval()) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_write_then_read_gives_the_same_bits(tmp_path: Path, kind: str) -> None:
    model = mine(kind, dropout=0.2, attention_dropout=0.05)
    huggingface.save(model, tmp_path)
    back = huggingface.load(tmp_path)
    assert back.config == model.config
    expected, found = model.state_dict(), back.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize(("body", "config"), [(ViTModel, ViTConfig), (DeiTModel, DeiTConfig)])
def test_a_body_gets_a_fresh_head_and_says_so(tmp_path: Path, body: Any, config: Any) -> None:
    other = body(config(**ODD)).eval()
    other.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="no head: a fresh one for 7 classes is untrained"):
        model = huggingface.load(tmp_path)
    given = images_for(model)
    with torch.no_grad():
        torch.testing.assert_close(model.encode(given).features, other(given).last_hidden_state, rtol=1e-5, atol=1e-5)
        assert model(given).shape == (3, 7)


def as_timm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's names, written down from its ViT independently of the layout under test."""
    renamed = {
        "cls_token": "embeddings.cls_token",
        "dist_token": "embeddings.distillation_token",
        "pos_embed": "embeddings.position_embeddings",
    }
    out = {new: tensors[old] for new, old in renamed.items() if old in tensors}
    for kind in ("weight", "bias"):
        out[f"patch_embed.proj.{kind}"] = tensors[f"embeddings.patch_embeddings.projection.{kind}"]
        out[f"norm.{kind}"] = tensors[f"layernorm.{kind}"]
        for i in range(2):
            layer, block = f"encoder.layer.{i}", f"blocks.{i}"
            parts = [tensors[f"{layer}.attention.attention.{part}.{kind}"] for part in ("query", "key", "value")]
            out[f"{block}.attn.qkv.{kind}"] = torch.cat(parts)
            out[f"{block}.attn.proj.{kind}"] = tensors[f"{layer}.attention.output.dense.{kind}"]
            out[f"{block}.mlp.fc1.{kind}"] = tensors[f"{layer}.intermediate.dense.{kind}"]
            out[f"{block}.mlp.fc2.{kind}"] = tensors[f"{layer}.output.dense.{kind}"]
            out[f"{block}.norm1.{kind}"] = tensors[f"{layer}.layernorm_before.{kind}"]
            out[f"{block}.norm2.{kind}"] = tensors[f"{layer}.layernorm_after.{kind}"]
        heads = {"classifier": "head", "cls_classifier": "head", "distillation_classifier": "head_dist"}
        out |= {f"{heads[o]}.{kind}": tensors[f"{o}.{kind}"] for o in heads if f"{o}.{kind}" in tensors}
    return out


@pytest.mark.parametrize("kind", ["vit", "teacher"])
@pytest.mark.parametrize("ending", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("square", [True, False])
def test_timms_names(tmp_path: Path, kind: str, ending: str, square: bool) -> None:
    # heads of 64, as every published size has; timm's norms have epsilon 1e-6
    changes = {"hidden_size": 128, "num_attention_heads": 2, "layer_norm_eps": 1e-6}
    other = published(kind, **changes, image_size=18 if square else (12, 30))
    tensors = {name.removeprefix("vit.").removeprefix("deit."): t for name, t in saved(other, tmp_path / "hf").items()}
    folder = tmp_path / "timm"
    folder.mkdir()
    named = {name: tensor.contiguous() for name, tensor in as_timm(tensors).items()}
    if ending == "model.safetensors":
        save_file(named, folder / ending)
    else:
        torch.save(named, folder / ending)
    if not square:
        (folder / "config.json").write_text(json.dumps({"pretrained_cfg": {"input_size": [2, 12, 30]}}))
    assert difference(huggingface.load(folder), other) < 1e-5


def test_timms_config_says_the_heads(tmp_path: Path) -> None:
    other = published(layer_norm_eps=1e-6, image_size=18)
    tensors = {name.removeprefix("vit."): tensor for name, tensor in saved(other, tmp_path).items()}
    save_file(as_timm(tensors), tmp_path / "model.safetensors")
    (tmp_path / "config.json").unlink()
    with pytest.raises(UserError, match="how many heads"):
        huggingface.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_args": {"num_heads": 3}}))
    assert difference(huggingface.load(tmp_path), other) < 1e-5


def saved(model: nn.Module, folder: Path) -> dict[str, Tensor]:
    model.save_pretrained(folder)  # type: ignore[operator]
    return load_file(folder / "model.safetensors")


def test_labels_come_and_go(tmp_path: Path) -> None:
    other = published(num_labels=3, id2label={0: "고양이", 1: "dog", 2: "Vogel"})
    other.save_pretrained(tmp_path)
    assert huggingface.labels(tmp_path) == ["고양이", "dog", "Vogel"]
    huggingface.save(huggingface.load(tmp_path), tmp_path / "new", labels=huggingface.labels(tmp_path))
    assert huggingface.labels(tmp_path / "new") == ["고양이", "dog", "Vogel"]
    assert ViTConfig.from_pretrained(tmp_path / "new").id2label == {0: "고양이", 1: "dog", 2: "Vogel"}
    huggingface.save(mine(), tmp_path / "unnamed")
    assert huggingface.labels(tmp_path / "unnamed") is None
    with pytest.raises(UserError, match="2 labels for 7 classes"):
        huggingface.save(mine(), tmp_path / "wrong", labels=["a", "b"])


def test_labels_are_ordered_by_number(tmp_path: Path) -> None:
    named = {str(i): f"class {i}" for i in range(12)}
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(sorted(named.items()))}))
    assert huggingface.labels(tmp_path) == [f"class {i}" for i in range(12)]


def test_preprocessing_comes_and_goes(tmp_path: Path) -> None:
    assert huggingface.preprocessing(tmp_path) is None
    wanted = Preprocessing(resize=36, crop=(30, 30), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), interpolation="bicubic")
    for case in (wanted, Preprocessing(resize=(12, 30))):
        huggingface.save(mine(), tmp_path / "new", preprocessing=case)
        assert huggingface.preprocessing(tmp_path / "new") == case


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        # as written by ViT's processor, now and in the first published folders, and by DeiT's
        ({"size": {"height": 224, "width": 224}, "resample": 2}, Preprocessing(resize=(224, 224))),
        ({"size": 224, "resample": 2, "do_normalize": True}, Preprocessing(resize=(224, 224))),
        (
            {"size": 256, "do_center_crop": True, "crop_size": 224, "resample": 3},
            Preprocessing(resize=(256, 256), crop=(224, 224), interpolation="bicubic"),
        ),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 200}},
            Preprocessing(resize=256, crop=(224, 200)),
        ),
        ({"size": 32, "do_normalize": False}, Preprocessing(resize=(32, 32), mean=(0.0,), std=(1.0,))),
    ],
)
def test_processors(tmp_path: Path, theirs: dict[str, Any], expected: Preprocessing) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(theirs))
    assert huggingface.preprocessing(tmp_path) == expected


def test_timms_preprocessing(tmp_path: Path) -> None:
    published_cfg = {
        "input_size": [3, 224, 224],
        "crop_pct": 0.9,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
    }
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": published_cfg}))
    expected = Preprocessing(resize=248, crop=(224, 224), interpolation="bicubic")
    assert huggingface.preprocessing(tmp_path) == expected


def test_a_model_without_a_place_is_refused(tmp_path: Path) -> None:
    for model, named in (
        (mine(pool="mean"), "pool = mean"),
        (mine(stem="convolutional", patch=2), "stem = convolutional"),
        (build(ResNetConfig(classes=3, widths=(4,), blocks=(1,))), "architecture = resnet"),
    ):
        with pytest.raises(UserError, match=named):
            huggingface.save(model, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def edit_config(**changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def edit_weights(change: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return edit


class Code:
    """A pickle that would run code when read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit(3)",))


def as_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"weights": Code()}, folder / "pytorch_model.bin")


def not_tensors(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"model": {"weights": torch.ones(1)}, "epoch": 3}, folder / "pytorch_model.bin")


FC1 = "vit.encoder.layer.0.intermediate.dense.weight"
DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
    "a list": (lambda folder: (folder / "config.json").write_text("[]"), "config.json"),
    "another model": (edit_config(model_type="bart"), "bart"),
    "a wrong type": (edit_config(hidden_size="wide"), "hidden_size"),
    "another activation": (edit_config(hidden_act="relu"), "hidden_act = relu"),
    "no square": (edit_config(patch_size=[6, 3]), "patch_size"),
    "no whole patches": (edit_config(image_size=13), "image_size = 13 is not a multiple"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
    "truncated": (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 7), "model.safetensors"),
    "code": (as_pickle, "not run"),
    "more than tensors": (not_tensors, "more than named tensors"),
    "other sizes": (edit_config(intermediate_size=54), r"of another shape: .*intermediate.dense.bias is \[53\]"),
    "another resolution": (edit_config(image_size=24), "of another shape: vit.embeddings.position_embeddings"),
    "more layers": (edit_config(num_hidden_layers=3), "missing: vit.encoder.layer.2"),
    "fewer layers": (edit_config(num_hidden_layers=1), "surplus: vit.encoder.layer.1"),
    "a lost tensor": (edit_weights(lambda tensors: tensors.pop(FC1)), f"1 missing: {FC1}"),
    "a foreign tensor": (edit_weights(lambda tensors: tensors.update(adapter=torch.ones(1))), "1 surplus: adapter"),
    "no ViT": (edit_weights(lambda tensors: tensors.pop("vit.embeddings.cls_token")), "holds no ViT"),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_folder_is_one_message(tmp_path: Path, damage: Callable[[Path], None], named: str) -> None:
    published().save_pretrained(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=named):
        huggingface.load(tmp_path)


def test_no_folder_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        huggingface.load(tmp_path / "nothing")
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="taken"):
        huggingface.save(mine(), tmp_path / "taken")


@pytest.mark.parametrize("missing", ["pos_embed", "blocks.1.attn.qkv.weight", "norm.bias"])
def test_damaged_weights_of_timm_are_named(tmp_path: Path, missing: str) -> None:
    other = published(hidden_size=128, num_attention_heads=2, image_size=18)
    tensors = {name.removeprefix("vit."): tensor for name, tensor in saved(other, tmp_path).items()}
    tensors = as_timm(tensors)
    tensors.pop(missing)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=missing):
        huggingface.load(tmp_path)


def test_transformers_reads_our_preprocessing(tmp_path: Path) -> None:
    """Its processors on Pillow: no part of torchvision is needed."""
    wanted = Preprocessing(resize=(12, 30), mean=(0.2, 0.3, 0.4), std=(0.3, 0.4, 0.5), interpolation="bicubic")
    huggingface.save(mine(channels=3), tmp_path, preprocessing=wanted)
    processor = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    picture = Image.fromarray(torch.randint(256, (40, 50, 3), dtype=torch.uint8).numpy())
    small = torch.from_numpy(numpy.array(picture.resize((30, 12), Image.Resampling.BICUBIC))).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (wanted.mean, wanted.std))
    found = torch.as_tensor(numpy.asarray(processor(picture).pixel_values[0]))
    torch.testing.assert_close(found, (small - mean) / std, rtol=1e-4, atol=1e-4)
