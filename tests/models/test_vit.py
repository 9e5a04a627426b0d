"""ViT and DeiT: the papers' sizes, the worked example, options, the order of layers, weights passed on."""

import json
from typing import Any

import pydantic
import pytest
import torch
from tests.models.small import shake

from jumok.config import explain
from jumok.errors import UserError
from jumok.insight.record import record
from jumok.models.classifiers import CONFIGS, Model, build, read_config, transferred
from jumok.models.vit import DeiT, DeiTConfig, Pair, ViT, ViTConfig
from jumok.nn.quantized import quantized
from jumok.training.weights import load_weights, weights_of

SMALL: dict[str, Any] = {
    "image_size": (12, 18),
    "patch": 6,
    "channels": 2,
    "classes": 7,
    "dim": 20,
    "heads": 5,
    "depth": 3,
    "hidden": 31,
}


def vit(**changes: Any) -> ViT:
    model = ViT(ViTConfig(**(SMALL | changes)))
    shake(model)
    return model.eval()


def deit(**changes: Any) -> DeiT:
    model = DeiT(DeiTConfig(**(SMALL | changes)))
    shake(model)
    return model.eval()


def images(count: int = 3, height: int = 12, width: int = 18) -> torch.Tensor:
    return torch.randn(count, 2, height, width)


def by_hand(dim: int, hidden: int, depth: int, tokens: int, patch: int, classes: int, channels: int = 3) -> int:
    """Weights and biases of eq. 1-4 in Dosovitskiy 2021, with one class token and learned positions."""
    embedding = channels * patch**2 * dim + dim + dim + tokens * dim
    attention = 4 * (dim * dim + dim)
    feed_forward = dim * hidden + hidden + hidden * dim + dim
    return embedding + depth * (attention + feed_forward + 4 * dim) + 2 * dim + dim * classes + classes


@pytest.mark.parametrize(
    ("preset", "dim", "depth", "exact", "printed"),
    [
        ("ti", 192, 12, 5_717_416, 5.7),
        ("s", 384, 12, 22_050_664, 22.1),
        ("b", 768, 12, 86_567_656, 86.6),
        ("l", 1024, 24, 304_326_632, 304),
    ],
)
def test_parameter_counts_of_the_papers(preset: str, dim: int, depth: int, exact: int, printed: float) -> None:
    with torch.device("meta"):
        model = ViT(ViTConfig.preset(preset, classes=1000))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == by_hand(dim, 4 * dim, depth, 197, 16, 1000) == exact
    assert count / 1e6 == pytest.approx(printed, rel=0.01)


def test_a_distillation_token_and_its_head_are_all_that_deit_adds() -> None:
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in model.parameters())
            for model in (ViT(ViTConfig.preset("ti", classes=1000)), DeiT(DeiTConfig.preset("ti", classes=1000)))
        ]
    assert counts[1] - counts[0] == 192 + 192 + 192 * 1000 + 1000


def test_the_worked_example() -> None:
    """224 x 224 x 3 in patches of 16: 14 x 14, 196 x 768, 197 x 768 with the class token."""
    with torch.device("meta"):
        model = ViT(ViTConfig.preset("b", classes=1000))
        given = torch.empty(2, 3, 224, 224)
    assert model.config.grid == (14, 14)
    assert model.encoder.tokens.patches.cut(given).shape == (2, 14, 14, 768)
    assert model.encoder.tokens.patches(given).shape == (2, 196, 768)
    assert model.encoder.tokens(given).shape == (2, 197, 768)
    encoded = model.encode(given)
    assert (encoded.features.shape, encoded.prefix, encoded.grid) == ((2, 197, 768), 1, (14, 14))
    assert model(given).shape == (2, 1000)


@pytest.mark.parametrize("patch", [4, 8, 16, 32])
@pytest.mark.parametrize("preset", ["ti", "s", "b", "l"])
def test_every_preset_takes_every_patch(preset: str, patch: int) -> None:
    with torch.device("meta"):
        model = ViT(ViTConfig.preset(preset, patch=patch, image_size=(64, 96), classes=11, depth=1))
        assert model(torch.empty(2, 3, 64, 96)).shape == (2, 11)
    assert model.config.grid == (64 // patch, 96 // patch)


def test_the_head_reads_the_class_token_or_the_mean() -> None:
    given = images()
    model = vit()
    torch.testing.assert_close(model(given), model.head(model.encode(given).features[:, 0]))
    pooled = vit(pool="mean")
    encoded = pooled.encode(given)
    assert (encoded.prefix, encoded.features.shape[1]) == (0, 6)
    torch.testing.assert_close(pooled(given), pooled.head(encoded.features.mean(1)))


@pytest.mark.parametrize("training", [True, False])
def test_deit_has_two_opinions_always(training: bool) -> None:
    model, given = deit().train(training), images()
    pair, features = model(given), model.encode(given).features
    assert isinstance(pair, Pair)
    torch.testing.assert_close(pair.classes, model.head(features[:, 0]))
    torch.testing.assert_close(pair.distilled, model.distilled_head(features[:, 1]))
    assert not torch.allclose(pair.classes, pair.distilled)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
@pytest.mark.parametrize("stem", ["patches", "convolutional", "deep"])
@pytest.mark.parametrize("kind", [{"pool": "class"}, {"pool": "mean"}, {"distillation_token": True}], ids=str)
def test_every_parameter_gets_a_gradient(positions: str, stem: str, kind: dict[str, Any]) -> None:
    model = vit(positions=positions, stem=stem, image_size=(8, 12), patch=4, **kind).train()
    logits = model(images(3, 8, 12))
    (logits * torch.randn_like(logits)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()) or not parameter.numel(), name


def test_every_parameter_of_deit_gets_a_gradient() -> None:
    model = deit().train()
    pair = model(images())
    (pair.classes - pair.distilled).square().sum().backward()
    assert all(bool(parameter.grad.any()) for parameter in model.parameters())


@torch.no_grad()
def test_without_positions_a_shuffled_image_gives_the_same_logits() -> None:
    """Whole patches change places: a bag of patches does not notice, any positions do."""
    given = images()
    pieces = given.view(3, 2, 2, 6, 3, 6).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    pieces = pieces[:, torch.tensor([4, 0, 5, 2, 1, 3])].view(3, 2, 3, 2, 6, 6)
    mixed = pieces.permute(0, 3, 1, 4, 2, 5).reshape(3, 2, 12, 18)
    blind = vit(positions="none")
    torch.testing.assert_close(blind(mixed), blind(given), rtol=1e-4, atol=1e-5)
    for positions in ("learned", "sinusoidal"):
        model = vit(positions=positions)
        if positions == "learned":
            model.encoder.tokens.positions.weight.normal_()  # as far from each other as a trained model's
        assert not torch.allclose(model(mixed), model(given), rtol=1e-2, atol=1e-2)


@torch.no_grad()
def test_neighbours_in_a_batch_change_nothing() -> None:
    for model in (vit(), vit(stem="convolutional", image_size=(8, 12), patch=4)):
        given = images(5, *model.config.size)
        torch.testing.assert_close(model(given)[1:3], model(given[1:3]), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_in_bf16_the_logits_stay_close() -> None:
    model, given = vit(), images()
    exact = model(given)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(given)
    pure = model.to(torch.bfloat16)(given)
    for rough in (mixed.float(), pure.float()):
        assert bool((rough - exact).norm() < 0.05 * exact.norm())


@torch.no_grad()
def test_its_attention_can_be_recorded() -> None:
    model, given = vit(), images()
    plain = model(given)
    with record(model) as maps:
        torch.testing.assert_close(model(given), plain, rtol=1e-5, atol=1e-5)
    assert list(maps) == [f"encoder.blocks.{i}.attention" for i in range(3)]
    for weights in maps.values():
        assert weights.shape == (3, 5, 7, 7)
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 5, 7))


def test_layers_go_from_the_patches_to_the_head() -> None:
    for model in (vit(), deit(), vit(stem="convolutional", image_size=(8, 12), patch=4)):
        layers = model.layers()
        assert layers.keys() == dict(model.named_parameters()).keys()
        assert set(layers.values()) == {0, 1, 2, 3, 4}
        assert layers["encoder.tokens.prefix"] == layers["encoder.tokens.positions.weight"] == 0
        assert layers["encoder.blocks.0.attention.qkv.weight"] == 1
        assert layers["encoder.blocks.2.feed_forward.outer.bias"] == 3
        assert layers["encoder.norm.weight"] == layers["head.weight"] == 4


def test_a_fresh_model_begins_near_even_odds() -> None:
    torch.manual_seed(5)
    one = ViT(ViTConfig(**(SMALL | {"dim": 60})))
    torch.manual_seed(5)
    other = ViT(ViTConfig(**(SMALL | {"dim": 60})))
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))
    logits = one.eval()(images(50))
    assert float(logits.abs().max().detach()) < 1.5
    patches = one.encoder.tokens.patches(images(200))
    assert float(patches.detach().std()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"image_size": (12, 17)}, r"image_size = \(12, 17\) is not a multiple of patch = 6"),
        ({"image_size": 4}, "image_size = 4 is smaller than patch = 6"),
        ({"image_size": 0}, "pixels"),
        ({"image_size": (6, 6, 6)}, "pixels"),
        ({"image_size": "12"}, "pixels"),
        ({"image_size": True}, "pixels"),
        ({"dim": 21}, "dim = 21 is not a multiple of heads = 5"),
        ({"dim": 30, "positions": "sinusoidal"}, "multiple of 4"),
        ({"stem": "convolutional"}, "power of 2"),
        ({"stem": "convolutional", "patch": 1}, "power of 2"),
        ({"stem": "deep", "patch": 6}, "power of 2"),
        ({"pool": "mean", "distillation_token": True}, "pool = class"),
        ({"pool": "max"}, "pool"),
        ({"stochastic_depth": 1.0}, "stochastic_depth"),
        ({"width": 7}, "width"),
        ({"classes": 0}, "classes"),
    ],
    ids=str,
)
def test_wrong_sizes_are_refused_when_configured(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=named):
        ViTConfig(**(SMALL | wrong))


def test_a_stored_config_comes_back() -> None:
    for config in (vit().config, deit(image_size=24).config, vit(pool="mean").config):
        stored = json.loads(json.dumps(config.model_dump()))
        assert read_config(stored, "config.json") == config
        assert type(build(config)) is {"vit": ViT, "deit": DeiT}[config.architecture]
    with pytest.raises(UserError, match="architecture = 'vgg' is not one of vit, deit, resnet"):
        read_config({"architecture": "vgg"}, "config.json")
    with pytest.raises(UserError, match="did you mean patch"):
        read_config({"architecture": "vit", "classes": 3, "ptach": 4}, "config.json")


def test_every_key_is_explained() -> None:
    for config in CONFIGS.values():
        assert all(description for _, _, _, description in explain(config))


def passed_on(model: Model, **changes: Any) -> Model:
    """As fine-tuning does it: a fresh model of a changed config, given the weights of `model`."""
    new_head = "classes" in changes
    fresh = build(type(model.config)(**(model.config.model_dump() | changes)))
    load_weights(fresh, transferred(weights_of(model), model.config, fresh, new_head=new_head), "the trained run")
    return fresh.eval()


@torch.no_grad()
@pytest.mark.parametrize("make", [vit, deit])
def test_a_body_is_passed_on_to_a_new_head(make: Any) -> None:
    model, given = make(), images()
    other = passed_on(model, classes=4)
    assert torch.equal(model.encode(given).features, other.encode(given).features)
    assert other.head.weight.shape == (4, 20)
    assert float(other.head.bias.abs().max()) == 0


@torch.no_grad()
def test_a_body_is_passed_on_to_a_higher_resolution() -> None:
    model, given = vit(distillation_token=True), images(height=24, width=36)
    other = passed_on(model, image_size=(24, 36))
    assert other(given).shape == (3, 7)
    assert torch.equal(other.encoder.tokens.positions.weight[:2], model.encoder.tokens.positions.weight[:2])
    same = images()
    assert torch.equal(passed_on(model, image_size=(12, 18))(same), model(same))
    # sinusoidal positions know every grid
    assert passed_on(vit(positions="sinusoidal"), image_size=(24, 36))(given).shape == (3, 7)


def test_another_body_is_refused_by_name() -> None:
    with pytest.raises(UserError) as caught:
        passed_on(vit(), depth=4, hidden=30)
    for part in (
        "missing: encoder.blocks.3",
        "of another shape: encoder.blocks.0.feed_forward.inner.weight is [31, 20]",
    ):
        assert part in str(caught.value)
    with pytest.raises(UserError, match=r"surplus: encoder\.blocks\.2"):
        passed_on(vit(), depth=2)


@torch.no_grad()
def test_in_8_bits_the_logits_stay_close() -> None:
    for model in (vit(), vit(stem="convolutional", image_size=(8, 12), patch=4)):
        given = images(5, *model.config.size)
        exact = model(given)
        assert bool((quantized(model)(given) - exact).norm() < 0.1 * exact.norm())


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_last_block_that_works_for_the_tokens_in_front_alone_gives_the_same(checkpointing: bool) -> None:
    model = DeiT(
        DeiTConfig(image_size=16, patch=4, classes=3, dim=16, heads=2, depth=2, hidden=32, checkpointing=checkpointing)
    )
    images = torch.randn(3, 3, 16, 16)
    pair, features = model(images), model.encode(images).features
    torch.testing.assert_close(pair.classes, model.head(features[:, 0]))
    torch.testing.assert_close(pair.distilled, model.distilled_head(features[:, 1]))
    short = torch.autograd.grad(pair.classes.sum() + pair.distilled.sum(), list(model.parameters()))
    whole = model.head(features[:, 0]).sum() + model.distilled_head(features[:, 1]).sum()
    for one, other in zip(short, torch.autograd.grad(whole, list(model.parameters())), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_recorded_map_is_whole() -> None:
    model = ViT(ViTConfig(image_size=16, patch=4, classes=3, dim=16, heads=2, depth=2, hidden=32)).eval()
    with record(model) as maps:
        model(torch.randn(2, 3, 16, 16))
    assert [weights.shape for weights in maps.values()] == [(2, 2, 17, 17)] * 2
