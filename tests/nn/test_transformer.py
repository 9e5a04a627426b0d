"""Feed-forward layers and blocks by themselves."""

import pytest
import torch
from tests.models.small import lengths, shake
from torch import nn
from torch.nn import functional as F

from jumok.nn.mask import Mask
from jumok.nn.transformer import (
    Activation,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    Norm,
    PostNorm,
    PreNorm,
    SwiGLU,
    feed_forward,
)

DIM, HIDDEN = 21, 37


@pytest.mark.parametrize(("activation", "function"), [("relu", torch.relu), ("gelu", F.gelu)])
def test_feed_forward_is_its_formula(activation: Activation, function: nn.Module) -> None:
    layer = feed_forward(DIM, HIDDEN, activation)
    assert isinstance(layer, FeedForward)
    shake(layer)
    x = torch.randn(5, 7, DIM)
    inner = function(x @ layer.inner.weight.T + layer.inner.bias)
    torch.testing.assert_close(layer(x), inner @ layer.outer.weight.T + layer.outer.bias, rtol=1e-5, atol=1e-5)


def test_swiglu_is_its_formula() -> None:
    layer = feed_forward(DIM, HIDDEN, "swiglu")
    assert isinstance(layer, SwiGLU)
    shake(layer)
    x = torch.randn(5, 7, DIM)
    w, v = layer.inner.weight.chunk(2)
    b, c = layer.inner.bias.chunk(2)
    gate = x @ w.T + b
    inner = gate * torch.sigmoid(gate) * (x @ v.T + c)
    torch.testing.assert_close(layer(x), inner @ layer.outer.weight.T + layer.outer.bias, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu"])
def test_feed_forward_sees_one_position_at_a_time(activation: Activation) -> None:
    layer = feed_forward(DIM, HIDDEN, activation)
    x = torch.randn(5, 7, DIM)
    torch.testing.assert_close(layer(x)[2:3, 4:5], layer(x[2:3, 4:5]), rtol=1e-5, atol=1e-5)


def test_the_two_residual_connections() -> None:
    x = torch.randn(5, 7, DIM)
    post, pre = PostNorm(DIM, 0.0), PreNorm(DIM, 0.0)
    shake(post)
    shake(pre)
    torch.testing.assert_close(post(x, torch.tanh), post.norm(x + x.tanh()))
    torch.testing.assert_close(pre(x, torch.tanh), x + pre.norm(x).tanh())


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_block_leaves_its_input_alone(norm: Norm) -> None:
    """In-place arithmetic is for what the block made itself."""
    x = torch.randn(5, 7, DIM)
    before = x.clone()
    encoder = EncoderBlock(DIM, 3, HIDDEN, norm=norm).eval()
    encoder(x)
    decoder = DecoderBlock(DIM, 3, HIDDEN, memory_dim=DIM, norm=norm).eval()
    decoder(x, decoder.cross.project(x), mask=Mask(causal=True))
    assert torch.equal(x, before)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_dropout_in_training_only(norm: Norm) -> None:
    block, x = EncoderBlock(DIM, 3, HIDDEN, dropout=0.5, norm=norm), torch.randn(5, 7, DIM)
    assert not torch.equal(block.train()(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


def test_a_memory_of_another_width() -> None:
    block = DecoderBlock(DIM, 3, HIDDEN, memory_dim=13).eval()
    memory, sizes = torch.randn(5, 11, 13), lengths(5, 11)
    out = block(torch.randn(5, 7, DIM), block.cross.project(memory), memory_mask=Mask(sizes))
    assert out.shape == (5, 7, DIM)
