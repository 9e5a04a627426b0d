"""ResNet: the paper's sizes, its receptive fields (by hand and by gradient), what it does with an image."""

import json
from typing import Any

import pydantic
import pytest
import torch
from tests.models.small import shake
from torch import Tensor, nn

from jumok.models.classifiers import build, read_config, transferred
from jumok.models.resnet import BasicBlock, PointConvolution, ResNet, ResNetBodyConfig, ResNetConfig, ResNetEncoder
from jumok.training.weights import load_weights, weights_of

SMALL: dict[str, Any] = {
    "stem": "small",
    "widths": (6, 10),
    "blocks": (2, 1),
    "channels": 2,
    "classes": 5,
    "image_size": (12, 18),
}


def resnet(**changes: Any) -> ResNet:
    model = ResNet(ResNetConfig(**(SMALL | changes)))
    shake(model)
    return model.eval()


def images(count: int = 3, height: int = 12, width: int = 18) -> Tensor:
    return torch.randn(count, 2, height, width)


def count_of(preset: str, classes: int, image_size: int) -> int:
    with torch.device("meta"):
        model = ResNet(ResNetConfig.preset(preset, classes=classes, image_size=image_size))
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameter_counts_of_the_paper() -> None:
    """0.27 million (Table 6) and 11.7 million."""
    stages = 6 * 9 * 16 * 16 + 9 * 16 * 32 + 5 * 9 * 32 * 32 + 9 * 32 * 64 + 5 * 9 * 64 * 64
    shortcuts = 16 * 32 + 32 * 64
    norms = 2 * (7 * 16 + 7 * 32 + 7 * 64)
    assert count_of("resnet20", 10, 32) == 9 * 3 * 16 + stages + shortcuts + norms + 64 * 10 + 10
    assert count_of("resnet20", 10, 32) == pytest.approx(0.27e6, rel=0.02)
    assert count_of("resnet18", 1000, 224) == 11_689_512
    assert 0.3e6 < count_of("small", 10, 32) < 3e6


def test_receptive_fields_by_hand() -> None:
    """3x3 convolutions add 2 pixels each; after a step of 2 they add 4."""
    assert resnet().receptive_fields() == [3, 7, 11, 11 + 2 + 4]
    # 7x7 of stride 2, pooling 3x3 of stride 2; then as published for ResNet-18: 435
    eighteen = ResNet(ResNetConfig.preset("resnet18", classes=2)).receptive_fields()
    assert eighteen == [11, 27, 43, 67, 99, 147, 211, 307, 435]


@pytest.mark.parametrize("stem", ["small", "imagenet"])
def test_receptive_fields_by_gradient(stem: str) -> None:
    """The pixels whose change moves the middle of a layer's image."""
    model = resnet(stem=stem, image_size=160)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.bias.data.fill_(3.0)  # so that no unit is silent
    seen: list[Tensor] = []
    for part in (model.stem, *model.blocks):
        part.register_forward_hook(lambda module, given, made: seen.append(made))
    given = torch.rand(1, 2, 160, 160).requires_grad_()
    model(given)
    for image, field in zip(seen, model.receptive_fields(), strict=True):
        middle = image.shape[2] // 2
        (gradient,) = torch.autograd.grad(image[0, :, middle, middle].sum(), given, retain_graph=True)
        touched = gradient[0].abs().amax(0) > 0
        extents = [int(axis.nonzero().max() - axis.nonzero().min()) + 1 for axis in (touched.any(0), touched.any(1))]
        # max pooling passes the gradient of one pixel of its window only
        assert extents == [field, field] if stem == "small" else all(field - 6 <= e <= field for e in extents)


@pytest.mark.parametrize("stem", ["small", "imagenet"])
def test_receptive_fields_of_a_line_of_text(stem: str) -> None:
    """Height and width each by their own steps, by hand and by gradient."""
    model = resnet(stem=stem, image_size=320, widths=(6, 10, 9), blocks=(1, 2, 1), strides=((2, 2), (2, 1), (1, 3)))
    first, step = (3, 1) if stem == "small" else (11, 4)
    fields = {"height": [first], "width": [first]}
    for side, strides in (("height", (2, 2, 1, 1)), ("width", (2, 1, 1, 3))):
        between = step
        for stride in strides:
            fields[side].append(fields[side][-1] + 2 * between + 2 * between * stride)
            between *= stride
    assert model.receptive_fields("height") == model.receptive_fields() == fields["height"]
    assert model.receptive_fields("width") == fields["width"]
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.bias.data.fill_(3.0)
    given = torch.rand(1, 2, 320, 320).requires_grad_()
    image = model.image(given)
    (gradient,) = torch.autograd.grad(image[0, :, image.shape[2] // 2, image.shape[3] // 2].sum(), given)
    touched = gradient[0].abs().amax(0) > 0
    for axis, side in ((touched.any(1), "height"), (touched.any(0), "width")):
        extent = int(axis.nonzero().max() - axis.nonzero().min()) + 1
        assert extent == fields[side][-1] if stem == "small" else fields[side][-1] - 6 <= extent <= fields[side][-1]


@pytest.mark.parametrize("step", [(2, 2), (2, 1), (1, 3)])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_point_with_a_stride_is_a_convolution_and_its_gradient_lies_as_the_images_do(
    step: tuple[int, int], layout: torch.memory_format
) -> None:
    point = PointConvolution(5, 3, 1, stride=step, bias=False)
    given = torch.randn(2, 5, 11, 14).to(memory_format=layout).requires_grad_()
    ours = point(given)
    theirs = torch.nn.functional.conv2d(given.contiguous(), point.weight, stride=step)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(theirs)
    found, expected = (torch.autograd.grad((image * weights).sum(), given)[0] for image in (ours, theirs))
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("stem", ["small", "imagenet"])
@pytest.mark.parametrize("strides", [None, ((2, 2), (2, 1)), ((1, 3), (3, 1))])
@torch.no_grad()
def test_the_last_image_is_as_large_as_the_config_says(stem: str, strides: Any) -> None:
    model = resnet(stem=stem, strides=strides, image_size=50)
    for height, width in torch.randint(20, 70, (5, 2)).tolist():
        assert model.encode(images(1, height, width)).grid == model.config.grid(height, width)


def test_strides_are_as_ever_where_none_are_given() -> None:
    torch.manual_seed(1)
    plain = ResNet(ResNetConfig(**SMALL))
    torch.manual_seed(1)
    named = ResNet(ResNetConfig(**(SMALL | {"strides": ((1, 1), (2, 2))})))
    assert list(plain.state_dict()) == list(named.state_dict())
    given = images()
    assert torch.equal(plain(given), named(given))
    assert plain.config.stride == (2, 2)


def test_weights_have_the_names_of_existing_runs() -> None:
    names = list(resnet().state_dict())
    assert names[0] == "stem.convolution.weight"
    assert names[-2:] == ["head.weight", "head.bias"]
    assert {name.split(".")[0] for name in names} == {"stem", "blocks", "head"}
    body = ResNetEncoder(ResNetBodyConfig(**{key: value for key, value in SMALL.items() if key != "classes"}))
    assert list(body.state_dict()) == names[:-2]


@torch.no_grad()
def test_an_encoder_is_the_body_without_the_head() -> None:
    model, given = resnet(), images()
    encoder = ResNetEncoder(ResNetBodyConfig(**{key: value for key, value in SMALL.items() if key != "classes"})).eval()
    encoder.load_state_dict({key: value for key, value in model.state_dict().items() if not key.startswith("head.")})
    torch.testing.assert_close(encoder(given).features, model.encode(given).features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("stride", [(2, 2), (2, 1), (3, 1), (1, 2), (3, 2)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_shortcut_with_steps_is_a_convolution(
    layout: torch.memory_format, stride: tuple[int, int], dtype: torch.dtype
) -> None:
    block = BasicBlock(6, 10, stride)
    assert isinstance(block.shortcut, nn.Sequential)
    shortcut = block.shortcut[0].to(dtype)
    x = torch.randn(3, 6, 7, 9).to(dtype).contiguous(memory_format=layout).requires_grad_()
    y = shortcut(x)
    exact = x.detach().double().requires_grad_()
    expected = nn.functional.conv2d(exact, shortcut.weight.double(), stride=stride)
    upstream = torch.randn_like(y)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 5e-2}
    torch.testing.assert_close(y.double(), expected, **tolerance)
    (gradient,) = torch.autograd.grad(y, x, upstream)
    (wanted,) = torch.autograd.grad(expected, exact, upstream.double())
    torch.testing.assert_close(gradient.double(), wanted, **tolerance)


def test_features_are_the_last_image_row_by_row() -> None:
    model, given = resnet(), images()
    encoded = model.encode(given)
    assert encoded.features.shape == (3, 6 * 9, 10)
    assert (encoded.grid, encoded.prefix, encoded.mask.lengths) == ((6, 9), 0, None)
    torch.testing.assert_close(model(given), model.head(encoded.features.mean(1)))


@pytest.mark.parametrize("preset", list(ResNetConfig.PRESETS))
def test_every_preset_can_be_built_and_changed(preset: str) -> None:
    model = ResNet(ResNetConfig.preset(preset, classes=5, channels=1, image_size=32)).eval()
    assert model(torch.randn(2, 1, 32, 32)).shape == (2, 5)


def test_images_of_any_size() -> None:
    assert resnet()(images(2, 31, 17)).shape == (2, 5)


def test_every_parameter_gets_a_gradient() -> None:
    model = resnet().train()
    logits = model(images())
    (logits * torch.randn_like(logits)).sum().backward()
    assert all(bool(parameter.grad.any()) for parameter in model.parameters())


@torch.no_grad()
def test_neighbours_in_a_batch_change_nothing_in_evaluation() -> None:
    model, given = resnet(), images(5)
    torch.testing.assert_close(model(given)[1:3], model(given[1:3]), rtol=1e-5, atol=1e-5)


def test_layers_go_from_the_stem_to_the_head() -> None:
    model = resnet()
    layers = model.layers()
    assert layers.keys() == dict(model.named_parameters()).keys()
    assert set(layers.values()) == {0, 1, 2, 3, 4}
    assert layers["stem.convolution.weight"] == 0
    assert layers["blocks.2.shortcut.0.weight"] == 3
    assert layers["head.bias"] == 4


@torch.no_grad()
def test_a_body_is_passed_on_to_a_new_head() -> None:
    model, given = resnet(), images()
    model.train()(given)  # running means are part of the body
    fresh = build(ResNetConfig(**(SMALL | {"classes": 9})))
    load_weights(fresh, transferred(weights_of(model), model.config, fresh, new_head=True), "the trained run")
    assert torch.equal(fresh.eval().encode(given).features, model.eval().encode(given).features)
    assert fresh(given).shape == (3, 9)


def test_a_stored_config_comes_back() -> None:
    config = resnet().config
    assert read_config(json.loads(json.dumps(config.model_dump())), "config.json") == config


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"widths": (6,)}, "same stages"),
        ({"widths": (), "blocks": ()}, "same stages"),
        ({"widths": (6, 0)}, "1 or more"),
        ({"blocks": (0, 1)}, "1 or more"),
        ({"image_size": 1}, "image_size = 1 is smaller"),
        ({"strides": ((1, 1),)}, "for each of the 2 stages"),
        ({"strides": ((1, 1), (2, 0))}, "1 or more"),
        ({"strides": ((4, 1), (4, 1))}, "smaller than one step of the last stage, 16 x 1"),
        ({"stem": "large"}, "stem"),
        ({"depth": 3}, "depth"),
    ],
    ids=str,
)
def test_wrong_sizes_are_refused_when_configured(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=named):
        ResNetConfig(**(SMALL | wrong))
