"""8-bit products: near the model they come from, and independent of the batch."""

import pytest
import torch
from torch import nn

from jumok.models.transformer import Transformer, TransformerConfig
from jumok.nn.quantized import Int8Linear, quantized, supported

pytestmark = pytest.mark.skipif(not supported(), reason="this build of PyTorch has no x86 integer kernels")


def test_a_layer_is_near_the_original() -> None:
    linear = nn.Linear(67, 31)
    x = torch.randn(5, 3, 67) * torch.logspace(-3, 3, 15).view(5, 3, 1)
    exact, ours = linear(x), Int8Linear(linear)(x)
    # 8 bits leave about half a percent of each row; a wrong scale or zero point would leave far more
    error = (ours - exact).norm(dim=-1) / exact.norm(dim=-1)
    assert ours.shape == exact.shape
    assert float(error.max().detach()) < 0.03


def test_rows_do_not_notice_their_neighbours() -> None:
    layer = Int8Linear(nn.Linear(32, 16))
    x = torch.randn(4, 32)
    crowd = torch.cat([x, 1000 * torch.randn(9, 32)])
    torch.testing.assert_close(layer(x), layer(crowd)[:4], rtol=0, atol=0)


def test_a_row_of_zeros_gives_the_bias() -> None:
    linear = nn.Linear(32, 16)
    torch.testing.assert_close(Int8Linear(linear)(torch.zeros(1, 32))[0], linear.bias.detach())


def test_the_original_model_stays_as_it_is() -> None:
    model = Transformer(TransformerConfig.preset("tiny", source_vocab=31, target_vocab=31)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small = quantized(model)
    assert not any(isinstance(module, Int8Linear) for module in model.modules())
    assert not any(isinstance(module, nn.Linear) for module in small.modules())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    source, lengths, target = torch.randint(4, 31, (3, 7)), torch.tensor([7, 2, 5]), torch.randint(4, 31, (3, 5))
    exact, ours = model(source, lengths, target), small(source, lengths, target)
    assert ours.dtype == torch.float32
    assert {m.dtype for m in small.modules() if isinstance(m, Int8Linear)} == {torch.float32, torch.bfloat16}
    assert float(((ours.float() - exact).norm() / exact.norm()).detach()) < 0.05
