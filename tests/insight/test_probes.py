"""Probes against the model taken apart by hand; nothing of them stays behind."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.models.small import MODELS
from torch import Tensor, nn

from jumok.errors import UserError
from jumok.insight.probes import gradient_times_attention, head_importance, record_norms, without_heads
from jumok.insight.record import attention_layers, layer_names, record
from jumok.models.transformer import Transformer, TransformerConfig
from jumok.nn.attention import Attention


def small() -> Transformer:
    torch.manual_seed(1)
    sizes = {"dim": 16, "heads": 4, "depth": 2, "decoder_depth": 2, "hidden": 32, "dropout": 0.0}
    return Transformer(TransformerConfig(source_vocab=20, target_vocab=20, **sizes)).eval()


def batch() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    return torch.randint(4, 20, (2, 7)), torch.tensor([7, 4]), torch.randint(4, 20, (2, 5))


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_a_head_that_is_off_is_a_head_without_output() -> None:
    model, inputs = small(), batch()
    name = "decoder.blocks.1.cross"
    plain = model(*inputs)
    with without_heads(model, {name: [1, 3]}):
        off = model(*inputs)
    assert hooks(model) == 0
    module = attention_layers(model, name)[name]
    assert isinstance(module, Attention)
    with torch.no_grad():
        for head in (1, 3):
            module.out.weight[:, head * 4 : head * 4 + 4] = 0
    torch.testing.assert_close(model(*inputs), off)
    assert not torch.allclose(off, plain)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_s_heads_can_be_switched_off(name: str) -> None:
    torch.manual_seed(1)
    model, inputs = MODELS[name]().eval(), batch()
    try:
        layers = layer_names(model)
    except UserError:
        return  # a model without attention
    plain = model(*inputs)
    for layer, module in attention_layers(model).items():
        heads = range(module.heads if isinstance(module, Attention) else 1)
        with without_heads(model, {layer: heads}):
            assert not torch.allclose(model(*inputs), plain), layer
    assert list(attention_layers(model)) == layers
    torch.testing.assert_close(model(*inputs), plain)


def test_importance_is_what_the_score_loses() -> None:
    model, inputs = small(), batch()
    name = "encoder.blocks.0.attention"

    def score() -> float:
        with torch.inference_mode():
            return float(model(*inputs).square().sum())

    found = head_importance(model, score, "encoder")
    assert list(found) == ["encoder.blocks.0.attention", "encoder.blocks.1.attention"]
    with without_heads(model, {name: [2]}):
        off = score()
    assert found[name][2] == pytest.approx(score() - off, rel=1e-5)
    module = attention_layers(model, name)[name]
    assert isinstance(module, Attention)
    with torch.no_grad():
        module.out.weight[:, :4] = 0
    assert head_importance(model, score, name)[name][0] == 0, "what writes nothing is worth nothing"


def test_norms_are_those_of_the_summands() -> None:
    model, inputs = small(), batch()
    given: dict[str, Any] = {}
    name = "encoder.blocks.1.attention"
    module = attention_layers(model, name)[name]
    assert isinstance(module, Attention)
    handle = module.register_forward_hook(lambda _, args, out: given.update(x=args[0], out=out))
    with torch.inference_mode(), record_norms(model, name) as norms:
        model(*inputs)
    with torch.inference_mode(), record(model, name) as maps:
        model(*inputs)
    handle.remove()
    with torch.inference_mode():
        values = module.qkv(given["x"]).clone()[..., 32:].unflatten(-1, (4, 4)).permute(0, 2, 1, 3)
    for head in range(4):
        outputs = values[:, head].clone() @ module.out.weight[:, head * 4 : head * 4 + 4].detach().T
        summands = maps[name][:, head, :, :, None] * outputs[:, None]
        torch.testing.assert_close(norms[name][:, head], summands.norm(dim=-1), atol=1e-5, rtol=1e-4)
    assert hooks(model) == 0
    with pytest.raises(UserError, match="no value projection"), record_norms(MODELS["bahdanau"]()):
        pass


def test_gradients_are_those_of_the_weights() -> None:
    model, inputs = small(), batch()
    name = "decoder.blocks.0.cross"

    def loss() -> Tensor:
        return model(*inputs).logsumexp(-1).sum()

    found = gradient_times_attention(model, loss, name)[name]
    with record(model, name) as maps:
        model(*inputs)
    assert found.shape == maps[name].shape
    # moved by a little, one weight changes the loss by its gradient
    module, step = attention_layers(model, name)[name], 1e-2
    assert isinstance(module, Attention)
    place = (0, 1, 2, 3)

    def moved(by: float) -> float:
        module.tap.forward = lambda weights: weights + by * _one(weights, place)  # type: ignore[method-assign]
        module.tap.sink = lambda _: None  # so that the layer computes in the open
        with torch.no_grad():
            result = float(loss())
        del module.tap.forward
        module.tap.sink = None
        return result

    slope = (moved(step) - moved(-step)) / (2 * step)
    assert float(found[place]) == pytest.approx(slope * float(maps[name][place]), rel=2e-2, abs=1e-5)
    assert all(parameter.grad is None for parameter in model.parameters())


def _one(weights: Tensor, place: tuple[int, ...]) -> Tensor:
    found = torch.zeros_like(weights)
    found[place] = 1
    return found


def test_recurrent_steps_are_joined() -> None:
    torch.manual_seed(1)
    model, inputs = MODELS["bahdanau"]().eval(), batch()
    found = gradient_times_attention(model, lambda: model(*inputs).logsumexp(-1).sum())
    with record(model) as maps:
        model(*inputs)
    assert {name: product.shape for name, product in found.items()} == {name: m.shape for name, m in maps.items()}


def test_what_does_not_exist_is_named() -> None:
    model = small()
    with (
        pytest.raises(UserError, match="has no head 4; its heads are 0 to 3"),
        without_heads(model, {"encoder.blocks.0.attention": [4]}),
    ):
        pass
    with pytest.raises(UserError, match="no attention layer matches 'middle'"):
        head_importance(model, lambda: 0.0, "middle")
    with pytest.raises(RuntimeError, match="ran in the loss"):
        gradient_times_attention(model, model.output.weight.sum)
    assert np.isfinite(head_importance(model, lambda: 1.0)["encoder.blocks.0.attention"]).all()
