"""`summarize`: the worked example of the paper, and arithmetic counted by hand."""

import pytest
import torch
from torch import nn

from jumok.insight.shapes import Row, summarize
from jumok.models.classifiers import build
from jumok.models.resnet import ResNetConfig
from jumok.models.vit import DeiTConfig, ViT, ViTConfig


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_an_image_is_worth_16x16_words() -> None:
    with torch.device("meta"):
        model = ViT(ViTConfig.preset("b", classes=1000))
    rows = summarize(model, torch.empty(1, 3, 224, 224, device="meta"))
    shapes = {row.name: row.shape for row in rows}
    assert rows[0].shape == (1, 3, 224, 224)
    assert shapes["encoder.tokens.patches.cut"] == (1, 14, 14, 16 * 16 * 3)
    assert shapes["encoder.tokens.patches"] == (1, 196, 768)
    assert shapes["encoder.tokens"] == (1, 197, 768)
    assert shapes["encoder.blocks.0"] == shapes["encoder.blocks.10"] == (1, 197, 768)
    assert shapes["encoder.blocks.11"] == shapes["encoder"] == (1, 1, 768)  # the class token is all that is read
    assert shapes["head"] == shapes[""] == (1, 1000)
    order = [row.name for row in rows]
    assert order.index("encoder.tokens.patches.cut") < order.index("encoder.blocks.0") < order.index("head")


def test_flops_are_those_of_the_formula() -> None:
    """2 N D^2 for each of the four projections, 4 N D F for the feed-forward, 4 N^2 D for scores and mixture.

    In the last block only the class token asks, is projected and goes through the feed-forward.
    """
    b, side, patch, channels, dim, hidden, depth, classes = 3, 24, 6, 2, 30, 70, 2, 11
    sizes = {"image_size": side, "patch": patch, "channels": channels, "dim": dim, "hidden": hidden, "depth": depth}
    model = build(ViTConfig(classes=classes, heads=5, **sizes))
    rows = by_name(summarize(model, torch.randn(b, channels, side, side)))
    patches = (side // patch) ** 2
    tokens = patches + 1
    attention = 8 * tokens * dim**2 + 4 * tokens**2 * dim
    block = attention + 4 * tokens * dim * hidden
    last = 6 * tokens * dim**2 + 2 * dim**2 + 4 * tokens * dim + 4 * dim * hidden
    embedding = 2 * patches * channels * patch**2 * dim
    assert rows["encoder.tokens.patches"].flops == b * embedding
    assert rows["encoder.blocks.0.attention"].flops == b * attention
    assert rows["encoder.blocks.1"].flops == b * last
    assert rows["encoder.blocks.0"].flops == b * block
    assert rows["head"].flops == b * 2 * dim * classes
    assert rows[""].flops == b * (embedding + (depth - 1) * block + last + 2 * dim * classes)
    assert rows[""].parameters == sum(p.numel() for p in model.parameters())
    assert rows["head"].parameters == dim * classes + classes


def test_flops_of_convolutions() -> None:
    model = build(ResNetConfig(classes=5, stem="small", channels=3, widths=(8, 12), blocks=(1, 1), image_size=16))
    rows = by_name(summarize(model, torch.randn(2, 3, 16, 16)))
    assert rows["stem"].flops == 2 * 2 * 16 * 16 * 8 * 27
    assert rows["blocks.1"].shape == (2, 12, 8, 8)
    assert rows["blocks.1"].flops == 2 * 2 * 64 * (12 * 8 * 9 + 12 * 12 * 9 + 12 * 8)


def test_a_pair_has_the_shape_of_each() -> None:
    model = build(DeiTConfig(classes=7, image_size=16, patch=8, dim=12, heads=3, depth=1, hidden=20))
    assert by_name(summarize(model, torch.randn(2, 3, 16, 16)))[""].shape == (2, 7)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training: bool) -> None:
    model = build(ResNetConfig(classes=5, stem="small", widths=(8,), blocks=(1,), image_size=16)).train(training)
    frozen = model.get_submodule("stem").eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    summarize(model, torch.randn(1, 3, 16, 16))
    assert model.training is training
    assert frozen.training is False
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_an_error_inside_is_the_models_own() -> None:
    model = build(ViTConfig(classes=7, image_size=16, patch=8, dim=12, heads=3, depth=1, hidden=20))
    with pytest.raises(ValueError, match="built for 16 x 16"):
        summarize(model, torch.randn(1, 3, 24, 16))
    assert not any(isinstance(m, nn.Module) and m._forward_hooks for m in model.modules())
