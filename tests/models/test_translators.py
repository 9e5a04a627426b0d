"""What holds for every model that translates: its config, its weights, its precisions."""

from typing import Any

import pytest
import torch
from tests.models.small import MODELS, NEW, lengths, targets, words

from jumok.errors import UserError
from jumok.models.translators import CONFIGS, build, read_config
from jumok.nn.quantized import quantized, supported


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_stored_config_and_its_weights_are_the_model(name: str) -> None:
    model = MODELS[name]()
    source, sizes, target = words(3, 7), lengths(3, 7), targets(3, 5)
    config = read_config(model.config.model_dump(mode="json"), "config.json")
    assert config == model.config
    again = build(config).eval()
    assert type(again) is type(model)
    assert not torch.allclose(again(source, sizes, target), model(source, sizes, target))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(source, sizes, target), model(source, sizes, target))


def test_a_config_without_a_family_is_a_transformers() -> None:
    values = MODELS["transformer"]().config.model_dump(mode="json")
    del values["architecture"]
    assert read_config(values, "config.json").architecture == "transformer"


@pytest.mark.parametrize("family", ["transfromer", "", 7, None, ["seq2seq"]])
def test_an_unknown_family_is_named(family: Any) -> None:
    with pytest.raises(UserError, match=r"config\.json: model\.architecture = .* is not one of transformer, seq2seq"):
        read_config({"architecture": family}, "config.json")


def test_a_config_of_another_family_is_refused() -> None:
    values = MODELS["convs2s"]().config.model_dump(mode="json")
    for family in CONFIGS.keys() - {"convs2s"}:
        with pytest.raises(UserError, match=r"config\.json: .*kernel"):
            read_config(values | {"architecture": family}, "config.json")


@pytest.mark.parametrize("name", NEW)
@torch.no_grad()
def test_in_bf16_the_logits_stay_close(name: str) -> None:
    model = MODELS[name]()
    source, sizes, target = words(5, 7), lengths(5, 7), targets(5, 6)
    exact = model(source, sizes, target)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(source, sizes, target)
        stepped, _ = model.step(target[:, :1], model.begin(model.encode(source, sizes), 1, 9))
    pure = model.to(torch.bfloat16)(source, sizes, target)
    for rough in (mixed.float(), pure.float()):
        assert bool((rough - exact).norm() < 0.05 * exact.norm())
    assert bool((stepped.float() - exact[:, 0]).norm() < 0.05 * exact[:, 0].norm())


@pytest.mark.skipif(not supported(), reason="this build of PyTorch has no x86 integer kernels")
@pytest.mark.parametrize("name", NEW)
@torch.no_grad()
def test_in_8_bits_the_logits_stay_close(name: str) -> None:
    model = MODELS[name](dim=32)
    source, sizes, target = words(5, 7), lengths(5, 7), targets(5, 6)
    small, exact = quantized(model), model(source, sizes, target)
    assert bool((small(source, sizes, target).float() - exact).norm() < 0.1 * exact.norm())
    stepped, _ = small.step(target[:, :1], small.begin(small.encode(source, sizes), 1, 9))
    assert bool((stepped.float() - exact[:, 0]).norm() < 0.1 * exact[:, 0].norm())
