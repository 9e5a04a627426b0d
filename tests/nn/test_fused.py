"""Linear layers with bias and activation inside the product: no worse than PyTorch's own, and as exact as bf16 is."""

import copy
from collections.abc import Callable

import pytest
import torch
from tests.models.small_images import READERS, WRITERS, images
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.nn.fused import FusedLinear, in_bf16, supported
from jumok.nn.transformer import FeedForward

needs_bf16 = pytest.mark.skipif(not supported(torch.device("cpu")), reason="the processor has no bf16 products")


def error(found: Tensor, exact: Tensor) -> float:
    return float((found.double() - exact).abs().mean())


@needs_bf16
@pytest.mark.parametrize("after", ["none", "relu", "gelu"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(1,), (7, 3), (130, 5)])
def test_it_is_the_product_rounded_once(after: str, bias: bool, rows: tuple[int, ...]) -> None:
    function: Callable[[Tensor], Tensor] = {"none": lambda y: y, "relu": F.relu, "gelu": F.gelu}[after]
    linear, x = nn.Linear(37, 98, bias=bias).bfloat16(), torch.randn(*rows, 37).bfloat16()
    with torch.no_grad():
        found = FusedLinear.of(linear, after)(x)  # type: ignore[arg-type]
        exact = function(F.linear(x.double(), linear.weight.double(), linear.bias.double() if bias else None))
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found, exact.bfloat16(), rtol=2**-7, atol=1e-3)
        assert error(found, exact) <= 1.01 * error(function(linear(x)), exact)


@needs_bf16
def test_neighbours_change_nothing() -> None:
    linear, x = FusedLinear.of(nn.Linear(64, 96).bfloat16(), "gelu"), torch.randn(300, 64).bfloat16()
    with torch.no_grad():
        whole = linear(x)
        for count in (1, 2, 65):
            torch.testing.assert_close(linear(x[:count]), whole[:count], rtol=2**-7, atol=1e-4)


@needs_bf16
@pytest.mark.parametrize("name", [*READERS, *WRITERS])
def test_every_linear_layer_of_a_model_is_fused_and_says_the_same(name: str) -> None:
    plain = READERS[name]() if name in READERS else WRITERS[name]()
    fused = in_bf16(copy.deepcopy(plain))
    names = {part for part, module in plain.named_modules() if type(module) is nn.Linear}
    assert names == {part for part, module in fused.named_modules() if isinstance(module, FusedLinear)}
    for block in fused.modules():
        if isinstance(block, FeedForward):
            assert isinstance(block.inner, FusedLinear)
            assert (block.inner.after, type(block.activation)) == ("gelu", nn.Identity)
    assert fused.state_dict().keys() == plain.state_dict().keys()
    assert not any(parameter.requires_grad for parameter in fused.parameters())
    seen = images(2)
    with torch.inference_mode():
        exact = plain.encode(seen).features
        torch.testing.assert_close(fused.encode(seen.bfloat16()).features.float(), exact, rtol=0.1, atol=0.15)


@needs_bf16
def test_a_tied_output_stays_tied() -> None:
    model = WRITERS["vit-transformer"]()
    model = in_bf16(model)
    assert model.output.weight is model.decoder.tokens.embedding.weight
    assert isinstance(model.output, FusedLinear)
