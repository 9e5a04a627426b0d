"""The attention class by itself: its tap, its dropout, its projections."""

import pytest
import torch
from tests.models.small import lengths, shake, small_model, targets, words
from torch import Tensor

from jumok.nn.attention import Attention, Tap, attend, mix
from jumok.nn.mask import Mask
from jumok.nn.position import Rotary

BATCH, QUERIES, KEYS, DIM, HEADS = 5, 7, 11, 21, 3


def test_a_tap_sees_rows_that_sum_to_one_or_to_nothing() -> None:
    layer = Attention(DIM, HEADS, memory_dim=13)
    sizes = lengths(BATCH, KEYS)
    sizes[(sizes != KEYS).nonzero()[:1]] = 0
    keys = layer.project(torch.randn(BATCH, KEYS, 13))
    seen: list[Tensor] = []
    layer.tap.sink = seen.append
    layer(torch.randn(BATCH, QUERIES, DIM), keys, mask=Mask(sizes))
    (weights,) = seen
    assert weights.shape == (BATCH, HEADS, QUERIES, KEYS)
    expected = (sizes > 0).float()[:, None, None].expand(BATCH, HEADS, QUERIES)
    torch.testing.assert_close(weights.sum(-1), expected)
    assert bool((weights >= 0).all())
    hidden = torch.arange(KEYS) >= sizes[:, None]
    assert bool((weights.transpose(1, 3)[hidden] == 0).all())


def test_a_tap_sees_weights_before_dropout() -> None:
    layer = Attention(DIM, HEADS, dropout=0.5).train()
    seen: list[Tensor] = []
    layer.tap.sink = seen.append
    x = torch.randn(BATCH, QUERIES, DIM)
    first, second = layer(x), layer(x)
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(BATCH, HEADS, QUERIES))
    assert bool((seen[0] > 0).all())
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(first, second)


def test_looking_changes_nothing() -> None:
    model = small_model()
    source, sizes, target = words(BATCH, KEYS), lengths(BATCH, KEYS), targets(BATCH, QUERIES)
    before = model(source, sizes, target)
    seen: dict[str, Tensor] = {}
    taps = {name: module for name, module in model.named_modules() if isinstance(module, Tap)}
    assert set(taps) == {
        f"{stack}.blocks.{number}.{part}.tap"
        for number in range(2)
        for stack, part in [("encoder", "attention"), ("decoder", "attention"), ("decoder", "cross")]
    }
    for name, tap in taps.items():
        tap.sink = lambda weights, name=name: seen.update({name: weights})
    torch.testing.assert_close(model(source, sizes, target), before, rtol=1e-5, atol=1e-5)
    assert set(seen) == set(taps)
    assert seen["decoder.blocks.0.cross.tap"].shape == (BATCH, 3, QUERIES, KEYS)
    future = torch.ones(QUERIES, QUERIES, dtype=torch.bool).triu(1)
    assert bool((seen["decoder.blocks.1.attention.tap"][:, :, future] == 0).all())
    for tap in taps.values():
        tap.sink = None
    assert torch.equal(model(source, sizes, target), before)


def test_an_inactive_tap_is_not_called() -> None:
    layer, seen = Attention(DIM, HEADS), []
    x = torch.randn(BATCH, QUERIES, DIM)
    assert not layer.tap.active
    layer.tap.sink = seen.append
    assert layer.tap.active
    layer.tap.sink = None
    layer(x)
    assert not seen


def test_dropped_weights_keep_their_mean() -> None:
    scores, v = torch.randn(1, 1, 1, 5), torch.randn(1, 1, 5, 3)
    many = mix(scores.expand(20011, 1, 1, 5), v.expand(20011, 1, 5, 3), dropout=0.3)
    expected = mix(scores, v)[0]
    spread = many.std(0) / 20011**0.5
    assert bool(((many.mean(0) - expected).abs() < 6 * spread).all())


def test_dropout_only_in_training() -> None:
    layer = Attention(DIM, HEADS, dropout=0.5)
    x = torch.randn(BATCH, QUERIES, DIM)
    assert not torch.equal(layer.train()(x), layer(x))
    assert torch.equal(layer.eval()(x), layer(x))


def test_a_projected_memory_serves_many_queries() -> None:
    layer = Attention(DIM, HEADS, memory_dim=13)
    shake(layer)
    memory, x, sizes = torch.randn(BATCH, KEYS, 13), torch.randn(BATCH, QUERIES, DIM), lengths(BATCH, KEYS)
    keys = layer.project(memory)
    assert keys.keys.shape == keys.values.shape == (BATCH, HEADS, KEYS, DIM // HEADS)
    together = layer(x, keys, mask=Mask(sizes))
    for i in range(QUERIES):
        torch.testing.assert_close(layer(x[:, i : i + 1], keys, mask=Mask(sizes)), together[:, i : i + 1])


def test_values_may_have_another_width_than_keys() -> None:
    q, k, v = torch.randn(3, 2, 5, 8), torch.randn(3, 2, 7, 8), torch.randn(3, 2, 7, 13)
    open_ = mix((q * 8**-0.5) @ k.transpose(-2, -1), v)
    assert open_.shape == (3, 2, 5, 13)
    torch.testing.assert_close(attend(q, k, v), open_)


def test_with_equal_scores_attention_is_the_mean_of_what_it_may_see() -> None:
    v = torch.randn(3, 2, 5, 7)
    out = mix(torch.zeros(3, 2, 5, 5), v, Mask(causal=True))
    running = v.cumsum(2) / torch.arange(1, 6)[:, None]
    torch.testing.assert_close(out, running)


def test_rotary_attention_sees_distances_alone() -> None:
    """Padding in front moves every position, and with it nothing that is seen."""
    layer = Attention(18, 3, rotary=Rotary(6))
    shake(layer)
    x = torch.randn(1, 7, 18)
    moved = torch.cat([torch.randn(1, 4, 18), x], dim=1)
    only_later = torch.zeros(1, 1, 1, 11, dtype=torch.bool)
    only_later[..., 4:] = True
    out = layer(moved, mask=Mask(pattern=only_later))[:, 4:]
    torch.testing.assert_close(out, layer(x), rtol=1e-5, atol=1e-5)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="dim=20 is not a multiple of heads=3"):
        Attention(20, 3)


def test_fused_projections_start_like_separate_ones() -> None:
    """Glorot's bound is that of one (D, D) matrix, not of the fused (3D, D) one."""
    layer = Attention(96, 4)
    bound = (6 / (96 + 96)) ** 0.5
    largest = layer.qkv.weight.detach().abs().amax()
    assert 0.98 * bound < float(largest) <= bound
    cross = Attention(96, 4, memory_dim=32)
    bound = (6 / (96 + 32)) ** 0.5
    assert 0.98 * bound < float(cross.kv.weight.detach().abs().amax()) <= bound
    assert not bool(layer.qkv.bias.any())


def test_a_mimetic_start_looks_at_what_is_alike() -> None:
    """Trockman and Kolter 2023, Fig. 1: ``W_Q W_K^T`` is near a multiple of 1, ``W_V W_O`` of -1; widths as drawn."""
    dim = 96
    attention = Attention(dim, 4)
    attention.start_mimetic(0.75)
    q, k, v = (weight.double() for weight in attention.qkv.weight.detach().chunk(3))
    out = attention.out.weight.detach().double()
    for drawn, gain in ((q, 1.14), (k, 1.14), (v, 0.72), (out, 0.72)):
        assert float(drawn.std()) == pytest.approx(gain * dim**-0.5, rel=0.05)
    alike, against = q.T @ k, out @ v
    assert float(alike.diagonal().mean()) == pytest.approx(0.75 * 1.14**2, rel=0.1)
    assert float(against.diagonal().mean()) == pytest.approx(-0.75 * 0.72**2, rel=0.1)
    off = ~torch.eye(dim, dtype=torch.bool)
    assert abs(float(alike[off].mean())) < 0.02
    assert abs(float(against[off].mean())) < 0.02
    assert not attention.qkv.bias.any()
    x = torch.randn(2, 40, dim)
    seen: list[Tensor] = []
    attention.tap.sink = seen.append
    attention.eval()(x)
    itself = seen[0].diagonal(dim1=-2, dim2=-1).mean()
    assert itself.item() > 2 / 40


def test_a_memory_has_no_mimetic_start() -> None:
    with pytest.raises(ValueError, match="memory"):
        Attention(8, 2, memory_dim=8).start_mimetic()
