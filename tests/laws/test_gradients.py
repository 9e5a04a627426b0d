"""Every parameter learns, whatever the options; and what autograd says is what differences say."""

from typing import Any

import pytest
import torch
from tests.models.small import MODELS, NEW, VOCAB, lengths, small_model, targets, words
from tests.models.small_images import READERS, WRITERS, images, inputs
from torch import nn

from jumok.models.image_to_text import ImageToText
from jumok.models.transformer import Transformer, TransformerConfig
from jumok.models.translators import TranslationModel
from jumok.nn.attention import Attention
from jumok.nn.loss import ctc_loss, smoothed_cross_entropy
from jumok.nn.mask import Mask
from jumok.nn.transformer import DecoderBlock

OPTIONS: list[dict[str, Any]] = [
    {"tied": tied, "norm": norm, "activation": activation, "positions": positions}
    for tied in ("all", "target", "none")
    for norm in ("post", "pre")
    for activation in ("relu", "gelu", "swiglu")
    for positions in ("sinusoidal", "learned", "rotary", "none")
]


def train_once(model: TranslationModel | ImageToText) -> torch.Tensor:
    target, labels = targets(5, 7), words(5, 7)
    features = model.features(*inputs(model, 5, 11), target).flatten(0, 1)
    loss = smoothed_cross_entropy(features, model.output.weight, model.output.bias, labels.flatten(), 0.1)
    loss.total.backward()
    return loss.total.detach()


def without_gradient(model: nn.Module) -> list[str]:
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.numel()
        and (parameter.grad is None or not parameter.grad.isfinite().all() or not parameter.grad.any())
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o.values()))
def test_every_parameter_gets_a_gradient(options: dict[str, Any]) -> None:
    model = small_model(**options, depth=1, decoder_depth=2).train()
    train_once(model)
    assert not without_gradient(model)


@pytest.mark.parametrize("preset", sorted(TransformerConfig.PRESETS))
def test_every_parameter_of_every_preset_gets_a_gradient(preset: str) -> None:
    sizes = {key: TransformerConfig.PRESETS[preset][key] for key in ("dim", "hidden")}
    smaller = {"dim": sizes["dim"] // 8, "hidden": sizes["hidden"] // 8, "depth": 2}
    config = TransformerConfig.preset(preset, source_vocab=VOCAB, target_vocab=VOCAB, **smaller)
    model = Transformer(config).train()
    train_once(model)
    assert not without_gradient(model)


@pytest.mark.parametrize("attention_dropout", [0.0, 0.2])
def test_every_parameter_gets_a_gradient_in_bf16_with_dropout(attention_dropout: float) -> None:
    model = small_model(dropout=0.2, attention_dropout=attention_dropout).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = train_once(model)
    assert bool(loss.isfinite())
    assert not without_gradient(model)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", [*NEW, *WRITERS])
def test_every_parameter_of_every_model_gets_a_gradient(name: str, mixed: bool) -> None:
    model = (MODELS | WRITERS)[name](dropout=0.2 if mixed else 0.0).train()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        loss = train_once(model)
    assert bool(loss.isfinite())
    assert not without_gradient(model)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", READERS)
def test_every_parameter_of_every_reader_gets_a_gradient(name: str, mixed: bool) -> None:
    model = READERS[name](dropout=0.2 if mixed else 0.0).train()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        logits = model(images(5))
    loss = ctc_loss(logits, words(5, 2), torch.tensor([2, 1, 0, 1, 1]))
    assert int(loss.unfit) == 0
    loss.total.backward()
    assert bool(loss.total.isfinite())
    assert not without_gradient(model)


def test_the_loss_of_features_is_the_loss_of_logits() -> None:
    model = small_model()
    source, sizes, target, labels = words(5, 11), lengths(5, 11), targets(5, 7), words(5, 7)
    features = model.features(source, sizes, target).flatten(0, 1)
    ours = smoothed_cross_entropy(features, model.output.weight, model.output.bias, labels.flatten(), 0.1)
    theirs = nn.functional.cross_entropy(
        model(source, sizes, target).flatten(0, 1), labels.flatten(), label_smoothing=0.1, reduction="sum"
    )
    torch.testing.assert_close(ours.total, theirs, rtol=1e-5, atol=1e-4)
    parameters = list(model.parameters())
    for one, other in zip(
        torch.autograd.grad(ours.total, parameters), torch.autograd.grad(theirs, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("name", MODELS)
def test_padding_rows_change_no_gradient(name: str) -> None:
    """A batch's gradient is the sum of its sentences', each alone and unpadded."""
    model = MODELS[name]()
    source, sizes, target, labels = words(3, 7), torch.tensor([7, 2, 4]), targets(3, 5), words(3, 5)
    ends = torch.tensor([3, 5, 1])
    real = torch.arange(5) < ends[:, None]
    features = model.features(source, sizes, target)[real]
    whole = smoothed_cross_entropy(features, model.output.weight, None, labels[real], 0.1).total
    parameters = list(model.parameters())
    together = torch.autograd.grad(whole, parameters)
    alone = [torch.zeros_like(p) for p in parameters]
    for row in range(3):
        n, m = int(sizes[row]), int(ends[row])
        features = model.features(source[row : row + 1, :n], sizes[row : row + 1], target[row : row + 1, :m])[0]
        loss = smoothed_cross_entropy(features, model.output.weight, None, labels[row, :m], 0.1).total
        alone = [total + part for total, part in zip(alone, torch.autograd.grad(loss, parameters), strict=True)]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("looked_at", [False, True])
def test_attention_by_finite_differences(looked_at: bool) -> None:
    layer = Attention(6, 2, memory_dim=5).double()
    layer.tap.sink = (lambda weights: None) if looked_at else None
    x = torch.randn(2, 3, 6, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(2, 5, 5, dtype=torch.float64, requires_grad=True)
    mask = Mask(torch.tensor([3, 0]))
    assert torch.autograd.gradcheck(lambda a, m: layer(a, layer.project(m), mask=mask), (x, memory))


def test_a_decoder_block_by_finite_differences() -> None:
    block = DecoderBlock(6, 2, 7, memory_dim=5, dropout=0.0, norm="pre", activation="swiglu").double()
    x = torch.randn(2, 3, 6, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(2, 5, 5, dtype=torch.float64, requires_grad=True)

    def run(a: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        keys = block.cross.project(m)
        return block(a, keys, mask=Mask(causal=True), memory_mask=Mask(torch.tensor([3, 5])))

    assert torch.autograd.gradcheck(run, (x, memory))
