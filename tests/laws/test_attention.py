"""Attention, blocks and stacks are those of `torch.nn`; the fused path and the open path are one function."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.small import lengths, shake, small_model, targets, words
from tests.nn.oracle import (
    MASKS,
    copied_attention,
    copied_decoder_layer,
    copied_encoder_layer,
    naive_attention,
    some_masks,
)
from torch import Tensor, nn

from jumok.nn import kernels
from jumok.nn.attention import Attention, attend, mix
from jumok.nn.mask import Mask
from jumok.nn.transformer import Activation, DecoderBlock, EncoderBlock, Norm

BATCH, QUERIES, KEYS, DIM, HEADS, HIDDEN = 5, 7, 11, 21, 3, 37


def fused(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
    return attend(q, k, v, mask)


def opened(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
    return mix((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1), v, mask)


def hidden_keys(lengths: Tensor, keys: int) -> Tensor:
    """torch.nn's way: True means "may not attend"."""
    return torch.arange(keys) >= lengths[:, None]


def later(queries: int) -> Tensor:
    return torch.ones(queries, queries, dtype=torch.bool).triu(1)


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_self_attention_is_torchs(causal: bool, padded: bool) -> None:
    ours = Attention(DIM, HEADS)
    shake(ours)
    theirs = copied_attention(ours, DIM)
    x, sizes = torch.randn(BATCH, QUERIES, DIM), lengths(BATCH, QUERIES)
    expected, _ = theirs(
        x,
        x,
        x,
        need_weights=False,
        key_padding_mask=hidden_keys(sizes, QUERIES) if padded else None,
        attn_mask=later(QUERIES) if causal else None,
    )
    close(ours(x, mask=Mask(sizes if padded else None, causal=causal)), expected)


@pytest.mark.parametrize("memory_dim", [DIM, 13])
@pytest.mark.parametrize("padded", [False, True])
def test_attention_to_a_memory_is_torchs(memory_dim: int, padded: bool) -> None:
    ours = Attention(DIM, HEADS, memory_dim=memory_dim)
    shake(ours)
    theirs = copied_attention(ours, DIM, memory_dim)
    x, memory, sizes = torch.randn(BATCH, QUERIES, DIM), torch.randn(BATCH, KEYS, memory_dim), lengths(BATCH, KEYS)
    hidden = hidden_keys(sizes, KEYS) if padded else None
    expected, _ = theirs(x, memory, memory, need_weights=False, key_padding_mask=hidden)
    close(ours(x, ours.project(memory), mask=Mask(sizes) if padded else Mask()), expected)


@pytest.mark.parametrize("padded", [False, True])
def test_tapped_weights_are_torchs(padded: bool) -> None:
    ours = Attention(DIM, HEADS)
    shake(ours)
    theirs = copied_attention(ours, DIM)
    x, sizes = torch.randn(BATCH, QUERIES, DIM), lengths(BATCH, QUERIES)
    seen: list[Tensor] = []
    ours.tap.sink = seen.append
    ours(x, mask=Mask(sizes) if padded else Mask())
    hidden = hidden_keys(sizes, QUERIES) if padded else None
    _, expected = theirs(x, x, x, key_padding_mask=hidden, average_attn_weights=False)
    close(seen[0], expected)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_block_is_torchs(norm: Norm, activation: Activation) -> None:
    ours = EncoderBlock(DIM, HEADS, HIDDEN, dropout=0.0, norm=norm, activation=activation)
    shake(ours)
    theirs = copied_encoder_layer(ours, DIM, HIDDEN, norm, activation)
    x, sizes = torch.randn(BATCH, QUERIES, DIM), lengths(BATCH, QUERIES)
    hidden = hidden_keys(sizes, QUERIES)
    close(ours(x, Mask(sizes))[~hidden], theirs(x, src_key_padding_mask=hidden)[~hidden])


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_decoder_block_is_torchs(norm: Norm, activation: Activation) -> None:
    ours = DecoderBlock(DIM, HEADS, HIDDEN, memory_dim=DIM, dropout=0.0, norm=norm, activation=activation)
    shake(ours)
    theirs = copied_decoder_layer(ours, DIM, HIDDEN, norm, activation)
    x, memory, sizes = torch.randn(BATCH, QUERIES, DIM), torch.randn(BATCH, KEYS, DIM), lengths(BATCH, KEYS)
    expected = theirs(x, memory, tgt_mask=later(QUERIES), memory_key_padding_mask=hidden_keys(sizes, KEYS))
    found = ours(x, ours.cross.project(memory), mask=Mask(causal=True), memory_mask=Mask(sizes))
    close(found, expected)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_whole_stacks_are_torchs(norm: Norm, activation: Activation) -> None:
    model = small_model(norm=norm, activation=activation, depth=3, decoder_depth=2)
    dim, width = model.config.dim, model.config.hidden
    last = None if norm == "post" else nn.LayerNorm(dim)

    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(dim, 3), 3, last, enable_nested_tensor=False).eval()
    encoder.layers = nn.ModuleList(copied_encoder_layer(b, dim, width, norm, activation) for b in model.encoder.blocks)
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(dim, 3), 2, last and nn.LayerNorm(dim)).eval()
    decoder.layers = nn.ModuleList(copied_decoder_layer(b, dim, width, norm, activation) for b in model.decoder.blocks)
    if norm == "pre":
        encoder.norm.load_state_dict(model.encoder.norm.state_dict())
        decoder.norm.load_state_dict(model.decoder.norm.state_dict())

    source, sizes, target = words(BATCH, KEYS), lengths(BATCH, KEYS), targets(BATCH, QUERIES)
    hidden = hidden_keys(sizes, KEYS)
    memory = encoder(model.encoder.tokens(source), src_key_padding_mask=hidden)
    close(model.encode(source, sizes).features[~hidden], memory[~hidden])
    features = decoder(model.decoder.tokens(target), memory, tgt_mask=later(QUERIES), memory_key_padding_mask=hidden)
    close(model.features(source, sizes, target), features)
    close(model(source, sizes, target), features @ model.decoder.tokens.embedding.weight.T)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("path", [fused, opened])
@pytest.mark.parametrize(("queries", "keys"), [(5, 7), (7, 7), (1, 7), (7, 5)])
def test_both_paths_are_the_formula(
    kind: str, path: Callable[[Tensor, Tensor, Tensor, Mask], Tensor], queries: int, keys: int
) -> None:
    q, k, v = torch.randn(3, 2, queries, 11), torch.randn(3, 2, keys, 11), torch.randn(3, 2, keys, 11)
    mask = some_masks(3, 2, queries, keys)[kind]
    torch.testing.assert_close(path(q, k, v, mask).double(), naive_attention(q, k, v, mask), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 4e-2)])
@settings(max_examples=5, deadline=None)
@given(queries=st.integers(1, 13), extra=st.integers(-2, 5), seed=st.integers(0, 2**31))
def test_fused_is_open_forward_and_gradient(
    kind: str, dtype: torch.dtype, tolerance: float, queries: int, extra: int, seed: int
) -> None:
    torch.manual_seed(seed)
    keys = max(1, queries + extra)
    q, k, v = (torch.randn(3, 5, n, 8).to(dtype).requires_grad_() for n in (queries, keys, keys))
    mask = some_masks(3, 5, queries, keys)[kind]
    upstream = torch.randn(3, 5, queries, 8).to(dtype)
    results = []
    for path in (fused, opened):
        out = path(q, k, v, mask)
        results.append([out.detach(), *torch.autograd.grad(out, (q, k, v), upstream)])
    for one, other in zip(*results, strict=True):
        assert bool(one.isfinite().all())
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("memory", [False, True])
def test_the_choice_of_path_changes_nothing(
    kind: str, training: bool, memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Attention(DIM, HEADS, memory_dim=13 if memory else None).train(training)
    shake(layer)
    x = torch.randn(BATCH, QUERIES, DIM)
    keys = layer.project(torch.randn(BATCH, KEYS, 13)) if memory else None
    mask = some_masks(BATCH, HEADS, QUERIES, KEYS if memory else QUERIES)[kind]
    outputs = []
    for path in ("fused", "open"):
        for role in get_args(kernels.Role):
            monkeypatch.setitem(kernels.ATTENTION_PATHS, ("cpu", torch.float32, role), path)
        outputs.append(layer(x, keys, mask=mask))
    seen: list[Tensor] = []
    layer.tap.sink = seen.append
    outputs.append(layer(x, keys, mask=mask))
    assert len(seen) == 1
    close(outputs[1], outputs[0])
    close(outputs[2], outputs[0])


@pytest.mark.parametrize("path", [fused, opened])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_to_attend_to_gives_zeros_and_finite_gradients(
    path: Callable[[Tensor, Tensor, Tensor, Mask], Tensor], dtype: torch.dtype
) -> None:
    q, k, v = (torch.randn(3, 2, n, 8).to(dtype).requires_grad_() for n in (5, 7, 7))
    pattern = torch.rand(3, 2, 5, 7) < 0.5
    pattern[1, 1, 3] = False
    nowhere = torch.zeros(3, 2, 5, dtype=torch.bool)
    nowhere[1] = True
    for mask, empty in [(Mask(torch.tensor([7, 0, 3])), nowhere), (Mask(pattern=pattern), ~pattern.any(-1))]:
        out = path(q, k, v, mask)
        assert bool((out[empty] == 0).all())
        assert bool((out[~empty] != 0).any(-1).all())
        for gradient in torch.autograd.grad(out.square().sum(), (q, k, v)):
            assert bool(gradient.isfinite().all())
